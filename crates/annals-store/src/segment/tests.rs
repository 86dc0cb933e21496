//! What is written is read back, to the byte.

use std::io;
use std::sync::Arc;

use annals_event::{
    Catalogue, Draft, Drafts, Event, Opened, Row, RowParts, Rules, Section, Seed, SeedNodes, TILE,
    Timestamp, WorkspaceLabel, occurs_folded, write_csv_row,
};
use annals_merkle::Hash;
use annals_testkit::{Generator, Profile};
use bytes::Bytes;

use super::*;
use crate::journal::{to_u32, to_usize};
use crate::tree::{Placed, leaves_of};
use crate::{Order, Slot};

impl ReadAt for Bytes {
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let begin = to_usize(offset);
        let end = begin.checked_add(length).filter(|end| *end <= self.len());
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(self.slice(begin..end))
    }

    fn size(&self) -> u64 {
        self.len() as u64
    }
}

const ORIGIN: &str = "audit.example/test";

fn seed(slot: Slot, tile: u64) -> Seed {
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&slot.to_le_bytes());
    seed[4..12].copy_from_slice(&tile.to_le_bytes());
    Seed(seed)
}

/// What is stored at a position.
#[derive(Clone, Debug)]
enum Stored {
    Event(Row),
    Redacted(Redacted),
}

fn position(stored: &Stored) -> u64 {
    match stored {
        Stored::Event(row) => row.position,
        Stored::Redacted(redacted) => redacted.position,
    }
}

/// The leaf hashes of rows, a run of events at a time.
fn leaves(rows: &[(Slot, Stored)]) -> Vec<Hash> {
    let mut leaves = Vec::with_capacity(rows.len());
    let tile = |stored: &Stored| position(stored) / TILE;
    for run in rows.chunk_by(|(a, x), (b, y)| a == b && tile(x) == tile(y)) {
        let slot = run[0].0;
        let seeds = [seed(slot, tile(&run[0].1))];
        let log = format!("{ORIGIN}/w/{slot}");
        let is_event = |stored: &Stored| matches!(stored, Stored::Event(_));
        for part in run.chunk_by(|(_, x), (_, y)| is_event(x) && is_event(y)) {
            let events: Vec<Row> = part
                .iter()
                .filter_map(|(_, stored)| match stored {
                    Stored::Event(row) => Some(row.clone()),
                    Stored::Redacted(redacted) => {
                        leaves.push(redacted.leaf);
                        None
                    }
                })
                .collect();
            leaves.extend(leaves_of(&log, &events, &seeds));
        }
    }
    leaves
}

/// A segment of these rows, which are in order.
fn written(rows: &[(Slot, Stored)]) -> Bytes {
    let mut writer = SegmentWriter::new(Vec::new(), ORIGIN).unwrap();
    for ((slot, stored), leaf) in rows.iter().zip(leaves(rows)) {
        push(&mut writer, *slot, stored, &leaf).unwrap();
    }
    read_back(writer)
}

fn push(
    writer: &mut SegmentWriter<Vec<u8>>,
    slot: Slot,
    stored: &Stored,
    leaf: &Hash,
) -> Result<(), Flaw> {
    let seed = SeedNodes::whole(&seed(slot, position(stored) / TILE)).encode();
    match stored {
        Stored::Redacted(redacted) => writer.push(slot, &Item::Redacted(redacted), leaf, &seed),
        Stored::Event(row) => {
            let drafts = Drafts::from(row.draft.clone());
            let event = Placed {
                position: row.position,
                recorded_at: row.recorded_at,
                recorded_by: &row.recorded_by,
                draft: drafts.get(0).unwrap(),
            };
            writer.push(slot, &Item::Event(event), leaf, &seed)
        }
    }
}

/// What was written, which is read back as it was.
fn read_back(writer: SegmentWriter<Vec<u8>>) -> Bytes {
    let (file, marks) = writer.finish().unwrap();
    let file = Bytes::from(file);
    let segment = Segment::open(Arc::new(file.clone()), None).unwrap();
    let mut cursor = Cursor::new(&segment, false).unwrap();
    while cursor.read_back(&marks).unwrap() {}
    file
}

