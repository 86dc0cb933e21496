//! Segments in a bucket: put there, compared, read, deleted.

use std::fs::File;
use std::io::{self, Seek as _};
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::blocks::{BlockCache, BucketReads, RemoteFile};
use super::{Bucket, BucketError, Created, claim};
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

/// How much memory blocks take for whoever goes through segments page by page: as much as some groups of rows, so
/// that each block is fetched once.
pub(crate) const ONE_READER_BYTES: usize = 64 << 20;

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
        let of_file = |source| StoreError::File {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(of_file)?;
        let mut left = 2;
        loop {
            left -= 1;
            let created = self.bucket.create(&name, segment.file.bytes, &mut file);
            let created = created.map_err(at)?;
            let read_back = self.copy_out(segment, &mut io::sink());
            match (read_back, created) {
                // It was left by an attempt that broke off, or has rotted since.
                (Err(StoreError::Damaged { .. }), Created::Existing) if left > 0 => {
                    self.bucket.delete(&name).map_err(at)?;
                    file.rewind().map_err(of_file)?;
                }
                (result, _) => return result,
            }
        }
    }

    /// Writes the whole of a segment out, and compares it with what was written when it was sealed.
    pub(crate) fn copy_out(
        &self,
        segment: &Listed,
        out: &mut dyn io::Write,
    ) -> Result<(), StoreError> {
        let name = name(segment);
        let damaged = |what: &str| StoreError::Damaged {
            place: format!("{}/{name}", self.bucket.place()),
            what: what.to_owned(),
        };
        let at = |error: BucketError| self.failed(&name, error);
        let Written { bytes, sha256 } = segment.file;
        let size = self.bucket.size(&name).map_err(at)?;
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
        let size = self.bucket.size(&name);
        let size = size.map_err(|error| self.failed(&name, error))?;
        Ok(Arc::new(RemoteFile {
            bucket: self.bucket.clone(),
            cache: self.cache.clone(),
            segment: segment.id,
            name,
            size,
        }))
    }

    /// The error for an object that cannot be read.
    fn failed(&self, name: &str, error: BucketError) -> StoreError {
        match claim::unless_all_is_gone(self.bucket(), error) {
            BucketError::Missing => StoreError::Damaged {
                place: format!("{}/{name}", self.bucket.place()),
                what: "the object is not there".to_owned(),
            },
            error => error.at(self.bucket(), name),
        }
    }

    /// The same, without what memory has of it.
    pub(crate) fn afresh(&self) -> Remote {
        Remote::new(self.bucket.clone(), ONE_READER_BYTES)
    }

    /// Lets go of what memory has of segments that nobody reads any more, or in which something is wrong.
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
