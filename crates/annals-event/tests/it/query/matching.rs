//! Which rows a query lets through, on a small log.

use annals_event::{
    Catalogue, Draft, Event, Filter, KeyClass, Query, Row, RowParts, Rules, Section, Timestamp,
    When, address_key, fold_key, occurs_folded,
};
use jiff::tz::TimeZone;

fn row(position: u64, recorded_at: &str, key: &str, event: &str) -> Row {
    let event = Event::from_json(event.as_bytes()).expect(event);
    let rules = Rules {
        personal_types: &["guest".to_owned()],
        ..Rules::open()
    };
    let now = Timestamp::parse("2026-11-22T12:00:00Z").expect("valid");
    let draft = Draft::new(event, &rules, now, || format!("evt_{position}")).expect("valid");
    Row::new(
        position,
        Timestamp::parse(recorded_at).expect("valid"),
        key,
        draft,
    )
}

/// Positions: 0 login of Ana, 1 failed login, 2 role change, 3 project, 4 an action that the catalogue does not know, 5 an old import
/// whose actor is erased, 6 by the system.
fn log() -> Vec<Row> {
    let mut rows = vec![
        row(
            0,
            "2026-11-20T09:00:01Z",
            "key_app",
            r#"{"action":"user.login","occurred_at":"2026-11-20T09:00:00Z",
            "actor":{"id":"u1","type":"user","name":"Ana Ruiz","email":"ana@acme.io","role":"owner"},
            "targets":[{"id":"u1","type":"user","name":"Ana Ruiz","email":"ana@acme.io"}],
            "context":{"location":"192.0.2.7","user_agent":"Firefox/130","source":"web","session_id":"ses_1","request_id":"req_1"},
            "metadata":{"method":"login_code","first_login":false,"logins":41}}"#,
        ),
        row(
            1,
            "2026-11-20T23:30:01Z",
            "key_app",
            r#"{"action":"user.login_failed","occurred_at":"2026-11-20T23:30:00Z",
            "actor":{"id":"anon","type":"unauthenticated","email":"ANA@acme.io"},
            "targets":[{"id":"u1","type":"user","name":"Ana Ruiz"}],
            "context":{"location":"2001:db8::1"},"failure":{"reason":"invalid_password","detail":"third attempt"}}"#,
        ),
        row(
            2,
            "2026-11-21T10:00:01Z",
            "key_app",
            r#"{"action":"workspace.user_role_updated","occurred_at":"2026-11-21T10:00:00Z",
            "actor":{"id":"u1","type":"user","name":"Ana Ruiz","on_behalf_of":{"id":"u8","type":"user","name":"Émile Weiß"}},
            "targets":[{"id":"u2","type":"user","name":"Bo \"the\" Li"},{"id":"w1","type":"workspace","metadata":{"plan":"Enterprise"}}],
            "context":{"location":"::ffff:192.0.2.9"},"previous":{"role":"member"},"next":{"role":"admin","group":null}}"#,
        ),
        row(
            3,
            "2026-11-22T08:00:01Z",
            "key_two",
            r#"{"action":"project.created","occurred_at":"2026-11-22T08:00:00Z",
            "actor":{"id":"bo@acme.io","type":"user","role":"Team lead (EMEA)"},
            "targets":[{"id":"p1","type":"project","name":"Website"}],
            "context":{"location":"Berlin, Germany","correlation_id":"c-7"},
            "metadata":{"integration":{"provider":"Jira","ids":[7,8]},"a.b":"dotted","Two Words":"x","tags":["red","blue"]}}"#,
        ),
        row(
            4,
            "2026-11-22T09:00:01Z",
            "key_two",
            r#"{"id":"inv-1","action":"invoice.was_paid","occurred_at":"2026-11-22T09:00:00Z",
            "actor":{"id":"g1","type":"guest","name":"STRAẞE"},"targets":[],"context":{},"failure":{"reason":"Card declined!"}}"#,
        ),
        row(
            5,
            "2026-11-22T10:00:00Z",
            "key_import",
            r#"{"action":"issue.deleted","occurred_at":"2019-01-01T00:00:00Z",
            "actor":{"id":"u9","type":"user","name":"Gone Person"},"targets":[{"id":"i1","type":"issue"}],"context":{"location":"192.0.2.7"}}"#,
        ),
        row(
            6,
            "2026-11-22T11:00:00Z",
            "key_app",
            r#"{"action":"comment.published","occurred_at":"2026-11-22T11:00:00Z",
            "actor":{"id":"system","type":"system"},"targets":[{"id":"c1","type":"comment"}],"context":{}}"#,
        ),
    ];
    rows[5].draft.sections[Section::ACTOR] = Section::Withheld([7; 32]);
    rows
}

