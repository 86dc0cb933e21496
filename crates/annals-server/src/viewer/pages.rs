//! The pages: each is a struct with exactly what its template prints.
//!
//! Everything here is text that is ready to be shown; the templates escape it. Nothing in this file
//! or in the templates turns escaping off.

use askama::Template;

use super::zone::Moment;

/// What surrounds every page.
pub(crate) struct Shell {
    /// The tab's title: what is looked at first, so that many tabs stay apart.
    pub(crate) title: String,
    /// The workspace's name, and its first letter.
    pub(crate) workspace: String,
    pub(crate) initial: String,
    /// Whether the host frames the page and shows who is who itself.
    pub(crate) embed: bool,
    /// Who looks.
    pub(crate) me: Option<Me>,
    /// Where a form says that the session is to end, and with which token.
    pub(crate) csrf: String,
    /// Back to the host's settings.
    pub(crate) return_url: Option<String>,
    /// The log's first page.
    pub(crate) home: String,
    pub(crate) css: String,
    pub(crate) js: String,
    pub(crate) favicon: String,
}

/// Who is signed in.
pub(crate) struct Me {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) role: &'static str,
    pub(crate) face: Face,
}

/// A person's initials, or the sign of something that is no person, on one of eight grounds.
#[derive(Clone)]
pub(crate) struct Face {
    pub(crate) text: String,
    /// Shown instead of initials.
    pub(crate) icon: Option<&'static str>,
    pub(crate) hue: &'static str,
}

/// A link with its words.
pub(crate) struct Choice {
    pub(crate) label: String,
    pub(crate) note: String,
    pub(crate) href: String,
    pub(crate) current: bool,
}

/// The menu of a value.
#[derive(Clone)]
pub(crate) struct Pivot {
    /// What the value is: `Actor`.
    pub(crate) about: &'static str,
    /// The value that is searched for, which is the id where there is one.
    pub(crate) value: String,
    pub(crate) only: String,
    pub(crate) exclude: String,
}

/// One row of the table.
pub(crate) struct RowView {
    pub(crate) position: u64,
    pub(crate) id: String,
    pub(crate) href: String,
    /// The same, at what proves it.
    pub(crate) proof: String,
    pub(crate) selected: bool,
    pub(crate) time: Moment,
    /// Said where it was recorded much later than it happened.
    pub(crate) late: Option<String>,
    pub(crate) face: Face,
    pub(crate) actor: String,
    pub(crate) actor_pivot: Option<Pivot>,
    pub(crate) actor_detail: Vec<String>,
    pub(crate) sentence: String,
    pub(crate) action: String,
    pub(crate) action_pivot: Pivot,
    /// The reason, in words, if it failed.
    pub(crate) failed: Option<String>,
    pub(crate) extension: bool,
    pub(crate) erased: bool,
    pub(crate) target: Option<TargetCell>,
    pub(crate) from: Option<FromCell>,
    /// What the mark at the end of the row says.
    pub(crate) mark: String,
}

/// The first target of a row.
pub(crate) struct TargetCell {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) pivot: Option<Pivot>,
    /// How many more there are.
    pub(crate) more: usize,
}

/// Where a row's act came from.
pub(crate) struct FromCell {
    pub(crate) address: String,
    pub(crate) pivot: Option<Pivot>,
    pub(crate) agent: String,
}

/// One filter that is on.
pub(crate) struct Chip {
    pub(crate) label: String,
    pub(crate) negated: bool,
    pub(crate) remove: String,
}

/// What is wrong with the query.
pub(crate) struct Trouble {
    pub(crate) message: String,
    pub(crate) column: usize,
    /// The query around the column: what stands before, at and after it.
    pub(crate) before: String,
    pub(crate) at: String,
    pub(crate) after: String,
    pub(crate) suggestion: Option<Choice>,
    /// What the rows below show instead.
    pub(crate) shown: String,
}

/// The pill of the time range.
pub(crate) struct TimePill {
    pub(crate) label: String,
    pub(crate) on: bool,
    pub(crate) choices: Vec<Choice>,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) zone: String,
}

/// The pill of the kinds of events.
pub(crate) struct EventPill {
    pub(crate) label: String,
    pub(crate) on: bool,
    pub(crate) groups: Vec<EventGroup>,
}

/// One group of the catalogue.
pub(crate) struct EventGroup {
    pub(crate) name: String,
    pub(crate) all: String,
    pub(crate) events: Vec<EventChoice>,
}

/// One kind of event.
pub(crate) struct EventChoice {
    pub(crate) action: String,
    pub(crate) name: String,
    pub(crate) failure: bool,
    pub(crate) checked: bool,
    /// How many there are in the time that is looked at.
    pub(crate) count: String,
}

