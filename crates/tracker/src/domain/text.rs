//! Texts of forms: their bounds, and one wording for what is wrong.

use crate::refused::Refused;

/// Characters of a name of anything.
pub(crate) const NAME_CHARS: usize = 100;
/// Characters of an issue's title.
pub(crate) const TITLE_CHARS: usize = 200;
/// Characters of a description or a comment.
pub(crate) const BODY_CHARS: usize = 20_000;

/// A text on one line, trimmed.
///
/// # Errors
/// One that names the field, where it is empty, too long, or holds control characters.
pub(crate) fn line(field: &'static str, text: &str, longest: usize) -> Result<String, Refused> {
    let line = optional_line(field, text, longest)?;
    if line.is_empty() {
        return Err(Refused::invalid(field, "This cannot be empty."));
    }
    Ok(line)
}

/// A name, of somebody or something: it stands in mails to people who know nobody here, so it holds no address of a web site.
///
/// # Errors
/// As [`line`].
pub(crate) fn name(field: &'static str, text: &str) -> Result<String, Refused> {
    let name = line(field, text, NAME_CHARS)?;
    let folded = name.to_lowercase();
    if folded.contains("://") || folded.contains("www.") {
        return Err(Refused::invalid(
            field,
            "A name cannot hold the address of a web site.",
        ));
    }
    Ok(name)
}

/// A line as [`line`], which may be empty.
pub(crate) fn optional_line(
    field: &'static str,
    text: &str,
    longest: usize,
) -> Result<String, Refused> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err(Refused::invalid(
            field,
            "This has to be one line of plain text.",
        ));
    }
    bounded(field, text, longest)
}

/// A text of several lines, trimmed, with lines that end alike.
pub(crate) fn body(field: &'static str, text: &str, longest: usize) -> Result<String, Refused> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    if text
        .chars()
        .any(|letter| letter.is_control() && letter != '\n' && letter != '\t')
    {
        return Err(Refused::invalid(field, "This has to be plain text."));
    }
    bounded(field, text.trim(), longest)
}

/// A host of a web site, such as `www.example.com` or `localhost:8080`; a whole address is cut to its host.
pub(crate) fn host(field: &'static str, text: &str) -> Result<String, Refused> {
    let text = text.trim().to_ascii_lowercase();
    let text = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .unwrap_or(&text);
    let host = text.split('/').next().unwrap_or_default();
    let is_host = |host: &str| {
        url::Url::parse(&format!("http://{host}/"))
            .is_ok_and(|url| url.username().is_empty() && url.host_str().is_some())
    };
    if host.is_empty()
        || (host.len() <= 255 && !host.contains(['@', '?', '#', '*', ' ']) && is_host(host))
    {
        return Ok(host.to_owned());
    }
    Err(Refused::invalid(
        field,
        "Enter a host, such as www.example.com.",
    ))
}

fn bounded(field: &'static str, text: &str, longest: usize) -> Result<String, Refused> {
    if text.chars().nth(longest).is_some() {
        return Err(Refused::invalid(
            field,
            format!("This is too long: at most {longest} characters."),
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{body, host, line, name};

    #[test]
    fn texts_are_bounded_and_say_which_field_is_wrong() {
        assert_eq!(line("name", "  Acme ", 10).unwrap(), "Acme");
        assert_eq!(line("name", " ", 10).unwrap_err().field, Some("name"));
        assert!(line("name", "a\nb", 10).is_err() && line("name", "äöüäöüäöüäö", 10).is_err());
        assert_eq!(body("text", "a\r\nb\r", 10).unwrap(), "a\nb");
        assert!(body("text", "a\u{7}", 10).is_err());
        assert!(name("name", "Acme, Inc. (www)").is_ok() && name("name", "Dr. Ann O’Hara").is_ok());
        assert!(name("name", "Win: HTTP://evil.example").is_err());
        assert!(name("name", "Look at www.evil.example").is_err());
    }

    #[test]
    fn hosts_are_cut_out_of_addresses() {
        assert_eq!(
            host("host", "https://Www.Example.com/a?b").unwrap(),
            "www.example.com"
        );
        assert_eq!(host("host", "localhost:8080").unwrap(), "localhost:8080");
        assert_eq!(host("host", "").unwrap(), "");
        for wrong in [
            "a b",
            "me@example.com",
            "*.example.com",
            "exa mple.com",
            "x?y",
        ] {
            assert!(host("host", wrong).is_err(), "{wrong}");
        }
    }
}