fn when(zone: &str) -> When {
    let zone = TimeZone::get(zone).expect(zone);
    When {
        now: Timestamp::parse("2026-11-22T11:30:00Z").expect("valid"),
        zone,
    }
}

fn filter(text: &str, zone: &str) -> Filter {
    let query = Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    query
        .resolve(&when(zone))
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn found(rows: &[Row], filter: &Filter) -> Vec<u64> {
    let fits = |row: &&Row| filter.matches(row, Catalogue::builtin());
    rows.iter().filter(fits).map(|row| row.position).collect()
}

/// A query and the positions of what it finds, read in UTC.
const FINDS: &[(&str, &[u64])] = &[
    ("", &[0, 1, 2, 3, 4, 5, 6]),
    ("*", &[0, 1, 2, 3, 4, 5, 6]),
    ("-*", &[]),
    // Names of events, and their groups.
    ("action:user.login", &[0]),
    ("action:USER", &[0, 1]),
    ("action:user.*", &[0, 1]),
    ("action:user.login*", &[0, 1]),
    ("action:use", &[]),
    ("action:*.created,*_failed", &[1, 3]),
    ("event:\"user login failed\"", &[1]),
    ("event:\"Invoice Was \"*", &[4]),
    ("category:issue_tracking", &[5, 6]),
    ("category:other,user", &[0, 1, 4]),
    ("outcome:failure", &[1, 4]),
    ("-outcome:failure", &[0, 2, 3, 5, 6]),
    ("reason:invalid_password", &[1]),
    ("reason:\"card declined!\"", &[4]),
    ("reason:unspecified", &[4]),
    ("reason:*", &[1, 4]),
    // Actors and targets.
    ("actor:u1", &[0, 2]),
    ("actor:\"ana ruiz\"", &[0, 2]),
    ("actor:ana@ACME.io", &[0, 1]),
    ("actor:ana", &[]),
    ("actor:ana*", &[0, 1, 2]),
    ("actor:bo@acme.io", &[3]),
    ("actor.id:bo@acme.io", &[3]),
    ("actor.id:g1,system", &[4, 6]),
    ("actor.type:user -actor:u1", &[3, 5]),
    ("actor.role:owner,\"team lead (emea)\"", &[0, 3]),
    ("actor.name:*", &[0, 2, 4]),
    ("-actor.name:*", &[1, 3, 5, 6]),
    ("actor.email:*@acme.io", &[0, 1]),
    ("actor.name:\"straße\"", &[4]),
    ("actor.name:strasse", &[]),
    ("actor:\"Gone Person\"", &[]),
    ("actor:u9", &[5]),
    ("target:u1", &[0, 1]),
    ("target:w1", &[2]),
    ("target:\"Bo \\\"the\\\" Li\"", &[2]),
    ("target.type:user,project", &[0, 1, 2, 3]),
    ("target.name:web*", &[3]),
    ("target.email:*", &[0]),
    ("-target:*", &[4]),
    // Context.
    ("ip:192.0.2.7", &[0, 5]),
    ("ip:192.0.2.0/24", &[0, 2, 5]),
    ("ip:2001:DB8:0:0::1,192.0.2.9", &[1, 2]),
    ("ip:2001:db8::/32", &[1]),
    ("ip:192.0.*", &[0, 5]),
    ("-ip:*", &[3, 4, 6]),
    ("location:berlin*", &[3]),
    ("source:web session:ses_1 request:req_1", &[0]),
    ("correlation:c-7", &[3]),
    ("user_agent:firefox*", &[0]),
    ("key:key_two", &[3, 4]),
    ("id:inv-1", &[4]),
    // Metadata and changes.
    ("meta.method:LOGIN_CODE", &[0]),
    ("meta.Logins:41 meta.first_login:false", &[0]),
    ("meta.integration.provider:jira", &[3]),
    ("meta.integration.ids:8", &[3]),
    ("meta.integration:*", &[3]),
    ("meta.integration:jira", &[]),
    ("meta.a.b:dotted", &[3]),
    ("meta.\"two words\":x", &[3]),
    ("meta.tags:blue", &[3]),
    ("next.role:admin previous.role:member", &[2]),
    ("next.group:null", &[2]),
    ("next.role:member", &[]),
    // Places and times.
    ("position:3", &[3]),
    ("position:1..2,>5", &[1, 2, 6]),
    ("position:<2", &[0, 1]),
    ("position:<0", &[]),
    ("-position:1..5", &[0, 6]),
    ("time:2026-11-20", &[0, 1]),
    ("time:2026-11-20..2026-11-21", &[0, 1, 2]),
    ("time:>2026-11-20", &[2, 3, 4, 6]),
    ("time:<2026-11-20", &[5]),
    ("time:<=2026-11-20", &[0, 1, 5]),
    ("time:2026-11", &[0, 1, 2, 3, 4, 6]),
    ("time:2026-11-20T09:00", &[0]),
    ("time:>2026-11-20T23:30", &[2, 3, 4, 6]),
    ("time:>=2026-11-20T23:30", &[1, 2, 3, 4, 6]),
    ("time:2026-11-20T10:00:00+01:00", &[0]),
    ("time:today", &[3, 4, 6]),
    ("time:yesterday,today", &[2, 3, 4, 6]),
    ("time:-1h", &[6]),
    ("time:-24h..-3h", &[3]),
    ("time:..-3h -time:2019-01-01", &[0, 1, 2, 3]),
    ("-time:2026-11-22", &[0, 1, 2, 5]),
    ("recorded:today", &[3, 4, 5, 6]),
    // Text, inside one value.
    ("ruiz", &[0, 1, 2]),
    ("\"ana ruiz\"", &[0, 1, 2]),
    ("\"Ruiz ana\"", &[]),
    ("a*ruiz", &[0, 1, 2]),
    ("ACME.IO", &[0, 1, 3]),
    ("weiß", &[2]),
    ("EMILE", &[]),
    ("ÉMILE", &[2]),
    ("the\\", &[]),
    ("\"\\\"the\\\"\"", &[2]),
    ("enterprise", &[2]),
    ("jira", &[3]),
    ("41", &[0]),
    ("declined", &[4]),
    ("\"was paid\"", &[4]),
    ("invoice.was", &[4]),
    ("evt_6", &[6]),
    ("firefox", &[]),
    ("berlin", &[]),
    ("person", &[]),
    ("attempt", &[]),
    ("provider", &[]),
    ("\"name\"", &[]),
    ("ruiz -action:user time:-7d", &[2]),
];

#[test]
fn queries_find_what_they_say() {
    let rows = log();
    for (text, positions) in FINDS {
        assert_eq!(found(&rows, &filter(text, "UTC")), *positions, "{text}");
    }
}

#[test]
fn excluding_finds_exactly_the_others() {
    let rows = log();
    for (text, positions) in FINDS.iter().filter(|case| !case.0.is_empty()) {
        let query = Query::parse(text).expect("valid");
        if let [term] = query.terms() {
            let opposite = Query::from(vec![term.clone().toggled()]).resolve(&when("UTC"));
            let others: Vec<u64> = (0..7)
                .filter(|position| !positions.contains(position))
                .collect();
            assert_eq!(
                found(&rows, &opposite.expect("valid")),
                others,
                "not {text}"
            );
        }
    }
}

#[test]
fn days_are_those_of_the_zone() {
    let rows = log();
    // 23:30 in London is half past midnight of the next day in Berlin.
    assert_eq!(
        found(&rows, &filter("time:2026-11-20", "Europe/Berlin")),
        [0]
    );
    assert_eq!(
        found(&rows, &filter("time:2026-11-21", "Europe/Berlin")),
        [1, 2]
    );
    assert_eq!(
        found(&rows, &filter("time:2026-11-20T14:30", "Asia/Kolkata")),
        [0]
    );
    // Eleven o'clock in London is the next day on Apia; there `today` is the 23rd.
    assert_eq!(found(&rows, &filter("time:today", "Pacific/Apia")), [6]);
    let (from, to) = filter("time:2026-10-25", "Europe/Berlin").window();
    let hours = |a: Timestamp, b: Timestamp| (b.as_micros() - a.as_micros()) / 3_600_000_000;
    assert_eq!(
        from.zip(to).map(|(from, to)| hours(from, to)),
        Some(25),
        "clocks go back"
    );
    // Moments with an offset are the same everywhere.
    for zone in ["UTC", "Asia/Kolkata", "Pacific/Apia"] {
        assert_eq!(
            found(&rows, &filter("time:2026-11-20T09:00Z", zone)),
            [0],
            "{zone}"
        );
    }
}

/// The keys of a row, as an index has them.
fn keys(row: &Row) -> Vec<(KeyClass, Vec<u8>)> {
    let text = |class, text: Option<&str>| Some((class, fold_key(text?).as_bytes().to_vec()));
    let mut keys = vec![
        text(KeyClass::Id, Some(&row.skeleton().id)),
        text(KeyClass::Actor, row.actor_id()),
        text(KeyClass::Actor, row.actor_name()),
        text(KeyClass::Actor, row.actor_email()),
        text(KeyClass::Session, row.context("session_id")),
        row.context("location")
            .and_then(address_key)
            .map(|address| (KeyClass::Address, address.to_vec())),
    ];
    for target in row.targets() {
        keys.extend([target.id, target.name, target.email].map(|t| text(KeyClass::Target, t)));
    }
    keys.into_iter().flatten().collect()
}

/// The row without the parts that are not in `parts`.
fn part_of(row: &Row, parts: RowParts) -> Row {
    let mut draft = row.draft.clone();
    let mut by = row.recorded_by.clone();
    if !parts.id {
        draft.skeleton.id.clear();
    }
    if !parts.recorded_by {
        by = "".into();
    }
    if !parts.actor {
        draft.skeleton.actor = Default::default();
        draft.sections[Section::ACTOR] = Section::Empty;
    }
    if !parts.context {
        draft.sections[Section::CONTEXT] = Section::Empty;
    }
    if !parts.details {
        draft.sections[Section::DETAILS] = Section::Empty;
    }
    if !parts.targets {
        draft.skeleton.targets.clear();
        draft.sections.truncate(Section::TARGETS);
    }
    Row::new(row.position, row.recorded_at, by, draft)
}

#[test]
fn an_index_leaves_out_nothing_that_fits() {
    let rows = log();
    let (mut lists, mut of_texts) = (0, 0);
    for (text, _) in FINDS {
        let filter = filter(text, "UTC");
        lists += filter.keys().len();
        let fragments = filter.fragments(Catalogue::builtin());
        of_texts += fragments.len();
        for row in &rows {
            let fits = filter.matches(row, Catalogue::builtin());
            let part = part_of(row, filter.parts());
            assert_eq!(
                filter.matches(&part, Catalogue::builtin()),
                fits,
                "{text}: the parts that it names decide"
            );
            let known = keys(row);
            let has_all = filter
                .keys()
                .iter()
                .all(|list| list.iter().any(|key| known.contains(key)));
            assert!(has_all || !fits, "{text}: {}", row.position);
            let has = |piece: &String| {
                let mut has = false;
                row.texts(Catalogue::builtin(), &mut |text| {
                    has |= occurs_folded(piece, text);
                });
                has
            };
            let has_all = fragments
                .iter()
                .all(|list| list.iter().any(|pieces| pieces.iter().all(has)));
            assert!(has_all || !fits, "{text}: {}", row.position);
        }
    }
    assert!(lists > 10, "some queries ask for exact values");
    assert!(of_texts > 30, "most queries ask for a text");
    // What events are called is not a text of its rows alone.
    assert!(
        filter("login", "UTC")
            .fragments(Catalogue::builtin())
            .is_empty()
    );
    let [list] = &*filter("Nobody*knows", "UTC").fragments(Catalogue::builtin()) else {
        panic!("one list");
    };
    assert_eq!(*list, [["nobody", "knows"]]);
    let absent = filter("target:nobody-knows-it", "UTC");
    assert!(!keys(&rows[0]).contains(&absent.keys()[0][0]));
}

#[test]
fn bounds_leave_out_nothing_that_fits() {
    let rows = log();
    for (text, _) in FINDS {
        let filter = filter(text, "UTC");
        let inside = |(from, to): (Option<Timestamp>, Option<Timestamp>), at: Timestamp| {
            from.is_none_or(|from| from <= at) && to.is_none_or(|to| at < to)
        };
        for row in rows
            .iter()
            .filter(|row| filter.matches(row, Catalogue::builtin()))
        {
            assert!(
                inside(filter.window(), row.skeleton().occurred_at),
                "{text}"
            );
            assert!(inside(filter.recorded_window(), row.recorded_at), "{text}");
            assert!(filter.positions().contains(&row.position), "{text}");
        }
    }
    let bounds = |text| {
        let (from, to) = filter(text, "UTC").window();
        [from, to].map(|at| {
            at.map(|at| at.to_string()[..19].to_owned())
                .unwrap_or_default()
        })
    };
    assert_eq!(
        bounds("time:2026-11-20"),
        ["2026-11-20T00:00:00", "2026-11-21T00:00:00"]
    );
    assert_eq!(
        bounds("time:2026-11-20,2026-11-22"),
        ["2026-11-20T00:00:00", "2026-11-23T00:00:00"]
    );
    assert_eq!(
        bounds("time:-24h time:<=2026-11-21"),
        ["2026-11-21T11:30:00", "2026-11-22T00:00:00"]
    );
    assert_eq!(
        bounds("time:>=2026-11-20 -time:today"),
        ["2026-11-20T00:00:00", ""]
    );
    assert_eq!(bounds("acme"), ["", ""]);
    assert_eq!(bounds("time:..9999-12-31"), ["", ""]);
    assert_eq!(filter("position:3..5 position:>3", "UTC").positions(), 4..6);
    assert!(
        filter("position:3 position:4", "UTC")
            .positions()
            .is_empty()
    );
    assert_eq!(filter("", "UTC").positions(), 0..u64::MAX);
}

#[test]
fn a_filter_knows_what_it_needs() {
    assert!(filter("", "UTC").is_everything() && Filter::everything().is_everything());
    assert!(!filter("*", "UTC").is_everything());
    for text in [
        "action:user outcome:failure time:-7d",
        "position:3 key:x id:y",
        "actor.type:user target.type:project",
    ] {
        assert!(!filter(text, "UTC").needs_sections(), "{text}");
    }
    for text in ["acme", "actor:ana", "ip:10.0.0.1", "meta.a:b", "reason:x"] {
        assert!(filter(text, "UTC").needs_sections(), "{text}");
    }
}

#[test]
fn filters_combine() {
    let rows = log();
    let at = |text: &str| Some(Timestamp::parse(text).expect("valid"));
    let both = filter("ruiz", "UTC").and(filter("outcome:failure", "UTC"));
    assert_eq!(found(&rows, &both), [1]);
    let windowed =
        filter("", "UTC").with_window(at("2026-11-20T23:30:00Z"), at("2026-11-22T08:00:00Z"));
    assert_eq!(found(&rows, &windowed), [1, 2], "the end is not included");
    assert_eq!(
        windowed.window(),
        (at("2026-11-20T23:30:00Z"), at("2026-11-22T08:00:00Z"))
    );
    assert!(filter("", "UTC").with_window(None, None).is_everything());
    assert_eq!(
        found(&rows, &filter("", "UTC").with_positions(2..4)),
        [2, 3]
    );
    assert!(found(&rows, &filter("", "UTC").with_positions(0..0)).is_empty());
}

#[test]
fn a_settled_query_means_the_same_later() {
    let rows = log();
    for (text, positions) in FINDS {
        let settled = Query::parse(text).expect("valid").settled(&when("UTC"));
        assert_eq!(
            Query::parse(&settled.to_string()),
            Ok(settled.clone()),
            "{text}"
        );
        let later = When {
            now: Timestamp::parse("2027-03-01T00:00:00Z").expect("valid"),
            zone: TimeZone::UTC,
        };
        let filter = settled.resolve(&later).expect("valid");
        assert_eq!(found(&rows, &filter), *positions, "{text} as {settled}");
    }
    let settled = |text: &str, zone: &str| {
        Query::parse(text)
            .expect("valid")
            .settled(&when(zone))
            .to_string()
    };
    assert_eq!(
        settled("acme time:-24h", "UTC"),
        "acme time:>=2026-11-21T11:30:00.000000Z"
    );
    assert_eq!(
        settled("-time:today..now", "Pacific/Apia"),
        "-time:2026-11-23..2026-11-22T11:30:00.000000Z"
    );
    assert_eq!(
        settled("time:2026-11,yesterday", "UTC"),
        "time:2026-11,2026-11-21"
    );
}