/// Rows in two segments, the later ones of each log in the second, merge into the file that they make at once.
fn assert_merges(rows: &[(Slot, Stored)], whole: &Bytes) {
    let is_early = |(slot, stored): &&(Slot, Stored)| position(stored) < u64::from(slot % 700);
    let [early, late] = [true, false].map(|early| {
        let of_part = rows.iter().filter(|row| is_early(row) == early);
        written(&of_part.cloned().collect::<Vec<_>>())
    });
    let parts = [early, late].map(|file| Segment::open(Arc::new(file), None).unwrap());
    let mut cursors = parts
        .each_ref()
        .map(|part| Cursor::new(part, false).unwrap());
    let mut writer = SegmentWriter::new(Vec::new(), ORIGIN).unwrap();
    while let Some(slot) = cursors
        .iter_mut()
        .filter_map(|cursor| cursor.slot().unwrap())
        .min()
    {
        for cursor in &mut cursors {
            while let Some((page, rows)) = cursor.run(slot).unwrap() {
                writer.copy(page, rows).unwrap();
            }
        }
    }
    assert!(read_back(writer) == whole, "not the same bytes");
}

/// The segment with its index.
fn opened(file: &Bytes) -> Segment {
    let plain = Segment::open(Arc::new(file.clone()), None).unwrap();
    let index = indexed(&plain).unwrap();
    let index = Index::open(Arc::new(Bytes::from(index)), file.len() as u64).unwrap();
    index.verify().unwrap();
    Segment::open(Arc::new(file.clone()), Some(index)).unwrap()
}

fn indexed(segment: &Segment) -> Result<Vec<u8>, Flaw> {
    let mut cursor = Cursor::new(segment, true)?;
    while let Some(page) = cursor.next_page() {
        page.map_err(|bad| bad.flaw)?;
    }
    cursor.into_index()
}

fn row(position: u64, draft: Draft) -> Stored {
    let recorded_at = Timestamp::clamped(1_760_000_000_000_000 + 17 * position as i64);
    Stored::Event(Row::new(position, recorded_at, "key_test", draft))
}

fn same(a: &Row, b: &Row) -> bool {
    a.draft == b.draft
        && a.position == b.position
        && a.recorded_at == b.recorded_at
        && a.recorded_by == b.recorded_by
}

fn assert_comes_back(rows: &[(Slot, Stored)]) -> Bytes {
    let file = written(rows);
    let segment = Segment::open(Arc::new(file.clone()), None).unwrap();
    assert_rows(&segment, rows);
    assert_shown(&segment, rows);
    assert_decoded(&segment);
    file
}

/// The segment has these rows, and their entries are those that were hashed.
fn assert_rows(segment: &Segment, rows: &[(Slot, Stored)]) {
    let mut cursor = Cursor::new(segment, false).unwrap();
    let mut rest = rows.iter();
    while let Some(page) = cursor.next_page() {
        let sealed = page.unwrap().rows;
        let (_, of_page) = segment.page_of(to_u32(rows.len() - rest.len()));
        let mut found = segment.read(of_page, RowParts::ALL).unwrap().into_iter();
        for sealed in sealed {
            let (slot, stored) = rest.next().unwrap();
            assert_eq!((sealed.slot, sealed.position), (*slot, position(stored)));
            match stored {
                Stored::Redacted(redacted) => assert_eq!(sealed.leaf, redacted.leaf),
                Stored::Event(row) => {
                    let found = found.next().unwrap();
                    assert!(same(&found, row), "{row:?}\nbecame\n{found:?}");
                }
            }
        }
        assert!(found.next().is_none());
    }
    assert_eq!(rest.count(), 0);
}

/// Our own reader of pages takes every page that is written, and finds in it what the general one does.
fn assert_decoded(segment: &Segment) {
    // Every third page, because it takes long.
    for at in (0..segment.rows()).step_by(3 * PAGE_ROWS) {
        let (page, rows) = segment.page_of(at);
        for column in Column::ALL {
            let ours = segment.column_as_written(page, column).unwrap();
            let ours = ours.unwrap_or_else(|| panic!("{column:?} of page {page}"));
            let known = segment.column_by_parquet(page, column).unwrap();
            let elements = known.listed(0).1.last().copied();
            let levels = elements.map_or(rows.len(), to_usize);
            assert_eq!(ours.listed(levels), known.listed(levels), "{column:?}");
        }
    }
}

