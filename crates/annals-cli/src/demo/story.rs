//! The timetable of the sample month: ordinary days, and on which of them the scenes take place.

use annals_event::Timestamp;
use anyhow::{Context as _, Result};

use super::cast::{ANN, DANIEL, FARID, OLGA};
use super::chance::Chance;
use super::stage::Stage;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// The office is an hour ahead of UTC.
const OFFICE_ZONE: i64 = HOUR;
pub(crate) const DAYS: i64 = 30;

type Scene = fn(&mut Stage) -> Result<()>;
type Habit = fn(&mut Stage, usize) -> Result<()>;

/// Something that is to happen.
#[derive(Clone, Copy)]
enum Deed {
    Scene(Scene),
    By(usize, Habit),
}

/// Scenes by working day (the first is 0), hour and minute. Day 18 is the last that is over in every
/// month of 30 days, whatever weekday it ends on.
const SCENES: &[(usize, i64, i64, Scene)] = &[
    (0, 9, 2, Stage::found),
    (0, 11, 20, Stage::invite_all),
    (1, 11, 15, Stage::organise),
    (1, 14, 5, Stage::invitations_gone_wrong),
    (2, 11, 30, Stage::invite_guests),
    (3, 13, 10, Stage::help_centre),
    (4, 11, 20, Stage::domain_join),
    (5, 11, 5, Stage::profiles),
    (6, 2, 13, Stage::guessing),
    (6, 8, 24, Stage::after_guessing),
    (6, 10, 15, Stage::too_late),
    (7, 12, 10, Stage::new_address),
    (7, 15, 40, Stage::export_for_the_client),
    (8, 11, 45, Stage::promote),
    (8, 14, 0, Stage::outage),
    (9, 11, 5, Stage::own_account),
    (9, 16, 20, Stage::archive),
    (10, 11, 12, Stage::unarchive),
    (10, 14, 30, Stage::sandbox),
    (11, 2, 41, Stage::spraying),
    (11, 8, 12, Stage::recovery),
    (12, 12, 30, Stage::welcome_maya),
    (12, 15, 3, Stage::trust_isla),
    (12, 19, 42, Stage::make_admin),
    (13, 9, 20, Stage::globex),
    (13, 15, 20, Stage::remove_domain),
    (13, 20, 14, Stage::copied_page),
    (14, 11, 40, Stage::drop_account),
    (15, 9, 55, Stage::demote),
    (15, 16, 31, Stage::last_afternoon),
    (15, 17, 15, Stage::offboarding),
    (16, 13, 20, Stage::liam_goes),
    (17, 13, 45, Stage::keiko_off_the_project),
    (17, 15, 30, Stage::delete_project),
    (18, 11, 5, Stage::keiko_leaves),
];

/// Begin and end of the month that is over at `until`, in seconds.
pub(crate) fn span(until: Timestamp) -> (i64, i64) {
    let ends = until.as_micros() / 1_000_000;
    let last = (ends + OFFICE_ZONE).div_euclid(DAY);
    ((last + 1 - DAYS) * DAY - OFFICE_ZONE, ends)
}

/// Performs the month that ends at `until`. The same seed and the same end tell the same month, but for
/// the ids that the tracker draws.
pub(crate) fn perform(stage: &mut Stage, until: Timestamp) -> Result<()> {
    let mut plan = plan(stage, until);
    // Of what begins in the same second, the scenes come first.
    plan.sort_by_key(|(at, _)| *at);
    for (at, deed) in plan {
        if stage.is_over(at) {
            break;
        }
        stage.until(at)?;
        let done = match deed {
            Deed::Scene(scene) => scene(stage),
            Deed::By(who, habit) => habit(stage, who),
        };
        let time = Timestamp::clamped(at * 1_000_000);
        done.with_context(|| format!("the month went wrong at {time}"))?;
    }
    stage.settle()
}

fn plan(stage: &mut Stage, until: Timestamp) -> Vec<(i64, Deed)> {
    let mut plan = Vec::new();
    let (begins, _) = span(until);
    let mut working_day = 0;
    for day in 0..DAYS {
        let start = begins + day * DAY;
        // Day 0 of the epoch was a Thursday.
        let weekend = matches!(((start + OFFICE_ZONE) / DAY + 3).rem_euclid(7), 5 | 6);
        if weekend {
            plan_weekend(&mut plan, &mut stage.chance, start);
        } else {
            plan_workday(&mut plan, stage, start, working_day);
            working_day += 1;
        }
    }
    plan
}

fn plan_workday(plan: &mut Vec<(i64, Deed)>, stage: &mut Stage, start: i64, working_day: usize) {
    for (_, hour, minute, scene) in SCENES.iter().filter(|(day, ..)| *day == working_day) {
        plan.push((start + hour * HOUR + minute * 60, Deed::Scene(*scene)));
    }
    if working_day == 0 {
        return;
    }
    for who in 0..stage.people.len() {
        if who == OLGA {
            if working_day > 13 {
                plan.push((start + 9 * HOUR + 1200, Deed::Scene(Stage::globex_day)));
                plan.push((start + 17 * HOUR + 300, Deed::Scene(Stage::globex_day)));
            }
            continue;
        }
        if stage.chance.one_in(13) {
            continue;
        }
        let late = stage.people[who].late * HOUR;
        let arrives = start + 8 * HOUR + late + stage.chance.between(0, 75 * 60);
        let leaves = start + 17 * HOUR + late + stage.chance.between(0, 80 * 60);
        plan.push((arrives, Deed::By(who, Stage::arrives)));
        let usual = stage.people[who].spells;
        let mut spells = stage.chance.between(usual * 6, usual * 14) / 100;
        while spells > 0 {
            let at = stage.chance.between(arrives + 300, leaves - 60);
            plan.push((at, Deed::By(who, Stage::works)));
            spells -= 1;
        }
        plan.push((leaves, Deed::By(who, Stage::goes)));
    }
    for _ in 0..stage.chance.between(1, 4) {
        let at = start + stage.chance.between(7 * HOUR, 23 * HOUR);
        plan.push((at, Deed::Scene(Stage::visitor_reports)));
    }
}

fn plan_weekend(plan: &mut Vec<(i64, Deed)>, chance: &mut Chance, start: i64) {
    for who in [ANN, DANIEL, FARID] {
        if chance.one_in(3) {
            let at = start + chance.between(10 * HOUR, 21 * HOUR);
            plan.push((at, Deed::By(who, Stage::works_at_home)));
        }
    }
    let at = start + chance.between(8 * HOUR, 23 * HOUR);
    plan.push((at, Deed::Scene(Stage::visitor_reports)));
}
