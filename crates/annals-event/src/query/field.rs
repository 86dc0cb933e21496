//! The names that may stand before a colon: one table.

/// What a term looks at. The three that carry a path look into JSON; its parts are joined by dots.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "each is described by its name, its label and docs/query.md"
)]
pub enum Field {
    Action,
    Category,
    Outcome,
    Reason,
    Actor,
    ActorId,
    ActorType,
    ActorName,
    ActorEmail,
    ActorRole,
    Target,
    TargetId,
    TargetType,
    TargetName,
    TargetEmail,
    Ip,
    Location,
    Source,
    Session,
    Request,
    Correlation,
    UserAgent,
    Key,
    Id,
    Time,
    Recorded,
    Position,
    Meta(String),
    Previous(String),
    Next(String),
}

/// Name, what people read, and other spellings (mostly the column of the CSV file).
static FIELDS: &[(Field, &str, &str, &[&str])] = &[
    (Field::Action, "action", "Event", &["event"]),
    (Field::Category, "category", "Category", &[]),
    (Field::Outcome, "outcome", "Outcome", &[]),
    (
        Field::Reason,
        "reason",
        "Failure reason",
        &["failure_reason", "failure.reason"],
    ),
    (Field::Actor, "actor", "Actor", &[]),
    (Field::ActorId, "actor.id", "Actor id", &["actor_id"]),
    (
        Field::ActorType,
        "actor.type",
        "Actor type",
        &["actor_type"],
    ),
    (
        Field::ActorName,
        "actor.name",
        "Actor name",
        &["actor_name"],
    ),
    (
        Field::ActorEmail,
        "actor.email",
        "Actor e-mail",
        &["actor_email"],
    ),
    (
        Field::ActorRole,
        "actor.role",
        "Actor role",
        &["actor_role"],
    ),
    (Field::Target, "target", "Target", &[]),
    (Field::TargetId, "target.id", "Target id", &["target_id"]),
    (
        Field::TargetType,
        "target.type",
        "Target type",
        &["target_type"],
    ),
    (
        Field::TargetName,
        "target.name",
        "Target name",
        &["target_name"],
    ),
    (
        Field::TargetEmail,
        "target.email",
        "Target e-mail",
        &["target_email"],
    ),
    (Field::Ip, "ip", "IP address", &["cidr", "ip_address"]),
    (
        Field::Location,
        "location",
        "Location",
        &["context.location"],
    ),
    (Field::Source, "source", "Source", &["context.source"]),
    (
        Field::Session,
        "session",
        "Session",
        &["session_id", "context.session_id"],
    ),
    (
        Field::Request,
        "request",
        "Request",
        &["request_id", "context.request_id"],
    ),
    (
        Field::Correlation,
        "correlation",
        "Correlation",
        &["correlation_id", "context.correlation_id"],
    ),
    (
        Field::UserAgent,
        "user_agent",
        "User agent",
        &["context.user_agent"],
    ),
    (Field::Key, "key", "API key", &["recorded_by"]),
    (Field::Id, "id", "Event id", &["event_id"]),
    (Field::Time, "time", "Time", &["occurred", "occurred_at"]),
    (Field::Recorded, "recorded", "Recorded", &["recorded_at"]),
    (Field::Position, "position", "Position", &[]),
];

/// Part of the language, without a source of values so far. Better an answer than an empty list.
const WITHOUT_SOURCE: &[&str] = &["country", "asn", "device", "group", "finding", "severity"];

/// Makes a field of a key path.
type MakeField = fn(String) -> Field;

/// Prefixes of the fields that look into JSON.
const PATHS: &[(&str, MakeField)] = &[
    ("meta.", Field::Meta),
    ("metadata.", Field::Meta),
    ("previous.", Field::Previous),
    ("next.", Field::Next),
];

impl Field {
    /// The name in a query, without the colon: `actor.email`, `meta.plan`.
    pub fn name(&self) -> String {
        match self {
            Field::Meta(path) => format!("meta.{path}"),
            Field::Previous(path) => format!("previous.{path}"),
            Field::Next(path) => format!("next.{path}"),
            plain => plain.row().map(|row| row.1.to_owned()).unwrap_or_default(),
        }
    }

    /// What people read: `Actor e-mail`.
    pub fn label(&self) -> String {
        match self {
            Field::Meta(path) => format!("Metadata {path}"),
            Field::Previous(path) => format!("Before: {path}"),
            Field::Next(path) => format!("After: {path}"),
            plain => plain.row().map(|row| row.2.to_owned()).unwrap_or_default(),
        }
    }

    /// Every field with a fixed name, in the order in which a guide would name them.
    pub fn all() -> impl Iterator<Item = &'static Field> {
        FIELDS.iter().map(|row| &row.0)
    }

    fn row(&self) -> Option<&'static (Field, &'static str, &'static str, &'static [&'static str])> {
        FIELDS.iter().find(|row| row.0 == *self)
    }

    /// Fixed words rather than somebody's data: these are shown with capitals.
    pub(crate) fn is_vocabulary(&self) -> bool {
        use Field::{ActorRole, ActorType, Category, Outcome, Source, TargetType};
        matches!(
            self,
            Category | Outcome | ActorType | ActorRole | TargetType | Source
        )
    }

    /// Whether values may be compared with `<` and `>`.
    pub(crate) fn is_ordered(&self) -> bool {
        matches!(self, Field::Time | Field::Recorded | Field::Position)
    }

    /// The key path of the prefix that `name` starts with: `meta.plan` gives the constructor and `plan`.
    pub(crate) fn split_path(name: &str) -> Option<(MakeField, &str)> {
        PATHS.iter().find_map(|(prefix, make)| {
            let head = name.get(..prefix.len())?;
            head.eq_ignore_ascii_case(prefix)
                .then(|| (*make, &name[prefix.len()..]))
        })
    }

    pub(crate) fn parse(name: &str) -> Result<Field, NoField> {
        if let Some((make, path)) = Field::split_path(name) {
            return match path {
                "" => Err(NoField::Refused(format!(
                    "`{name}` needs a key, as in `{name}plan:`."
                ))),
                path => Ok(make(path.to_owned())),
            };
        }
        let same = |known: &str| known.eq_ignore_ascii_case(name);
        let row = FIELDS
            .iter()
            .find(|row| same(row.1) || row.3.iter().any(|other| same(other)));
        match row {
            Some(row) => Ok(row.0.clone()),
            None if WITHOUT_SOURCE.iter().any(|known| same(known)) => Err(NoField::Refused(
                format!("`{name}` is not available here: nothing records it yet."),
            )),
            None => Err(NoField::Unknown(nearest(name))),
        }
    }
}

/// Why a name is no field that can be searched.
pub(crate) enum NoField {
    /// It is understood, and the answer is no.
    Refused(String),
    /// There is none of that name; perhaps this one was meant.
    Unknown(Option<&'static str>),
}

/// At most 40 characters of what was typed, for a message.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn nearest(name: &str) -> Option<&'static str> {
    let typed: Vec<char> = name.to_lowercase().chars().take(40).collect();
    let names = FIELDS
        .iter()
        .flat_map(|row| std::iter::once(&row.1).chain(row.3));
    let best = names.map(|known| (distance(&typed, &known.chars().collect::<Vec<_>>()), *known));
    let (edits, known) = best.min_by_key(|(edits, known)| (*edits, known.len()))?;
    (edits <= (typed.len() / 3).clamp(1, 3) && edits < typed.len()).then_some(known)
}

/// Edits that turn one word into the other: insert, drop, replace, swap two neighbours.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i];
        for j in 1..=b.len() {
            let replaced = row[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}
