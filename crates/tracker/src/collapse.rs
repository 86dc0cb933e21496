//! Identical failures that come in floods become one event.
//!
//! What anybody may cause without an account (the widget, the sign-in page) would otherwise let strangers write into a customer's
//! log as fast as they like. The first of a kind is recorded at once; what follows within a minute is counted, and told by one event
//! with `occurrences`, `first_at` and `last_at`. A kill loses the counts of that minute, never the first event.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use annals_client::{NewEvent, RequestContext, Timestamp};

use crate::clock::later;

/// How long failures are collected.
pub(crate) const COLLECTED: Duration = Duration::from_secs(60);
/// Kinds that are collected at once. Beyond it, what is new is not recorded before the minute of others is over.
const KINDS_MAX: usize = 10_000;

/// Failures of the current minute by what makes them identical.
#[derive(Default)]
pub(crate) struct Collapse(Mutex<HashMap<String, Flood>>);

struct Flood {
    workspaces: Vec<String>,
    event: NewEvent,
    context: RequestContext,
    since: Timestamp,
    first_at: Timestamp,
    last_at: Timestamp,
    repeated: u32,
}

/// An event that stands for several, and where it is recorded.
pub(crate) struct Collapsed {
    pub(crate) workspaces: Vec<String>,
    pub(crate) event: NewEvent,
    pub(crate) context: RequestContext,
    pub(crate) at: Timestamp,
}

impl Collapse {
    /// Whether this failure is the first of its kind and is to be recorded now. If not, it is counted.
    pub(crate) fn is_first(
        &self,
        kind: String,
        workspaces: &[String],
        event: &NewEvent,
        context: &RequestContext,
        now: Timestamp,
    ) -> bool {
        let mut floods = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flood) = floods.get_mut(&kind) {
            if flood.repeated == 0 {
                flood.first_at = now;
            }
            (flood.last_at, flood.repeated) = (now, flood.repeated.saturating_add(1));
            return false;
        }
        if floods.len() >= KINDS_MAX {
            return false;
        }
        let flood = Flood {
            workspaces: workspaces.to_vec(),
            event: event.clone(),
            context: context.clone(),
            since: now,
            first_at: now,
            last_at: now,
            repeated: 0,
        };
        floods.insert(kind, flood);
        true
    }

    /// What was counted in minutes that are over; with `all`, also in those that are not, before the process ends.
    pub(crate) fn ended(&self, now: Timestamp, all: bool) -> Vec<Collapsed> {
        let mut floods = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over =
            |flood: &Flood| all || later(flood.since, COLLECTED) <= now || flood.since > now;
        let ended = floods
            .extract_if(|_, flood| is_over(flood))
            .map(|(_, flood)| flood);
        ended
            .filter(|flood| flood.repeated > 0)
            .map(Flood::told)
            .collect()
    }
}

impl Flood {
    fn told(self) -> Collapsed {
        let event = self
            .event
            .metadata("occurrences", self.repeated)
            .metadata("first_at", self.first_at.to_string())
            .metadata("last_at", self.last_at.to_string());
        Collapsed {
            workspaces: self.workspaces,
            event,
            context: self.context,
            at: self.last_at,
        }
    }
}

/// The part of an address that tells one source of a flood from another: a /24 of IPv4, a /48 of IPv6.
pub(crate) fn network(address: &str) -> String {
    match address.parse() {
        Ok(std::net::IpAddr::V4(v4)) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        Ok(std::net::IpAddr::V6(v6)) => {
            let [a, b, c, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{COLLECTED, Collapse, network};
    use crate::clock::later;
    use annals_client::{Actor, NewEvent, RequestContext, Timestamp};

    #[test]
    fn the_first_is_told_at_once_and_the_rest_as_one() {
        let collapse = Collapse::default();
        let event = NewEvent::new("issue.creation_failed", Actor::new("reporter", "anonymous"));
        let context = RequestContext::default();
        let begin = Timestamp::clamped(1_700_000_000_000_000);
        let first = |kind: &str, at| {
            collapse.is_first(kind.to_owned(), &["w".to_owned()], &event, &context, at)
        };
        assert!(first("a", begin) && first("b", begin));
        assert!(!first("a", begin) && !first("a", later(begin, COLLECTED / 2)));
        assert!(
            collapse
                .ended(later(begin, COLLECTED / 2), false)
                .is_empty()
        );
        let ended = collapse.ended(later(begin, COLLECTED), false);
        assert_eq!(ended.len(), 1, "what came once was told already");
        let told = ended.into_iter().next().unwrap();
        let told = told
            .event
            .complete(told.at, None, || "1".to_owned())
            .unwrap()
            .to_json()
            .to_canonical();
        assert!(
            told.contains(r#""occurrences":2"#) && told.contains("first_at"),
            "{told}"
        );
        assert!(first("a", later(begin, COLLECTED)), "a new minute");
    }

    #[test]
    fn networks_are_what_one_attacker_has() {
        assert_eq!(network("192.0.2.77"), "192.0.2.0/24");
        assert_eq!(network("2001:db8:7:1::9"), "2001:db8:7::/48");
        assert_eq!(network(""), "");
    }
}
