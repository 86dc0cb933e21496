//! `kill -9` at any moment of sealing and merging, while events are recorded, again and again on the same directory.
//!
//! `ANNALS_SEAL_KILLS` sets the number of kills that have to fall within a seal or a merge (10 by default; the torture
//! script asks for 100).

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use annals_store::{Files, Options, Order, SystemFiles, WriteFile};
use rusqlite::{Connection, OpenFlags};

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

/// The files of the machine, and a line whenever a thread begins to write a segment.
struct Told;

impl Files for Told {
    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        let name = path.file_name().unwrap().to_str().unwrap();
        if let Some(number) = name.strip_suffix(".parquet.new") {
            let thread = std::thread::current();
            let thread = thread.name().unwrap_or_default();
            writeln!(io::stdout(), "writing {thread} {number}")?;
        }
        SystemFiles.create(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemFiles.rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        SystemFiles.sync_folder(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        SystemFiles.remove(path)
    }
}

/// What is killed: records events for ever and tells of each that is acknowledged.
#[test]
fn application() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let options = Options {
        files: Arc::new(Told),
        ..options()
    };
    let world = World::at(Path::new(&folder), options);
    let mut out = io::stdout();
    for n in 0u64.. {
        let log = world.log(LOGS[usize::try_from(n % 3).unwrap()]);
        let id = format!("{}-{}", std::process::id(), n);
        let position = record(&log, vec![event(&id)])[0];
        writeln!(out, "recorded {} {position} {id}", log.id()).unwrap();
        out.flush().unwrap();
    }
}

/// Whether a segment never counted: the numbers rise, and what replaces one has a higher one.
fn is_interrupted(folder: &Path, segment: u32) -> bool {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let database = Connection::open_with_flags(folder.join("annals.db"), flags).unwrap();
    let newest = "select coalesce(max(segment_id), 0) from segment";
    let newest: u32 = database.query_row(newest, [], |row| row.get(0)).unwrap();
    segment > newest
}

#[test]
fn nothing_acknowledged_is_lost_or_there_twice_when_killed_while_sealing_or_merging() {
    let folder = tempfile::TempDir::new().unwrap();
    let kills: u64 = std::env::var("ANNALS_SEAL_KILLS").map_or(10, |text| text.parse().unwrap());
    let mut acknowledged: Vec<(String, u64, String)> = Vec::new();
    let mut chance = fastrand::Rng::with_seed(kills);
    let (mut within_seals, mut within_merges, mut others) = (0, 0, 0);
    while within_seals + within_merges < kills {
        let in_seal = within_seals <= within_merges;
        let thread = if in_seal {
            "annals-seal"
        } else {
            "annals-merge"
        };
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::application", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let least = chance.usize(5..60);
        let pause = Duration::from_micros(chance.u64(0..8_000));
        let (mut seen, mut written, mut is_killed) = (0, 0, false);
        for line in lines.map_while(Result::ok) {
            if let Some(told) = line.split("recorded ").nth(1) {
                if let [log, position, id] = told.split(' ').collect::<Vec<_>>()[..] {
                    acknowledged.push((log.to_owned(), position.parse().unwrap(), id.to_owned()));
                }
                seen += 1;
                continue;
            }
            let Some(told) = line.split("writing ").nth(1) else {
                continue;
            };
            if let Some(number) = told.strip_prefix(thread) {
                written = number.trim().parse().unwrap();
                if seen >= least && !is_killed {
                    std::thread::sleep(pause);
                    child.kill().unwrap();
                    is_killed = true;
                }
            }
        }
        child.wait().unwrap();
        assert!(is_killed, "it ended by itself after {seen} events");
        match (is_interrupted(folder.path(), written), in_seal) {
            (true, true) => within_seals += 1,
            (true, false) => within_merges += 1,
            (false, _) => others += 1,
        }
        assert!(others <= 10 + 4 * kills, "hardly a kill falls within");
    }
    println!(
        "{within_seals} kills within a seal, {within_merges} within a merge, {others} elsewhere"
    );
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
