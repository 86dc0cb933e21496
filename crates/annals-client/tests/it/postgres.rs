//! The outbox and its relay on a real PostgreSQL.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use annals_client::actions::UserLogin;
use annals_client::{
    Actor, Bound, Insertion, NewEvent, OutboxError, PostgresOutbox, Recorded, Relay, WhenFull,
};
use annals_testkit::PostgresCluster;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use crate::harness::{Annals, options, until};

/// One cluster for all tests of this process; each makes a database of its own.
fn socket() -> PathBuf {
    static CLUSTER: OnceLock<(TempDir, PostgresCluster)> = OnceLock::new();
    let (_, cluster) = CLUSTER.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let cluster = PostgresCluster::start(folder.path(), &[("max_connections", "100")]).unwrap();
        end_with_us(cluster.process_id(), folder.path());
        (folder, cluster)
    });
    cluster.socket().to_owned()
}

/// A static is not dropped, so somebody else ends the cluster and takes its files away when this process is gone.
#[expect(
    clippy::zombie_processes,
    reason = "it outlives this process on purpose"
)]
fn end_with_us(cluster: u32, folder: &Path) {
    let wait = "while kill -0 $0 2>/dev/null; do sleep 1; done; kill -QUIT $1";
    let clear = "while kill -0 $1 2>/dev/null; do sleep 1; done; rm -rf \"$2\"";
    std::process::Command::new("sh")
        .args(["-c", &format!("{wait}; {clear}")])
        .args([std::process::id().to_string(), cluster.to_string()])
        .arg(folder)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
}

pub(crate) async fn connect(
    socket: PathBuf,
    database: String,
) -> Result<Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.host_path(&socket).user("postgres").dbname(&database);
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// A new database with the outbox's tables.
pub(crate) async fn database(name: &str) -> (PathBuf, String, Client) {
    let socket = socket();
    let mut admin = connect(socket.clone(), "postgres".to_owned()).await;
    for _ in 0..200 {
        if admin.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        admin = connect(socket.clone(), "postgres".to_owned()).await;
    }
    admin
        .unwrap()
        .batch_execute(&format!("create database {name}"))
        .await
        .unwrap();
    let client = connect(socket.clone(), name.to_owned()).await.unwrap();
    PostgresOutbox::migrate(&client).await.unwrap();
    PostgresOutbox::migrate(&client).await.unwrap();
    (socket, name.to_owned(), client)
}

fn event(id: &str) -> NewEvent {
    NewEvent::new("thing.made", Actor::new("user", "usr_1")).id(id)
}

