//! Work that gives way to people who wait for an answer.

use std::panic::resume_unwind;
use std::thread;

use crate::StoreError;

/// How far it steps back: where both cores are busy it gets about a tenth of one.
const STEPS: i32 = 10;

/// Runs `work` on a thread of its own, because who has stepped back cannot come forward again. If it is `urgent`
/// it does not step back.
pub(super) fn apart<T: Send>(
    name: &str,
    urgent: bool,
    work: impl Fn() -> Result<T, StoreError> + Sync,
) -> Result<T, StoreError> {
    let mut results = side_by_side(name, urgent, &[()], |()| work());
    results.pop().unwrap_or(Err(StoreError::Stopped))
}

/// As [`apart`], on a thread for each of `pieces`.
pub(super) fn side_by_side<P: Sync, T: Send>(
    name: &str,
    urgent: bool,
    pieces: &[P],
    work: impl Fn(&P) -> Result<T, StoreError> + Sync,
) -> Vec<Result<T, StoreError>> {
    let work = &work;
    thread::scope(|scope| {
        let spawn = |piece| {
            let step_back_and_work = move || {
                if !urgent {
                    step_back();
                }
                work(piece)
            };
            thread::Builder::new()
                .name(name.to_owned())
                .spawn_scoped(scope, step_back_and_work)
                .map_err(|source| StoreError::File {
                    path: name.into(),
                    source,
                })
        };
        let workers: Vec<_> = pieces.iter().map(spawn).collect();
        let join = |worker: thread::ScopedJoinHandle<'_, _>| {
            worker.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        workers.into_iter().map(|worker| join(worker?)).collect()
    })
}

/// On Linux a nice value belongs to the thread; elsewhere it would be that of the whole process.
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(STEPS) {
        tracing::debug!(%error, "background work runs at the usual priority");
    }
}
