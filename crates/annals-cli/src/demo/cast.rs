//! Who works in the sample workspace, on what, and from where.
//!
//! Every address is from the ranges kept for documentation (RFC 5737, RFC 3849), every domain from
//! the names kept for examples (RFC 2606), so that the demo names nobody.

/// What a person may do in the workspace.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Guest,
    Member,
    Manager,
    Admin,
}

impl Role {
    /// The role as events carry it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Role::Guest => "guest",
            Role::Member => "member",
            Role::Manager => "manager",
            Role::Admin => "admin",
        }
    }
}

/// A signed-in session.
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) address: &'static str,
    pub(crate) started: i64,
}

/// Somebody with an account.
pub(crate) struct Person {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) email: &'static str,
    pub(crate) job: &'static str,
    pub(crate) role: Role,
    pub(crate) home: &'static str,
    pub(crate) agent: &'static str,
    /// Hours by which this person's day starts later than the office's.
    pub(crate) late: i64,
    /// Acts of work on an ordinary day.
    pub(crate) acts: i64,
    /// Whether this person is a member of the workspace at the moment.
    pub(crate) present: bool,
    pub(crate) session: Option<Session>,
    pub(crate) logins: u64,
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

/// Everybody, in the order of the constants above. Nobody is present yet.
pub(crate) fn people() -> Vec<Person> {
    let person = |id, name, email, job, role, home, agent, late, acts| Person {
        id,
        name,
        email,
        job,
        role,
        home,
        agent,
        late,
        acts,
        present: false,
        session: None,
        logins: 0,
    };
    use Role::{Admin, Guest, Manager, Member};
    vec![
        person(
            "usr_ann",
            "Ann Keller",
            "ann@acme.example",
            "Founder",
            Admin,
            "203.0.113.77",
            MAC,
            0,
            8,
        ),
        person(
            "usr_ben",
            "Ben Ortiz",
            "ben@acme.example",
            "Head of delivery",
            Manager,
            "203.0.113.81",
            MAC,
            0,
            10,
        ),
        person(
            "usr_chloe",
            "Chloé Martin",
            "chloe@acme.example",
            "Product manager",
            Manager,
            "203.0.113.92",
            MAC,
            1,
            11,
        ),
        person(
            "usr_daniel",
            "Daniel Okafor",
            "daniel@acme.example",
            "Engineer",
            Member,
            "203.0.113.104",
            LINUX,
            1,
            12,
        ),
        person(
            "usr_emi",
            "Emi Tanaka",
            "emi@acme.example",
            "Engineer",
            Member,
            "2001:db8:51:7::12",
            MAC,
            0,
            12,
        ),
        person(
            "usr_farid",
            "Farid Haddad",
            "farid@acme.example",
            "Quality assurance",
            Member,
            "203.0.113.119",
            WINDOWS,
            0,
            15,
        ),
        person(
            "usr_grace",
            "Grace Lin",
            "grace@acme.example",
            "Designer",
            Member,
            "203.0.113.130",
            MAC,
            1,
            9,
        ),
        person(
            "usr_henrik",
            "Henrik Olsen",
            "henrik@acme.example",
            "Engineer",
            Member,
            "203.0.113.141",
            LINUX,
            0,
            11,
        ),
        person(
            "usr_isla",
            "Isla Reid",
            "isla@contractor.example",
            "Contractor",
            Member,
            "198.51.100.140",
            WINDOWS,
            2,
            9,
        ),
        person(
            "usr_liam",
            "Liam Byrne",
            "liam@acme.example",
            "Support",
            Member,
            "203.0.113.152",
            WINDOWS,
            0,
            7,
        ),
        person(
            "usr_maya",
            "Maya Singh",
            "maya@acme.example",
            "Engineer",
            Member,
            "198.51.100.201",
            LINUX,
            5,
            10,
        ),
        person(
            "usr_jonas",
            "Jonas Weber",
            "jonas@northwind.example",
            "Client",
            Guest,
            "198.51.100.77",
            WINDOWS,
            1,
            4,
        ),
        person(
            "usr_keiko",
            "Keiko Mori",
            "keiko@globex.example",
            "Client",
            Guest,
            "2001:db8:9a::4",
            IPAD,
            0,
            3,
        ),
    ]
}

/// A project of the workspace.
pub(crate) struct Project {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) host: &'static str,
    pub(crate) active: bool,
}

pub(crate) const WEBSITE: usize = 0;
pub(crate) const MOBILE: usize = 1;
pub(crate) const CHECKOUT: usize = 2;
pub(crate) const NORTHWIND: usize = 3;
pub(crate) const LEGACY: usize = 4;
pub(crate) const HELP: usize = 5;

/// The projects, in the order of the constants above. None has been made yet.
pub(crate) fn projects() -> Vec<Project> {
    let project = |id, name, host| Project {
        id,
        name,
        host,
        active: false,
    };
    vec![
        project("prj_website", "Website relaunch", "www.acme.example"),
        project("prj_mobile", "Mobile app", "app.acme.example"),
        project("prj_checkout", "Checkout", "shop.acme.example"),
        project(
            "prj_northwind",
            "Northwind portal",
            "portal.northwind.example",
        ),
        project("prj_legacy", "Legacy shop", "old.acme.example"),
        project("prj_help", "Help centre", "help.acme.example"),
    ]
}

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

/// Visitors who report through the widget; what they say of themselves is a claim.
pub(crate) const VISITORS: [(&str, &str, &str, &str); 5] = [
    (
        "rep_4411",
        "Tom Fischer",
        "tom.fischer@customer.example",
        "192.0.2.120",
    ),
    (
        "rep_4417",
        "Aisha Khan",
        "aisha@customer.example",
        "192.0.2.131",
    ),
    (
        "rep_4420",
        "Lucas Moreau",
        "l.moreau@customer.example",
        "2001:db8:77::31",
    ),
    (
        "rep_4432",
        "Nina Rossi",
        "nina@customer.example",
        "192.0.2.158",
    ),
    (
        "rep_4440",
        "Sam Lee",
        "sam@customer.example",
        "198.51.100.92",
    ),
];
