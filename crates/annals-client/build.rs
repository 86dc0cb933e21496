//! Writes one Rust type for each action of the catalogue, from the very table that the server is compiled with.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::path::PathBuf;
use std::{env, fs, io};

use annals_event::{Catalogue, CatalogueEntry, Change, Member, MemberKind};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    // What several features have in common, under one name each.
    println!("cargo::rustc-check-cfg=cfg(database, relay)");
    let has = |feature: &str| env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
    if has("SQLITE") || has("POSTGRES") {
        println!("cargo::rustc-cfg=database");
        if has("HTTP") {
            println!("cargo::rustc-cfg=relay");
        }
    }
    let mut code = String::new();
    for entry in Catalogue::builtin().all().filter(|entry| !entry.extension) {
        action(&mut code, entry).map_err(io::Error::other)?;
    }
    let folder = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("no OUT_DIR"))?;
    fs::write(PathBuf::from(folder).join("actions.rs"), code)
}

fn action(code: &mut String, entry: &CatalogueEntry) -> fmt::Result {
    let name = camel(entry.action);
    let (target, action) = (entry.target, entry.action);
    let failure = !entry.reasons.is_empty();
    if failure {
        let doc = format!("Why there is an event `{action}`.");
        words(code, &format!("{name}Reason"), &doc, entry.reasons)?;
    }
    let (argument, given) = if failure {
        (
            format!(", reason: {name}Reason"),
            ".failed(reason.as_str())",
        )
    } else {
        (String::new(), "")
    };
    writeln!(code, "/// {}: an event `{action}`.", entry.display_name)?;
    writeln!(
        code,
        "#[derive(Clone, Debug)]\npub struct {name}(NewEvent);\ncommon!({name});"
    )?;
    writeln!(code, "impl {name} {{")?;
    writeln!(code, "    /// The dotted name of the action.")?;
    writeln!(code, "    pub const ACTION: &'static str = {action:?};")?;
    writeln!(
        code,
        "    /// The event, with what every event of this action has: who did it, and to which {}.",
        plain(target)
    )?;
    let parameter = format!("{target}: impl Into<Ref>{argument}");
    writeln!(
        code,
        "    pub fn new(actor: impl Into<Actor>, {parameter}) -> Self {{"
    )?;
    writeln!(
        code,
        "        Self(NewEvent::new(Self::ACTION, actor).target({target:?}, {target}){given})\n    }}"
    )?;
    if failure {
        writeln!(
            code,
            "    /// At which step it failed, such as `validation`, `authorization` or `delivery`."
        )?;
        writeln!(
            code,
            "    pub fn stage(self, stage: impl Into<String>) -> Self {{ Self(self.0.stage(stage)) }}"
        )?;
        writeln!(
            code,
            "    /// A sentence about the failure that is safe to show."
        )?;
        writeln!(
            code,
            "    pub fn detail(self, detail: impl Into<String>) -> Self {{ Self(self.0.detail(detail)) }}"
        )?;
    }
    for kind in entry.related() {
        writeln!(
            code,
            "    /// Names the {} that it also concerns.",
            plain(kind)
        )?;
        writeln!(
            code,
            "    pub fn on_{kind}(self, {kind}: impl Into<Ref>) -> Self {{"
        )?;
        writeln!(
            code,
            "        Self(self.0.target({kind:?}, {kind}))\n    }}"
        )?;
    }
    let mut enums = String::new();
    let (previous, next) = match entry.change {
        Change::None => (false, false),
        Change::Previous => (true, false),
        Change::Next => (false, true),
        Change::Both => (true, true),
    };
    let mut seen = BTreeSet::new();
    for member in entry.changed() {
        if previous {
            let doc = format!("What `{}` was before.", member.name);
            setter(
                code,
                &name,
                "previous",
                &format!("previous_{}", member.name),
                member,
                &doc,
            )?;
        }
        if next {
            let doc = format!("What `{}` is now.", member.name);
            setter(
                code,
                &name,
                "next",
                &format!("next_{}", member.name),
                member,
                &doc,
            )?;
        }
        enumeration(&mut enums, &name, member, &mut seen)?;
    }
    for member in entry.metadata() {
        let doc = format!("Sets `{}` of the metadata.", member.name);
        let method = if member.name == "self" {
            "of_oneself"
        } else {
            member.name
        };
        // The context has a setter of that name already.
        let method = match method {
            "source" | "session_id" => format!("{method}_of_event"),
            other => other.to_owned(),
        };
        setter(code, &name, "metadata", &method, member, &doc)?;
        enumeration(&mut enums, &name, member, &mut seen)?;
    }
    writeln!(code, "}}\n{enums}")
}

