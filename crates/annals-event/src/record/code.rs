//! The bytes of a draft, as the journal keeps them.
//!
//! `1` (version), flags, then the texts, each with its length before it as a LEB128 number; times as LEB128 after zigzag. Bit 0 of
//! the flags: the producer gave the id; 1: the actor has an id; 2: a role; 3: the event failed. Sections follow with a tag each:
//! 0 empty, 1 a value, 2 a commitment of 32 bytes.

use std::ops::Range;

use super::{Draft, DraftRef, Head, Section, SectionRef, TargetHead};
use crate::limits;
use crate::time::Timestamp;

const VERSION: u8 = 1;
const GIVEN_ID: u8 = 1;
const ACTOR_ID: u8 = 2;
const ACTOR_ROLE: u8 = 4;
const FAILED: u8 = 8;

/// Bytes that are not a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by another version of Annals.
    #[error("a draft of version {0}, this Annals reads version 1")]
    Version(u8),
    /// The bytes end inside the draft, or go on behind it.
    #[error("a draft with too few or too many bytes")]
    Length,
    /// The bytes break the format.
    #[error("a draft with a broken {0}")]
    Broken(&'static str),
}

/// Appends the bytes of a draft, and says where among all bytes its id lies.
pub(super) fn encode<'a>(
    out: &mut Vec<u8>,
    given_id: bool,
    head: &Head<'_>,
    targets: impl ExactSizeIterator<Item = TargetHead<'a>>,
    sections: impl Iterator<Item = SectionRef<'a>>,
) -> Range<usize> {
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    out.push(VERSION);
    out.push(
        flag(given_id, GIVEN_ID)
            | flag(head.actor.id.is_some(), ACTOR_ID)
            | flag(head.role.is_some(), ACTOR_ROLE)
            | flag(head.failure.is_some(), FAILED),
    );
    let micros = head.occurred_at.as_micros();
    number(
        out,
        (micros.cast_unsigned() << 1) ^ (micros >> 63).cast_unsigned(),
    );
    text(out, head.id);
    let id = out.len() - head.id.len()..out.len();
    text(out, head.action);
    text(out, head.actor.kind);
    for part in [head.actor.id, head.role, head.failure]
        .into_iter()
        .flatten()
    {
        text(out, part);
    }
    number(out, targets.len() as u64);
    for target in targets {
        out.push(u8::from(target.id.is_some()));
        text(out, target.kind);
        if let Some(id) = target.id {
            text(out, id);
        }
    }
    for section in sections {
        match section {
            SectionRef::Empty => out.push(0),
            SectionRef::Value(value) => {
                out.push(1);
                text(out, value);
            }
            SectionRef::Withheld(commitment) => {
                out.push(2);
                out.extend_from_slice(commitment);
            }
        }
    }
    id
}

impl Draft {
    /// Appends the draft's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.encode_and_find_id(out);
    }

    pub(super) fn encode_and_find_id(&self, out: &mut Vec<u8>) -> Range<usize> {
        encode(
            out,
            self.given_id,
            &self.skeleton.head(),
            self.skeleton.target_heads(),
            self.section_refs(),
        )
    }

    /// Reads a draft from exactly these bytes.
    ///
    /// # Errors
    /// [`DecodeError`] for anything that [`Draft::encode`] does not write. Never more memory than the bytes themselves ask for.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        DraftRef::read(bytes)?.to_draft()
    }
}

