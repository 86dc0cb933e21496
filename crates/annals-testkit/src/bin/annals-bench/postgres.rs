//! What a team would otherwise use: a PostgreSQL table with the indexes that its audit page needs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use annals_testkit::{Generated, PostgresCluster};
use serde_json::value::RawValue;
use tokio_postgres::types::Json;
use tokio_postgres::{Client, NoTls, Statement};
use uuid::Uuid;

use crate::load::Run;
use crate::{BATCH, BATCH_CONNECTIONS, Failure, PEER_CONNECTIONS, Work, machine};

/// The table and its indexes, as a careful team would make them.
const TABLE: &str = "
create table audit_event (
  id uuid primary key, workspace_id text not null, occurred_at timestamptz not null,
  action text not null, actor_id text not null, actor_name text, actor_email text,
  targets jsonb not null, context jsonb not null, metadata jsonb not null);
create index on audit_event (workspace_id, occurred_at desc);
create index on audit_event (workspace_id, actor_id, occurred_at desc);
create index on audit_event (workspace_id, action, occurred_at desc);
create index on audit_event using gin (metadata);";

/// One statement for a whole batch: faster than COPY below about a thousand rows.
const BATCH_INSERT: &str = "
insert into audit_event
select * from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::text[],
  $6::text[], $7::text[], $8::jsonb[], $9::jsonb[], $10::jsonb[])";

const SINGLE_INSERT: &str =
    "insert into audit_event values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

