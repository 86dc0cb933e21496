//! The tracker while Annals is away.

use std::time::Instant;

use crate::harness::{Setup, World, until};

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