/// What is shown where it lies is what the rows open to.
fn assert_shown(segment: &Segment, rows: &[(Slot, Stored)]) {
    let csv = |event: &Opened<'_>| {
        let (mut line, catalogue) = (Vec::new(), Catalogue::builtin());
        let workspace = WorkspaceLabel {
            id: "acme".to_owned(),
            name: "Acme".to_owned(),
        };
        write_csv_row(&mut line, event, &workspace, catalogue, true);
        String::from_utf8(line).unwrap()
    };
    // Every third page, because it takes long.
    for at in (0..segment.rows()).step_by(3 * PAGE_ROWS) {
        let (_, page) = segment.page_of(at);
        let mut shown = Vec::new();
        let mut show = |event: &Opened<'_>| {
            shown.push(csv(event));
            Ok::<(), ()>(())
        };
        let lying = segment.lying(page.clone(), true).unwrap();
        lying.show(Order::Asc, &mut show).unwrap().unwrap();
        let rows = &rows[page.start as usize..page.end as usize];
        let events = rows.iter().filter_map(|(_, stored)| match stored {
            Stored::Event(row) => Some(csv(&Opened::from(row))),
            Stored::Redacted(_) => None,
        });
        assert_eq!(shown, events.collect::<Vec<_>>());
    }
}

fn draft(event: Event) -> Draft {
    let personal = ["contact".to_owned()];
    let rules = Rules {
        personal_types: &personal,
        ..Rules::open()
    };
    Draft::new(event, &rules, Timestamp::MAX, || "made-here".to_owned()).unwrap()
}

fn generated(count: u64) -> Vec<(Slot, Draft)> {
    let events = Generator::new(Profile::year(count));
    let mut drafts: Vec<(Slot, Draft)> = events
        .map(|event| {
            let parsed = Event::from_json(event.event_json(true).as_bytes()).unwrap();
            (1_000 + event.workspace, draft(parsed))
        })
        .collect();
    drafts.sort_by_key(|(slot, _)| *slot);
    drafts
}

/// Positions for drafts that are sorted by log.
fn placed(drafts: Vec<(Slot, Draft)>) -> Vec<(Slot, Stored)> {
    let (mut last, mut position) = (0, 0);
    drafts
        .into_iter()
        .map(|(slot, draft)| {
            position = if slot == last { position + 1 } else { 0 };
            last = slot;
            (slot, row(position, draft))
        })
        .collect()
}

/// Changes a draft into something that producers seldom send.
fn twisted(mut draft: Draft, chance: &mut fastrand::Rng) -> Draft {
    let texts = [
        "",
        "null",
        "\"",
        "\\",
        "\n\t\u{1}\u{7f}",
        "ÄÖÜ ß ẞ σς",
        "𝒜\u{1F600}\u{FFFF}\u{E000}",
        "{\"a\":1}",
        "a,b]}",
        "\u{2028}\u{2029}",
        "=1+1",
        "\\\"}",
    ];
    let text = |chance: &mut fastrand::Rng| {
        let mut out = String::new();
        annals_event::write_json_string(&mut out, texts[chance.usize(..texts.len())]);
        out
    };
    let deep = "{\"a\":{\"b\":[{\"c\":[[],{},\"]}\",-0.5,1e+300,null,true]}]}}";
    let k = chance.usize(..draft.sections.len());
    let value = match chance.u8(..12) {
        0 => Section::Empty,
        1 => Section::Withheld([chance.u8(..); 32]),
        2 => Section::Value("{}".to_owned()),
        3 => Section::Value(format!("{{\"name\":{}}}", text(chance))),
        4 => Section::Value(format!("{{\"id\":{},\"name\":\"x\"}}", text(chance))),
        5 => Section::Value(format!("{{\"metadata\":{deep},\"version\":7}}")),
        6 => Section::Value(format!(
            "{{\"email\":{},\"role\":{}}}",
            text(chance),
            text(chance)
        )),
        7 => Section::Value(format!(
            "{{\"location\":{},\"trace\":{}}}",
            text(chance),
            text(chance)
        )),
        8 => Section::Value(format!(
            "{{\"failure\":{{\"stage\":{}}},\"next\":{deep}}}",
            text(chance)
        )),
        9 => Section::Value("{\"failure\":{},\"unknown\":[1]}".to_owned()),
        10 => Section::Value("{\"name\":null,\"metadata\":5}".to_owned()),
        _ => Section::Value("not json at all \u{0}".to_owned()),
    };
    draft.sections[k] = value;
    if chance.u8(..4) == 0 {
        draft.skeleton.actor.id = chance
            .bool()
            .then(|| texts[chance.usize(..texts.len())].to_owned());
        draft.skeleton.actor.role = chance.bool().then(|| "role".to_owned());
        draft.skeleton.id = texts[chance.usize(..texts.len())].to_owned();
        draft.skeleton.failure = chance.bool().then(|| "reason".to_owned());
        draft.given_id = chance.bool();
        draft.skeleton.occurred_at = Timestamp::clamped(chance.i64(..));
    }
    if chance.u8(..6) == 0 {
        while draft.skeleton.targets.len() < 20 {
            let number = draft.skeleton.targets.len();
            draft.skeleton.targets.push(annals_event::TargetRef {
                id: (!number.is_multiple_of(3)).then(|| format!("t{number}")),
                kind: "thing".to_owned(),
            });
            draft.sections.push(match number % 4 {
                0 => Section::Empty,
                1 => Section::Withheld([3; 32]),
                _ => Section::Value(format!("{{\"id\":{}}}", text(chance))),
            });
        }
    } else if chance.u8(..6) == 0 {
        draft.skeleton.targets.clear();
        draft.sections.truncate(Section::TARGETS);
    }
    draft
}

