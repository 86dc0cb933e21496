//! Making one segment of several neighbours.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Sealer, apart, plan, turn};
use crate::StoreError;
use crate::files::BlobWriter;
use crate::manifest::{self, Listed, damaged};
use crate::recent::SegmentId;
use crate::segment::{Cursor, Flaw, Marks, Segment, SegmentWriter};

impl Sealer {
    /// Merges what is due. Whether there was something.
    ///
    /// While others are recording that waits, unless segments become so many that readers suffer.
    pub(super) fn merge_due(&self, is_busy: bool) -> Result<bool, StoreError> {
        let _turn = turn(&self.merging_now);
        let listed = self.shared.blocks.with_reader(manifest::list)?;
        let too_many = listed.len() >= plan::SEGMENTS_MANY * self.sealing.fan;
        if is_busy && !too_many {
            return Ok(false);
        }
        let Some(run) = plan::merge(&listed, &self.sealing, &|id| self.is_left_alone(id)) else {
            return Ok(false);
        };
        self.nothing_to_merge.store(false, Ordering::SeqCst);
        let merged = apart("annals-merge", too_many, || {
            self.merge(&listed[run.clone()])
        });
        match merged {
            // One of them is damaged. It is left alone from now on, and others are merged.
            Err(error)
                if listed[run]
                    .iter()
                    .any(|listed| self.is_left_alone(listed.id)) =>
            {
                tracing::error!(%error, "a damaged segment is not merged");
                Ok(true)
            }
            result => result.map(|()| true),
        }
    }

    /// Whether nothing may be made of a segment, because it is damaged or could not be opened.
    fn is_left_alone(&self, id: SegmentId) -> bool {
        let blocks = &self.shared.blocks;
        blocks.quarantine.touches(id) || blocks.segment(id).is_none()
    }

    /// Writes a segment anew from the one that is open, because its file has been damaged where no entry lies. Fails if
    /// an entry in it is not what was hashed.
    pub(crate) fn renew(&self, listed: &Listed) -> Result<(), StoreError> {
        let _turn = turn(&self.merging_now);
        match self
            .shared
            .blocks
            .with_reader(manifest::list)?
            .contains(listed)
        {
            true => self.merge(std::slice::from_ref(listed)),
            false => Ok(()),
        }
    }

    fn merge(&self, old: &[Listed]) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (old.first(), old.last()) else {
            return Ok(());
        };
        let missing = |listed: &Listed| {
            let flaw = Flaw::new("it could not be opened, so it is not merged");
            damaged(listed.id, &flaw)
        };
        let segments: Vec<Arc<Segment>> = old
            .iter()
            .map(|listed| {
                let segment = self.shared.blocks.segment(listed.id);
                segment.ok_or_else(|| missing(listed))
            })
            .collect::<Result<_, _>>()?;
        let id = self.next_id.fetch_add(1, Ordering::SeqCst);
        let groups = (first.groups.0, last.groups.1);
        let ids: Vec<SegmentId> = old.iter().map(|listed| listed.id).collect();
        let fill = |out| self.copy(&ids, &segments, id, out);
        let level = first.level + u32::from(old.len() > 1);
        let listed = self.write(id, groups, level, fill)?;
        let ready = self.publish(listed)?;
        tracing::debug!(
            segment = id,
            of = old.len(),
            rows = ready.listed.rows,
            "merged"
        );
        self.commit(ready, old.to_vec(), |_| Ok(()))
    }

    /// Writes the rows of all segments into one, log after log. Every entry is compared with what was
    /// hashed on the way, so that rot does not become the truth.
    fn copy(
        &self,
        ids: &[SegmentId],
        segments: &[Arc<Segment>],
        id: SegmentId,
        out: BlobWriter,
    ) -> Result<(BlobWriter, Marks), StoreError> {
        let flawed = |flaw: Flaw| damaged(id, &flaw);
        let quarantine = &self.shared.blocks.quarantine;
        let found = |source: SegmentId, flaw: &Flaw| quarantine.stumbled(source, flaw);
        let mut writer = SegmentWriter::new(out, &self.shared.origin).map_err(flawed)?;
        let mut sources = ids
            .iter()
            .zip(segments)
            .map(|(id, segment)| {
                let cursor = Cursor::new(segment, false).map_err(|flaw| found(*id, &flaw))?;
                Ok((*id, cursor))
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        loop {
            let mut lowest = None;
            for (id, cursor) in &mut sources {
                let next = cursor.slot().map_err(|flaw| found(*id, &flaw))?;
                lowest = [lowest, next].into_iter().flatten().min();
            }
            let Some(slot) = lowest else { break };
            for (source, cursor) in &mut sources {
                while let Some((page, rows)) =
                    cursor.run(slot).map_err(|flaw| found(*source, &flaw))?
                {
                    writer.copy(page, rows).map_err(flawed)?;
                    self.go_on()?;
                }
            }
        }
        writer.finish().map_err(flawed)
    }
}
