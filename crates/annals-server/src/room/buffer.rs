//! The memory of the large place, which is used again and again: an allocator keeps what is freed
//! for a while, so that many large bodies one after the other would cost as much as many at once.

use std::ops::{Deref, DerefMut};

use super::{LARGE, Room};

/// Bytes of a body. The memory of the large place goes back to the room with it.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    room: Option<Room>,
}

impl Buffer {
    /// An empty one of just this size.
    pub(crate) fn of(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            room: None,
        }
    }

    /// The one of the large place.
    pub(super) fn large(room: &Room) -> Self {
        let kept = room.state().buffer.take();
        Self {
            bytes: kept.unwrap_or_else(|| Vec::with_capacity(LARGE)),
            room: Some(room.clone()),
        }
    }

    /// Whether it is the memory of the large place.
    pub(crate) fn is_large(&self) -> bool {
        self.room.is_some()
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(room) = self.room.take() {
            let mut bytes = std::mem::take(&mut self.bytes);
            bytes.clear();
            room.state().buffer = Some(bytes);
        }
    }
}