/// How many events are tried; `ANNALS_SEGMENT_EVENTS` sets another number, as the torture script does.
fn events() -> u64 {
    std::env::var("ANNALS_SEGMENT_EVENTS").map_or(100_000, |text| text.parse().unwrap())
}

#[test]
fn every_entry_is_rebuilt_to_the_byte() {
    let mut chance = fastrand::Rng::with_seed(5);
    // The same believable events again and again, of which others are twisted each time.
    let part = 20_000;
    let believable = generated(part.min(events()));
    for n in 0..events().div_ceil(part) {
        let mut drafts = believable.clone();
        for (_, draft) in &mut drafts {
            if chance.u8(..3) == 0 {
                *draft = twisted(draft.clone(), &mut chance);
            }
        }
        let mut rows = placed(drafts);
        for (_, stored) in &mut rows {
            if let Stored::Event(row) = stored
                && chance.u8(..50) == 0
            {
                *stored = Stored::Redacted(Redacted {
                    position: row.position,
                    recorded_at: row.recorded_at,
                    leaf: [chance.u8(..); 32],
                    id_hash: [chance.u8(..); 16],
                });
            }
        }
        let file = assert_comes_back(&rows);
        if n == 0 {
            assert_merges(&rows, &file);
        }
    }
}

#[test]
fn believable_events_take_little_room() {
    let rows = placed(generated(50_000));
    let file = assert_comes_back(&rows);
    let segment = Segment::open(Arc::new(file.clone()), None).unwrap();
    let index = indexed(&segment).unwrap();
    println!(
        "{:.1} bytes an event, {:.1} of index",
        file.len() as f64 / rows.len() as f64,
        index.len() as f64 / rows.len() as f64
    );
    segment.print_columns();
    assert!(file.len() < 70 * rows.len());
}

#[test]
fn any_part_of_any_run_of_rows_is_read() {
    let rows = placed(generated(40_000));
    let segment = opened(&written(&rows));
    let mut chance = fastrand::Rng::with_seed(1);
    for _ in 0..50 {
        let at = chance.u32(..40_000);
        let (_, page) = segment.page_of(at);
        let end = chance.u32(at..page.end) + 1;
        let found = segment.read(at..end, RowParts::ALL).unwrap();
        for (found, (_, stored)) in found.iter().zip(&rows[at as usize..]) {
            let Stored::Event(row) = stored else { panic!() };
            assert!(same(found, row));
        }
        assert_eq!(found.len(), (end - at) as usize);
        let find = |id: &str| segment.find_id(at..end, id).unwrap();
        let (last, before) = (found.last().unwrap(), found.len() - 1);
        assert_eq!(find(&last.draft.skeleton.id), Some(to_u32(before)));
        assert_eq!(find(&last.draft.skeleton.id.to_uppercase()), None);
        assert_eq!(find("none"), None);
    }
}

