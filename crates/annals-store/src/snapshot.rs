//! A data directory as it is at one moment, read beside the process that has it open.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

use crate::bucket::remote::ONE_READER_BYTES;
use crate::bucket::{Remote, claim};
use crate::database::{self, Location};
use crate::files::{Blobs, SystemFiles};
use crate::manifest::{self, Listed};
use crate::segment::ReadAt;
use crate::start::SEGMENTS;
use crate::{Bucket, StoreError};

/// How often it is tried to open files that a running server takes away.
const ATTEMPTS: u32 = 5;

/// A segment whose files are open: whoever merges it away meanwhile takes only their names. In a bucket it stays a while.
pub(crate) struct Held {
    pub(crate) listed: Listed,
    pub(crate) file: Result<Arc<dyn ReadAt>, StoreError>,
    pub(crate) index: Result<Arc<dyn ReadAt>, StoreError>,
}

impl Held {
    /// Whether a file is gone.
    fn is_missing(&self) -> bool {
        self.file.is_err() || self.index.is_err()
    }

    pub(crate) fn last_group(&self) -> u64 {
        self.listed.groups.1.into()
    }
}

/// Runs `read` in a transaction that sees the database as of one moment, with all segments that count at that moment.
/// They lie in `bucket`, if there is one.
pub(crate) fn at_one_moment<T>(
    dir: &Path,
    bucket: Option<&Arc<dyn Bucket>>,
    read: impl FnOnce(&Connection, Vec<Held>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let location = Location::new(dir, None);
    let mut attempts = 0;
    loop {
        let connection = location.open_reader()?;
        let snapshot = connection.unchecked_transaction()?;
        database::require_known(&snapshot)?;
        let segments = hold_all(dir, bucket, &snapshot)?;
        attempts += 1;
        // A running server may just have merged a segment away; if it is missing again and again, that is damage.
        if segments.iter().any(Held::is_missing) && attempts < ATTEMPTS {
            continue;
        }
        return read(&snapshot, segments);
    }
}

fn hold_all(
    dir: &Path,
    bucket: Option<&Arc<dyn Bucket>>,
    connection: &Connection,
) -> Result<Vec<Held>, StoreError> {
    match bucket {
        None => claim::refuse_without(connection)?,
        Some(bucket) => claim::refuse_others(connection, &**bucket)?,
    }
    let listed = manifest::list(connection)?;
    if listed.is_empty() {
        return Ok(Vec::new());
    }
    let remote = bucket.map(|bucket| Remote::new(bucket.clone(), ONE_READER_BYTES));
    let blobs = Blobs::open(dir.join(SEGMENTS), Arc::new(SystemFiles))?.with_remote(remote);
    let hold = |listed: Listed| {
        let file = match blobs.file_of(&listed) {
            // That is no finding: nobody knows what lies there.
            Err(error @ StoreError::Bucket { .. }) => return Err(error),
            file => file,
        };
        let index = blobs.index_of(&listed);
        Ok(Held {
            file,
            index,
            listed,
        })
    };
    listed.into_iter().map(hold).collect()
}
