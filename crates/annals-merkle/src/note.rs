//! Signed notes as C2SP signed-note v1.0.0 has them: a text, an empty line, signature lines.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::VerifyingKey;
use crate::key::is_key_name;

/// The longest note that is read: 1 MiB.
pub const NOTE_BYTES_MAX: usize = 1 << 20;

/// The most signature lines of a note that is read.
pub const NOTE_SIGNATURES_MAX: usize = 64;

/// What a signature line begins with: an em dash and a space.
const SIGNATURE_MARK: &str = "\u{2014} ";

/// A text with its signatures. Reading one checks nothing but its form: the text must not be
/// believed before [`Note::verify`] has found a known key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The signed text; ends with a newline.
    pub text: String,
    /// The signatures, in the order of their lines; at least one.
    pub signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key.
    pub name: String,
    /// The id of the key.
    pub id: [u8; 4],
    /// The signature proper; 64 bytes for Ed25519.
    pub signature: Vec<u8>,
}

/// Why a note is not read, or not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than [`NOTE_BYTES_MAX`].
    #[error("a note has at most {NOTE_BYTES_MAX} bytes")]
    TooLong,
    /// A control character other than the newline.
    #[error("a note has no control character but the newline")]
    ControlCharacter,
    /// No text, no empty line before the signatures, or no newline at the end.
    #[error("a note is a text, an empty line and signature lines, each with its newline")]
    Form,
    /// A signature line that is none.
    #[error("a signature line is a dash, a key's name and base64")]
    SignatureLine,
    /// More than [`NOTE_SIGNATURES_MAX`] signatures.
    #[error("a note has at most {NOTE_SIGNATURES_MAX} signatures")]
    TooManySignatures,
    /// A signature that claims to be by a known key is not by it.
    #[error("a signature in the name of a known key is not by that key")]
    BadSignature,
    /// None of the known keys has signed.
    #[error("none of the known keys has signed this note")]
    NotSigned,
}

impl Note {
    /// Accepts the note if at least one of `keys` has signed it, and no signature in the name of
    /// one of them is bad. Signatures by other keys are ignored, as the specification demands.
    ///
    /// # Errors
    /// [`NoteError::BadSignature`] or [`NoteError::NotSigned`].
    pub fn verify(&self, keys: &[VerifyingKey]) -> Result<(), NoteError> {
        let mut signed = false;
        for line in &self.signatures {
            let by_this = |key: &&VerifyingKey| key.name() == line.name && key.id() == line.id;
            for key in keys.iter().filter(by_this) {
                if !key.verifies(&self.text, &line.signature) {
                    return Err(NoteError::BadSignature);
                }
                signed = true;
            }
        }
        if signed {
            Ok(())
        } else {
            Err(NoteError::NotSigned)
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for line in &self.signatures {
            let bytes = [line.id.as_slice(), &line.signature].concat();
            writeln!(
                f,
                "{SIGNATURE_MARK}{} {}",
                line.name,
                STANDARD.encode(bytes)
            )?;
        }
        Ok(())
    }
}

impl FromStr for Note {
    type Err = NoteError;

    /// Reads a note; what is read prints as the same bytes again.
    fn from_str(note: &str) -> Result<Note, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong);
        }
        if note.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err(NoteError::ControlCharacter);
        }
        // The text may have empty lines: the last one is the border.
        let border = note.rfind("\n\n").ok_or(NoteError::Form)?;
        let (text, lines) = (&note[..=border], &note[border + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Form)?;
        if lines.split('\n').count() > NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        let signatures = lines
            .split('\n')
            .map(str::parse)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Note {
            text: text.to_owned(),
            signatures,
        })
    }
}

impl FromStr for NoteSignature {
    type Err = NoteError;

    fn from_str(line: &str) -> Result<NoteSignature, NoteError> {
        let line = line
            .strip_prefix(SIGNATURE_MARK)
            .ok_or(NoteError::SignatureLine)?;
        let (name, bytes) = line.split_once(' ').ok_or(NoteError::SignatureLine)?;
        let bytes = STANDARD
            .decode(bytes)
            .map_err(|_| NoteError::SignatureLine)?;
        let (id, signature) = bytes.split_first_chunk().ok_or(NoteError::SignatureLine)?;
        if !is_key_name(name) || signature.is_empty() {
            return Err(NoteError::SignatureLine);
        }
        Ok(NoteSignature {
            name: name.to_owned(),
            id: *id,
            signature: signature.to_vec(),
        })
    }
}