/// A pill with a text to type.
pub(crate) struct TextPill {
    pub(crate) label: String,
    pub(crate) field: &'static str,
    pub(crate) prompt: &'static str,
    pub(crate) hint: &'static str,
    pub(crate) value: String,
    pub(crate) on: bool,
    pub(crate) choices: Vec<Choice>,
    /// The values that are most frequent in the time that is looked at.
    pub(crate) seen: Vec<Choice>,
    /// Values that may be meant, while somebody types.
    pub(crate) offered: Vec<String>,
}

/// A pill with nothing but links.
pub(crate) struct LinkPill {
    pub(crate) label: String,
    pub(crate) on: bool,
    pub(crate) choices: Vec<Choice>,
}

/// The pill that chooses the zone.
pub(crate) struct ZonePill {
    pub(crate) label: String,
    pub(crate) name: String,
    pub(crate) choices: Vec<Choice>,
    pub(crate) offered: &'static [&'static str],
}

/// What the button gives.
pub(crate) struct Download {
    /// `1,284 events · all events · all columns`.
    pub(crate) says: String,
    /// `1,284 events`.
    pub(crate) count: String,
    pub(crate) csv: String,
    pub(crate) excel: String,
    pub(crate) ndjson: String,
    pub(crate) parquet: String,
    pub(crate) proof: String,
    pub(crate) proof_says: String,
}

/// How many events there were when.
pub(crate) struct Chart {
    /// What a bar stands for: `day`.
    pub(crate) unit: &'static str,
    pub(crate) bars: Vec<Bar>,
    /// In units of the drawing: from one bar to the next, a bar's width, and the height of the highest.
    pub(crate) stride: usize,
    pub(crate) width: usize,
    pub(crate) height: u64,
    /// What the first and the last bar stand for.
    pub(crate) from: String,
    pub(crate) to: String,
    /// How many events the highest bar stands for.
    pub(crate) highest: String,
    /// The whole of it in a sentence.
    pub(crate) summary: String,
    /// Whether older events are not in it.
    pub(crate) is_partial: bool,
}

/// One bar of a chart, in units of the drawing, with what it says.
pub(crate) struct Bar {
    pub(crate) x: usize,
    /// Where what can be clicked begins.
    pub(crate) hit: usize,
    pub(crate) y: u64,
    pub(crate) height: u64,
    pub(crate) failed_y: u64,
    pub(crate) failed_height: u64,
    pub(crate) title: String,
    pub(crate) label: String,
    pub(crate) count: String,
    pub(crate) failed: String,
    pub(crate) is_empty: bool,
    /// The events of that time.
    pub(crate) href: String,
}

/// What stands above the table.
pub(crate) struct Summary {
    /// `1,284 events` or `more than 10,000 events`.
    pub(crate) count: String,
    pub(crate) count_unit: &'static str,
    /// In words: which filters, and since when.
    pub(crate) what: String,
    /// As of when.
    pub(crate) as_of: String,
    /// Where newer events are, and how many.
    pub(crate) newer: Option<Choice>,
}

/// The links under the table.
pub(crate) struct Pager {
    pub(crate) newer: Option<String>,
    pub(crate) older: Option<String>,
    pub(crate) says: String,
    pub(crate) sizes: Vec<Choice>,
}

/// What stands where no row is.
pub(crate) struct Nothing {
    pub(crate) heading: String,
    pub(crate) text: String,
    pub(crate) links: Vec<Choice>,
    pub(crate) first_time: bool,
}

