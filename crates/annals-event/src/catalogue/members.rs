//! What the events of an action carry beside who, what and when: related targets and typed members.

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
