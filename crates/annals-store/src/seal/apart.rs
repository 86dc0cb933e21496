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
    work: impl FnOnce() -> Result<T, StoreError> + Send,
) -> Result<T, StoreError> {
    thread::scope(|scope| {
        let step_back_and_work = || {
            if !urgent {
                step_back();
            }
            work()
        };
        let worker = thread::Builder::new()
            .name(name.to_owned())
            .spawn_scoped(scope, step_back_and_work);
        match worker {
            Ok(worker) => worker.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(source) => Err(StoreError::File {
                path: name.into(),
                source,
            }),
        }
    })
}

/// On Linux a nice value belongs to the thread; elsewhere it would be that of the whole process.
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(STEPS) {
        tracing::debug!(%error, "background work runs at the usual priority");
    }
}
