//! Ids and secrets: how they are made and how they are kept.
//!
//! Every secret has 256 random bits, so what is stored is its plain SHA-256: there is nothing to
//! guess, and a slow hash would only make each request slow. Looking one up by its hash in a map
//! gives no oracle, because nobody can choose a secret by the beginning of its hash.

use std::fmt;

use annals_event::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::ControlError;
use crate::StoreError;

/// A secret that is shown once, to whom it is made for. It does not print itself.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The text, for the one answer that hands it over.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A new secret: the prefix and 43 letters and digits (256 bits).
    pub(super) fn generate(prefix: &str) -> Result<Secret, ControlError> {
        const ALPHABET: &[u8; 62] =
            b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut text = String::with_capacity(prefix.len() + 43);
        text.push_str(prefix);
        let end = prefix.len() + 43;
        while text.len() < end {
            let mut bytes = [0u8; 64];
            random(&mut bytes)?;
            for byte in bytes
                .iter()
                .filter(|byte| **byte < 248)
                .take(end - text.len())
            {
                // 248 is a multiple of 62: every letter is equally likely.
                text.push(char::from(ALPHABET[usize::from(byte % 62)]));
            }
            bytes.zeroize();
        }
        Ok(Secret(text))
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        digest(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What is kept of a secret.
pub(super) fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Fills `bytes` from the system's generator.
pub(super) fn random(bytes: &mut [u8]) -> Result<(), ControlError> {
    getrandom::fill(bytes).map_err(|_| ControlError::Store(StoreError::Random))
}

/// `prefix` and a ULID: 48 bits of milliseconds, 80 random ones, in Crockford's base 32.
pub(super) fn new_id(prefix: &str, now: Timestamp) -> Result<String, ControlError> {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut random_bytes = [0u8; 16];
    random(&mut random_bytes[6..])?;
    let milliseconds = u64::try_from(now.as_micros() / 1000).unwrap_or(0);
    random_bytes[..6].copy_from_slice(&milliseconds.to_be_bytes()[2..]);
    let bits = u128::from_be_bytes(random_bytes);
    let mut id = String::with_capacity(prefix.len() + 26);
    id.push_str(prefix);
    for place in (0..26u32).rev() {
        let digit = (bits >> (5 * place)) & 31;
        id.push(char::from(ALPHABET[usize::try_from(digit).unwrap_or(0)]));
    }
    Ok(id)
}

/// HMAC-SHA-256 (RFC 2104), for tokens that need no row of their own.
pub(super) fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let mut inner = [0x36u8; 64];
    let mut outer = [0x5cu8; 64];
    for (i, byte) in key.iter().enumerate() {
        inner[i] ^= byte;
        outer[i] ^= byte;
    }
    let inner_hash = Sha256::new()
        .chain_update(inner)
        .chain_update(message)
        .finalize();
    Sha256::new()
        .chain_update(outer)
        .chain_update(inner_hash)
        .finalize()
        .into()
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// Whether two texts are equal, in a time that depends on their lengths alone.
pub(super) fn equal(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_matches_rfc_4231() {
        // Test case 2 of RFC 4231; its key is shorter than ours and is padded with zeros alike.
        let mut key = [0u8; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            hex(&hmac(&key, b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn ids_carry_their_time() {
        let id = new_id("org_", Timestamp::clamped(1_469_918_176_385_000)).unwrap();
        // The time of the example in the ULID specification.
        assert_eq!(&id[..14], "org_01ARYZ6S41");
        assert_eq!(id.len(), 30);
    }

    #[test]
    fn secrets_differ_and_do_not_print() {
        let (a, b) = (
            Secret::generate("sk_").unwrap(),
            Secret::generate("sk_").unwrap(),
        );
        assert_ne!(a.expose(), b.expose());
        assert_eq!(a.expose().len(), 46);
        assert!(!format!("{a:?}").contains(&a.expose()[3..]));
        assert!(equal(a.expose(), a.expose()) && !equal(a.expose(), b.expose()));
        assert!(!equal("a", "ab"));
    }
}
