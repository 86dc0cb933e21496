//! The CSV file and the NDJSON line: nothing lost, nothing that a spreadsheet would run.

use annals_event::{
    Actor, Catalogue, Context, Draft, Event, Failure, Json, Object, OnBehalfOf, Row, Rules,
    Section, TABLE, Target, Timestamp, WorkspaceLabel, csv_unguarded, export_json, export_line,
    write_csv_header, write_csv_row,
};
use proptest::prelude::*;

use crate::strategy;

fn row(event: Event) -> Row {
    let now = Timestamp::MAX;
    let draft = Draft::new(event, &Rules::open(), now, || "evt_1".to_owned()).expect("valid");
    let recorded_at = Timestamp::parse("2026-11-22T09:30:00.000001Z").expect("valid");
    Row::new(17, recorded_at, "key_1", draft)
}

fn label() -> WorkspaceLabel {
    WorkspaceLabel {
        id: "acme".to_owned(),
        name: "Acme, \"Inc\"".to_owned(),
    }
}

fn file(rows: &[Row], guard: bool) -> String {
    let mut out = Vec::new();
    write_csv_header(&mut out);
    for row in rows {
        write_csv_row(&mut out, &row.into(), &label(), Catalogue::builtin(), guard);
    }
    String::from_utf8(out).expect("UTF-8")
}

/// The rows of a file as another author's reader sees them.
fn read(file: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(file.as_bytes());
    let records = reader.records().map(|record| record.expect("well formed"));
    records
        .map(|record| record.iter().map(str::to_owned).collect())
        .collect()
}

fn role_change() -> Event {
    Event::from_json(
        r#"{"id":"evt_9","action":"workspace.user_role_updated","occurred_at":"2026-11-22T10:30:00+01:00",
        "actor":{"id":"u1","type":"user","name":"Ana Ruiz","email":"ana@acme.io","role":"owner","metadata":{"team":"ops"},
            "on_behalf_of":{"id":"u7","type":"user","name":"Eve"}},
        "targets":[{"id":"u2","type":"user","name":"Bo Li","email":"bo@acme.io","metadata":{"seat":"full"}},
            {"id":"p1","type":"project","name":"Website"},{"id":"p2","type":"project","metadata":{"n":1}}],
        "context":{"location":"192.0.2.7","user_agent":"Firefox","source":"web","session_id":"ses_1","request_id":"req_1",
            "correlation_id":"cor_1","trace":"00-1"},
        "metadata":{"privilege_change":"escalation"},"version":3,"previous":{"role":"member"},"next":{"role":"admin"}}"#
            .as_bytes(),
    )
    .expect("valid")
}

#[test]
fn the_header_never_changes() {
    let header = "occurred_at,recorded_at,position,id,event,action,category,outcome,failure_reason,description,\
        actor_type,actor_id,actor_name,actor_email,actor_role,target_type,target_id,target_name,target_email,\
        project_id,project_name,workspace_id,workspace_name,ip_address,user_agent,source,session_id,request_id,\
        previous,next,metadata";
    assert_eq!(TABLE.map(|column| column.name).join(","), header);
    assert_eq!(
        file(&[], true),
        format!("\"{}\"\r\n", header.replace(',', "\",\"")),
        "also without rows"
    );
}

#[test]
fn the_description_of_the_file_names_every_column_in_order() {
    let text = include_str!("../../../../docs/csv.md");
    let cells = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('|').next());
    let named: Vec<_> = cells
        .flat_map(|cell| cell.split(['`', ',', ' ']))
        .filter(|name| !name.is_empty())
        .collect();
    assert_eq!(named[..31], TABLE.map(|column| column.name));
}

