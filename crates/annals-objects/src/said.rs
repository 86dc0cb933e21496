//! What a store said, in a line, without what should not be in a log.

use annals_store::BucketError;
use object_store::Error;

/// The most of a message that is passed on.
const CHARS_MAX: usize = 300;

pub(crate) fn error(error: Error) -> BucketError {
    let text = brief(&error.to_string());
    match error {
        Error::NotFound { .. } => BucketError::Missing,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            BucketError::Refused(text)
        }
        Error::Generic { .. } => BucketError::Away(text),
        _ => BucketError::Failed(text),
    }
}

/// Of an answer in XML only its code and its message: the rest repeats the request, with the id of the key and
/// what was signed.
fn brief(text: &str) -> String {
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once("</")?.0)
    };
    let text = match (element("Code"), element("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => text
            .trim_start_matches("Generic S3 error: ")
            .split('<')
            .next()
            .unwrap_or_default()
            .to_owned(),
    };
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(CHARS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::brief;

    #[test]
    fn an_answer_is_told_by_its_code_and_nothing_of_the_request() {
        let xml = "Generic S3 error: Error performing PUT https://x/y in 1s - Server returned non-2xx status code: 403 \
                   Forbidden: <?xml version=\"1.0\"?>\n<Error><Code>SignatureDoesNotMatch</Code><Message>The signature does \
                   not\nmatch.</Message><AWSAccessKeyId>AKIAEXAMPLE</AWSAccessKeyId><StringToSign>AWS4</StringToSign></Error>";
        assert_eq!(
            brief(xml),
            "SignatureDoesNotMatch: The signature does not match."
        );
        assert_eq!(brief("Generic S3 error: a <b>c</b>"), "a");
        assert_eq!(brief(&"é".repeat(1000)).chars().count(), 300);
    }
}
