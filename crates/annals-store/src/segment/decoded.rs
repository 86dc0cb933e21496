//! A page as it was read, with its events as the bytes that their hashes are made of.

use std::ops::Range;

use annals_event::{Drafts, Row, Timestamp};

use super::columns::{Columns, Maker};
use super::index::IndexWriter;
use super::mark::MarkOf;
use super::page::Buffer;
use super::schema::Column;
use super::text::TextRuns;
use super::{Flaw, Item, Redacted};
use crate::Slot;
use crate::tree::Placed;

/// All columns of a page, and what its rows are.
pub(crate) struct Decoded {
    columns: Columns,
    /// The events among the rows.
    drafts: Drafts,
    rows: Vec<What>,
}

/// What a row is.
enum What {
    /// An event: which of the drafts.
    Event(Place, usize),
    Redacted(Slot, Redacted),
}

struct Place {
    slot: Slot,
    position: u64,
    recorded_at: Timestamp,
}

impl Decoded {
    /// Puts together the events of a page of so many rows.
    pub(super) fn new(columns: Columns, rows: usize) -> Result<Decoded, Flaw> {
        let (mut drafts, mut maker) = (Drafts::new(), Maker::default());
        let mut of_rows = Vec::with_capacity(rows);
        for n in 0..rows {
            let slot = columns.slot(n);
            of_rows.push(match columns.redacted(n)? {
                Some(redacted) => What::Redacted(slot, redacted),
                None => {
                    let (position, recorded_at, occurred_at) = columns.places(n)?;
                    let place = Place {
                        slot,
                        position,
                        recorded_at,
                    };
                    columns.push_draft(n, occurred_at, &mut maker, &mut drafts)?;
                    What::Event(place, drafts.len() - 1)
                }
            });
        }
        Ok(Decoded {
            columns,
            drafts,
            rows: of_rows,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// What the mark of a row covers; `None` if there is no such row.
    pub(super) fn marked(&self, n: usize) -> Option<MarkOf<'_>> {
        Some(match self.rows.get(n)? {
            What::Redacted(slot, redacted) => MarkOf::redacted(*slot, redacted),
            What::Event(place, draft) => MarkOf {
                slot: place.slot,
                position: place.position,
                recorded_at: place.recorded_at,
                content: [
                    self.columns.recorder(n).as_bytes(),
                    self.drafts.bytes(*draft),
                ],
            },
        })
    }

    /// All rows and their logs.
    pub(super) fn items(&self) -> impl Iterator<Item = (Slot, Item<'_>)> {
        self.rows.iter().enumerate().map_while(|(n, what)| {
            Some(match what {
                What::Redacted(slot, redacted) => (*slot, Item::Redacted(redacted)),
                What::Event(place, draft) => {
                    let event = Placed {
                        position: place.position,
                        recorded_at: place.recorded_at,
                        recorded_by: self.columns.recorder(n),
                        draft: self.drafts.get(*draft)?,
                    };
                    (place.slot, Item::Event(event))
                }
            })
        })
    }

    /// When a row occurred, in microseconds since the epoch; of what was redacted, when it was recorded.
    pub(super) fn occurred_at(&self, n: usize) -> i64 {
        self.columns.number(Column::OccurredAt, n)
    }

    /// Of an event, the time in its id, in milliseconds since the epoch, if there is one.
    pub(super) fn id_millis(&self, n: usize) -> Option<Option<u64>> {
        match self.rows.get(n)? {
            What::Event(..) => Some(self.columns.id_millis(n)),
            What::Redacted(..) => None,
        }
    }

    /// The seed nodes that are stored with a row.
    pub(super) fn seed(&self, n: usize) -> Option<&[u8]> {
        self.columns.bytes(Column::Seed, n)
    }

    /// Appends what rows have in a column.
    pub(super) fn copy(&self, column: Column, rows: Range<usize>, into: &mut Buffer) {
        self.columns.copy(column, rows, into);
    }

    /// Tells an index of the page.
    pub(super) fn note(&self, index: &mut IndexWriter, texts: &mut TextRuns) -> Result<(), Flaw> {
        let columns = &self.columns;
        let (mut occurred, mut ids) = ((i64::MAX, i64::MIN), (u64::MAX, 0));
        let mut keys = Vec::new();
        columns.note_texts(self.len(), texts);
        for (n, what) in self.rows.iter().enumerate() {
            let at = self.occurred_at(n);
            occurred = (occurred.0.min(at), occurred.1.max(at));
            let slot = match what {
                What::Event(place, _) => place.slot,
                What::Redacted(slot, _) => {
                    index.count(*slot, None);
                    continue;
                }
            };
            // The columns may lack what does not fit into them.
            let raw = self.raw(n)?;
            if let Some(row) = &raw {
                texts.add(row);
            }
            let before = keys.len();
            columns.keys(n, slot, raw.as_ref(), &mut keys);
            match columns.id_millis(n) {
                Some(millis) => ids = (ids.0.min(millis), ids.1.max(millis)),
                // The key of the id is the first of them.
                None => keys[before..]
                    .first()
                    .into_iter()
                    .for_each(|id| index.id(slot, *id)),
            }
            index.count(slot, Some(columns.counted(n, raw.as_ref())));
        }
        index.page(occurred, ids, &mut keys, texts.take());
        Ok(())
    }

    /// The event of a row that is kept as its bytes.
    fn raw(&self, n: usize) -> Result<Option<Row>, Flaw> {
        if self.columns.bytes(Column::Raw, n).is_none() {
            return Ok(None);
        }
        self.columns.event(n, &mut Maker::default())
    }
}
