//! Receipts: what a writer keeps, so that nobody can later take away, change or reorder what was acknowledged.
//!
//! Pure. A [`Kept`] checkpoint is replaced only by one that provably continues it.

use annals_event::Json;
use annals_merkle::{
    Checkpoint, CheckpointError, CompactRange, Hash, KeyError, ProofError, VerifyingKey,
    inclusion_subtrees, verify_consistency, verify_inclusion,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// That an event stands at a position of a log whose checkpoint was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Position of the event in its log.
    pub position: u64,
    /// Hash of the event's entry, as a leaf of the tree.
    pub leaf_hash: Hash,
    /// Size of the tree that the path belongs to.
    pub size: u64,
    /// The hashes from the leaf to the root.
    pub path: Vec<Hash>,
}

/// The newest checkpoint that was seen of a workspace's log, and the key that signed the first one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    key: VerifyingKey,
    note: String,
    checkpoint: Checkpoint,
}

/// Why a receipt or a checkpoint is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// The key is not one.
    #[error("the log's key cannot be read")]
    Key(#[from] KeyError),
    /// The checkpoint is not signed by the key that signed the first one, or is of another log.
    #[error(
        "the checkpoint is not the log's: it was signed by somebody else, or is of another log"
    )]
    Checkpoint(#[from] CheckpointError),
    /// The log that Annals shows now does not continue the one that it showed before. Keep both checkpoints and ask the operator.
    #[error(
        "the log does not continue the one of size {kept} that was acknowledged before; its checkpoint has size {shown}"
    )]
    Forked {
        /// Size of the checkpoint that was kept.
        kept: u64,
        /// Size of the one that was shown.
        shown: u64,
    },
    /// The path does not lead to the checkpoint.
    #[error("the receipt does not lead to its checkpoint")]
    Path(#[from] ProofError),
    /// What Annals answered is not a receipt.
    #[error("the receipt cannot be read")]
    Form,
}

impl Kept {
    /// The first checkpoint that is seen of a log. Its key is believed from now on; whoever wants more compares it with the one that
    /// the operator publishes ([`Kept::verifier_key`]).
    ///
    /// # Errors
    /// Where the key is none or has not signed the note.
    pub fn first(verifier_key: &str, note: &str) -> Result<Self, ReceiptError> {
        let key: VerifyingKey = verifier_key.parse()?;
        let checkpoint = Checkpoint::open(note, &key)?;
        Ok(Self {
            key,
            note: note.to_owned(),
            checkpoint,
        })
    }

    /// Reads what [`Kept::to_text`] wrote.
    ///
    /// # Errors
    /// As [`Kept::first`].
    pub fn from_text(text: &str) -> Result<Self, ReceiptError> {
        let (key, note) = text.split_once('\n').ok_or(ReceiptError::Form)?;
        Self::first(key, note)
    }

    /// The key and the signed note, to be stored.
    pub fn to_text(&self) -> String {
        format!("{}\n{}", self.key, self.note)
    }

    /// The public key, in the text form of signed notes.
    pub fn verifier_key(&self) -> String {
        self.key.to_string()
    }

    /// The signed note.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Size and root that were signed.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Reads another checkpoint of the same log.
    ///
    /// # Errors
    /// [`ReceiptError::Checkpoint`] where it is not signed by the key that is kept, or of another log.
    pub fn open(&self, note: &str) -> Result<Self, ReceiptError> {
        Ok(Self {
            key: self.key.clone(),
            checkpoint: Checkpoint::open(note, &self.key)?,
            note: note.to_owned(),
        })
    }

    /// Whether `shown` continues this one, with `proof` from this size to that (RFC 6962 §2.1.2). None is needed where the sizes are
    /// equal.
    ///
    /// # Errors
    /// [`ReceiptError::Forked`] where it does not.
    pub fn continued_by(&self, shown: &Self, proof: &[Hash]) -> Result<(), ReceiptError> {
        let (old, new) = (&self.checkpoint, &shown.checkpoint);
        let proved = verify_consistency(old.size(), old.root(), new.size(), new.root(), proof);
        proved.map_err(|_| self.forked(shown))
    }

    /// Whether the path of the event at exactly this size proves that `shown` continues this one: the hashes left of it are those of the
    /// tree that was kept. `None` where the event stands elsewhere and a proof must be asked for.
    ///
    /// # Errors
    /// [`ReceiptError::Forked`] where it does not continue it; the receipt itself must have been checked.
    pub fn continued_by_path(
        &self,
        shown: &Self,
        receipt: &Receipt,
    ) -> Option<Result<(), ReceiptError>> {
        let size = self.checkpoint.size();
        if receipt.position != size || receipt.size != shown.checkpoint.size() {
            return None;
        }
        let beside = inclusion_subtrees(receipt.position, receipt.size).ok()?;
        let left = beside
            .iter()
            .zip(&receipt.path)
            .filter(|(beside, _)| beside.end <= size);
        let mut left: Vec<Hash> = left.map(|(_, hash)| *hash).collect();
        left.reverse();
        let range = CompactRange::from_hashes(0, size, left).ok()?;
        let same = range.root() == *self.checkpoint.root();
        Some(same.then_some(()).ok_or_else(|| self.forked(shown)))
    }

