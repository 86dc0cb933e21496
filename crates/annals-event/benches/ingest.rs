//! What one event costs before it reaches the journal, on one core: `cargo bench -p annals-event`.
//!
//! Each step is run in rounds and the fastest round counts, because whatever else runs on the machine only ever adds.

#![expect(clippy::print_stdout, reason = "a bench prints")]

use serde::de::DeserializeSeed as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use annals_event::{
    Draft, Drafts, Event, Place, Recorded, Row, Rules, SaltRun, SaltWalk, Seed, TILE, Timestamp,
    entry_leaves, event_salts, write_entry,
};

/// An ordinary event of about 600 bytes.
const EVENT: &str = r#"{"action":"issue.status_updated","occurred_at":"2026-11-22T09:29:59.987Z","actor":{"id":"user_01HV3K9Q2Z","type":"user","name":"Ann Lee","email":"ann@acme.example","role":"manager"},"targets":[{"id":"issue_01HV3K9Q2Z","type":"issue","name":"Login is broken"},{"id":"project_01HV3K9Q","type":"project","name":"Website"}],"context":{"location":"192.0.2.17","user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101","source":"web","session_id":"sess_01HV3K9Q2Z"},"metadata":{"origin":"user","bulk":false,"number":1234},"previous":{"status":"open"},"next":{"status":"resolved"}}"#;

const ROUNDS: u32 = 20;
const TURNS: u32 = 5_000;

fn measure(step: &str, mut turn: impl FnMut(u32)) {
    let round = |turn: &mut dyn FnMut(u32)| {
        let start = Instant::now();
        (0..TURNS).for_each(turn);
        start.elapsed()
    };
    let fastest = (0..ROUNDS)
        .map(|_| round(&mut turn))
        .min()
        .unwrap_or(Duration::ZERO);
    println!(
        "{step:<40} {:>8.0} ns",
        fastest.as_nanos() as f64 / f64::from(TURNS)
    );
}

fn parse() -> Event {
    Event::from_json(black_box(EVENT.as_bytes())).expect("valid")
}

fn prepare(event: Event) -> Draft {
    Draft::new(event, &Rules::open(), Timestamp::MAX, || {
        "0193-an-id-of-36-letters-for-uuid-v7".to_owned()
    })
    .expect("accepted")
}

fn main() {
    println!(
        "one event of {} bytes, fastest of {ROUNDS} rounds of {TURNS}",
        EVENT.len()
    );
    measure("parse", |_| drop(black_box(parse())));
    let event = parse();
    measure("clone (to subtract below)", |_| {
        drop(black_box(event.clone()))
    });
    measure("clone and prepare a draft", |_| {
        drop(black_box(prepare(event.clone())))
    });
    measure("parse and prepare a draft", |_| {
        drop(black_box(prepare(parse())))
    });

    let draft = prepare(parse());
    let mut bytes = Vec::new();
    let mut straight = Drafts::new();
    measure("straight from text to a draft's bytes", |n| {
        if n % 1000 == 0 {
            straight = Drafts::new();
        }
        let (id, no) = (|| "id".to_owned(), |_: &str| false);
        let mut reader = straight.straight(Rules::open(), Timestamp::MAX, &id, &no);
        let text = std::str::from_utf8(black_box(EVENT.as_bytes())).expect("text");
        let mut input = serde_json::Deserializer::from_str(text);
        reader.deserialize(&mut input).expect("plain");
    });
    measure("encode a draft", |_| {
        bytes.clear();
        draft.encode(&mut bytes);
    });
    measure("decode a draft", |_| {
        drop(black_box(Draft::decode(&bytes).expect("a draft")))
    });

    let seed = Seed([7; 32]);
    let mut walk = SaltWalk::new(&seed, 0);
    measure("the salt of an event, in sequence", |n| {
        if u64::from(n) % TILE == 0 {
            walk = SaltWalk::new(&seed, 0);
        }
        black_box(walk.next());
    });
    let mut line = String::new();
    measure("an entry", |n| {
        line.clear();
        let place = Place {
            log: "annals.example/w/41",
            position: u64::from(n),
            recorded_at: draft.skeleton.occurred_at,
            recorded_by: "key_01",
        };
        write_entry(&mut line, &place, &draft, &[3; 32]);
    });
    let drafts: Drafts = (0..TILE).map(|_| draft.clone()).collect();
    let group: Vec<_> = (0..TILE)
        .map(|position| Recorded {
            place: Place {
                log: "annals.example/w/41",
                position,
                recorded_at: draft.skeleton.occurred_at,
                recorded_by: "key_01",
            },
            draft: drafts
                .get(usize::try_from(position).expect("small"))
                .expect("one of them"),
            salt: [3; 32],
        })
        .collect();
    measure("a salt, an entry and its leaf, in a group", |n| {
        // One turn in 256 makes all of them.
        if u64::from(n) % TILE == 0 {
            black_box(event_salts(&[SaltRun {
                seed: &seed,
                first: 0,
                count: TILE,
            }]));
            black_box(entry_leaves(&group));
        }
    });
    measure("read every section of a row", |n| {
        let row = Row::new(
            u64::from(n),
            draft.skeleton.occurred_at,
            "key_01",
            draft.clone(),
        );
        drop(black_box(row.to_event()));
    });
}
