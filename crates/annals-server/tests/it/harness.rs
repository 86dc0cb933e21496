//! A server in a temporary directory, called in process or by a real port.

use std::net::SocketAddr;
use std::sync::Arc;

use annals_event::Timestamp;
use annals_server::{Config, Server};
use annals_store::{Options, SteppedClock, Store};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The key that may do everything.
pub(crate) const ROOT: &str = "sk_test_root_0123456789abcdef";
/// The workspace that exists from the start.
pub(crate) const ACME: &str = "org_acme";
/// When the clock stands, unless a test moves it.
pub(crate) const NOW: &str = "2026-11-22T12:00:00Z";

/// A server and its data, both gone with it.
pub(crate) struct TestServer {
    pub(crate) server: Server,
    pub(crate) store: Store,
    pub(crate) clock: Arc<SteppedClock>,
    pub(crate) _dir: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!(
                "{error} in {} {}",
                self.status,
                String::from_utf8_lossy(&self.body)
            )
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Checks the status and hands the answer on.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(
            self.status.as_u16(),
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        self
    }
}

impl TestServer {
    /// A server with the root key and the workspace Acme.
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        Self::with_options(config, Options::default()).await
    }

    pub(crate) async fn with_options(mut config: Config, options: Options) -> Self {
        // Nobody reads these lines, and the tests are many.
        config.log_requests = false;
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(SteppedClock::new(time(NOW)));
        let mut options = Options {
            clock: clock.clone(),
            ..options
        };
        // As in the store's own tests: everything holds over sealed events too.
        if std::env::var_os("ANNALS_TEST_SEALING").is_some()
            && let Some(sealing) = &mut options.sealing
        {
            *sealing = annals_store::Sealing {
                rows: 2,
                backlog: 2,
                age: std::time::Duration::ZERO,
                fan: 2,
            };
        }
        let store = Store::open(dir.path(), options).unwrap();
        store
            .ensure_bootstrap_key(ROOT, |_| Vec::new())
            .await
            .unwrap();
        let server = Server::build(config, store.clone()).unwrap();
        let server = Self {
            server,
            store,
            clock,
            _dir: dir,
        };
        server.organization(ACME, "Acme").await;
        server
    }

    /// Makes a workspace.
    pub(crate) async fn organization(&self, id: &str, name: &str) {
        self.post("/organizations", ROOT, &json!({ "id": id, "name": name }))
            .await
            .is(201);
    }

    /// Makes a key and returns its secret.
    pub(crate) async fn key(&self, scopes: &[&str], organizations: Option<&[&str]>) -> String {
        let body = json!({ "name": "test", "scopes": scopes, "organization_ids": organizations });
        let answer = self.post("/keys", ROOT, &body).await.is(201).json();
        answer["key"].as_str().unwrap().to_owned()
    }

    /// Records an event and returns its position.
    pub(crate) async fn record(&self, organization: &str, event: &Value) -> u64 {
        let body = json!({ "organization_id": organization, "event": event });
        let answer = self.post("/audit_logs/events", ROOT, &body).await.is(200);
        answer.header("annals-position").parse().unwrap()
    }

    /// Where its data lie.
    pub(crate) fn dir(&self) -> &std::path::Path {
        self._dir.path()
    }

    pub(crate) async fn get(&self, path: &str, key: &str) -> Answer {
        self.call(request(Method::GET, path, key, Body::empty()))
            .await
    }

    pub(crate) async fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.call(request(
            Method::POST,
            path,
            key,
            Body::from(body.to_string()),
        ))
        .await
    }

    pub(crate) async fn put(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.call(request(
            Method::PUT,
            path,
            key,
            Body::from(body.to_string()),
        ))
        .await
    }

    pub(crate) async fn delete(&self, path: &str, key: &str) -> Answer {
        self.call(request(Method::DELETE, path, key, Body::empty()))
            .await
    }

    /// Sends a request to the server and reads the answer to its end.
    pub(crate) async fn call(&self, request: Request<Body>) -> Answer {
        let response = self.server.answer(request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// Listens on a free port until the test ends.
    pub(crate) async fn listen(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(self.server.clone().run(listener, std::future::pending()));
        address
    }
}

/// A request with a key, or without one where it is empty.
pub(crate) fn request(method: Method, path: &str, key: &str, body: Body) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !key.is_empty() {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    request
        .header("content-type", "application/json")
        .body(body)
        .unwrap()
}

/// An event with what every event has.
pub(crate) fn event(action: &str) -> Value {
    json!({
        "action": action,
        "occurred_at": "2026-11-22T11:59:00Z",
        "actor": { "id": "user_1", "type": "user", "name": "Ann Ek", "email": "ann@example.com" },
        "targets": [{ "id": "issue_1", "type": "issue", "name": "Login is slow" }],
        "context": { "location": "192.0.2.7", "user_agent": "curl/8" },
    })
}

pub(crate) fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// The texts in a column of a Parquet file, from top to bottom; what is absent is empty.
pub(crate) fn texts(file: Bytes, column: &str) -> Vec<String> {
    use parquet::file::reader::FileReader as _;
    use parquet::record::Field;
    let reader = parquet::file::reader::SerializedFileReader::new(file).unwrap();
    let text = |row: parquet::record::Row| {
        let (_, field) = row
            .get_column_iter()
            .find(|(name, _)| *name == column)
            .unwrap();
        match field {
            Field::Str(text) => text.clone(),
            Field::Null => String::new(),
            other => panic!("no text: {other:?}"),
        }
    };
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| text(row.unwrap())).collect()
}
