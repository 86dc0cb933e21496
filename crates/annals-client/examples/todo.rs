//! A to-do list whose changes and audit events commit together.
//!
//! ```text
//! annals serve --data ./data --dev                                  # another terminal; prints the address
//! export ANNALS_URL=http://127.0.0.1:4600 ANNALS_KEY=sk_…            # a key that may write and manage
//! cargo run -p annals-client --features tower --example todo
//! curl -d 'title=Buy milk' 'http://127.0.0.1:3000/acme/todos?user=ana'
//! curl -X POST 'http://127.0.0.1:3000/acme/todos/1/done?user=ana'
//! ```

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use annals_client::{
    Actor, Client, ContextLayer, Metrics, NewEvent, Recorded, Relay, RelayOptions, SqliteOutbox,
};
use axum::extract::{ConnectInfo, Form, Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Router, response};
use rusqlite::{Connection, Transaction, params};
use serde::Deserialize;

const TABLES: &str = "
create table if not exists workspace (id text primary key);
create table if not exists todo (id integer primary key, workspace text not null, title text not null, done integer not null default 0);";

#[derive(Clone)]
struct App {
    database: Arc<Mutex<Connection>>,
    outbox: SqliteOutbox,
    metrics: Metrics,
}

#[derive(Deserialize)]
struct Who {
    user: String,
}

#[derive(Deserialize)]
struct NewTodo {
    title: String,
}

type Failure = (StatusCode, String);

fn internal(error: impl Error) -> Failure {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

impl App {
    /// One transaction: the workspace if it is new, the change, and the event that tells of it.
    fn change(
        &self,
        workspace: &str,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<Option<NewEvent>>,
    ) -> Result<Option<Recorded>, Failure> {
        let mut database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = database.transaction().map_err(internal)?;
        let new = transaction.execute("insert or ignore into workspace values (?1)", [workspace]);
        if new.map_err(internal)? > 0 {
            self.outbox
                .ensure_organization(&transaction, workspace, workspace)
                .map_err(internal)?;
        }
        let Some(event) = change(&transaction).map_err(internal)? else {
            return Ok(None);
        };
        let recorded = self
            .outbox
            .record(&transaction, workspace, event)
            .map_err(internal)?;
        transaction.commit().map_err(internal)?;
        Ok(Some(recorded))
    }
}

async fn create(
    State(app): State<App>,
    Path(workspace): Path<String>,
    Query(who): Query<Who>,
    Form(new): Form<NewTodo>,
) -> Result<(StatusCode, String), Failure> {
    let mut id = 0;
    app.change(&workspace, |transaction| {
        transaction.execute(
            "insert into todo (workspace, title) values (?1, ?2)",
            params![workspace, new.title],
        )?;
        id = transaction.last_insert_rowid();
        let event = NewEvent::new("todo.created", Actor::new("user", who.user))
            .target("todo", (id.to_string(), new.title));
        Ok(Some(event))
    })?;
    Ok((StatusCode::CREATED, format!("{id}\n")))
}

async fn done(
    State(app): State<App>,
    Path((workspace, id)): Path<(String, i64)>,
    Query(who): Query<Who>,
) -> Result<StatusCode, Failure> {
    let recorded = app.change(&workspace, |transaction| {
        let sql = "update todo set done = 1 where id = ?1 and workspace = ?2 and done = 0";
        // What changes nothing is no event.
        if transaction.execute(sql, params![id, workspace])? == 0 {
            return Ok(None);
        }
        let event = NewEvent::new("todo.done", Actor::new("user", who.user))
            .target("todo", id.to_string())
            .previous("done", false)
            .next("done", true);
        Ok(Some(event))
    })?;
    Ok(if recorded.is_some() {
        StatusCode::OK
    } else {
        StatusCode::NOT_FOUND
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::var("TODO_DATABASE").unwrap_or_else(|_| "todo.sqlite".to_owned());
    let listen = std::env::var("TODO_LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let database = Connection::open(&path)?;
    database.pragma_update(None, "journal_mode", "wal")?;
    database.busy_timeout(std::time::Duration::from_secs(5))?;
    database.execute_batch(TABLES)?;
    SqliteOutbox::migrate(&database)?;

    let client = Client::new(&std::env::var("ANNALS_URL")?, &std::env::var("ANNALS_KEY")?)?;
    let relay = Relay::sqlite(&path, client, RelayOptions::default()).await?;
    let app = App {
        database: Arc::new(Mutex::new(database)),
        outbox: SqliteOutbox::default(),
        metrics: relay.metrics(),
    };
    tokio::spawn(relay.run(std::future::pending()));

    let context = ContextLayer::new("web")
        .peer(|extensions| Some(extensions.get::<ConnectInfo<SocketAddr>>()?.0.ip()));
    let metrics = |State(app): State<App>| async move { response::Html(app.metrics.prometheus()) };
    let router = Router::new()
        .route("/{workspace}/todos", post(create))
        .route("/{workspace}/todos/{id}/done", post(done))
        .route("/metrics", get(metrics))
        .layer(context)
        .with_state(app);
    let listener = tokio::net::TcpListener::bind(listen).await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(
        listener,
        router.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?;
    Ok(())
}
