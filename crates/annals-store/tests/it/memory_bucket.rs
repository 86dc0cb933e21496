//! An object store in memory that can go away, lie, and count what it is asked.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use annals_store::{Bucket, BucketError, ObjectCreated};
use bytes::Bytes;

/// How it treats a name that is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manners {
    /// Exactly one wins.
    Exact,
    /// It looks, and writes then.
    LooksAndWrites,
    /// It writes.
    Overwrites,
}

pub(crate) struct MemoryBucket {
    objects: Mutex<BTreeMap<String, Bytes>>,
    manners: Manners,
    pub(crate) is_away: AtomicBool,
    /// Names that begin so cannot be written.
    pub(crate) refused: Mutex<Option<&'static str>>,
    pub(crate) reads: AtomicU64,
    /// After so many reads it goes away.
    pub(crate) reads_most: AtomicU64,
}

impl MemoryBucket {
    pub(crate) fn new(manners: Manners) -> Arc<MemoryBucket> {
        Arc::new(MemoryBucket {
            objects: Mutex::default(),
            manners,
            is_away: AtomicBool::new(false),
            refused: Mutex::default(),
            reads: AtomicU64::new(0),
            reads_most: AtomicU64::new(u64::MAX),
        })
    }

    /// Another one with the same objects.
    pub(crate) fn copy(&self) -> Arc<MemoryBucket> {
        let copy = MemoryBucket::new(self.manners);
        *copy.objects.lock().unwrap() = self.objects.lock().unwrap().clone();
        copy
    }

    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let objects = self.objects.lock().unwrap();
        let within = |name: &&String| name.starts_with(folder);
        objects.keys().filter(within).cloned().collect()
    }

    /// Takes all objects away, and what is taken away can be brought back.
    pub(crate) fn swap(&self, objects: BTreeMap<String, Bytes>) -> BTreeMap<String, Bytes> {
        std::mem::replace(&mut *self.objects.lock().unwrap(), objects)
    }

    /// Changes the bytes of an object.
    pub(crate) fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut objects = self.objects.lock().unwrap();
        let mut bytes = objects[name].to_vec();
        change(&mut bytes);
        objects.insert(name.to_owned(), bytes.into());
    }

    fn answer(&self) -> Result<(), BucketError> {
        match self.is_away.load(Ordering::SeqCst) {
            true => Err(BucketError::Away("connection refused".to_owned())),
            false => Ok(()),
        }
    }
}

impl Bucket for MemoryBucket {
    fn place(&self) -> &str {
        "memory://test"
    }

    fn create(
        &self,
        name: &str,
        length: u64,
        content: &mut (dyn Read + Send),
    ) -> Result<ObjectCreated, BucketError> {
        self.answer()?;
        if self
            .refused
            .lock()
            .unwrap()
            .is_some_and(|start| name.starts_with(start))
        {
            return Err(BucketError::Refused("not allowed".to_owned()));
        }
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, length);
        let taken = |objects: &BTreeMap<String, Bytes>| objects.contains_key(name);
        if self.manners == Manners::LooksAndWrites {
            let is_taken = taken(&self.objects.lock().unwrap());
            std::thread::sleep(Duration::from_millis(30));
            if is_taken {
                return Ok(ObjectCreated::Existing);
            }
        }
        let mut objects = self.objects.lock().unwrap();
        if self.manners == Manners::Exact && taken(&objects) {
            return Ok(ObjectCreated::Existing);
        }
        objects.insert(name.to_owned(), bytes.into());
        Ok(ObjectCreated::New)
    }

    fn read(&self, name: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, BucketError> {
        self.answer()?;
        let reads = self.reads.fetch_add(ranges.len() as u64, Ordering::SeqCst);
        if reads >= self.reads_most.load(Ordering::SeqCst) {
            self.is_away.store(true, Ordering::SeqCst);
            self.answer()?;
        }
        let objects = self.objects.lock().unwrap();
        let bytes = objects.get(name).ok_or(BucketError::Missing)?;
        Ok(ranges
            .iter()
            .map(|range| bytes.slice(range.start as usize..range.end as usize))
            .collect())
    }

    fn size(&self, name: &str) -> Result<u64, BucketError> {
        self.answer()?;
        let objects = self.objects.lock().unwrap();
        objects
            .get(name)
            .map(|bytes| bytes.len() as u64)
            .ok_or(BucketError::Missing)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, BucketError> {
        self.answer()?;
        Ok(self.names(&format!("{folder}/")))
    }

    fn delete(&self, name: &str) -> Result<(), BucketError> {
        self.answer()?;
        self.objects.lock().unwrap().remove(name);
        Ok(())
    }
}
