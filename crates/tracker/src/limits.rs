//! How often somebody may try something: by address, and by what it is tried on.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use annals_client::Timestamp;

use crate::clock::later;
use crate::refused::Refused;
use crate::secret;

/// What is limited: so many times in so long. By address the figures hold for everybody behind it, so they are larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Limited {
    /// Passwords and codes tried on one account.
    LoginOfAccount,
    /// Passwords and codes tried from one address.
    LoginFromAddress,
    /// Mails with codes and links for one account.
    MailToAccount,
    /// The same from one address.
    MailFromAddress,
    /// Invitations by one person.
    Invitations,
    /// Invitations opened from one address, and reports to widgets that nobody has: by them links and keys are guessed.
    GuessesFromAddress,
    /// Workspaces made by one person. Each has a log, which outlives it.
    Workspaces,
    /// Reports through one widget from one address.
    WidgetFromAddress,
    /// Reports through one widget.
    WidgetOfProject,
}

impl Limited {
    fn of(self) -> (u32, Duration) {
        const MINUTE: u64 = 60;
        match self {
            Self::LoginOfAccount => (10, Duration::from_secs(MINUTE)),
            Self::LoginFromAddress => (60, Duration::from_secs(MINUTE)),
            Self::MailToAccount => (5, Duration::from_secs(15 * MINUTE)),
            Self::MailFromAddress => (30, Duration::from_secs(15 * MINUTE)),
            Self::Invitations => (50, Duration::from_secs(60 * MINUTE)),
            Self::GuessesFromAddress => (60, Duration::from_secs(MINUTE)),
            Self::Workspaces => (20, Duration::from_secs(60 * MINUTE)),
            Self::WidgetFromAddress => (10, Duration::from_secs(MINUTE)),
            Self::WidgetOfProject => (120, Duration::from_secs(MINUTE)),
        }
    }
}

/// What of an address counts as one source: all of IPv4, of IPv6 the /64 that one household or one machine has to itself, since
/// whoever has it may take a new address for each attempt.
pub(crate) fn source(address: &str) -> String {
    match address.parse() {
        Ok(std::net::IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_none() => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        _ => address.to_owned(),
    }
}

/// Counts attempts in memory. A restart forgets them, which costs an attacker nothing and gains him one window.
pub(crate) struct Limiter {
    /// All figures times this; for installations whose people come from one address.
    times: u32,
    windows: Mutex<HashMap<(Limited, String), Window>>,
}

struct Window {
    ends: Timestamp,
    used: u32,
}

/// Windows in memory. Beyond it the ended ones go, and if none has ended, new ones are refused.
const WINDOWS_MAX: usize = 100_000;

impl Limiter {
    pub(crate) fn new(times: u32) -> Self {
        Self {
            times: times.max(1),
            windows: Mutex::default(),
        }
    }

    /// Counts one attempt on `key`.
    ///
    /// # Errors
    /// Where there were too many.
    pub(crate) fn count(&self, what: Limited, key: &str, now: Timestamp) -> Result<(), Refused> {
        let (times, time) = what.of();
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= WINDOWS_MAX {
            windows.retain(|_, window| window.ends > now);
        }
        let full = windows.len() >= WINDOWS_MAX;
        // Keys come from outside and may be long or personal; their hash is neither.
        let key = (what, secret::hash("limit", key));
        if full && !windows.contains_key(&key) {
            return Err(Refused::too_many());
        }
        let window = windows.entry(key).or_insert(Window {
            ends: later(now, time),
            used: 0,
        });
        // A clock that was set back ends a window too.
        if window.ends <= now || window.ends > later(now, time) {
            *window = Window {
                ends: later(now, time),
                used: 0,
            };
        }
        window.used = window.used.saturating_add(1);
        if window.used > times.saturating_mul(self.times) {
            return Err(Refused::too_many());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Limited, Limiter, source};
    use crate::clock::later;
    use annals_client::Timestamp;
    use std::time::Duration;

    #[test]
    fn whoever_has_a_network_is_one_source() {
        assert_eq!(source("192.0.2.7"), "192.0.2.7");
        assert_eq!(source("2001:db8:1:2:3::4"), source("2001:db8:1:2:ffff::"));
        assert_ne!(source("2001:db8:1:2::"), source("2001:db8:1:3::"));
        assert_eq!(source("::ffff:192.0.2.7"), "::ffff:192.0.2.7");
        assert_eq!(source(""), "");
    }

    #[test]
    fn so_many_in_a_window_and_again_in_the_next() {
        let limiter = Limiter::new(1);
        let now = Timestamp::clamped(1_000_000_000);
        for _ in 0..10 {
            limiter.count(Limited::LoginOfAccount, "ann", now).unwrap();
        }
        assert!(limiter.count(Limited::LoginOfAccount, "ann", now).is_err());
        limiter.count(Limited::LoginOfAccount, "bob", now).unwrap();
        limiter
            .count(Limited::LoginFromAddress, "ann", now)
            .unwrap();
        let next = later(now, Duration::from_secs(60));
        limiter.count(Limited::LoginOfAccount, "ann", next).unwrap();
        limiter
            .count(Limited::LoginOfAccount, "ann", Timestamp::clamped(0))
            .unwrap();
    }
}
