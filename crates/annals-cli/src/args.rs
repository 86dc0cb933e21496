//! The command line. Its comments are what `--help` prints, so they are plain text.

#![expect(
    clippy::doc_markdown,
    reason = "help is read on a terminal, not rendered"
)]

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args as Group, Parser, Subcommand, ValueEnum};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// The audit log for workspace software.
#[derive(Parser)]
#[command(name = "annals", version, styles = STYLES, propagate_version = true, after_help = "\
Examples:
  annals demo                                    a sample workspace to click through
  annals serve --data ./annals                   run an installation
  annals query 'action:user.login_failed -7d' --workspace acme
  annals verify acme.proof                       check an export, without any server

Exit codes: 0 done, 1 the answer is no (not valid, damaged, refused), 2 it could not run,
3 the proof file is incomplete, 4 a later version of Annals wrote the data.")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,

    #[command(flatten)]
    pub(crate) server: Server,

    /// Print the result as JSON, one object or list per line, for scripts
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// Which installation a command is about.
#[derive(Group)]
pub(crate) struct Server {
    /// Address of a running server; otherwise taken from `operator.toml` in the data directory
    #[arg(
        long,
        global = true,
        env = "ANNALS_URL",
        value_name = "URL",
        help_heading = "Installation"
    )]
    pub(crate) url: Option<String>,

    /// Key for it; better given as ANNALS_KEY, since other users can see command lines
    #[arg(
        long = "api-key",
        global = true,
        env = "ANNALS_KEY",
        value_name = "KEY",
        hide_env_values = true,
        help_heading = "Installation"
    )]
    pub(crate) key: Option<String>,

    /// Data directory of the installation [default: `annals` in the user's data folder]
    #[arg(
        long,
        global = true,
        env = "ANNALS_DATA",
        value_name = "DIR",
        help_heading = "Installation"
    )]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(Serve),
    /// Run a sample workspace with a month of events, and print the links to click
    Demo(Demo),
    /// The other tool of the demo, in a process of its own; it ends with its standard input
    #[command(hide = true)]
    Taskyard(TaskyardArgs),
    /// Create, list and unlock workspaces
    #[command(subcommand)]
    Workspace(Workspace),
    /// Create, list and revoke the keys of programs that write or read
    #[command(subcommand)]
    Key(Key),
    /// Search the log of a workspace
    Query(Query),
    /// Save the log of a workspace as CSV, NDJSON, Parquet or proof file
    Export(Export),
    /// Record events from files: NDJSON, AWS CloudTrail
    Import(Import),
    /// Check a proof file, offline
    Verify(Verify),
    /// Read everything in a data directory and recompute its hashes
    Check(Check),
    /// Make a lost data directory again from the object store that holds its segments
    Rebuild(Rebuild),
    /// List what is known to be damaged in a data directory
    Quarantine(Quarantine),
    /// Copy an installation while it serves
    Backup(Backup),
    /// Make a data directory of a backup
    Restore(Restore),
    /// Show or check the settings
    #[command(subcommand)]
    Config(Config),
}

/// Run the server.
///
/// The first start makes the data directory, the signing key, an operator's key and
/// `operator.toml`, and prints what to do next. ANNALS_BOOTSTRAP_KEY=sk_… sets the first key, which
/// may write, read and manage. SIGTERM and SIGINT let running requests finish, for 10 seconds at most.
#[derive(Group)]
#[command(after_help = "\
Examples:
  annals serve --data /var/lib/annals
  annals serve --data /var/lib/annals --listen 127.0.0.1:4600 --public-url https://audit.example.com
  annals serve --data /var/lib/annals --segments s3://acme-audit/annals --segments-region eu-central-1
  ANNALS_BOOTSTRAP_KEY=sk_0123456789abcdefghijkl annals serve --data /tmp/annals --listen 127.0.0.1:0 --json")]
