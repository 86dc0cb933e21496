//! Believable audit events, the same for the same seed.
//!
//! Workspaces have Zipf sizes, people in them too; the 43 actions are as skewed as in life (issue
//! and comment events and logins many, deletions few); time ascends with jitter over a year, and
//! no two events of a workspace come out of order. An event is some 640 bytes as a line. In the titles of the
//! biggest workspace stand words to search for: [`COMMON`], [`RARE`], and never [`ABSENT`].

use std::fmt::Write as _;

/// In about an eighth of the events of the biggest workspace: 16,000 of a million in all.
pub const COMMON: &str = "regression";
/// In about 32 of a million.
pub const RARE: &str = "zanzibar";
/// In none.
pub const ABSENT: &str = "quixotic";

/// How much is generated, and over what.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// Events in all; they spread evenly over the span.
    pub events: u64,
    /// Workspaces, of Zipf 1.0 sizes.
    pub workspaces: u32,
    /// The first moment, in microseconds since the epoch.
    pub start: i64,
    /// The span, in microseconds.
    pub span: i64,
    /// The same seed gives the same events.
    pub seed: u64,
}

impl Profile {
    /// `events` over the year 2025 in 2,000 workspaces for a million events, in proportion for
    /// more or fewer (20 at least).
    #[must_use]
    pub fn year(events: u64) -> Profile {
        let workspaces = u32::try_from((events / 500).clamp(20, 20_000)).unwrap_or(20_000);
        Profile {
            events,
            workspaces,
            start: 1_735_689_600_000_000,
            span: 365 * 86_400 * 1_000_000,
            seed: 1,
        }
    }
}

/// One event, in the parts that a relational table wants and as the JSON that the API takes.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The workspace, by its number: 0 is the biggest.
    pub workspace: u32,
    /// A version 7 UUID of the event's time.
    pub id: String,
    /// Microseconds since the epoch.
    pub occurred_at: i64,
    /// The dotted action.
    pub action: &'static str,
    /// The actor's opaque id.
    pub actor_id: String,
    /// The actor's name.
    pub actor_name: String,
    /// The actor's e-mail address.
    pub actor_email: String,
    /// JSON array of targets.
    pub targets: String,
    /// JSON object.
    pub context: String,
    /// JSON object.
    pub metadata: String,
    /// `,"failure":…` `,"previous":…` `,"next":…` as they apply.
    extra: String,
}

impl Generated {
    /// The name of the workspace on the wire.
    #[must_use]
    pub fn organization_id(&self) -> String {
        organization_id(self.workspace)
    }

