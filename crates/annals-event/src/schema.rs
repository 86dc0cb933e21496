//! What an action's events must look like beyond the common shape: the schema that a `WorkOS`
//! client registers, as one pure value that is read, printed and held against an event.
//!
//! Only the part of JSON Schema is understood that metadata needs: an object whose properties are
//! texts, numbers or booleans, `required`, `enum` and `additionalProperties`. A keyword that would
//! restrict a value and is not understood is refused, because a schema that silently checks less
//! than it says is worse than none. Keywords that only describe are kept and given back.

use crate::event::Event;
use crate::json::{Json, Number, Object};
use crate::problem::{EventError, Problem, ProblemCode};
use crate::{is_name, limits};

/// Keys of a metadata object of an action that has a schema.
pub const SCHEMA_METADATA_KEYS: usize = 50;
/// Characters of a key of such an object, `[a-zA-Z0-9_-]`.
pub const SCHEMA_METADATA_KEY_CHARS: usize = 40;
/// Characters of a text in such an object.
pub const SCHEMA_METADATA_TEXT_CHARS: usize = 500;

/// What the events of an action must look like.
///
/// It compares equal to another one if both say the same in the same words.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionSchema {
    /// Whether its events may be whatever an event may be.
    open: bool,
    actor: Option<MetadataSchema>,
    targets: Vec<TargetSchema>,
    metadata: Option<MetadataSchema>,
}

#[derive(Clone, Debug, PartialEq)]
struct TargetSchema {
    kind: String,
    metadata: Option<MetadataSchema>,
}

#[derive(Clone, Debug, PartialEq)]
struct MetadataSchema {
    properties: Vec<(String, Property)>,
    required: Vec<String>,
    additional: bool,
    /// As it was given, to give it back.
    text: Object,
}

#[derive(Clone, Debug, PartialEq, Default)]
struct Property {
    /// Any of these; empty allows every type.
    kinds: Vec<Kind>,
    /// One of these; empty allows every value.
    values: Vec<Json>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Integer,
    Boolean,
}

impl ActionSchema {
    /// Reads the body of a schema: `{"actor"?: {"metadata"}, "targets": [{"type", "metadata"?}],
    /// "metadata"?}`, each `metadata` a JSON Schema. Members beside these are ignored, because
    /// clients send some. Or `{"open": true}` (ours), which only makes the action known.
    ///
    /// # Errors
    /// Every member that is wrong: no target, more than 20, a type that is no name or stands twice,
    /// or a JSON Schema with keywords beyond those that are understood.
    pub fn from_json(body: &Json) -> Result<ActionSchema, EventError> {
        let mut problems = Vec::new();
        let Some(body) = body.as_object() else {
            return Err(Problem::new("", ProblemCode::WrongType, "must be an object").into());
        };
        if body.get("open") == Some(&Json::Bool(true)) {
            return ActionSchema::open(body);
        }
        let actor = match body.get("actor") {
            None | Some(Json::Null) => None,
            Some(Json::Object(actor)) => MetadataSchema::member(actor, "/actor", &mut problems),
            Some(_) => {
                problems.push(Problem::new(
                    "/actor",
                    ProblemCode::WrongType,
                    "must be an object",
                ));
                None
            }
        };
        let targets = read_targets(body.get("targets"), &mut problems);
        let metadata = MetadataSchema::member(body, "", &mut problems);
        if problems.is_empty() {
            Ok(ActionSchema {
                open: false,
                actor,
                targets,
                metadata,
            })
        } else {
            Err(EventError::many(problems))
        }
    }

    /// For vocabularies of others, whose events are nested and hold more than a schema can say.
    fn open(body: &Object) -> Result<ActionSchema, EventError> {
        let is_empty = |value: &Json| matches!(value, Json::Array(elements) if elements.is_empty());
        let rule = "must be left out where open is true";
        let problems: Vec<Problem> = ["actor", "targets", "metadata"]
            .iter()
            .filter(|name| body.get(name).is_some_and(|value| !is_empty(value)))
            .map(|name| Problem::new(format!("/{name}"), ProblemCode::SchemaMismatch, rule))
            .collect();
        if !problems.is_empty() {
            return Err(EventError::many(problems));
        }
        Ok(ActionSchema {
            open: true,
            actor: None,
            targets: Vec::new(),
            metadata: None,
        })
    }

