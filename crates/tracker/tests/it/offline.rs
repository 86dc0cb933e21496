//! The tracker while Annals is away.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{PASSWORD, Setup, World, until};

#[test]
fn everything_works_on_and_arrives_afterwards() {
    let mut world = World::with(Setup {
        annals_runs: false,
        ..Setup::default()
    });
    let (ann, acme) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    let project = world.project(&ann, "acme", "Portal");
    let began = Instant::now();
    for n in 0..30 {
        let title = format!("Issue {n}");
        assert_eq!(
            ann.post(&format!("{project}/new"), &[("title", &title)])
                .status,
            303
        );
    }
    // Each request is a commit, and none waits for somebody who does not answer.
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    let page = ann.get("/w/acme/settings/audit-logs");
    assert!(
        page.status == 200 && page.text().contains("cannot be shown now"),
        "{}",
        page.text()
    );
    world.annals.run();
    let log = until("everything arrived", || {
        Some(world.log(&acme)).filter(|log| log.len() == 32)
    });
    assert_eq!(log[0].action(), "workspace.created", "in order");
    let titles: Vec<String> = log[2..]
        .iter()
        .map(|event| event.at("next.title").as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        titles,
        (0..30).map(|n| format!("Issue {n}")).collect::<Vec<_>>()
    );
}

/// In the place of Annals: takes connections, counts them, and never says a word.
struct Hole {
    taken: Arc<AtomicUsize>,
    closed: Arc<AtomicBool>,
    taking: Option<thread::JoinHandle<()>>,
}

impl Hole {
    fn at(address: String) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let (taken, closed) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (counted, told) = (taken.clone(), closed.clone());
        let taking = thread::spawn(move || {
            let mut held = Vec::new();
            while !told.load(Ordering::SeqCst) {
                match listener.accept() {
                    Ok(connection) => {
                        held.push(connection);
                        counted.store(held.len(), Ordering::SeqCst);
                    }
                    Err(_) => thread::sleep(Duration::from_millis(1)),
                }
            }
        });
        Self {
            taken,
            closed,
            taking: Some(taking),
        }
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

impl Drop for Hole {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        self.taking.take().unwrap().join().unwrap();
    }
}

#[test]
fn no_request_opens_a_connection_to_annals() {
    let world = World::with(Setup {
        annals_runs: false,
        ..Setup::default()
    });
    let hole = Hole::at(world.annals.address());
    let (ann, _) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    let project = world.project(&ann, "acme", "Portal");
    until("the relay came", || (hole.taken() > 0).then_some(()));
    // The relay has one request at a time, to which it gets no answer. Everything here has events, or shows a page.
    let before = hole.taken();
    for n in 0..10 {
        let title = format!("Issue {n}");
        let new = format!("{project}/new");
        assert_eq!(ann.post(&new, &[("title", &title)]).status, 303);
        let issue = format!("{project}/i/{}", n + 1);
        let moved = [("status", "resolved")];
        assert_eq!(ann.post(&format!("{issue}/status"), &moved).status, 303);
        let said = [("body", "A remark")];
        assert_eq!(ann.post(&format!("{issue}/comments"), &said).status, 303);
        assert_eq!(ann.post(&new, &[("title", "")]).status, 422);
        for page in ["/w/acme", "/w/acme/members", "/w/acme/settings", &project] {
            assert_eq!(ann.get(page).status, 200);
        }
        let visitor = world.browser();
        assert_eq!(visitor.log_in("ann@acme.example", PASSWORD).status, 303);
    }
    let opened = hole.taken() - before;
    assert!(opened <= 2, "{opened} connections for 120 requests");
    // The one page that asks does, and gives up.
    let before = hole.taken();
    let page = ann.get("/w/acme/settings/audit-logs");
    assert!(
        page.text().contains("cannot be shown now"),
        "{}",
        page.text()
    );
    assert!(hole.taken() > before, "the connections are not counted");
    drop(hole);
}
