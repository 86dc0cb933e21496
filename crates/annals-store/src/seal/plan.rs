//! What is to be sealed or merged next. Pure.

use std::collections::VecDeque;
use std::ops::Range;

use super::gather::{GROUP_BYTES, OF_EVERY_GROUP};
use crate::Sealing;
use crate::manifest::Listed;
use crate::recent::{SegmentId, Unsealed};

/// How many bytes the groups of one segment may take in memory while they are sealed.
const BYTES_AT_ONCE: u64 = 32 << 20;

/// What an event may have without counting by itself: of larger ones a row group takes more memory than all groups do.
const USUAL_EVENT: u64 = 1 << 10;

/// How many segments are made side by side where there is enough for them.
const SIDE_BY_SIDE: u64 = 2;

/// No segment is made larger than this by merging: its index is in memory while it is made, and a merge has
/// to end.
const ROWS_MAX: u64 = 16 << 20;

/// So many times the segments that become one are too many: they are merged whatever else is going on.
pub(super) const SEGMENTS_MANY: usize = 8;

/// The groups that are to be sealed now, of each segment, if it is time for it.
///
/// It is when there are enough events for a segment and no burst is going on, when there are so many that
/// the journal would grow beyond its bound, or when the oldest have waited for long.
pub(super) fn due(
    unsealed: &VecDeque<Unsealed>,
    now: i64,
    sealing: &Sealing,
    is_busy: bool,
) -> Vec<Vec<Unsealed>> {
    let Some(oldest) = unsealed.front() else {
        return Vec::new();
    };
    let events = events(unsealed);
    let age = i64::try_from(sealing.age.as_micros()).unwrap_or(i64::MAX);
    let enough = match is_busy {
        true => sealing.backlog.max(sealing.rows),
        false => sealing.rows,
    };
    let is_old = oldest.recorded_at.saturating_add(age) <= now;
    match is_old || events >= enough {
        true => next(unsealed, sealing),
        false => Vec::new(),
    }
}

/// The oldest groups, of each segment. Where many wait a segment is as large as one that is merged of others, which spares the
/// merge.
pub(super) fn next(unsealed: &VecDeque<Unsealed>, sealing: &Sealing) -> Vec<Vec<Unsealed>> {
    let waiting = events(unsealed);
    let (most, share) = (merged_rows(sealing), waiting / SIDE_BY_SIDE);
    let (count, most) = match is_large(share, sealing) {
        true => (SIDE_BY_SIDE, most.min(share)),
        false => (1, most),
    };
    let mut groups = unsealed.iter();
    (0..count)
        .map(|_| {
            let (mut events, mut bytes) = (0, 0);
            let mut taken = Vec::new();
            while (taken.is_empty() || (events < most && bytes < BYTES_AT_ONCE))
                && let Some(group) = groups.next()
            {
                events += u64::from(group.events);
                bytes += memory(group);
                taken.push(*group);
            }
            taken
        })
        .filter(|taken| !taken.is_empty())
        .collect()
}

fn events<'a>(groups: impl IntoIterator<Item = &'a Unsealed>) -> u64 {
    groups
        .into_iter()
        .map(|group| u64::from(group.events))
        .sum()
}

/// What a group takes in memory while it is sealed, about.
fn memory(group: &Unsealed) -> u64 {
    let bytes = u64::from(group.bytes);
    let large = bytes.saturating_sub(u64::from(group.events) * USUAL_EVENT);
    OF_EVERY_GROUP + bytes.min(GROUP_BYTES) + large
}

/// The levels of the segments that these groups make, behind one of the level `before`, if there is one.
///
/// Levels never rise from old to new: what has a lower one than its neighbours on both sides would never find enough
/// to be merged with.
pub(super) fn levels(
    segments: &[Vec<Unsealed>],
    before: Option<u32>,
    sealing: &Sealing,
) -> Vec<u32> {
    let levels = segments.iter().scan(before, |before, groups| {
        let own = u32::from(is_large(events(groups), sealing));
        *before = Some(before.map_or(own, |before| own.min(before)));
        *before
    });
    levels.collect()
}

