//! The timetable of the sample month: ordinary days, and on which of them the scenes take place.

use annals_event::Timestamp;
use serde_json::{Value, json};

use super::cast::{ANN, DANIEL, FARID, ISLA, MAYA};
use super::chance::Chance;
use super::world::{Act, Place, Told, World};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// The office is an hour ahead of UTC.
const OFFICE_ZONE: i64 = HOUR;
const DAYS: i64 = 30;

/// An event of the demo and the moment at which it happens.
pub(crate) struct Happening {
    pub(crate) at: Timestamp,
    pub(crate) event: Value,
}

type Scene = fn(&mut World, i64);

/// Scenes by working day (the first is 0), hour and minute. Day 18 is the last that is over in every
/// month of 30 days, whatever weekday it ends on.
const SCENES: &[(usize, i64, i64, Scene)] = &[
    (0, 9, 2, World::found),
    (0, 10, 20, World::invite_all),
    (1, 11, 15, World::organise),
    (1, 14, 5, World::late_invitation),
    (2, 11, 30, World::invite_guests),
    (3, 13, 10, World::help_centre),
    (4, 11, 20, World::domain_join),
    (5, 11, 5, World::profiles),
    (6, 2, 13, World::guessing),
    (6, 8, 24, World::after_guessing),
    (7, 15, 40, World::export),
    (7, 12, 10, World::new_address),
    (8, 11, 45, World::promote),
    (8, 14, 0, World::outage),
    (9, 16, 20, World::archive),
    (10, 11, 12, World::unarchive),
    (10, 14, 30, World::sandbox),
    (11, 2, 41, World::spraying),
    (11, 8, 12, World::recovery),
    (12, 12, 30, World::welcome_maya),
    (12, 19, 42, World::make_admin),
    (13, 15, 20, World::remove_domain),
    (14, 11, 40, World::drop_account),
    (14, 16, 50, World::export_again),
    (15, 9, 55, World::demote),
    (15, 16, 31, World::last_afternoon),
    (15, 17, 15, World::offboarding),
    (16, 13, 20, World::liam_goes),
    (16, 15, 5, World::delete_sandbox),
    (17, 13, 45, World::keiko_off_the_project),
    (17, 15, 30, World::delete_project),
    (18, 11, 5, World::keiko_leaves),
];

/// The month of workspace `id` that ends at `until`, in the order in which it happens. The same seed
/// and the same end tell the same month, event by event.
pub(crate) fn month(id: &str, name: &str, seed: u64, until: Timestamp) -> Vec<Happening> {
    let mut world = World::new(seed, id, name);
    let last = (until.as_micros() / 1_000_000 + OFFICE_ZONE).div_euclid(DAY);
    let mut working_day = 0;
    for day in last + 1 - DAYS..=last {
        let start = day * DAY - OFFICE_ZONE;
        world.later(start, Act::Scene(sessions_expire));
        // Day 0 of the epoch was a Thursday.
        let weekend = matches!((day + 3).rem_euclid(7), 5 | 6);
        if weekend {
            plan_weekend(&mut world, start);
        } else {
            plan_workday(&mut world, start, working_day);
            working_day += 1;
        }
    }
    world.run();
    in_order(world.told, until)
}

/// A few days of a second, small workspace that has no access to its log yet.
pub(crate) fn locked_month(id: &str, name: &str, seed: u64, until: Timestamp) -> Vec<Happening> {
    let mut world = World::new(seed, id, name);
    let end = until.as_micros() / 1_000_000;
    let start = end - 6 * DAY;
    let workspace = vec![world.workspace.clone()];
    let olga = json!({"type": "user", "id": "usr_olga", "name": "Olga Brandt", "email": "olga@globex.example", "role": "admin"});
    let place = || {
        Place::new(
            "203.0.113.200",
            "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
            "web",
        )
    };
    world.tell(
        start,
        "workspace.created",
        olga.clone(),
        workspace,
        place(),
        json!({
            "metadata": {"plan": "starter"}, "next": {"name": name},
        }),
    );
    let mut chance = Chance::new(seed);
    let mut at = start;
    for _ in 0..40 {
        at += chance.between(HOUR, 4 * HOUR);
        let target = vec![json!({"type": "user", "id": "usr_olga", "name": "Olga Brandt"})];
        let action = if chance.one_in(2) {
            "user.login"
        } else {
            "user.logout"
        };
        world.tell(at, action, olga.clone(), target, place(), json!({}));
    }
    in_order(world.told, until)
}

