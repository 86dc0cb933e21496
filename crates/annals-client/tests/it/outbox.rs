//! The outbox in the caller's transaction, on SQLite.

use annals_client::actions::{UserLogin, WorkspaceCreated};
use annals_client::{Actor, Bound, NewEvent, OutboxError, Recorded, SqliteOutbox, WhenFull};
use rusqlite::Connection;

fn database() -> Connection {
    let database = Connection::open_in_memory().unwrap();
    SqliteOutbox::migrate(&database).unwrap();
    // Twice does no harm.
    SqliteOutbox::migrate(&database).unwrap();
    database
        .execute_batch("create table thing (n integer)")
        .unwrap();
    database
}

fn event(n: i64) -> NewEvent {
    NewEvent::new("thing.made", Actor::new("user", "usr_1"))
        .metadata("n", annals_client::Integer::from(n))
}

fn rows(database: &Connection) -> Vec<(String, String)> {
    let mut statement = database
        .prepare("select workspace, event_id from annals_outbox order by seq")
        .unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn change_and_event_commit_together_or_not_at_all() {
    let mut database = database();
    let outbox = SqliteOutbox::default();
    let transaction = database.transaction().unwrap();
    transaction
        .execute("insert into thing values (1)", [])
        .unwrap();
    let recorded = outbox.record(&transaction, "acme", event(1)).unwrap();
    transaction.commit().unwrap();
    let transaction = database.transaction().unwrap();
    transaction
        .execute("insert into thing values (2)", [])
        .unwrap();
    assert!(matches!(
        outbox.record(&transaction, "acme", event(2)).unwrap(),
        Recorded::Queued { .. }
    ));
    transaction.rollback().unwrap();
    let Recorded::Queued { id } = recorded else {
        panic!("{recorded:?}")
    };
    assert_eq!(rows(&database), [("acme".to_owned(), id)]);
}

#[test]
fn an_account_event_goes_to_all_workspaces_with_one_id() {
    let database = database();
    let outbox = SqliteOutbox::default();
    outbox
        .ensure_organization(&database, "acme", "Acme")
        .unwrap();
    let login = UserLogin::new(Actor::new("user", "usr_1"), "usr_1");
    let Recorded::Queued { id } = outbox
        .record_for(&database, ["acme", "globex"], login)
        .unwrap()
    else {
        panic!("it is not full");
    };
    let created = WorkspaceCreated::new(Actor::new("user", "usr_1"), ("acme", "Acme")).id("mine");
    assert_eq!(
        outbox.record(&database, "acme", created).unwrap(),
        Recorded::Queued {
            id: "mine".to_owned()
        }
    );
    let of = |workspace: &str, id: &str| (workspace.to_owned(), id.to_owned());
    assert_eq!(
        rows(&database),
        [
            of("acme", ""),
            of("acme", &id),
            of("globex", &id),
            of("acme", "mine")
        ]
    );
    assert_eq!(id.len(), 36);
    assert_eq!(
        outbox
            .record_for(&database, Vec::<String>::new(), event(1))
            .unwrap(),
        Recorded::Queued { id: String::new() },
        "nobody to tell"
    );
}

#[test]
fn what_annals_would_refuse_is_refused_before_it_is_written() {
    let database = database();
    let outbox = SqliteOutbox::default();
    let wrong = NewEvent::new("thing made", Actor::new("user", "usr_1"));
    assert!(matches!(
        outbox.record(&database, "acme", wrong),
        Err(OutboxError::Event(_))
    ));
    for workspace in ["", "a b", "a\"b", &"x".repeat(65)] {
        assert!(matches!(
            outbox.record(&database, workspace, event(1)),
            Err(OutboxError::Workspace)
        ));
    }
    for name in ["", " ", "a\0b", "a\nb", &"ü".repeat(256)] {
        assert!(matches!(
            outbox.ensure_organization(&database, "acme", name),
            Err(OutboxError::Name)
        ));
    }
    assert!(rows(&database).is_empty());
    outbox
        .ensure_organization(&database, "acme", &"ü".repeat(255))
        .unwrap();
}

#[test]
fn a_strict_outbox_fails_the_transaction_that_it_cannot_hold() {
    let mut database = database();
    let outbox = SqliteOutbox::new(Bound {
        rows: 3,
        when_full: WhenFull::Strict,
    });
    for n in 0..3 {
        let _ = outbox.record(&database, "acme", event(n)).unwrap();
    }
    let transaction = database.transaction().unwrap();
    let full = outbox.record_for(&transaction, ["acme", "globex"], event(4));
    assert!(
        matches!(
            full,
            Err(OutboxError::Full {
                waiting: 3,
                bound: 3
            })
        ),
        "{full:?}"
    );
    // Who commits nevertheless has not exceeded the bound.
    transaction.commit().unwrap();
    assert_eq!(rows(&database).len(), 3);
    // A workspace can be ensured all the same, and another process sees the same bound.
    outbox
        .ensure_organization(&database, "acme", "Acme")
        .unwrap();
    let other = SqliteOutbox::new(Bound {
        rows: 3,
        when_full: WhenFull::Strict,
    });
    assert!(other.record(&database, "acme", event(5)).is_err());
    // Once something was delivered there is room, as soon as rows are counted again.
    database
        .execute("delete from annals_outbox where seq <= 2", [])
        .unwrap();
    let again = |n| outbox.record(&database, "acme", event(n)).is_ok();
    assert!((6..2_000).any(|n| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        again(n)
    }));
}

#[test]
fn a_best_effort_outbox_drops_and_counts() {
    let database = database();
    let outbox = SqliteOutbox::new(Bound {
        rows: 1,
        when_full: WhenFull::BestEffort,
    });
    assert!(matches!(
        outbox.record(&database, "acme", event(0)).unwrap(),
        Recorded::Queued { .. }
    ));
    for n in 0..3 {
        assert_eq!(
            outbox.record(&database, "acme", event(n)).unwrap(),
            Recorded::Dropped
        );
    }
    assert_eq!(
        outbox.record(&database, "globex", event(9)).unwrap(),
        Recorded::Dropped
    );
    let gaps: Vec<(String, i64)> = database
        .prepare("select workspace, dropped from annals_outbox_gap order by workspace")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(gaps, [("acme".to_owned(), 3), ("globex".to_owned(), 1)]);
    assert_eq!(rows(&database).len(), 1);
}
