//! Record files of AWS CloudTrail: nothing of a record is lost.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::harness::{Done, Serving, annals};

/// Records of our own making, each for something that others do not have.
const FIXTURE: &str = include_str!("cloudtrail/records.json");

fn members(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// The record that an event was made of, as `docs/cloudtrail.md` says.
fn rebuilt(event: &Value) -> Value {
    let mut record = members(&event["metadata"]);
    let mut give = |name: &str, value: Option<Value>| {
        if let (false, Some(value)) = (record.contains_key(name), value) {
            record.insert(name.to_owned(), value);
        }
    };
    let text = |pointer: &str| event.pointer(pointer).cloned();
    give("eventID", text("/id"));
    let time = event["occurred_at"].as_str().unwrap();
    give("eventTime", Some(json!(time.replace(".000000Z", "Z"))));
    let action = event["action"].as_str().unwrap();
    let (service, name) = action
        .strip_prefix("aws.")
        .unwrap()
        .rsplit_once('.')
        .unwrap();
    give(
        "eventSource",
        Some(json!(format!("{service}.amazonaws.com"))),
    );
    give("eventName", Some(json!(name)));
    give("userIdentity", text("/actor/metadata"));
    give("sourceIPAddress", text("/context/location"));
    give("userAgent", text("/context/user_agent"));
    give("requestID", text("/context/request_id"));
    give("sharedEventID", text("/context/correlation_id"));
    let reason = text("/failure/reason").filter(|reason| reason != "unspecified");
    give("errorCode", reason);
    give("errorMessage", text("/failure/detail"));
    Value::Object(record)
}

fn import(serving: &Serving, args: &[&str]) -> Done {
    let mut all = vec!["import", "--json"];
    all.extend(args);
    serving.run(&all)
}

/// Everything that a workspace holds, as it is exported.
fn exported(serving: &Serving, workspace: &str) -> Vec<Value> {
    let done = serving.run(&[
        "export",
        "-w",
        workspace,
        "--format",
        "ndjson",
        "-o",
        "-",
        "-q",
        "action:aws.*",
    ]);
    done.ends(0).lines()
}

fn by_id(records: impl IntoIterator<Item = Value>) -> BTreeMap<String, Value> {
    let id = |record: &Value| record["eventID"].as_str().unwrap_or_default().to_owned();
    records.into_iter().map(|r| (id(&r), r)).collect()
}

/// What the reject file holds, without the reasons.
fn rejected(done: &Value) -> Vec<Value> {
    let Some(file) = done["rejects"].as_str() else {
        return Vec::new();
    };
    let text = fs::read_to_string(file).unwrap();
    let whole = text.lines().map(|line| {
        let mut record = members(&serde_json::from_str(line).unwrap());
        assert!(record.remove("rejected").unwrap()["problem"].is_object());
        Value::Object(record)
    });
    whole.collect()
}

#[test]
fn every_record_can_be_made_again_from_its_event_or_is_set_aside_whole() {
    let serving = Serving::new();
    let file = serving.folder.path().join("records.json");
    fs::write(&file, FIXTURE).unwrap();
    let file = file.to_str().unwrap();
    let done = import(&serving, &[file, "-w", "cloud"]).ends(1).json();
    let records: Value = serde_json::from_str(FIXTURE).unwrap();
    let records = records["Records"].as_array().unwrap().clone();

    let kept = exported(&serving, "cloud");
    let set_aside = rejected(&done);
    // One is nested too deeply, one has a number that no JSON number carries, one no id, one is too long.
    assert_eq!(set_aside.len(), 4);
    assert_eq!(kept.len() + set_aside.len(), records.len());
    let again = kept.iter().map(|line| rebuilt(&line["event"]));
    let again = by_id(again.chain(set_aside));
    assert_eq!(again, by_id(records));
    // Digits beyond what a number carries are in the file as they were.
    let text = fs::read_to_string(done["rejects"].as_str().unwrap()).unwrap();
    assert!(text.contains("123456789012345678901234567890"), "{text}");

    // Corrected, it is taken as it is; the reason beside it is no part of the record.
    let nameless = text.lines().find(|line| !line.contains("\"eventID\""));
    let mut corrected: Value = serde_json::from_str(nameless.unwrap()).unwrap();
    corrected["eventID"] = json!("11111111-0000-4000-8000-000000000001");
    let again = serving.folder.path().join("corrected.ndjson");
    fs::write(&again, corrected.to_string()).unwrap();
    import(&serving, &[again.to_str().unwrap(), "-w", "cloud"]).ends(0);
    corrected.as_object_mut().unwrap().remove("rejected");
    let found = exported(&serving, "cloud");
    let found = found.iter().map(|line| rebuilt(&line["event"]));
    assert!(by_id(found).values().any(|record| *record == corrected));

    // As an event it reads as others do.
    let by_name = |name: &str| {
        let found = kept.iter().find(|line| line["event"]["action"] == name);
        found.unwrap()["event"].clone()
    };
    let denied = by_name("aws.s3.GetObject");
    assert_eq!(denied["failure"]["reason"], "AccessDenied");
    assert_eq!(denied["actor"]["name"], "ana");
    assert_eq!(denied["actor"]["type"], "IAMUser");
    assert_eq!(denied["targets"][0]["type"], "AWS::S3::Object");
    assert_eq!(denied["context"]["location"], "192.0.2.7");
    let stopped = by_name("aws.ec2.StopInstances");
    let ids: Vec<&Value> = stopped["targets"].as_array().unwrap().iter().collect();
    assert_eq!(ids[1], &json!({"id": "i-0002", "type": "instance"}));
    assert_eq!(stopped["context"]["session_id"], "ASIAEXAMPLE");
    let sign_in = by_name("aws.signin.ConsoleLogin");
    assert_eq!(sign_in["failure"]["detail"], "Failed authentication");

    // Again, nothing is new.
    let again = import(&serving, &[file, "-w", "cloud"]).ends(1).json();
    assert_eq!(again["recorded"], 0);
    assert_eq!(again["duplicates"], done["recorded"]);
}

#[test]
fn directories_packed_files_lines_and_standard_input_are_the_same_records() {
    let serving = Serving::new();
    let records: Value = serde_json::from_str(FIXTURE).unwrap();
    let records = records["Records"].as_array().unwrap();
    let good: Vec<&Value> = records[..3].iter().collect();
    let trail = serving.folder.path().join("AWSLogs/2023/07");
    fs::create_dir_all(&trail).unwrap();
    let whole = json!({ "Records": good }).to_string();
    fs::write(trail.join("a.json.gz"), gzip(whole.as_bytes())).unwrap();
    fs::write(
        trail.join("b.json"),
        serde_json::to_string_pretty(&json!({"Records": good})).unwrap(),
    )
    .unwrap();
    let zstd = zstd::encode_all(whole.as_bytes(), 0).unwrap();
    fs::write(trail.join("c.json.zst"), zstd).unwrap();
    let lines: String = good.iter().map(|record| format!("{record}\n")).collect();
    fs::write(trail.join("d.ndjson"), &lines).unwrap();
    fs::write(
        trail.join("digest.json"),
        r#"{"digestStartTime":"2023-07-10T12:00:00Z","logFiles":[]}"#,
    )
    .unwrap();
    fs::write(trail.join("README.txt"), "not for us").unwrap();

    let done = import(&serving, &[trail.parent().unwrap().to_str().unwrap()]);
    let done = done.ends(0).json();
    assert_eq!(
        (&done["recorded"], &done["duplicates"]),
        (&json!(3), &json!(9))
    );
    assert_eq!(
        done["workspaces_created"], 1,
        "the account is the workspace"
    );
    assert_eq!(
        (
            &done["files_without_records"],
            &done["files_of_other_kinds"]
        ),
        (&json!(1), &json!(1))
    );
    assert_eq!(exported(&serving, "aws-123456789012").len(), 3);

    let mut from_pipe = annals();
    from_pipe
        .args(["import", "-", "--json", "--data"])
        .arg(serving.data());
    from_pipe
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let mut child = from_pipe.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&gzip(whole.as_bytes()))
        .unwrap();
    let done: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(done["duplicates"], 3);

    // What breaks off is no shorter file: it stops the import, and what came before stays.
    fs::write(trail.join("a.json.gz"), &gzip(whole.as_bytes())[..200]).unwrap();
    let cut = import(&serving, &[trail.join("a.json.gz").to_str().unwrap()]).ends(2);
    assert!(
        cut.err.contains("a.json.gz") && cut.err.contains("beginning it again"),
        "{}",
        cut.err
    );
}

