//! Help, and what is said to somebody who holds it wrong.

use crate::harness::run;

const COMMANDS: [&[&str]; 22] = [
    &["serve"],
    &["demo"],
    &["workspace", "create"],
    &["workspace", "list"],
    &["workspace", "show"],
    &["workspace", "enable"],
    &["workspace", "disable"],
    &["key", "create"],
    &["key", "list"],
    &["key", "revoke"],
    &["query"],
    &["export"],
    &["import"],
    &["verify"],
    &["check"],
    &["rebuild"],
    &["quarantine"],
    &["backup"],
    &["restore"],
    &["config", "print"],
    &["config", "check"],
    &[],
];

#[test]
fn every_command_has_help_with_an_example_and_can_print_json() {
    for command in COMMANDS {
        let mut args = command.to_vec();
        args.push("--help");
        let help = run(&args).ends(0).out;
        assert!(help.contains("Example"), "{command:?}: {help}");
        assert!(help.contains("--json"), "{command:?}: {help}");
        let own = format!("annals {}", command.join(" "));
        assert!(help.contains(own.trim()), "{command:?}: {help}");
        assert!(!help.contains('\u{1b}'), "no colours into a pipe");
    }
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_wrong() {
    for (args, says) in [
        (&["exprot"][..], "export"),
        (&["export", "--output", "x"], "--workspace"),
        (&["verify"], "<FILE>"),
        (
            &["key", "create", "--name", "x", "--scope", "everything"],
            "manage",
        ),
        (&["verify", "/does/not/exist"], "/does/not/exist"),
        (&["serve", "--listen", "everywhere"], "--listen"),
        (&["check", "--data", "/does/not/exist"], "/does/not/exist"),
        (
            &["workspace", "list", "--data", "/does/not/exist"],
            "ANNALS_URL",
        ),
        (
            &["workspace", "list", "--url", "ftp://x", "--api-key", "sk_x"],
            "http://",
        ),
        (
            &[
                "workspace",
                "list",
                "--url",
                "http://127.0.0.1:1",
                "--api-key",
                "sk_x",
            ],
            "127.0.0.1:1",
        ),
        (
            &["backup", "/tmp", "--data", "/does/not/exist"],
            "/does/not/exist",
        ),
        (&["restore"], "<DIR>"),
        (&["demo", "--until", "yesterday"], "--until"),
        (&["demo", "--until", "2999-01-01T00:00:00Z"], "future"),
    ] {
        let done = run(args).ends(2);
        assert!(done.err.contains(says), "{args:?}: {}", done.err);
        assert!(!done.err.contains("panicked"), "{}", done.err);
    }
}

#[test]
fn errors_are_json_too_where_that_is_wanted() {
    let done = run(&["verify", "/does/not/exist", "--json"]).ends(2);
    assert!(
        done.json()["error"]
            .as_str()
            .unwrap()
            .contains("/does/not/exist")
    );
}
