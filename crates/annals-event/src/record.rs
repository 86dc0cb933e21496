mod code;
mod drafts;
mod prepare;
mod split;

pub use code::DecodeError;
pub use drafts::{Drafts, Straight};

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

/// A draft where it lies, among the bytes that [`Draft::encode`] wrote.
#[derive(Clone, Copy, Debug)]
pub struct DraftRef<'a> {
    pub(crate) head: Head<'a>,
    given_id: bool,
    targets: usize,
    all: &'a [u8],
    /// The bytes from the targets on, and from the sections on.
    rest: [&'a [u8]; 2],
}

/// A [`Skeleton`] without its targets, whose texts lie elsewhere, as UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// Id of the event.
    pub id: &'a [u8],
    /// The dotted name of what happened.
    pub action: &'a [u8],
    /// When, by the producer's clock.
    pub occurred_at: Timestamp,
    /// Who did it.
    pub actor: TargetHead<'a>,
    /// The role of who did it, where it stands in the clear.
    pub role: Option<&'a [u8]>,
    /// Why it failed; `None` where it succeeded.
    pub failure: Option<&'a [u8]>,
}

/// A [`TargetRef`], or an [`ActorRef`] without its role, whose texts lie elsewhere, as UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetHead<'a> {
    /// Absent where the id is personal.
    pub id: Option<&'a [u8]>,
    /// The wire's `type`.
    pub kind: &'a [u8],
}

/// A [`Section`] whose text lies elsewhere, as UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionRef<'a> {
    /// There are no values.
    Empty,
    /// The values as canonical JSON text of an object.
    Value(&'a [u8]),
    /// Only what commits to the values is left.
    Withheld(&'a Commitment),
}

/// What an installation accepts and how it splits it.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Known actions and their failure reasons.
    pub catalogue: &'a Catalogue,
    /// Whether what the catalogue does not know is refused: actions, and of those that it has, members of `previous`, `next` and `metadata`
    /// and their values.
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

impl Skeleton {
    pub(crate) fn head(&self) -> Head<'_> {
        Head {
            id: self.id.as_bytes(),
            action: self.action.as_bytes(),
            occurred_at: self.occurred_at,
            actor: TargetHead::new(self.actor.id.as_deref(), &self.actor.kind),
            role: self.actor.role.as_deref().map(str::as_bytes),
            failure: self.failure.as_deref().map(str::as_bytes),
        }
    }

    pub(crate) fn target_heads(&self) -> impl ExactSizeIterator<Item = TargetHead<'_>> + Clone {
        self.targets
            .iter()
            .map(|target| TargetHead::new(target.id.as_deref(), &target.kind))
    }
}

impl Head<'_> {
    /// The skeleton with texts of its own, which `own` makes.
    fn to_skeleton<'a, E>(
        self,
        targets: impl Iterator<Item = TargetHead<'a>>,
        own: impl Fn(&[u8]) -> Result<String, E>,
    ) -> Result<Skeleton, E> {
        Ok(Skeleton {
            id: own(self.id)?,
            action: own(self.action)?,
            occurred_at: self.occurred_at,
            actor: ActorRef {
                id: self.actor.id.map(&own).transpose()?,
                kind: own(self.actor.kind)?,
                role: self.role.map(&own).transpose()?,
            },
            failure: self.failure.map(&own).transpose()?,
            targets: targets
                .map(|target| {
                    Ok(TargetRef {
                        id: target.id.map(&own).transpose()?,
                        kind: own(target.kind)?,
                    })
                })
                .collect::<Result<_, _>>()?,
        })
    }
}

impl<'a> TargetHead<'a> {
    /// The same of texts.
    pub fn new(id: Option<&'a str>, kind: &'a str) -> Self {
        Self {
            id: id.map(str::as_bytes),
            kind: kind.as_bytes(),
        }
    }
}

impl<'a> DraftRef<'a> {
    /// The bytes of the draft, as [`Draft::encode`] writes them.
    pub fn bytes(&self) -> &'a [u8] {
        self.all
    }

    /// What stands in the clear, without the targets.
    pub fn head(&self) -> &Head<'a> {
        &self.head
    }

    /// When, by the producer's clock.
    pub fn occurred_at(&self) -> Timestamp {
        self.head.occurred_at
    }

    /// Whether the producer gave the id.
    pub fn given_id(&self) -> bool {
        self.given_id
    }
}

/// Bytes that an event takes as recorded: the texts of the skeleton and of the sections.
fn size<'a>(
    head: &Head<'_>,
    targets: impl Iterator<Item = TargetHead<'a>>,
    sections: impl Iterator<Item = SectionRef<'a>>,
) -> usize {
    let length = |text: Option<&[u8]>| text.map_or(0, <[u8]>::len);
    let targets: usize = targets
        .map(|target| length(target.id) + target.kind.len())
        .sum();
    let actor = length(head.actor.id) + head.actor.kind.len() + length(head.role);
    let sections: usize = sections
        .map(|section| match section {
            SectionRef::Value(text) => text.len(),
            SectionRef::Empty | SectionRef::Withheld(_) => 0,
        })
        .sum();
    head.id.len() + head.action.len() + length(head.failure) + actor + targets + sections
}

impl Draft {
    /// The draft of which the parts lie elsewhere. There are exactly 3 + targets sections.
    ///
    /// # Errors
    /// [`DecodeError::Broken`] if something that should be is no text.
    pub fn from_parts<'a>(
        given_id: bool,
        head: &Head<'_>,
        targets: impl Iterator<Item = TargetHead<'a>>,
        sections: impl Iterator<Item = SectionRef<'a>>,
    ) -> Result<Self, DecodeError> {
        let own = |text: &[u8]| {
            std::str::from_utf8(text)
                .map(str::to_owned)
                .map_err(|_| DecodeError::Broken("text"))
        };
        let section = |section| match section {
            SectionRef::Empty => Ok(Section::Empty),
            SectionRef::Withheld(commitment) => Ok(Section::Withheld(*commitment)),
            SectionRef::Value(text) => own(text).map(Section::Value),
        };
        Ok(Self {
            skeleton: head.to_skeleton(targets, own)?,
            sections: sections.map(section).collect::<Result<_, _>>()?,
            given_id,
        })
    }

    /// Bytes that the event takes as recorded: the texts of the skeleton and of the sections.
    pub fn size(&self) -> usize {
        size(
            &self.skeleton.head(),
            self.skeleton.target_heads(),
            self.section_refs(),
        )
    }

    pub(crate) fn section_refs(&self) -> impl ExactSizeIterator<Item = SectionRef<'_>> + Clone {
        self.sections.iter().map(|section| match section {
            Section::Empty => SectionRef::Empty,
            Section::Value(text) => SectionRef::Value(text.as_bytes()),
            Section::Withheld(commitment) => SectionRef::Withheld(commitment),
        })
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

/// The prefix of the events that Annals writes itself.
const OWN_PREFIX: &str = "audit_log.";

/// Whether an action looks like one of ours: without regard to case, as searches compare.
fn has_own_prefix(action: &str) -> bool {
    action
        .get(..OWN_PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(OWN_PREFIX))
}

/// Whether an event claims a time that no clock which is nearly right can show.
fn is_too_far_ahead(occurred_at: Timestamp, now: Timestamp) -> bool {
    occurred_at.as_micros().saturating_sub(now.as_micros()) > limits::AHEAD_MICROS
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
