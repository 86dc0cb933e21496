//! Who works in the sample workspace, on what, and from where.
//!
//! Every address is from the ranges kept for documentation (RFC 5737, RFC 3849), every domain from
//! the names kept for examples (RFC 2606), so that the demo names nobody.

/// What a person may do in the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Guest,
    Member,
    Manager,
    Admin,
}

impl Role {
    /// The role as forms carry it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Role::Guest => "guest",
            Role::Member => "member",
            Role::Manager => "manager",
            Role::Admin => "admin",
        }
    }
}

/// Somebody with an account, or about to have one.
pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) email: &'static str,
    pub(crate) password: &'static str,
    pub(crate) role: Role,
    pub(crate) home: &'static str,
    pub(crate) agent: &'static str,
    /// Hours by which this person's day starts later than the office's.
    pub(crate) late: i64,
    /// Spells of work on an ordinary day, in tenths.
    pub(crate) spells: i64,
    /// Signs out in the evening and in again in the morning.
    pub(crate) tidy: bool,
}

const MAC: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";
const WINDOWS: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0";
const LINUX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0";
const IPAD: &str = "Mozilla/5.0 (iPad; CPU OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";
pub(crate) const SCRIPT: &str = "python-requests/2.32.3";
pub(crate) const PHONE: &str = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36";

/// The address of the office.
pub(crate) const OFFICE: &str = "203.0.113.10";
/// Where the password of the founder is guessed from.
pub(crate) const GUESSER: &str = "192.0.2.66";
/// Where one password is tried on everybody.
pub(crate) const SPRAYER: &str = "198.51.100.23";

pub(crate) const ANN: usize = 0;
pub(crate) const BEN: usize = 1;
pub(crate) const CHLOE: usize = 2;
pub(crate) const DANIEL: usize = 3;
pub(crate) const EMI: usize = 4;
pub(crate) const FARID: usize = 5;
pub(crate) const GRACE: usize = 6;
pub(crate) const HENRIK: usize = 7;
pub(crate) const ISLA: usize = 8;
pub(crate) const LIAM: usize = 9;
pub(crate) const MAYA: usize = 10;
pub(crate) const JONAS: usize = 11;
pub(crate) const KEIKO: usize = 12;
pub(crate) const OLGA: usize = 13;

/// Everybody, in the order of the constants above. Olga works at another company.
pub(crate) fn people() -> Vec<Person> {
    use Role::{Admin, Guest, Manager, Member};
    let person = |name, email, password, role, home, agent, (late, spells, tidy)| Person {
        name,
        email,
        password,
        role,
        home,
        agent,
        late,
        spells,
        tidy,
    };
    vec![
        person(
            "Ann Keller",
            "ann@acme.example",
            "ann-keeps-the-keys",
            Admin,
            "203.0.113.77",
            MAC,
            (0, 10, false),
        ),
        person(
            "Ben Ortiz",
            "ben@acme.example",
            "ben-ships-on-fridays",
            Manager,
            "203.0.113.81",
            MAC,
            (0, 13, true),
        ),
        person(
            "Chloé Martin",
            "chloe@acme.example",
            "chloe-plans-ahead",
            Manager,
            "203.0.113.92",
            MAC,
            (1, 13, false),
        ),
        person(
            "Daniel Okafor",
            "daniel@acme.example",
            "daniel-reads-the-logs",
            Member,
            "203.0.113.104",
            LINUX,
            (1, 15, false),
        ),
        person(
            "Emi Tanaka",
            "emi@acme.example",
            "emi-fixes-the-build",
            Member,
            "2001:db8:51:7::12",
            MAC,
            (0, 15, true),
        ),
        person(
            "Farid Haddad",
            "farid@acme.example",
            "farid-breaks-things",
            Member,
            "203.0.113.119",
            WINDOWS,
            (0, 19, true),
        ),
        person(
            "Grace Lin",
            "grace@acme.example",
            "grace-moves-pixels",
            Member,
            "203.0.113.130",
            MAC,
            (1, 11, false),
        ),
        person(
            "Henrik Olsen",
            "henrik@acme.example",
            "henrik-is-on-call",
            Member,
            "203.0.113.141",
            LINUX,
            (0, 13, false),
        ),
        person(
            "Isla Reid",
            "isla@contractor.example",
            "isla-works-remotely",
            Member,
            "198.51.100.140",
            WINDOWS,
            (2, 11, true),
        ),
        person(
            "Liam Byrne",
            "liam@acme.example",
            "liam-answers-tickets",
            Member,
            "203.0.113.152",
            WINDOWS,
            (0, 9, false),
        ),
        person(
            "Maya Singh",
            "maya@acme.example",
            "maya-joins-by-domain",
            Member,
            "198.51.100.201",
            LINUX,
            (5, 12, false),
        ),
        person(
            "Jonas Weber",
            "jonas@northwind.example",
            "jonas-bakes-at-four",
            Guest,
            "198.51.100.77",
            WINDOWS,
            (1, 4, false),
        ),
        person(
            "Keiko Mori",
            "keiko@globex.example",
            "keiko-knows-both-sides",
            Guest,
            "2001:db8:9a::4",
            IPAD,
            (0, 3, false),
        ),
        person(
            "Olga Brandt",
            "olga@globex.example",
            "olga-has-no-log-yet",
            Admin,
            "203.0.113.200",
            LINUX,
            (0, 0, false),
        ),
    ]
}