#[test]
fn a_flipped_bit_anywhere_is_found() {
    let rows = placed(generated(3_000));
    let file = written(&rows);
    let plain = Segment::open(Arc::new(file.clone()), None).unwrap();
    let index = Bytes::from(indexed(&plain).unwrap());
    let open = |file: &[u8]| {
        let index = Index::open(Arc::new(index.clone()), file.len() as u64)?;
        Segment::open(Arc::new(Bytes::copy_from_slice(file)), Some(index))
    };
    let mut chance = fastrand::Rng::with_seed(2);
    let mut flipped = file.to_vec();
    for _ in 0..120 {
        let byte = chance.usize(4..file.len());
        flipped[byte] ^= 1 << chance.u8(..8);
        let found = open(&flipped).and_then(|segment| indexed(&segment));
        assert!(found.is_err(), "byte {byte} of {}", file.len());
        flipped[byte] = file[byte];
    }
    assert!(open(&file).and_then(|segment| indexed(&segment)).is_ok());
    // In the index itself nothing is believed that is not as it was written.
    for byte in (0..index.len()).step_by(97) {
        let mut flipped = index.to_vec();
        flipped[byte] ^= 1;
        let found = Index::open(Arc::new(Bytes::from(flipped)), file.len() as u64)
            .and_then(|index| index.verify());
        assert!(found.is_err(), "byte {byte} of the index");
    }
}

/// Whoever looks what is left of a damaged file opens it in spite of its footer.
#[test]
fn a_footer_with_flipped_bits_is_refused_or_read_but_never_overwhelms() {
    let rows = placed(generated(300));
    let file = written(&rows);
    let plain = Segment::open(Arc::new(file.clone()), None).unwrap();
    let index = Bytes::from(indexed(&plain).unwrap());
    let (tail, _) = Index::open(Arc::new(index.clone()), file.len() as u64)
        .unwrap()
        .sums()
        .tail();
    let mut chance = fastrand::Rng::with_seed(6);
    let mut flipped = file.to_vec();
    for _ in 0..150 {
        let byte = chance.usize(to_usize(tail)..file.len());
        flipped[byte] ^= 1 << chance.u8(..8);
        let index = Index::open(Arc::new(index.clone()), file.len() as u64).unwrap();
        let doubtful = Bytes::copy_from_slice(&flipped);
        if let Ok(segment) = Segment::open_doubtful(Arc::new(doubtful), Some(index)) {
            let _ = indexed(&segment);
        }
        flipped[byte] = file[byte];
    }
}

#[test]
fn rows_out_of_order_are_refused() {
    let drafts = generated(20);
    let rows: Vec<Stored> = (0..3).map(|n| row(n, drafts[0].1.clone())).collect();
    for wrong in [[(1, 0), (1, 2)], [(2, 0), (1, 1)], [(1, 1), (1, 1)]] {
        let mut writer = SegmentWriter::new(Vec::new(), ORIGIN).unwrap();
        let mut place = |(slot, n): (Slot, usize)| push(&mut writer, slot, &rows[n], &[0; 32]);
        assert!(place(wrong[0]).is_ok() && place(wrong[1]).is_err());
    }
}

