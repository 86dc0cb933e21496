//! A log in memory, as far as a proof file needs one.

use annals_event::{Draft, Event, Row, Rules, Salt, Seed, TILE, Timestamp, entry_line, event_salt};
use annals_merkle::{
    Checkpoint, CompactRange, Hash, Note, RangeProof, SigningKey, VerifyingKey, cover, leaf_hash,
};
use annals_proof::{Disclosure, ProofWriter};
use sha2::{Digest, Sha256};

pub(crate) const NAME: &str = "annals.invalid/0f1e2d3c4b5a6978/w/4711";

/// Events of every shape, one after the other, with everything that was ever known about them.
pub(crate) struct Log {
    pub(crate) rows: Vec<Row>,
    pub(crate) seeds: Vec<Seed>,
    pub(crate) entries: Vec<String>,
    pub(crate) leaves: Vec<Hash>,
    pub(crate) signer: SigningKey,
}

impl Log {
    /// The first `size` events: the same ones every time.
    pub(crate) fn of(size: u64) -> Log {
        let tiles = size.div_ceil(TILE);
        let seed = |tile: u64| Seed(Sha256::digest(format!("seed of tile {tile}")).into());
        let seeds: Vec<Seed> = (0..tiles).map(seed).collect();
        let rows: Vec<Row> = (0..size).map(row).collect();
        let salt = |position: u64| event_salt(&seeds[(position / TILE) as usize], position);
        let entry = |row: &Row| entry_line(NAME, row, &salt(row.position));
        let entries: Vec<String> = rows.iter().map(entry).collect();
        let leaves = entries
            .iter()
            .map(|entry| leaf_hash(entry.as_bytes()))
            .collect();
        Log {
            rows,
            seeds,
            entries,
            leaves,
            signer: SigningKey::from_bytes(&[0x5A; 32]),
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.rows.len() as u64
    }

    pub(crate) fn salt(&self, position: u64) -> Salt {
        event_salt(&self.seeds[(position / TILE) as usize], position)
    }

    pub(crate) fn key(&self) -> VerifyingKey {
        self.signer.for_log(NAME).unwrap()
    }

    pub(crate) fn range(&self, from: u64, to: u64) -> CompactRange {
        let mut range = CompactRange::new(from);
        for leaf in &self.leaves[from as usize..to as usize] {
            range.push_leaf(*leaf, &mut |_, _| {});
        }
        range
    }

    pub(crate) fn checkpoint(&self) -> Note {
        let root = self.range(0, self.size()).root();
        self.signer
            .sign(&Checkpoint::new(NAME, self.size(), root).unwrap())
    }

    pub(crate) fn proof(&self, from: u64, to: u64) -> RangeProof {
        let left = self.range(0, from).hashes().to_vec();
        let right = self.range(to, self.size()).hashes().to_vec();
        assert_eq!(right.len(), cover(to, self.size()).len());
        RangeProof { left, right }
    }

    /// The proof file of `[from, to)` with every section.
    pub(crate) fn file(&self, from: u64, to: u64) -> Vec<u8> {
        let mut writer = ProofWriter::new(Vec::new(), self.key(), from..to).unwrap();
        for row in &self.rows[from as usize..to as usize] {
            writer.event(row, &self.salt(row.position)).unwrap();
        }
        writer
            .finish(&self.checkpoint(), &self.proof(from, to))
            .unwrap()
    }
}

/// What is shown of all sections of a row, with the salts as they were.
pub(crate) fn shown<'a>(row: &'a Row, salt: &Salt) -> Vec<Disclosure<'a>> {
    use annals_event::{Section, section_salt};
    (0u8..)
        .zip(&row.draft.sections)
        .map(|(k, section)| match section {
            Section::Empty => Disclosure::Empty,
            Section::Value(value) => Disclosure::Shown {
                salt: section_salt(salt, k),
                value,
            },
            Section::Withheld(_) => Disclosure::Blanked,
        })
        .collect()
}

fn row(position: u64) -> Row {
    let json =
        EVENTS[(position % EVENTS.len() as u64) as usize].replace("%", &position.to_string());
    let event = Event::from_json(json.as_bytes()).unwrap();
    let recorded_at = start(position);
    let id = || format!("evt_{position:06}");
    let draft = Draft::new(event, &Rules::open(), recorded_at, id).unwrap();
    Row::new(position, recorded_at, "key_1", draft)
}

/// Three events share each time of recording.
fn start(position: u64) -> Timestamp {
    let micros = 1_767_225_600_000_000 + (position / 3) as i64 * 1_234_567;
    Timestamp::from_micros(micros).unwrap()
}

/// `%` stands for the position.
const EVENTS: [&str; 7] = [
    r#"{"action":"user.signed_in","occurred_at":"2025-12-31T23:00:00Z","actor":{"id":"u_%","type":"user","name":"Ada %","email":"ada%@example.com"},"targets":[{"id":"ws_1","type":"workspace","name":"Acme"}],"context":{"location":"203.0.113.7","user_agent":"Mozilla/5.0"}}"#,
    r#"{"action":"issue.updated","occurred_at":"2025-12-31T22:59:59.5+01:00","actor":{"id":"u_1","type":"user","role":"admin"},"targets":[{"id":"iss_%","type":"issue"},{"id":"prj_3","type":"project","name":"Röntgen \"X\"","metadata":{"k":1}}],"context":{},"previous":{"status":"open","n":0.1},"next":{"status":"done","n":1e-7},"metadata":{"\uE000":1,"😀":2.5,"a":[true,null,"\u0007\n"]}}"#,
    r#"{"action":"user.login_failed","occurred_at":"2025-12-30T00:00:00Z","actor":{"id":"someone@example.com","type":"user"},"targets":[],"context":{"location":"198.51.100.%"},"failure":{"reason":"wrong_password","detail":"third time","stage":"password"}}"#,
    r#"{"action":"report.exported","occurred_at":"2025-12-30T00:00:01Z","actor":{"id":"svc","type":"service"},"targets":[],"context":{}}"#,
    r#"{"action":"member.invited","occurred_at":"2025-12-30T00:00:02Z","actor":{"id":"u_2","type":"user","metadata":{"team":"blue"},"on_behalf_of":{"id":"u_9","type":"user","name":"Grace"}},"targets":[{"id":"m_%","type":"member","email":"new%@example.com"},{"id":"ws_1","type":"workspace"},{"id":"r_1","type":"role","name":"viewer"}],"context":{"request_id":"r%"},"version":3}"#,
    r#"{"action":"token.created","occurred_at":"2025-12-30T00:00:03Z","actor":{"id":"u_3","type":"user","role":"Owner of % things"},"targets":[{"id":"t_%","type":"token","name":"deploy"}],"context":{"source":"api","session_id":"s%"},"metadata":{"scopes":["read","write"],"ttl":3600}}"#,
    r#"{"action":"page.viewed","occurred_at":"2025-12-30T00:00:04Z","actor":{"id":"u_4","type":"user","name":"Zoë %"},"targets":[{"id":"p_%","type":"page","name":"首页"}],"context":{"correlation_id":"c","trace":"00-%"}}"#,
];
