//! Ed25519 keys that sign notes, and their text form.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{Checkpoint, Note, NoteSignature};

/// The byte that says "Ed25519" in a key id and in the text form of a key.
const ED25519: u8 = 0x01;

/// Why a text is not a verifying key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The name is empty, or has a space, a plus or a control character.
    #[error("a key's name is not empty and has no space, plus or control character")]
    Name,
    /// The text is not `name+id+key`.
    #[error("a verifying key is written name+id+key, with 8 hex digits and base64")]
    Form,
    /// The key is of another algorithm than Ed25519.
    #[error("only Ed25519 keys are known here")]
    Algorithm,
    /// The key is not a point of the curve, or one of the few weak ones.
    #[error("these bytes are not a usable Ed25519 key")]
    Point,
    /// The id is not the one that name and key give.
    #[error("the key's id does not belong to its name and bytes")]
    Id,
}

/// An installation's one signing key. Its memory is wiped when it is dropped, and it has no `Debug`.
///
/// Under the name of each log the same key has another id, and a checkpoint names its log in the
/// signed text, so a signature for one log is worth nothing for another.
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// The key with these 32 secret bytes (the seed of RFC 8032).
    pub fn from_bytes(secret: &[u8; 32]) -> SigningKey {
        SigningKey(ed25519_dalek::SigningKey::from_bytes(secret))
    }

    /// The 32 secret bytes, to be stored; the copy is wiped when it is dropped.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The key by which signatures for the log `name` are checked.
    ///
    /// # Errors
    /// [`KeyError::Name`] if `name` cannot be a key's name.
    pub fn for_log(&self, name: &str) -> Result<VerifyingKey, KeyError> {
        VerifyingKey::new(name, self.0.verifying_key())
    }

    /// The checkpoint as a signed note, under the name of its own log.
    pub fn sign(&self, checkpoint: &Checkpoint) -> Note {
        let text = checkpoint.to_string();
        let id = key_id(checkpoint.origin(), self.0.verifying_key().as_bytes());
        let signature = self.0.sign(text.as_bytes()).to_bytes().to_vec();
        let name = checkpoint.origin().to_owned();
        Note {
            text,
            signatures: vec![NoteSignature {
                name,
                id,
                signature,
            }],
        }
    }
}

/// A public key with the name under which it signs: `name+id+key`, as C2SP signed-note writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    id: [u8; 4],
    key: ed25519_dalek::VerifyingKey,
}

impl VerifyingKey {
    fn new(name: &str, key: ed25519_dalek::VerifyingKey) -> Result<VerifyingKey, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::Name);
        }
        // A weak key verifies signatures that nobody made.
        if key.is_weak() {
            return Err(KeyError::Point);
        }
        Ok(VerifyingKey {
            name: name.to_owned(),
            id: key_id(name, key.as_bytes()),
            key,
        })
    }

    /// The name; for the key of a log, the log's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id that stands in front of each signature: a hint, not a hash to rely on.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The 32 public bytes (RFC 8032).
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Whether `signature` is this key's for `text`, by the strict rules (no malleable signatures).
    pub fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(text.as_bytes(), &signature).is_ok())
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = [ED25519; 33];
        typed[1..].copy_from_slice(self.key.as_bytes());
        write!(
            f,
            "{}+{:08x}+{}",
            self.name,
            u32::from_be_bytes(self.id),
            STANDARD.encode(typed)
        )
    }
}

impl FromStr for VerifyingKey {
    type Err = KeyError;

    /// Reads exactly what `Display` writes.
    fn from_str(text: &str) -> Result<VerifyingKey, KeyError> {
        let (name, rest) = text.split_once('+').ok_or(KeyError::Form)?;
        let (id, key) = rest.split_once('+').ok_or(KeyError::Form)?;
        let key = STANDARD.decode(key).map_err(|_| KeyError::Form)?;
        let (&algorithm, key) = key.split_first().ok_or(KeyError::Form)?;
        if algorithm != ED25519 {
            return Err(KeyError::Algorithm);
        }
        let key = key.try_into().map_err(|_| KeyError::Form)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(key).map_err(|_| KeyError::Point)?;
        let read = VerifyingKey::new(name, key)?;
        // Compared as text, so that an id in capitals or with a sign is another one.
        if format!("{:08x}", u32::from_be_bytes(read.id)) != id {
            return Err(KeyError::Id);
        }
        Ok(read)
    }
}

/// Whether `name` can stand in a signature line.
pub(crate) fn is_key_name(name: &str) -> bool {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    !name.is_empty() && !name.contains(forbidden)
}

fn key_id(name: &str, key: &[u8; 32]) -> [u8; 4] {
    let hash = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', ED25519])
        .chain_update(key)
        .finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}
