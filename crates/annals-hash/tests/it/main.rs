//! Tests of the crate through its door.

use annals_hash::Batch;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

proptest! {
    /// Whatever the messages, their number and how they are cut into parts.
    #[test]
    fn a_batch_gives_what_one_by_one_gives(
        messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..60),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut batch = Batch::new();
        for message in &messages {
            let (a, b) = message.split_at(cut.index(message.len() + 1));
            batch.push(&[a, &[], b]);
        }
        prop_assert_eq!(batch.len(), messages.len());
        let mut hashes = vec![[9; 32]];
        batch.hash_into(&mut hashes);
        prop_assert!(batch.is_empty());
        prop_assert_eq!(hashes.remove(0), [9; 32]);
        let expected: Vec<[u8; 32]> = messages.iter().map(|message| Sha256::digest(message).into()).collect();
        prop_assert_eq!(&hashes, &expected);
    }
}

#[test]
fn padding_is_right_at_every_length() {
    let text = [0xa5; 300];
    let mut batch = Batch::new();
    for length in 0..text.len() {
        batch.push(&[&text[..length]]);
    }
    for (length, hash) in batch.hash().into_iter().enumerate() {
        assert_eq!(hash[..], Sha256::digest(&text[..length])[..], "{length}");
    }
}

#[test]
fn published_vectors() {
    // FIPS 180-4, examples.
    let mut batch = Batch::new();
    batch.push(&[b"abc"]);
    batch.push(&[b"", b""]);
    let hashes = batch.hash();
    let hex = |hash: &[u8; 32]| {
        hash.iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    assert_eq!(
        hex(&hashes[0]),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(
        hex(&hashes[1]),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    assert!(Batch::new().hash().is_empty());
}