pub(crate) struct Serve {
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:4600]
    #[arg(long, value_name = "ADDR", env = "ANNALS_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,

    /// Where browsers reach the server, when that is a proxy
    #[arg(long, value_name = "URL", env = "ANNALS_PUBLIC_URL")]
    pub(crate) public_url: Option<String>,

    /// For trying out: create a workspace with the first event that names it
    #[arg(long)]
    pub(crate) dev: bool,

    #[command(flatten)]
    pub(crate) segments: Segments,
}

/// Where older events lie. What is not said comes from `operator.toml`.
#[derive(Group, Clone, Default)]
pub(crate) struct Segments {
    /// Keep older events in an object store that speaks S3, not in the data directory: s3://bucket/prefix.
    /// Credentials are taken from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or the machine's role
    #[arg(
        long = "segments",
        value_name = "URL",
        env = "ANNALS_SEGMENTS",
        help_heading = "Object store"
    )]
    pub(crate) url: Option<String>,

    /// Address of the object store, if it is not Amazon's
    #[arg(
        long = "segments-endpoint",
        value_name = "URL",
        env = "ANNALS_SEGMENTS_ENDPOINT",
        help_heading = "Object store"
    )]
    pub(crate) endpoint: Option<String>,

    /// Its region [default: that of AWS_REGION, else us-east-1]
    #[arg(
        long = "segments-region",
        value_name = "REGION",
        env = "ANNALS_SEGMENTS_REGION",
        help_heading = "Object store"
    )]
    pub(crate) region: Option<String>,

    /// Speak to it without TLS, where nobody listens
    #[arg(long = "segments-allow-http", help_heading = "Object store")]
    pub(crate) allow_http: bool,
}

/// Run a small company's issue tracker with a month of its work, and print the links to click.
///
/// The month is performed once, through the tracker's own pages; a second start uses what is there.
#[derive(Group)]
#[command(after_help = "\
Examples:
  annals demo
  annals demo --reset                 forget the data and perform the month anew
  annals demo --json                  one line for scripts, then serve

The data is in the user's data folder under annals/demo, or where --data says.")]
pub(crate) struct Demo {
    /// Where to keep the data of the demo [default: `annals/demo` in the user's data folder]
    #[arg(from_global)]
    pub(crate) data: Option<PathBuf>,

    /// Delete the data of the demo and perform the month anew
    #[arg(long)]
    pub(crate) reset: bool,

    /// Address and port to listen on [default: 127.0.0.1:4610, or the next port that is free]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,

    /// The moment at which the sample month ends, instead of now (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,

    /// Another number tells another month
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Group)]
pub(crate) struct TaskyardArgs {
    /// Where the tracker listens that people come from
    #[arg(long, value_name = "ADDR")]
    pub(crate) tracker: SocketAddr,
}

