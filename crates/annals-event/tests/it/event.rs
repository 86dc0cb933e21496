use annals_event::{Event, Json, ProblemCode};
use proptest::prelude::*;

use crate::strategy;

/// An event with every member that exists.
pub(crate) const FULL: &str = r#"{
    "id": "evt-1", "action": "issue.status_updated", "occurred_at": "2026-11-22T10:00:00.25+01:00", "version": 2,
    "actor": {"id": "user_1", "type": "user", "name": "Ann", "email": "ann@example.com", "role": "admin",
        "metadata": {"team": "core"}, "on_behalf_of": {"id": "user_2", "type": "user", "name": "Bob", "email": "bob@example.com"}},
    "targets": [{"id": "issue_7", "type": "issue", "name": "Broken", "metadata": {"number": 7}},
        {"id": "user_3", "type": "user", "name": "Cy", "email": "cy@example.com"}],
    "context": {"location": "192.0.2.1", "user_agent": "Firefox", "source": "web", "session_id": "s", "request_id": "r",
        "correlation_id": "c", "trace": "t"},
    "metadata": {"bulk": false, "ratio": 0.5, "list": [1, null, "x"]},
    "failure": {"reason": "internal_error", "stage": "persist", "detail": "Try again."},
    "previous": {"status": "open"}, "next": {"status": null}
}"#;

pub(crate) const SMALL: &str = r#"{"action":"user.login","occurred_at":"2026-11-22T09:00:00Z",
    "actor":{"id":"user_1","type":"user"},"targets":[],"context":{}}"#;

fn value(text: &str) -> Json {
    Json::parse(text.as_bytes()).expect("valid JSON")
}

/// The problems of a text as `(pointer, code)`.
fn problems(text: &str) -> Vec<(String, ProblemCode)> {
    let error = Event::from_json(text.as_bytes()).expect_err(text);
    assert!(!error.problems.is_empty() && !error.to_string().is_empty());
    error
        .problems
        .into_iter()
        .map(|problem| (problem.pointer, problem.code))
        .collect()
}

#[test]
fn every_member_is_read_and_written_back() {
    let event = Event::from_json(FULL.as_bytes()).expect("valid");
    assert_eq!(event.actor.kind, "user");
    assert_eq!(event.targets[1].email.as_deref(), Some("cy@example.com"));
    assert_eq!(event.context.trace.as_deref(), Some("t"));
    let mut expected = value(FULL);
    if let Json::Object(members) = &mut expected {
        members.insert("occurred_at", "2026-11-22T09:00:00.250000Z");
    }
    assert_eq!(event.to_json(), expected);
    assert_eq!(Event::from_value(expected), Ok(event));
}

#[test]
fn the_smallest_event_has_five_members() {
    let event = Event::from_json(SMALL.as_bytes()).expect("valid");
    assert_eq!(
        (event.id, event.metadata, event.failure),
        (None, None, None)
    );
    use ProblemCode::Required;
    let all = ["action", "occurred_at", "actor", "targets", "context"];
    assert_eq!(
        problems("{}"),
        all.map(|member| (format!("/{member}"), Required))
    );
    for member in all {
        let Json::Object(mut members) = value(SMALL) else {
            panic!()
        };
        members.remove(member);
        assert_eq!(
            problems(&members.to_canonical()),
            [(format!("/{member}"), Required)]
        );
    }
}

/// Every place of the full event where a value can stand, with a token that no member has.
fn places() -> Vec<(&'static str, &'static str)> {
    vec![
        ("", "extra"),
        ("/actor", "verified"),
        ("/actor/on_behalf_of", "role"),
        ("/targets/0", "role"),
        ("/targets/1", "extra"),
        ("/context", "ip_address"),
        ("/failure", "code"),
    ]
}

