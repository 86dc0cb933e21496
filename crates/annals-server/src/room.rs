//! Room in memory for the bodies of batches.
//!
//! A body counts as it arrives, not as its head announces it: what is promised and never sent costs
//! nobody anything. Small ones are free. Larger ones share common room, of which one key has a part,
//! so that no key fills it. A body that finds no common room, or would not end in it, gets the large
//! place, which is enough for any body; keys take turns there. Whoever gets neither waits, and since
//! it is not read meanwhile, so does its sender.
//!
//! No body waits for another one that waits: in the large place a body is read to its end, and where
//! somebody waits, it is taken. A sender that keeps room and sends next to nothing is cut off when
//! another body could go on with that room.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use crate::body::BATCH_BYTES;
use crate::error::ApiError;

mod buffer;

pub(crate) use buffer::Buffer;

/// What a body may hold without asking: about what lies in the buffer of its connection anyway.
pub(crate) const FREE: usize = 64 * 1024;
/// The steps in which more is asked for.
const STEP: usize = 64 * 1024;
/// The common room, for all keys.
const COMMON: usize = 3 * 1024 * 1024;
/// How much of it one key may hold.
pub(crate) const SHARE: usize = 2 * 1024 * 1024;
/// What the body in the large place may hold: as much as any may have.
const LARGE: usize = BATCH_BYTES;
/// How long a body waits for room before it is refused.
const WAIT: Duration = Duration::from_secs(5);
/// How long a body that holds room may take for its next [`STEP`] while others wait for that room.
const PATIENCE: Duration = Duration::from_secs(1);
/// The step in the large place, where one keeps all others waiting.
const LARGE_STEP: usize = 1024 * 1024;

/// The room of a server. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Room(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// Those that hold room or wait for it, the oldest first.
    bodies: BTreeMap<u64, Body>,
    /// The key of the body that got the large place last.
    last_large: String,
    /// The memory of the large place, when nobody uses it.
    buffer: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Body {
    key: String,
    part: Part,
    wants: Option<Want>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// So many bytes of the common room.
    Common(usize),
    /// The large place.
    Large,
}

/// What a waiting body waits for.
#[derive(Debug)]
struct Want {
    /// How much it wants to hold in the common room.
    bytes: usize,
    given: oneshot::Sender<()>,
}

/// What one body holds, until this is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    room: Room,
    key: String,
    /// Its place in the state, once it has asked for anything.
    id: Option<u64>,
    /// How much it may hold without asking again.
    covered: usize,
    /// How much had arrived at the last step, and when that was.
    arrived: usize,
    since: Instant,
}