/// A method that sets one member.
fn setter(
    code: &mut String,
    name: &str,
    part: &str,
    method: &str,
    member: Member,
    doc: &str,
) -> fmt::Result {
    let key = member.name;
    let (kind, value) = match member.kind {
        MemberKind::Text => ("impl Into<String>".to_owned(), "value.into()"),
        MemberKind::Integer => ("impl Into<Integer>".to_owned(), "value.into()"),
        MemberKind::Flag => ("bool".to_owned(), "value"),
        MemberKind::Texts => (
            "impl IntoIterator<Item = impl Into<String>>".to_owned(),
            "texts(value)",
        ),
        MemberKind::Json => ("impl Into<Json>".to_owned(), "value.into()"),
        MemberKind::Word(_) => (format!("{name}{}", camel(key)), "value.as_str()"),
    };
    let value = match member.kind {
        MemberKind::Text => "Into::<String>::into(value)".to_owned(),
        MemberKind::Integer => "Into::<Integer>::into(value)".to_owned(),
        MemberKind::Json => "Into::<Json>::into(value)".to_owned(),
        _ => value.to_owned(),
    };
    writeln!(code, "    /// {doc}")?;
    writeln!(code, "    pub fn {method}(self, value: {kind}) -> Self {{")?;
    writeln!(
        code,
        "        Self(self.0.{part}({key:?}, {value}))\n    }}"
    )
}

/// The type of a member with a closed list of values, once for an action.
fn enumeration(
    code: &mut String,
    action: &str,
    member: Member,
    seen: &mut BTreeSet<&'static str>,
) -> fmt::Result {
    if member.words().next().is_none() || !seen.insert(member.name) {
        return Ok(());
    }
    let doc = format!("What `{}` of [`{action}`] may be.", member.name);
    words(
        code,
        &format!("{action}{}", camel(member.name)),
        &doc,
        &member.words().collect::<Vec<_>>(),
    )
}

/// An enumeration of words.
fn words(code: &mut String, name: &str, doc: &str, list: &[&str]) -> fmt::Result {
    writeln!(
        code,
        "/// {doc}\n#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]"
    )?;
    writeln!(code, "#[non_exhaustive]\npub enum {name} {{")?;
    for word in list {
        writeln!(code, "    /// `{word}`\n    {},", camel(word))?;
    }
    writeln!(
        code,
        "}}\nimpl {name} {{\n    /// The word as it is recorded."
    )?;
    writeln!(
        code,
        "    pub fn as_str(self) -> &'static str {{\n        match self {{"
    )?;
    for word in list {
        writeln!(code, "            Self::{} => {word:?},", camel(word))?;
    }
    writeln!(code, "        }}\n    }}\n}}")
}

/// `issue.status_updated` as `IssueStatusUpdated`.
fn camel(name: &str) -> String {
    // The one word that Rust keeps for itself.
    if name == "self" {
        return "Oneself".to_owned();
    }
    name.split(['.', '_'])
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map_or_else(String::new, |first| {
                first.to_uppercase().collect::<String>() + letters.as_str()
            })
        })
        .collect()
}

fn plain(kind: &str) -> String {
    kind.replace('_', " ")
}
