//! What the events of an action carry beside who, what and when: related targets and typed members.

use crate::json::{Json, Number};

/// A member of an event's `previous`, `next` or `metadata` that the catalogue knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its key.
    pub name: &'static str,
    /// What its values are.
    pub kind: MemberKind,
}

/// What the values of a [`Member`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    /// Text.
    Text,
    /// An integral number within ±(2^53 − 1).
    Integer,
    /// `true` or `false`.
    Flag,
    /// A list of texts.
    Texts,
    /// Any JSON value.
    Json,
    /// One of a closed list of words, which [`Member::words`] gives.
    Word(&'static str),
}

/// The three lists of an entry as the table writes them: words with spaces between, a member as `name`, `name:kind` or
/// `name:one|of|these`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Members {
    pub(super) related: &'static str,
    pub(super) changed: &'static str,
    pub(super) metadata: &'static str,
}

impl Members {
    pub(super) const NONE: Self = Self {
        related: "",
        changed: "",
        metadata: "",
    };
}

impl Member {
    fn read(text: &'static str) -> Self {
        let (name, kind) = text.split_once(':').unwrap_or((text, "text"));
        let kind = match kind {
            "text" => MemberKind::Text,
            "int" => MemberKind::Integer,
            "flag" => MemberKind::Flag,
            "texts" => MemberKind::Texts,
            "json" => MemberKind::Json,
            words => MemberKind::Word(words),
        };
        Self { name, kind }
    }

    /// Whether it takes this value. `null` says that there is nothing, or was.
    pub(crate) fn takes(&self, value: &Json) -> bool {
        match (self.kind, value) {
            (_, Json::Null)
            | (MemberKind::Json, _)
            | (MemberKind::Text, Json::String(_))
            | (MemberKind::Integer, Json::Number(Number::Integer(_)))
            | (MemberKind::Flag, Json::Bool(_)) => true,
            (MemberKind::Texts, Json::Array(list)) => {
                list.iter().all(|value| value.as_str().is_some())
            }
            (MemberKind::Word(_), Json::String(text)) => self.words().any(|word| word == text),
            _ => false,
        }
    }

    /// What it takes, to complete the sentence "… must be".
    pub(crate) fn expected(&self) -> String {
        match self.kind {
            MemberKind::Text => "a text".to_owned(),
            MemberKind::Integer => "an integral number".to_owned(),
            MemberKind::Flag => "true or false".to_owned(),
            MemberKind::Texts => "a list of texts".to_owned(),
            MemberKind::Json => "any value".to_owned(),
            MemberKind::Word(words) => format!("one of {}", words.replace('|', ", ")),
        }
    }

    /// The closed list of values; empty unless the kind is [`MemberKind::Word`].
    pub fn words(&self) -> impl Iterator<Item = &'static str> + use<> {
        let words = match self.kind {
            MemberKind::Word(words) => words,
            _ => "",
        };
        words.split('|').filter(|word| !word.is_empty())
    }
}

pub(super) fn members(list: &'static str) -> impl Iterator<Item = Member> + use<> {
    list.split_ascii_whitespace().map(Member::read)
}