impl Room {
    /// A claim that holds nothing yet, for a body sent with this key.
    pub(crate) fn claim(&self, key: &str) -> Claim {
        Claim {
            room: self.clone(),
            key: key.to_owned(),
            id: None,
            covered: FREE,
            arrived: 0,
            since: Instant::now(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// A claim for a body whose limit is so small that it is not counted.
    pub(crate) fn small() -> Self {
        let mut claim = Room::default().claim("");
        claim.covered = usize::MAX;
        claim
    }

    fn is_large(&self) -> bool {
        self.id.is_some() && self.covered == usize::MAX
    }

    /// An empty buffer for as many bytes as this claim has [reached](Self::reach).
    pub(crate) fn buffer(&self, bytes: usize) -> Buffer {
        if self.is_large() {
            Buffer::large(&self.room)
        } else {
            Buffer::of(bytes)
        }
    }

    /// Makes room until the body may hold `bytes` in all.
    ///
    /// # Errors
    /// [`ApiError::Busy`] where none came free in time.
    pub(crate) async fn reach(&mut self, bytes: usize) -> Result<(), ApiError> {
        if bytes <= self.covered {
            return Ok(());
        }
        let bytes = bytes.next_multiple_of(STEP);
        let (id, waiting) = {
            let mut state = self.room.state();
            let id = *self.id.get_or_insert_with(|| state.add(&self.key));
            (id, state.ask(id, bytes))
        };
        if let Some(given) = waiting {
            let _ = timeout(WAIT, given).await;
            // Its sender was made to wait, and is not blamed for it.
            self.since = Instant::now();
        }
        match self.room.state().settled(id) {
            Some(Part::Common(held)) => self.covered = held,
            Some(Part::Large) => self.covered = usize::MAX,
            None => return Err(ApiError::Busy),
        }
        Ok(())
    }

    /// Notes how much has arrived.
    pub(crate) fn progress(&mut self, bytes: usize) {
        let step = if self.is_large() { LARGE_STEP } else { STEP };
        if bytes >= self.arrived + step {
            (self.arrived, self.since) = (bytes, Instant::now());
        }
    }

    /// Gives back what is not needed, when all of a body is there. What lies in the memory of the large
    /// place and need not is copied out of it first.
    pub(crate) fn settle(&mut self, bytes: Buffer) -> Buffer {
        let Some(id) = self.id else { return bytes };
        if bytes.len() > SHARE {
            return bytes;
        }
        let bytes = if bytes.is_large() {
            let mut copy = Buffer::of(bytes.len());
            copy.extend_from_slice(&bytes);
            copy
        } else {
            bytes
        };
        if bytes.len() <= FREE {
            self.room.state().remove(id);
            (self.id, self.covered) = (None, FREE);
        } else {
            self.room.state().shrink(id, bytes.len());
        }
        bytes
    }

    /// Waits for what arrives, but not for ever where somebody else waits for this room.
    ///
    /// # Errors
    /// [`ApiError::Busy`] where the sender is too slow for that.
    pub(crate) async fn patiently<T>(
        &mut self,
        arriving: impl Future<Output = T>,
    ) -> Result<T, ApiError> {
        let Some(id) = self.id else {
            return Ok(arriving.await);
        };
        let mut arriving = pin!(arriving);
        loop {
            if let Ok(arrived) = timeout_at(self.since + PATIENCE, arriving.as_mut()).await {
                return Ok(arrived);
            }
            if self.room.state().is_in_the_way(id) {
                return Err(ApiError::Busy);
            }
            self.since = Instant::now();
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.room.state().remove(id);
        }
    }
}

impl State {
    fn add(&mut self, key: &str) -> u64 {
        let id = self.next;
        self.next += 1;
        let body = Body {
            key: key.to_owned(),
            part: Part::Common(0),
            wants: None,
        };
        self.bodies.insert(id, body);
        id
    }

    /// Gives a body room, or says what tells it that it has got some.
    fn ask(&mut self, id: u64, bytes: usize) -> Option<oneshot::Receiver<()>> {
        // Those that wait have been served as far as possible whenever something came free, so that
        // nobody is overtaken here.
        if self.give(id, bytes) {
            self.serve();
            return None;
        }
        let (given, waiting) = oneshot::channel();
        if let Some(body) = self.bodies.get_mut(&id) {
            body.wants = Some(Want { bytes, given });
        }
        Some(waiting)
    }

    /// What a body holds; nothing where it still waits, which ends its waiting.
    fn settled(&mut self, id: u64) -> Option<Part> {
        let body = self.bodies.get_mut(&id)?;
        match body.wants.take() {
            Some(_) => None,
            None => Some(body.part),
        }
    }

    /// Lets a body hold so many bytes, if there is room.
    fn give(&mut self, id: u64, bytes: usize) -> bool {
        let Some(body) = self.bodies.get(&id) else {
            return false;
        };
        let part = match body.part {
            Part::Large => Part::Large,
            Part::Common(own) if self.has_common(&body.key, own, bytes) => Part::Common(bytes),
            Part::Common(_) if self.large().is_none() => Part::Large,
            Part::Common(_) => return false,
        };
        if let Some(body) = self.bodies.get_mut(&id) {
            body.part = part;
            if part == Part::Large {
                self.last_large.clone_from(&body.key);
            }
        }
        true
    }

    /// Makes a body hold no more than so many bytes.
    fn shrink(&mut self, id: u64, bytes: usize) {
        let Some(body) = self.bodies.get(&id) else {
            return;
        };
        let part = match body.part {
            Part::Common(own) => Part::Common(own.min(bytes)),
            Part::Large if self.has_common(&body.key, 0, bytes) => Part::Common(bytes),
            Part::Large => return,
        };
        if let Some(body) = self.bodies.get_mut(&id) {
            body.part = part;
        }
        self.serve();
    }

    fn remove(&mut self, id: u64) {
        self.bodies.remove(&id);
        self.serve();
    }

    /// Gives what has come free to those that wait: the oldest first, but those of the key that had
    /// the large place last after the others.
    fn serve(&mut self) {
        loop {
            let mut waiting: Vec<(bool, u64, usize)> = self
                .bodies
                .iter()
                .filter_map(|(id, body)| {
                    let again = body.key == self.last_large;
                    Some((again, *id, body.wants.as_ref()?.bytes))
                })
                .collect();
            waiting.sort_unstable();
            // Who gets the large place leaves common room, perhaps for one that comes before.
            let served = waiting
                .into_iter()
                .find(|(_, id, bytes)| self.give(*id, *bytes));
            let Some((_, id, _)) = served else { return };
            if let Some(want) = self.bodies.get_mut(&id).and_then(|body| body.wants.take()) {
                let _ = want.given.send(());
            }
        }
    }

    /// Whether a body that holds `own` of the common room could hold `bytes` of it.
    fn has_common(&self, key: &str, own: usize, bytes: usize) -> bool {
        let all: usize = self.bodies.values().map(Body::common).sum();
        all - own + bytes <= COMMON && self.fits_share(key, own, bytes)
    }

    /// Whether it could as far as its key's part of the room goes.
    fn fits_share(&self, key: &str, own: usize, bytes: usize) -> bool {
        let of_key = self.bodies.values().filter(|body| body.key == key);
        of_key.map(Body::common).sum::<usize>() - own + bytes <= SHARE
    }

    /// Whether somebody waits who could go on with what this body holds.
    fn is_in_the_way(&self, id: u64) -> bool {
        let Some(me) = self.bodies.get(&id) else {
            return false;
        };
        self.bodies.values().any(|other| {
            let Some(want) = &other.wants else {
                return false;
            };
            if other.key == me.key {
                return true;
            }
            // What keeps the other one from going on may be its own key's bodies.
            match me.part {
                Part::Large => true,
                Part::Common(_) => self.fits_share(&other.key, other.common(), want.bytes),
            }
        })
    }

    /// The body in the large place.
    fn large(&self) -> Option<&Body> {
        self.bodies.values().find(|body| body.part == Part::Large)
    }
}

impl Body {
    /// What it holds of the common room.
    fn common(&self) -> usize {
        match self.part {
            Part::Common(held) => held,
            Part::Large => 0,
        }
    }
}