/// The table page.
#[derive(Template)]
#[template(path = "log.html")]
pub(crate) struct LogPage {
    pub(crate) shell: Shell,
    pub(crate) about: String,
    pub(crate) root: String,
    pub(crate) filter: String,
    pub(crate) clear: String,
    pub(crate) copy: String,
    pub(crate) query: String,
    pub(crate) carried: Vec<(&'static str, String)>,
    pub(crate) carried_query: Vec<(&'static str, String)>,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) times: TimePill,
    pub(crate) events: EventPill,
    pub(crate) texts: Vec<TextPill>,
    pub(crate) outcomes: LinkPill,
    pub(crate) presets: LinkPill,
    pub(crate) examples: LinkPill,
    pub(crate) zone: ZonePill,
    pub(crate) chips: Vec<Chip>,
    pub(crate) partial: Option<Choice>,
    /// Which events cannot be read, in words.
    pub(crate) unreadable: Option<String>,
    pub(crate) chart: Option<Chart>,
    pub(crate) download: Option<Download>,
    pub(crate) summary: Summary,
    pub(crate) zone_label: String,
    pub(crate) rows: Vec<RowView>,
    pub(crate) nothing: Option<Nothing>,
    pub(crate) pager: Pager,
    /// Whether an event was asked for that is not in the log.
    pub(crate) missing: bool,
    pub(crate) drawer: Option<Drawer>,
    /// The event in it.
    pub(crate) e: Option<EventView>,
}

/// An event beside the table.
pub(crate) struct Drawer {
    pub(crate) close: String,
    pub(crate) newer: Option<String>,
    pub(crate) older: Option<String>,
    pub(crate) page: String,
}

impl LogPage {
    /// The event that is open, for the template that both pages share.
    pub(crate) fn is_open(&self) -> bool {
        self.drawer.is_some()
    }
}

/// One value of an event with its name.
pub(crate) struct Fact {
    pub(crate) label: String,
    pub(crate) value: String,
    pub(crate) mono: bool,
    pub(crate) pivot: Option<Pivot>,
    pub(crate) note: Option<String>,
}

/// A field that the event changed.
pub(crate) struct Diff {
    pub(crate) field: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

/// A target in full.
pub(crate) struct TargetFacts {
    pub(crate) title: String,
    pub(crate) facts: Vec<Fact>,
}

/// How far the log vouches for an event.
#[derive(Clone)]
pub(crate) struct ProofView {
    pub(crate) good: bool,
    pub(crate) word: String,
    pub(crate) sentence: String,
    pub(crate) log: String,
    pub(crate) leaf: String,
    pub(crate) vkey: String,
    pub(crate) checkpoint: String,
    /// Where the proof file is, for those who may download.
    pub(crate) download: Option<String>,
    pub(crate) file: String,
    /// Checks the file in the browser.
    pub(crate) script: String,
}

/// An event in full.
pub(crate) struct EventView {
    pub(crate) position: u64,
    pub(crate) headline: String,
    pub(crate) failed: Option<String>,
    pub(crate) display_name: String,
    pub(crate) category: String,
    pub(crate) extension: bool,
    pub(crate) action: String,
    pub(crate) action_pivot: Pivot,
    /// What of it has been erased, in words; empty if nothing.
    pub(crate) erased: String,
    pub(crate) happened: Moment,
    pub(crate) recorded: Moment,
    pub(crate) late: Option<String>,
    pub(crate) recorded_by: String,
    pub(crate) who: Vec<Fact>,
    pub(crate) claimed: Option<&'static str>,
    pub(crate) place: Vec<Fact>,
    pub(crate) failure: Vec<Fact>,
    pub(crate) diff: Vec<Diff>,
    pub(crate) targets: Vec<TargetFacts>,
    pub(crate) metadata: Vec<Fact>,
    pub(crate) around: Vec<Choice>,
    pub(crate) proof: ProofView,
    pub(crate) raw: String,
    pub(crate) raw_open: bool,
    /// The event's own page.
    pub(crate) link: String,
}

/// The page of one event.
#[derive(Template)]
#[template(path = "event_page.html")]
pub(crate) struct EventPage {
    pub(crate) shell: Shell,
    pub(crate) back: String,
    pub(crate) e: EventView,
}

/// A page with one message.
#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct MessagePage {
    pub(crate) shell: Shell,
    pub(crate) icon: &'static str,
    pub(crate) heading: String,
    pub(crate) lines: Vec<String>,
    pub(crate) links: Vec<MessageLink>,
    /// What to quote when asking for help.
    pub(crate) reference: String,
}

/// A button of a [`MessagePage`].
pub(crate) struct MessageLink {
    pub(crate) label: String,
    pub(crate) href: String,
    pub(crate) main: bool,
    /// Whether it leaves the frame.
    pub(crate) top: bool,
}

/// A row of the made-up workspace.
pub(crate) struct SampleRow {
    pub(crate) clock: &'static str,
    pub(crate) day: &'static str,
    pub(crate) face: Face,
    pub(crate) name: &'static str,
    pub(crate) detail: &'static str,
    pub(crate) sentence: &'static str,
    pub(crate) failed: &'static str,
    pub(crate) action: &'static str,
    pub(crate) target: &'static str,
    pub(crate) target_type: &'static str,
    pub(crate) address: &'static str,
    pub(crate) agent: &'static str,
}

/// What a workspace sees that is not entitled.
#[derive(Template)]
#[template(path = "locked.html")]
pub(crate) struct LockedPage {
    pub(crate) shell: Shell,
    pub(crate) contact: String,
    pub(crate) kept: String,
    pub(crate) example: String,
    pub(crate) sample: Vec<SampleRow>,
}
