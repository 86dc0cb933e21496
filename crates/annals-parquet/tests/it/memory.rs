//! How much a writer holds.

use std::io::sink;

use annals_event::{Catalogue, Draft, Event, Row, Rules, Timestamp};
use annals_parquet::TableWriter;
use annals_testkit::{Generator, Profile};

use crate::world::{about, label};

/// A field of what the kernel says of this process, in bytes.
fn memory(field: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

#[test]
fn a_hundred_thousand_rows_take_no_more_memory_than_one_group() {
    let mut rows: Vec<Row> = Generator::new(Profile::year(1_000))
        .map(|generated| {
            let event = Event::from_json(generated.event_json(true).as_bytes()).unwrap();
            let draft = Draft::new(event, &Rules::open(), Timestamp::MAX, String::new).unwrap();
            Row::new(0, Timestamp::MAX, "key", draft)
        })
        .collect();
    let mut writer = TableWriter::new(sink(), label(), &about()).unwrap();
    let before = memory("VmRSS:");
    for position in 0..100_000 {
        let next = usize::try_from(position).unwrap() % rows.len();
        rows[next].position = position;
        writer.push(&rows[next], Catalogue::builtin()).unwrap();
    }
    writer.finish().unwrap();
    // All of them are some sixty megabytes of text, and as much again for where each value lies.
    let grown = memory("VmHWM:").saturating_sub(before);
    assert!(grown < 64 << 20, "{grown}");
}
