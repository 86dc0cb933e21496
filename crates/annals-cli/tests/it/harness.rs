//! Runs the binary.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The binary, without anything of the machine's own settings.
pub(crate) fn annals() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_annals"));
    for name in [
        "ANNALS_URL",
        "ANNALS_KEY",
        "ANNALS_DATA",
        "ANNALS_BOOTSTRAP_KEY",
        "ANNALS_LISTEN",
        "ANNALS_PUBLIC_URL",
        "ANNALS_SEGMENTS",
        "ANNALS_SEGMENTS_ENDPOINT",
        "ANNALS_SEGMENTS_REGION",
    ] {
        command.env_remove(name);
    }
    command
}

/// A finished run.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    pub(crate) fn new(output: &Output) -> Done {
        Done {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The same, if it ended with this code.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Done {
        assert_eq!(
            self.code, code,
            "stdout: {}\nstderr: {}",
            self.out, self.err
        );
        self
    }

    /// The one line of JSON that was printed.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.out))
    }

    /// Every line as JSON.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// Runs the binary to its end.
pub(crate) fn run(args: &[&str]) -> Done {
    Done::new(&annals().args(args).output().unwrap())
}

/// A server that runs until it is dropped.
pub(crate) struct Serving {
    pub(crate) folder: TempDir,
    pub(crate) url: String,
    pub(crate) started: Value,
    child: Option<Child>,
}

impl Serving {
    /// A new installation on a free port.
    pub(crate) fn new() -> Serving {
        Serving::command(
            "serve",
            &["--listen", "127.0.0.1:0"],
            TempDir::new().unwrap(),
            &[],
        )
    }

    /// Runs `serve` or `demo` in this folder until its first line.
    pub(crate) fn command(
        command: &str,
        args: &[&str],
        folder: TempDir,
        env: &[(&str, &str)],
    ) -> Serving {
        let mut child = annals()
            .arg(command)
            .arg("--json")
            .arg("--data")
            .arg(folder.path().join("data"))
            .args(args)
            .envs(env.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let started = serde_json::from_str::<Value>(&line).unwrap_or_default();
        let Some(url) = started["annals"].as_str().map(str::to_owned) else {
            let output = child.wait_with_output().unwrap();
            let log = String::from_utf8_lossy(&output.stderr);
            panic!("it did not start: {line}{log}");
        };
        // A pipe that nobody empties would stop the server after some hundred requests.
        let mut log = child.stderr.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Serving {
            folder,
            url,
            started,
            child: Some(child),
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The number of its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Runs another command against it, found by its data directory.
    pub(crate) fn run(&self, args: &[&str]) -> Done {
        Done::new(
            &annals()
                .env("ANNALS_DATA", self.data())
                .args(args)
                .output()
                .unwrap(),
        )
    }

    /// Ends it as a power cut of the process would: at once, without a word.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// The folder, after it has ended.
    pub(crate) fn into_folder(mut self) -> TempDir {
        std::mem::replace(&mut self.folder, TempDir::new().unwrap())
    }

    /// Asks it to end and says how it ended, how long that took, and gives the folder back.
    pub(crate) fn stop(mut self) -> (i32, Duration, TempDir) {
        let mut child = self.child.take().unwrap();
        let begun = Instant::now();
        signal("TERM", child.id());
        let status = child.wait().unwrap();
        let folder = std::mem::replace(&mut self.folder, TempDir::new().unwrap());
        (status.code().unwrap_or(-1), begun.elapsed(), folder)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Asks until there is an answer, for half a minute at most.
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "waited for {what}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn signal(name: &str, process: u32) {
    let status = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(process.to_string())
        .status()
        .unwrap();
    assert!(status.success());
}

/// A field of what the kernel says of a process, such as `VmRSS:`, in bytes.
pub(crate) fn field_of_status(process: u32, name: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

/// The permission bits of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
