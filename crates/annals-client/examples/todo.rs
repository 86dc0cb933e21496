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

use annals_client::{Actor, Client, ContextLayer, NewEvent, Relay, RelayOptions, SqliteOutbox};
use axum::Router;
use axum::extract::{ConnectInfo, Form, Path, Query, State};
use axum::http::StatusCode;
use axum::routing::post;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use serde::Deserialize;

const TABLES: &str = "
create table if not exists workspace (id text primary key);
create table if not exists todo (id integer primary key, workspace text not null, title text not null, done integer not null default 0);";

#[derive(Clone)]
struct App {
    database: Arc<Mutex<Connection>>,
    outbox: SqliteOutbox,
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

fn internal(error: Box<dyn Error>) -> Failure {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

impl App {
    /// One transaction: the workspace if it is new, the change, and the event that tells of it.
    fn change(
        &self,
        workspace: &str,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<Option<NewEvent>>,
    ) -> Result<bool, Box<dyn Error>> {
        let mut database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        // The relay writes too: whoever is to write asks for that at once, and waits.
        let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let new = "insert or ignore into workspace values (?1)";
        if transaction.execute(new, [workspace])? > 0 {
            let outbox = &self.outbox;
            outbox.ensure_organization(&transaction, workspace, workspace)?;
        }
        let Some(event) = change(&transaction)? else {
            return Ok(false);
        };
        self.outbox.record(&transaction, workspace, event)?;
        transaction.commit()?;
        Ok(true)
    }
}

async fn create(
    State(app): State<App>,
    Path(workspace): Path<String>,
    Query(who): Query<Who>,
    Form(new): Form<NewTodo>,
) -> Result<(StatusCode, String), Failure> {
    let mut id = 0;
    let done = app.change(&workspace, |transaction| {
        let sql = "insert into todo (workspace, title) values (?1, ?2)";
        transaction.execute(sql, params![workspace, new.title])?;
        id = transaction.last_insert_rowid();
        let event = NewEvent::new("todo.created", Actor::new("user", who.user))
            .target("todo", (id.to_string(), new.title));
        Ok(Some(event))
    });
    done.map_err(internal)?;
    Ok((StatusCode::CREATED, format!("{id}\n")))
}

async fn done(
    State(app): State<App>,
    Path((workspace, id)): Path<(String, i64)>,
    Query(who): Query<Who>,
) -> Result<StatusCode, Failure> {
    let changed = app.change(&workspace, |transaction| {
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
    });
    Ok(if changed.map_err(internal)? {
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
    };
    tokio::spawn(relay.run(std::future::pending()));

    let context = ContextLayer::new("web")
        .peer(|extensions| Some(extensions.get::<ConnectInfo<SocketAddr>>()?.0.ip()));
    let router = Router::new()
        .route("/{workspace}/todos", post(create))
        .route("/{workspace}/todos/{id}/done", post(done))
        .layer(context)
        .with_state(app);
    let listener = tokio::net::TcpListener::bind(listen).await?;
    println!("http://{}", listener.local_addr()?);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, service).await?)
}
