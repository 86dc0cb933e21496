//! Events in, events out: import, query, export, verify, and import again.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Done, Serving};

fn line(workspace: &str, n: u32) -> String {
    let event = json!({
        "id": format!("evt_{n}"),
        "action": if n.is_multiple_of(3) { "user.login" } else { "invoice.paid" },
        "occurred_at": format!("2019-03-{:02}T10:00:00.000000Z", n % 28 + 1),
        "actor": {"id": format!("usr_{}", n % 5), "type": "user", "name": format!("User {}", n % 5)},
        "targets": [{"id": "inv_1", "type": "invoice", "name": "Invoice 1"}],
        "context": {"location": "203.0.113.7"},
        "metadata": {"amount": n},
    });
    json!({"organization_id": workspace, "event": event}).to_string()
}

fn import(serving: &Serving, name: &str, text: &str, args: &[&str]) -> Done {
    let file = serving.folder.path().join(name);
    fs::write(&file, text).unwrap();
    let mut all = vec!["import", file.to_str().unwrap(), "--json"];
    all.extend(args);
    serving.run(&all)
}

/// The events that the log holds, oldest first, without those about the log itself.
fn events(serving: &Serving, workspace: &str) -> Vec<Value> {
    let found = serving
        .run(&[
            "query", "-w", workspace, "--order", "asc", "--limit", "100000", "--json",
        ])
        .ends(0);
    let events = found.lines().into_iter().map(|line| line["event"].clone());
    events
        .filter(|e| !e["action"].as_str().unwrap().starts_with("audit_log."))
        .collect()
}

#[test]
fn what_is_exported_imports_again_as_it_was() {
    let one = Serving::new();
    // More than one batch, over two workspaces that do not exist yet.
    let text: String = (0..1300)
        .map(|n| line(if n % 2 == 0 { "acme" } else { "globex" }, n) + "\n")
        .collect();
    let done = import(&one, "old.ndjson", &text, &[]).ends(0).json();
    assert_eq!(
        (&done["recorded"], &done["workspaces_created"]),
        (&json!(1300), &json!(2))
    );
    let again = import(&one, "old.ndjson", &text, &[]).ends(0).json();
    assert_eq!(
        (&again["recorded"], &again["duplicates"]),
        (&json!(0), &json!(1300))
    );

    let file = one.folder.path().join("acme.ndjson");
    let file = file.to_str().unwrap();
    one.run(&[
        "export", "-w", "acme", "--format", "ndjson", "--order", "asc", "--output", file,
    ])
    .ends(0);
    one.run(&[
        "export", "-w", "acme", "--format", "ndjson", "--output", file,
    ])
    .ends(0);
    let exported = fs::read_to_string(file).unwrap();
    let about_the_log = exported
        .lines()
        .filter(|l| l.contains("\"audit_log."))
        .count();
    assert!(
        about_the_log >= 1,
        "the first export is recorded, and is in the second"
    );

    let two = Serving::new();
    let done = import(&two, "acme.ndjson", &exported, &[]).ends(0).json();
    assert_eq!(done["recorded"], json!(650));
    assert_eq!(done["skipped"], json!(about_the_log));
    // In the same order too.
    assert_eq!(events(&two, "acme"), events(&one, "acme"));

    // Into another workspace too.
    let done = import(&two, "copy.ndjson", &exported, &["--workspace", "copy"])
        .ends(0)
        .json();
    assert_eq!(done["recorded"], json!(650));
}