    /// Whether it only makes the action known.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// The body that [`ActionSchema::from_json`] reads to the same schema.
    pub fn to_json(&self) -> Json {
        let mut body = Object::new();
        if self.open {
            body.insert("open", Json::Bool(true));
        }
        if let Some(actor) = &self.actor {
            body.insert(
                "actor",
                Object::from_iter([("metadata", actor.text.clone())]),
            );
        }
        let targets: Vec<Json> = self.targets.iter().map(TargetSchema::to_json).collect();
        body.insert("targets", targets);
        if let Some(metadata) = &self.metadata {
            body.insert("metadata", metadata.text.clone());
        }
        Json::Object(body)
    }

    /// Everything in which `event` does not fit; nothing if it does.
    ///
    /// Each target must have a type that the schema lists, and each metadata object must fit its
    /// schema and the limits that hold for actions with a schema: at most 50 keys of
    /// `[a-zA-Z0-9_-]{0,40}`, texts of at most 500 characters, nothing nested. An open schema asks for
    /// nothing.
    pub fn check(&self, event: &Event) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.open {
            return problems;
        }
        let actor = event.actor.metadata.as_ref();
        check_metadata(actor, self.actor.as_ref(), "/actor/metadata", &mut problems);
        for (i, target) in event.targets.iter().enumerate() {
            let listed = self
                .targets
                .iter()
                .find(|listed| listed.kind == target.kind);
            if listed.is_none() {
                let rule = "is no type that the action's schema lists";
                let pointer = format!("/targets/{i}/type");
                problems.push(Problem::new(pointer, ProblemCode::SchemaMismatch, rule));
            }
            let schema = listed.and_then(|listed| listed.metadata.as_ref());
            let pointer = format!("/targets/{i}/metadata");
            check_metadata(target.metadata.as_ref(), schema, &pointer, &mut problems);
        }
        let metadata = event.metadata.as_ref();
        check_metadata(metadata, self.metadata.as_ref(), "/metadata", &mut problems);
        problems
    }
}

fn read_targets(targets: Option<&Json>, problems: &mut Vec<Problem>) -> Vec<TargetSchema> {
    let targets = match targets {
        None | Some(Json::Null) => {
            problems.push(Problem::new(
                "/targets",
                ProblemCode::Required,
                "is required",
            ));
            return Vec::new();
        }
        Some(targets) => targets,
    };
    let Some(targets) = targets.as_array() else {
        problems.push(Problem::new(
            "/targets",
            ProblemCode::WrongType,
            "must be an array",
        ));
        return Vec::new();
    };
    if targets.is_empty() {
        problems.push(Problem::new(
            "/targets",
            ProblemCode::Required,
            "needs at least one target",
        ));
    }
    if targets.len() > limits::TARGETS {
        let rule = format!("takes at most {} targets", limits::TARGETS);
        problems.push(Problem::new("/targets", ProblemCode::TooMany, &rule));
        return Vec::new();
    }
    let mut read: Vec<TargetSchema> = Vec::with_capacity(targets.len());
    for (i, target) in targets.iter().enumerate() {
        let at = format!("/targets/{i}");
        let Some(target) = target.as_object() else {
            problems.push(Problem::new(
                at,
                ProblemCode::WrongType,
                "must be an object",
            ));
            continue;
        };
        let kind_at = format!("{at}/type");
        let kind = match target.get("type") {
            None => {
                problems.push(Problem::new(kind_at, ProblemCode::Required, "is required"));
                continue;
            }
            Some(Json::String(kind)) => kind,
            Some(_) => {
                problems.push(Problem::new(
                    kind_at,
                    ProblemCode::WrongType,
                    "must be a string",
                ));
                continue;
            }
        };
        if !is_name(kind) {
            let rule = "must be 1 to 128 letters, digits or _.:/-";
            problems.push(Problem::new(kind_at, ProblemCode::BadPattern, rule));
        } else if read.iter().any(|other| other.kind == *kind) {
            problems.push(Problem::new(
                kind_at,
                ProblemCode::Duplicate,
                "stands there twice",
            ));
        }
        let metadata = MetadataSchema::member(target, &at, problems);
        read.push(TargetSchema {
            kind: kind.clone(),
            metadata,
        });
    }
    read
}

impl TargetSchema {
    fn to_json(&self) -> Json {
        let mut target = Object::from_iter([("type", self.kind.as_str())]);
        if let Some(metadata) = &self.metadata {
            target.insert("metadata", metadata.text.clone());
        }
        Json::Object(target)
    }
}

