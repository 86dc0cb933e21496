//! What is understood, how it is printed, and what is refused where.

use annals_event::{Catalogue, Field, Query, Term, Timestamp, When};
use proptest::prelude::*;

/// What was typed, and its canonical text.
const UNDERSTOOD: &[(&str, &str)] = &[
    ("", ""),
    ("  \t\n ", ""),
    ("acme", "acme"),
    ("ACME  corp", "ACME corp"),
    ("\"acme corp\"", "\"acme corp\""),
    ("ac\"me co\"rp", "\"acme corp\""),
    ("*acme*", "acme"),
    ("ac*me", "ac*me"),
    ("*", "*"),
    ("-acme", "-acme"),
    ("NOT acme", "-acme"),
    ("\"-acme\"", "\"-acme\""),
    ("\"OR\" or \"NOT\"", "\"OR\" or \"NOT\""),
    ("a,b", "\"a,b\""),
    ("DOMAIN\\user", "DOMAIN\\user"),
    (r#""a\"b\\c\d""#, r#""a\"b\\c\\d""#),
    ("\"https://acme.io\"", "\"https://acme.io\""),
    ("ana@acme.io", "ana@acme.io"),
    (
        "action:user.login AND outcome:failure",
        "action:user.login outcome:failure",
    ),
    ("ACTION:User.Login", "action:User.Login"),
    (
        "event:\"User Login Failed\"",
        "action:\"User Login Failed\"",
    ),
    ("action:project", "action:project"),
    ("action:project.*", "action:project.*"),
    ("-actor:system", "-actor:system"),
    ("actor:ana,bo", "actor:ana,bo"),
    ("actor:(ana, \"Bo Li\" , c*)", "actor:ana,\"Bo Li\",c*"),
    ("actor:\"Ana \"*", "actor:\"Ana \"*"),
    ("actor:\"*\"", "actor:\"*\""),
    ("actor:**a**b**", "actor:*a*b*"),
    ("actor:-ana", "actor:-ana"),
    ("actor:\">5\"", "actor:\">5\""),
    ("reason:* -target.email:*", "reason:* -target.email:*"),
    ("actor_email:a@b.c", "actor.email:a@b.c"),
    ("outcome:FAILURE,success", "outcome:failure,success"),
    (
        "category:issue_tracking,USER",
        "category:\"Issue Tracking\",User",
    ),
    ("cidr:10.1.2.3/8", "ip:10.0.0.0/8"),
    (
        "ip:2001:DB8:0::1,192.0.2.7,91.2.*",
        "ip:2001:db8::1,192.0.2.7,91.2.*",
    ),
    ("meta.plan:pro", "meta.plan:pro"),
    ("metadata.a.b-c:*", "meta.a.b-c:*"),
    ("meta.\"two words\":x", "meta.\"two words\":x"),
    ("meta.\"a\\\"b\":x", "meta.\"a\\\"b\":x"),
    ("meta.\"a b\"", "\"meta.a b\""),
    (
        "next.role:admin previous.role:member",
        "next.role:admin previous.role:member",
    ),
    ("position:5,10..20,>=30", "position:5,10..20,>=30"),
    ("position:..7 position:7..", "position:..7 position:7.."),
    ("time:today time:Yesterday", "time:today time:yesterday"),
    ("time:-7d", "time:-7d"),
    ("time:>=-24H", "time:>=-24h"),
    ("time:-2w..now", "time:-2w..now"),
    ("time:2026-11", "time:2026-11"),
    (
        "occurred_at:2026-11-01..2026-11-22",
        "time:2026-11-01..2026-11-22",
    ),
    ("time:>2026-11-22T14:05", "time:>2026-11-22T14:05"),
    ("time:\"2026-11-22 14:05:09\"", "time:2026-11-22T14:05:09"),
    ("time:2026-11-22T14:05+01:00", "time:2026-11-22T13:05Z"),
    (
        "time:2026-11-22T14:05:09.1234567z",
        "time:2026-11-22T14:05:09.123456Z",
    ),
    ("time:2026-11-22T14:05:09.50", "time:2026-11-22T14:05:09.50"),
    ("recorded:<=2026-11-22", "recorded:<=2026-11-22"),
];

#[test]
fn what_is_understood_prints_its_canonical_text() {
    for (typed, canonical) in UNDERSTOOD {
        let query = Query::parse(typed).unwrap_or_else(|error| panic!("{typed}: {error}"));
        assert_eq!(query.to_string(), *canonical, "{typed}");
        assert_eq!(Query::parse(canonical), Ok(query), "{canonical}");
    }
}

/// What was typed, the column, a part of the message, the suggestion.
const REFUSED: &[(&str, usize, &str, &str)] = &[
    ("acter:ana", 1, "no field `acter`", "actor"),
    (
        "time:today actor.emial:x",
        12,
        "no field `actor.emial`",
        "actor.email",
    ),
    ("-otcome:failure", 2, "no field `otcome`", "outcome"),
    ("usr:7", 1, "no field `usr`", "\"usr:7\""),
    (
        "https://acme.io/a",
        1,
        "has to be quoted",
        "\"https://acme.io/a\"",
    ),
    ("x 2001:db8::1", 3, "no field `2001`", "ip:2001:db8::1"),
    (
        "2026-11-22T14:05:09Z",
        1,
        "no field",
        "time:2026-11-22T14:05:09Z",
    ),
    (":x", 1, "no field ``", "\":x\""),
    ("a*:b", 1, "quoted as a whole", ""),
    ("country:de", 1, "not available here", ""),
    ("-severity:high", 2, "not available here", ""),
    ("a OR b", 3, "OR between terms is not available here", ""),
    ("AND a", 1, "both sides", ""),
    ("a AND", 3, "both sides", ""),
    ("a AND AND b", 7, "both sides", ""),
    ("NOT", 1, "needs a term", ""),
    ("a -", 3, "excludes the term after it", ""),
    ("--a", 1, "excludes the term after it", ""),
    ("(a b)", 1, "not available here", ""),
    ("-(a b)", 2, "not available here", ""),
    ("a(b)", 2, "Parentheses", ""),
    ("a)", 2, "closes nothing", ""),
    ("say \"hello", 5, "not closed", ""),
    ("actor:", 7, "missing after `actor:`", ""),
    ("actor:ana, x", 11, "missing after", ""),
    ("actor:()", 8, "missing after", ""),
    ("actor:(a b)", 10, "separated by commas", ""),
    ("actor:(a,b", 7, "not closed", ""),
    ("actor:(a)b", 10, "blank", ""),
    ("actor:\"\"", 7, "Empty quotes", ""),
    ("\"\"", 1, "Empty quotes", ""),
    ("meta.:x", 1, "needs a key", ""),
    ("actor:>5", 7, "cannot be compared", ""),
    ("outcome:failed", 9, "success or failure", "failure"),
    ("outcome:*", 9, "success or failure", ""),
    ("category:billing", 10, "Issue Tracking", ""),
    ("ip:acme", 4, "write an address", ""),
    ("ip:10.0.0.0/40", 4, "write an address", ""),
    ("position:-1", 10, "write a number", ""),
    ("position:9..3", 10, "ends before it starts", ""),
    ("time:soon", 6, "write a date", ""),
    ("time:2026-02-30", 6, "write a date", ""),
    ("time:2026-11-22T25:00", 6, "write a date", ""),
    ("time:..", 6, "write a date", ""),
    ("time:2026-*", 6, "write a date", ""),
    ("time:now", 6, "single moment", "<=now"),
    (
        "time:2026-11-22..2026-11-01",
        6,
        "ends before it starts",
        "",
    ),
    ("time:-1d..-7d", 6, "ends before it starts", ""),
    ("time:-9999999d", 6, "write a date", ""),
    ("ünïcode acter:x", 9, "no field `acter`", "actor"),
];

#[test]
fn what_is_refused_names_the_column_and_what_was_meant() {
    for (typed, column, part, suggestion) in REFUSED {
        let error = Query::parse(typed).expect_err(typed);
        assert_eq!(error.column, *column, "{typed}: {error}");
        assert!(error.message.contains(part), "{typed}: {error}");
        assert_eq!(
            error.suggestion.as_deref().unwrap_or_default(),
            *suggestion,
            "{typed}: {error}"
        );
        if !suggestion.is_empty() {
            assert!(
                error
                    .to_string()
                    .ends_with(&format!("Did you mean `{suggestion}`?"))
            );
        }
    }
}

#[test]
fn every_suggestion_that_replaces_a_word_is_understood() {
    for (_, _, _, suggestion) in REFUSED.iter().filter(|case| case.3.contains(':')) {
        assert!(Query::parse(suggestion).is_ok(), "{suggestion}");
    }
}

#[test]
fn limits_hold_for_what_is_typed_and_not_for_what_is_stored() {
    let long = "a".repeat(2_001);
    assert!(Query::parse(&long[1..]).is_ok());
    assert_eq!(Query::parse(&long).expect_err("too long").column, 2_001);
    assert!(
        Query::parse(&"é".repeat(2_000)).is_ok(),
        "characters, not bytes"
    );
    let many = vec!["a"; 51].join(" ");
    assert!(Query::parse(&many[2..]).is_ok());
    let error = Query::parse(&many).expect_err("too many");
    assert_eq!(
        (error.column, error.message.contains("50 terms")),
        (101, true)
    );
    assert_eq!(
        Query::parse_stored(&many).map(|query| query.terms().len()),
        Ok(51)
    );
}

#[test]
fn a_form_changes_one_thing_and_leaves_the_rest() {
    let query = Query::parse("acme action:user.login -actor:system time:-7d").expect("valid");
    let is = |field, value: &str| Term::is(field, [value]).expect("valid");
    let print = |query: Query| query.to_string();
    let with = query.clone().with(is(Field::TargetId, "p 1"));
    assert_eq!(
        print(with.clone()),
        "acme action:user.login -actor:system time:-7d target.id:\"p 1\""
    );
    assert_eq!(
        with.clone().with(is(Field::TargetId, "p 1")),
        with,
        "twice is once"
    );
    assert_eq!(
        print(query.clone().with(is(Field::Actor, "system"))),
        "acme action:user.login actor:system time:-7d",
        "asking for what is excluded turns it around"
    );
    assert_eq!(
        print(query.clone().without(0)),
        "action:user.login -actor:system time:-7d"
    );
    assert_eq!(print(query.clone().without(9)), print(query.clone()));
    assert_eq!(
        print(query.clone().toggled(2)),
        "acme action:user.login actor:system time:-7d"
    );
    let two = Term::is(Field::Action, ["project.created", "a*b"]).expect("valid");
    let chosen = query.clone().choosing(&Field::Action, Some(two));
    assert_eq!(
        print(chosen.clone()),
        "acme action:project.created,\"a*b\" -actor:system time:-7d"
    );
    assert_eq!(chosen.chosen(&Field::Action), ["project.created", "a*b"]);
    assert_eq!(
        print(query.clone().choosing(&Field::Time, None)),
        "acme action:user.login -actor:system"
    );
    assert!(
        query.chosen(&Field::Actor).is_empty(),
        "what is excluded is not chosen"
    );
    assert!(Term::is(Field::Ip, ["nowhere"]).is_err() && Term::is(Field::Actor, [""]).is_err());
    assert!(Term::text("").is_err() && Term::is::<&str>(Field::Actor, []).is_err());
    assert!(Term::is_present(Field::Outcome).is_err());
    let present = Term::is_present(Field::Meta("a b".into()))
        .expect("valid")
        .toggled();
    assert_eq!(present.to_string(), "-meta.\"a b\":*");
}

#[test]
fn chips_speak_to_people() {
    let catalogue = Catalogue::builtin();
    for (typed, label) in [
        ("acme", "Text contains “acme”"),
        ("-\"two words\"", "Text does not contain “two words”"),
        ("action:project", "Event is Project"),
        ("action:user.login_failed", "Event is User Login Failed"),
        ("action:project.*", "Event is project.*"),
        ("-actor:system", "Actor is not System"),
        ("actor:ana@acme.io,Bo", "Actor is ana@acme.io or Bo"),
        ("actor.type:api_token", "Actor type is Api token"),
        ("outcome:failure", "Outcome is Failure"),
        ("category:issue-tracking", "Category is Issue Tracking"),
        ("reason:*", "Failure reason is present"),
        ("-reason:*", "Failure reason is empty"),
        ("meta.plan:pro", "Metadata plan is pro"),
        ("ip:10.0.0.0/8", "IP address is 10.0.0.0/8"),
        ("time:-7d", "Time is in the last 7 days"),
        ("time:-1h", "Time is in the last 1 hour"),
        ("time:today", "Time is today"),
        (
            "time:2026-11-01..2026-11-22",
            "Time is 2026-11-01 to 2026-11-22",
        ),
        (
            "time:>=2026-11-22T14:05",
            "Time is from 2026-11-22 14:05 on",
        ),
        ("recorded:<-2w", "Recorded is before 2 weeks ago"),
        ("position:10..20", "Position is 10..20"),
    ] {
        let query = Query::parse(typed).expect(typed);
        assert_eq!(query.terms()[0].label(catalogue), label, "{typed}");
    }
}

#[test]
fn a_mixed_range_that_runs_backwards_is_found_when_the_time_is_known() {
    let query = Query::parse("acme time:2026-11-22..-1d").expect("not known yet");
    let at = |now: &str| When {
        now: Timestamp::parse(now).expect("valid"),
        zone: jiff::tz::TimeZone::UTC,
    };
    assert!(query.resolve(&at("2026-11-24T00:00:00Z")).is_ok());
    let error = query
        .resolve(&at("2026-11-22T12:00:00Z"))
        .expect_err("backwards");
    assert_eq!(
        (error.column, error.message.contains("ends before")),
        (6, true)
    );
}

/// Strings that are rich in what the language reads specially.
fn scraps() -> impl Strategy<Value = String> {
    let scrap = prop_oneof![
        Just(" "),
        Just("-"),
        Just("\""),
        Just("\\"),
        Just("*"),
        Just(","),
        Just("("),
        Just(")"),
        Just(":"),
        Just("actor:"),
        Just("time:"),
        Just("meta."),
        Just("ip:"),
        Just("OR"),
        Just("AND"),
        Just("NOT"),
        Just("a"),
        Just("ana"),
        Just("2026-11-22"),
        Just(".."),
        Just("-7d"),
        Just(">="),
        Just("10.0.0.0/8"),
        Just("::1"),
        Just("é"),
        Just("\u{3000}"),
        Just("\u{0}"),
        Just("position:5"),
    ];
    prop::collection::vec(scrap, 0..24).prop_map(|parts| parts.concat())
}

fn check_stable(text: &str) -> Result<(), TestCaseError> {
    match Query::parse(text) {
        Ok(query) => {
            let printed = query.to_string();
            let again = Query::parse_stored(&printed);
            prop_assert_eq!(
                again.as_ref(),
                Ok(&query),
                "{:?} printed as {:?}",
                text,
                printed
            );
            prop_assert_eq!(again.map(|query| query.to_string()), Ok(printed));
        }
        Err(error) => {
            prop_assert!(
                (1..=text.chars().count() + 1).contains(&error.column),
                "{}",
                error
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn printed_and_read_again_it_is_the_same(text in scraps()) {
        check_stable(&text)?;
    }

    #[test]
    fn no_text_whatever_makes_it_panic(text in ".{0,200}") {
        check_stable(&text)?;
    }

    #[test]
    fn any_value_that_a_pill_is_made_of_survives(value in ".{1,40}", key in ".{1,20}") {
        for field in [Field::Actor, Field::Action, Field::TargetId, Field::Meta(key)] {
            let term = Term::is(field, [&value]).expect("not empty");
            for term in [term.clone(), term.toggled(), Term::text(&value).expect("not empty")] {
                let query = Query::from(vec![term]);
                prop_assert_eq!(Query::parse_stored(&query.to_string()), Ok(query));
            }
        }
    }
}

/// The text between backticks in a cell of a table.
fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_guide_says_what_is_so() {
    let guide = include_str!("../../../../../docs/query.md");
    let (_, examples) = guide.split_once("## Examples").expect("a section");
    let queries: Vec<_> = examples
        .lines()
        .filter_map(|line| line.split('|').nth(2))
        .flat_map(code)
        .collect();
    assert!(queries.len() >= 9);
    for query in queries {
        assert!(Query::parse(query).is_ok(), "{query}");
    }
    let tables = guide.lines().filter(|line| line.starts_with("| `"));
    let typed: Vec<_> = tables
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(code)
        .collect();
    for text in typed
        .iter()
        .filter(|text| text.contains(':') || !text.contains(['.', '<', '>', '_']))
    {
        let text = text.replace('…', "x");
        let field = !text.contains(':') && Field::all().any(|field| field.name() == text);
        assert!(field || Query::parse(&text).is_ok(), "{text}");
    }
    let (_, errors) = guide
        .split_once("## When it makes no sense")
        .expect("a section");
    let indented: Vec<_> = errors
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .collect();
    assert_eq!(indented.len(), 8);
    for pair in indented.chunks(2) {
        assert_eq!(
            Query::parse(pair[0]).expect_err(pair[0]).to_string(),
            pair[1]
        );
    }
    for field in Field::all() {
        assert!(
            guide.contains(&format!("`{}`", field.name())),
            "{} is in the guide",
            field.name()
        );
    }
}
