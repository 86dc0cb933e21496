use annals_event::{
    Actor, Catalogue, DecodeError, Draft, Drafts, Event, EventError, Failure, Json, Object,
    ProblemCode, Row, Rules, Section, Target, Timestamp, UNSPECIFIED, contains_email, is_event_id,
    limits,
};
use proptest::prelude::*;
use serde::de::DeserializeSeed as _;

use crate::{event, strategy};

pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-11-22T09:00:00Z").expect("a time")
}

fn fresh() -> String {
    "fresh-id".to_owned()
}

fn small() -> Event {
    Event::from_json(event::SMALL.as_bytes()).expect("valid")
}

fn full() -> Event {
    Event::from_json(event::FULL.as_bytes()).expect("valid")
}

fn draft(event: Event) -> Draft {
    Draft::new(event, &Rules::open(), now(), fresh).expect("valid")
}

fn refused(event: Event, rules: &Rules<'_>) -> Vec<(String, ProblemCode)> {
    let EventError { problems } = Draft::new(event, rules, now(), fresh).expect_err("refused");
    problems
        .into_iter()
        .map(|problem| (problem.pointer, problem.code))
        .collect()
}

fn one(pointer: &str, code: ProblemCode) -> Vec<(String, ProblemCode)> {
    vec![(pointer.to_owned(), code)]
}

fn texts(draft: &Draft) -> Vec<Option<&str>> {
    draft.sections.iter().map(Section::text).collect()
}

fn row(draft: Draft) -> Row {
    Row::new(0, now(), "key_1", draft)
}

