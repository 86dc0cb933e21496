//! Taking values out of a proof file before it is handed on.

use std::io::{self, BufRead, Write};

use sha2::Digest as _;

use crate::disclosure::{Disclosure, EventLine, RedactedLine};
use crate::lines::Lines;
use crate::trailer::Trailer;
use crate::verify::{Checked, walk};
use crate::write::Sink;
use crate::{Failure, Report};

/// What is to be taken out of one entry.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Withhold {
    /// Nothing.
    #[default]
    Nothing,
    /// The values and salts of these sections, by index. Empty and blanked ones stay as they are.
    Sections(Vec<usize>),
    /// The whole entry: only its leaf hash stays.
    Entry,
}

/// Why values could not be taken out.
#[derive(Debug, thiserror::Error)]
pub enum WithholdError {
    /// The file to take from is not valid to begin with.
    #[error("cannot take values out of a file that is not valid")]
    Source(#[from] Failure),
    /// The output failed.
    #[error("cannot write the proof file")]
    Io(#[source] io::Error),
}

/// Copies a proof file without what `choose` names: it is asked for each position, with the number
/// of sections there. The result is a valid proof file of the same entries; it says what is missing,
/// and no more than that is lost. Returns the report of the file read.
///
/// No key is needed for it, and none is checked; nothing can be put in or changed this way.
///
/// # Errors
/// [`WithholdError::Source`] if the file is not valid; what was written so far then has no trailer.
pub fn withhold<W: Write>(
    reader: impl BufRead,
    out: W,
    mut choose: impl FnMut(u64, usize) -> Withhold,
) -> Result<Report, WithholdError> {
    let mut out = Sink::new(out);
    let mut text = String::new();
    let mut lines = Lines::new(reader);
    let report = walk(&mut lines, None, &mut |line| {
        text.clear();
        match line {
            Checked::Header(header) => header.write(&mut text),
            Checked::Redacted(redacted) => redacted.write(&mut text),
            Checked::Event(event, leaf) => {
                let entry = &event.entry;
                match choose(entry.position, event.sections.len()) {
                    Withhold::Nothing => EventLine::write(&mut text, event.text, &event.sections),
                    Withhold::Sections(which) => {
                        let left = without(&event.sections, &which);
                        EventLine::write(&mut text, event.text, &left);
                    }
                    Withhold::Entry => {
                        let (position, recorded_at) = (entry.position, entry.recorded_at);
                        RedactedLine {
                            leaf,
                            position,
                            recorded_at,
                        }
                        .write(&mut text);
                    }
                }
            }
            Checked::Trailer(trailer) => {
                let before = out.hash.clone().finalize().into();
                Trailer {
                    before,
                    ..trailer.clone()
                }
                .write(&mut text);
            }
        }
        out.write(&text).map_err(WithholdError::Io)
    })?;
    out.to.flush().map_err(WithholdError::Io)?;
    Ok(report)
}

fn without<'a>(sections: &[Disclosure<'a>], which: &[usize]) -> Vec<Disclosure<'a>> {
    let mut left = sections.to_vec();
    for &k in which {
        if let Some(section @ Disclosure::Shown { .. }) = left.get_mut(k) {
            *section = Disclosure::Blanked;
        }
    }
    left
}