    /// The event as the API takes it; without an id where the server shall make it.
    #[must_use]
    pub fn event_json(&self, with_id: bool) -> String {
        let mut out = String::with_capacity(768);
        out.push('{');
        if with_id {
            let _ = write!(out, r#""id":"{}","#, self.id);
        }
        let _ = write!(
            out,
            r#""action":"{}","occurred_at":"{}","actor":{{"id":"{}","type":"user","name":"{}","email":"{}","role":"member"}},"targets":{},"context":{},"metadata":{}{}}}"#,
            self.action,
            annals_event::Timestamp::clamped(self.occurred_at),
            self.actor_id,
            self.actor_name,
            self.actor_email,
            self.targets,
            self.context,
            self.metadata,
            self.extra,
        );
        out
    }
}

fn organization_id(workspace: u32) -> String {
    format!("org_{workspace:05}")
}

/// Actions with their weights in a thousand, and the kind of their target.
const ACTIONS: [(&str, u32, &str); 43] = [
    ("issue.created", 160, "issue"),
    ("issue.creation_failed", 6, "project"),
    ("issue.deleted", 8, "issue"),
    ("issue.status_updated", 190, "issue"),
    ("comment.published", 190, "comment"),
    ("comment.updated", 30, "comment"),
    ("comment.deleted", 8, "comment"),
    ("project.created", 5, "project"),
    ("project.updated", 12, "project"),
    ("project.deleted", 1, "project"),
    ("project.archived", 2, "project"),
    ("project.unarchived", 1, "project"),
    ("project.widget_installed", 2, "widget"),
    ("project.user_invited", 6, "user"),
    ("project.user_invitation_failed", 1, "project"),
    ("project.user_removed", 2, "user"),
    ("project.group_updated", 3, "project"),
    ("project.export_requested", 3, "project"),
    ("workspace.created", 1, "workspace"),
    ("workspace.deleted", 1, "workspace"),
    ("workspace.domain_join_added", 1, "domain_join"),
    ("workspace.domain_join_removed", 1, "domain_join"),
    ("workspace.user_joined", 5, "user"),
    ("workspace.user_join_failed", 2, "workspace"),
    ("workspace.user_left", 2, "user"),
    ("workspace.user_invited", 6, "user"),
    ("workspace.user_invitation_failed", 1, "workspace"),
    ("workspace.user_role_updated", 3, "user"),
    ("workspace.user_removed", 2, "user"),
    (
        "workspace.integration_shared_account_connected",
        1,
        "shared_account",
    ),
    (
        "workspace.integration_shared_account_connection_failed",
        1,
        "workspace",
    ),
    (
        "workspace.integration_shared_account_deleted",
        1,
        "shared_account",
    ),
    ("user.updated", 8, "user"),
    ("user.deleted", 1, "user"),
    ("user.password_updated", 3, "user"),
    ("user.password_recovery_requested", 5, "user"),
    (
        "user.integration_account_connected",
        2,
        "integration_account",
    ),
    ("user.integration_account_deleted", 1, "integration_account"),
    ("user.email_verified", 4, "user"),
    ("user.login", 200, "user"),
    ("user.login_failed", 30, "user"),
    ("user.login_code_requested", 40, "user"),
    ("user.logout", 49, "user"),
];

const FIRST: [&str; 20] = [
    "Ana", "Bo", "Carla", "Dev", "Elif", "Farid", "Gia", "Hana", "Ivan", "Jia", "Kofi", "Lena",
    "Marco", "Nina", "Omar", "Priya", "Quinn", "Rosa", "Sven", "Tara",
];
const LAST: [&str; 20] = [
    "Ruiz", "Li", "Meyer", "Patel", "Kaya", "Haddad", "Rossi", "Sato", "Petrov", "Chen", "Mensah",
    "Schmidt", "Bianchi", "Novak", "Aziz", "Sharma", "Byrne", "Silva", "Larsen", "Okafor",
];
const WORDS: [&str; 40] = [
    "checkout",
    "button",
    "header",
    "broken",
    "mobile",
    "layout",
    "login",
    "page",
    "slow",
    "image",
    "missing",
    "footer",
    "link",
    "wrong",
    "price",
    "cart",
    "search",
    "result",
    "menu",
    "overlap",
    "font",
    "video",
    "form",
    "validation",
    "error",
    "banner",
    "cookie",
    "dialog",
    "scroll",
    "jumps",
    "filter",
    "table",
    "export",
    "date",
    "picker",
    "avatar",
    "upload",
    "crop",
    "dark",
    "theme",
];
/// Browsers, each in several versions: 30 user agents in all.
const AGENTS: [(&str, &str); 6] = [
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/",
        ".0.0.0 Safari/537.36",
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/",
        ".1 Safari/605.1.15",
    ),
    (
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/",
        ".0",
    ),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/",
        ".1 Mobile/15E148 Safari/604.1",
    ),
    (
        "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/",
        ".0.0.0 Mobile Safari/537.36",
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/",
        ".0",
    ),
];
const VERSIONS: [u8; 5] = [138, 139, 140, 141, 142];
const STATUSES: [&str; 5] = ["Open", "In progress", "In review", "Resolved", "Closed"];
/// People of a workspace, of Zipf activity.
const PEOPLE: u32 = 20;

/// Makes events, one after another, in the order of their time.
pub struct Generator {
    profile: Profile,
    chance: fastrand::Rng,
    made: u64,
    workspaces: Vec<f64>,
    people: Vec<f64>,
    actions: u32,
    common: Needle,
    rare: Needle,
}

/// A word that is put into some of the titles of the biggest workspace, evenly.
struct Needle {
    word: &'static str,
    /// How many of its events have it.
    share: f64,
    due: f64,
}

impl Needle {
    fn new(word: &'static str, share: f64) -> Needle {
        Needle {
            word,
            share,
            due: 0.0,
        }
    }

    /// Whether the next title has it; what an event without a title leaves due, a later one has.
    fn is_due(&mut self) -> bool {
        let is_due = self.due >= 1.0;
        if is_due {
            self.due -= 1.0;
        }
        is_due
    }
}

impl Generator {
    /// Starts at the profile's first event.
    #[must_use]
    pub fn new(profile: Profile) -> Generator {
        Generator {
            profile,
            chance: fastrand::Rng::with_seed(profile.seed),
            made: 0,
            workspaces: zipf(profile.workspaces),
            people: zipf(PEOPLE),
            actions: ACTIONS.iter().map(|(_, weight, _)| weight).sum(),
            // Of the 122,288 events that the biggest of 2,000 workspaces has of a million.
            common: Needle::new(COMMON, 16_000.0 / 122_288.0),
            rare: Needle::new(RARE, 32.0 / 122_288.0),
        }
    }

    /// The names of all workspaces on the wire, biggest first.
    pub fn organizations(profile: &Profile) -> impl Iterator<Item = String> + use<> {
        (0..profile.workspaces).map(organization_id)
    }

    fn action(&mut self) -> (&'static str, &'static str) {
        let mut left = self.chance.u32(..self.actions);
        for (action, weight, target) in ACTIONS {
            if left < weight {
                return (action, target);
            }
            left -= weight;
        }
        ("user.login", "user")
    }

    fn title(&mut self, workspace: u32) -> String {
        let words = self.chance.usize(3..6);
        let mut title = String::new();
        for _ in 0..words {
            if !title.is_empty() {
                title.push(' ');
            }
            title.push_str(WORDS[self.chance.usize(..WORDS.len())]);
        }
        if workspace == 0 {
            for needle in [&mut self.common, &mut self.rare] {
                if needle.is_due() {
                    title.push(' ');
                    title.push_str(needle.word);
                }
            }
        }
        title
    }

