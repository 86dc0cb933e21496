//! How the program ends.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done; what was to be verified or checked is in order |
//! | 1 | the answer is no: not valid, damaged, refused by the server, or lines were rejected |
//! | 2 | it could not run: wrong usage, no connection, a file that cannot be read or written |
//! | 3 | the proof file is incomplete: it ends before its trailer |
//! | 4 | the data was written by a later version of Annals |

use std::fmt;
use std::io;
use std::process::ExitCode;

use annals_store::{BackupError, StoreError};
use serde_json::json;

use crate::output::Output;

/// The answer is no.
pub(crate) const NO: u8 = 1;
/// It could not run.
pub(crate) const COULD_NOT_RUN: u8 = 2;
/// The file ends too early.
pub(crate) const INCOMPLETE: u8 = 3;

/// A later version wrote the data.
pub(crate) const LATER: u8 = 4;

/// The server understood and said no. Ends with [`NO`]; every other error with [`COULD_NOT_RUN`].
#[derive(Debug)]
pub(crate) struct Refused {
    /// The status of the answer.
    pub(crate) status: u16,
    /// What the answer says.
    pub(crate) message: String,
    /// The id by which the server's log knows the request.
    pub(crate) request: Option<String>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (status {}", self.message, self.status)?;
        if let Some(request) = &self.request {
            write!(f, ", request {request}")?;
        }
        f.write_str(")")
    }
}

impl std::error::Error for Refused {}

/// Whether the data is of a later version.
fn is_later(error: &(dyn std::error::Error + 'static)) -> bool {
    let error = match error.downcast_ref::<BackupError>() {
        Some(BackupError::Store(error)) => Some(error),
        _ => error.downcast_ref::<StoreError>(),
    };
    matches!(
        error,
        Some(StoreError::Newer { .. } | StoreError::NewerFormat { .. })
    )
}

/// Says what went wrong, and picks the code to end with.
pub(crate) fn report(error: &anyhow::Error, output: &Output) -> ExitCode {
    // Whoever reads our output may stop early (`annals query … | head`): that is no error.
    let broken_pipe = |e: &(dyn std::error::Error + 'static)| {
        e.downcast_ref::<io::Error>()
            .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    };
    // A connection that breaks while we write is one, and it must not pass for success.
    let from_server = error.chain().any(|e| e.is::<ureq::Error>());
    if !from_server && error.chain().any(broken_pipe) {
        return ExitCode::SUCCESS;
    }
    let is_damaged = |e: &(dyn std::error::Error + 'static)| {
        matches!(
            e.downcast_ref::<BackupError>(),
            Some(BackupError::Damaged(_))
        )
    };
    let code = if error.chain().any(is_later) {
        LATER
    } else if error.is::<Refused>() || error.chain().any(is_damaged) {
        NO
    } else {
        COULD_NOT_RUN
    };
    if output.is_json() {
        let _ = output.json(&json!({"error": format!("{error:#}")}));
    }
    output.complain(&format!("{error:#}"));
    ExitCode::from(code)
}