async fn rows(client: &Client) -> Vec<(String, String)> {
    let sql = "select workspace, event_id from annals_outbox order by seq";
    let rows = client.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

async fn relay(socket: PathBuf, name: String, annals: &Annals) -> Relay {
    let connect = move || connect(socket.clone(), name.clone());
    Relay::postgres(connect, annals.client(), options())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn change_and_event_commit_together_or_not_at_all() {
    let (socket, name, mut client) = database("together").await;
    let outbox = PostgresOutbox::default();
    let transaction = client.transaction().await.unwrap();
    outbox
        .ensure_organization(&transaction, "acme", "Acme")
        .await
        .unwrap();
    let login = UserLogin::new(Actor::new("user", "u"), "u");
    let Recorded::Queued { id } = outbox
        .record_for(&transaction, ["acme", "globex"], login)
        .await
        .unwrap()
    else {
        panic!("it is not full");
    };
    transaction.commit().await.unwrap();
    let transaction = client.transaction().await.unwrap();
    let _ = outbox
        .record(&transaction, "acme", event("undone"))
        .await
        .unwrap();
    transaction.rollback().await.unwrap();
    let of = |workspace: &str, id: &str| (workspace.to_owned(), id.to_owned());
    assert_eq!(
        rows(&client).await,
        [of("acme", ""), of("acme", &id), of("globex", &id)]
    );

    let annals = Annals::with(&["--dev"]);
    let mut relay = relay(socket, name, &annals).await;
    relay.drain().await.unwrap();
    assert_eq!(
        (annals.ids("acme"), annals.ids("globex")),
        (vec![id.clone()], vec![id])
    );
    assert!(rows(&client).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlx_records_in_its_own_transactions() {
    use sqlx::{Connection as _, Executor as _};

    let (socket, name, client) = database("of_sqlx").await;
    let options = sqlx::postgres::PgConnectOptions::new()
        .socket(&socket)
        .username("postgres")
        .database(&name);
    let mut connection = sqlx::PgConnection::connect_with(&options).await.unwrap();
    let outbox = PostgresOutbox::new(Bound {
        rows: 4,
        when_full: WhenFull::BestEffort,
    });
    let mut transaction = connection.begin().await.unwrap();
    transaction
        .execute("create table issue (id text)")
        .await
        .unwrap();
    outbox
        .ensure_organization(&mut *transaction, "acme", "Acme")
        .await
        .unwrap();
    let recorded = outbox
        .record_for(&mut *transaction, ["acme", "globex"], event("a"))
        .await
        .unwrap();
    assert_eq!(recorded, Recorded::Queued { id: "a".to_owned() });
    transaction.commit().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let _ = outbox
        .record(&mut *transaction, "acme", event("undone"))
        .await
        .unwrap();
    transaction.rollback().await.unwrap();
    let dropped = outbox
        .record_for(&mut connection, ["globex", "acme"], event("more"))
        .await
        .unwrap();
    assert_eq!(dropped, Recorded::Dropped);
    let of = |workspace: &str, id: &str| (workspace.to_owned(), id.to_owned());
    assert_eq!(
        rows(&client).await,
        [of("acme", ""), of("acme", "a"), of("globex", "a")]
    );

    // What Annals refuses is seen and sent again through sqlx too.
    let annals = Annals::with(&["--dev"]);
    let mut relay = relay(socket, name, &annals).await;
    relay.drain().await.unwrap();
    for source in ["api", "web"] {
        let other = event("a").source(source);
        for _ in 0..1_000 {
            let recorded = outbox.record(&mut connection, "acme", other.clone()).await;
            if recorded.unwrap() != Recorded::Dropped {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    relay.drain().await.unwrap();
    let parked = outbox.parked(&mut connection, 10).await.unwrap();
    assert_eq!(parked, outbox.parked(&client, 10).await.unwrap());
    assert_eq!((parked.len(), parked[0].item.event_id.as_str()), (2, "a"));
    assert_eq!(outbox.retry_all_parked(&mut connection).await.unwrap(), 2);
    relay.drain().await.unwrap();
    assert_eq!(outbox.parked(&mut connection, 10).await.unwrap().len(), 2);
    let seq = parked[0].item.seq;
    assert!(outbox.discard_parked(&mut connection, seq).await.unwrap());
    assert!(!outbox.retry_parked(&mut connection, seq).await.unwrap());
    assert_eq!(outbox.retry_all_parked(&client).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_rows_arrive_a_window_at_a_time() {
    let (socket, name, client) = database("large").await;
    let annals = Annals::with(&["--dev"]);
    let outbox = PostgresOutbox::default();
    // Together more than what is in memory at once.
    let text = "x".repeat(8 << 10);
    for n in 0..900 {
        let large = ["a", "b", "c", "d", "e"]
            .into_iter()
            .fold(event(&n.to_string()), |event, key| {
                event.metadata(key, text.as_str())
            });
        let _ = outbox.record(&client, "acme", large).await.unwrap();
    }
    let mut relay = relay(socket, name, &annals).await;
    relay.drain().await.unwrap();
    let ids: Vec<String> = (0..900).map(|n| n.to_string()).collect();
    assert_eq!(annals.ids("acme"), ids);
    assert!(rows(&client).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overlapping_transaction_is_neither_lost_nor_overtaken_by_what_follows_it() {
    let (socket, name, client) = database("overlap").await;
    let annals = Annals::with(&["--dev"]);
    let outbox = PostgresOutbox::default();
    let mut slow = connect(socket.clone(), name.clone()).await.unwrap();
    let transaction = slow.transaction().await.unwrap();
    let _ = outbox
        .record(&transaction, "acme", event("slow"))
        .await
        .unwrap();
    let _ = outbox.record(&client, "acme", event("fast")).await.unwrap();
    let mut relay = relay(socket, name, &annals).await;
    relay.drain().await.unwrap();
    assert_eq!(annals.ids("acme"), ["fast"]);
    transaction.commit().await.unwrap();
    let _ = outbox
        .record(&client, "acme", event("after"))
        .await
        .unwrap();
    relay.drain().await.unwrap();
    assert_eq!(annals.ids("acme"), ["fast", "slow", "after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_outbox_is_strict_or_drops_and_counts() {
    let (socket, name, mut client) = database("bound").await;
    let strict = PostgresOutbox::new(Bound {
        rows: 2,
        when_full: WhenFull::Strict,
    });
    let _ = strict.record(&client, "acme", event("a")).await.unwrap();
    let _ = strict.record(&client, "acme", event("b")).await.unwrap();
    let transaction = client.transaction().await.unwrap();
    let full = strict.record(&transaction, "acme", event("c")).await;
    assert!(
        matches!(
            full,
            Err(OutboxError::Full {
                waiting: 2,
                bound: 2
            })
        ),
        "{full:?}"
    );
    transaction.commit().await.unwrap();
    assert_eq!(rows(&client).await.len(), 2);
    let lax = PostgresOutbox::new(Bound {
        rows: 2,
        when_full: WhenFull::BestEffort,
    });
    for _ in 0..3 {
        assert_eq!(
            lax.record_for(&client, ["acme", "globex"], event("d"))
                .await
                .unwrap(),
            Recorded::Dropped
        );
    }
    let annals = Annals::with(&["--dev"]);
    let running = tokio::spawn(
        relay(socket, name, &annals)
            .await
            .run(std::future::pending()),
    );
    until("the gaps are told", || {
        annals.log("globex").len() == 1 && annals.log("acme").len() == 3
    })
    .await;
    running.abort();
    assert_eq!(annals.log("globex")[0]["metadata"]["dropped"], 3);
    for n in 0.. {
        assert!(n < 1_000, "there is room again");
        tokio::time::sleep(Duration::from_millis(5)).await;
        if strict.record(&client, "acme", event("e")).await.is_ok() {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_parks_alone_and_a_foreign_driver_writes_the_same_rows() {
    let (socket, name, client) = database("poison").await;
    let annals = Annals::with(&["--dev"]);
    let outbox = PostgresOutbox::default();
    for row in Insertion::events(["acme"], event("x")).unwrap() {
        let Insertion {
            workspace,
            kind,
            event_id,
            recorded_at,
            body,
            ..
        } = row;
        client
            .query(
                Insertion::POSTGRES,
                &[&workspace, &kind, &event_id, &recorded_at, &body],
            )
            .await
            .unwrap();
    }
    let _ = outbox
        .record(&client, "acme", event("x").source("api"))
        .await
        .unwrap();
    let _ = outbox.record(&client, "acme", event("y")).await.unwrap();
    let mut relay = relay(socket, name, &annals).await;
    relay.drain().await.unwrap();
    assert_eq!(annals.ids("acme"), ["x", "y"]);
    let parked = outbox.parked(&client, 10).await.unwrap();
    assert_eq!((parked.len(), parked[0].item.event_id.as_str()), (1, "x"));
    let seq = parked[0].item.seq;
    assert!(outbox.retry_parked(&client, seq).await.unwrap());
    relay.drain().await.unwrap();
    assert_eq!(
        outbox.parked(&client, 10).await.unwrap().len(),
        1,
        "it is refused again"
    );
    assert!(outbox.discard_parked(&client, seq).await.unwrap());
    assert!(!outbox.retry_parked(&client, seq).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_connects_again_and_one_leads() {
    let (socket, name, client) = database("again").await;
    let annals = Annals::with(&["--dev"]);
    let outbox = PostgresOutbox::default();
    let first = relay(socket.clone(), name.clone(), &annals).await;
    let second = relay(socket, name, &annals).await;
    let metrics = [first.metrics(), second.metrics()];
    let running = [first, second].map(|relay| tokio::spawn(relay.run(std::future::pending())));
    for n in 0..3 {
        let _ = outbox
            .record(&client, "acme", event(&n.to_string()))
            .await
            .unwrap();
        until("it is delivered", || annals.ids("acme").len() == n + 1).await;
        let leading = metrics
            .iter()
            .filter(|metrics| metrics.snapshot().leading)
            .count();
        assert_eq!(leading, 1);
        // Every connection of the database but this one is cut.
        client
            .execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()", &[])
            .await
            .unwrap();
    }
    running.iter().for_each(tokio::task::JoinHandle::abort);
}