#[test]
fn every_value_has_its_column_and_the_rest_is_in_the_last() {
    let cells = read(&file(&[row(role_change())], true)).remove(1);
    let expected = [
        "2026-11-22T09:30:00.000000Z",
        "2026-11-22T09:30:00.000001Z",
        "17",
        "evt_9",
        "Workspace User Role Updated",
        "workspace.user_role_updated",
        "Workspace",
        "success",
        "",
        "Ana Ruiz on behalf of Eve changed the role of Bo Li from member to admin",
        "user",
        "u1",
        "Ana Ruiz",
        "ana@acme.io",
        "owner",
        "user",
        "u2",
        "Bo Li",
        "bo@acme.io",
        "p1",
        "Website",
        "acme",
        "Acme, \"Inc\"",
        "192.0.2.7",
        "Firefox",
        "web",
        "ses_1",
        "req_1",
        r#"{"role":"member"}"#,
        r#"{"role":"admin"}"#,
        concat!(
            r#"{"$actor":{"metadata":{"team":"ops"},"on_behalf_of":{"id":"u7","name":"Eve","type":"user"}},"#,
            r#""$context":{"correlation_id":"cor_1","trace":"00-1"},"#,
            r#""$targets":[{"metadata":{"seat":"full"}},{"id":"p1","name":"Website","type":"project"},"#,
            r#"{"id":"p2","metadata":{"n":1},"type":"project"}],"$version":3,"privilege_change":"escalation"}"#
        ),
    ];
    assert_eq!(cells, expected);
}

#[test]
fn what_is_absent_is_empty_and_a_place_is_no_address() {
    let mut event = role_change();
    event.actor = Actor::new("system", "sys");
    event.targets.clear();
    event.context = Context {
        location: Some("Berlin".to_owned()),
        ..Context::default()
    };
    event.failure = Some(Failure {
        detail: Some("no seat".to_owned()),
        ..Failure::because("Odd reason!")
    });
    (event.metadata, event.version, event.previous, event.next) = (None, None, None, None);
    let cells = read(&file(&[row(event)], true)).remove(1);
    assert_eq!(cells[7..9], ["failure", "Odd reason!"]);
    assert_eq!(cells[10..21].join("|"), "system|sys|||||||||");
    assert_eq!(cells[23..30], [""; 7]);
    assert_eq!(
        cells[30],
        r#"{"$context":{"location":"Berlin"},"$failure":{"detail":"no seat"}}"#
    );
    let plain = Event::new("a.b", Timestamp::MIN, Actor::new("user", "u1"));
    assert_eq!(
        read(&file(&[row(plain)], true))[1][30],
        "",
        "no braces without metadata"
    );
}

