//! The data as the questions need to know it, and the questions.

use std::collections::BTreeMap;

use annals_testkit::{ABSENT, COMMON, Generated, Generator, Profile, RARE};

/// A day in microseconds.
pub(crate) const DAY: i64 = 86_400_000_000;
/// Values of a field that are named.
pub(crate) const TOP: usize = 10;
/// The fields whose values are counted, as Annals calls them.
pub(crate) const FIELDS: [&str; 4] = ["action", "actor.id", "source", "ip"];
/// Rows of a page.
pub(crate) const PAGE: usize = 50;

/// What somebody wants to know of one workspace.
pub(crate) struct Question {
    /// The row of the table.
    pub(crate) name: &'static str,
    /// The workspace, by its number.
    pub(crate) workspace: u32,
    pub(crate) ask: Ask,
}

/// The newest rows, where nothing else is said.
pub(crate) enum Ask {
    Newest,
    Actor(String),
    Target(String),
    /// Actions that begin so, from a moment on and before another.
    Actions(&'static str, i64, i64),
    Text(&'static str),
    /// How many events have the action in that time.
    Count(&'static str, i64, i64),
    /// How many events there were on each day of that time, in UTC.
    Days(i64, i64),
    /// The most frequent values of [`FIELDS`] in that time.
    Facets(i64, i64),
}

/// What the answer is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Answer {
    /// Ids of events, newest first.
    pub(crate) ids: Vec<String>,
    pub(crate) count: Option<u64>,
    /// How many events each day has, by its first microsecond, or each value of a field.
    pub(crate) counts: BTreeMap<(String, String), u64>,
}

/// What kind of rows answers a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Whole events, the id first.
    Events,
    /// One number.
    Count,
    /// The name of a field, empty for days; a value; a number.
    Counts,
}

impl Ask {
    /// Whether values are days, which are numbers.
    pub(crate) fn is_by_day(&self) -> bool {
        matches!(self, Ask::Days(..))
    }

    pub(crate) fn shape(&self) -> Shape {
        match self {
            Ask::Count(..) => Shape::Count,
            Ask::Days(..) | Ask::Facets(..) => Shape::Counts,
            _ => Shape::Events,
        }
    }
}

/// The data, looked through once.
pub(crate) struct World {
    pub(crate) profile: Profile,
    /// Events of each workspace.
    pub(crate) sizes: Vec<u64>,
    /// The questions, each with the answer that the generated events themselves give.
    pub(crate) questions: Vec<(Question, Answer)>,
}

impl World {
    pub(crate) fn of(profile: Profile) -> World {
        let mut sizes = vec![0; profile.workspaces as usize];
        for event in Generator::new(profile) {
            sizes[event.workspace as usize] += 1;
        }
        let target = target_in_the_middle(profile, sizes[0]);
        let mut questions: Vec<(Question, Answer)> = questions(profile, &sizes, target)
            .into_iter()
            .map(|question| (question, Answer::default()))
            .collect();
        // In the order of time, so that the last ones are the newest.
        for event in Generator::new(profile) {
            for (question, answer) in &mut questions {
                if question.concerns(&event) {
                    match &question.ask {
                        Ask::Count(..) => *answer.count.get_or_insert(0) += 1,
                        Ask::Days(..) => {
                            let day = event.occurred_at.div_euclid(DAY) * DAY;
                            let day = (String::new(), day.to_string());
                            *answer.counts.entry(day).or_insert(0) += 1;
                        }
                        Ask::Facets(..) => {
                            for (field, value) in FIELDS.into_iter().zip(values(&event)) {
                                let value = (field.to_owned(), value);
                                *answer.counts.entry(value).or_insert(0) += 1;
                            }
                        }
                        _ => {
                            answer.ids.push(event.id.clone());
                            // Only the last ones count; now and then the others are dropped.
                            if answer.ids.len() == 2 * PAGE {
                                answer.ids.drain(..PAGE);
                            }
                        }
                    }
                }
            }
        }
        for (question, answer) in &mut questions {
            match question.ask {
                Ask::Count(..) => _ = answer.count.get_or_insert(0),
                Ask::Facets(..) => answer.counts = most_frequent(&answer.counts),
                _ => {}
            }
            answer.ids.reverse();
            answer.ids.truncate(PAGE);
        }
        World {
            profile,
            sizes,
            questions,
        }
    }

