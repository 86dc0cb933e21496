//! A record of CloudTrail as an event, so that the record can be made again from it.
//!
//! A member of the record is left out of the event's metadata only where another member of the event gives
//! it back exactly. Values are copied as the text that they are, never parsed and printed again.

use std::borrow::Cow;
use std::fmt;

use annals_event::{UNSPECIFIED, contains_email, is_event_id, is_name, limits};
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::targets::targets;

/// Begins every action that comes from here.
const PREFIX: &str = "aws.";
/// Ends the names of AWS' own services.
const SERVICE: &str = ".amazonaws.com";

/// Why a text is no record.
pub(super) enum NotOne {
    /// A digest of record files, which lies beside them.
    Digest,
    Wrong(String),
}

/// The members of an object, in their order, each value as its text.
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    pub(super) fn read(text: &'a str) -> Result<Members<'a>, serde_json::Error> {
        serde_json::from_str(text)
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.get())
    }

    /// The value if it is a text that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        text(self.get(name)?)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(key, value)| (&**key, value.get()))
    }
}

pub(super) fn text(value: &str) -> Option<String> {
    let text: String = serde_json::from_str(value).ok()?;
    (!text.is_empty()).then_some(text)
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;

        impl<'de> Visitor<'de> for Reading {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Self::Value = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    if members.iter().any(|(known, _)| *known == key) {
                        return Err(serde::de::Error::custom("a member stands twice"));
                    }
                    members.push((key, map.next_value()?));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Reading).map(Members)
    }
}

/// Borrowed where it has no escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// A record that can be told from others.
pub(super) struct Record<'a> {
    members: Members<'a>,
    id: String,
    name: String,
    source: String,
    time: String,
}