/// What the committed sample holds. `docs/formats/segment-v1.md` tells of it.
fn sample() -> Vec<(Slot, Stored)> {
    let json = |n: u64, more: &str| {
        format!(
            r#"{{"id":"0193a3b4-c5d6-7{n:03x}-8000-00000000{n:04x}","action":"issue.status_updated",
            "occurred_at":"2026-11-22T12:{:02}:{:02}.000001Z",
            "actor":{{"id":"usr_{}","type":"user","name":"Ana Ruiz","email":"ana@acme.example","role":"admin"}},
            "targets":[{{"id":"issue_{}","type":"issue","name":"Broken checkout"}},{{"id":"prj_1","type":"project"}}],
            "context":{{"location":"192.0.2.{}","user_agent":"curl/8","session_id":"ses_{n}"}},
            "previous":{{"status":"Open"}},"next":{{"status":"Closed"}}{more}}}"#,
            n / 60 % 60,
            n % 60,
            n % 7,
            n % 50,
            n % 9,
        )
    };
    let read = |json: &str| draft(Event::from_json(json.as_bytes()).unwrap());
    let mut drafts: Vec<Draft> = (0..1_030).map(|n| read(&json(n, ""))).collect();
    drafts[1] = read(&json(
        1,
        r#","metadata":{"größe":1.5,"list":[1,"a\"\\\n",null]},"version":3"#,
    ));
    drafts[2] = read(
        r#"{"id":"given","action":"user.login_failed","occurred_at":"2026-11-22T12:00:02Z",
        "actor":{"id":"eve@acme.example","type":"user","role":"no plain name"},"targets":[],"context":{},
        "failure":{"reason":"of my own","stage":"password","detail":"three times"}}"#,
    );
    drafts[3].sections[0] = Section::Withheld([3; 32]);
    drafts[3].sections[4] = Section::Withheld([4; 32]);
    // No producer can send this; a row that does not fit into the columns is kept as it is.
    drafts[4].sections[1] = Section::Value("{\"unknown\":true}".to_owned());
    let mut rows: Vec<(Slot, Stored)> = (40..)
        .zip(drafts)
        .map(|(n, draft)| (7, row(n, draft)))
        .collect();
    rows[5].1 = Stored::Redacted(Redacted {
        position: 45,
        recorded_at: Timestamp::clamped(1_760_000_000_000_000 + 17 * 45),
        leaf: [5; 32],
        id_hash: [6; 16],
    });
    rows.push((9, row(0, read(&json(0, "")))));
    rows
}

fn formats() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats/v1")
}

/// The reader reads what an earlier version wrote. `ANNALS_SEGMENT_OUT` names a folder into which what this
/// version writes goes, for other readers to look at.
#[test]
fn the_committed_sample_is_read() {
    let rows = sample();
    if let Some(folder) = std::env::var_os("ANNALS_SEGMENT_OUT") {
        let folder = std::path::PathBuf::from(folder);
        let file = written(&rows);
        let plain = Segment::open(Arc::new(file.clone()), None).unwrap();
        std::fs::write(folder.join("segment.parquet"), &file).unwrap();
        let index = indexed(&plain).unwrap();
        std::fs::write(folder.join("segment.index"), index).unwrap();
    }
    let read = |name| Bytes::from(std::fs::read(formats().join(name)).unwrap());
    let file = read("segment.parquet");
    let index = Index::open(Arc::new(read("segment.index")), file.len() as u64).unwrap();
    index.verify().unwrap();
    let segment = Segment::open(Arc::new(file.clone()), Some(index)).unwrap();
    assert_eq!(segment.origin().unwrap(), ORIGIN);
    assert_eq!(indexed(&segment).unwrap(), read("segment.index"));
    let index = Index::open(Arc::new(read("segment.index")), file.len() as u64).unwrap();
    assert!(index.has_tally(7) && !index.has_tally(9), "a page at least");
    let times = Times::open(Arc::new(index.times(7).unwrap())).unwrap();
    let mut counts = Vec::new();
    for page in 0..times.pages() {
        let mut take = |from, count: Count| counts.push((from, count.all, count.failed));
        times.page(page, &mut take).unwrap();
    }
    let noon = Timestamp::parse("2026-11-22T12:00:00Z")
        .unwrap()
        .as_micros();
    // All but the one that was redacted; the last six are on a page of their own.
    assert_eq!(counts[0], (noon, 899, 1));
    assert_eq!(counts.iter().map(|(_, all, _)| all).sum::<u64>(), 1_029);
    let values = FacetValues::open(Arc::new(index.values(7).unwrap())).unwrap();
    assert_eq!(values.value(0, 0), Some(("issue.status_updated", None)));
    assert_eq!(values.value(1, 0), Some(("usr_0", Some("Ana Ruiz"))));
    assert_rows(&segment, &rows);
}

#[test]
fn ids_without_a_time_in_them_are_known_and_others_are_not() {
    let template = generated(1).remove(0).1;
    let rows: Vec<(Slot, Stored)> = (0..9_000)
        .map(|n| {
            let mut draft = template.clone();
            draft.skeleton.id = format!("evt-{n}");
            (7, row(n, draft))
        })
        .collect();
    let segment = opened(&written(&rows));
    for n in (0..9_000).step_by(7) {
        assert!(segment.may_hold_id(7, &format!("evt-{n}")));
        assert!(
            segment.may_hold_id(7, &format!("EVT-{n}")),
            "as they are compared"
        );
    }
    let wrongly = (9_000..39_000)
        .filter(|n| segment.may_hold_id(7, &format!("evt-{n}")))
        .count();
    assert!(wrongly <= 12, "{wrongly} of 30,000");
    assert!(!segment.may_hold_id(8, "evt-1"), "another log");
}