/// A project of the workspace: its name and the host of its site.
pub(crate) const PROJECTS: [(&str, &str); 6] = [
    ("Website relaunch", "www.acme.example"),
    ("Mobile app", "app.acme.example"),
    ("Checkout", "shop.acme.example"),
    ("Northwind portal", "portal.northwind.example"),
    ("Legacy shop", "old.acme.example"),
    ("Help centre", "help.acme.example"),
];

pub(crate) const WEBSITE: usize = 0;
pub(crate) const MOBILE: usize = 1;
pub(crate) const CHECKOUT: usize = 2;
pub(crate) const NORTHWIND: usize = 3;
pub(crate) const LEGACY: usize = 4;
pub(crate) const HELP: usize = 5;

/// What issues are about.
pub(crate) const TITLES: [&str; 36] = [
    "Login button does nothing on a slow connection",
    "Prices show twice after a currency change",
    "Search forgets its filter",
    "Footer overlaps the form on a phone",
    "Voucher is refused although it is valid",
    "Typo on the pricing page",
    "Images blurred on retina screens",
    "Order mail arrives twice",
    "Back button loses the cart",
    "Cookie banner hides the menu",
    "Date picker starts the week on Sunday",
    "Export has the wrong character set",
    "Dark mode: text is not readable",
    "Map does not load in Firefox",
    "Upload stops at 99 %",
    "Password field does not accept a paste",
    "Wrong sum with two tax rates",
    "Notification settings are not saved",
    "Slow first page after signing in",
    "Keyboard focus is lost in the dialog",
    "Broken link in the welcome mail",
    "Chart axis starts at 10",
    "Address form refuses house numbers with letters",
    "Video plays with sound on load",
    "Sort by price sorts by name",
    "Screen reader reads the icon names",
    "Invoice shows the old address",
    "Table header scrolls away",
    "App crashes when the camera is refused",
    "Sign-up asks for the country twice",
    "Printed page cuts the last column",
    "Language switch returns to the start page",
    "Stock count goes below zero",
    "Two-line titles cover the button",
    "Session ends while typing a comment",
    "Favicon is missing",
];

/// What people write below an issue.
pub(crate) const REMARKS: [&str; 12] = [
    "I can see it too, on Firefox 144.",
    "Only with a slow connection, it seems. I throttle it and it is there every time.",
    "Fixed on the branch, goes out with the next release.",
    "Could you add a screenshot?",
    "The client asked about this one again.",
    "Same cause as the one from last week.",
    "Not reproducible any more after the update.",
    "It is the cache. Clearing it helps, which is no solution.",
    "I would rather change the wording than the layout.",
    "Works for me now, thank you.",
    "This needs a decision: do we support that at all?",
    "Written down for the retrospective.",
];

/// Visitors who report through the widget; what they say of themselves is a claim.
pub(crate) const VISITORS: [(&str, &str, &str); 5] = [
    ("Tom Fischer", "tom.fischer@customer.example", "192.0.2.120"),
    ("Aisha Khan", "aisha@customer.example", "192.0.2.131"),
    (
        "Lucas Moreau",
        "l.moreau@customer.example",
        "2001:db8:77::31",
    ),
    ("Nina Rossi", "", "192.0.2.158"),
    ("", "", "198.51.100.92"),
];
