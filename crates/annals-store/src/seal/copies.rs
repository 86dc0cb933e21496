//! What has to be done in a bucket when the manifest has changed: the copy of it first, deleting then.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Sealer;
use crate::StoreError;
use crate::bucket::copy::ManifestCopy;
use crate::manifest::Listed;

/// How long a segment that was merged away stays in a bucket, for whoever has begun to read it: a search, or a
/// check beside the server. On a disk an open file stays readable by itself.
const REPLACED_STAYS: Duration = Duration::from_secs(10 * 60);

/// What has to be done in a bucket after a commit.
#[derive(Default)]
pub(super) struct Copies {
    /// The version of the manifest that is there.
    version: u64,
    /// What does not count any more, and since when.
    retired: Vec<(Instant, Listed)>,
}

impl Sealer {
    /// Lets go of segments that do not count (any more).
    pub(super) fn retire(&self, copies: &mut Copies, segments: Vec<Listed>) {
        segments.iter().for_each(|old| self.delete(old.id));
        if let Some(remote) = self.blobs.remote() {
            remote.forget(&segments.iter().map(|old| old.id).collect::<Vec<_>>());
            let now = Instant::now();
            let retired = segments.into_iter().map(|old| (now, old));
            copies.retired.extend(retired);
        }
    }

    /// Makes up for a copy that failed.
    pub(super) fn catch_up(&self, copies: &mut Copies) -> Result<(), StoreError> {
        match self.copy_is_behind() {
            true => self.copy_manifest(copies),
            false => Ok(()),
        }
    }

    /// Brings the copy of the manifest in the bucket up to date, and then deletes there what is no longer needed.
    pub(super) fn copy_manifest(&self, copies: &mut Copies) -> Result<(), StoreError> {
        let Some(remote) = self.blobs.remote() else {
            return Ok(());
        };
        self.copy_is_behind.store(true, Ordering::SeqCst);
        let (shared, now) = (&self.shared, self.shared.clock.now());
        let copy = shared
            .blocks
            .with_reader(|connection| ManifestCopy::of(connection, &shared.origin, now))?;
        if copy.version > copies.version {
            copy.put(remote.bucket(), &shared.signing_key)?;
            copies.version = copy.version;
        }
        self.copy_is_behind.store(false, Ordering::SeqCst);
        let due = |(since, _): &mut (Instant, Listed)| since.elapsed() >= REPLACED_STAYS;
        for (_, old) in copies.retired.extract_if(.., due) {
            if let Err(error) = remote.delete(&old) {
                tracing::warn!(%error, "a segment that is of no use cannot be deleted; the next start will");
            }
        }
        Ok(())
    }

    /// Whether the bucket does not know yet which segments count.
    pub(crate) fn copy_is_behind(&self) -> bool {
        self.copy_is_behind.load(Ordering::SeqCst)
    }

    /// How reading from the bucket goes, if there is one.
    pub(crate) fn bucket_reads(&self) -> Option<crate::BucketReads> {
        Some(self.blobs.remote()?.reads())
    }
}
