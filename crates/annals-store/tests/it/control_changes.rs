//! A change of control data and the events that record it happen together or not at all, on a full
//! disk too.

use annals_event::{Draft, Event, Rules};
use annals_store::{
    Append, AppendError, ControlError, Entitlement, Intent, NewKey, NewLink, Options, Reach, Role,
    Scopes, Search, StoreError,
};

use annals_testkit::{Failure, FaultVfs, Injection};

use crate::control::{Fixture, noon, recorded};
use crate::world::{World, block_on};

fn actions(log: &annals_store::Log) -> Vec<String> {
    let found = log.search(&Search::default()).unwrap();
    found
        .rows
        .iter()
        .map(|row| row.skeleton().action.clone())
        .collect()
}

#[tokio::test]
async fn the_events_stand_in_their_logs_with_the_change() {
    let fixture = Fixture::new();
    let acme = fixture.organization("acme").await;
    let all = NewKey {
        name: "k".to_owned(),
        scopes: Scopes::ALL,
        organizations: Reach::All,
    };
    let record = |_: &annals_store::Key| recorded(0, "audit_log.key_created");
    fixture.store.create_key(all, record).await.unwrap();
    let both = |_: &_, _: &_| {
        let mut events = recorded(acme.slot, "audit_log.retention_changed");
        events.extend(recorded(0, "audit_log.retention_changed"));
        events
    };
    fixture
        .store
        .set_retention("acme", None, both)
        .await
        .unwrap();
    let check = |fixture: &Fixture| {
        let installation = fixture.store.installation_log();
        let expected = ["audit_log.retention_changed", "audit_log.key_created"];
        assert_eq!(actions(&installation), expected);
        let log = fixture.store.log("acme").unwrap();
        assert_eq!(actions(&log), ["audit_log.retention_changed"]);
        assert_eq!(&*log.row(0).unwrap().unwrap().recorded_by, "key_1");
        assert_eq!(
            fixture
                .store
                .organization("acme")
                .unwrap()
                .retention
                .period_in_days,
            None
        );
    };
    check(&fixture);
    let fixture = fixture.reopened();
    check(&fixture);
    // A deleted workspace's log still takes the record of its deletion.
    let record = |organization: &annals_store::Organization| {
        recorded(organization.slot, "audit_log.entitlement_changed")
    };
    fixture
        .store
        .delete_organization("acme", record)
        .await
        .unwrap();
    assert_eq!(fixture.store.recording_log("acme").unwrap().0.size(), 2);
}

fn large_event(n: u32) -> Draft {
    // Digits that do not compress well, so that the disk fills.
    let mut state = u64::from(n) + 1;
    let mut text = String::new();
    while text.len() < 6_000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("{state:x}"));
    }
    let json = format!(
        r#"{{"action":"user.signed_in","occurred_at":"2026-11-22T12:00:00Z","actor":{{"id":"u","type":"user"}},
            "targets":[],"context":{{}},"metadata":{{"text":"{text}"}}}}"#
    );
    let event = Event::from_json(json.as_bytes()).unwrap();
    Draft::new(event, &Rules::open(), noon(), || format!("e{n}")).unwrap()
}

fn link() -> NewLink {
    NewLink {
        organization_id: "acme".to_owned(),
        intent: Intent::AuditLogs,
        user: None,
        role: Role::Viewer,
        path: None,
        embed_origin: None,
        return_url: None,
        external_user_id: None,
        session_seconds: None,
        created_by: "key_1".to_owned(),
    }
}

