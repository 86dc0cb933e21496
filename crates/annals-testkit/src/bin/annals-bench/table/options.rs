//! The command line of the table.

use std::path::PathBuf;

pub(crate) const HELP: &str = "\
The same data, work and answers of Annals and its peers, as one table.

Usage: annals-bench table [--events N] [--write FILE] [--output FILE] [--annals PATH] [--dir DIR]
                          [--rounds N] [--postgres-rounds N] [--repetitions N] [--sqlite yes|no]
                          [--python PATH|none]

  --events N           how many; 100k and 10M are numbers too            [1M]
  --write FILE         put the table between its markers in this document
  --output FILE        write the table there as well
  --annals PATH        the binary to measure                             [target/release/annals]
  --dir DIR            where the data goes                               [a new directory below the system's temporary one]
  --rounds N           rounds of Annals; medians are over them           [3]
  --postgres-rounds N  rounds of PostgreSQL, alternating                 [3; 1 from 5M events]
  --repetitions N      askings of each question, of four seconds at most [300]
  --sqlite yes|no      SQLite beside them, in this process               [yes up to 2M events, else no]
  --python PATH|none   DuckDB and chDB, where this Python has them       [.tools/python/bin/python, else python3]
";

/// From here on a round of PostgreSQL takes so long that one has to do.
const MANY: u64 = 5_000_000;

/// What is run.
pub(crate) struct Options {
    pub(crate) events: u64,
    pub(crate) binary: PathBuf,
    pub(crate) dir: PathBuf,
    pub(crate) rounds: usize,
    pub(crate) postgres_rounds: usize,
    pub(crate) repetitions: usize,
    pub(crate) sqlite: bool,
    pub(crate) python: Option<PathBuf>,
    pub(crate) output: Option<PathBuf>,
    pub(crate) write: Option<PathBuf>,
}

impl Options {
    /// Reads what follows the word `table`; nothing where help is asked for.
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
        let mut options = Options {
            events: 1_000_000,
            binary: PathBuf::from("target/release/annals"),
            dir: std::env::temp_dir().join(format!("annals-bench-{}", std::process::id())),
            rounds: 3,
            postgres_rounds: 0,
            repetitions: 300,
            sqlite: true,
            python: Some(PathBuf::from("python3")),
            output: None,
            write: None,
        };
        let own = PathBuf::from(".tools/python/bin/python");
        if own.exists() {
            options.python = Some(own);
        }
        let (mut postgres_rounds, mut sqlite) = (None, None);
        while let Some(name) = args.next() {
            if name == "--help" || name == "-h" {
                return Ok(None);
            }
            let value = args.next().ok_or(format!("{name} needs a value"))?;
            let wrong = || format!("{name}: not a number: {value}");
            match name.as_str() {
                "--events" => {
                    options.events = number(&value).filter(|n| *n >= 10_000).ok_or_else(|| {
                        format!("{name}: a number of at least 10000, not {value}")
                    })?;
                }
                "--rounds" => options.rounds = value.parse().map_err(|_| wrong())?,
                "--postgres-rounds" => {
                    postgres_rounds = Some(value.parse().map_err(|_| wrong())?);
                }
                "--repetitions" => options.repetitions = value.parse().map_err(|_| wrong())?,
                "--sqlite" => sqlite = Some(value == "yes"),
                "--python" => options.python = (value != "none").then(|| value.into()),
                "--annals" => options.binary = value.into(),
                "--dir" => options.dir = value.into(),
                "--output" => options.output = Some(value.into()),
                "--write" => options.write = Some(value.into()),
                _ => return Err(format!("unknown option {name}")),
            }
        }
        options.rounds = options.rounds.max(1);
        let usual = if options.events >= MANY {
            1
        } else {
            options.rounds
        };
        options.postgres_rounds = postgres_rounds.unwrap_or(usual).min(options.rounds);
        options.sqlite = sqlite.unwrap_or(options.events <= 2_000_000);
        Ok(Some(options))
    }
}

/// `250000`, `100k` or `10M`.
fn number(text: &str) -> Option<u64> {
    let (digits, times) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1_000),
        None => match text.strip_suffix(['m', 'M']) {
            Some(digits) => (digits, 1_000_000),
            None => (text, 1),
        },
    };
    digits.parse::<u64>().ok()?.checked_mul(times)
}
