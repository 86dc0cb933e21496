//! Action schemas: read strictly, given back unchanged, held against events.

use annals_event::{ActionSchema, Event, EventError, Json, Object, ProblemCode};
use proptest::prelude::*;

fn read(text: &str) -> Result<ActionSchema, EventError> {
    ActionSchema::from_json(&Json::parse(text.as_bytes()).unwrap())
}

fn written(schema: &ActionSchema) -> String {
    let mut text = String::new();
    schema.to_json().write_canonical(&mut text);
    text
}

/// An event of `user.viewed_invoice` with the given metadata objects.
fn event(actor: &str, target: &str, metadata: &str) -> Event {
    let text = format!(
        r#"{{"action":"user.viewed_invoice","occurred_at":"2026-11-22T12:00:00Z",
            "actor":{{"id":"u","type":"user","metadata":{actor}}},
            "targets":[{{"id":"i","type":"invoice","metadata":{target}}}],
            "context":{{}},"metadata":{metadata}}}"#
    );
    Event::from_json(text.as_bytes()).unwrap()
}

fn pointers(schema: &ActionSchema, event: &Event) -> Vec<(String, ProblemCode)> {
    schema
        .check(event)
        .into_iter()
        .map(|problem| (problem.pointer, problem.code))
        .collect()
}

/// What the official Node client sends for its documented example.
const NODE: &str = r#"{
    "actor":{"metadata":{"type":"object","properties":{"role":{"type":"string"}}}},
    "targets":[{"type":"invoice","metadata":{"type":"object","properties":{"status":{"type":"string"}}}}],
    "metadata":{"type":"object","properties":{"invoice_id":{"type":"string"},"paid":{"type":"boolean"}}}}"#;

