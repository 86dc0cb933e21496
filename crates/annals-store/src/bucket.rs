//! Segments in an object store instead of on the disk.
//!
//! A [`Bucket`] is what is asked of an object store; who speaks to a real one is not known here. [`probe`]
//! finds out whether one keeps what it promises. The rest is this crate's own: [`Remote`] writes and reads
//! segments there, through a bounded cache of blocks; [`claim`] keeps two installations out of one place;
//! [`copy`] keeps the manifest there too, so that a lost disk can be made again.
//!
//! Names: `installation`, `manifests/…` and `segments/…`, as `docs/formats/bucket-v1.md` says. The rows of the
//! database decide which segments count, never what happens to lie in the bucket.

pub(crate) mod blocks;
pub(crate) mod claim;
pub(crate) mod copy;
pub(crate) mod probe;
pub(crate) mod remote;

use std::io::{self, Read};
use std::ops::Range;

use bytes::Bytes;

use crate::StoreError;

pub(crate) use remote::Remote;

/// A place in an object store, as far as segments need one. Names are relative to it: words of
/// `[A-Za-z0-9._-]`, with `/` between folders.
///
/// Every call ends within a bounded time, retries included, and may be made from any thread.
pub trait Bucket: Send + Sync {
    /// Where it is, for messages: `s3://bucket/prefix`. Never with a secret in it.
    fn place(&self) -> &str;

    /// Makes an object of `length` bytes, unless there is one of that name already. When this returns it is
    /// durable, as far as the store promises.
    ///
    /// One that is too large for a single request may be overwritten; whoever writes such gives each content a
    /// name of its own.
    ///
    /// # Errors
    /// [`BucketError`], after which the object may be there or not.
    fn create(
        &self,
        name: &str,
        length: u64,
        content: &mut (dyn Read + Send),
    ) -> Result<Created, BucketError>;

    /// Reads ranges of an object, in their order. Each answer is exactly as long as its range.
    ///
    /// # Errors
    /// [`BucketError::Missing`] if there is no such object.
    fn read(&self, name: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, BucketError>;

    /// How many bytes an object has.
    ///
    /// # Errors
    /// [`BucketError::Missing`] if there is no such object.
    fn size(&self, name: &str) -> Result<u64, BucketError>;

    /// The names of all objects in a folder, in their order.
    ///
    /// # Errors
    /// Those of the store. A folder without objects is none.
    fn list(&self, folder: &str) -> Result<Vec<String>, BucketError>;

    /// Deletes an object. It is no error if it is not there.
    ///
    /// # Errors
    /// Those of the store.
    fn delete(&self, name: &str) -> Result<(), BucketError>;
}

/// How making an object went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It was made.
    New,
    /// There is one of that name, perhaps of an attempt of our own whose answer was lost. Nothing was written.
    Existing,
}

/// Why an object store does not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BucketError {
    /// There is no such object.
    #[error("there is no such object")]
    Missing,
    /// No answer within the time, or one that says to try later.
    #[error("it does not answer: {0}")]
    Away(String),
    /// The credentials are missing, wrong, or do not allow it.
    #[error("it refuses access: {0}")]
    Refused(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

impl BucketError {
    /// The error of the store, with where it happened.
    pub(crate) fn at(self, bucket: &dyn Bucket, name: &str) -> StoreError {
        StoreError::Bucket {
            place: format!("{}/{name}", bucket.place()),
            what: self.to_string(),
        }
    }
}

impl From<BucketError> for io::Error {
    fn from(error: BucketError) -> io::Error {
        match error {
            BucketError::Missing => io::Error::new(io::ErrorKind::NotFound, error),
            error => io::Error::other(error),
        }
    }
}

/// Makes a small object.
pub(crate) fn create(bucket: &dyn Bucket, name: &str, text: &[u8]) -> Result<Created, BucketError> {
    let length = text.len() as u64;
    bucket.create(name, length, &mut io::Cursor::new(text))
}

/// Reads a whole small object.
pub(crate) fn read(bucket: &dyn Bucket, name: &str, most: u64) -> Result<Bytes, BucketError> {
    let size = bucket.size(name)?;
    if size > most {
        let what = format!("it has {size} bytes, more than the {most} that it can have");
        return Err(BucketError::Failed(what));
    }
    if size == 0 {
        return Ok(Bytes::new());
    }
    let mut pieces = bucket.read(name, std::slice::from_ref(&(0..size)))?;
    pieces.pop().ok_or(BucketError::Missing)
}