#[test]
fn events_are_counted_by_time_and_by_value() {
    let serving = Serving::new();
    let text: String = (0..300).map(|n| line("acme", n) + "\n").collect();
    import(&serving, "old.ndjson", &text, &[]).ends(0);
    let query = |more: &[&str]| {
        let all = ["query", "-w", "acme", "--to", "2020-01-01"];
        serving.run(&[&all, more].concat())
    };
    // 28 days of March in turn: the 20 that are left fall on the first ones.
    let days = query(&["--histogram", "day", "--json"]).ends(0).json();
    let counts: Vec<u64> = days["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|day| day["count"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [vec![11; 20], vec![10; 8]].concat());
    let shown = query(&[
        "--histogram",
        "hour",
        "--tz",
        "Asia/Kolkata",
        "action:user.login",
    ]);
    let shown = shown.ends(0);
    assert!(
        shown.out.starts_with("HOUR (Asia/Kolkata)"),
        "{}",
        shown.out
    );
    // 10:00 UTC is half past three there, in the hour that begins at three.
    assert!(
        shown.out.contains("2019-03-28T15:00+05:30  "),
        "{}",
        shown.out
    );
    assert!(
        shown.out.contains('#') && shown.err.contains("100 events."),
        "{}",
        shown.err
    );

    let values = query(&["--facets=action,actor.id", "--limit", "1"]).ends(0);
    let lines: Vec<String> = values
        .out
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let expected = [
        "FIELD VALUE EVENTS NAME",
        "action invoice.paid 200",
        "action (1 more)",
        "actor.id usr_0 60 User 0",
        "actor.id (4 more)",
    ];
    assert_eq!(lines, expected);
    let all = query(&["--facets", "--json"]).ends(0).json();
    assert_eq!(all["data"].as_array().unwrap().len(), 7);
    assert_eq!(all["count"], json!({ "value": 300, "relation": "exact" }));

    let nothing = query(&["--histogram", "day", "actor:nobody"]).ends(0);
    assert!(nothing.err.contains("Nothing matches."));
    query(&["--histogram", "day", "--facets"]).ends(2);
    query(&["--histogram", "minute"]).ends(2);
    let wrong = query(&["--facets=shoe.size"]).ends(1);
    assert!(wrong.err.contains("fields"), "{}", wrong.err);
}

#[test]
fn packed_files_go_out_and_come_back_in() {
    let one = Serving::new();
    let text: String = (0..700).map(|n| line("acme", n) + "\n").collect();
    import(&one, "old.ndjson", &text, &[]).ends(0);
    for (name, begins) in [
        ("acme.ndjson.gz", &[0x1f, 0x8b][..]),
        ("acme.ndjson.zst", &[0x28, 0xb5, 0x2f, 0xfd]),
    ] {
        let file = one.folder.path().join(name);
        let file = file.to_str().unwrap();
        one.run(&["export", "-w", "acme", "--format", "ndjson", "-o", file])
            .ends(0);
        assert!(fs::read(file).unwrap().starts_with(begins), "{name}");
        let two = Serving::new();
        let done = two.run(&["import", "--json", file]).ends(0).json();
        assert_eq!(done["recorded"], json!(700));
        assert_eq!(events(&two, "acme"), events(&one, "acme"));
    }
    let asked = [
        "export",
        "-w",
        "acme",
        "-o",
        "-",
        "--compress",
        "gzip",
        "--format",
        "proof",
    ];
    one.run(&asked).ends(2);
}

#[test]
fn a_parquet_file_is_saved_and_never_shown_on_a_terminal() {
    let one = Serving::new();
    let text: String = (0..700).map(|n| line("acme", n) + "\n").collect();
    import(&one, "old.ndjson", &text, &[]).ends(0);
    let file = one.folder.path().join("acme.parquet");
    let name = file.to_str().unwrap();
    let export = ["export", "-w", "acme", "--format", "parquet", "-o"];
    let saved = one
        .run(&[&export[..], &[name, "--json"]].concat())
        .ends(0)
        .json();
    let bytes = fs::read(&file).unwrap();
    assert_eq!(saved["bytes"], json!(bytes.len()));
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    for packed in [&["a.parquet", "--compress", "zstd"][..], &["a.parquet.gz"]] {
        let said = one.run(&[&export[..], packed].concat()).ends(2).err;
        assert!(said.contains("packed in itself"), "{said}");
    }
    // `script` runs a command on a terminal.
    for more in ["--format parquet", "--format csv --compress gzip"] {
        let asked = format!(
            "{} export -w acme -o - {more}",
            env!("CARGO_BIN_EXE_annals")
        );
        let shown = Command::new("script")
            .args(["--quiet", "--return", "--command", &asked, "/dev/null"])
            .env("ANNALS_DATA", one.data())
            .output()
            .unwrap();
        let said = String::from_utf8(shown.stdout).unwrap();
        assert_eq!(shown.status.code(), Some(2), "{said}");
        assert!(said.contains("not be readable on a terminal"), "{said}");
    }
}

#[test]
fn an_import_that_is_begun_again_doubles_nothing_although_events_have_no_ids() {
    let serving = Serving::new();
    let nameless = |n: u32| {
        let mut line: Value = serde_json::from_str(&line("acme", n)).unwrap();
        line["event"].as_object_mut().unwrap().remove("id");
        line.to_string() + "\n"
    };
    // Two lines are the same: they are two events all the same.
    let text: String = [1, 1, 2, 3].map(nameless).concat();
    let first = text.lines().take(2).collect::<Vec<_>>().join("\n");
    let done = import(&serving, "cut.ndjson", &first, &[]).ends(0).json();
    assert_eq!(done["recorded"], 2);
    let done = import(&serving, "whole.ndjson", &text, &[]).ends(0).json();
    assert_eq!(
        (&done["recorded"], &done["duplicates"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(events(&serving, "acme").len(), 4);
}

#[test]
fn many_workspaces_go_at_once_and_each_keeps_its_order() {
    let serving = Serving::new();
    let text: String = (0..6_000)
        .map(|n| line(&format!("w{}", n % 17), n) + "\n")
        .collect();
    let done = import(&serving, "many.ndjson", &text, &["--connections", "8"]);
    assert_eq!(done.ends(0).json()["recorded"], 6_000);
    for workspace in 0..17 {
        let amounts: Vec<u64> = events(&serving, &format!("w{workspace}"))
            .iter()
            .map(|event| event["metadata"]["amount"].as_u64().unwrap())
            .collect();
        let expected: Vec<u64> = (0..6_000).filter(|n| n % 17 == workspace).collect();
        assert_eq!(amounts, expected);
    }
}

#[test]
fn bad_lines_are_set_aside_with_the_reason_and_can_be_corrected() {
    let serving = Serving::new();
    let good = line("acme", 1);
    let future = line("acme", 2).replace("2019-03-03", "2999-03-03");
    let nameless = line("acme", 3).replace("\"action\":\"user.login\",", "");
    let long = format!(
        "{{\"organization_id\":\"acme\",\"event\":\"{}\"}}",
        "x".repeat(1 << 20)
    );
    let text = format!(
        "\u{feff}{good}\n\nnot json\n{future}\n{nameless}\n{long}\n{}",
        line("acme", 4)
    );
    let done = import(&serving, "mixed.ndjson", &text, &[]).ends(1).json();
    assert_eq!(
        (&done["recorded"], &done["rejected"]),
        (&json!(2), &json!(4))
    );

    let rejects = fs::read_to_string(done["rejects"].as_str().unwrap()).unwrap();
    let rejects: Vec<Value> = rejects
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let mut numbers: Vec<u64> = rejects
        .iter()
        .map(|r| r["rejected"]["line"].as_u64().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [3, 4, 5, 6]);
    let of = |number: u64| {
        rejects
            .iter()
            .find(|r| r["rejected"]["line"] == number)
            .unwrap()
    };
    assert!(
        of(4)["rejected"]["problem"]
            .to_string()
            .contains("occurred_at")
    );
    assert!(of(5)["rejected"]["problem"].to_string().contains("action"));

    // Corrected, a line is taken as it is, the reason beside it included.
    let corrected = of(4).to_string().replace("2999", "2019");
    let done = import(&serving, "corrected.ndjson", &corrected, &[])
        .ends(0)
        .json();
    assert_eq!(done["recorded"], json!(1));
}

#[test]
fn bare_events_go_into_the_workspace_that_is_named() {
    let serving = Serving::new();
    let bare: String = (0..3)
        .map(|n| {
            let line: Value = serde_json::from_str(&line("ignored", n)).unwrap();
            line["event"].to_string() + "\n"
        })
        .collect();
    import(&serving, "bare.ndjson", &bare, &["-w", "acme"]).ends(0);
    assert_eq!(events(&serving, "acme").len(), 3);
    let without = import(&serving, "bare.ndjson", &bare, &[]).ends(1).json();
    assert_eq!(without["rejected"], json!(3));
}

#[test]
fn a_query_finds_counts_its_limit_and_points_at_mistakes() {
    let serving = Serving::new();
    let text: String = (0..60).map(|n| line("acme", n) + "\n").collect();
    import(&serving, "old.ndjson", &text, &[]).ends(0);
    let found = |args: &[&str]| {
        let mut all = vec!["query", "-w", "acme", "--json"];
        all.extend(args);
        serving.run(&all).ends(0).lines().len()
    };
    assert_eq!(found(&["action:user.login"]), 20);
    assert_eq!(
        found(&["-action:user.login -action:audit_log.*"]),
        40,
        "a query may begin with a minus"
    );
    assert_eq!(found(&["actor.id:usr_1 action:user.login"]), 4);
    assert_eq!(found(&["--limit", "7"]), 7);
    assert_eq!(found(&["--from", "2019-03-02", "--to", "2019-03-04"]), 6);
    let table = serving
        .run(&["query", "-w", "acme", "action:user.login", "--limit", "2"])
        .ends(0);
    assert!(
        table.out.contains("User Login") && table.out.contains("203.0.113.7"),
        "{}",
        table.out
    );
    assert!(table.err.contains("There is more"), "{}", table.err);

    let wrong = serving
        .run(&["query", "-w", "acme", "action:x actr:ann"])
        .ends(2);
    assert!(
        wrong.err.contains("  action:x actr:ann\n           ^"),
        "{}",
        wrong.err
    );
    assert!(wrong.err.contains("`actor`"), "{}", wrong.err);
    let nobody = serving.run(&["query", "-w", "nobody"]).ends(1);
    assert!(
        nobody.err.contains("Organization not found: 'nobody'"),
        "{}",
        nobody.err
    );
}

#[test]
fn text_of_others_does_not_steer_the_terminal() {
    let serving = Serving::new();
    let evil = line("acme", 3).replace("User 3", "\\u001b[2J\\u202eevil");
    import(&serving, "evil.ndjson", &evil, &[]).ends(0);
    let shown = serving.run(&["query", "-w", "acme"]).ends(0).out;
    assert!(
        shown.contains("evil") && !shown.contains('\u{1b}') && !shown.contains('\u{202e}'),
        "{shown}"
    );
}

#[test]
fn keys_reach_what_they_are_given() {
    let serving = Serving::new();
    for id in ["acme", "globex"] {
        serving
            .run(&["workspace", "create", id, "--name", id])
            .ends(0);
    }
    import(&serving, "one.ndjson", &line("acme", 1), &[]).ends(0);
    let made = serving
        .run(&[
            "key",
            "create",
            "--name",
            "reader",
            "--workspace",
            "acme",
            "--scope",
            "read",
            "--json",
        ])
        .ends(0)
        .json();
    let secret = made["key"].as_str().unwrap();
    let with = |workspace: &str| {
        serving.run(&[
            "query",
            "-w",
            workspace,
            "--url",
            &serving.url,
            "--api-key",
            secret,
        ])
    };
    with("acme").ends(0);
    with("globex").ends(1);
    let listed = serving.run(&["key", "list"]).ends(0).out;
    assert!(listed.contains("reader") && !listed.contains(secret));

    // Locked, the workspace's own key is told where to ask; the operator goes on reading.
    serving.run(&["workspace", "disable", "acme"]).ends(0);
    let refused = with("acme").ends(1);
    assert!(refused.err.contains("403"), "{}", refused.err);
    serving.run(&["query", "-w", "acme"]).ends(0);
    import(&serving, "two.ndjson", &line("acme", 2), &[]).ends(0);
    serving
        .run(&["workspace", "disable", "acme", "--stop-recording"])
        .ends(0);
    import(&serving, "three.ndjson", &line("acme", 3), &[]).ends(1);
    serving.run(&["workspace", "enable", "acme"]).ends(0);
    with("acme").ends(0);

    serving
        .run(&["key", "revoke", made["id"].as_str().unwrap()])
        .ends(0);
    let revoked = with("acme").ends(1);
    assert!(revoked.err.contains("not accepted"), "{}", revoked.err);
}