#[test]
fn the_clients_schema_is_given_back_as_it_came() {
    let schema = read(NODE).unwrap();
    let mut canonical = String::new();
    Json::parse(NODE.as_bytes())
        .unwrap()
        .write_canonical(&mut canonical);
    assert_eq!(written(&schema), canonical);
    assert_eq!(read(&written(&schema)).unwrap(), schema);
    // Descriptions are kept; members that no schema has are not.
    let described =
        read(r#"{"action":"x","targets":[{"type":"a"}],"metadata":{"type":"object","title":"T"}}"#);
    let expected = r#"{"metadata":{"title":"T","type":"object"},"targets":[{"type":"a"}]}"#;
    assert_eq!(written(&described.unwrap()), expected);
}

#[test]
fn events_that_fit_and_events_that_do_not() {
    let schema = read(NODE).unwrap();
    let cases: [(Event, &[&str]); 5] = [
        (
            event(
                r#"{"role":"admin"}"#,
                r#"{"status":"paid"}"#,
                r#"{"invoice_id":"1","paid":true}"#,
            ),
            &[],
        ),
        // Nothing is required, and further members are allowed unless the schema says otherwise.
        (event("{}", "{}", r#"{"more":1}"#), &[]),
        (
            event(r#"{"role":1}"#, "{}", "{}"),
            &["/actor/metadata/role"],
        ),
        (
            event("{}", r#"{"status":true}"#, "{}"),
            &["/targets/0/metadata/status"],
        ),
        (
            event("{}", "{}", r#"{"invoice_id":1,"paid":"yes"}"#),
            &["/metadata/invoice_id", "/metadata/paid"],
        ),
    ];
    for (event, expected) in cases {
        let found = pointers(&schema, &event);
        let found: Vec<_> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(found, expected);
    }
    let other = read(r#"{"targets":[{"type":"team"}]}"#).unwrap();
    let found = pointers(&other, &event("{}", "{}", "{}"));
    assert_eq!(
        found,
        [("/targets/0/type".to_owned(), ProblemCode::SchemaMismatch)]
    );
}

#[test]
fn required_closed_and_listed() {
    let schema = read(
        r#"{"targets":[{"type":"invoice"}],"metadata":{"type":"object","additionalProperties":false,
            "required":["plan"],"properties":{"plan":{"enum":["free","pro"]},"seats":{"type":["integer","string"]}}}}"#,
    )
    .unwrap();
    let check = |metadata: &str| {
        let found = pointers(&schema, &event("{}", "{}", metadata));
        found
            .into_iter()
            .map(|(pointer, _)| pointer)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(check(r#"{"plan":"pro","seats":3}"#), "");
    assert_eq!(check(r#"{"plan":"pro","seats":"three"}"#), "");
    assert_eq!(
        check(r#"{"plan":"gold","seats":1.5}"#),
        "/metadata/plan /metadata/seats"
    );
    assert_eq!(check(r#"{"more":1}"#), "/metadata/more /metadata/plan");
    let bare = r#"{"action":"a","occurred_at":"2026-11-22T12:00:00Z","actor":{"id":"u","type":"user"},"targets":[],"context":{}}"#;
    let bare = Event::from_json(bare.as_bytes()).unwrap();
    assert_eq!(schema.check(&bare)[0].pointer, "/metadata/plan");
}

#[test]
fn an_action_with_a_schema_has_the_limits_of_the_original_api() {
    let schema = read(r#"{"targets":[{"type":"invoice"}]}"#).unwrap();
    let one = |key: &str, value: &str| {
        let found = pointers(
            &schema,
            &event("{}", "{}", &format!(r#"{{"{key}":{value}}}"#)),
        );
        assert!(found.len() <= 1);
        found.into_iter().next().map(|(_, code)| code)
    };
    let text = |n: usize| format!("\"{}\"", "é".repeat(n));
    assert_eq!(one(&"k".repeat(40), &text(500)), None);
    assert_eq!(one("k", &text(501)), Some(ProblemCode::TooLong));
    assert_eq!(one(&"k".repeat(41), "1"), Some(ProblemCode::BadPattern));
    assert_eq!(one("a.b", "true"), Some(ProblemCode::BadPattern));
    assert_eq!(one("k", "[1]"), Some(ProblemCode::WrongType));
    assert_eq!(one("k", r#"{"a":1}"#), Some(ProblemCode::WrongType));
    let keys = |n: usize| {
        let members: Vec<String> = (0..n).map(|i| format!(r#""k{i}":1"#)).collect();
        pointers(
            &schema,
            &event("{}", "{}", &format!("{{{}}}", members.join(","))),
        )
    };
    assert_eq!(keys(50), []);
    assert_eq!(keys(51), [("/metadata".to_owned(), ProblemCode::TooMany)]);
    // A key with a slash is named so that a JSON pointer finds it.
    let found = pointers(&schema, &event("{}", "{}", r#"{"a/b~c":1}"#));
    assert_eq!(found[0].0, "/metadata/a~1b~0c");
}

#[test]
fn bad_schemas_are_refused_by_name() {
    let cases = [
        ("[]", "", ProblemCode::WrongType),
        ("{}", "/targets", ProblemCode::Required),
        (r#"{"targets":[]}"#, "/targets", ProblemCode::Required),
        (r#"{"targets":{}}"#, "/targets", ProblemCode::WrongType),
        (r#"{"targets":[1]}"#, "/targets/0", ProblemCode::WrongType),
        (
            r#"{"targets":[{}]}"#,
            "/targets/0/type",
            ProblemCode::Required,
        ),
        (
            r#"{"targets":[{"type":"a b"}]}"#,
            "/targets/0/type",
            ProblemCode::BadPattern,
        ),
        (
            r#"{"targets":[{"type":"a"},{"type":"a"}]}"#,
            "/targets/1/type",
            ProblemCode::Duplicate,
        ),
        (
            r#"{"targets":[{"type":"a"}],"actor":[]}"#,
            "/actor",
            ProblemCode::WrongType,
        ),
        (
            r#"{"targets":[{"type":"a"}],"metadata":1}"#,
            "/metadata",
            ProblemCode::WrongType,
        ),
        (
            r#"{"targets":[{"type":"a"}],"metadata":{"type":"array"}}"#,
            "/metadata/type",
            ProblemCode::SchemaMismatch,
        ),
        (
            r#"{"targets":[{"type":"a"}],"metadata":{"patternProperties":{}}}"#,
            "/metadata/patternProperties",
            ProblemCode::Unknown,
        ),
        (
            r#"{"targets":[{"type":"a"}],"metadata":{"properties":{"k":{"pattern":"x"}}}}"#,
            "/metadata/properties/k/pattern",
            ProblemCode::Unknown,
        ),
        (
            r#"{"targets":[{"type":"a"}],"metadata":{"properties":{"k":{"type":"object"}}}}"#,
            "/metadata/properties/k/type",
            ProblemCode::SchemaMismatch,
        ),
    ];
    for (text, pointer, code) in cases {
        let problem = &read(text).unwrap_err().problems[0];
        assert_eq!(
            (problem.pointer.as_str(), problem.code),
            (pointer, code),
            "{text}"
        );
    }
    let many: Vec<String> = (0..21).map(|i| format!(r#"{{"type":"t{i}"}}"#)).collect();
    let many = read(&format!(r#"{{"targets":[{}]}}"#, many.join(","))).unwrap_err();
    assert_eq!(many.problems[0].code, ProblemCode::TooMany);
}

fn any_json() -> impl Strategy<Value = Json> {
    let word = prop::sample::select(vec![
        "type",
        "object",
        "string",
        "number",
        "properties",
        "required",
        "metadata",
        "targets",
        "actor",
        "enum",
        "additionalProperties",
        "k",
    ]);
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        word.clone().prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            prop::collection::vec((word.clone(), inner), 0..5)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_read_is_written_and_read_the_same(json in any_json(), metadata in any_json()) {
        let target = Object::from_iter([("type", "invoice")]);
        let mut body = Object::from_iter([("targets", Json::from(vec![target]))]);
        body.insert("metadata", metadata);
        for candidate in [json, Json::Object(body)] {
            if let Ok(schema) = ActionSchema::from_json(&candidate) {
                prop_assert_eq!(ActionSchema::from_json(&schema.to_json()).unwrap(), schema.clone());
                schema.check(&event("{}", "{}", r#"{"k":1,"type":"x"}"#));
            }
        }
    }
}