#[derive(Subcommand)]
pub(crate) enum Workspace {
    /// Create a workspace
    #[command(after_help = "Example:\n  annals workspace create acme --name 'Acme'")]
    Create {
        /// Its id in your product: letters, digits, - and _, at most 64; made up if absent
        id: Option<String>,
        /// What it is called
        #[arg(long)]
        name: String,
        /// Another id by which it can be found
        #[arg(long, value_name = "ID")]
        external_id: Option<String>,
    },
    /// List the workspaces
    #[command(after_help = "Example:\n  annals workspace list")]
    List {
        /// Only those whose name contains this
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Show a workspace: its settings, and the size and root of its log
    #[command(after_help = "Example:\n  annals workspace show acme")]
    Show {
        /// The workspace
        id: String,
    },
    /// Let the workspace read its log
    #[command(after_help = "Example:\n  annals workspace enable acme")]
    Enable {
        /// The workspace
        id: String,
    },
    /// Lock the log for the workspace; recording goes on, unless --stop-recording
    #[command(after_help = "Example:\n  annals workspace disable acme")]
    Disable {
        /// The workspace
        id: String,
        /// Refuse its events as well
        #[arg(long)]
        stop_recording: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Scope {
    /// Record events
    Write,
    /// Search, export and prove
    Read,
    /// Workspaces, keys, schemas and settings
    Manage,
}

impl Scope {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Scope::Write => "write",
            Scope::Read => "read",
            Scope::Manage => "manage",
        }
    }
}

#[derive(Subcommand)]
pub(crate) enum Key {
    /// Create a key; it is shown once and never again
    #[command(after_help = "\
Examples:
  annals key create --name 'billing service' --scope write
  annals key create --name 'acme siem' --workspace acme --scope read --json")]
    Create {
        /// What it is for
        #[arg(long)]
        name: String,
        /// Only these workspaces; may be repeated [default: all]
        #[arg(long = "workspace", value_name = "ID")]
        workspaces: Vec<String>,
        /// What it may do; may be repeated [default: write]
        #[arg(long = "scope", value_enum, value_delimiter = ',')]
        scopes: Vec<Scope>,
    },
    /// List the keys
    #[command(after_help = "Example:\n  annals key list")]
    List,
    /// End a key, at once
    #[command(after_help = "Example:\n  annals key revoke key_01J…")]
    Revoke {
        /// The id of the key (`annals key list`)
        id: String,
    },
}

/// Which events.
#[derive(Group)]
pub(crate) struct Selection {
    /// The workspace
    #[arg(long, short, value_name = "ID")]
    pub(crate) workspace: String,
    /// From this moment (2026-11-01, RFC 3339, -7d, today)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) from: Option<String>,
    /// Before this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) to: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// Newest first
    Desc,
    /// Oldest first
    Asc,
}

impl Order {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Order::Desc => "desc",
            Order::Asc => "asc",
        }
    }
}

/// Search the log of a workspace, newest first.
#[derive(Group)]
#[command(after_help = "\
Examples:
  annals query -w acme action:user.login_failed
  annals query -w acme 'actor:ann@acme.example -action:user.login' --from -7d
  annals query -w acme 'target:\"Website relaunch\"' --limit 10 --json
  annals query -w acme outcome:failure --from -30d --histogram day --tz Europe/Berlin
  annals query -w acme --from -7d --facets=action,actor.id

With --json every event is one line, as `annals export --format ndjson` writes it, and counts are one object.")]
pub(crate) struct Query {
    /// What to look for, in the search language of the page; everything if absent
    #[arg(allow_hyphen_values = true)]
    pub(crate) query: Option<String>,
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// How many at most: 50 events, or with --facets 10 values of each field, unless said otherwise
    #[arg(long, value_name = "NUMBER", conflicts_with = "histogram")]
    pub(crate) limit: Option<u64>,
    /// Which way
    #[arg(long, value_enum, default_value = "desc")]
    pub(crate) order: Order,
    /// The time zone of dates in the query and of hours and days; UTC if absent
    #[arg(long, value_name = "ZONE")]
    pub(crate) tz: Option<String>,
    /// Count the events by hours or days instead of listing them
    #[arg(long, value_enum, value_name = "STEP", conflicts_with = "facets")]
    pub(crate) histogram: Option<Step>,
    /// Count the values of these fields instead of listing events: action, actor.id, actor.type, outcome, target.type, source, ip;
    /// all of them if none is named
    #[arg(long, value_name = "FIELDS", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) facets: Option<String>,
}

/// What a histogram counts by.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// From one full hour to the next
    Hour,
    /// From midnight to midnight
    Day,
}

impl Step {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Step::Hour => "hour",
            Step::Day => "day",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The table of the page, 31 columns
    Csv,
    /// One event per line; `annals import` takes it back
    Ndjson,
    /// The table with types, for DuckDB, pandas, Spark and the like
    Parquet,
    /// Entries with everything to verify them offline
    Proof,
}

impl Format {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Ndjson => "ndjson",
            Format::Parquet => "parquet",
            Format::Proof => "proof",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compress {
    /// Not packed
    None,
    /// For every program
    Gzip,
    /// Smaller and faster
    Zstd,
}

impl Compress {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Compress::None => "none",
            Compress::Gzip => "gzip",
            Compress::Zstd => "zstd",
        }
    }
}