    fn uuid(&mut self, micros: i64) -> String {
        let millis = u64::try_from(micros / 1_000).unwrap_or(0);
        let (a, b) = (self.chance.u64(..), self.chance.u64(..));
        format!(
            "{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}",
            millis >> 16,
            millis & 0xffff,
            a & 0xfff,
            0x8000 | (b >> 48 & 0x3fff),
            b & 0xffff_ffff_ffff,
        )
    }
}

impl Iterator for Generator {
    type Item = Generated;

    fn next(&mut self) -> Option<Generated> {
        if self.made == self.profile.events {
            return None;
        }
        let step = self.profile.span
            / i64::try_from(self.profile.events)
                .unwrap_or(i64::MAX)
                .max(1);
        let jitter = self.chance.i64(0..=step.max(1));
        let made = i64::try_from(self.made).unwrap_or(i64::MAX);
        let occurred_at = self.profile.start + made * step + jitter;
        self.made += 1;

        let workspace = pick(&self.workspaces, self.chance.f64());
        if workspace == 0 {
            self.common.due += self.common.share;
            self.rare.due += self.rare.share;
        }
        let person = pick(&self.people, self.chance.f64());
        let (action, kind) = self.action();
        let who = usize::try_from(workspace * 7 + person * 3).unwrap_or(0);
        let (first, last) = (FIRST[who % FIRST.len()], LAST[(who / 3 + who) % LAST.len()]);
        let actor_id = format!("usr_{workspace:05}{person:02}");
        let actor_name = format!("{first} {last}");
        let actor_email = format!("{}{person}@w{workspace}.example", last.to_lowercase());

        let mut targets = String::new();
        if kind == "user" {
            let other = pick(&self.people, self.chance.f64());
            let _ = write!(
                targets,
                r#"[{{"id":"usr_{workspace:05}{other:02}","type":"user","name":"{} {}"}}]"#,
                FIRST[(who + other as usize) % FIRST.len()],
                LAST[other as usize % LAST.len()],
            );
        } else {
            let number = self.chance.u32(1..5_000);
            let title = self.title(workspace);
            let _ = write!(
                targets,
                r#"[{{"id":"{kind}_{workspace:05}{number:05}","type":"{kind}","name":"{title}"}}"#
            );
            if kind == "issue" || kind == "comment" {
                let project = self.chance.u32(1..12);
                let _ = write!(
                    targets,
                    r#",{{"id":"prj_{workspace:05}{project:02}","type":"project","name":"Website {project}"}}"#
                );
            }
            targets.push(']');
        }
        let (begins, ends) = AGENTS[(who + usize::from(self.chance.u8(..2))) % AGENTS.len()];
        let version = VERSIONS[self.chance.usize(..VERSIONS.len())];
        let context = format!(
            r#"{{"location":"10.{}.{}.{}","user_agent":"{begins}{version}{ends}","session_id":"ses_{:012x}","request_id":"req_{:012x}","source":"web"}}"#,
            workspace % 250,
            person,
            self.chance.u8(1..5),
            self.chance.u64(..) >> 16,
            self.chance.u64(..) >> 16,
        );
        let metadata = format!(r#"{{"attempt":{},"plan":"team"}}"#, self.chance.u8(1..4));
        let mut extra = String::new();
        match action {
            "issue.status_updated" => {
                let from = self.chance.usize(..STATUSES.len());
                let _ = write!(
                    extra,
                    r#","previous":{{"status":"{}"}},"next":{{"status":"{}"}}"#,
                    STATUSES[from],
                    STATUSES[(from + 1) % STATUSES.len()],
                );
            }
            "workspace.user_role_updated" => {
                extra.push_str(r#","previous":{"role":"member"},"next":{"role":"admin"}"#);
            }
            "user.login_failed" => {
                extra.push_str(r#","failure":{"reason":"invalid_password"}"#);
            }
            "issue.creation_failed" => {
                extra.push_str(r#","failure":{"reason":"validation_failed","stage":"validation"}"#);
            }
            _ if action.ends_with("_failed") => {
                extra.push_str(r#","failure":{"reason":"internal_error"}"#);
            }
            _ => {}
        }
        Some(Generated {
            workspace,
            id: self.uuid(occurred_at),
            occurred_at,
            action,
            actor_id,
            actor_name,
            actor_email,
            targets,
            context,
            metadata,
            extra,
        })
    }
}

/// Cumulative shares of Zipf 1.0 over `n` ranks.
fn zipf(n: u32) -> Vec<f64> {
    let mut sum = 0.0;
    let mut shares: Vec<f64> = (1..=n)
        .map(|rank| {
            sum += 1.0 / f64::from(rank);
            sum
        })
        .collect();
    for share in &mut shares {
        *share /= sum;
    }
    shares
}

fn pick(shares: &[f64], at: f64) -> u32 {
    u32::try_from(
        shares
            .partition_point(|share| *share < at)
            .min(shares.len() - 1),
    )
    .unwrap_or(0)
}