    /// The workspaces that have events, biggest first.
    pub(crate) fn inhabited(&self) -> impl Iterator<Item = (u32, u64)> {
        (0..)
            .zip(self.sizes.iter().copied())
            .filter(|(_, size)| *size > 0)
    }
}

fn questions(profile: Profile, sizes: &[u64], target: String) -> Vec<Question> {
    let of = |workspace, name, ask| Question {
        name,
        workspace,
        ask,
    };
    let median = (sizes.len() / 2) as u32;
    let tiny = (0..)
        .zip(sizes)
        .filter(|(_, size)| **size > 0)
        .min_by_key(|(_, size)| **size)
        .map_or(0, |(workspace, _)| workspace);
    let end = profile.start + profile.span;
    vec![
        of(0, "newest 50, biggest workspace", Ask::Newest),
        of(median, "newest 50, median workspace", Ask::Newest),
        of(tiny, "newest 50, smallest workspace", Ask::Newest),
        of(
            0,
            "newest 50 by an actor",
            Ask::Actor("usr_0000005".to_owned()),
        ),
        of(0, "newest 50 on a target", Ask::Target(target)),
        of(
            0,
            "newest 50 of `user.login*` in 30 days",
            Ask::Actions("user.login", end - 30 * DAY, end),
        ),
        of(0, "a common word, newest 50", Ask::Text(COMMON)),
        of(0, "a rare word", Ask::Text(RARE)),
        of(0, "a word that is not there", Ask::Text(ABSENT)),
        of(
            0,
            "count of failed logins in 90 days",
            Ask::Count("user.login_failed", end - 90 * DAY, end),
        ),
        of(
            0,
            "events of 90 days by day",
            Ask::Days(end - 90 * DAY, end),
        ),
        of(
            0,
            "ten most frequent actions, actors, sources and addresses of 90 days",
            Ask::Facets(end - 90 * DAY, end),
        ),
    ]
}

/// The values that an event has of [`FIELDS`].
fn values(event: &Generated) -> [String; FIELDS.len()] {
    let context: serde_json::Value = serde_json::from_str(&event.context).unwrap_or_default();
    let text = |key: &str| context[key].as_str().unwrap_or_default().to_owned();
    [
        event.action.to_owned(),
        event.actor_id.clone(),
        text("source"),
        text("location"),
    ]
}

/// Of each field [`TOP`] values: by how many have them, then by their text.
fn most_frequent(counts: &BTreeMap<(String, String), u64>) -> BTreeMap<(String, String), u64> {
    let of_field = |field: &str| {
        let mut values: Vec<_> = counts.iter().filter(|((f, _), _)| f == field).collect();
        // A sort that keeps the order of what is equal: by their text.
        values.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        values.truncate(TOP);
        values
    };
    let kept = FIELDS.into_iter().flat_map(of_field);
    kept.map(|(value, count)| (value.clone(), *count)).collect()
}

impl Question {
    /// Whether the event belongs to the answer, as the generator wrote it.
    fn concerns(&self, event: &Generated) -> bool {
        let within = |from: &i64, to: &i64| (*from..*to).contains(&event.occurred_at);
        event.workspace == self.workspace
            && match &self.ask {
                Ask::Newest => true,
                Ask::Actor(id) => event.actor_id == *id,
                Ask::Target(id) => event.targets.contains(&format!("\"id\":\"{id}\"")),
                Ask::Actions(prefix, from, to) => {
                    event.action.starts_with(prefix) && within(from, to)
                }
                Ask::Text(word) => event.targets.contains(word),
                Ask::Count(action, from, to) => event.action == *action && within(from, to),
                Ask::Days(from, to) | Ask::Facets(from, to) => within(from, to),
            }
    }
}

/// An issue that an event in the middle of the biggest workspace's year was about.
fn target_in_the_middle(profile: Profile, size: u64) -> String {
    let of_biggest = Generator::new(profile).filter(|event| event.workspace == 0);
    of_biggest
        .skip((size / 2) as usize)
        .find_map(|event| {
            let id = event.targets.strip_prefix("[{\"id\":\"issue_")?;
            let end = id.find('"')?;
            Some(format!("issue_{}", &id[..end]))
        })
        .unwrap_or_default()
}