/// Save the log of a workspace as CSV, NDJSON, Parquet or proof file.
///
/// The file appears under its name when it is complete; an export that is cut short leaves none.
#[derive(Group)]
#[command(after_help = "\
Examples:
  annals export -w acme --format csv --output acme.csv
  annals export -w acme --format ndjson --output acme.ndjson.zst
  annals export -w acme --format parquet --output acme.parquet --query 'time:2026-11'
  annals export -w acme --format ndjson --output - --query 'outcome:failure' | wc -l
  annals export -w acme --format proof --from-position 0 --to-position 500 --output acme.proof
  annals verify acme.proof")]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// The kind of file
    #[arg(long, value_enum, default_value = "csv")]
    pub(crate) format: Format,
    /// The file to write; `-` for standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Only events that match (not for proof files, which are complete by design)
    #[arg(long, short, value_name = "QUERY", allow_hyphen_values = true)]
    pub(crate) query: Option<String>,
    /// Which way [default: desc; asc for NDJSON, so that an import keeps the order]
    #[arg(long, value_enum)]
    pub(crate) order: Option<Order>,
    /// First position of a proof file [default: 0]
    #[arg(long, value_name = "POSITION")]
    pub(crate) from_position: Option<u64>,
    /// Position before which a proof file ends [default: the size of the log]
    #[arg(long, value_name = "POSITION")]
    pub(crate) to_position: Option<u64>,
    /// Begin a CSV file with a byte order mark, which Excel wants
    #[arg(long)]
    pub(crate) bom: bool,
    /// Pack the file (CSV and NDJSON) [default: what the name of the file ends with, .gz or .zst]
    #[arg(long, value_enum)]
    pub(crate) compress: Option<Compress>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportFormat {
    /// Told from what each file begins with
    Auto,
    /// Lines `{"organization_id": …, "event": {…}}`, or bare events with --workspace
    Ndjson,
    /// Record files of AWS CloudTrail: `{"Records": […]}`, or a record in each line
    Cloudtrail,
}

/// Record events from files: NDJSON lines `{"organization_id": …, "event": {…}}`, or AWS CloudTrail.
///
/// What `annals export --format ndjson` writes can be imported again. Files may be packed with gzip or zstd.
/// Importing twice records nothing twice, so an import that stopped is begun again: events keep their ids, and one
/// without an id gets one made of its line. Old times are fine. Unknown workspaces are created. Events about the
/// log itself (`audit_log.…`) belong to the log that they were in: they are skipped and counted.
///
/// A record of CloudTrail becomes an event such as `aws.ec2.RunInstances` and loses nothing
/// (docs/cloudtrail.md). Without --workspace each AWS account is one: `aws-123456789012`.
#[derive(Group)]
#[command(after_help = "\
Examples:
  annals import acme.ndjson
  annals import --workspace acme events.ndjson.gz    lines are bare events
  annals import AWSLogs/123456789012/CloudTrail      a directory of record files
  producer | annals import - --rejects bad.ndjson")]
pub(crate) struct Import {
    /// Files, or directories with files; `-` for standard input
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// What is in the files
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) format: ImportFormat,
    /// Lines are bare events of this workspace; records of CloudTrail go there
    #[arg(long, short, value_name = "ID")]
    pub(crate) workspace: Option<String>,
    /// Where goes what cannot be recorded, with the reason [default: PATH.rejected.ndjson]
    #[arg(long, value_name = "FILE")]
    pub(crate) rejects: Option<PathBuf>,
    /// Requests in flight; the events of one workspace go one request after another, in their order
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(crate) connections: u8,
}

/// Check a proof file, offline: no server, no connection, no trust in whoever made it.
///
/// Without a key it is shown that the file is consistent in itself; whose log it is, only the key
/// says. Take the key from a place that you trust, not from the file.
#[derive(Group)]
#[command(after_help = "\
Examples:
  annals verify acme.proof
  annals verify acme.proof --key 'annals.example.com/w/7+a1b2c3d4+AQ…'
  annals verify acme.proof --json

