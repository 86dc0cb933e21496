//! Where the rows of held workspaces end, so that a long backlog of theirs is not read through at every look.

use std::collections::HashSet;
use std::time::{Duration, Instant};

/// How long it is believed. A row below may appear meanwhile: one that is sent again, or of a transaction that committed late.
const BELIEVED: Duration = Duration::from_secs(5);

/// That all rows below a number are of workspaces that were held.
#[derive(Debug)]
pub(super) struct Passed {
    below: i64,
    held: HashSet<String>,
    since: Instant,
}

impl Passed {
    /// From where on rows of other workspaces than these may be.
    pub(super) fn from(passed: Option<&Self>, held: &[String], now: Instant) -> i64 {
        let still = |passed: &&Self| {
            now.duration_since(passed.since) < BELIEVED
                && passed.held.iter().all(|workspace| held.contains(workspace))
        };
        passed.filter(still).map_or(0, |passed| passed.below)
    }

    /// Takes in that from a number on the first row of other workspaces was at `below`.
    pub(super) fn to(
        passed: Option<Self>,
        from: i64,
        below: i64,
        held: Vec<String>,
        now: Instant,
    ) -> Option<Self> {
        if held.is_empty() {
            return None;
        }
        let since = match passed {
            Some(passed) if from > 0 => passed.since,
            _ => now,
        };
        Some(Self {
            below,
            held: held.into_iter().collect(),
            since,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{BELIEVED, Passed};

    #[test]
    fn rows_of_held_workspaces_are_passed_while_all_are_held_and_for_a_moment() {
        let now = Instant::now();
        let held = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        let (one, two) = (held(&["a"]), held(&["a", "b"]));
        assert_eq!(Passed::from(None, &one, now), 0);
        let passed = Passed::to(None, 0, 70, one.clone(), now);
        assert_eq!(Passed::from(passed.as_ref(), &one, now), 70);
        assert_eq!(Passed::from(passed.as_ref(), &two, now), 70);
        assert_eq!(Passed::from(passed.as_ref(), &[], now), 0, "a goes on");
        let later = now + BELIEVED / 2;
        let passed = Passed::to(passed, 70, 90, two.clone(), later);
        assert_eq!(Passed::from(passed.as_ref(), &two, later), 90);
        assert_eq!(Passed::from(passed.as_ref(), &one, later), 0, "b goes on");
        let end = now + BELIEVED;
        assert_eq!(
            Passed::from(passed.as_ref(), &two, end),
            0,
            "from the first"
        );
        assert!(Passed::to(passed, 0, 5, Vec::new(), end).is_none());
    }
}