fn with(root: &Json, pointer: &str, change: &mut dyn FnMut(&mut Json)) -> Json {
    fn step(value: &mut Json, tokens: &[&str], change: &mut dyn FnMut(&mut Json)) {
        let Some((token, rest)) = tokens.split_first() else {
            return change(value);
        };
        match value {
            Json::Object(members) => {
                let mut inner = members.get(token).cloned().unwrap_or(Json::Null);
                step(&mut inner, rest, change);
                members.insert(*token, inner);
            }
            Json::Array(elements) => {
                step(
                    &mut elements[token.parse::<usize>().expect("an index")],
                    rest,
                    change,
                );
            }
            _ => panic!("no such place"),
        }
    }
    let mut root = root.clone();
    let tokens: Vec<_> = pointer.split('/').skip(1).collect();
    step(&mut root, &tokens, change);
    root
}

#[test]
fn unknown_members_are_named() {
    for (object, key) in places() {
        let wrong = with(&value(FULL), object, &mut |value| {
            if let Json::Object(members) = value {
                members.insert(key, "x");
            }
        });
        assert_eq!(
            problems(&wrong.to_canonical()),
            [(format!("{object}/{key}"), ProblemCode::Unknown)]
        );
    }
}

#[test]
fn wrong_types_and_null_are_named() {
    let texts = [
        "/id",
        "/action",
        "/occurred_at",
        "/actor/id",
        "/actor/type",
        "/actor/name",
        "/actor/email",
        "/actor/role",
        "/actor/on_behalf_of/id",
        "/actor/on_behalf_of/type",
        "/actor/on_behalf_of/name",
        "/actor/on_behalf_of/email",
        "/targets/0/id",
        "/targets/0/type",
        "/targets/0/name",
        "/targets/1/email",
        "/context/location",
        "/context/user_agent",
        "/context/source",
        "/context/session_id",
        "/context/request_id",
        "/context/correlation_id",
        "/context/trace",
        "/failure/reason",
        "/failure/stage",
        "/failure/detail",
    ];
    let objects = [
        "/actor",
        "/actor/metadata",
        "/actor/on_behalf_of",
        "/targets/0",
        "/targets/0/metadata",
        "/context",
        "/metadata",
        "/failure",
        "/previous",
        "/next",
    ];
    let others = ["/version", "/targets"];
    for pointer in texts.into_iter().chain(objects).chain(others) {
        let text = texts.contains(&pointer);
        let wrong: [Json; 3] = [
            Json::Null,
            Json::Bool(true),
            if text {
                Json::from(Vec::<Json>::new())
            } else {
                Json::from("x")
            },
        ];
        for wrong in wrong {
            let event = with(&value(FULL), pointer, &mut |place| *place = wrong.clone());
            let found = problems(&event.to_canonical());
            assert_eq!(found, [(pointer.to_owned(), ProblemCode::WrongType)]);
        }
    }
    for text in ["[]", "null", "3", "\"x\""] {
        assert_eq!(problems(text), [(String::new(), ProblemCode::WrongType)]);
    }
    // An array must not pass for an object whose members it lists in order.
    let listed = SMALL.replace(r#"{"id":"user_1","type":"user"}"#, r#"["user_1","user"]"#);
    assert_eq!(
        problems(&listed),
        [("/actor".to_owned(), ProblemCode::WrongType)]
    );
}

#[test]
fn several_problems_come_together() {
    let text = r#"{"action":1,"actor":{"type":null,"x":1},"targets":[{"id":"a"},{"id":"b","type":"c"},7],"context":{"ip":"1"},
        "occurred_at":"yesterday","version":1.5}"#;
    use ProblemCode::{BadNumber, BadTime, Required, Unknown, WrongType};
    let expected = [
        ("/action", WrongType),
        ("/occurred_at", BadTime),
        ("/actor/id", Required),
        ("/actor/type", WrongType),
        ("/actor/x", Unknown),
        ("/targets/0/type", Required),
        ("/targets/2", WrongType),
        ("/context/ip", Unknown),
        ("/version", BadNumber),
    ];
    assert_eq!(
        problems(text),
        expected.map(|(pointer, code)| (pointer.to_owned(), code))
    );
}

#[test]
fn of_thousands_of_problems_twenty_are_told() {
    let members: Vec<String> = (0..5_000).map(|n| format!("\"k{n}\":1")).collect();
    let error = Event::from_json(format!("{{{}}}", members.join(",")).as_bytes()).unwrap_err();
    assert_eq!(error.problems.len(), 20);
    assert!(
        error.problems.capacity() < 40,
        "{}",
        error.problems.capacity()
    );
}

