//! Random events, as proptest strategies.

use annals_event::{
    Actor, Context, Event, Failure, Json, Number, Object, OnBehalfOf, Target, Timestamp,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// Characters where encodings differ: escapes, two to four bytes, both sides of the surrogates, plain ones.
fn letter() -> impl Strategy<Value = char> {
    prop_oneof![
        4 => proptest::char::range(' ', '~'),
        1 => prop::sample::select(vec!['\u{1}', '\u{8}', '\t', '\n', '\u{b}', '\u{c}', '\r', '\u{1f}', '\u{7f}']),
        1 => prop::sample::select(vec!['"', '\\', '/', '\u{80}', 'é', 'ß', '€', '\u{2028}', '\u{d7ff}', '\u{e000}', '\u{fb33}', '\u{fffd}', '\u{ffff}', '\u{10000}', '😀', '\u{10ffff}']),
        1 => any::<char>().prop_filter("no NUL", |c| *c != '\0'),
    ]
}

pub(crate) fn text() -> impl Strategy<Value = String> {
    vec(letter(), 0..12).prop_map(String::from_iter)
}

pub(crate) fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        (-9_007_199_254_740_991i64..=9_007_199_254_740_991)
            .prop_filter_map("safe", Number::from_i64),
        (-50i64..50).prop_filter_map("safe", Number::from_i64),
        any::<u64>().prop_filter_map("finite", |bits| Number::from_f64(f64::from_bits(bits))),
        (-1e6..1e6f64).prop_filter_map("finite", Number::from_f64),
    ]
}

pub(crate) fn value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        number().prop_map(Json::Number),
        text().prop_map(Json::String),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Json::Array),
            vec((text(), inner), 0..5).prop_map(|members| Json::Object(Object::from_iter(members))),
        ]
    })
}

/// Members of a free object: no key starts with `$`.
pub(crate) fn object() -> impl Strategy<Value = Object> {
    let key = text().prop_filter("not reserved", |key| !key.starts_with('$'));
    vec((key, value()), 0..5).prop_map(Object::from_iter)
}

pub(crate) fn name() -> impl Strategy<Value = String> {
    vec(
        prop::sample::select("abcXYZ019_.:/-".chars().collect::<Vec<_>>()),
        1..12,
    )
    .prop_map(String::from_iter)
    .prop_filter("not reserved", |name| !name.starts_with("audit_log."))
}

fn id() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => name(),
        1 => Just("ann@example.com".to_owned()),
        1 => Just("schöne id €".to_owned()),
    ]
}

fn kind() -> impl Strategy<Value = String> {
    prop_oneof![name(), Just("user".to_owned()), Just("person".to_owned())]
}

pub(crate) fn time() -> impl Strategy<Value = Timestamp> {
    (Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros())
        .prop_filter_map("in range", Timestamp::from_micros)
}

fn maybe() -> impl Strategy<Value = Option<String>> {
    option::of(text())
}

fn actor() -> impl Strategy<Value = Actor> {
    let party = || (id(), kind(), maybe(), maybe());
    let role = option::of(prop_oneof![name(), text()]);
    let behalf = option::of(party().prop_map(|(id, kind, name, email)| OnBehalfOf {
        id,
        kind,
        name,
        email,
    }));
    (party(), role, option::of(object()), behalf).prop_map(
        |((id, kind, name, email), role, metadata, on_behalf_of)| Actor {
            id,
            kind,
            name,
            email,
            role,
            metadata,
            on_behalf_of,
        },
    )
}

fn target() -> impl Strategy<Value = Target> {
    (id(), kind(), maybe(), maybe(), option::of(object())).prop_map(
        |(id, kind, name, email, metadata)| Target {
            id,
            kind,
            name,
            email,
            metadata,
        },
    )
}

fn context() -> impl Strategy<Value = Context> {
    [
        maybe(),
        maybe(),
        maybe(),
        maybe(),
        maybe(),
        maybe(),
        maybe(),
    ]
    .prop_map(
        |[
            location,
            user_agent,
            source,
            session_id,
            request_id,
            correlation_id,
            trace,
        ]| Context {
            location,
            user_agent,
            source,
            session_id,
            request_id,
            correlation_id,
            trace,
        },
    )
}

/// A failure, with a reason: one without gets `unspecified` when it is recorded.
fn failure() -> impl Strategy<Value = Failure> {
    let reason = prop_oneof![Just("invalid_password".to_owned()), name(), text()];
    (reason, maybe(), maybe()).prop_map(|(reason, stage, detail)| Failure {
        reason: Some(reason),
        stage,
        detail,
    })
}

/// An event that is valid and that recording leaves as it is.
pub(crate) fn event() -> impl Strategy<Value = Event> {
    let action = prop_oneof![name(), Just("user.login".to_owned())];
    let head = (
        option::of(name()),
        action,
        time(),
        actor(),
        vec(target(), 0..4),
        context(),
    );
    let tail = (
        option::of(object()),
        option::of(any::<u32>()),
        option::of(failure()),
        option::of(object()),
        option::of(object()),
    );
    (head, tail).prop_map(
        |(
            (id, action, occurred_at, actor, targets, context),
            (metadata, version, failure, previous, next),
        )| Event {
            id,
            action,
            occurred_at,
            actor,
            targets,
            context,
            metadata,
            version,
            failure,
            previous,
            next,
        },
    )
}