/// Keywords that say something about a value without restricting it.
const DESCRIBING: [&str; 8] = [
    "$schema",
    "$id",
    "$comment",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
];

impl MetadataSchema {
    /// The member `metadata` of `object`, which stands at `at`.
    fn member(object: &Object, at: &str, problems: &mut Vec<Problem>) -> Option<MetadataSchema> {
        let at = format!("{at}/metadata");
        match object.get("metadata") {
            None | Some(Json::Null) => None,
            Some(Json::Object(schema)) => {
                let before = problems.len();
                let read = MetadataSchema::read(schema, &at, problems);
                (problems.len() == before).then_some(read)
            }
            Some(_) => {
                problems.push(Problem::new(
                    at,
                    ProblemCode::WrongType,
                    "must be an object",
                ));
                None
            }
        }
    }

    fn read(schema: &Object, at: &str, problems: &mut Vec<Problem>) -> MetadataSchema {
        let mut read = MetadataSchema {
            properties: Vec::new(),
            required: Vec::new(),
            additional: true,
            text: schema.clone(),
        };
        for (keyword, value) in schema.iter() {
            let at = format!("{at}/{keyword}");
            match (keyword, value) {
                ("type", Json::String(kind)) if kind == "object" => {}
                ("type", _) => {
                    let rule = "must be \"object\"";
                    problems.push(Problem::new(at, ProblemCode::SchemaMismatch, rule));
                }
                ("properties", Json::Object(properties)) => {
                    read.properties = read_properties(properties, &at, problems);
                }
                ("required", Json::Array(keys)) => {
                    for (i, key) in keys.iter().enumerate() {
                        match key.as_str() {
                            Some(key) => read.required.push(key.to_owned()),
                            None => problems.push(Problem::new(
                                format!("{at}/{i}"),
                                ProblemCode::WrongType,
                                "must be a string",
                            )),
                        }
                    }
                }
                ("additionalProperties", Json::Bool(additional)) => read.additional = *additional,
                ("properties", _) => {
                    problems.push(Problem::new(
                        at,
                        ProblemCode::WrongType,
                        "must be an object",
                    ));
                }
                ("required", _) => {
                    problems.push(Problem::new(at, ProblemCode::WrongType, "must be an array"));
                }
                ("additionalProperties", _) => {
                    problems.push(Problem::new(
                        at,
                        ProblemCode::WrongType,
                        "must be a boolean",
                    ));
                }
                (keyword, _) if DESCRIBING.contains(&keyword) => {}
                _ => problems.push(not_understood(at)),
            }
        }
        read
    }
}

fn not_understood(at: String) -> Problem {
    Problem::new(
        at,
        ProblemCode::Unknown,
        "is a keyword that is not supported here",
    )
}

fn read_properties(
    properties: &Object,
    at: &str,
    problems: &mut Vec<Problem>,
) -> Vec<(String, Property)> {
    if properties.len() > SCHEMA_METADATA_KEYS {
        let rule = format!("takes at most {SCHEMA_METADATA_KEYS} properties");
        problems.push(Problem::new(at, ProblemCode::TooMany, &rule));
        return Vec::new();
    }
    let mut read = Vec::with_capacity(properties.len());
    for (key, value) in properties.iter() {
        let at = format!("{at}/{key}");
        if !is_metadata_key(key) {
            problems.push(Problem::new(at, ProblemCode::BadPattern, METADATA_KEY_RULE));
            continue;
        }
        let Some(value) = value.as_object() else {
            problems.push(Problem::new(
                at,
                ProblemCode::WrongType,
                "must be an object",
            ));
            continue;
        };
        read.push((key.to_owned(), read_property(value, &at, problems)));
    }
    read
}

fn read_property(schema: &Object, at: &str, problems: &mut Vec<Problem>) -> Property {
    let mut property = Property::default();
    for (keyword, value) in schema.iter() {
        let at = format!("{at}/{keyword}");
        match (keyword, value) {
            ("type", value) => {
                let one = std::slice::from_ref(value);
                for kind in value.as_array().unwrap_or(one) {
                    match kind.as_str().and_then(Kind::parse) {
                        Some(kind) => property.kinds.push(kind),
                        None => problems.push(Problem::new(
                            at.as_str(),
                            ProblemCode::SchemaMismatch,
                            "must be string, number, integer or boolean",
                        )),
                    }
                }
            }
            ("enum", Json::Array(values)) => property.values.clone_from(values),
            ("enum", _) => {
                problems.push(Problem::new(at, ProblemCode::WrongType, "must be an array"));
            }
            (keyword, _) if DESCRIBING.contains(&keyword) => {}
            _ => problems.push(not_understood(at)),
        }
    }
    property
}

