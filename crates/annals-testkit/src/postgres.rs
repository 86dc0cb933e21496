//! A PostgreSQL of our own: Debian's programs, a new cluster in a directory, reached through a Unix socket there.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running PostgreSQL server, ended when it is dropped. Its only user and database are `postgres`; whoever may read the directory
/// may connect.
#[derive(Debug)]
pub struct PostgresCluster {
    process: Child,
    socket: PathBuf,
    server: Command,
}

impl PostgresCluster {
    /// Makes a cluster in `dir`, which may exist and is empty, and starts it with these settings. It accepts connections a moment
    /// later; whoever connects tries until then.
    ///
    /// # Errors
    /// Where Debian's package `postgresql` is not installed, or its programs fail.
    pub fn start(dir: &Path, settings: &[(&str, &str)]) -> io::Result<Self> {
        let programs = programs()?;
        std::fs::create_dir_all(dir)?;
        // PostgreSQL refuses to run as root: its own account owns the cluster then.
        let root = std::fs::metadata("/proc/self")?.uid() == 0;
        if root {
            done(Command::new("chown").args(["postgres:postgres"]).arg(dir))?;
        }
        let data = dir.join("data");
        done(
            own(&programs.join("initdb"), root)
                .args([
                    "--auth=trust",
                    "--encoding=UTF8",
                    "--username=postgres",
                    "-D",
                ])
                .arg(&data)
                .stdout(Stdio::null()),
        )?;
        let mut server = own(&programs.join("postgres"), root);
        server
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses="]);
        server
            .arg("-c")
            .arg(format!("unix_socket_directories={}", dir.display()));
        for (name, value) in settings {
            server.arg("-c").arg(format!("{name}={value}"));
        }
        let log = std::env::temp_dir().join(format!("pg-{}.log", std::process::id()));
        server
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(log)?);
        Ok(Self {
            process: server.spawn()?,
            socket: dir.to_owned(),
            server,
        })
    }

    /// Ends it at once, without a checkpoint.
    ///
    /// # Errors
    /// Where it cannot be signalled.
    pub fn crash(&mut self) -> io::Result<()> {
        // All its processes end at this signal; after SIGKILL of the first one, others would hold the data for a while.
        done(Command::new("kill").args(["-QUIT", &self.process.id().to_string()]))?;
        self.process.wait().map(drop)
    }

    /// Starts it again on the same data, after [`PostgresCluster::crash`]; it then recovers.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start_again(&mut self) -> io::Result<()> {
        self.process = self.server.spawn()?;
        Ok(())
    }

    /// The directory of its socket, which is the `host` of a connection.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The id of its first process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for PostgresCluster {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The newest version that is installed.
fn programs() -> io::Result<PathBuf> {
    let missing = || io::Error::other("no PostgreSQL server: install Debian's package postgresql");
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map_err(|_| missing())?
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|path| path.join("postgres").exists())
        .collect();
    found.sort();
    found.pop().ok_or_else(missing)
}

fn own(program: &Path, root: bool) -> Command {
    if !root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--init-groups"])
        .arg(program);
    command
}

fn done(command: &mut Command) -> io::Result<()> {
    let status = command.status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("{command:?}: {status}")))
    }
}
