//! Sending requests: as fast as answers come, or at a fixed rate whatever the answers do.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::Failure;

/// What one run measured.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// Events acknowledged.
    pub(crate) events: usize,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// Processor time of the server, without the load generator's.
    pub(crate) cpu: Duration,
    /// One latency for every request, sorted.
    pub(crate) latencies: Vec<Duration>,
}

impl Run {
    /// Events a second.
    pub(crate) fn rate(&self) -> f64 {
        self.events as f64 / self.elapsed.as_secs_f64()
    }

    /// Microseconds of the server's processor time for one event.
    pub(crate) fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.events as f64
    }

    /// The latency that the share `q` of all requests does not exceed.
    pub(crate) fn quantile(&self, q: f64) -> Duration {
        let at = ((self.latencies.len() as f64 * q) as usize).min(self.latencies.len() - 1);
        self.latencies[at]
    }
}

/// One keep-alive connection. It does no more than it must, because it runs on the processors that are measured: requests are
/// bytes that are sent in one piece, and of an answer only its status and its length are read.
pub(crate) struct Connection {
    stream: TcpStream,
    /// What every request begins with behind its first line.
    common: String,
    out: Vec<u8>,
    answer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(authority: &str, key: &str) -> Result<Connection, Failure> {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            common: format!("host: {authority}\r\nauthorization: Bearer {key}\r\n"),
            out: Vec::new(),
            answer: Vec::new(),
        })
    }

    /// Gets `path` and reads the whole answer.
    pub(crate) async fn get(&mut self, path: &str) -> Result<(u16, &[u8]), Failure> {
        self.out.clear();
        write!(self.out, "GET {path} HTTP/1.1\r\n{}\r\n", self.common)?;
        self.exchange().await
    }

    /// Posts `body` and reads the whole answer.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> Result<(u16, &[u8]), Failure> {
        self.out.clear();
        write!(
            self.out,
            "POST {path} HTTP/1.1\r\n{}content-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            self.common,
            body.len()
        )?;
        self.out.extend_from_slice(body);
        self.exchange().await
    }

    async fn exchange(&mut self) -> Result<(u16, &[u8]), Failure> {
        self.stream.write_all(&self.out).await?;
        self.answer.clear();
        let (status, range) = loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err("the server closed the connection".into());
            }
            if let Some((status, head, length)) = head(&self.answer)?
                && self.answer.len() >= head + length
            {
                break (status, head..head + length);
            }
        };
        Ok((status, &self.answer[range]))
    }
}

/// The status of an answer, and the lengths of its head and its body, once the head is complete.
fn head(answer: &[u8]) -> Result<Option<(u16, usize, usize)>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(answer)? else {
        return Ok(None);
    };
    let length = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok())
        .ok_or("an answer without a length")?;
    Ok(Some((response.code.unwrap_or(0), head, length)))
}

/// What is sent over and over.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) authority: String,
    pub(crate) key: String,
    pub(crate) path: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) bodies: Arc<Vec<Bytes>>,
}

/// Sends every body once over `connections`, each sending its next when its last is answered.
pub(crate) async fn closed(
    load: &Load,
    connections: usize,
) -> Result<(Duration, Vec<Duration>), Failure> {
    let mut opened = Vec::new();
    for _ in 0..connections {
        opened.push(Connection::open(&load.authority, &load.key).await?);
    }
    let next = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let mut tasks = Vec::new();
    for mut connection in opened {
        let (load, next) = (load.clone(), Arc::clone(&next));
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            while let Some(body) = load.bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                let sent = Instant::now();
                send(&mut connection, &load, body.clone()).await?;
                latencies.push(sent.elapsed());
            }
            Ok::<_, Failure>(latencies)
        }));
    }
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    let elapsed = start.elapsed();
    latencies.sort_unstable();
    Ok((elapsed, latencies))
}

/// Sends the bodies at `rate` a second over `connections`. A latency counts from the moment at
/// which the request was *due*, so that a stall is charged to every request that it delays (no
/// coordinated omission).
pub(crate) async fn open(
    load: &Load,
    connections: usize,
    rate: f64,
) -> Result<(Duration, Vec<Duration>), Failure> {
    let mut queues = Vec::new();
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let mut connection = Connection::open(&load.authority, &load.key).await?;
        let (queue, mut due) = mpsc::unbounded_channel::<(Instant, Bytes)>();
        let load = load.clone();
        queues.push(queue);
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            while let Some((at, body)) = due.recv().await {
                send(&mut connection, &load, body).await?;
                latencies.push(at.elapsed());
            }
            Ok::<_, Failure>(latencies)
        }));
    }
    let start = Instant::now();
    for (index, body) in load.bodies.iter().enumerate() {
        let due = start + Duration::from_secs_f64(index as f64 / rate);
        // The timer's grain is a millisecond; a few requests are then due together, which is
        // what a real crowd does as well.
        if due > Instant::now() + Duration::from_micros(500) {
            tokio::time::sleep_until(due.into()).await;
        }
        queues[index % connections].send((due, body.clone()))?;
    }
    drop(queues);
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    let elapsed = start.elapsed();
    latencies.sort_unstable();
    Ok((elapsed, latencies))
}

async fn send(connection: &mut Connection, load: &Load, body: Bytes) -> Result<(), Failure> {
    let (status, answer) = connection.post(load.path, load.kind, &body).await?;
    if !(200..300).contains(&status) {
        return Err(format!(
            "{}: {status}: {}",
            load.path,
            String::from_utf8_lossy(answer)
        )
        .into());
    }
    Ok(())
}
