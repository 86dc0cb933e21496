mod builtin;
mod extension;
mod members;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::LazyLock;

use members::Members;
pub use members::{Member, MemberKind};

/// What is known of one action.
///
/// `template` is the sentence that describes an event: text with placeholders in braces and optional parts in brackets. A part in
/// brackets is left out where one of its placeholders has no value; outside of them a placeholder without a value falls back to a
/// general word. Placeholders: `{actor}`, `{target}` (the first), `{target.TYPE}` (the first of that type), `{previous.KEY}`,
/// `{next.KEY}`, `{metadata.KEY}`, `{reason}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// The dotted name, such as `issue.status_updated`.
    pub action: &'static str,
    /// The name that people read, such as `Issue Status Updated`.
    pub display_name: &'static str,
    /// The group that it is listed under.
    pub category: Category,
    /// Whether it happens to a workspace or to a person's account.
    pub scope: Scope,
    /// Whether it says that something was done or that an attempt failed.
    pub outcome: Outcome,
    /// Type of the primary target.
    pub target: &'static str,
    /// Which of `previous` and `next` the event carries.
    pub change: Change,
    /// Sentence template.
    pub template: &'static str,
    /// The closed list of failure reasons; empty unless `outcome` is failure. `unspecified` always belongs to it.
    pub reasons: &'static [&'static str],
    /// Whether it is one of our own events about the log, beyond the 43 of the product.
    pub extension: bool,
    members: Members,
}

impl CatalogueEntry {
    /// Types of the further targets that its events may name, beside the primary one.
    pub fn related(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.members.related.split_ascii_whitespace()
    }

    /// The members of `previous` and `next`, as far as [`CatalogueEntry::change`] says that its events have them.
    pub fn changed(&self) -> impl Iterator<Item = Member> + use<> {
        members::members(self.members.changed)
    }

    /// The members of `metadata`. Producers may send others too.
    pub fn metadata(&self) -> impl Iterator<Item = Member> + use<> {
        members::members(self.members.metadata)
    }

    /// The same entry with what its events carry.
    const fn carrying(
        mut self,
        related: &'static str,
        changed: &'static str,
        metadata: &'static str,
    ) -> Self {
        self.members = Members {
            related,
            changed,
            metadata,
        };
        self
    }
}

/// The groups of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// Issues and comments.
    IssueTracking,
    /// Projects.
    Project,
    /// The workspace and its members.
    Workspace,
    /// A person's own account.
    User,
    /// The audit log itself.
    AuditLog,
    /// Actions that the catalogue does not know.
    Other,
}

/// Whether an action belongs to a workspace or to an account that may be a member of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Happens to a workspace.
    Workspace,
    /// Happens to a person's account.
    Account,
}

/// How an event ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done.
    Success,
    /// The attempt failed.
    Failure,
}

/// Which values an event carries about what it changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Neither.
    None,
    /// What was there before.
    Previous,
    /// What is there now.
    Next,
    /// Both.
    Both,
}

/// The table of known actions: the built-in ones, our own about the log, and those that an installation has added.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    custom: BTreeSet<String>,
}

static BY_ACTION: LazyLock<HashMap<&'static str, &'static CatalogueEntry>> =
    LazyLock::new(|| entries().map(|entry| (entry.action, entry)).collect());

fn entries() -> impl Iterator<Item = &'static CatalogueEntry> {
    builtin::EVENTS.iter().chain(extension::EVENTS)
}

impl Catalogue {
    /// The catalogue that is compiled in, without added actions.
    pub fn builtin() -> &'static Self {
        static BUILTIN: Catalogue = Catalogue {
            custom: BTreeSet::new(),
        };
        &BUILTIN
    }

    /// The built-in catalogue and the given actions.
    pub fn with_actions(actions: impl IntoIterator<Item = String>) -> Self {
        Self {
            custom: actions.into_iter().collect(),
        }
    }

    /// Adds an action; `false` if it was known.
    pub fn add(&mut self, action: impl Into<String>) -> bool {
        let action = action.into();
        self.get(&action).is_none() && self.custom.insert(action)
    }

    /// The entry of a built-in action or one of our own.
    pub fn get(&self, action: &str) -> Option<&'static CatalogueEntry> {
        BY_ACTION.get(action).copied()
    }

    /// Whether the action is built in, our own or added.
    pub fn knows(&self, action: &str) -> bool {
        self.get(action).is_some() || self.custom.contains(action)
    }

    /// All built-in entries in the order of the product's list, then our own.
    pub fn all(&self) -> impl Iterator<Item = &'static CatalogueEntry> + use<> {
        entries()
    }

    /// The actions that were added, sorted.
    pub fn custom(&self) -> impl Iterator<Item = &str> {
        self.custom.iter().map(String::as_str)
    }

    /// The name that people read. For an action that the catalogue does not know it is made from its words: `invoice.was_paid`
    /// gives `Invoice Was Paid`.
    pub fn display_name<'a>(&self, action: &'a str) -> Cow<'a, str> {
        match self.get(action) {
            Some(entry) => Cow::Borrowed(entry.display_name),
            None => Cow::Owned(title(action)),
        }
    }

    /// The group of an action, [`Category::Other`] where it is not known.
    pub fn category_of(&self, action: &str) -> Category {
        self.get(action)
            .map_or(Category::Other, |entry| entry.category)
    }
}

impl Category {
    /// All groups in the order in which they are listed.
    pub const ALL: [Self; 6] = [
        Self::IssueTracking,
        Self::Project,
        Self::Workspace,
        Self::User,
        Self::AuditLog,
        Self::Other,
    ];

    /// The name that people read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IssueTracking => "Issue Tracking",
            Self::Project => "Project",
            Self::Workspace => "Workspace",
            Self::User => "User",
            Self::AuditLog => "Audit Log",
            Self::Other => "Other",
        }
    }
}

impl Scope {
    /// `workspace` or `account`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::Account => "account",
        }
    }
}

impl Outcome {
    /// `success` or `failure`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

fn title(action: &str) -> String {
    let words = action
        .split(['.', '_', '-', ':', '/'])
        .filter(|word| !word.is_empty());
    let titled = words.map(|word| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().collect::<String>() + letters.as_str()
        })
    });
    titled.collect::<Vec<_>>().join(" ")
}

/// An entry of the product's list; `None` reasons mean that it says of success.
const fn entry(
    action: &'static str,
    display_name: &'static str,
    category: Category,
    target: &'static str,
    change: Change,
    template: &'static str,
    reasons: Option<&'static [&'static str]>,
) -> CatalogueEntry {
    CatalogueEntry {
        action,
        display_name,
        category,
        scope: match category {
            Category::User => Scope::Account,
            _ => Scope::Workspace,
        },
        outcome: if reasons.is_some() {
            Outcome::Failure
        } else {
            Outcome::Success
        },
        target,
        change,
        template,
        reasons: match reasons {
            Some(reasons) => reasons,
            None => &[],
        },
        extension: matches!(category, Category::AuditLog),
        members: Members::NONE,
    }
}
