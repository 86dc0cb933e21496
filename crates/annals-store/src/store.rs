//! The store: one directory, opened by one process.

use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use annals_event::{Draft, Drafts, Timestamp};
use rusqlite::{Connection, Transaction};
use tokio::sync::oneshot;

use crate::control::{Control, ControlError};
use crate::queue::Refused;
use crate::scrub::Scrubber;
use crate::seal::Sealer;
use crate::sequencer::Sequencer;
use crate::shared::Shared;
use crate::submission::{Batch, Change, Ran, Reply, Submission};
use crate::writer::Writer;
use crate::{
    AppendError, BucketReads, Log, Options, Pending, Quarantined, Scrubbed, StoreError, Upkeep,
    start,
};

/// The number of a log within the installation. 0 is the installation's own.
pub type Slot = u32;

/// An open store. Cheap to clone. When the last clone is dropped the store closes; [`Store::close`]
/// does it at once and says whether it went well.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    control: Arc<Control>,
    sealer: Arc<Sealer>,
    scrubber: Arc<Scrubber>,
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    background: Vec<JoinHandle<()>>,
    sequencer: JoinHandle<()>,
    writer: JoinHandle<Result<(), StoreError>>,
}

/// Events that record a change of control data, for one log.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The log: 0 for the installation's own.
    pub slot: Slot,
    /// The events.
    pub drafts: Vec<Draft>,
    /// Who recorded them, as it stands in the entry.
    pub recorded_by: String,
}

impl Store {
    /// Opens the store in `dir`, and makes it first if the directory is new or empty.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process has it, [`StoreError::Newer`] if a later version
    /// wrote it, [`StoreError::Damaged`] if what is stored contradicts itself.
    pub fn open(dir: &Path, options: Options) -> Result<Store, StoreError> {
        let started = start::start(dir, &options)?;
        let (shared, control) = (started.shared.clone(), started.control.clone());
        let (sealer, scrubber) = (started.sealer.clone(), started.scrubber.clone());
        // No room for a job in between: the sequencer goes on waiting for more while the writer works.
        let (to_writer, jobs) = sync_channel(0);
        let writer = Writer::new(started, &options);
        let spawn_failed = |source| StoreError::File {
            path: dir.to_owned(),
            source,
        };
        let sequencer = Sequencer::new(shared.clone(), to_writer).map_err(spawn_failed)?;
        let writer = thread::Builder::new()
            .name("annals-writer".to_owned())
            .spawn(move || writer.run(&jobs))
            .map_err(spawn_failed)?;
        let sequencer = thread::Builder::new()
            .name("annals-sequencer".to_owned())
            .spawn(move || sequencer.run())
            .map_err(spawn_failed)?;
        let mut background = match options.sealing {
            Some(_) => sealer.spawn().map_err(spawn_failed)?,
            None => Vec::new(),
        };
        if options.scrubbing.is_some() {
            background.push(scrubber.spawn().map_err(spawn_failed)?);
        }
        let threads = Threads {
            background,
            sequencer,
            writer,
        };
        let threads = Mutex::new(Some(threads));
        Ok(Store(Arc::new(Inner {
            shared,
            control,
            sealer,
            scrubber,
            threads,
        })))
    }

    /// Finishes what is waiting, writes down what a quick start needs, and lets go of the directory.
    /// Every log and clone of this store is dead after it.
    ///
    /// # Errors
    /// [`StoreError::Stopped`] if the disk failed before, [`StoreError::Database`] if the tidying up
    /// fails; everything acknowledged is safe all the same.
    pub fn close(self) -> Result<(), StoreError> {
        self.0.close()
    }

    /// Whether the store accepts events. It stops when it is closed or the disk fails.
    pub fn is_running(&self) -> bool {
        !self.0.shared.has_stopped()
    }

    /// How many bytes of what was read are kept in memory; at most
    /// [`Options::cache_bytes`].
    pub fn cached_bytes(&self) -> usize {
        self.0.shared.blocks.cached_bytes()
    }