const SETTINGS: [(&str, &str); 7] = [
    ("synchronous_commit", "on"),
    ("fsync", "on"),
    ("shared_buffers", "4GB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "15min"),
    ("wal_compression", "lz4"),
    ("max_connections", "120"),
];

pub(crate) struct Postgres {
    cluster: PostgresCluster,
}

impl Postgres {
    /// Makes a cluster in `dir` and starts it on a Unix socket, which is its fastest door.
    pub(crate) async fn start(dir: &Path) -> Result<Postgres, Failure> {
        let postgres = Postgres {
            cluster: PostgresCluster::start(dir, &SETTINGS)?,
        };
        let client = postgres.ready().await?;
        client.batch_execute(TABLE).await?;
        Ok(postgres)
    }

    async fn ready(&self) -> Result<Client, Failure> {
        let start = Instant::now();
        loop {
            match self.connect().await {
                Ok(client) => return Ok(client),
                Err(error) if start.elapsed() > Duration::from_secs(120) => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    pub(crate) async fn connect(&self) -> Result<Client, Failure> {
        let (client, connection) = tokio_postgres::Config::new()
            .host_path(self.cluster.socket())
            .user("postgres")
            .dbname("postgres")
            .connect(NoTls)
            .await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Lets it do at once what autovacuum and checkpoints would do later.
    pub(crate) async fn tidy_up(&self) -> Result<(), Failure> {
        let client = self.connect().await?;
        client.batch_execute("vacuum analyze audit_event").await?;
        client.batch_execute("checkpoint").await?;
        Ok(())
    }

    /// Ends it as a crash would.
    pub(crate) fn crash(&mut self) -> Result<(), Failure> {
        Ok(self.cluster.crash()?)
    }

    /// Starts it again, and is back when it takes connections.
    pub(crate) async fn start_again(&mut self) -> Result<(), Failure> {
        self.cluster.start_again()?;
        self.ready().await.map(drop)
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.cluster.process_id()
    }

    /// The settings that matter, as the running server reports them.
    pub(crate) async fn settings(&self) -> Result<String, Failure> {
        let client = self.connect().await?;
        let version: String = client.query_one("show server_version", &[]).await?.get(0);
        let mut line = format!("PostgreSQL {version}");
        for (name, _) in SETTINGS {
            let value: String = client.query_one(&format!("show {name}"), &[]).await?.get(0);
            line.push_str(&format!(", {name}={value}"));
        }
        Ok(line)
    }

    pub(crate) async fn run(&self, work: Work<'_>) -> Result<Run, Failure> {
        match work {
            Work::Batches(events) => {
                let batches: Vec<Columns> = events.chunks(BATCH).map(Columns::of).collect();
                self.measure(events.len(), batches, BATCH_CONNECTIONS, BATCH_INSERT)
                    .await
            }
            Work::Singles(events) => {
                let rows: Vec<Row> = events.iter().map(Row::of).collect();
                self.measure(events.len(), rows, PEER_CONNECTIONS, SINGLE_INSERT)
                    .await
            }
        }
    }

    async fn measure<W: Insert>(
        &self,
        events: usize,
        work: Vec<W>,
        connections: usize,
        sql: &str,
    ) -> Result<Run, Failure> {
        let mut clients = Vec::new();
        for _ in 0..connections {
            let client = self.connect().await?;
            let statement = client.prepare(sql).await?;
            clients.push((client, statement));
        }
        let work = Arc::new(work);
        let next = Arc::new(AtomicUsize::new(0));
        let before = machine::processor_time_of_family(self.cluster.process_id());
        let start = Instant::now();
        let mut tasks = Vec::new();
        for (client, statement) in clients {
            let (work, next) = (Arc::clone(&work), Arc::clone(&next));
            tasks.push(tokio::spawn(async move {
                let mut latencies = Vec::new();
                while let Some(item) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sent = Instant::now();
                    item.insert(&client, &statement).await?;
                    latencies.push(sent.elapsed());
                }
                // Kept open until the run is over, so that its processor time can be read.
                Ok::<_, Failure>((client, latencies))
            }));
        }
        let mut latencies = Vec::new();
        let mut open = Vec::new();
        for task in tasks {
            let (client, some) = task.await??;
            open.push(client);
            latencies.extend(some);
        }
        let elapsed = start.elapsed();
        let cpu =
            machine::processor_time_of_family(self.cluster.process_id()).saturating_sub(before);
        latencies.sort_unstable();
        Ok(Run {
            events,
            elapsed,
            cpu,
            latencies,
        })
    }
}

trait Insert: Send + Sync + 'static {
    fn insert(
        &self,
        client: &Client,
        statement: &Statement,
    ) -> impl Future<Output = Result<u64, tokio_postgres::Error>> + Send;
}

type Document = Json<Box<RawValue>>;

struct Row {
    id: Uuid,
    workspace: String,
    at: SystemTime,
    action: &'static str,
    actor: [String; 3],
    documents: [Document; 3],
}

impl Row {
    fn of(event: &Generated) -> Row {
        let document = |text: &str| {
            Json(RawValue::from_string(text.to_owned()).expect("the generator writes JSON"))
        };
        Row {
            id: event.id.parse().expect("the generator writes UUIDs"),
            workspace: event.organization_id(),
            at: SystemTime::UNIX_EPOCH + Duration::from_micros(event.occurred_at.unsigned_abs()),
            action: event.action,
            actor: [
                event.actor_id.clone(),
                event.actor_name.clone(),
                event.actor_email.clone(),
            ],
            documents: [
                document(&event.targets),
                document(&event.context),
                document(&event.metadata),
            ],
        }
    }
}

impl Insert for Row {
    async fn insert(
        &self,
        client: &Client,
        statement: &Statement,
    ) -> Result<u64, tokio_postgres::Error> {
        let ([actor, name, email], [targets, context, metadata]) = (&self.actor, &self.documents);
        client
            .execute(
                statement,
                &[
                    &self.id,
                    &self.workspace,
                    &self.at,
                    &self.action,
                    actor,
                    name,
                    email,
                    targets,
                    context,
                    metadata,
                ],
            )
            .await
    }
}

#[derive(Default)]
struct Columns {
    ids: Vec<Uuid>,
    workspaces: Vec<String>,
    times: Vec<SystemTime>,
    actions: Vec<&'static str>,
    actors: [Vec<String>; 3],
    documents: [Vec<Document>; 3],
}

impl Columns {
    fn of(events: &[Generated]) -> Columns {
        let mut columns = Columns::default();
        for row in events.iter().map(Row::of) {
            columns.ids.push(row.id);
            columns.workspaces.push(row.workspace);
            columns.times.push(row.at);
            columns.actions.push(row.action);
            for (column, value) in columns.actors.iter_mut().zip(row.actor) {
                column.push(value);
            }
            for (column, value) in columns.documents.iter_mut().zip(row.documents) {
                column.push(value);
            }
        }
        columns
    }
}

impl Insert for Columns {
    async fn insert(
        &self,
        client: &Client,
        statement: &Statement,
    ) -> Result<u64, tokio_postgres::Error> {
        let ([actors, names, emails], [targets, contexts, metadata]) =
            (&self.actors, &self.documents);
        client
            .execute(
                statement,
                &[
                    &self.ids,
                    &self.workspaces,
                    &self.times,
                    &self.actions,
                    actors,
                    names,
                    emails,
                    targets,
                    contexts,
                    metadata,
                ],
            )
            .await
    }
}