impl Kind {
    fn parse(word: &str) -> Option<Kind> {
        match word {
            "string" => Some(Kind::Text),
            "number" => Some(Kind::Number),
            "integer" => Some(Kind::Integer),
            "boolean" => Some(Kind::Boolean),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Text => "string",
            Kind::Number => "number",
            Kind::Integer => "integer",
            Kind::Boolean => "boolean",
        }
    }

    fn holds(self, value: &Json) -> bool {
        match (self, value) {
            (Kind::Text, Json::String(_))
            | (Kind::Number, Json::Number(_))
            | (Kind::Boolean, Json::Bool(_)) => true,
            (Kind::Integer, Json::Number(Number::Integer(_))) => true,
            // Beyond 2^53 every double is integral, and it is kept as one.
            (Kind::Integer, Json::Number(Number::Float(value))) => value.fract() == 0.0,
            _ => false,
        }
    }
}

const METADATA_KEY_RULE: &str =
    "must be at most 40 letters, digits, _ or - where the action has a schema";

fn is_metadata_key(key: &str) -> bool {
    key.len() <= SCHEMA_METADATA_KEY_CHARS
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn check_metadata(
    metadata: Option<&Object>,
    schema: Option<&MetadataSchema>,
    at: &str,
    problems: &mut Vec<Problem>,
) {
    if let Some(metadata) = metadata {
        if metadata.len() > SCHEMA_METADATA_KEYS {
            let rule =
                format!("takes at most {SCHEMA_METADATA_KEYS} keys where the action has a schema");
            problems.push(Problem::new(at, ProblemCode::TooMany, &rule));
            return;
        }
        for (key, value) in metadata.iter() {
            check_limits(key, value, at, problems);
            let Some(schema) = schema else { continue };
            let at = pointer(at, key);
            match schema.properties.iter().find(|(name, _)| name == key) {
                Some((_, property)) => property.check(value, at, problems),
                None if schema.additional => {}
                None => {
                    let rule = "is no member that the action's schema knows";
                    problems.push(Problem::new(at, ProblemCode::SchemaMismatch, rule));
                }
            }
        }
    }
    for key in schema.iter().flat_map(|schema| &schema.required) {
        if metadata.is_none_or(|metadata| metadata.get(key).is_none()) {
            let rule = "is required by the action's schema";
            problems.push(Problem::new(
                pointer(at, key),
                ProblemCode::SchemaMismatch,
                rule,
            ));
        }
    }
}

fn check_limits(key: &str, value: &Json, at: &str, problems: &mut Vec<Problem>) {
    if !is_metadata_key(key) {
        let at = pointer(at, key);
        problems.push(Problem::new(at, ProblemCode::BadPattern, METADATA_KEY_RULE));
    }
    match value {
        Json::String(text) if text.chars().count() > SCHEMA_METADATA_TEXT_CHARS => {
            let rule = format!(
                "takes at most {SCHEMA_METADATA_TEXT_CHARS} characters where the action has a schema"
            );
            problems.push(Problem::new(pointer(at, key), ProblemCode::TooLong, &rule));
        }
        Json::String(_) | Json::Number(_) | Json::Bool(_) => {}
        Json::Null | Json::Array(_) | Json::Object(_) => {
            let rule = "must be a string, number or boolean where the action has a schema";
            problems.push(Problem::new(pointer(at, key), ProblemCode::WrongType, rule));
        }
    }
}

impl Property {
    fn check(&self, value: &Json, at: String, problems: &mut Vec<Problem>) {
        if !self.kinds.is_empty() && !self.kinds.iter().any(|kind| kind.holds(value)) {
            let names: Vec<_> = self.kinds.iter().map(|kind| kind.name()).collect();
            let rule = format!("must be {} by the action's schema", names.join(" or "));
            problems.push(Problem::new(at, ProblemCode::SchemaMismatch, &rule));
        } else if !self.values.is_empty() && !self.values.contains(value) {
            let rule = "is none of the values that the action's schema lists";
            problems.push(Problem::new(at, ProblemCode::SchemaMismatch, rule));
        }
    }
}

/// A JSON pointer to `key` below `at`.
fn pointer(at: &str, key: &str) -> String {
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}
