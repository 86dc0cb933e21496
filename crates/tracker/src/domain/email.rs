//! E-mail addresses as people type them.

use crate::refused::Refused;

/// An address longer than this is none (RFC 5321 §4.5.3.1.3, less its brackets).
const BYTES_MAX: usize = 254;

/// The address in the one form that is stored and compared: trimmed and in lower case. None if it is no address.
pub(crate) fn parse(text: &str) -> Option<String> {
    let text = text.trim();
    let address: lettre::Address = (text.len() <= BYTES_MAX).then(|| text.parse().ok())??;
    // What the standard allows and no mailbox has: quoted names, address literals, hosts without a dot.
    let plain =
        address.domain().contains('.') && !text.contains(['"', '[', ' ']) && text.is_ascii();
    plain.then(|| text.to_ascii_lowercase())
}

/// The same for a form.
///
/// # Errors
/// One that names the field.
pub(crate) fn required(field: &'static str, text: &str) -> Result<String, Refused> {
    parse(text)
        .ok_or_else(|| Refused::invalid(field, "Enter an e-mail address, such as ann@example.com."))
}

/// What stands after the `@`.
pub(crate) fn domain(email: &str) -> &str {
    email.rsplit_once('@').map_or("", |(_, domain)| domain)
}

#[cfg(test)]
mod tests {
    use super::{domain, parse};

    #[test]
    fn addresses_are_read_and_folded() {
        assert_eq!(
            parse(" Ann@Acme.Example ").as_deref(),
            Some("ann@acme.example")
        );
        assert_eq!(
            parse("ann+bugs@acme.example").as_deref(),
            Some("ann+bugs@acme.example")
        );
        for wrong in [
            "",
            "ann",
            "ann@",
            "@acme.example",
            "ann@acme",
            "a b@acme.example",
            "ann@[127.0.0.1]",
            "a@b@c.de",
            "correct horse",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert_eq!(parse(&format!("{}@acme.example", "a".repeat(300))), None);
        assert_eq!(domain("ann@acme.example"), "acme.example");
    }
}
