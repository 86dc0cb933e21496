//! Sending requests: as fast as answers come, or at a fixed rate whatever the answers do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
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

/// One keep-alive connection.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
    key: String,
}

impl Connection {
    pub(crate) async fn open(authority: &str, key: &str) -> Result<Connection, Failure> {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Connection {
            sender,
            authority: authority.to_owned(),
            key: key.to_owned(),
        })
    }

    /// Gets `path` and reads the whole answer.
    pub(crate) async fn get(&mut self, path: &str) -> Result<(StatusCode, Bytes), Failure> {
        let request = Request::get(path)
            .header("host", &self.authority)
            .header("authorization", format!("Bearer {}", self.key))
            .body(Full::new(Bytes::new()))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }

    /// Posts `body` and reads the whole answer.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        kind: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let request = Request::post(path)
            .header("host", &self.authority)
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", kind)
            .body(Full::new(body))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
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
    let (status, answer) = connection.post(load.path, load.kind, body).await?;
    if !status.is_success() {
        return Err(format!(
            "{}: {status}: {}",
            load.path,
            String::from_utf8_lossy(&answer)
        )
        .into());
    }
    Ok(())
}