#[test]
fn problems_name_fields_and_never_values() {
    let text = SMALL.replace("\"user_1\"", "{\"secret\":\"hunter2\"}");
    let error = Event::from_json(text.as_bytes()).expect_err("an object for an id");
    assert_eq!(error.problems[0].field(), "actor.id");
    assert_eq!(
        error.to_string(),
        "actor.id must be a string, not an object"
    );
    let error = Event::from_json(&SMALL.as_bytes()[..60]).expect_err("half an event");
    assert_eq!(error.problems[0].code, ProblemCode::BadJson);
    assert!(error.to_string().contains("line 1"), "{error}");
}

#[test]
fn faults_of_the_text_are_told_with_their_place() {
    let cases = [
        (
            r#""user_1","type""#,
            r#""user_1","id":"x","type""#,
            "/actor/id",
            ProblemCode::Duplicate,
        ),
        (
            r#""user_1""#,
            r#""user\u0000""#,
            "/actor/id",
            ProblemCode::BadPattern,
        ),
        (
            r#""user_1""#,
            r#""user\ud800""#,
            "/actor/id",
            ProblemCode::BadJson,
        ),
        (
            r#""context":{}"#,
            r#""context":{},"version":1e400"#,
            "/version",
            ProblemCode::BadNumber,
        ),
        (
            r#""context":{}"#,
            r#""context":{},"metadata":{"n":9007199254740992}"#,
            "/metadata/n",
            ProblemCode::BadNumber,
        ),
        (
            r#""context":{}"#,
            r#""context":{},"context":{}"#,
            "/context",
            ProblemCode::Duplicate,
        ),
    ];
    for (from, to, pointer, code) in cases {
        assert_eq!(
            problems(&SMALL.replace(from, to)),
            [(pointer.to_owned(), code)]
        );
    }
    let large = SMALL.replace("user.login", &"x".repeat(65_536));
    assert_eq!(problems(&large), [(String::new(), ProblemCode::TooLarge)]);
}

#[test]
fn free_values_nest_eight_deep() {
    for member in ["metadata", "previous", "next"] {
        for (depth, accepted) in [(7, true), (8, true), (9, false)] {
            let nested = "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
            let text = SMALL.replace(
                "\"context\":{}",
                &format!("\"context\":{{}},\"{member}\":{nested}"),
            );
            if accepted {
                assert!(Event::from_json(text.as_bytes()).is_ok());
            } else {
                let pointer = format!("/{member}{}", "/a".repeat(8));
                assert_eq!(problems(&text), [(pointer, ProblemCode::TooDeep)]);
            }
        }
    }
}

#[test]
fn twenty_targets_are_the_most() {
    for (count, accepted) in [(19, true), (20, true), (21, false)] {
        let targets = vec![r#"{"id":"a","type":"b"}"#; count].join(",");
        let text = SMALL.replace("\"targets\":[]", &format!("\"targets\":[{targets}]"));
        match Event::from_json(text.as_bytes()) {
            Ok(event) => assert!(accepted && event.targets.len() == count),
            Err(_) => {
                assert!(!accepted);
                assert_eq!(
                    problems(&text),
                    [("/targets".to_owned(), ProblemCode::TooMany)]
                );
            }
        }
    }
}

proptest! {
    #[test]
    fn events_survive_their_text(event in strategy::event()) {
        let json = event.to_json();
        prop_assert_eq!(Event::from_json(json.to_canonical().as_bytes()), Ok(event.clone()));
        prop_assert_eq!(Event::from_value(json), Ok(event));
    }

    /// The straight reading and the thorough one accept the same texts and read the same from them.
    #[test]
    fn both_readings_agree(
        event in strategy::event(),
        cut in any::<prop::sample::Index>(),
        letter in prop::sample::select(b"{}[]\",:0\\nu x".to_vec()),
    ) {
        let mut text = event.to_json().to_canonical().into_bytes();
        let at = cut.index(text.len());
        text[at] = letter;
        let thorough = Json::parse(&text).ok().and_then(|value| Event::from_value(value).ok());
        prop_assert_eq!(Event::from_json(&text).ok(), thorough);
    }
}
