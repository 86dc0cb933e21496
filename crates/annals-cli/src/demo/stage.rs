//! The stage of the demo: the tracker and Annals with their clocks in one hand, and whoever is on it.

use std::sync::Arc;

use annals_event::Timestamp;
use anyhow::{Context as _, Result, ensure};
use ureq::Agent;

use super::browser::{self, Browser};
use super::cast::{OFFICE, Person, people};
use super::chance::Chance;
use super::clock::DemoClock;
use crate::progress::Progress;

/// After so many seconds of the story everything that happened has to have arrived: a log that was
/// recorded as it happened shows no delays.
const PROMPT: i64 = 20;

/// A project as the story knows it.
pub(crate) struct Project {
    pub(crate) path: String,
    pub(crate) widget: String,
    pub(crate) active: bool,
}

impl Project {
    /// One that is not there yet.
    pub(crate) fn missing() -> Self {
        Self {
            path: String::new(),
            widget: String::new(),
            active: false,
        }
    }
}

/// An issue that somebody may work on.
pub(crate) struct Issue {
    pub(crate) project: usize,
    pub(crate) path: String,
    pub(crate) status: &'static str,
    pub(crate) by: Option<usize>,
}

/// From where somebody works: who has an address of the company, at the office.
pub(crate) fn desk(person: &Person) -> &'static str {
    if person.email.ends_with("@acme.example") {
        OFFICE
    } else {
        person.home
    }
}

/// Everything that the story moves.
pub(crate) struct Stage {
    pub(crate) agent: Agent,
    pub(crate) chance: Chance,
    pub(crate) people: Vec<Person>,
    pub(crate) browsers: Vec<Browser>,
    /// Who is a member of the workspace at the moment, and who has a session.
    pub(crate) present: Vec<bool>,
    pub(crate) signed_in: Vec<bool>,
    pub(crate) projects: Vec<Project>,
    pub(crate) issues: Vec<Issue>,
    pub(crate) tracker: String,
    pub(crate) taskyard: String,
    clock: Arc<DemoClock>,
    /// Seconds since 1970.
    now: i64,
    settled: i64,
    begins: i64,
    ends: i64,
    progress: Option<Progress>,
}

impl Stage {
    pub(crate) fn new(
        tracker: &str,
        taskyard: &str,
        clock: Arc<DemoClock>,
        seed: u64,
        (begins, ends): (i64, i64),
        progress: Option<Progress>,
    ) -> Self {
        let agent = browser::agent();
        let people = people();
        let browsers = people
            .iter()
            .map(|person| Browser::new(&agent, tracker, desk(person), person.agent))
            .collect();
        let nobody = vec![false; people.len()];
        Self {
            agent,
            chance: Chance::new(seed),
            browsers,
            present: nobody.clone(),
            signed_in: nobody,
            people,
            projects: Vec::new(),
            issues: Vec::new(),
            tracker: tracker.to_owned(),
            taskyard: taskyard.to_owned(),
            clock,
            now: begins,
            settled: begins,
            begins,
            ends,
            progress,
        }
    }

    /// Goes on to `at`; the clock never goes back.
    pub(crate) fn until(&mut self, at: i64) -> Result<()> {
        self.move_to(at.max(self.now + 1))
    }

    /// Goes on by so many seconds.
    pub(crate) fn after(&mut self, seconds: i64) -> Result<()> {
        self.move_to(self.now + seconds)
    }

    /// Whether the month is over at `at`.
    pub(crate) fn is_over(&self, at: i64) -> bool {
        at.max(self.now) >= self.ends - 60
    }

    fn move_to(&mut self, at: i64) -> Result<()> {
        let settle = at - self.settled > PROMPT;
        let micros = at * 1_000_000 + self.chance.between(0, 999_999);
        // The tracker delivers first and then moves its clock; Annals follows, so it is never behind.
        self.set_tracker(Timestamp::clamped(micros), settle)?;
        self.clock.set(Timestamp::clamped(micros + 180_000));
        self.now = at;
        if settle {
            self.settled = at;
        }
        if let Some(progress) = &mut self.progress {
            let done = u64::try_from(at - self.begins).unwrap_or(0) / 86_400;
            progress.at(done, "days");
        }
        Ok(())
    }

    fn set_tracker(&self, time: Timestamp, settle: bool) -> Result<()> {
        let door = if settle { "/clock?settled=1" } else { "/clock" };
        let answer = self
            .agent
            .post(format!("{}{door}", self.tracker))
            .send(time.to_string());
        let answer = answer.context("cannot move the tracker's clock")?;
        ensure!(
            answer.status().is_success(),
            "the tracker's clock stands still: {}",
            answer.status()
        );
        Ok(())
    }

    /// Waits until everything that happened has arrived.
    pub(crate) fn settle(&mut self) -> Result<()> {
        self.after(PROMPT + 1)
    }
}