    /// Checks that a receipt leads to this checkpoint.
    ///
    /// # Errors
    /// [`ReceiptError::Path`] where it does not.
    pub fn check(&self, receipt: &Receipt) -> Result<(), ReceiptError> {
        let (size, root) = (self.checkpoint.size(), self.checkpoint.root());
        if receipt.size != size {
            return Err(ReceiptError::Form);
        }
        verify_inclusion(
            &receipt.leaf_hash,
            receipt.position,
            size,
            &receipt.path,
            root,
        )?;
        Ok(())
    }

    fn forked(&self, shown: &Self) -> ReceiptError {
        ReceiptError::Forked {
            kept: self.checkpoint.size(),
            shown: shown.checkpoint.size(),
        }
    }
}

/// A hash as it stands on the wire.
#[cfg(feature = "http")]
pub(crate) fn hash(text: &str) -> Result<Hash, ReceiptError> {
    let bytes = STANDARD.decode(text).map_err(|_| ReceiptError::Form)?;
    Hash::try_from(bytes).map_err(|_| ReceiptError::Form)
}

/// Hashes as they stand on the wire.
#[cfg(feature = "http")]
pub(crate) fn hashes<T: AsRef<str>>(texts: &[T]) -> Result<Vec<Hash>, ReceiptError> {
    texts.iter().map(|text| hash(text.as_ref())).collect()
}

impl Receipt {
    /// The receipt as JSON, to be stored: `position`, `size`, `leaf_hash`, `path`.
    pub fn to_json(&self) -> String {
        let number = |n: u64| {
            i64::try_from(n)
                .ok()
                .and_then(annals_event::Number::from_i64)
                .map_or(Json::Null, Json::Number)
        };
        let path: Vec<String> = self.path.iter().map(|hash| STANDARD.encode(hash)).collect();
        let members: annals_event::Object = [
            ("position", number(self.position)),
            ("size", number(self.size)),
            ("leaf_hash", Json::from(STANDARD.encode(self.leaf_hash))),
            ("path", Json::from(path)),
        ]
        .into_iter()
        .collect();
        Json::Object(members).to_canonical()
    }
}

#[cfg(test)]
mod tests {
    use annals_merkle::{
        CompactRange, Hash, NodeId, SigningKey, consistency_subtrees, inclusion_subtrees,
        leaf_hash, prove,
    };
    use proptest::prelude::*;

    use super::{Kept, Receipt, ReceiptError};

    const LOG: &str = "annals.invalid/test/w/7";

    fn leaf(n: u64, fork: u64) -> Hash {
        // A forked log has another entry at one position.
        leaf_hash(format!("{n}{}", if n == fork { "!" } else { "" }).as_bytes())
    }

    struct Tree(Vec<Hash>);

    impl Tree {
        fn new(size: u64, fork: u64) -> Self {
            Self((0..size).map(|n| leaf(n, fork)).collect())
        }

        fn node(&self, id: NodeId) -> Result<Hash, annals_merkle::ProofError> {
            let at = |n: u64| usize::try_from(n).unwrap();
            let mut range = CompactRange::new(0);
            range.push_leaves(&self.0[at(id.begin())..at(id.end())], &mut |_, _| {});
            Ok(range.root())
        }

        fn kept(&self, size: u64) -> Kept {
            let mut range = CompactRange::new(0);
            range.push_leaves(&self.0[..usize::try_from(size).unwrap()], &mut |_, _| {});
            let key = SigningKey::from_bytes(&[7; 32]);
            let checkpoint = annals_merkle::Checkpoint::new(LOG, size, range.root()).unwrap();
            let note = key.sign(&checkpoint).to_string();
            Kept::first(&key.for_log(LOG).unwrap().to_string(), &note).unwrap()
        }

        fn receipt(&self, position: u64, size: u64) -> Receipt {
            let path = prove(&inclusion_subtrees(position, size).unwrap(), |id| {
                self.node(id)
            })
            .unwrap();
            let leaf_hash = self.0[usize::try_from(position).unwrap()];
            Receipt {
                position,
                leaf_hash,
                size,
                path,
            }
        }
    }

    proptest! {
        #[test]
        fn only_what_continues_the_kept_log_is_believed(
            old in 1..70u64, more in 0..70u64, fork in 0..200u64,
        ) {
            let new = old + more;
            let (before, after) = (Tree::new(new, u64::MAX), Tree::new(new, fork));
            let (kept, shown) = (before.kept(old), after.kept(new));
            let continues = fork >= old;
            let proof = prove(&consistency_subtrees(old, new).unwrap(), |id| after.node(id)).unwrap();
            prop_assert_eq!(kept.continued_by(&shown, &proof).is_ok(), continues);
            if more > 0 {
                let receipt = after.receipt(old, new);
                prop_assert!(shown.check(&receipt).is_ok());
                let by_path = kept.continued_by_path(&shown, &receipt).unwrap();
                prop_assert_eq!(by_path.is_ok(), continues);
                prop_assert!(shown.check(&before.receipt(old - 1, new)).is_ok() == (fork >= new || fork == new));
            }
            let again = Kept::from_text(&kept.to_text()).unwrap();
            prop_assert_eq!(again, kept);
        }
    }

    #[test]
    fn another_signer_is_not_believed() {
        let kept = Tree::new(3, u64::MAX).kept(3);
        let other = SigningKey::from_bytes(&[8; 32]);
        let note = other.sign(kept.checkpoint()).to_string();
        assert!(matches!(kept.open(&note), Err(ReceiptError::Checkpoint(_))));
        assert!(Kept::from_text("rubbish").is_err());
    }
}
