//! The server under test, as its own process, spoken to over HTTP.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use annals_testkit::{Generated, Generator, Profile};
use bytes::Bytes;

use crate::load::{self, Connection, Load, Run};
use crate::{BATCH, BATCH_CONNECTIONS, Failure, SINGLE_CONNECTIONS, Work, machine};

pub(crate) const KEY: &str = "sk_bench_0123456789abcdefghijklmnopqrstuvwxyz";

pub(crate) struct Annals {
    process: Child,
    authority: String,
}

impl Annals {
    pub(crate) async fn start(binary: &Path, data: &Path) -> Result<Annals, Failure> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let authority = format!("127.0.0.1:{port}");
        let log = std::fs::File::create(data.with_extension("log"))?;
        let process = Command::new(binary)
            .arg("serve")
            .arg("--data")
            .arg(data)
            .args(["--listen", &authority])
            .env("ANNALS_BOOTSTRAP_KEY", KEY)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let mut annals = Annals { process, authority };
        annals.ready().await?;
        Ok(annals)
    }

    async fn ready(&mut self) -> Result<(), Failure> {
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(&self.authority)
                .await
                .is_ok()
            {
                return Ok(());
            }
            if let Some(status) = self.process.try_wait()? {
                return Err(format!("annals ended at once: {status}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err("annals did not listen within 10 s".into())
    }

    /// Creates the organizations that the events are for.
    pub(crate) async fn create(&self, organizations: &[String]) -> Result<(), Failure> {
        let mut connection = self.connect().await?;
        for id in organizations {
            let body = format!(r#"{{"id":"{id}","name":"{id}"}}"#);
            let (status, answer) = connection
                .post("/organizations", "application/json", body.as_bytes())
                .await?;
            if !(200..300).contains(&status) {
                let answer = String::from_utf8_lossy(answer);
                return Err(format!("/organizations: {status}: {answer}").into());
            }
        }
        Ok(())
    }

    pub(crate) async fn run(&self, work: Work<'_>) -> Result<Run, Failure> {
        match work {
            Work::Batches(events) => {
                let bodies = events.chunks(BATCH).map(lines);
                let load = self.load("/audit_logs/events/bulk", "application/x-ndjson", bodies);
                self.measure(events.len(), &load, BATCH_CONNECTIONS, None)
                    .await
            }
            Work::Singles(events) => {
                let bodies = events.iter().map(single);
                let load = self.load("/audit_logs/events", "application/json", bodies);
                self.measure(events.len(), &load, SINGLE_CONNECTIONS, None)
                    .await
            }
        }
    }

    /// Five seconds of single events at `rate` a second.
    pub(crate) async fn open_loop(
        &self,
        profile: &Profile,
        rate: f64,
    ) -> Result<Option<(f64, Run)>, Failure> {
        let events = (rate * 5.0) as u64;
        let profile = Profile {
            events,
            seed: profile.seed + 1,
            ..*profile
        };
        let events: Vec<Generated> = Generator::new(profile).collect();
        let load = self.load(
            "/audit_logs/events",
            "application/json",
            events.iter().map(single),
        );
        let run = self
            .measure(events.len(), &load, SINGLE_CONNECTIONS, Some(rate))
            .await?;
        Ok(Some((rate, run)))
    }

    /// Sends it a signal, such as `STOP` and `CONT`.
    pub(crate) fn signal(&self, name: &str) -> Result<(), Failure> {
        let process = self.process.id().to_string();
        let status = Command::new("kill").args(["-s", name, &process]).status()?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("kill -s {name}: {status}").into()),
        }
    }

    /// Waits until nothing is left to be sealed or merged.
    pub(crate) async fn settle(&self) -> Result<(), Failure> {
        const DUE: &str = "annals_upkeep_due 1";
        self.signal("CONT")?;
        let mut connection = self.connect().await?;
        let mut quiet = 0;
        // Once may be between two looks.
        while quiet < 5 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let (status, text) = connection.get("/metrics").await?;
            if status != 200 {
                return Err(format!("/metrics: {status}").into());
            }
            let is_due = String::from_utf8_lossy(text).contains(DUE);
            quiet = if is_due { 0 } else { quiet + 1 };
        }
        Ok(())
    }

    /// Resident memory of the server, in bytes: now, and at its highest.
    pub(crate) fn resident_bytes(&self) -> (u64, u64) {
        machine::resident_bytes(self.process.id())
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) async fn connect(&self) -> Result<Connection, Failure> {
        Connection::open(&self.authority, KEY).await
    }

    pub(crate) fn load(
        &self,
        path: &'static str,
        kind: &'static str,
        bodies: impl Iterator<Item = Bytes>,
    ) -> Load {
        Load {
            authority: self.authority.clone(),
            key: KEY.to_owned(),
            path,
            kind,
            bodies: Arc::new(bodies.collect()),
        }
    }

    async fn measure(
        &self,
        events: usize,
        load: &Load,
        connections: usize,
        rate: Option<f64>,
    ) -> Result<Run, Failure> {
        let before = machine::processor_time(self.process.id());
        let (elapsed, latencies) = match rate {
            None => load::closed(load, connections).await?,
            Some(rate) => load::open(load, connections, rate).await?,
        };
        let cpu = machine::processor_time(self.process.id()).saturating_sub(before);
        Ok(Run {
            events,
            elapsed,
            cpu,
            latencies,
        })
    }
}

pub(crate) fn lines(batch: &[Generated]) -> Bytes {
    let mut body = String::new();
    for event in batch {
        let _ = writeln!(
            body,
            r#"{{"organization_id":"{}","event":{}}}"#,
            event.organization_id(),
            event.event_json(true)
        );
    }
    Bytes::from(body)
}

fn single(event: &Generated) -> Bytes {
    Bytes::from(format!(
        r#"{{"organization_id":"{}","event":{}}}"#,
        event.organization_id(),
        event.event_json(true)
    ))
}

impl Drop for Annals {
    fn drop(&mut self) {
        // SIGKILL on purpose: what follows must not depend on a tidy end.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