#[test]
fn a_section_with_more_members_than_are_known_gives_those_that_are() {
    let mut later = row(role_change());
    for (k, text) in [
        (Section::ACTOR, r#"{"age":7,"name":"Ana \"R\"","role":3}"#),
        (
            Section::CONTEXT,
            r#"{"location":"192.0.2.9","mood":"good"}"#,
        ),
        (
            Section::DETAILS,
            r#"{"more":[],"next":{"role":"admin"},"previous":"none"}"#,
        ),
        (Section::TARGETS, r#"{"name":"Bo","size":"L"}"#),
    ] {
        later.draft.sections[k] = Section::Value(text.to_owned());
    }
    let cells = read(&file(&[later], false)).remove(1);
    assert_eq!(cells[9], "Ana \"R\" changed the role of Bo to admin");
    assert_eq!(cells[12..14], ["Ana \"R\"", ""]);
    assert_eq!(cells[17], "Bo");
    assert_eq!(cells[23], "192.0.2.9");
    assert_eq!(cells[28..30], ["", r#"{"role":"admin"}"#]);
}

#[test]
fn metadata_with_keys_before_the_dollar_is_in_canonical_order_too() {
    for (key, expected) in [
        ("!a", r#"{"!a":1,"$version":3}"#),
        ("", r#"{"":1,"$version":3}"#),
        ("\\", r#"{"$version":3,"\\":1}"#),
        ("a", r#"{"$version":3,"a":1}"#),
    ] {
        let mut event = Event::new("a.b", Timestamp::MIN, Actor::new("user", "u1"));
        event.version = Some(3);
        event.metadata = Some(Object::from_iter([(key, 1)]));
        assert_eq!(read(&file(&[row(event)], true))[1][30], expected);
    }
}

#[test]
fn what_was_erased_is_empty_and_named() {
    let mut erased = row(role_change());
    for k in [Section::ACTOR, Section::DETAILS, Section::TARGETS + 1] {
        erased.draft.sections[k] = Section::Withheld([1; 32]);
    }
    let text = file(std::slice::from_ref(&erased), true);
    for gone in [
        "Ana Ruiz",
        "ana@acme.io",
        "Eve",
        "escalation",
        "member",
        "Website",
        "ops",
    ] {
        assert!(!text.contains(gone), "{gone}");
    }
    let cells = &read(&text)[1];
    assert_eq!(cells[9], "u1 changed the role of Bo Li");
    let metadata = Json::parse(cells[30].as_bytes()).expect("JSON");
    let names: Vec<_> = metadata
        .get("$erased")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(
        names,
        [
            &Json::from("actor"),
            &Json::from("details"),
            &Json::from("target.1")
        ]
    );
    let line = export_json("acme", &erased);
    assert_eq!(line.get("erased"), metadata.get("$erased"));
}

#[test]
fn formulas_are_led_by_an_apostrophe() {
    for (value, cell) in [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("\nx", "'\nx"),
        ("＝1", "'＝1"),
        ("＋1", "'＋1"),
        ("－1", "'－1"),
        ("＠x", "'＠x"),
        ("'=1", "''=1"),
        ("''-", "'''-"),
        ("'x", "'x"),
        ("x=1", "x=1"),
        ("", ""),
        ("'", "'"),
        (" =1", " =1"),
    ] {
        let mut event = role_change();
        event.actor.name = Some(value.to_owned());
        let row = row(event);
        assert_eq!(
            read(&file(std::slice::from_ref(&row), true))[1][12],
            cell,
            "{value:?}"
        );
        assert_eq!(csv_unguarded(cell), value);
        assert_eq!(
            read(&file(&[row], false))[1][12],
            value,
            "programs may have it as it is"
        );
    }
}

/// The event that a row of cells tells of, by the rules that `docs/csv.md` gives to whoever reads the file.
fn event_of(cells: &[String]) -> Event {
    let column = |name: &str| {
        let at = TABLE
            .iter()
            .position(|column| column.name == name)
            .expect(name);
        Some(csv_unguarded(&cells[at]).to_owned()).filter(|cell| !cell.is_empty())
    };
    let object = |name: &str| {
        let text = column(name)?;
        Json::parse(text.as_bytes())
            .expect("JSON")
            .as_object()
            .cloned()
    };
    let text = |json: Option<&Json>| json.and_then(Json::as_str).map(str::to_owned);
    let mut metadata = object("metadata").unwrap_or_default();
    let mut left = |key: &str| metadata.remove(key);
    let (actor, failure, context) = (left("$actor"), left("$failure"), left("$context"));
    let (version, targets) = (left("$version"), left("$targets"));
    let from = |json: &Option<Json>, key: &str| text(json.as_ref().and_then(|json| json.get(key)));
    let target = |json: &Json| Target {
        id: text(json.get("id")).unwrap_or_default(),
        kind: text(json.get("type")).unwrap_or_default(),
        name: text(json.get("name")),
        email: text(json.get("email")),
        metadata: json.get("metadata").and_then(Json::as_object).cloned(),
    };
    let listed = targets
        .as_ref()
        .and_then(Json::as_array)
        .unwrap_or_default();
    let first = column("target_type").map(|kind| Target {
        id: column("target_id").unwrap_or_default(),
        kind,
        name: column("target_name"),
        email: column("target_email"),
        metadata: listed
            .first()
            .filter(|element| element.get("type").is_none())
            .and_then(|element| element.get("metadata")?.as_object().cloned()),
    });
    let further = listed
        .iter()
        .filter(|element| element.get("type").is_some())
        .map(target);
    let behalf = actor.as_ref().and_then(|actor| actor.get("on_behalf_of"));
    Event {
        id: column("id"),
        action: column("action").expect("always"),
        occurred_at: Timestamp::parse(&column("occurred_at").expect("always")).expect("a time"),
        actor: Actor {
            id: column("actor_id").unwrap_or_default(),
            kind: column("actor_type").expect("always"),
            name: column("actor_name"),
            email: column("actor_email"),
            role: column("actor_role"),
            metadata: actor
                .as_ref()
                .and_then(|a| a.get("metadata")?.as_object().cloned()),
            on_behalf_of: behalf.map(|json| OnBehalfOf {
                id: text(json.get("id")).unwrap_or_default(),
                kind: text(json.get("type")).unwrap_or_default(),
                name: text(json.get("name")),
                email: text(json.get("email")),
            }),
        },
        targets: first.into_iter().chain(further).collect(),
        context: Context {
            location: column("ip_address").or_else(|| from(&context, "location")),
            user_agent: column("user_agent"),
            source: column("source"),
            session_id: column("session_id"),
            request_id: column("request_id"),
            correlation_id: from(&context, "correlation_id"),
            trace: from(&context, "trace"),
        },
        metadata: Some(metadata).filter(|metadata| !metadata.is_empty()),
        version: version
            .and_then(|n| n.as_i64())
            .map(|n| u32::try_from(n).expect("small")),
        failure: (column("outcome").as_deref() == Some("failure")).then(|| Failure {
            reason: column("failure_reason"),
            stage: from(&failure, "stage"),
            detail: from(&failure, "detail"),
        }),
        previous: object("previous"),
        next: object("next"),
    }
}

/// A cell cannot tell an empty text from none; everything else comes back.
fn without_empty_texts(mut event: Event) -> Event {
    let clear = |text: &mut Option<String>| *text = text.take().filter(|text| !text.is_empty());
    let (actor, context) = (&mut event.actor, &mut event.context);
    [&mut actor.name, &mut actor.email, &mut actor.role]
        .into_iter()
        .for_each(clear);
    [&mut context.user_agent, &mut context.source]
        .into_iter()
        .for_each(clear);
    [&mut context.session_id, &mut context.request_id]
        .into_iter()
        .for_each(clear);
    if let Some(first) = event.targets.first_mut() {
        [&mut first.name, &mut first.email]
            .into_iter()
            .for_each(clear);
    }
    if let Some(failure) = &mut event.failure {
        clear(&mut failure.reason);
    }
    event.metadata = event.metadata.filter(|metadata| !metadata.is_empty());
    event
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_row_of_the_file_gives_the_event_back(event in strategy::event()) {
        let row = row(event);
        for guard in [true, false] {
            let mut rows = read(&file(std::slice::from_ref(&row), guard));
            let cells = rows.remove(1);
            let trigger = |c: char| "=+-@\t\r\n\0＝＋－＠".contains(c);
            if guard {
                for cell in &cells {
                    prop_assert!(!cell.starts_with(trigger), "{:?}", cell);
                }
                prop_assert_eq!(event_of(&cells), without_empty_texts(row.to_event()));
            }
        }
    }

    #[test]
    fn the_guard_can_always_be_taken_away(name in "('{0,3}[=+@\t\r\n＝＠-]?){0,2}.{0,8}") {
        let mut event = role_change();
        event.actor.name = Some(name.replace('\0', "")).filter(|name| !name.is_empty());
        let row = row(event);
        let guarded = read(&file(std::slice::from_ref(&row), true)).remove(1);
        let plain = read(&file(&[row], false)).remove(1);
        for (guarded, plain) in guarded.iter().zip(&plain) {
            prop_assert_eq!(csv_unguarded(guarded), plain);
        }
    }

    #[test]
    fn a_line_of_ndjson_holds_the_event_as_it_was_sent(event in strategy::event()) {
        let row = row(event);
        let line = export_line("acme", &row);
        prop_assert!(!line.contains('\n'));
        let json = Json::parse(line.as_bytes()).expect("JSON");
        prop_assert_eq!(json.to_canonical(), line.as_str());
        let members: Vec<_> = json.as_object().into_iter().flat_map(Object::iter).map(|m| m.0).collect();
        prop_assert_eq!(members, ["erased", "event", "organization_id", "position", "recorded_at"]);
        let event = json.get("event").cloned().expect("there");
        let again = Event::from_value(event).expect("what was exported can be imported");
        prop_assert_eq!(&again, &row.to_event());
        let draft = Draft::new(again, &Rules::open(), Timestamp::MAX, String::new).expect("valid");
        prop_assert!(draft.same_event(&row.draft), "and is the same event");
    }
}
