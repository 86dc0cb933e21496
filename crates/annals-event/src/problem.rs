use std::fmt;

/// Why an event was refused: what was found wrong with it, in the order of the document, at least one problem and at
/// most [`limits::PROBLEMS`](crate::limits::PROBLEMS).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventError {
    /// What is wrong. Never empty.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong with an event. It names the member and never repeats its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: a JSON pointer (RFC 6901) from the root of the event, such as `/targets/0/type`; empty for the event itself.
    pub pointer: String,
    /// Which rule was broken.
    pub code: ProblemCode,
    /// A sentence for people that names the member.
    pub message: String,
}

/// The rule that a [`Problem`] breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemCode {
    /// A member that must be there is absent, or empty where it must not be.
    Required,
    /// The value has another JSON type than the member takes; `null` is one.
    WrongType,
    /// No such member exists.
    Unknown,
    /// A text or key has too many bytes.
    TooLong,
    /// An array or object has too many elements.
    TooMany,
    /// A value is nested too deeply.
    TooDeep,
    /// The whole event is too large.
    TooLarge,
    /// A text has characters that the member does not take.
    BadPattern,
    /// A number is out of range or not finite.
    BadNumber,
    /// Not a time of RFC 3339.
    BadTime,
    /// The time lies too far ahead.
    InFuture,
    /// The name or key is kept for Annals' own use.
    Reserved,
    /// The same key stands twice in one object.
    Duplicate,
    /// The installation is strict, and its catalogue does not have the action, the member or the value.
    NotInCatalogue,
    /// The schema of the action refuses the value.
    SchemaMismatch,
    /// The text is not JSON.
    BadJson,
}

impl ProblemCode {
    /// The code as it stands on the wire, such as `wrong_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::WrongType => "wrong_type",
            Self::Unknown => "unknown",
            Self::TooLong => "too_long",
            Self::TooMany => "too_many",
            Self::TooDeep => "too_deep",
            Self::TooLarge => "too_large",
            Self::BadPattern => "bad_pattern",
            Self::BadNumber => "bad_number",
            Self::BadTime => "bad_time",
            Self::InFuture => "in_future",
            Self::Reserved => "reserved",
            Self::Duplicate => "duplicate",
            Self::NotInCatalogue => "not_in_catalogue",
            Self::SchemaMismatch => "schema_mismatch",
            Self::BadJson => "bad_json",
        }
    }
}

impl fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Problem {
    /// A problem at `pointer`; `rule` completes the sentence that starts with the member's name, such as `is required`.
    pub fn new(pointer: impl Into<String>, code: ProblemCode, rule: &str) -> Self {
        let pointer = pointer.into();
        let field = field_of(&pointer);
        let message = if field.is_empty() {
            format!("the event {rule}")
        } else {
            format!("{field} {rule}")
        };
        Self {
            pointer,
            code,
            message,
        }
    }

    /// The member with dots, such as `targets.0.type`; empty for the event itself.
    pub fn field(&self) -> String {
        field_of(&self.pointer)
    }

    /// The same problem seen from outside: `prefix` is a pointer to the event, such as `/events/3/event`.
    pub fn under(mut self, prefix: &str) -> Self {
        self.pointer.insert_str(0, prefix);
        self
    }
}

impl EventError {
    /// An error with a single problem.
    pub fn one(problem: Problem) -> Self {
        Self {
            problems: vec![problem],
        }
    }

    /// An error with the first of these problems; what is not told is not kept, so that thousands of wrong members in
    /// each event of a batch cost no memory.
    pub fn many(mut problems: Vec<Problem>) -> Self {
        problems.truncate(crate::limits::PROBLEMS);
        problems.shrink_to_fit();
        Self { problems }
    }

    /// The first problem.
    pub fn first(&self) -> Option<&Problem> {
        self.problems.first()
    }
}

impl From<Problem> for EventError {
    fn from(problem: Problem) -> Self {
        Self::one(problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.problems.iter().enumerate() {
            if n > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for EventError {}
impl std::error::Error for Problem {}

/// Appends one token to a JSON pointer, escaped as RFC 6901 asks.
pub(crate) fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    for c in token.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

fn field_of(pointer: &str) -> String {
    pointer
        .split('/')
        .skip(1)
        .map(|token| token.replace("~1", "/").replace("~0", "~"))
        .collect::<Vec<_>>()
        .join(".")
}