#[test]
fn a_strict_installation_learns_the_actions() {
    let serving = Serving::new();
    let (_, _, folder) = serving.stop();
    let settings = folder.path().join("data/operator.toml");
    let text = fs::read_to_string(&settings).unwrap();
    assert!(text.contains("strict = false"));
    fs::write(&settings, text.replace("strict = false", "strict = true")).unwrap();
    let serving = Serving::command("serve", &["--listen", "127.0.0.1:0"], folder, &[]);
    let file = serving.folder.path().join("records.json");
    fs::write(&file, FIXTURE).unwrap();
    let done = import(&serving, &[file.to_str().unwrap()]).ends(1).json();
    assert_eq!(done["rejected"], 4, "those that are rejected everywhere");
    assert!(done["actions_registered"].as_u64().unwrap() >= 5);
}

/// Real files, where they lie beside the checkout; they are not ours to ship.
#[test]
fn real_record_files_lose_nothing() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/cloudtrail");
    let trail = std::env::var_os("ANNALS_CLOUDTRAIL").map_or(shared, PathBuf::from);
    if !trail.is_dir() {
        eprintln!(
            "SKIPPED: no real CloudTrail files at {} (ANNALS_CLOUDTRAIL names another place)",
            trail.display()
        );
        return;
    }
    let serving = Serving::new();
    let rejects = serving.folder.path().join("rejected.ndjson");
    let done = import(
        &serving,
        &[
            trail.to_str().unwrap(),
            "-w",
            "cloud",
            "--rejects",
            rejects.to_str().unwrap(),
        ],
    );
    let done = done.json();
    let mut records = Vec::new();
    for entry in fs::read_dir(&trail).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "json") {
            let mut file: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            records.append(file["Records"].as_array_mut().unwrap());
        }
    }
    assert!(records.len() > 1000);
    let kept = exported(&serving, "cloud");
    assert_eq!(kept.len() as u64, done["recorded"].as_u64().unwrap());
    let set_aside = rejected(&done);
    assert!(
        set_aside.len() < 10,
        "nearly all of them are events: {done}"
    );
    let again = by_id(
        kept.iter()
            .map(|line| rebuilt(&line["event"]))
            .chain(set_aside),
    );
    assert_eq!(again.len(), records.len());
    assert_eq!(again, by_id(records));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}
