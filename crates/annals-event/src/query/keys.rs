//! What an index needs to know of a filter: which exact values a row must have, and which parts of a row it looks at.

use std::borrow::Cow;

use super::address::{address_of, bits};
use super::check::{Check, IpNeedle, Part};
use super::filter::Filter;
use super::fold::{Needle, fold};

/// What a key is the value of. The numbers are part of the format of segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum KeyClass {
    /// Id, name or e-mail address of the actor.
    Actor = 1,
    /// Id, name or e-mail address of a target.
    Target = 2,
    /// Id of the session.
    Session = 3,
    /// The address that the location is, by [`address_key`].
    Address = 4,
    /// Id of the event.
    Id = 5,
}

/// The parts of a row that a filter looks at. What is in the clear of actor and targets belongs to the part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowParts {
    /// Id of the event.
    pub id: bool,
    /// Who recorded it.
    pub recorded_by: bool,
    /// The actor.
    pub actor: bool,
    /// The context.
    pub context: bool,
    /// The failure's details, metadata, previous, next.
    pub details: bool,
    /// The targets.
    pub targets: bool,
}

impl RowParts {
    /// All of them.
    pub const ALL: RowParts = RowParts {
        id: true,
        recorded_by: true,
        actor: true,
        context: true,
        details: true,
        targets: true,
    };

    /// What is in either of them.
    #[must_use]
    pub fn and(self, other: RowParts) -> RowParts {
        RowParts {
            id: self.id || other.id,
            recorded_by: self.recorded_by || other.recorded_by,
            actor: self.actor || other.actor,
            context: self.context || other.context,
            details: self.details || other.details,
            targets: self.targets || other.targets,
        }
    }
}

/// A text as it is compared: keys of all classes but addresses are values in this form.
pub fn fold_key(text: &str) -> Cow<'_, str> {
    fold(text)
}

/// The key of a location that is an internet address; both spellings of an address of version 4 have the same.
pub fn address_key(location: &str) -> Option<[u8; 16]> {
    address_of(location).map(|address| bits(address).to_be_bytes())
}

/// A location that is an internet address, in the one spelling that both spellings of an address of version 4 share.
pub fn address_text(location: &str) -> Option<String> {
    address_of(location).map(|address| address.to_canonical().to_string())
}

impl Filter {
    /// Lists of keys: a row that matches has, for each list, a value whose key is in it. What the filter asks for in other ways is
    /// not among them.
    pub fn keys(&self) -> Vec<Vec<(KeyClass, Vec<u8>)>> {
        self.required().filter_map(keys).collect()
    }

    /// The parts of a row that decide whether it matches. Action, failure, position and times always may.
    pub fn parts(&self) -> RowParts {
        let mut parts = RowParts::default();
        for check in self.checks() {
            match check {
                Check::Occurred(_)
                | Check::Recorded(_)
                | Check::Position(_)
                | Check::Outcome(_)
                | Check::Category(_)
                | Check::Action(_)
                | Check::Actions(_) => {}
                Check::Key(_) => parts.recorded_by = true,
                Check::Id(_) => parts.id = true,
                Check::Reason(_) | Check::Detail(..) => parts.details = true,
                Check::Actor(..) => parts.actor = true,
                Check::Target(..) => parts.targets = true,
                Check::Context(..) | Check::Ip(_) => parts.context = true,
                Check::Text(_) => {
                    parts = RowParts {
                        context: parts.context,
                        recorded_by: parts.recorded_by,
                        ..RowParts::ALL
                    };
                }
            }
        }
        parts
    }
}

fn keys(check: &Check) -> Option<Vec<(KeyClass, Vec<u8>)>> {
    let exact = |class, needles: &[Needle]| {
        let key = |needle: &Needle| Some((class, needle.as_literal()?.as_bytes().to_vec()));
        needles.iter().map(key).collect()
    };
    match check {
        Check::Actor(Part::Any | Part::Id | Part::Name | Part::Email, needles) => {
            exact(KeyClass::Actor, needles)
        }
        Check::Target(Part::Any | Part::Id | Part::Name | Part::Email, needles) => {
            exact(KeyClass::Target, needles)
        }
        Check::Context("session_id", needles) => exact(KeyClass::Session, needles),
        Check::Id(needles) => exact(KeyClass::Id, needles),
        Check::Ip(needles) => {
            let address = |needle: &IpNeedle| match needle {
                IpNeedle::Network(network) => {
                    let bytes = network.only_address()?.to_be_bytes().to_vec();
                    Some((KeyClass::Address, bytes))
                }
                IpNeedle::Like(_) => None,
            };
            needles.iter().map(address).collect()
        }
        _ => None,
    }
}