fn plan_workday(world: &mut World, start: i64, working_day: usize) {
    for (_, hour, minute, scene) in SCENES.iter().filter(|(day, ..)| *day == working_day) {
        world.later(start + hour * HOUR + minute * 60, Act::Scene(*scene));
    }
    for who in 0..world.people.len() {
        let off = world.chance.one_in(13) && ![ANN, ISLA, MAYA].contains(&who);
        if off {
            continue;
        }
        let late = world.people[who].late * HOUR;
        let arrives = start + 8 * HOUR + late + world.chance.between(0, 75 * 60);
        let leaves = start + 17 * HOUR + late + world.chance.between(0, 80 * 60);
        // Who joins today comes through the invitation, not through the door.
        let login = match world.chance.between(1, 20) {
            1 => World::login_by_code,
            2 => World::login_after_a_typo,
            _ => World::login,
        };
        world.later(arrives, Act::By(who, login));
        let usual = world.people[who].acts;
        for _ in 0..world.chance.between(usual * 6 / 10, usual * 12 / 10) {
            let at = world.chance.between(arrives + 300, leaves - 60);
            world.later(at, Act::By(who, World::work));
        }
        if world.chance.one_in(2) {
            world.later(leaves, Act::By(who, World::logout));
        }
    }
    for _ in 0..world.chance.between(3, 7) {
        let at = start + world.chance.between(7 * HOUR, 23 * HOUR);
        world.later(at, Act::Scene(World::visitor_reports));
    }
    for _ in 0..world.chance.between(3, 7) {
        let at = start + world.chance.between(9 * HOUR, 18 * HOUR);
        world.later(at, Act::Scene(World::synced));
    }
}

fn plan_weekend(world: &mut World, start: i64) {
    for who in [ANN, DANIEL, FARID] {
        if world.chance.one_in(3) {
            for _ in 0..world.chance.between(1, 3) {
                let at = start + world.chance.between(10 * HOUR, 21 * HOUR);
                world.later(at, Act::By(who, World::work));
            }
        }
    }
    for _ in 0..world.chance.between(1, 3) {
        let at = start + world.chance.between(8 * HOUR, 23 * HOUR);
        world.later(at, Act::Scene(World::visitor_reports));
    }
}

/// Sessions end over night; that is no event.
fn sessions_expire(world: &mut World, _at: i64) {
    for person in &mut world.people {
        person.session = None;
    }
}