impl<'a> Record<'a> {
    /// Reads what every record has; the rest is looked at by [`Record::event`], and checked by the server.
    pub(super) fn read(text: &'a str) -> Result<Record<'a>, NotOne> {
        let members = Members::read(text)
            .map_err(|error| NotOne::Wrong(format!("not a record of CloudTrail: {error}")))?;
        if members.get("logFiles").is_some() && members.get("digestStartTime").is_some() {
            return Err(NotOne::Digest);
        }
        let required = |name: &str| {
            members
                .text(name)
                .ok_or_else(|| NotOne::Wrong(format!("not a record of CloudTrail: no {name}")))
        };
        let record = Record {
            id: required("eventID")?,
            name: required("eventName")?,
            source: required("eventSource")?,
            time: required("eventTime")?,
            members,
        };
        if !is_event_id(&record.id) || contains_email(&record.id) {
            return Err(NotOne::Wrong("eventID is not an id".to_owned()));
        }
        Ok(record)
    }

    /// The account that the record is for.
    pub(super) fn account(&self) -> Option<String> {
        let account = self.members.text("recipientAccountId")?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (account.len() <= 32 && account.chars().all(is_plain)).then_some(account)
    }

    /// The action, and the event as one line of JSON.
    pub(super) fn event(&self) -> (String, String) {
        let mut given_back = vec!["eventID"];
        let action = match self.exact_action() {
            Some(action) => {
                given_back.extend(["eventSource", "eventName"]);
                action
            }
            None => self.likely_action(),
        };
        if is_whole_second(&self.time) {
            given_back.push("eventTime");
        }
        let actor = self.actor(&mut given_back);
        let context = self.context(&mut given_back);
        let failure = self.failure(&mut given_back);

        let mut out = Line::default();
        out.text("id", &self.id);
        out.text("action", &action);
        out.text("occurred_at", &self.time);
        out.member("actor", &actor);
        out.member("targets", &targets(&self.members, &self.service()));
        out.member("context", &context);
        if let Some(failure) = failure {
            out.member("failure", &failure);
        }
        let mut rest = Line::default();
        for (name, value) in self.members.iter() {
            let is_rest = !given_back.contains(&name);
            if is_rest && !(name == "rejected" && is_our_reason(value)) {
                rest.member(name, value);
            }
        }
        out.member("metadata", &rest.ended());
        (action, out.ended())
    }

    /// `ec2` for `ec2.amazonaws.com`.
    fn service(&self) -> String {
        self.source
            .strip_suffix(SERVICE)
            .unwrap_or(&self.source)
            .to_owned()
    }

    /// `aws.ec2.RunInstances`, if service and name can be read from it again.
    fn exact_action(&self) -> Option<String> {
        let service = self.source.strip_suffix(SERVICE)?;
        let action = format!("{PREFIX}{service}.{}", self.name);
        let is_exact = !service.is_empty() && !self.name.contains('.') && is_name(&action);
        is_exact.then_some(action)
    }

    /// The same with `_` for what no name may have.
    fn likely_action(&self) -> String {
        let likely = format!("{PREFIX}{}.{}", self.service(), self.name);
        let is_allowed = |c: &char| c.is_ascii_alphanumeric() || "_.:/-".contains(*c);
        likely
            .chars()
            .map(|c| if is_allowed(&c) { c } else { '_' })
            .take(limits::NAME_BYTES)
            .collect()
    }

    /// `userIdentity` is the actor's metadata as it stands; id and name are read from it.
    fn actor(&self, given_back: &mut Vec<&'static str>) -> String {
        let raw = self.members.get("userIdentity");
        let identity = raw.and_then(|text| Members::read(text).ok());
        let of = |name: &str| identity.as_ref().and_then(|members| members.text(name));
        let fits = |id: &String| id.len() <= limits::ID_BYTES && !id.contains(char::is_control);
        let id = ["arn", "principalId", "accountId", "invokedBy", "userName"]
            .iter()
            .find_map(|name| of(name).filter(fits))
            .unwrap_or_else(|| "unknown".to_owned());
        let kind = of("type")
            .filter(|kind| is_name(kind))
            .unwrap_or_else(|| "unknown".to_owned());
        let mut out = Line::default();
        out.text("id", &id);
        out.text("type", &kind);
        if let Some(name) = of("userName")
            .or_else(|| issuer(identity.as_ref()?))
            .or_else(|| of("invokedBy"))
        {
            out.text("name", &name);
        }
        if let (Some(raw), Some(identity)) = (raw, &identity)
            && identity.iter().next().is_some()
        {
            out.member("metadata", raw);
            given_back.push("userIdentity");
        }
        out.ended()
    }

    fn context(&self, given_back: &mut Vec<&'static str>) -> String {
        let mut out = Line::default();
        for (member, name) in [
            ("location", "sourceIPAddress"),
            ("user_agent", "userAgent"),
            ("request_id", "requestID"),
            ("correlation_id", "sharedEventID"),
        ] {
            if let Some(value) = self.members.text(name) {
                out.text(member, &value);
                given_back.push(name);
            }
        }
        // Temporary credentials live as long as the session that they were given for; their id is no secret.
        let identity = self.members.get("userIdentity");
        if let Some(identity) = identity.and_then(|text| Members::read(text).ok())
            && identity.get("sessionContext").is_some()
            && let Some(session) = identity.text("accessKeyId")
        {
            out.text("session_id", &session);
        }
        out.ended()
    }

    fn failure(&self, given_back: &mut Vec<&'static str>) -> Option<String> {
        let (code, message) = (
            self.members.text("errorCode"),
            self.members.text("errorMessage"),
        );
        if code.is_none() && message.is_none() {
            return None;
        }
        let mut out = Line::default();
        if let Some(code) = code.filter(|code| is_name(code) && code != UNSPECIFIED) {
            out.text("reason", &code);
            given_back.push("errorCode");
        }
        if let Some(message) = message {
            out.text("detail", &message);
            given_back.push("errorMessage");
        }
        Some(out.ended())
    }
}

/// What an earlier import wrote beside the record is no part of it.
fn is_our_reason(value: &str) -> bool {
    Members::read(value)
        .is_ok_and(|reason| reason.get("line").is_some() && reason.get("problem").is_some())
}

/// Who the role was taken from, for credentials of a role.
fn issuer(identity: &Members<'_>) -> Option<String> {
    let session = Members::read(identity.get("sessionContext")?).ok()?;
    let issuer = Members::read(session.get("sessionIssuer")?).ok()?;
    issuer.text("userName")
}

/// `2023-07-10T12:04:10Z`: what a time of an event, which has six digits more, gives back.
fn is_whole_second(time: &str) -> bool {
    const FORM: &[u8] = b"dddd-dd-ddTdd:dd:ddZ";
    time.len() == FORM.len()
        && time.bytes().zip(FORM).all(|(byte, form)| match form {
            b'd' => byte.is_ascii_digit(),
            form => byte == *form,
        })
}

/// An object that is written member by member, on one line.
#[derive(Default)]
pub(super) struct Line(String);

impl Line {
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.member(name, &Value::from(value).to_string());
    }

    /// A member whose value is JSON already.
    pub(super) fn member(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(&Value::from(name).to_string());
        self.0.push(':');
        // Line ends stand only between tokens.
        let shown = value
            .chars()
            .map(|c| if c == '\n' || c == '\r' { ' ' } else { c });
        self.0.extend(shown);
    }

    pub(super) fn ended(self) -> String {
        format!("{{{}}}", self.0)
    }
}
