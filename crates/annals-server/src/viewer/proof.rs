//! How far the log vouches for an event, said in words that are no bigger than what was done.

use annals_event::Row;
use annals_merkle::{leaf_hash, verify_inclusion};
use annals_store::{Log, StoreError};

use super::pages::ProofView;
use super::row::grouped;

/// Rebuilds the entry, follows its path to the root, and reports. Reads from the disk.
pub(crate) fn check(
    log: &Log,
    row: &Row,
    as_of: u64,
    download: Option<String>,
) -> Result<ProofView, StoreError> {
    let checkpoint = log.checkpoint_at(as_of)?;
    let leaf = log
        .entry(row.position)?
        .map(|entry| leaf_hash(entry.as_bytes()));
    let path = log.inclusion(row.position, as_of)?;
    let root = log.root_at(as_of)?;
    let good =
        leaf.is_some_and(|leaf| verify_inclusion(&leaf, row.position, as_of, &path, &root).is_ok());
    let size = grouped(as_of);
    let (word, sentence) = if good {
        (
            "Signed",
            format!(
                "This event is in the signed checkpoint of size {size}. That is this server's own word, \
                 checked just now; verify it yourself below."
            ),
        )
    } else {
        (
            "FAILED",
            format!(
                "This event does not fit the signed checkpoint of size {size}. Do not delete anything, and \
                 tell the people who run this product."
            ),
        )
    };
    Ok(ProofView {
        good,
        word: word.to_owned(),
        sentence,
        log: log.name().to_owned(),
        leaf: leaf
            .map(|leaf| leaf.iter().map(|b| format!("{b:02x}")).collect())
            .unwrap_or_default(),
        vkey: log.verifier_key(),
        checkpoint,
        download,
        script: super::assets::verify(),
        file: format!("audit-log-{}-{}.proof", log.id(), row.position),
    })
}
