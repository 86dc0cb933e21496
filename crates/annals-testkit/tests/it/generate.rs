//! The generated events: the same for the same seed, and shaped as the bench says.

use std::collections::{BTreeMap, BTreeSet};

use annals_testkit::{ABSENT, COMMON, Generated, Generator, Profile, RARE};

const EVENTS: u64 = 50_000;

fn events() -> Vec<Generated> {
    Generator::new(Profile::year(EVENTS)).collect()
}

#[test]
fn the_same_seed_tells_the_same_year_in_order() {
    let (one, two) = (events(), events());
    assert_eq!(one.len() as u64, EVENTS);
    let lines = |events: &[Generated]| -> Vec<String> {
        events.iter().map(|event| event.event_json(true)).collect()
    };
    assert_eq!(lines(&one), lines(&two));
    assert!(one.is_sorted_by_key(|event| event.occurred_at));
    let ids: BTreeSet<&str> = one.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids.len(), one.len());
    let other = Profile {
        seed: 2,
        ..Profile::year(EVENTS)
    };
    assert_ne!(Generator::new(other).next().unwrap().id, one[0].id);
    let year = Profile::year(EVENTS);
    let last = one.last().unwrap().occurred_at - year.start;
    assert!(last <= year.span && last > year.span / 100 * 99);
}

#[test]
fn sizes_actions_and_texts_are_as_the_bench_says() {
    assert_eq!(Profile::year(1_000_000).workspaces, 2_000);
    assert_eq!(Profile::year(10_000_000).workspaces, 20_000);
    let events = events();
    let mut sizes = BTreeMap::new();
    for event in &events {
        *sizes.entry(event.workspace).or_insert(0_u64) += 1;
    }
    // Zipf 1.0: the second has half of what the first has.
    let ratio = sizes[&0] as f64 / sizes[&1] as f64;
    assert!((1.9..2.1).contains(&ratio), "{ratio}");

    let actions: BTreeSet<&str> = events.iter().map(|event| event.action).collect();
    assert_eq!(actions.len(), 43);
    let agents: BTreeSet<&str> = events
        .iter()
        .map(|event| event.context.split('"').nth(7).unwrap())
        .collect();
    assert_eq!(agents.len(), 30);

    let line = |event: &Generated| {
        let organization = event.organization_id();
        let json = event.event_json(true);
        format!("{{\"organization_id\":\"{organization}\",\"event\":{json}}}\n").len()
    };
    let bytes = events.iter().map(line).sum::<usize>() / events.len();
    assert!((600..=660).contains(&bytes), "{bytes} bytes a line");

    let with = |word: &str| {
        let found = events
            .iter()
            .filter(|event| event.event_json(true).contains(word));
        let of: Vec<u32> = found.map(|event| event.workspace).collect();
        assert!(of.iter().all(|workspace| *workspace == 0));
        of.len() as f64
    };
    let biggest = sizes[&0] as f64;
    let common = with(COMMON) / biggest * 122_288.0;
    assert!((15_000.0..16_500.0).contains(&common), "{common}");
    let rare = with(RARE) / biggest * 122_288.0;
    assert!((15.0..40.0).contains(&rare), "{rare}");
    assert_eq!(with(ABSENT), 0.0);
}