    /// Whether the disk is full, so that only reading is possible.
    pub fn is_full(&self) -> bool {
        self.0.shared.full.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// How reading from the object store goes that holds the segments; nothing if they are on the disk.
    pub fn bucket_reads(&self) -> Option<BucketReads> {
        self.0.sealer.bucket_reads()
    }

    /// Whether segments were sealed of which the copy of the manifest in the object store does not know yet.
    pub fn bucket_copy_is_behind(&self) -> bool {
        self.0.sealer.copy_is_behind()
    }

    /// How long the oldest event has been waiting to be sealed; nothing if none waits.
    pub fn unsealed_for(&self) -> Option<Duration> {
        let oldest = self.0.shared.blocks.recent.unsealed().front()?.recorded_at;
        let micros = self.now().as_micros().saturating_sub(oldest);
        Some(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
    }

    /// The time, by the clock that the store was opened with.
    pub fn now(&self) -> Timestamp {
        self.0.shared.clock.now()
    }

    /// The installation's origin, which begins the name of every log.
    pub fn origin(&self) -> &str {
        &self.0.shared.origin
    }

    /// The log of the workspace with this id, unless there is none or it was deleted. **The** way to
    /// a log.
    pub fn log(&self, id: &str) -> Option<Log> {
        let slot = self.0.control.living_slot(id)?;
        Some(self.log_at(slot, id))
    }

    /// The installation's own log, which belongs to no workspace.
    pub fn installation_log(&self) -> Log {
        self.log_at(0, "")
    }

    /// The log in a slot. Only for control code, which has looked the workspace up.
    pub(crate) fn log_at(&self, slot: Slot, id: &str) -> Log {
        let name = [self.origin(), "/w/", &slot.to_string()].concat();
        Log {
            store: self.clone(),
            slot,
            id: id.into(),
            name: name.into(),
        }
    }

    /// Changes control data and records the change: both commit in one transaction.
    ///
    /// `change` runs on the writer's thread inside of the transaction; if it fails, nothing of this
    /// change happens, and others are not disturbed. On a full disk it runs again in another
    /// transaction, with the reserve given back to the disk. `events` says who recorded which events in which
    /// log (none is fine). After the commit, and before anything else is committed, `applied` is called
    /// with the result on the same thread: the place to bring memory up to date.
    pub(crate) fn change<T: Send + 'static>(
        &self,
        events: Vec<Recorded>,
        change: impl FnMut(&Transaction<'_>) -> Result<T, ControlError> + Send + 'static,
        applied: impl FnOnce(&T) + Send + 'static,
    ) -> Pending<T, ControlError> {
        let shared = &self.0.shared;
        let mut drafts = Drafts::new();
        let mut batches: Vec<Batch> = Vec::new();
        for recorded in events
            .into_iter()
            .filter(|recorded| !recorded.drafts.is_empty())
        {
            let log = self.log_at(recorded.slot, "").name;
            let (slot, by) = (recorded.slot, Arc::from(recorded.recorded_by));
            let first = drafts.len();
            recorded.drafts.iter().for_each(|draft| drafts.push(draft));
            let which = first..drafts.len();
            batches.push(Batch::new(&shared.blocks, slot, log, &drafts, which, by));
        }
        submit_change(shared, drafts, batches, change, applied)
    }

    /// Moves everything that is committed by now from the journal into segments, and merges those that are
    /// due. Otherwise that happens by and by in the background.
    ///
    /// Blocks until it is done: call it outside of async threads.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if what is stored is not what was committed, [`StoreError::DiskFull`],
    /// [`StoreError::Stopped`]. Nothing is lost in any of these cases.
    pub fn seal(&self) -> Result<(), StoreError> {
        self.0.sealer.seal_all()
    }

    /// How far events have moved from the journal into segments.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the manifest cannot be read.
    pub fn upkeep(&self) -> Result<Upkeep, StoreError> {
        self.0.sealer.upkeep()
    }

    /// Reads every segment again and compares every entry with what was hashed, at once and without pauses. Otherwise
    /// that happens slowly in the background. What is damaged is in [`Store::quarantined`] then.
    ///
    /// Blocks until it is done: call it outside of async threads.
    ///
    /// # Errors
    /// [`StoreError::File`] if a file does not answer at present, [`StoreError::Stopped`]. Damage is not an error.
    pub fn scrub(&self) -> Result<(), StoreError> {
        self.0.scrubber.round()
    }

    /// What scrubbing has done.
    pub fn scrubbed(&self) -> Scrubbed {
        self.0.scrubber.scrubbed()
    }

    /// The positions that cannot be read, because a segment is damaged there.
    pub fn quarantined(&self) -> Vec<Quarantined> {
        self.0.shared.blocks.quarantine.all()
    }

    /// Runs `read` with a connection that sees everything that is committed.
    pub(crate) fn with_reader<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.0.shared.blocks.with_reader(read)
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    pub(crate) fn control(&self) -> &Control {
        &self.0.control
    }
}

impl Inner {
    fn close(&self) -> Result<(), StoreError> {
        self.sealer.stop();
        self.scrubber.stop();
        let threads = self
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(threads) = threads else {
            return Ok(());
        };
        // The last clone may have been held by something that one of the threads itself drops; that one
        // cannot wait for itself, and all end when the queue is closed and empty.
        let here = thread::current().id();
        if [
            threads.writer.thread().id(),
            threads.sequencer.thread().id(),
        ]
        .contains(&here)
        {
            self.shared.queue.close();
            return Ok(());
        }
        // What is being sealed is still committed or given up; then nobody needs the queue any more.
        for thread in threads.background {
            let _ = thread.join();
        }
        self.shared.queue.close();
        let sequenced = threads.sequencer.join();
        let written = threads.writer.join();
        self.shared
            .stopped
            .store(true, std::sync::atomic::Ordering::SeqCst);
        match (sequenced, written) {
            (Ok(()), Ok(result)) => result,
            _ => Err(StoreError::Stopped),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Whoever wants to know how it went calls `close`.
        let _ = self.close();
    }
}

/// Hands a change of control data to the writer, with the events that record it.
pub(crate) fn submit_change<T: Send + 'static>(
    shared: &Shared,
    drafts: Drafts,
    batches: Vec<Batch>,
    change: impl FnMut(&Transaction<'_>) -> Result<T, ControlError> + Send + 'static,
    applied: impl FnOnce(&T) + Send + 'static,
) -> Pending<T, ControlError> {
    let (sender, receiver) = oneshot::channel();
    let change = PendingChange {
        change: Box::new(change),
        applied: Box::new(applied),
        result: None,
        sender: Some(sender),
    };
    let submission = Submission {
        drafts,
        batches,
        internal: true,
        reply: Reply::Change(Box::new(change)),
        attempts: 0,
    };
    if let Err((refused, submission)) = shared.queue.push(submission) {
        submission.fail(match refused {
            Refused::Busy => AppendError::Busy,
            Refused::Closed => AppendError::Stopped,
        });
    }
    Pending::waiting(receiver, || StoreError::Stopped.into())
}

type Run<T> = Box<dyn FnMut(&Transaction<'_>) -> Result<T, ControlError> + Send>;

struct PendingChange<T> {
    change: Run<T>,
    applied: Box<dyn FnOnce(&T) + Send>,
    result: Option<T>,
    sender: Option<oneshot::Sender<Result<T, ControlError>>>,
}

impl<T: Send> Change for PendingChange<T> {
    fn run(&mut self, transaction: &Transaction<'_>) -> Ran {
        match (self.change)(transaction) {
            Ok(result) => {
                self.result = Some(result);
                Ran::Done
            }
            Err(ControlError::Store(StoreError::DiskFull)) => Ran::Full,
            Err(error) => {
                if let Some(sender) = self.sender.take() {
                    let _ = sender.send(Err(error));
                }
                Ran::Refused
            }
        }
    }

    fn committed(self: Box<Self>) {
        if let Some(result) = self.result {
            (self.applied)(&result);
            if let Some(sender) = self.sender {
                let _ = sender.send(Ok(result));
            }
        }
    }

    fn failed(self: Box<Self>, error: StoreError) {
        if let Some(sender) = self.sender {
            let _ = sender.send(Err(error.into()));
        }
    }
}