#[test]
fn a_tally_that_is_not_one_is_refused_or_read_to_its_end() {
    let rows = placed(generated(6_000));
    let segment = opened(&written(&rows));
    let slot = rows
        .iter()
        .map(|(slot, _)| *slot)
        .find(|slot| segment.has_tally(*slot))
        .unwrap();
    let (times, values) = (segment.times(slot).unwrap(), segment.values(slot).unwrap());
    let mut chance = fastrand::Rng::with_seed(6);
    let read_all = |times: Vec<u8>, values: Vec<u8>| {
        let mut count = 0u64;
        if let Ok(times) = Times::open(Arc::new(times)) {
            for page in 0..=times.pages() {
                let _ = times.page(page, &mut |_, more| count = count.wrapping_add(more.all));
            }
        }
        if let Ok(values) = FacetValues::open(Arc::new(values)) {
            for page in 0..4 {
                let _ = values.page(page, &mut |facet, number, _| {
                    let number = number.map_or(0, |number| number as usize);
                    values.value(facet, number);
                });
            }
        }
        count
    };
    let of_log = rows.iter().filter(|(known, _)| *known == slot).count();
    assert_eq!(read_all(times.clone(), values.clone()), of_log as u64);
    for _ in 0..3_000 {
        let mut twisted = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let at = chance.usize(..bytes.len());
            match chance.u8(..3) {
                0 => bytes.truncate(at),
                1 => bytes[at] ^= 1 << chance.u8(..8),
                _ => bytes.insert(at, chance.u8(..)),
            }
            bytes
        };
        let (times, values) = (twisted(&times), twisted(&values));
        read_all(times, values);
    }
}

/// Without an index nothing is known of checksums, so our own reader of pages meets whatever the disk makes of them.
#[test]
fn damaged_pages_are_refused_or_read_and_nothing_breaks() {
    let file = written(&placed(generated(3_000)));
    let mut chance = fastrand::Rng::with_seed(9);
    let mut refused = 0;
    for _ in 0..300 {
        let mut damaged = file.to_vec();
        for _ in 0..chance.usize(1..20) {
            let byte = chance.usize(4..damaged.len());
            damaged[byte] = chance.u8(..);
        }
        // The footer may be what is damaged.
        let Ok(segment) = Segment::open(Arc::new(Bytes::from(damaged)), None) else {
            continue;
        };
        for at in (0..segment.rows()).step_by(PAGE_ROWS) {
            for column in Column::ALL {
                let (page, _) = segment.page_of(at);
                refused += usize::from(!matches!(
                    segment.column_as_written(page, column),
                    Ok(Some(_))
                ));
            }
        }
    }
    assert!(refused > 0);
}

#[test]
fn a_piece_of_text_is_found_in_a_column_as_in_each_of_its_texts() {
    let mut chance = fastrand::Rng::with_seed(7);
    // Letters that fold to each other, some across the border of ASCII.
    let letters: Vec<char> = "aAbkK\u{212a}sS\u{17f}iI\u{131}ßẞσςé\"_. "
        .chars()
        .collect();
    let mut text = |most: usize| -> String {
        let length = chance.usize(..=most);
        let ascii = chance.bool();
        let mut letter = || letters[chance.usize(..letters.len())];
        let all = std::iter::repeat_with(&mut letter).take(length);
        all.filter(|c| !ascii || c.is_ascii()).collect()
    };
    for _ in 0..5_000 {
        let texts: Vec<String> = (0..12).map(|_| text(12)).collect();
        let piece = annals_event::fold_key(&text(3)).into_owned();
        if piece.is_empty() {
            continue;
        }
        let column = columns::Strings::new(&texts, true).unwrap();
        let mut found = column.holding(&find::Finder::new(&piece));
        found.resize(texts.len(), false);
        let expected = texts.iter().map(|text| occurs_folded(&piece, text));
        assert_eq!(
            found,
            expected.collect::<Vec<_>>(),
            "{piece:?} in {texts:?}"
        );
    }
}