#[tokio::test]
async fn on_a_full_disk_reading_is_recorded_until_the_reserve_is_spent() {
    let fixture = Fixture::with(Options {
        max_bytes: Some(1 << 20),
        reserve_bytes: 256 << 10,
        on_fatal: std::sync::Arc::new(|reason| eprintln!("{reason}")),
        ..Options::default()
    });
    let slot = fixture.organization("acme").await.slot;
    let mut cookies = Vec::new();
    for _ in 0..3 {
        let (_, token) = fixture
            .store
            .create_link(link(), |_| Vec::new())
            .await
            .unwrap();
        let redeemed = fixture
            .store
            .redeem_link(token.expose(), None, |_, _| Vec::new())
            .await;
        cookies.push(redeemed.unwrap().cookie.unwrap());
    }
    let log = fixture.store.log("acme").unwrap();
    let mut full = false;
    for n in 0..1_000 {
        let batch = Append {
            drafts: large_event(n).into(),
            recorded_by: "key_1".to_owned(),
            idempotency: None,
            internal: false,
            receipt: false,
        };
        match log.append(batch).await {
            Ok(_) => {}
            Err(AppendError::DiskFull) => {
                full = true;
                break;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(full && fixture.store.is_full());
    let size = log.size();
    let view = async |cookie: &annals_store::Secret| {
        let record = |_: &_, _: &_| recorded(slot, "audit_log.viewed");
        fixture
            .store
            .record_viewed(cookie.expose(), "acme", record)
            .await
    };
    assert!(view(&cookies[0]).await.unwrap());
    assert_eq!(log.size(), size + 1);
    assert_eq!(
        log.row(size).unwrap().unwrap().skeleton().action,
        "audit_log.viewed"
    );
    assert!(!view(&cookies[0]).await.unwrap());

    // Changes without end spend the reserve; what then fails leaves nothing behind.
    let mut spent = None;
    for n in 0..2_000 {
        let name = format!("{n}-{}", "x".repeat(200));
        let new = NewKey {
            name,
            scopes: Scopes::ALL,
            organizations: Reach::All,
        };
        let before = fixture
            .store
            .keys(&Default::default())
            .unwrap()
            .items
            .first()
            .cloned();
        match fixture
            .store
            .create_key(new, |_| recorded(slot, &format!("audit_log.k{n}")))
            .await
        {
            Ok(_) => {}
            Err(error) => {
                let after = fixture
                    .store
                    .keys(&Default::default())
                    .unwrap()
                    .items
                    .first()
                    .cloned();
                assert_eq!(
                    after.map(|key| key.id.clone()),
                    before.map(|key| key.id.clone())
                );
                spent = Some(error);
                break;
            }
        }
    }
    let spent = spent.expect("the reserve is finite");
    assert!(
        matches!(spent, ControlError::Store(StoreError::DiskFull)),
        "{spent:?}"
    );
    // Reading itself goes on, and so does the process.
    assert!(log.search(&Search::default()).unwrap().rows.len() == 50);
    assert!(fixture.store.is_running());
}

/// Whoever finds the disk full first must not be the one whose reading is not recorded.
#[tokio::test]
async fn the_change_that_finds_the_disk_full_is_recorded_too() {
    for after in 0.. {
        for persisted in [false, true] {
            let vfs = FaultVfs::register();
            let name = Some(vfs.name().to_owned());
            let fixture = Fixture::with(Options {
                vfs: name,
                ..Options::default()
            });
            let slot = fixture.organization("acme").await.slot;
            let (_, token) = fixture
                .store
                .create_link(link(), |_| Vec::new())
                .await
                .unwrap();
            let opened = fixture
                .store
                .redeem_link(token.expose(), None, |_, _| Vec::new())
                .await;
            let cookie = opened.unwrap().cookie.unwrap();
            vfs.inject(Injection {
                after,
                failure: Failure::Full,
                persisted,
                forever: false,
            });
            let record = |_: &_, _: &_| recorded(slot, "audit_log.viewed");
            let viewed = fixture
                .store
                .record_viewed(cookie.expose(), "acme", record)
                .await;
            assert!(viewed.unwrap(), "write {after}");
            assert_eq!(fixture.store.log("acme").unwrap().size(), 1);
            if vfs.armed() {
                assert!(after >= 2, "a commit writes more than that");
                return;
            }
        }
    }
}

/// Every write of a change fails once, without and with its effect: what is found after a restart is
/// the change with its record, or neither; and what was acknowledged is there.
#[test]
fn a_change_and_its_record_are_never_apart() {
    for after in 0.. {
        for persisted in [false, true] {
            let vfs = FaultVfs::register();
            let name = vfs.name().to_owned();
            let world = World::with(|options| options.vfs = Some(name));
            let log = world.log("acme");
            vfs.inject(Injection {
                after,
                failure: Failure::Io,
                persisted,
                forever: false,
            });
            let slot = log.slot();
            let record = |_: &_, _: &_| recorded(slot, "audit_log.entitlement_changed");
            let change = world
                .store()
                .set_entitlement("acme", Entitlement::Inactive, record);
            let acknowledged = block_on(change).is_ok();
            let reached = !vfs.armed();
            let in_memory = world.store().organization("acme").unwrap().entitlement;
            assert_eq!(in_memory == Entitlement::Inactive, acknowledged);
            assert_eq!(acknowledged, !reached, "write {after}, {persisted}");
            vfs.heal();
            let again = world.after_crash();
            let changed =
                again.store().organization("acme").unwrap().entitlement == Entitlement::Inactive;
            assert_eq!(
                again.log("acme").size(),
                u64::from(changed),
                "write {after}, {persisted}"
            );
            assert!(changed || !acknowledged);
            again.assert_sound();
            if !reached {
                assert!(after >= 2, "a commit writes more than that");
                return;
            }
        }
    }
}
