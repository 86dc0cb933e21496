//! The bytes of a draft, as the journal keeps them.
//!
//! `1` (version), flags, then the texts, each with its length before it as a LEB128 number; times as LEB128 after zigzag. Bit 0 of
//! the flags: the producer gave the id; 1: the actor has an id; 2: a role; 3: the event failed. Sections follow with a tag each:
//! 0 empty, 1 a value, 2 a commitment of 32 bytes.

use super::{ActorRef, Draft, Section, Skeleton, TargetRef};
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

impl Draft {
    /// Appends the draft's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let s = &self.skeleton;
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        out.push(VERSION);
        out.push(
            flag(self.given_id, GIVEN_ID)
                | flag(s.actor.id.is_some(), ACTOR_ID)
                | flag(s.actor.role.is_some(), ACTOR_ROLE)
                | flag(s.failure.is_some(), FAILED),
        );
        let micros = s.occurred_at.as_micros();
        number(
            out,
            (micros.cast_unsigned() << 1) ^ (micros >> 63).cast_unsigned(),
        );
        text(out, &s.id);
        text(out, &s.action);
        text(out, &s.actor.kind);
        for part in [&s.actor.id, &s.actor.role, &s.failure]
            .into_iter()
            .flatten()
        {
            text(out, part);
        }
        number(out, s.targets.len() as u64);
        for target in &s.targets {
            out.push(u8::from(target.id.is_some()));
            text(out, &target.kind);
            if let Some(id) = &target.id {
                text(out, id);
            }
        }
        for section in &self.sections {
            match section {
                Section::Empty => out.push(0),
                Section::Value(value) => {
                    out.push(1);
                    text(out, value);
                }
                Section::Withheld(commitment) => {
                    out.push(2);
                    out.extend_from_slice(commitment);
                }
            }
        }
    }

    /// Reads a draft from exactly these bytes.
    ///
    /// # Errors
    /// [`DecodeError`] for anything that [`Draft::encode`] does not write. Never more memory than the bytes themselves ask for.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Input { rest: bytes };
        let draft = input.draft()?;
        if input.rest.is_empty() {
            Ok(draft)
        } else {
            Err(DecodeError::Length)
        }
    }
}

fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn text(out: &mut Vec<u8>, text: &str) {
    number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn draft(&mut self) -> Result<Draft, DecodeError> {
        match self.byte()? {
            VERSION => {}
            other => return Err(DecodeError::Version(other)),
        }
        let flags = self.byte()?;
        if flags >= FAILED << 1 {
            return Err(DecodeError::Broken("flag"));
        }
        let zigzag = self.number()?;
        let micros = (zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed());
        let occurred_at = Timestamp::from_micros(micros).ok_or(DecodeError::Broken("time"))?;
        let id = self.text()?;
        let action = self.text()?;
        let kind = self.text()?;
        let mut part = |bit| {
            if flags & bit != 0 {
                self.text().map(Some)
            } else {
                Ok(None)
            }
        };
        let actor = ActorRef {
            id: part(ACTOR_ID)?,
            kind,
            role: part(ACTOR_ROLE)?,
        };
        let failure = part(FAILED)?;
        let count = self.number()?;
        if count > limits::TARGETS as u64 {
            return Err(DecodeError::Broken("number of targets"));
        }
        let targets = (0..count)
            .map(|_| self.target())
            .collect::<Result<Vec<_>, _>>()?;
        let sections = (0..Section::TARGETS + targets.len())
            .map(|_| self.section())
            .collect::<Result<Vec<_>, _>>()?;
        let skeleton = Skeleton {
            id,
            action,
            occurred_at,
            actor,
            failure,
            targets,
        };
        Ok(Draft {
            skeleton,
            sections,
            given_id: flags & GIVEN_ID != 0,
        })
    }

    fn target(&mut self) -> Result<TargetRef, DecodeError> {
        let has_id = match self.byte()? {
            0 => false,
            1 => true,
            _ => return Err(DecodeError::Broken("flag")),
        };
        let kind = self.text()?;
        let id = if has_id { Some(self.text()?) } else { None };
        Ok(TargetRef { id, kind })
    }

    fn section(&mut self) -> Result<Section, DecodeError> {
        match self.byte()? {
            0 => Ok(Section::Empty),
            1 => self.text().map(Section::Value),
            2 => {
                let bytes = self.take(32)?;
                let commitment = bytes.try_into().map_err(|_| DecodeError::Length)?;
                Ok(Section::Withheld(commitment))
            }
            _ => Err(DecodeError::Broken("section")),
        }
    }

    fn text(&mut self) -> Result<String, DecodeError> {
        let length = usize::try_from(self.number()?).map_err(|_| DecodeError::Length)?;
        let bytes = self.take(length)?;
        let text = std::str::from_utf8(bytes).map_err(|_| DecodeError::Broken("text"))?;
        Ok(text.to_owned())
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