/// Whether a segment with so many events counts as one that is merged of others. A third is enough, so that what is left of a
/// backlog of which two segments were made is enough for two more.
fn is_large(events: u64, sealing: &Sealing) -> bool {
    let several = sealing.rows.saturating_mul(2);
    events >= several.max(merged_rows(sealing) / 3)
}

/// How many events a segment holds that is merged of others which were sealed.
fn merged_rows(sealing: &Sealing) -> u64 {
    sealing.rows.saturating_mul(fan(sealing) as u64)
}

/// How many segments become one.
fn fan(sealing: &Sealing) -> usize {
    sealing.fan.max(2)
}

/// Which of the segments are to become one: as many neighbours of the same level as make the next level.
/// Small ones come first, because they are what slows a reader down. Those that are to be left alone are, and
/// the others go on around them.
pub(super) fn merge(
    segments: &[Listed],
    sealing: &Sealing,
    left_alone: &dyn Fn(SegmentId) -> bool,
) -> Option<Range<usize>> {
    let fan = fan(sealing);
    let mut found: Option<Range<usize>> = None;
    for begin in 0..segments.len().saturating_sub(fan - 1) {
        let run = begin..begin + fan;
        let level = segments[begin].level;
        let alike = segments[run.clone()]
            .iter()
            .all(|segment| segment.level == level && !left_alone(segment.id));
        let rows: u64 = segments[run.clone()]
            .iter()
            .map(|segment| u64::from(segment.rows))
            .sum();
        let is_better = found
            .as_ref()
            .is_none_or(|known| level < segments[known.start].level);
        if alike && rows <= ROWS_MAX && is_better {
            found = Some(run);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::files::Written;

    fn group(group: u32, events: u32, recorded_at: i64) -> Unsealed {
        Unsealed {
            group,
            events,
            bytes: 600 * events,
            recorded_at,
        }
    }

    fn sealing() -> Sealing {
        Sealing {
            rows: 100,
            backlog: 1_000,
            age: Duration::from_secs(60),
            fan: 3,
        }
    }

    #[test]
    fn sealing_waits_for_enough_or_for_long_and_lets_bursts_pass() {
        let due = |count: u32, now, busy| {
            let unsealed = (1..=count).map(|n| group(n, 10, 0)).collect();
            let due = super::due(&unsealed, now, &sealing(), busy);
            due.iter().map(Vec::len).collect::<Vec<_>>()
        };
        const NONE: [usize; 0] = [];
        assert_eq!(due(0, i64::MAX, false), NONE);
        assert_eq!(due(9, 0, false), NONE);
        assert_eq!(due(10, 0, false), [10]);
        assert_eq!(due(11, 0, false), [11], "all that are there");
        assert_eq!(due(29, 0, false), [29], "too few for two");
        assert_eq!(due(50, 0, false), [25, 25], "side by side");
        assert_eq!(
            due(70, 0, false),
            [30, 30],
            "the rest waits for the next one"
        );
        assert_eq!(due(99, 0, true), NONE);
        assert_eq!(due(100, 0, true), [30, 30]);
        assert_eq!(due(1, 60_000_000, true), [1]);
        let large = [group(1, 200_000, 0), group(2, 1, 0)].into();
        assert_eq!(super::due(&large, 0, &sealing(), false)[0].len(), 1);
    }

    #[test]
    fn where_many_wait_the_merge_is_spared() {
        let level = |events| levels(&[vec![group(1, events, 0)]], None, &sealing());
        assert_eq!(
            [1, 100, 199, 200, 5_000].map(level).concat(),
            [0, 0, 0, 1, 1]
        );
        let level = |events| levels(&[vec![group(1, events, 0)]], None, &Sealing::default());
        assert_eq!([64 << 10, 174_000, 175_000].map(level).concat(), [0, 0, 1]);
    }

    #[test]
    fn levels_never_rise_from_old_to_new() {
        let of = |before| {
            let segments = [500, 500, 10, 500].map(|events| vec![group(1, events, 0)]);
            levels(&segments, before, &sealing())
        };
        assert_eq!(of(None), [1, 1, 0, 0]);
        assert_eq!(of(Some(2)), [1, 1, 0, 0]);
        assert_eq!(of(Some(0)), [0; 4]);
    }

    #[test]
    fn large_events_are_not_sealed_at_once() {
        let of_60_kib = |n| Unsealed {
            bytes: 170 * (60 << 10),
            ..group(n, 170, 0)
        };
        let unsealed = (0..1_000).map(of_60_kib).collect();
        let segments = next(&unsealed, &Sealing::default());
        assert_eq!(segments.iter().map(Vec::len).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn many_small_groups_are_not_sealed_at_once() {
        let sealing = Sealing::default();
        let seal = |count, of_each| {
            let unsealed = (0..count).map(|n| group(n, of_each, 0)).collect();
            let segments = next(&unsealed, &sealing);
            let sizes = segments.iter().map(|groups| (groups.len(), events(groups)));
            sizes.collect::<Vec<_>>()
        };
        assert_eq!(seal(100_000, 1), [(12_672, 12_672)]);
        assert_eq!(seal(100_000, 50), [(1_048, 52_400); 2]);
        assert_eq!(seal(1_000, 1_000), [(497, 497_000); 2]);
    }

    fn segments(levels: &[u32]) -> Vec<Listed> {
        let file = Written {
            bytes: 1,
            sha256: [0; 32],
        };
        (1..)
            .zip(levels)
            .map(|(id, level)| Listed {
                id,
                groups: (id, id),
                level: *level,
                rows: 10,
                file,
                index: file,
            })
            .collect()
    }

    #[test]
    fn neighbours_of_a_level_become_one_of_the_next() {
        let plan = |levels: &[u32]| merge(&segments(levels), &sealing(), &|_| false);
        assert_eq!(plan(&[]), None);
        assert_eq!(plan(&[0, 0]), None);
        assert_eq!(plan(&[0, 0, 0, 0]), Some(0..3));
        assert_eq!(plan(&[1, 1, 0, 0]), None);
        assert_eq!(plan(&[1, 1, 1, 0, 0, 0]), Some(3..6));
        let mut full = segments(&[0, 0, 0]);
        full[1].rows = u32::MAX;
        assert_eq!(merge(&full, &sealing(), &|_| false), None);
        let around = |id| merge(&segments(&[0; 6]), &sealing(), &|alone| alone == id);
        assert_eq!(around(2), Some(2..5));
        assert_eq!(around(3), Some(3..6));
        assert_eq!(merge(&segments(&[0; 6]), &sealing(), &|_| true), None);
    }

    /// Seals so many events, 3,000 times, and says how many segments remain.
    fn remain(events: impl Fn(u32) -> u32) -> usize {
        let mut known: Vec<u32> = Vec::new();
        for n in 0..3_000 {
            let made = [vec![group(n, events(n), 0)]];
            known.extend(levels(&made, known.last().copied(), &sealing()));
            while let Some(run) = merge(&segments(&known), &sealing(), &|_| false) {
                let level = known[run.start] + 1;
                known.splice(run, [level]);
            }
        }
        known.len()
    }

    #[test]
    fn the_number_of_segments_grows_with_the_logarithm() {
        assert!(remain(|_| 100) < 20);
        assert!(remain(|_| 1_000) < 20);
        // Backlogs and their rests, and a trickle in between.
        assert!(remain(|n| if n % 5 < 4 { 1_000 } else { 10 }) < 20);
        assert!(remain(|n| if n % 3 == 0 { 1_000 } else { 10 }) < 20);
    }
}
