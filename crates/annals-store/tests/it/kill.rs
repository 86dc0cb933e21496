//! `kill -9` at any moment of recording, sealing and merging, again and again on the same directory.
//!
//! `ANNALS_SEAL_KILLS` sets the number of kills (10 by default; the torture script asks for 100).

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use annals_store::{Options, Order};

use crate::world::{World, event, record, sealing_at_once};

const FOLDER: &str = "ANNALS_SEAL_KILL_FOLDER";
const LOGS: [&str; 3] = ["org_a", "org_b", "org_c"];

fn options() -> Options {
    Options {
        sealing: Some(sealing_at_once()),
        ..Options::default()
    }
}

fn open(folder: &Path) -> World {
    World::at(folder, options())
}

/// What is killed: records events for ever and tells of each that is acknowledged.
#[test]
fn application() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let world = open(Path::new(&folder));
    let mut out = std::io::stdout();
    for n in 0u64.. {
        let log = world.log(LOGS[usize::try_from(n % 3).unwrap()]);
        let id = format!("{}-{}", std::process::id(), n);
        let position = record(&log, vec![event(&id)])[0];
        writeln!(out, "recorded {} {position} {id}", log.id()).unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn nothing_acknowledged_is_lost_or_there_twice_when_killed_while_sealing() {
    let folder = tempfile::TempDir::new().unwrap();
    let kills: u64 = std::env::var("ANNALS_SEAL_KILLS").map_or(10, |text| text.parse().unwrap());
    let mut acknowledged: Vec<(String, u64, String)> = Vec::new();
    let mut chance = fastrand::Rng::with_seed(kills);
    for _ in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::application", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let most = chance.usize(20..120);
        let pause = Duration::from_millis(chance.u64(0..30));
        let mut seen = 0;
        for line in lines.map_while(Result::ok) {
            let Some(told) = line.split("recorded ").nth(1) else {
                continue;
            };
            if let [log, position, id] = told.split(' ').collect::<Vec<_>>()[..] {
                acknowledged.push((log.to_owned(), position.parse().unwrap(), id.to_owned()));
            }
            seen += 1;
            if seen == most {
                // In the middle of whatever comes next.
                std::thread::sleep(pause);
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= most, "it ended by itself after {seen} events");
    }
    let report = annals_store::check(folder.path(), &mut |_| {}).unwrap();
    assert_eq!(report.problems, []);
    assert!(report.segments > 0);
    let world = open(folder.path());
    for (log, position, id) in &acknowledged {
        let row = world.log(log).row_by_id(id).unwrap();
        assert_eq!(row.map(|row| row.position), Some(*position), "{id}");
    }
    for log in LOGS {
        let log = world.log(log);
        let mut ids: Vec<String> = log
            .scan(0..log.size(), Order::Asc)
            .map(|row| row.unwrap().draft.skeleton.id)
            .collect();
        assert_eq!(ids.len() as u64, log.size());
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len() as u64, log.size());
    }
}
