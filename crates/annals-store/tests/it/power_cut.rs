//! What was acknowledged survives a power cut: on a disk that forgets what was not synced, at any
//! moment, in the middle of commits, of the background apply and of the checkpoint of the WAL.
//!
//! `ANNALS_POWER_CUTS` sets the number of cuts (50 by default; the torture script asks for 500).

use std::sync::{Arc, Mutex};

use annals_event::{Draft, Event, Rules, Timestamp};
use annals_store::{Append, Durability, Item, NewOrganization, Options, Order, Sealing, Store};
use annals_testkit::{FaultVfs, Generator, Profile};
use tempfile::TempDir;

use crate::world::{FaultFiles, sealing_at_once};

/// Cuts of one recorded run; every run is another interleaving.
const CUTS_PER_RUN: u64 = 10;
const WORKSPACES: [&str; 3] = ["org_a", "org_b", "org_c"];

/// An acknowledged event, with the moment of the disk at which it was acknowledged.
struct Acknowledged {
    moment: usize,
    workspace: &'static str,
    position: u64,
    id: String,
}

struct Run {
    vfs: FaultVfs,
    dir: TempDir,
    acknowledged: Vec<Acknowledged>,
    /// When the workspaces existed.
    begin: usize,
    end: usize,
}

fn drafts(seed: u64) -> Vec<Draft> {
    let profile = Profile {
        events: 120,
        workspaces: 1,
        seed,
        ..Profile::year(120)
    };
    Generator::new(profile)
        .map(|event| {
            let event = Event::from_json(event.event_json(true).as_bytes()).unwrap();
            Draft::new(event, &Rules::open(), Timestamp::MAX, || {
                unreachable!("it has an id")
            })
            .unwrap()
        })
        .collect()
}

/// Four writers record events; what they were told is kept with the moment at which they were told.
fn run(seed: u64, durability: Durability, sealing: Option<Sealing>) -> Run {
    let (vfs, dir) = (FaultVfs::register(), TempDir::new().unwrap());
    let options = Options {
        vfs: Some(vfs.name().to_owned()),
        durability,
        files: Arc::new(FaultFiles(vfs.clone())),
        sealing,
        on_fatal: Arc::new(|reason| panic!("fatal: {reason}")),
        ..Options::default()
    };
    let store = Store::open(dir.path(), options).unwrap();
    for id in WORKSPACES {
        let organization = NewOrganization {
            id: Some(id.to_owned()),
            name: id.to_owned(),
            ..NewOrganization::default()
        };
        let created = store.create_organization(organization, |_| Vec::new());
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(created)
            .unwrap();
    }
    let begin = vfs.moment();
    let acknowledged = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (store, vfs, acknowledged) = (&store, &vfs, &acknowledged);
            scope.spawn(move || {
                let drafts = drafts(seed * 100 + writer);
                for (n, chunk) in drafts
                    .chunks(1 + usize::try_from(writer).unwrap() * 2)
                    .enumerate()
                {
                    let workspace = WORKSPACES[n % WORKSPACES.len()];
                    let batch = Append {
                        drafts: chunk.iter().collect(),
                        recorded_by: "key_test".to_owned(),
                        idempotency: None,
                        internal: false,
                        receipt: false,
                    };
                    let appended = store.log(workspace).unwrap().append(batch).wait().unwrap();
                    let moment = vfs.moment();
                    for item in appended.items {
                        let Item::Recorded { position, id, .. } = item else {
                            panic!("{item:?}")
                        };
                        let event = Acknowledged {
                            moment,
                            workspace,
                            position,
                            id,
                        };
                        acknowledged.lock().unwrap().push(event);
                    }
                }
            });
        }
    });
    store.close().unwrap();
    let (acknowledged, end) = (acknowledged.into_inner().unwrap(), vfs.moment());
    Run {
        vfs,
        dir,
        acknowledged,
        begin,
        end,
    }
}

/// Opens what a cut left and says what is wrong with it.
fn after_cut(run: &Run, moment: usize, seed: u64) -> Result<(), String> {
    let after = TempDir::new().unwrap();
    run.vfs
        .after_power_cut(run.dir.path(), after.path(), moment, seed)
        .unwrap();
    let store = Store::open(after.path(), Options::default()).map_err(|error| error.to_string())?;
    for event in run
        .acknowledged
        .iter()
        .filter(|event| event.moment <= moment)
    {
        let log = store.log(event.workspace).ok_or("a workspace is gone")?;
        let row = log
            .row_by_id(&event.id)
            .map_err(|error| error.to_string())?;
        match row {
            Some(row) if row.position == event.position => {}
            Some(row) => return Err(format!("{} moved to {}", event.position, row.position)),
            None => return Err(format!("{} of {} is gone", event.position, event.workspace)),
        }
    }
    for workspace in WORKSPACES {
        let log = store.log(workspace).ok_or("a workspace is gone")?;
        let mut ids = std::collections::HashSet::new();
        for row in log.scan(0..log.size(), Order::Asc) {
            let row = row.map_err(|error| error.to_string())?;
            if !ids.insert(row.draft.skeleton.id.clone()) {
                return Err(format!("{} is there twice", row.draft.skeleton.id));
            }
        }
        if ids.len() as u64 != log.size() {
            return Err(format!(
                "{} rows in a log of size {}",
                ids.len(),
                log.size()
            ));
        }
    }
    store.close().map_err(|error| error.to_string())?;
    let report =
        annals_store::check(after.path(), &mut |_| {}).map_err(|error| error.to_string())?;
    if report.problems.is_empty() {
        Ok(())
    } else {
        Err(format!("{:?}", report.problems))
    }
}

fn cuts() -> u64 {
    std::env::var("ANNALS_POWER_CUTS").map_or(50, |text| text.parse().unwrap())
}

/// The problems of `cuts` cuts, with the seed of each.
fn campaign(cuts: u64, durability: Durability, sealing: Option<Sealing>) -> Vec<(u64, String)> {
    let mut problems = Vec::new();
    for first in (0..cuts).step_by(CUTS_PER_RUN as usize) {
        let run = run(first, durability, sealing.clone());
        for seed in first..(first + CUTS_PER_RUN).min(cuts) {
            let mut chance = fastrand::Rng::with_seed(seed);
            let moment = chance.usize(run.begin..=run.end);
            if let Err(problem) = after_cut(&run, moment, seed) {
                problems.push((seed, problem));
            }
        }
    }
    problems
}

#[test]
fn nothing_acknowledged_is_lost_in_a_power_cut() {
    let problems = campaign(cuts(), Durability::Full, None);
    assert!(problems.is_empty(), "{problems:#?}");
}

/// In the middle of sealing and merging too: each event is in exactly one place afterwards.
#[test]
fn nothing_is_lost_or_there_twice_when_power_goes_while_events_are_sealed() {
    let problems = campaign(cuts() / 2, Durability::Full, Some(sealing_at_once()));
    assert!(problems.is_empty(), "{problems:#?}");
}

/// The test above means something only if it can fail.
#[test]
fn without_syncing_a_power_cut_loses_something() {
    assert!(!campaign(CUTS_PER_RUN, Durability::Off, None).is_empty());
}