impl<'a> DraftRef<'a> {
    /// Reads a draft where it lies, from exactly these bytes. What should be text is looked at no further.
    ///
    /// # Errors
    /// As [`Draft::decode`], but for bytes that are no UTF-8: those [`DraftRef::to_draft`] refuses.
    pub fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut input = Input { rest: bytes };
        match input.byte()? {
            VERSION => {}
            other => return Err(DecodeError::Version(other)),
        }
        let flags = input.byte()?;
        if flags >= FAILED << 1 {
            return Err(DecodeError::Broken("flag"));
        }
        let zigzag = input.number()?;
        let micros = (zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed());
        let occurred_at = Timestamp::from_micros(micros).ok_or(DecodeError::Broken("time"))?;
        let id = input.piece()?;
        let action = input.piece()?;
        let kind = input.piece()?;
        let mut part = |bit| {
            if flags & bit != 0 {
                input.piece().map(Some)
            } else {
                Ok(None)
            }
        };
        let head = Head {
            id,
            action,
            occurred_at,
            actor: TargetHead {
                id: part(ACTOR_ID)?,
                kind,
            },
            role: part(ACTOR_ROLE)?,
            failure: part(FAILED)?,
        };
        let count = input.number()?;
        let targets = usize::try_from(count)
            .ok()
            .filter(|count| *count <= limits::TARGETS)
            .ok_or(DecodeError::Broken("number of targets"))?;
        let before_targets = input;
        for _ in 0..targets {
            input.target()?;
        }
        let before_sections = input;
        for _ in 0..Section::TARGETS + targets {
            input.section()?;
        }
        if !input.rest.is_empty() {
            return Err(DecodeError::Length);
        }
        Ok(Self {
            head,
            given_id: flags & GIVEN_ID != 0,
            targets,
            all: bytes,
            rest: [before_targets.rest, before_sections.rest],
        })
    }

    /// What the skeleton has of the targets.
    pub fn target_heads(&self) -> impl ExactSizeIterator<Item = TargetHead<'a>> + use<'a> {
        let mut input = Input { rest: self.rest[0] };
        // They were read before, so there is no other.
        (0..self.targets).map(move |_| input.target().unwrap_or_default())
    }

    /// The sections in order: exactly 3 + targets.
    pub fn section_refs(&self) -> impl ExactSizeIterator<Item = SectionRef<'a>> + use<'a> {
        let mut input = Input { rest: self.rest[1] };
        (0..Section::TARGETS + self.targets)
            .map(move |_| input.section().unwrap_or(SectionRef::Empty))
    }

    /// The draft with texts of its own.
    ///
    /// # Errors
    /// [`DecodeError::Broken`] if something that should be is no text.
    pub fn to_draft(&self) -> Result<Draft, DecodeError> {
        Draft::from_parts(
            self.given_id,
            &self.head,
            self.target_heads(),
            self.section_refs(),
        )
    }
}

fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    number(out, text.len() as u64);
    out.extend_from_slice(text);
}

#[derive(Clone, Copy)]
struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn target(&mut self) -> Result<TargetHead<'a>, DecodeError> {
        let has_id = match self.byte()? {
            0 => false,
            1 => true,
            _ => return Err(DecodeError::Broken("flag")),
        };
        let kind = self.piece()?;
        let id = if has_id { Some(self.piece()?) } else { None };
        Ok(TargetHead { id, kind })
    }

    fn section(&mut self) -> Result<SectionRef<'a>, DecodeError> {
        match self.byte()? {
            0 => Ok(SectionRef::Empty),
            1 => self.piece().map(SectionRef::Value),
            2 => {
                let (commitment, rest) =
                    self.rest.split_first_chunk().ok_or(DecodeError::Length)?;
                self.rest = rest;
                Ok(SectionRef::Withheld(commitment))
            }
            _ => Err(DecodeError::Broken("section")),
        }
    }

    fn piece(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(self.number()?).map_err(|_| DecodeError::Length)?;
        self.take(length)
    }

    fn number(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit; a last byte of zero would be a second spelling.
            if (shift == 63 && bits > 1) || (shift > 0 && byte == 0) {
                return Err(DecodeError::Broken("number"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Broken("number"))
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.rest.split_first().ok_or(DecodeError::Length)?;
        self.rest = rest;
        Ok(*first)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(DecodeError::Length)?;
        self.rest = rest;
        Ok(taken)
    }
}
