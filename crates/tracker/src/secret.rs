//! Secrets that are drawn here: links, cookies, codes. What is stored of them is a hash, so that a copy of the database opens nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// A new id: what it is of, and a number that sorts by the time at which it was made.
pub(crate) fn id(of: &str) -> String {
    format!("{of}_{}", uuid::Uuid::now_v7().simple())
}

/// 32 random bytes as text, for links and cookies.
pub(crate) fn token() -> String {
    URL_SAFE_NO_PAD.encode(random::<32>())
}

/// Six digits, for people to type. Guessing is bounded by counting tries, not by their number.
pub(crate) fn code() -> String {
    // 2^64 is so much larger than 10^6 that no code is likelier than another to any use.
    format!("{:06}", u64::from_be_bytes(random::<8>()) % 1_000_000)
}

/// What is stored of a token, for one purpose: a hash for one is no use for another.
pub(crate) fn hash(purpose: &str, secret: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(b"tracker/v1/");
    digest.update(purpose.as_bytes());
    digest.update(b"\n");
    digest.update(secret.as_bytes());
    URL_SAFE_NO_PAD.encode(digest.finalize())
}

/// Whether two texts are equal, in a time that does not tell where they differ.
pub(crate) fn equal(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Without randomness nothing here is safe, and no machine that runs this is without.
    getrandom::fill(&mut bytes).expect("the machine gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::{code, equal, hash, id, token};

    #[test]
    fn secrets_differ_and_hashes_belong_to_a_purpose() {
        assert_ne!(token(), token());
        assert_eq!(token().len(), 43);
        assert_eq!(hash("session", "a"), hash("session", "a"));
        assert_ne!(hash("session", "a"), hash("reset", "a"));
        assert!(equal("a", "a") && !equal("a", "b") && !equal("a", "aa"));
        assert!(code().len() == 6 && code().bytes().all(|digit| digit.is_ascii_digit()));
        assert!(id("usr").starts_with("usr_") && id("usr") < id("usr"));
    }
}
