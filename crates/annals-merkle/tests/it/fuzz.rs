//! Whatever bytes come, the readers answer; and what they accept prints as the same bytes again.

use annals_merkle::{Checkpoint, CompactRange, Note, SigningKey, VerifyingKey};
use proptest::prelude::*;

/// The body of a fuzz target: all readers of this crate on the same bytes.
fn read_everything(bytes: &[u8]) {
    if let Ok(range) = CompactRange::decode(bytes) {
        assert_eq!(range.encode(), bytes);
        range.root();
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(note) = text.parse::<Note>() {
        assert_eq!(note.to_string(), text);
    }
    if let Ok(key) = text.parse::<VerifyingKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(checkpoint) = text.parse::<Checkpoint>() {
        assert_eq!(checkpoint.to_string(), text);
    }
}

fn corpus() -> Vec<Vec<u8>> {
    let signer = SigningKey::from_bytes(&[3; 32]);
    let checkpoint = Checkpoint::new("a.example/w/1", 77, [1; 32]).unwrap();
    let mut range = CompactRange::new(5);
    (0..40).for_each(|n| range.push_leaf([n; 32], &mut |_, _| {}));
    vec![
        signer.sign(&checkpoint).to_string().into_bytes(),
        checkpoint.to_string().into_bytes(),
        signer
            .for_log("a.example/w/1")
            .unwrap()
            .to_string()
            .into_bytes(),
        range.encode(),
    ]
}

#[test]
fn the_corpus_is_accepted() {
    corpus().iter().for_each(|bytes| read_everything(bytes));
}

proptest! {
    #[test]
    fn mutated(which in 0..4usize, edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..6)) {
        let mut bytes = corpus().swap_remove(which);
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        read_everything(&bytes);
    }

    #[test]
    fn arbitrary(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_everything(&bytes);
    }
}