/// What is told before `until`, by time, with the time in it.
fn in_order(mut told: Vec<Told>, until: Timestamp) -> Vec<Happening> {
    told.sort_by_key(|t| (t.at, t.micros));
    told.into_iter()
        .filter_map(|t| {
            let at = Timestamp::clamped(t.at * 1_000_000 + t.micros);
            let mut event = t.event;
            event["occurred_at"] = json!(at.to_string());
            (at < until).then_some(Happening { at, event })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use annals_event::{Catalogue, Draft, Event, Outcome, Rules};

    use super::*;

    /// Midday of each day of one week, so that the month ends on every weekday once.
    fn ends() -> Vec<Timestamp> {
        (16..23)
            .map(|day| Timestamp::parse(&format!("2026-11-{day:02}T12:00:00Z")).unwrap())
            .collect()
    }

    fn acme(until: Timestamp) -> Vec<Happening> {
        month("acme", "Acme", 1, until)
    }

    #[test]
    fn every_month_holds_all_actions_of_the_catalogue() {
        let catalogue: BTreeSet<&str> = Catalogue::builtin()
            .all()
            .filter(|e| !e.extension)
            .map(|e| e.action)
            .collect();
        assert_eq!(catalogue.len(), 43);
        for until in ends() {
            let month = acme(until);
            let told: BTreeSet<&str> = month
                .iter()
                .map(|h| h.event["action"].as_str().unwrap())
                .collect();
            assert_eq!(told, catalogue, "the month until {until}");
            assert!(
                (1_800..4_000).contains(&month.len()),
                "{} events until {until}",
                month.len()
            );
        }
    }

    #[test]
    fn every_event_is_accepted_and_has_a_reason_of_the_closed_list() {
        let rules = Rules {
            strict: true,
            ..Rules::open()
        };
        for happening in acme(ends()[0]) {
            let text = happening.event.to_string();
            let event =
                Event::from_json(text.as_bytes()).unwrap_or_else(|e| panic!("{e:?}: {text}"));
            let entry = Catalogue::builtin().get(&event.action).unwrap();
            let reason = event.failure.as_ref().and_then(|f| f.reason.clone());
            match entry.outcome {
                Outcome::Failure => {
                    let reason = reason.unwrap_or_else(|| panic!("no reason: {text}"));
                    assert!(entry.reasons.contains(&reason.as_str()), "{reason}: {text}");
                }
                Outcome::Success => assert_eq!(reason, None, "{text}"),
            }
            assert!(
                event.metadata.is_some() || event.previous.is_some(),
                "nothing to tell: {text}"
            );
            Draft::new(event, &rules, ends()[0], String::new)
                .unwrap_or_else(|e| panic!("{e:?}: {text}"));
        }
    }

    #[test]
    fn the_month_is_in_order_and_repeatable() {
        let (one, two) = (acme(ends()[3]), acme(ends()[3]));
        assert!(one.is_sorted_by_key(|h| h.at));
        assert!(
            one.iter()
                .map(|h| &h.event)
                .eq(two.iter().map(|h| &h.event))
        );
        let ids: BTreeSet<&str> = one
            .iter()
            .map(|h| h.event["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids.len(), one.len());
        assert!(one.last().unwrap().at < ends()[3]);
        let other = month("acme", "Acme", 2, ends()[3]);
        assert!(
            !one.iter()
                .map(|h| &h.event)
                .eq(other.iter().map(|h| &h.event))
        );
    }

    #[test]
    fn changes_agree_with_what_was_told_before() {
        let mut statuses: BTreeMap<String, String> = BTreeMap::new();
        let mut sessions: BTreeSet<String> = BTreeSet::new();
        for happening in acme(ends()[1]) {
            let event = &happening.event;
            let target = event["targets"][0]["id"].as_str().unwrap().to_owned();
            let session = event["context"]["session_id"].to_string();
            match event["action"].as_str().unwrap() {
                // The founder signed in before there was a log to record it.
                "user.login" => assert!(sessions.insert(session), "begun twice"),
                "workspace.created" => drop(sessions.insert(session)),
                _ => {
                    let known = session == "null" || sessions.contains(&session);
                    assert!(known, "in a session that has not begun: {event}");
                }
            }
            match event["action"].as_str().unwrap() {
                "issue.created" => {
                    assert_eq!(
                        statuses.insert(target, "open".to_owned()),
                        None,
                        "made twice"
                    );
                }
                "issue.status_updated" => {
                    let next = event["next"]["status"].as_str().unwrap().to_owned();
                    let previous = statuses.insert(target, next.clone());
                    assert_eq!(previous.as_deref(), event["previous"]["status"].as_str());
                    assert_ne!(previous, Some(next));
                }
                "issue.deleted" => {
                    assert!(statuses.remove(&target).is_some(), "deleted, never made")
                }
                "user.logout" => {
                    assert!(event["metadata"]["session_seconds"].as_i64().unwrap() > 0);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn the_locked_workspace_has_some_events_too() {
        let month = locked_month("globex", "Globex", 1, ends()[0]);
        assert!(month.len() > 20 && month.is_sorted_by_key(|h| h.at));
    }
}
