//! `s3://bucket/prefix`.

use crate::SettingsError;

/// How long a prefix may be. Keys have at most 1,024 bytes, and names of ours take up to fifty.
const PREFIX_BYTES_MAX: usize = 512;

/// A bucket, and the folder in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) bucket: String,
    /// Without `/` at its ends; empty for the bucket as a whole.
    pub(crate) prefix: String,
}

impl Place {
    pub(crate) fn parse(url: &str) -> Result<Place, SettingsError> {
        let wrong = |what| Err(SettingsError::Url(what));
        let Some(rest) = url.strip_prefix("s3://") else {
            return wrong("it does not begin with s3://");
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_of_bucket =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b);
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(is_of_bucket) {
            return wrong("a bucket has 3 to 63 of a-z, 0-9, . and -");
        }
        let prefix = prefix.trim_end_matches('/');
        if prefix.len() > PREFIX_BYTES_MAX {
            return wrong("the prefix is longer than 512 bytes");
        }
        let is_of_prefix = |b: u8| b.is_ascii_alphanumeric() || b"._-=".contains(&b);
        let is_word = |word: &str| {
            !word.is_empty() && word != "." && word != ".." && word.bytes().all(is_of_prefix)
        };
        if !prefix.is_empty() && !prefix.split('/').all(is_word) {
            return wrong(
                "a prefix is made of words of A-Z, a-z, 0-9, . _ - and =, with / between them",
            );
        }
        Ok(Place {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        match self.prefix.as_str() {
            "" => Ok(()),
            prefix => write!(f, "/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_bucket_and_a_folder() {
        for (url, bucket, prefix) in [
            ("s3://acme-audit", "acme-audit", ""),
            ("s3://acme-audit/", "acme-audit", ""),
            ("s3://acme.audit/a/b=1/", "acme.audit", "a/b=1"),
        ] {
            let place = Place::parse(url).unwrap();
            assert_eq!((&*place.bucket, &*place.prefix), (bucket, prefix));
            assert_eq!(place.to_string(), url.trim_end_matches('/'));
        }
        for url in [
            "",
            "acme",
            "https://acme/x",
            "s3://",
            "s3://ab",
            "s3://Acme",
            "s3://acme//x",
            "s3://acme/../x",
            "s3://acme/a b",
            "s3://acme/ä",
            "s3://user:secret@acme/x",
            "s3://acme?x=1",
        ] {
            assert!(Place::parse(url).is_err(), "{url}");
        }
        assert!(Place::parse(&format!("s3://acme/{}", "x".repeat(513))).is_err());
    }
}
