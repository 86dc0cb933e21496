mod code;
mod prepare;

pub use code::DecodeError;

use crate::catalogue::Catalogue;
use crate::entry::Commitment;
use crate::limits;
use crate::time::Timestamp;

/// The failure reason that stands in a skeleton where the producer gave none, or one outside the action's closed list.
pub const UNSPECIFIED: &str = "unspecified";

/// What everybody who holds an entry sees in the clear: who by id, what, on what by id, when, and whether it failed.
///
/// The values of the sections are not here, so a skeleton is pseudonymous, not anonymous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skeleton {
    /// Id of the event.
    pub id: String,
    /// The dotted name of what happened.
    pub action: String,
    /// When, by the producer's clock.
    pub occurred_at: Timestamp,
    /// Who did it.
    pub actor: ActorRef,
    /// Why it failed; `None` where it succeeded.
    pub failure: Option<String>,
    /// What it was done to, the primary target first.
    pub targets: Vec<TargetRef>,
}

/// An actor without attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActorRef {
    /// Absent where the id is personal: then it stands in the actor section as `id`.
    pub id: Option<String>,
    /// The wire's `type`.
    pub kind: String,
    /// Role at that moment; absent also where it is no plain name: then it stands in the actor section as `role`.
    pub role: Option<String>,
}

/// A target without attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetRef {
    /// Absent where the id is personal: then it stands in the target's section as `id`.
    pub id: Option<String>,
    /// The wire's `type`.
    pub kind: String,
}

/// The values of one part of an event.
///
/// Index 0 is the actor, 1 the context, 2 the details, 3 and on the targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Section {
    /// There are no values; the entry has `null`.
    Empty,
    /// The values as canonical JSON text of an object.
    Value(String),
    /// The values are gone or withheld; only what commits to them is left.
    Withheld(Commitment),
}

/// An event made ready to be recorded, and what the journal keeps of it: everything but its position and the salts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What stands in the clear.
    pub skeleton: Skeleton,
    /// Exactly 3 + targets sections.
    pub sections: Vec<Section>,
    /// Whether the producer gave the id. Only such an id can come twice, one made here is fresh.
    pub given_id: bool,
}

/// What an installation accepts and how it splits it.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Known actions and their failure reasons.
    pub catalogue: &'a Catalogue,
    /// Whether actions outside the catalogue are refused.
    pub strict: bool,
    /// Types of actors and targets whose ids are personal data and therefore stay out of the skeleton.
    pub personal_types: &'a [String],
    /// Whether this is an event of our own, which may use `audit_log.`.
    pub internal: bool,
}

impl Rules<'static> {
    /// An open installation with the built-in catalogue and no personal types.
    pub fn open() -> Self {
        Self {
            catalogue: Catalogue::builtin(),
            strict: false,
            personal_types: &[],
            internal: false,
        }
    }

    /// As [`Rules::open`], for events that Annals writes itself.
    pub fn internal() -> Self {
        Self {
            internal: true,
            ..Self::open()
        }
    }
}

impl Section {
    /// Index of the actor section.
    pub const ACTOR: usize = 0;
    /// Index of the context section.
    pub const CONTEXT: usize = 1;
    /// Index of the details section.
    pub const DETAILS: usize = 2;
    /// Index of the first target's section.
    pub const TARGETS: usize = 3;

    /// The name that users see: `actor`, `context`, `details`, `target.0`.
    pub fn name(index: usize) -> String {
        match index {
            Self::ACTOR => "actor".to_owned(),
            Self::CONTEXT => "context".to_owned(),
            Self::DETAILS => "details".to_owned(),
            target => format!("target.{}", target - Self::TARGETS),
        }
    }

    /// The canonical text of the values, if they are here.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Value(text) => Some(text),
            Self::Empty | Self::Withheld(_) => None,
        }
    }
}

impl Draft {
    /// Bytes that the event takes as recorded: the texts of the skeleton and of the sections.
    pub fn size(&self) -> usize {
        let s = &self.skeleton;
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let targets: usize = s.targets.iter().map(|t| length(&t.id) + t.kind.len()).sum();
        let actor = length(&s.actor.id) + s.actor.kind.len() + length(&s.actor.role);
        let sections: usize = self
            .sections
            .iter()
            .map(|section| section.text().map_or(0, str::len))
            .sum();
        s.id.len() + s.action.len() + length(&s.failure) + actor + targets + sections
    }

    /// Whether the other draft is the same event, sent again. What was erased counts as equal.
    pub fn same_event(&self, other: &Self) -> bool {
        self.skeleton == other.skeleton
            && self.sections.len() == other.sections.len()
            && self
                .sections
                .iter()
                .zip(&other.sections)
                .all(|pair| match pair {
                    (Section::Withheld(_), _) | (_, Section::Withheld(_)) => true,
                    (mine, theirs) => mine == theirs,
                })
    }
}

/// Whether a text is a plain name, as actions, types, roles and reasons are: 1 to 128 of `A–Z a–z 0–9 _ . : / -`.
pub fn is_name(text: &str) -> bool {
    (1..=limits::NAME_BYTES).contains(&text.len())
        && text.bytes().all(|byte| IN_NAMES[usize::from(byte)])
}

static IN_NAMES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0u8;
    while byte < 128 {
        table[byte as usize] =
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'/' | b'-');
        byte += 1;
    }
    table
};

/// Whether a text can be the id of an event: 1 to 128 printable ASCII bytes without space, and no e-mail address in it.
pub fn is_event_id(text: &str) -> bool {
    (1..=limits::ID_BYTES).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_graphic())
        && !contains_email(text)
}

/// Whether a text contains something like an e-mail address: an `@` (or `%40`) between a character that is neither white space nor
/// punctuation of its own kind and a letter or digit. It errs towards yes.
pub fn contains_email(text: &str) -> bool {
    if !text.bytes().any(|byte| byte == b'@' || byte == b'%') {
        return false;
    }
    let around = |mark: &str| {
        text.match_indices(mark).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = text[at + mark.len()..].chars().next();
            before.is_some_and(|c| !c.is_whitespace() && c != '@' && c != '/')
                && after.is_some_and(char::is_alphanumeric)
        })
    };
    around("@") || around("%40")
}
