//! A bounded cache of what was read: directories, decompressed frames, tallies, columns of pages.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Slot;
use crate::segment::{Column, Values};

/// What is cached: a piece of a group or of a segment, by its number.
pub(crate) type Key = (u32, Kind);

/// Which piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Of a group: the directory of its header.
    Directory,
    /// Of a group.
    Frame(u32),
    /// Of a segment: when the events of a log occurred.
    Times(Slot),
    /// Of a segment: which values the events of a log have.
    Values(Slot),
    /// Of a segment: a column of a page.
    Column(u32, Column),
    /// Of a segment: the dictionary of a column of a row group.
    Dictionary(u32, Column),
}

#[derive(Clone)]
enum Value {
    Bytes(Arc<Vec<u8>>),
    Column(Arc<Values>),
}

/// Values up to a number of bytes. What was used since the hand last passed stays for another round.
pub(crate) struct Cache {
    inner: Mutex<Inner>,
}

struct Inner {
    slots: Vec<Entry>,
    places: HashMap<Key, usize>,
    free: Vec<usize>,
    hand: usize,
    bytes: usize,
    bytes_max: usize,
}

struct Entry {
    key: Key,
    value: Option<Value>,
    bytes: usize,
    used: bool,
}

impl Cache {
    pub(crate) fn new(bytes_max: usize) -> Cache {
        Cache {
            inner: Mutex::new(Inner {
                slots: Vec::new(),
                places: HashMap::new(),
                free: Vec::new(),
                hand: 0,
                bytes: 0,
                bytes_max,
            }),
        }
    }

    /// The bytes, if they are there.
    pub(crate) fn bytes_of(&self, key: Key) -> Option<Arc<Vec<u8>>> {
        match self.get(key)? {
            Value::Bytes(bytes) => Some(bytes),
            Value::Column(_) => None,
        }
    }

    /// The column of a page, if it is there.
    pub(crate) fn column(&self, key: Key) -> Option<Arc<Values>> {
        match self.get(key)? {
            Value::Column(values) => Some(values),
            Value::Bytes(_) => None,
        }
    }

    /// Keeps bytes, and lets others go for them.
    pub(crate) fn keep(&self, key: Key, bytes: Arc<Vec<u8>>) {
        let taken = bytes.capacity();
        self.put(key, Value::Bytes(bytes), taken);
    }

    /// Keeps a column of a page, and lets others go for it.
    pub(crate) fn keep_column(&self, key: Key, values: Arc<Values>) {
        let taken = values.taken();
        self.put(key, Value::Column(values), taken);
    }

    fn get(&self, key: Key) -> Option<Value> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let place = *inner.places.get(&key)?;
        let entry = &mut inner.slots[place];
        entry.used = true;
        entry.value.clone()
    }

    fn put(&self, key: Key, value: Value, bytes: usize) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        // The entry itself takes memory as well.
        let bytes = bytes + 128;
        if inner.places.contains_key(&key) || bytes > inner.bytes_max / 4 {
            return;
        }
        while inner.bytes + bytes > inner.bytes_max {
            inner.let_one_go();
        }
        inner.bytes += bytes;
        let entry = Entry {
            key,
            value: Some(value),
            bytes,
            used: false,
        };
        let place = match inner.free.pop() {
            Some(place) => {
                inner.slots[place] = entry;
                place
            }
            None => {
                inner.slots.push(entry);
                inner.slots.len() - 1
            }
        };
        inner.places.insert(key, place);
    }

    /// How many bytes are kept.
    pub(crate) fn bytes(&self) -> usize {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .bytes
    }
}

impl Inner {
    fn let_one_go(&mut self) {
        loop {
            self.hand = (self.hand + 1) % self.slots.len();
            let hand = self.hand;
            let entry = &mut self.slots[hand];
            if entry.value.is_none() {
                continue;
            }
            if std::mem::take(&mut entry.used) {
                continue;
            }
            entry.value = None;
            self.bytes -= entry.bytes;
            self.places.remove(&entry.key);
            self.free.push(hand);
            return;
        }
    }
}
