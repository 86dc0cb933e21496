//! Asking again and again, and adding up what was loaded in slices.

use std::time::{Duration, Instant};

use super::report::Value;
use super::world::Answer;
use crate::Failure;
use crate::load::Run;

/// Askings that are not counted, so that caches are warm.
const WARM_UP: usize = 5;
/// Then fewer askings do.
const LONG: Duration = Duration::from_secs(4);
const AT_LEAST: usize = 5;

/// Asks until there are `repetitions` answers, unless that takes too long. `cpu` reads the processor time of whoever answers. All answers have to be
/// the same.
pub(super) async fn repeat(
    repetitions: usize,
    cpu: impl Fn() -> Duration,
    mut ask: impl AsyncFnMut() -> Result<(Answer, Duration), Failure>,
) -> Result<(Answer, Value), Failure> {
    let (answer, _) = ask().await?;
    for _ in 1..WARM_UP {
        ask().await?;
    }
    let (before, began) = (cpu(), Instant::now());
    let mut latencies = Vec::new();
    while latencies.len() < repetitions && (began.elapsed() < LONG || latencies.len() < AT_LEAST) {
        let (again, took) = ask().await?;
        if again != answer {
            return Err("the same question was answered in two ways".into());
        }
        latencies.push(took);
    }
    let cpu = cpu().saturating_sub(before) / latencies.len() as u32;
    Ok((answer, Value::latency(latencies, cpu)))
}

/// What was loaded in slices, as one run.
#[derive(Default)]
pub(super) struct Loading(Option<Run>);

impl Loading {
    pub(super) fn add(&mut self, run: Run) {
        match &mut self.0 {
            None => self.0 = Some(run),
            Some(whole) => {
                whole.events += run.events;
                whole.elapsed += run.elapsed;
                whole.cpu += run.cpu;
                whole.latencies.extend(run.latencies);
                whole.latencies.sort_unstable();
            }
        }
    }

    /// Adds work that has to be done because of what was loaded.
    pub(super) fn also(&mut self, elapsed: Duration, cpu: Duration) {
        if let Some(whole) = &mut self.0 {
            whole.elapsed += elapsed;
            whole.cpu += cpu;
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.0.as_ref().map_or(Duration::ZERO, |run| run.elapsed)
    }

    pub(super) fn events(&self) -> usize {
        self.0.as_ref().map_or(0, |run| run.events)
    }

    pub(super) fn value(&self) -> Value {
        self.0.as_ref().map_or(Value::None, Value::rate)
    }
}
