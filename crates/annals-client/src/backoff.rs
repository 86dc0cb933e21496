//! How long to wait before trying again.

use std::time::Duration;

/// No server is waited for longer at a time: a wrong number in a proxy's answer must not stop deliveries for good.
const ASKED_MAX: Duration = Duration::from_secs(3600);

/// Waits that double with every failure up to a bound, half of each left to chance, so that many clients of one server do not return all
/// at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// No wait is longer, unless the server asks for it; and then at most an hour.
    pub longest: Duration,
}

impl Default for Backoff {
    /// From 200 milliseconds to a minute.
    fn default() -> Self {
        Self {
            first: Duration::from_millis(200),
            longest: Duration::from_secs(60),
        }
    }
}

impl Backoff {
    /// The wait after `failures` failures in a row (at least 1), with `chance` from 0 to 1; not shorter than what the server asked for.
    pub fn wait(&self, failures: u32, chance: f64, asked: Option<Duration>) -> Duration {
        let doublings = failures.saturating_sub(1).min(30);
        let whole = self.first.saturating_mul(1 << doublings).min(self.longest);
        let wait = whole / 2 + (whole / 2).mul_f64(chance.clamp(0.0, 1.0));
        wait.max(asked.unwrap_or_default().min(ASKED_MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backoff;

    #[test]
    fn waits_double_up_to_the_bound_and_obey_the_server() {
        let backoff = Backoff::default();
        let seconds = |failures, chance| backoff.wait(failures, chance, None).as_secs_f64();
        assert_eq!((seconds(1, 0.0), seconds(1, 1.0)), (0.1, 0.2));
        assert_eq!((seconds(2, 1.0), seconds(4, 1.0)), (0.4, 1.6));
        assert_eq!((seconds(30, 0.0), seconds(u32::MAX, 1.0)), (30.0, 60.0));
        let asked = Duration::from_secs(90);
        assert_eq!(backoff.wait(1, 0.5, Some(asked)), asked);
        let absurd = Duration::from_secs(u32::MAX.into());
        assert_eq!(
            backoff.wait(1, 0.5, Some(absurd)),
            Duration::from_secs(3600)
        );
    }
}