#[test]
fn an_event_is_split_into_what_is_clear_and_its_sections() {
    let draft = draft(full());
    let s = &draft.skeleton;
    assert_eq!(
        (s.id.as_str(), s.action.as_str()),
        ("evt-1", "issue.status_updated")
    );
    assert_eq!(
        (s.actor.id.as_deref(), s.actor.kind.as_str()),
        (Some("user_1"), "user")
    );
    assert_eq!(
        (s.actor.role.as_deref(), s.failure.as_deref()),
        (Some("admin"), Some("internal_error"))
    );
    assert_eq!(s.targets[1].id.as_deref(), Some("user_3"));
    assert!(draft.given_id);
    assert_eq!(
        texts(&draft),
        [
            Some(
                r#"{"email":"ann@example.com","metadata":{"team":"core"},"name":"Ann","on_behalf_of":{"email":"bob@example.com","id":"user_2","name":"Bob","type":"user"}}"#
            ),
            Some(
                r#"{"correlation_id":"c","location":"192.0.2.1","request_id":"r","session_id":"s","source":"web","trace":"t","user_agent":"Firefox"}"#
            ),
            Some(
                r#"{"failure":{"detail":"Try again.","stage":"persist"},"metadata":{"bulk":false,"list":[1,null,"x"],"ratio":0.5},"next":{"status":null},"previous":{"status":"open"},"version":2}"#
            ),
            Some(r#"{"metadata":{"number":7},"name":"Broken"}"#),
            Some(r#"{"email":"cy@example.com","name":"Cy"}"#),
        ]
    );
}

#[test]
fn only_the_actors_section_is_there_without_values() {
    let draft = draft(small());
    assert_eq!(texts(&draft), [Some("{}"), None, None]);
    assert_eq!(draft.sections[1..], [Section::Empty, Section::Empty]);
    assert_eq!(
        (draft.skeleton.id.as_str(), draft.given_id),
        ("fresh-id", false)
    );
}

#[test]
fn a_failure_of_the_catalogue_always_has_a_reason_of_its_list() {
    let failed = |failure: Option<Failure>, metadata: &str| {
        let mut event = small();
        event.action = "user.login_failed".to_owned();
        event.failure = failure;
        let Json::Object(metadata) = Json::parse(metadata.as_bytes()).expect("valid") else {
            panic!()
        };
        event.metadata = (!metadata.is_empty()).then_some(metadata);
        let draft = draft(event);
        let reason = draft.skeleton.failure.clone().expect("a failure");
        (
            reason,
            draft.sections[Section::DETAILS].text().map(str::to_owned),
        )
    };
    let because = |reason| Some(Failure::because(reason));
    assert_eq!(failed(None, "{}"), (UNSPECIFIED.to_owned(), None));
    assert_eq!(
        failed(Some(Failure::default()), "{}"),
        (UNSPECIFIED.to_owned(), None)
    );
    assert_eq!(
        failed(because("invalid_password"), "{}"),
        ("invalid_password".to_owned(), None)
    );
    let kept = r#"{"failure":{"reason":"moon phase"}}"#.to_owned();
    assert_eq!(
        failed(because("moon phase"), "{}"),
        (UNSPECIFIED.to_owned(), Some(kept))
    );
    let kept = r#"{"failure":{"reason":"moon_phase"}}"#.to_owned();
    assert_eq!(
        failed(because("moon_phase"), "{}"),
        (UNSPECIFIED.to_owned(), Some(kept))
    );
    // Clients of WorkOS can only use the metadata.
    let moved = failed(None, r#"{"failure_reason":"sso_required","n":1}"#);
    assert_eq!(
        moved,
        (
            "sso_required".to_owned(),
            Some(r#"{"metadata":{"n":1}}"#.to_owned())
        )
    );
    let left = failed(None, r#"{"failure_reason":"other"}"#);
    assert_eq!(
        left,
        (
            UNSPECIFIED.to_owned(),
            Some(r#"{"metadata":{"failure_reason":"other"}}"#.to_owned())
        )
    );
    let given = failed(
        because("sso_required"),
        r#"{"failure_reason":"invalid_password"}"#,
    );
    assert_eq!(given.0, "sso_required");
    assert_eq!(
        given.1.as_deref(),
        Some(r#"{"metadata":{"failure_reason":"invalid_password"}}"#)
    );
}

#[test]
fn other_actions_fail_where_they_say_so() {
    let failed = |reason: Option<&str>| {
        let mut event = small();
        event.failure = Some(Failure {
            reason: reason.map(str::to_owned),
            ..Failure::default()
        });
        draft(event).skeleton.failure
    };
    assert_eq!(draft(small()).skeleton.failure, None);
    assert_eq!(
        failed(Some("card_declined")).as_deref(),
        Some("card_declined")
    );
    assert_eq!(failed(Some("card declined")).as_deref(), Some(UNSPECIFIED));
    assert_eq!(failed(None).as_deref(), Some(UNSPECIFIED));
    let mut event = small();
    event.metadata = Some(Object::from_iter([("failure_reason", "sso_required")]));
    assert_eq!(draft(event).skeleton.failure, None);
}

#[test]
fn what_names_a_person_stays_out_of_the_clear() {
    let mut event = small();
    event.actor.id = "ann@example.com".to_owned();
    event.actor.role = Some("Head of Ann's team".to_owned());
    event.targets = vec![
        Target::new("person", "p_1"),
        Target::new("user", "mailto:bob@example.com"),
        Target::new("user", "u_1"),
    ];
    let personal = ["person".to_owned()];
    let rules = Rules {
        personal_types: &personal,
        ..Rules::open()
    };
    let draft = Draft::new(event.clone(), &rules, now(), fresh).expect("valid");
    let s = &draft.skeleton;
    assert_eq!(
        (&s.actor.id, &s.actor.role, s.actor.kind.as_str()),
        (&None, &None, "user")
    );
    let ids: Vec<_> = s
        .targets
        .iter()
        .map(|target| target.id.as_deref())
        .collect();
    assert_eq!(ids, [None, None, Some("u_1")]);
    assert_eq!(
        texts(&draft)[0],
        Some(r#"{"id":"ann@example.com","role":"Head of Ann's team"}"#)
    );
    assert_eq!(
        texts(&draft)[3..],
        [
            Some(r#"{"id":"p_1"}"#),
            Some(r#"{"id":"mailto:bob@example.com"}"#),
            None
        ]
    );
    event.id = Some("fresh-id".to_owned());
    assert_eq!(row(draft).to_event(), event);
}

#[test]
fn email_addresses_are_found_in_ids() {
    for text in [
        "a@b",
        "ann@example.com",
        "auth0|ann@example.com",
        "x:a+b@c.de",
        "a%40b.de",
        "müller@例え.jp",
        "a@@b@c",
    ] {
        assert!(contains_email(text), "{text}");
    }
    for text in [
        "",
        "user_1",
        "@ann",
        "ann@",
        "https://x.example/@ann",
        "a @b",
        "50%",
        "@",
        "a@-",
    ] {
        assert!(!contains_email(text), "{text}");
    }
    for (text, accepted) in [
        ("x", true),
        ("~!-", true),
        ("", false),
        ("a b", false),
        ("é", false),
        ("a@b", false),
        ("\u{7f}", false),
    ] {
        assert_eq!(is_event_id(text), accepted, "{text}");
    }
}

#[test]
fn the_clock_bounds_the_future_and_not_the_past() {
    let at = |micros: i64| {
        let mut event = small();
        event.occurred_at = Timestamp::from_micros(now().as_micros() + micros).expect("in range");
        Draft::new(event, &Rules::open(), now(), fresh).map(|draft| draft.skeleton.occurred_at)
    };
    assert!(at(limits::AHEAD_MICROS - 1).is_ok() && at(limits::AHEAD_MICROS).is_ok());
    let error = at(limits::AHEAD_MICROS + 1).expect_err("too far ahead");
    assert_eq!(
        (error.problems[0].field(), error.problems[0].code),
        ("occurred_at".to_owned(), ProblemCode::InFuture)
    );
    let mut event = small();
    event.occurred_at = Timestamp::MIN;
    assert!(Draft::new(event, &Rules::open(), now(), fresh).is_ok());
}

#[test]
fn our_prefix_is_ours() {
    let mut event = small();
    // Searches do not tell upper case from lower case, so neither does this.
    for action in ["AUDIT_LOG.viewed", "Audit_log.x", "audit_log.viewed"] {
        event.action = action.to_owned();
        assert_eq!(
            refused(event.clone(), &Rules::open()),
            one("/action", ProblemCode::Reserved)
        );
    }
    assert!(Draft::new(event, &Rules::internal(), now(), fresh).is_ok());
    let mut event = small();
    event.action = "audit_logs".to_owned();
    assert!(Draft::new(event, &Rules::open(), now(), fresh).is_ok());
}

#[test]
fn a_strict_installation_takes_what_it_knows() {
    let catalogue = Catalogue::with_actions(["invoice.paid".to_owned()]);
    let strict = Rules {
        catalogue: &catalogue,
        strict: true,
        ..Rules::open()
    };
    for (action, known) in [
        ("user.login", true),
        ("invoice.paid", true),
        ("invoice.sent", false),
    ] {
        let mut event = small();
        event.action = action.to_owned();
        assert!(Draft::new(event.clone(), &Rules::open(), now(), fresh).is_ok());
        match Draft::new(event.clone(), &strict, now(), fresh) {
            Ok(_) => assert!(known),
            Err(_) => {
                assert!(!known);
                assert_eq!(
                    refused(event, &strict),
                    one("/action", ProblemCode::NotInCatalogue)
                );
            }
        }
    }
}

/// `length` letters that are allowed everywhere.
fn letters(length: usize) -> String {
    "x".repeat(length)
}

#[test]
fn every_text_has_its_limit() {
    type Put = fn(&mut Event, String);
    let names: [(&str, Put); 3] = [
        ("/action", |event, text| event.action = text),
        ("/actor/type", |event, text| event.actor.kind = text),
        ("/targets/0/type", |event, text| {
            event.targets = vec![Target::new(text, "a")]
        }),
    ];
    let ids: [(&str, Put); 3] = [
        ("/actor/id", |event, text| event.actor.id = text),
        ("/targets/0/id", |event, text| {
            event.targets = vec![Target::new("a", text)]
        }),
        ("/actor/on_behalf_of/id", |event, text| {
            event.actor.on_behalf_of = Some(annals_event::OnBehalfOf {
                id: text,
                kind: "user".to_owned(),
                ..Default::default()
            });
        }),
    ];
    let texts: [(&str, Put); 8] = [
        ("/actor/name", |event, text| event.actor.name = Some(text)),
        ("/actor/email", |event, text| event.actor.email = Some(text)),
        ("/actor/role", |event, text| event.actor.role = Some(text)),
        ("/targets/0/name", |event, text| {
            event.targets = vec![Target::new("a", "b").named(text)]
        }),
        ("/context/user_agent", |event, text| {
            event.context.user_agent = Some(text)
        }),
        ("/failure/detail", |event, text| {
            event.failure = Some(Failure {
                detail: Some(text),
                ..Failure::default()
            });
        }),
        ("/metadata/k", |event, text| {
            event.metadata = Some(Object::from_iter([("k", text)]))
        }),
        ("/next/k/0", |event, text| {
            event.next = Some(Object::from_iter([("k", vec![text])]))
        }),
    ];
    let limited = names.map(|case| (case, limits::NAME_BYTES)).into_iter();
    let limited = limited.chain(ids.map(|case| (case, limits::ID_BYTES)));
    for ((pointer, put), limit) in limited.chain(texts.map(|case| (case, limits::TEXT_BYTES))) {
        for length in [limit - 1, limit, limit + 1] {
            let mut event = small();
            put(&mut event, letters(length));
            match Draft::new(event.clone(), &Rules::open(), now(), fresh) {
                Ok(_) => assert!(length <= limit, "{pointer}"),
                Err(_) => {
                    assert!(length > limit, "{pointer}");
                    assert_eq!(
                        refused(event, &Rules::open()),
                        one(pointer, ProblemCode::TooLong)
                    );
                }
            }
        }
        let mut event = small();
        put(&mut event, "a\0".to_owned());
        assert_eq!(
            refused(event, &Rules::open()),
            one(pointer, ProblemCode::BadPattern)
        );
    }
    for (pointer, put) in names.into_iter().chain(ids) {
        let mut event = small();
        put(&mut event, String::new());
        assert_eq!(
            refused(event, &Rules::open()),
            one(pointer, ProblemCode::Required)
        );
    }
    for length in [127, 128, 129] {
        let mut event = small();
        event.id = Some(letters(length));
        assert_eq!(
            Draft::new(event, &Rules::open(), now(), fresh).is_ok(),
            length <= 128
        );
    }
}

#[test]
fn objects_have_limits() {
    let put = |metadata: Object| Event {
        metadata: Some(metadata),
        ..small()
    };
    for count in [99, 100, 101] {
        let members = Object::from_iter((0..count).map(|n| (format!("k{n}"), n)));
        let nested = Object::from_iter([("inner", members.clone())]);
        for (event, pointer) in [
            (put(members), "/metadata"),
            (put(nested), "/metadata/inner"),
        ] {
            match Draft::new(event.clone(), &Rules::open(), now(), fresh) {
                Ok(_) => assert!(count <= 100),
                Err(_) => assert_eq!(
                    refused(event, &Rules::open()),
                    one(pointer, ProblemCode::TooMany)
                ),
            }
        }
    }
    for length in [127, 128, 129] {
        let event = put(Object::from_iter([(letters(length), true)]));
        match Draft::new(event.clone(), &Rules::open(), now(), fresh) {
            Ok(_) => assert!(length <= 128),
            Err(_) => assert_eq!(
                refused(event, &Rules::open()),
                one("/metadata", ProblemCode::TooLong)
            ),
        }
    }
    let reserved = put(Object::from_iter([("$erased", true)]));
    assert_eq!(
        refused(reserved, &Rules::open()),
        one("/metadata/$erased", ProblemCode::Reserved)
    );
    let inner = put(Object::from_iter([(
        "a",
        Object::from_iter([("$ref", true)]),
    )]));
    assert!(Draft::new(inner, &Rules::open(), now(), fresh).is_ok());
    let mut deep = Json::from(1);
    for _ in 0..8 {
        deep = Json::from(vec![deep]);
    }
    let event = put(Object::from_iter([("a", deep)]));
    assert_eq!(
        refused(event, &Rules::open()),
        one(
            &format!("/metadata/a{}", "/0".repeat(7)),
            ProblemCode::TooDeep
        )
    );
}

#[test]
fn sixty_kibibytes_are_the_most() {
    let with = |extra: usize| {
        let mut event = small();
        event.metadata = Some(Object::from_iter(
            (0..7).map(|n| (format!("k{n}"), letters(8_192))),
        ));
        event.context.user_agent = Some(letters(extra));
        event
    };
    let base = draft(with(0)).size();
    let room = limits::RECORD_BYTES - base;
    assert_eq!(draft(with(room - 1)).size(), limits::RECORD_BYTES - 1);
    assert_eq!(draft(with(room)).size(), limits::RECORD_BYTES);
    let error = Draft::new(with(room + 1), &Rules::open(), now(), fresh).expect_err("too large");
    assert_eq!(error.problems[0].code, ProblemCode::TooLarge);
    assert_eq!(
        error.to_string(),
        "the event has 61441 bytes, the limit is 61440"
    );
}

#[test]
fn a_repeated_event_is_the_same_even_when_it_is_erased() {
    let mut other = full();
    let original = draft(full());
    assert!(original.same_event(&draft(full())));
    other.actor.name = Some("Anne".to_owned());
    let other = draft(other);
    assert!(!original.same_event(&other));
    let mut erased = original.clone();
    erased.sections[Section::ACTOR] = Section::Withheld([7; 32]);
    assert!(erased.same_event(&original) && other.same_event(&erased));
    let mut later = full();
    later.occurred_at = now();
    later.targets.pop();
    assert!(!erased.same_event(&draft(later)));
}

#[test]
fn a_row_tells_what_was_erased() {
    let mut event = full();
    event.actor.id = "ann@example.com".to_owned();
    let mut draft = draft(event);
    for k in [Section::ACTOR, Section::DETAILS, Section::TARGETS + 1] {
        draft.sections[k] = Section::Withheld([7; 32]);
    }
    let row = row(draft);
    assert_eq!(row.erased(), ["actor", "details", "target.1"]);
    assert_eq!(
        (row.actor_id(), row.actor_name(), row.actor_role()),
        (None, None, Some("admin"))
    );
    assert_eq!(
        (row.failure_reason(), row.failure_stage()),
        (Some("internal_error"), None)
    );
    let event = row.to_event().to_json();
    assert_eq!(
        event.get("actor").map(Json::to_canonical).as_deref(),
        Some(r#"{"role":"admin","type":"user"}"#)
    );
    assert_eq!(event.get("metadata"), None);
    assert_eq!(
        event
            .get("context")
            .and_then(|context| context.get("source")),
        Some(&Json::from("web"))
    );
}

#[test]
fn bytes_of_another_version_are_refused() {
    let mut bytes = Vec::new();
    draft(full()).encode(&mut bytes);
    bytes[0] = 2;
    assert_eq!(Draft::decode(&bytes), Err(DecodeError::Version(2)));
    assert_eq!(Draft::decode(&[]), Err(DecodeError::Length));
}

/// What the straight way makes of a text.
fn straight(text: &[u8], rules: &Rules<'_>) -> Option<Draft> {
    let text = std::str::from_utf8(text).ok()?;
    let mut drafts = Drafts::from(draft(small()));
    let before = drafts.clone();
    let mut input = serde_json::Deserializer::from_str(text);
    let (id, declines) = (fresh, |action: &str| action == "declined");
    let taken = drafts
        .straight(*rules, now(), &id, &declines)
        .deserialize(&mut input);
    if taken.is_err() {
        assert_eq!(drafts.bytes(0), before.bytes(0));
        assert_eq!(
            (drafts.len(), drafts.size()),
            (1, before.size()),
            "nothing was appended"
        );
        return None;
    }
    input.end().ok()?;
    let draft = drafts.get(1).expect("appended").to_draft();
    Some(draft.expect("texts"))
}

/// What the thorough way makes of it.
fn thorough(text: &[u8], rules: &Rules<'_>) -> Option<Draft> {
    let event = Event::from_json(text).ok()?;
    Draft::new(event, rules, now(), fresh).ok()
}

/// If it were to decline all, nobody would notice but by the time that it takes.
#[test]
fn the_straight_way_takes_what_is_plain() {
    let unsorted = event::SMALL.replace(
        "\"context\":{}",
        r#""context":{},"metadata":{"z":1.50,"b":[{"y":true,"x":null}],"a":"\u00e9\n","c":{}}"#,
    );
    for text in [event::SMALL, event::FULL, &unsorted] {
        let taken = straight(text.as_bytes(), &Rules::open());
        assert!(taken.is_some(), "{text}");
        assert_eq!(taken, thorough(text.as_bytes(), &Rules::open()));
    }
    let declined = event::SMALL.replace(&small().action, "declined");
    assert!(straight(declined.as_bytes(), &Rules::open()).is_none());
}

proptest! {
    /// What the straight way takes, it takes as the thorough one does.
    #[test]
    fn the_straight_way_and_the_thorough_one_agree(
        event in strategy::event(),
        changes in proptest::collection::vec(
            (any::<prop::sample::Index>(), prop::sample::select(b"{}[]\",:0\\nu x$@\n".to_vec())),
            0..3,
        ),
        (strict, internal) in any::<(bool, bool)>(),
    ) {
        let mut text = event.to_json().to_canonical().into_bytes();
        for (at, letter) in changes {
            let at = at.index(text.len());
            text[at] = letter;
        }
        let personal = ["person".to_owned()];
        let rules = Rules { personal_types: &personal, strict, internal, ..Rules::open() };
        if let Some(taken) = straight(&text, &rules) {
            prop_assert_eq!(Some(taken), thorough(&text, &rules));
        }
    }

    /// With its id, an event comes back exactly as it was sent.
    #[test]
    fn what_goes_in_comes_out(mut event in strategy::event()) {
        let personal = ["person".to_owned()];
        let rules = Rules { personal_types: &personal, ..Rules::open() };
        let draft = Draft::new(event.clone(), &rules, Timestamp::MAX, fresh).expect("valid");
        event.id.get_or_insert_with(fresh);
        let row = Row::new(3, now(), "key", draft);
        prop_assert_eq!(row.to_event().to_json().to_canonical(), event.to_json().to_canonical());
        // And recorded again it is the same event.
        let again = Draft::new(row.to_event(), &rules, Timestamp::MAX, fresh).expect("valid");
        prop_assert!(again.same_event(&row.draft));
    }

    #[test]
    fn sections_are_canonical(event in strategy::event()) {
        let draft = Draft::new(event, &Rules::open(), Timestamp::MAX, fresh).expect("valid");
        for text in texts(&draft).into_iter().flatten() {
            prop_assert_eq!(Json::parse(text.as_bytes()).expect("valid").to_canonical(), text);
        }
    }

    #[test]
    fn bytes_survive(event in strategy::event(), erased in any::<u8>()) {
        let mut draft = Draft::new(event, &Rules::open(), Timestamp::MAX, fresh).expect("valid");
        for (k, section) in draft.sections.iter_mut().enumerate() {
            if erased >> k & 1 == 1 {
                *section = Section::Withheld([erased; 32]);
            }
        }
        let mut bytes = Vec::new();
        draft.encode(&mut bytes);
        prop_assert_eq!(Draft::decode(&bytes), Ok(draft));
        for length in 0..bytes.len() {
            prop_assert!(Draft::decode(&bytes[..length]).is_err());
        }
        bytes.push(0);
        prop_assert_eq!(Draft::decode(&bytes), Err(DecodeError::Length));
    }
}

#[test]
fn an_actor_of_code_is_checked_like_one_of_the_wire() {
    let event = Event::new("a b", now(), Actor::new("", "x"));
    let expected = [
        ("/action", ProblemCode::BadPattern),
        ("/actor/type", ProblemCode::Required),
    ];
    assert_eq!(
        refused(event, &Rules::open()),
        expected.map(|(pointer, code)| (pointer.to_owned(), code))
    );
}
