//! Checking a proof file: one pass, constant memory.

use std::io::BufRead;

use annals_event::{Timestamp, commitment};
use annals_merkle::{
    Checkpoint, CheckpointError, CompactRange, Hash, Note, VerifyingKey, leaf_hash, verify_range,
};

use crate::disclosure::{Disclosure, EventLine, RedactedLine};
use crate::header::Header;
use crate::lines::Lines;
use crate::trailer::Trailer;
use crate::{Failure, Flaw, Report, Signer};

/// Reads a whole proof file and says what it proves.
///
/// With `key`, the checkpoint must be signed by that key, and the report says so. Without, the file
/// is only checked against the key that it names itself: it is consistent, but anybody could have
/// made it.
///
/// # Errors
/// [`Failure::Invalid`] names the first line at fault. [`Failure::Incomplete`] means that the file
/// is in order as far as it goes, but has no trailer: nothing is proved by it.
pub fn verify(reader: impl BufRead, key: Option<&VerifyingKey>) -> Result<Report, Failure> {
    let mut lines = Lines::new(reader);
    walk(&mut lines, key, &mut |_| Ok(()))
}

/// One line, as it was found to be in order.
pub(crate) enum Checked<'a> {
    Header(&'a Header),
    Event(&'a EventLine<'a>, Hash),
    Redacted(&'a RedactedLine),
    Trailer(&'a Trailer),
}

/// Checks line by line, and shows each one that is in order.
pub(crate) fn walk<R: BufRead, E: From<Failure>>(
    lines: &mut Lines<R>,
    key: Option<&VerifyingKey>,
    show: &mut impl FnMut(Checked<'_>) -> Result<(), E>,
) -> Result<Report, E> {
    if !lines.advance()? {
        return Err(lines.incomplete(None).into());
    }
    let header = lines.text().and_then(|line| header(line, key));
    let header = header.map_err(|flaw| lines.invalid(None, flaw))?;
    show(Checked::Header(&header))?;

    let mut range = Range::new(&header);
    loop {
        let expected = range.expected();
        if !lines.advance()? {
            return Err(lines.incomplete(expected).into());
        }
        let invalid = |flaw| lines.invalid(expected, flaw);
        let line = lines.text().map_err(invalid)?;
        if line.starts_with(Trailer::START) {
            break;
        }
        if line.starts_with(RedactedLine::START) {
            let redacted = range.redacted(line).map_err(invalid)?;
            show(Checked::Redacted(&redacted))?;
        } else {
            let (event, leaf) = range.event(line).map_err(invalid)?;
            show(Checked::Event(&event, leaf))?;
        }
    }
    let invalid = |flaw| lines.invalid(None, flaw);
    let trailer = lines.text().and_then(Trailer::read).map_err(invalid)?;
    let checkpoint = range.close(&trailer, &lines.before()).map_err(invalid)?;
    if !lines.at_end()? {
        return Err(lines.invalid(None, Flaw::AfterTrailer).into());
    }
    show(Checked::Trailer(&trailer))?;
    let signer = if key.is_some() {
        Signer::Checked
    } else {
        Signer::NotChecked
    };
    Ok(range.report(&checkpoint, signer))
}

fn header(line: &str, key: Option<&VerifyingKey>) -> Result<Header, Flaw> {
    let header = Header::read(line)?;
    if key.is_some_and(|key| *key != header.key) {
        return Err(Flaw::OtherKey);
    }
    Ok(header)
}

/// The range so far.
struct Range<'a> {
    header: &'a Header,
    leaves: CompactRange,
    recorded: Option<(Timestamp, Timestamp)>,
    entries: u64,
    redacted: u64,
    entries_blanked: u64,
    sections_shown: u64,
    sections_blanked: u64,
}

impl<'a> Range<'a> {
    fn new(header: &'a Header) -> Range<'a> {
        Range {
            header,
            leaves: CompactRange::new(header.from),
            recorded: None,
            entries: 0,
            redacted: 0,
            entries_blanked: 0,
            sections_shown: 0,
            sections_blanked: 0,
        }
    }

    /// The position that comes next; `None` once the range is complete.
    fn expected(&self) -> Option<u64> {
        (self.leaves.end() < self.header.to).then(|| self.leaves.end())
    }

    fn event<'l>(&mut self, line: &'l str) -> Result<(EventLine<'l>, Hash), Flaw> {
        let event = EventLine::read(line)?;
        if event.entry.log != self.header.key.name() {
            return Err(Flaw::OtherLog);
        }
        let (shown, blanked) = open_sections(&event)?;
        let leaf = leaf_hash(event.text.as_bytes());
        self.advance(event.entry.position, event.entry.recorded_at, leaf)?;
        self.entries += 1;
        self.entries_blanked += u64::from(blanked > 0);
        self.sections_shown += shown;
        self.sections_blanked += blanked;
        Ok((event, leaf))
    }

    fn redacted(&mut self, line: &str) -> Result<RedactedLine, Flaw> {
        let redacted = RedactedLine::read(line)?;
        self.advance(redacted.position, redacted.recorded_at, redacted.leaf)?;
        self.redacted += 1;
        Ok(redacted)
    }

    fn advance(&mut self, position: u64, at: Timestamp, leaf: Hash) -> Result<(), Flaw> {
        let expected = self.expected().ok_or(Flaw::Count)?;
        if position != expected {
            return Err(Flaw::Position { expected });
        }
        let first = match self.recorded {
            Some((_, last)) if at < last => return Err(Flaw::TimeGoesBack),
            Some((first, _)) => first,
            None => at,
        };
        self.recorded = Some((first, at));
        self.leaves.push_leaf(leaf, &mut |_, _| {});
        Ok(())
    }

    /// Everything that only the trailer can tell.
    fn close(&self, trailer: &Trailer, before: &Hash) -> Result<Checkpoint, Flaw> {
        if self.expected().is_some() {
            return Err(Flaw::Count);
        }
        // First the checksum: it tells a damaged file from a forged one.
        if trailer.before != *before {
            return Err(Flaw::Checksum);
        }
        let malformed = |error| Flaw::Checkpoint(CheckpointError::Note(error));
        let note: Note = trailer.note.parse().map_err(malformed)?;
        if note.signatures.len() != 1 {
            return Err(Flaw::Signatures);
        }
        let checkpoint =
            Checkpoint::open(&trailer.note, &self.header.key).map_err(Flaw::Checkpoint)?;
        verify_range(
            &self.leaves,
            checkpoint.size(),
            &trailer.proof,
            checkpoint.root(),
        )
        .map_err(Flaw::Tree)?;
        Ok(checkpoint)
    }

    fn report(&self, checkpoint: &Checkpoint, signer: Signer) -> Report {
        Report {
            log: self.header.key.name().to_owned(),
            from: self.header.from,
            to: self.header.to,
            entries: self.entries,
            redacted: self.redacted,
            entries_blanked: self.entries_blanked,
            sections_shown: self.sections_shown,
            sections_blanked: self.sections_blanked,
            recorded: self.recorded,
            size: checkpoint.size(),
            root: *checkpoint.root(),
            vkey: self.header.key.to_string(),
            signer,
        }
    }
}

/// Compares every section that is shown with its commitment; how many are shown, and how many blanked.
fn open_sections(event: &EventLine<'_>) -> Result<(u64, u64), Flaw> {
    if event.sections.len() != event.entry.sections.len() {
        return Err(Flaw::SectionCount);
    }
    let (mut shown, mut blanked) = (0, 0);
    for (section, (given, committed)) in
        event.sections.iter().zip(&event.entry.sections).enumerate()
    {
        match (given, committed) {
            (Disclosure::Empty, None) => {}
            (Disclosure::Blanked, Some(_)) => blanked += 1,
            (Disclosure::Shown { salt, value }, Some(committed)) => {
                let k = u8::try_from(section).map_err(|_| Flaw::SectionCount)?;
                if commitment(salt, k, value) != *committed {
                    return Err(Flaw::Section { section });
                }
                shown += 1;
            }
            _ => return Err(Flaw::SectionEmpty { section }),
        }
    }
    Ok((shown, blanked))
}