Exit codes: 0 valid, 1 not valid (names the first bad line), 2 could not run, 3 incomplete.")]
pub(crate) struct Verify {
    /// The proof file; `-` for standard input
    pub(crate) file: PathBuf,
    /// The key of the log, as `annals workspace show` prints it
    #[arg(long = "key", value_name = "VKEY")]
    pub(crate) vkey: Option<String>,
}

/// Read everything in a data directory and recompute its hashes.
///
/// It may run beside the server and changes nothing.
#[derive(Group)]
#[command(after_help = "Example:\n  annals check --data /var/lib/annals")]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) segments: Segments,
}

/// Make a data directory again from the object store that holds its segments, after its disk was lost.
///
/// Put `keys/signing.key` into the directory first, from where you keep it. Everything that was sealed comes back, and
/// is rebuilt and hashed on the way; workspaces and schemas too. Lost are the events that were not sealed yet (some
/// minutes), API keys, links and sessions: make keys anew. Stop whatever still runs on the old directory.
#[derive(Group)]
#[command(after_help = "\
Example:
  install -D -m 600 /safe/signing.key /var/lib/annals/keys/signing.key
  annals rebuild --segments s3://acme-audit/annals --data /var/lib/annals
  annals serve --segments s3://acme-audit/annals --data /var/lib/annals")]
pub(crate) struct Rebuild {
    #[command(flatten)]
    pub(crate) segments: Segments,
}

/// List what is known to be damaged: positions that are not read any more, because the part of a segment that holds
/// them has rotted.
///
/// The server looks for such damage slowly all the time; `annals check` looks at everything now. Exit code 1
/// if there is any.
#[derive(Group)]
#[command(after_help = "Example:\n  annals quarantine --data /var/lib/annals")]
pub(crate) struct Quarantine {}

/// Copy an installation into a folder, while it serves.
///
/// The folder holds one backup. The next one copies only what the folder does not have yet, and takes the place of
/// the one before when it is whole: one that is interrupted changes nothing. Keep the folder on another disk,
/// and secret: it holds personal data.
///
/// Neither the signing key nor the operator's key is in it. Whoever finds a backup can read the log; with the signing key
/// he could also sign another log in its name. --keys copies it to a file of its own; keep that elsewhere.
#[derive(Group)]
#[command(after_help = "\
Examples:
  annals backup /mnt/backup/annals --data /var/lib/annals
  annals backup /mnt/backup/annals --keys /root/annals-signing.key
  annals restore /mnt/backup/annals --data /var/lib/annals --keys /root/annals-signing.key

Exit codes: 0 done, 1 done, but files of the installation are damaged, 2 there is no new backup.")]
pub(crate) struct Backup {
    /// The folder of the backup: empty, or with the backup before
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Copy the signing key to this file, outside of DIR
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,
    /// Read again what DIR has already, and copy anew what has rotted there
    #[arg(long)]
    pub(crate) verify: bool,
    #[command(flatten)]
    pub(crate) segments: Segments,
}

/// Make the data directory of a backup, which --data names and which must not exist or be empty.
///
/// Every file is compared with its hash and every entry with what was hashed when it was committed; the directory is
/// there when all of that went well, and not before. It must not run beside the installation that it is a copy of.
#[derive(Group)]
#[command(after_help = "\
Examples:
  annals restore /mnt/backup/annals --data /var/lib/annals --keys /root/annals-signing.key

Exit codes: 0 done, 1 the backup is damaged, 2 it could not run, 4 a later version made the backup.")]
pub(crate) struct Restore {
    /// The folder of the backup
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// The file with the signing key, as `annals backup --keys` wrote it
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,
    /// Restore what can be restored of a backup that is damaged
    #[arg(long)]
    pub(crate) accept_damage: bool,
}

#[derive(Subcommand)]
pub(crate) enum Config {
    /// Print the settings in force, defaults included; keys are left out
    #[command(after_help = "Example:\n  annals config print --data /var/lib/annals")]
    Print,
    /// Check `operator.toml` without starting anything
    #[command(after_help = "Example:\n  annals config check --data /var/lib/annals")]
    Check,
}
