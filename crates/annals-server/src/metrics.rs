//! What `/metrics` says, in the text format of Prometheus.
//!
//! Counters are plain atomics in tables that are laid out once: the labels are routes, methods and
//! classes of status, whose number is known, never workspaces or keys, whose number is not.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::http::{Method, StatusCode};

/// Upper bounds of the buckets of `annals_request_seconds`, in microseconds.
const BUCKETS: [u64; 12] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000,
    30_000_000,
];

/// Counters of one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    routes: Vec<Route>,
    /// Which of the routes a path leads to.
    paths: matchit::Router<usize>,
    elsewhere: Route,
    /// Events that were recorded.
    pub(crate) recorded: AtomicU64,
    /// Events that had been recorded before.
    pub(crate) duplicates: AtomicU64,
    /// Events that were refused.
    pub(crate) rejected: AtomicU64,
    /// Rows handed out by searches, downloads and exports.
    pub(crate) rows: AtomicU64,
    /// Searches and counts that met events which cannot be read.
    pub(crate) unreadable: AtomicU64,
    /// Downloads that run now.
    pub(crate) downloads: AtomicU64,
}

/// Counters of one route.
#[derive(Debug, Default)]
pub(crate) struct Route {
    /// As it was declared; `None` for paths that lead nowhere.
    path: Option<String>,
    /// By method (see [`METHODS`]) and class of status (1xx to 5xx).
    requests: [[AtomicU64; 5]; METHODS.len()],
    buckets: [AtomicU64; BUCKETS.len()],
    micros: AtomicU64,
    count: AtomicU64,
}

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "other"];

/// A number that is read off when `/metrics` is asked.
pub(crate) struct Gauge {
    /// The name, with its unit.
    pub(crate) name: &'static str,
    /// What it means.
    pub(crate) help: &'static str,
    /// The value now.
    pub(crate) value: u64,
}

impl Metrics {
    /// Counters for these routes.
    pub(crate) fn new(routes: impl IntoIterator<Item = String>) -> Self {
        let (mut counters, mut paths) = (Vec::new(), matchit::Router::new());
        // Some are declared once for each method.
        for path in BTreeSet::from_iter(routes) {
            // What the router of the server takes, this one takes too.
            if paths.insert(path.clone(), counters.len()).is_ok() {
                counters.push(Route {
                    path: Some(path),
                    ..Route::default()
                });
            }
        }
        Self {
            routes: counters,
            paths,
            elsewhere: Route::default(),
            recorded: AtomicU64::new(0),
            duplicates: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            unreadable: AtomicU64::new(0),
            downloads: AtomicU64::new(0),
        }
    }

    /// The counters of the route that a path leads to.
    pub(crate) fn route(&self, path: &str) -> &Route {
        let found = self.paths.at(path).ok();
        found
            .and_then(|found| self.routes.get(*found.value))
            .unwrap_or(&self.elsewhere)
    }

    /// The text.
    pub(crate) fn render(&self, gauges: &[Gauge]) -> String {
        let mut out = String::with_capacity(16 * 1024);
        let counter = |out: &mut String, name: &str, help: &str, value: &AtomicU64| {
            describe(out, name, help, "counter");
            line(out, name, "", value.load(Relaxed));
        };
        counter(
            &mut out,
            "annals_events_recorded_total",
            "Events recorded.",
            &self.recorded,
        );
        counter(
            &mut out,
            "annals_events_duplicate_total",
            "Events that had been recorded before.",
            &self.duplicates,
        );
        counter(
            &mut out,
            "annals_events_rejected_total",
            "Events refused.",
            &self.rejected,
        );
        counter(
            &mut out,
            "annals_rows_served_total",
            "Rows handed out by searches and downloads.",
            &self.rows,
        );
        counter(
            &mut out,
            "annals_unreadable_met_total",
            "Searches and counts that met events which cannot be read.",
            &self.unreadable,
        );
        describe(
            &mut out,
            "annals_downloads_running",
            "Downloads that run now.",
            "gauge",
        );
        line(
            &mut out,
            "annals_downloads_running",
            "",
            self.downloads.load(Relaxed),
        );
        for gauge in gauges {
            // What only grows is a counter, and is named like one.
            let kind = match gauge.name.ends_with("_total") {
                true => "counter",
                false => "gauge",
            };
            describe(&mut out, gauge.name, gauge.help, kind);
            line(&mut out, gauge.name, "", gauge.value);
        }
        describe(
            &mut out,
            "annals_requests_total",
            "Requests answered.",
            "counter",
        );
        self.each(|route, counters| {
            for (method, classes) in METHODS.iter().zip(&counters.requests) {
                for (class, value) in (1..).zip(classes) {
                    let value = value.load(Relaxed);
                    if value > 0 {
                        let labels = format!(
                            "{{route=\"{route}\",method=\"{method}\",status=\"{class}xx\"}}"
                        );
                        line(&mut out, "annals_requests_total", &labels, value);
                    }
                }
            }
        });
        describe(
            &mut out,
            "annals_request_seconds",
            "Time until the head of the answer.",
            "histogram",
        );
        self.each(|route, counters| {
            let count = counters.count.load(Relaxed);
            if count == 0 {
                return;
            }
            let mut below = 0;
            for (bound, bucket) in BUCKETS.iter().zip(&counters.buckets) {
                below += bucket.load(Relaxed);
                let labels = format!("{{route=\"{route}\",le=\"{}\"}}", seconds(*bound));
                line(&mut out, "annals_request_seconds_bucket", &labels, below);
            }
            let labels = format!("{{route=\"{route}\",le=\"+Inf\"}}");
            line(&mut out, "annals_request_seconds_bucket", &labels, count);
            let labels = format!("{{route=\"{route}\"}}");
            let sum = seconds(counters.micros.load(Relaxed));
            let _ = writeln!(out, "annals_request_seconds_sum{labels} {sum}");
            line(&mut out, "annals_request_seconds_count", &labels, count);
        });
        out
    }

    fn each(&self, mut visit: impl FnMut(&str, &Route)) {
        for route in self.routes.iter().chain([&self.elsewhere]) {
            visit(route.path().unwrap_or("other"), route);
        }
    }
}

impl Route {
    /// The path as it was declared; `None` where there is no such route.
    pub(crate) fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Counts one answered request.
    pub(crate) fn observe(&self, method: &Method, status: StatusCode, elapsed: Duration) {
        let method = METHODS
            .iter()
            .position(|m| *m == method.as_str())
            .unwrap_or(METHODS.len() - 1);
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        self.requests[method][class].fetch_add(1, Relaxed);
        self.micros.fetch_add(micros, Relaxed);
        self.count.fetch_add(1, Relaxed);
        if let Some(bucket) = BUCKETS.iter().position(|bound| micros <= *bound) {
            self.buckets[bucket].fetch_add(1, Relaxed);
        }
    }
}

fn describe(out: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(out: &mut String, name: &str, labels: &str, value: u64) {
    let _ = writeln!(out, "{name}{labels} {value}");
}

/// Microseconds as decimal seconds, without a detour through floating point.
fn seconds(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}
