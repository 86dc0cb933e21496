//! Does an object store keep what it promises? Asked at every start, because some that speak S3 ignore
//! `If-None-Match`, and some look first and write then, so that of two who race both believe to have won.

use std::io;
use std::thread;

use super::{Bucket, BucketError, Created, create};
use crate::database::hex;

/// How many writers race for the same name.
const WRITERS: usize = 8;

/// The folder of the probe's objects, which are gone when it ends.
const FOLDER: &str = "probe";

/// How many nodes are to write to a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nodes {
    /// This process alone: what it writes has names of its own, so a store that overwrites does no harm.
    One,
    /// Several at once: then the store must let exactly one of several writers win.
    Several,
}

/// What a probe has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// Why several nodes cannot share it; nothing if they can.
    pub(crate) not_exclusive: Option<String>,
}

/// Why a bucket cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// A request failed.
    #[error("{step} failed: {source}")]
    Request {
        /// What was tried, in words.
        step: &'static str,
        /// Why.
        source: BucketError,
    },
    /// A request succeeded and did not do what it says.
    #[error("{0}")]
    Broken(&'static str),
    /// It is good enough for one node only.
    #[error("it cannot be shared by several nodes: {0}")]
    NotExclusive(String),
    /// There is no randomness, or no thread.
    #[error("the probe cannot run")]
    Machine,
}

impl Probed {
    /// Whether this many nodes may write there. For one node, what would hinder several is only a warning, which is
    /// returned.
    ///
    /// # Errors
    /// [`ProbeError::NotExclusive`] if they are several and the store would let two of them win.
    pub fn allows(&self, nodes: Nodes) -> Result<Option<&str>, ProbeError> {
        match (&self.not_exclusive, nodes) {
            (Some(why), Nodes::Several) => Err(ProbeError::NotExclusive(why.clone())),
            (why, _) => Ok(why.as_deref()),
        }
    }
}

/// Writes, reads, lists and deletes under fresh names, and lets several writers race for one.
///
/// # Errors
/// [`ProbeError`], which says what failed.
pub fn probe(bucket: &dyn Bucket) -> Result<Probed, ProbeError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| ProbeError::Machine)?;
    let name = |what: &str| format!("{FOLDER}/{}-{what}", hex(&random));
    let (plain, raced) = (name("plain"), name("raced"));
    let result = of_plain(bucket, &plain).and_then(|overwrites| {
        let winners = race(bucket, &raced)?;
        Ok((overwrites, winners))
    });
    // Whatever was found, nothing stays behind.
    let left = bucket.delete(&plain).and(bucket.delete(&raced));
    let (overwrites, winners) = result?;
    left.map_err(failed("deleting an object"))?;
    if bucket.size(&plain) != Err(BucketError::Missing) {
        return Err(ProbeError::Broken(
            "an object that was deleted is still there",
        ));
    }
    let not_exclusive = match (overwrites, winners) {
        (true, _) => Some(
            "it ignores `If-None-Match: *`: a second write of the same name overwrote the first"
                .to_owned(),
        ),
        (false, 1) => None,
        (false, winners) => Some(format!(
            "of {WRITERS} writers that created the same name at once, {winners} were told that they had; \
             exactly one may be"
        )),
    };
    Ok(Probed { not_exclusive })
}

fn failed(step: &'static str) -> impl Fn(BucketError) -> ProbeError {
    move |source| ProbeError::Request { step, source }
}

/// What one writer needs. Whether a second write of the same name overwrites the first.
fn of_plain(bucket: &dyn Bucket, name: &str) -> Result<bool, ProbeError> {
    const FIRST: &[u8] = b"annals probe: the first";
    const OTHER: &[u8] = b"annals probe: another";
    let made = create(bucket, name, FIRST).map_err(failed("writing an object"))?;
    if made != Created::New {
        return Err(ProbeError::Broken(
            "a name that is fresh is said to be taken",
        ));
    }
    let again = create(bucket, name, OTHER).map_err(failed("writing an object a second time"))?;
    let length = FIRST.len() as u64;
    let ranges = [0..length, 7..12];
    let read = match bucket.size(name).map_err(failed("asking for a size"))? {
        size if size == length => bucket
            .read(name, &ranges)
            .map_err(failed("reading a range"))?,
        _ => Vec::new(),
    };
    let overwrote = again == Created::New;
    if !overwrote && (read.len() != 2 || read[0] != FIRST || read[1] != FIRST[7..12]) {
        return Err(ProbeError::Broken(
            "an object does not read as it was written",
        ));
    }
    let listed = bucket
        .list(FOLDER)
        .map_err(failed("listing what was written"))?;
    match listed.iter().any(|listed| listed == name) {
        true => Ok(overwrote),
        false => Err(ProbeError::Broken(
            "an object that was written is not listed",
        )),
    }
}

/// Lets several create the same name at the same moment. How many are told that they did.
fn race(bucket: &dyn Bucket, name: &str) -> Result<usize, ProbeError> {
    let results: Vec<io::Result<Result<Created, BucketError>>> = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|n| {
                thread::Builder::new()
                    .name("annals-probe".to_owned())
                    .spawn_scoped(scope, move || {
                        create(bucket, name, format!("writer {n}").as_bytes())
                    })
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer?.join().map_err(|_| io::ErrorKind::Other.into()))
            .collect()
    });
    let mut winners = 0;
    for result in results {
        let created = result.map_err(|_| ProbeError::Machine)?;
        match created.map_err(failed("writing the same object from several threads"))? {
            Created::New => winners += 1,
            Created::Existing => {}
        }
    }
    Ok(winners)
}
