//! Segments in a bucket: put there, compared, read, deleted.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::blocks::{BlockCache, BucketReads, RemoteFile};
use super::{Bucket, BucketError, Created};
use crate::StoreError;
use crate::database::hex;
use crate::files::Written;
use crate::manifest::Listed;
use crate::recent::SegmentId;
use crate::segment::ReadAt;

/// Where segments lie in a bucket.
const FOLDER: &str = "segments";

/// How much is read at once where a whole object is read.
const PIECE_BYTES: u64 = 8 << 20;

/// The segments of an installation in a bucket.
#[derive(Clone)]
pub(crate) struct Remote {
    bucket: Arc<dyn Bucket>,
    cache: Arc<BlockCache>,
}

/// The name of a segment: with its content's hash, so that two contents never have the same. What comes late of
/// an attempt that was given up, or of a process that should be dead, cannot take the place of what counts.
fn name(segment: &Listed) -> String {
    let hash = hex(&segment.file.sha256[..8]);
    format!("{FOLDER}/{:08}-{hash}.parquet", segment.id)
}

impl Remote {
    pub(crate) fn new(bucket: Arc<dyn Bucket>, cache_bytes: usize) -> Remote {
        Remote {
            bucket,
            cache: Arc::new(BlockCache::new(cache_bytes)),
        }
    }

    pub(crate) fn bucket(&self) -> &dyn Bucket {
        &*self.bucket
    }

    pub(crate) fn reads(&self) -> BucketReads {
        self.cache.reads()
    }

    /// Puts a segment there that lies on the disk. It is there, and was read back and compared, when this
    /// returns.
    pub(crate) fn put(&self, segment: &Listed, path: &Path) -> Result<(), StoreError> {
        let name = name(segment);
        let at = |error: BucketError| error.at(self.bucket(), &name);
        let mut file = File::open(path).map_err(|source| StoreError::File {
            path: path.to_owned(),
            source,
        })?;
        let created = self.bucket.create(&name, segment.file.bytes, &mut file);
        let created = created.map_err(at)?;
        let read_back = self.copy_out(segment, &mut io::sink());
        // One that is there already was left by an attempt that broke off, and may be broken itself.
        match (read_back, created) {
            (Err(StoreError::Damaged { .. }), Created::Existing) => {
                self.bucket.delete(&name).map_err(at)?;
                let what = "an attempt before left something else there; it was deleted";
                Err(at(BucketError::Failed(what.to_owned())))
            }
            (result, _) => result,
        }
    }

    /// Writes the whole of a segment out, and compares it with what was written when it was sealed.
    pub(crate) fn copy_out(
        &self,
        segment: &Listed,
        out: &mut dyn io::Write,
    ) -> Result<(), StoreError> {
        let name = name(segment);
        let at = |error: BucketError| error.at(self.bucket(), &name);
        let damaged = |what: &str| StoreError::Damaged {
            place: format!("{}/{name}", self.bucket.place()),
            what: what.to_owned(),
        };
        let Written { bytes, sha256 } = segment.file;
        let size = match self.bucket.size(&name) {
            Err(BucketError::Missing) => return Err(damaged("the object is not there")),
            size => size.map_err(at)?,
        };
        if size != bytes {
            return Err(damaged("the object has another length"));
        }
        let mut hash = Sha256::new();
        let mut from = 0;
        while from < bytes {
            let to = (from + PIECE_BYTES).min(bytes);
            let pieces = self.bucket.read(&name, std::slice::from_ref(&(from..to)));
            for piece in pieces.map_err(at)? {
                hash.update(&piece);
                out.write_all(&piece).map_err(StoreError::Output)?;
            }
            from = to;
        }
        match hash.finalize()[..] == sha256 {
            true => Ok(()),
            false => Err(damaged("the object is not what was written")),
        }
    }

    /// A segment to read from.
    pub(crate) fn get(&self, segment: &Listed) -> Result<Arc<dyn ReadAt>, StoreError> {
        let name = name(segment);
        let size = match self.bucket.size(&name) {
            Err(BucketError::Missing) => {
                return Err(StoreError::Damaged {
                    place: format!("{}/{name}", self.bucket.place()),
                    what: "the object is not there".to_owned(),
                });
            }
            size => size.map_err(|error| error.at(self.bucket(), &name))?,
        };
        Ok(Arc::new(RemoteFile {
            bucket: self.bucket.clone(),
            cache: self.cache.clone(),
            segment: segment.id,
            name,
            size,
        }))
    }

    /// Lets go of what memory has of segments that nobody reads any more.
    pub(crate) fn forget(&self, segments: &[SegmentId]) {
        segments.iter().for_each(|id| self.cache.forget(*id));
    }

    pub(crate) fn delete(&self, segment: &Listed) -> Result<(), StoreError> {
        let name = name(segment);
        let deleted = self.bucket.delete(&name);
        deleted.map_err(|error| error.at(self.bucket(), &name))
    }

    /// Deletes every segment there that does not count.
    pub(crate) fn delete_others(&self, counting: &[Listed]) -> Result<(), StoreError> {
        let known: Vec<String> = counting.iter().map(name).collect();
        let listed = self.bucket.list(FOLDER);
        for name in listed.map_err(|error| error.at(self.bucket(), FOLDER))? {
            if !known.contains(&name) {
                tracing::info!(
                    name,
                    "what an interrupted seal or merge left in the bucket is deleted"
                );
                if let Err(error) = self.bucket.delete(&name) {
                    tracing::warn!(name, %error, "it cannot be deleted, which does no harm");
                }
            }
        }
        Ok(())
    }
}
