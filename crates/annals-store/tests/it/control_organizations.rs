//! Organizations: created, found, listed, changed, deleted, and the same after a restart.

use std::collections::BTreeMap;

use annals_store::{
    ControlError, Created, DomainState, Entitlement, ListOrder, ListQuery, MetadataUpdate,
    NewDomain, NewOrganization, OrganizationUpdate, OrganizationsQuery, PendingRetention,
    Retention,
};

use crate::control::{Fixture, later};

fn named(name: &str) -> NewOrganization {
    NewOrganization {
        name: name.to_owned(),
        ..NewOrganization::default()
    }
}

fn domain(name: &str, state: DomainState) -> NewDomain {
    NewDomain {
        domain: name.to_owned(),
        state,
    }
}

fn fields(error: ControlError) -> Vec<(String, &'static str)> {
    match error {
        ControlError::Invalid(fields) => fields.into_iter().map(|f| (f.field, f.code)).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn creating_with_an_id_is_idempotent_and_without_one_makes_an_id() {
    let fixture = Fixture::new();
    let mut new = named("Acme");
    new.id = Some("acme".to_owned());
    let first = fixture
        .store
        .create_organization(new.clone(), |_| Vec::new())
        .await
        .unwrap();
    let Created::New(first) = first else {
        panic!("{first:?}")
    };
    new.name = "Other".to_owned();
    let again = fixture
        .store
        .create_organization(new, |_| panic!("nothing changed"))
        .await
        .unwrap();
    assert_eq!(again, Created::Existing(first.clone()));

    let made = fixture
        .store
        .create_organization(named("Made"), |_| Vec::new())
        .await
        .unwrap();
    let made = made.into_inner();
    assert!(
        made.id.starts_with("org_") && made.id.len() == 30,
        "{}",
        made.id
    );
    assert_eq!(made.slot, first.slot + 1);
    assert!(first.slot > 0, "slot 0 is the installation's");
    assert_eq!(
        made.retention,
        Retention {
            period_in_days: Some(365),
            pending: None
        }
    );
    assert_eq!(made.entitlement, Entitlement::Active);
    assert!(fixture.store.log("acme").is_some());
    assert!(fixture.store.log("nobody").is_none());
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let fixture = Fixture::new();
    let new = NewOrganization {
        id: Some("acme".to_owned()),
        name: "Acme".to_owned(),
        domains: vec![domain("Acme.example", DomainState::Verified)],
        metadata: BTreeMap::from([("tier".to_owned(), "diamond".to_owned())]),
        external_id: Some("ext 1".to_owned()),
        allow_profiles_outside_organization: true,
        entitlement: Entitlement::Inactive,
        viewer_url: Some("https://app.example/settings?open={path}".to_owned()),
        frame_origins: vec!["https://app.example".to_owned()],
    };
    fixture
        .store
        .create_organization(new, |_| Vec::new())
        .await
        .unwrap();
    fixture.at(5);
    let update = OrganizationUpdate {
        stripe_customer_id: Some(Some("cus_1".to_owned())),
        viewer_url: Some(Some("https://app.example/settings?open={path}".to_owned())),
        frame_origins: Some(vec!["https://app.example".to_owned()]),
        ..OrganizationUpdate::default()
    };
    fixture
        .store
        .update_organization("acme", update, |_, _| Vec::new())
        .await
        .unwrap();
    let before = fixture
        .store
        .set_retention("acme", Some(30), |_, _| Vec::new())
        .await
        .unwrap();
    fixture.organization("gone").await;
    fixture
        .store
        .delete_organization("gone", |_| Vec::new())
        .await
        .unwrap();

    let fixture = fixture.reopened();
    assert_eq!(fixture.store.organization("acme"), Some(before.clone()));
    assert_eq!(
        fixture.store.organization_by_external_id("ext 1"),
        Some(before.clone())
    );
    assert_eq!(before.domains[0].domain, "acme.example");
    assert_eq!(before.updated_at, later(5));
    assert!(fixture.store.organization("gone").is_none());
    assert!(
        fixture
            .store
            .organization_or_tombstone("gone")
            .unwrap()
            .deleted_at
            .is_some()
    );
    // Slots go on where they were, after the tombstone.
    assert_eq!(fixture.organization("next").await.slot, before.slot + 2);
}

#[tokio::test]
async fn deleting_leaves_a_tombstone() {
    let fixture = Fixture::new();
    let mut new = named("Acme");
    (new.id, new.external_id) = (Some("acme".to_owned()), Some("ext".to_owned()));
    fixture
        .store
        .create_organization(new.clone(), |_| Vec::new())
        .await
        .unwrap();
    fixture
        .store
        .delete_organization("acme", |_| Vec::new())
        .await
        .unwrap();

    assert!(fixture.store.organization("acme").is_none());
    assert!(fixture.store.organization_by_external_id("ext").is_none());
    assert!(fixture.store.log("acme").is_none());
    let query = OrganizationsQuery::default();
    assert!(
        fixture
            .store
            .organizations(&query)
            .unwrap()
            .items
            .is_empty()
    );
    let again = fixture
        .store
        .delete_organization("acme", |_| Vec::new())
        .await;
    assert!(matches!(again, Err(ControlError::NotFound { .. })));
    // Late events still find their log.
    let (log, organization) = fixture.store.recording_log("acme").unwrap();
    assert_eq!((log.id(), log.slot()), ("acme", organization.slot));
    let ensured = fixture
        .store
        .ensure_organization("acme", Entitlement::Active)
        .await
        .unwrap();
    assert!(ensured.deleted_at.is_some());

    let created = fixture
        .store
        .create_organization(new.clone(), |_| Vec::new())
        .await;
    assert!(matches!(
        created,
        Err(ControlError::Conflict { field: "id", .. })
    ));
    // The host's own id is free again.
    new.id = Some("acme-2".to_owned());
    fixture
        .store
        .create_organization(new, |_| Vec::new())
        .await
        .unwrap();
    assert_eq!(
        fixture.store.organization_by_external_id("ext").unwrap().id,
        "acme-2"
    );
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_nothing_else() {
    let fixture = Fixture::new();
    let new = NewOrganization {
        id: Some("acme".to_owned()),
        domains: vec![
            domain("a.example", DomainState::Pending),
            domain("b.example", DomainState::Pending),
        ],
        metadata: BTreeMap::from([
            ("a".to_owned(), "1".to_owned()),
            ("b".to_owned(), "2".to_owned()),
        ]),
        external_id: Some("ext".to_owned()),
        ..named("Acme")
    };
    let before = fixture
        .store
        .create_organization(new, |_| Vec::new())
        .await
        .unwrap()
        .into_inner();
    fixture.at(60);
    let update = OrganizationUpdate {
        domains: Some(vec![
            domain("B.example", DomainState::Verified),
            domain("a.example", DomainState::Pending),
            domain("c.example", DomainState::Pending),
        ]),
        metadata: Some(MetadataUpdate::Merge(BTreeMap::from([
            ("a".to_owned(), None),
            ("c".to_owned(), Some("3".to_owned())),
        ]))),
        ..OrganizationUpdate::default()
    };
    let mut told = None;
    let after = fixture
        .store
        .update_organization("acme", update, |before, after| {
            told = Some((before.clone(), after.clone()));
            Vec::new()
        })
        .await
        .unwrap();
    assert_eq!(told, Some(((*before).clone(), (*after).clone())));
    assert_eq!(
        (&after.name, &after.external_id),
        (&before.name, &before.external_id)
    );
    assert_eq!(after.metadata.keys().collect::<Vec<_>>(), ["b", "c"]);
    // A domain that stays keeps its id; one whose state changed says when.
    assert_eq!(after.domains[1], before.domains[0]);
    assert_eq!(after.domains[0].id, before.domains[1].id);
    assert_eq!(after.domains[0].updated_at, later(60));
    assert_eq!(after.domains[2].created_at, later(60));
    assert_eq!(
        (after.created_at, after.updated_at),
        (before.created_at, later(60))
    );

    fixture.at(120);
    let nothing = OrganizationUpdate {
        name: Some("Acme".to_owned()),
        ..Default::default()
    };
    let same = fixture
        .store
        .update_organization("acme", nothing, |_, _| panic!("no change"))
        .await;
    assert_eq!(same.unwrap(), after);
    let clear = OrganizationUpdate {
        metadata: Some(MetadataUpdate::Clear),
        external_id: Some(None),
        ..Default::default()
    };
    let cleared = fixture
        .store
        .update_organization("acme", clear, |_, _| Vec::new())
        .await
        .unwrap();
    assert!(cleared.metadata.is_empty() && cleared.external_id.is_none());
    assert!(fixture.store.organization_by_external_id("ext").is_none());
}

#[tokio::test]
async fn the_external_id_is_unique() {
    let fixture = Fixture::new();
    let mut new = named("One");
    new.external_id = Some("ext".to_owned());
    fixture
        .store
        .create_organization(new.clone(), |_| Vec::new())
        .await
        .unwrap();
    let second = fixture.store.create_organization(new, |_| Vec::new()).await;
    assert!(matches!(
        second,
        Err(ControlError::Conflict {
            field: "external_id",
            ..
        })
    ));
    fixture.organization("other").await;
    let update = OrganizationUpdate {
        external_id: Some(Some("ext".to_owned())),
        ..Default::default()
    };
    let taken = fixture
        .store
        .update_organization("other", update, |_, _| Vec::new())
        .await;
    assert!(matches!(
        taken,
        Err(ControlError::Conflict {
            field: "external_id",
            ..
        })
    ));
}

#[tokio::test]
async fn bad_members_are_named_all_at_once() {
    let fixture = Fixture::new();
    let new = NewOrganization {
        id: Some("a/b".to_owned()),
        name: " ".to_owned(),
        domains: vec![
            domain("ok.example", DomainState::Pending),
            domain("not a domain", DomainState::Pending),
            domain("OK.example", DomainState::Pending),
        ],
        metadata: BTreeMap::from([("k".to_owned(), "x".repeat(601))]),
        external_id: Some("é".to_owned()),
        ..NewOrganization::default()
    };
    let error = fixture
        .store
        .create_organization(new, |_| Vec::new())
        .await
        .unwrap_err();
    let expected = [
        ("id", "bad_pattern"),
        ("name", "required"),
        ("domain_data.1.domain", "bad_pattern"),
        ("domain_data.2.domain", "duplicate"),
        ("metadata.k", "too_long"),
        ("external_id", "bad_pattern"),
    ];
    assert_eq!(
        fields(error),
        expected.map(|(field, code)| (field.to_owned(), code))
    );

    fixture.organization("acme").await;
    let update = OrganizationUpdate {
        viewer_url: Some(Some("javascript:alert(1)".to_owned())),
        frame_origins: Some(vec!["https://app.example; script-src *".to_owned()]),
        ..Default::default()
    };
    let error = fixture
        .store
        .update_organization("acme", update, |_, _| Vec::new())
        .await
        .unwrap_err();
    assert_eq!(fields(error).len(), 2);

    // What is refused is not created either.
    let new = NewOrganization {
        id: Some("half".to_owned()),
        viewer_url: Some("javascript:alert(1)".to_owned()),
        frame_origins: vec!["*".to_owned()],
        ..named("Half")
    };
    let error = fixture
        .store
        .create_organization(new, |_| Vec::new())
        .await
        .unwrap_err();
    assert_eq!(fields(error).len(), 2);
    assert!(fixture.store.organization("half").is_none());
}

#[tokio::test]
async fn pages_go_both_ways_in_every_order() {
    let fixture = Fixture::new();
    for i in 0..7 {
        fixture.organization(&format!("o{i}")).await;
    }
    fixture
        .store
        .delete_organization("o3", |_| Vec::new())
        .await
        .unwrap();
    let page = |before: Option<&str>, after: Option<&str>, order| {
        let list = ListQuery {
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
            limit: 2,
            order,
        };
        let query = OrganizationsQuery {
            list,
            ..Default::default()
        };
        let page = fixture.store.organizations(&query).unwrap();
        let ids: Vec<String> = page.items.iter().map(|o| o.id.clone()).collect();
        (
            ids.join(" "),
            page.before.unwrap_or_default(),
            page.after.unwrap_or_default(),
        )
    };
    let expect = |ids: &str, before: &str, after: &str| {
        (ids.to_owned(), before.to_owned(), after.to_owned())
    };
    assert_eq!(page(None, None, ListOrder::Desc), expect("o6 o5", "", "o5"));
    assert_eq!(
        page(None, Some("o5"), ListOrder::Desc),
        expect("o4 o2", "o4", "o2")
    );
    assert_eq!(
        page(None, Some("o2"), ListOrder::Desc),
        expect("o1 o0", "o1", "")
    );
    assert_eq!(
        page(Some("o1"), None, ListOrder::Desc),
        expect("o4 o2", "o4", "o2")
    );
    assert_eq!(page(None, None, ListOrder::Asc), expect("o0 o1", "", "o1"));
    assert_eq!(
        page(None, Some("o1"), ListOrder::Asc),
        expect("o2 o4", "o2", "o4")
    );
    // Newest first too, with the cursors the other way round.
    assert_eq!(
        page(None, None, ListOrder::Normal),
        expect("o6 o5", "o5", "")
    );
    assert_eq!(
        page(Some("o5"), None, ListOrder::Normal),
        expect("o4 o2", "o2", "o4")
    );
    assert_eq!(
        page(None, Some("o4"), ListOrder::Normal),
        expect("o6 o5", "o5", "")
    );

    // A list goes on where it was, although the last one seen has been deleted since.
    assert_eq!(
        page(None, Some("o3"), ListOrder::Desc),
        expect("o2 o1", "o2", "o1")
    );
    assert_eq!(
        page(Some("o3"), None, ListOrder::Desc),
        expect("o5 o4", "o5", "o4")
    );
    assert_eq!(
        page(None, Some("o3"), ListOrder::Asc),
        expect("o4 o5", "o4", "o5")
    );

    let bad = |list: ListQuery| {
        let query = OrganizationsQuery {
            list,
            ..Default::default()
        };
        fields(fixture.store.organizations(&query).unwrap_err())
    };
    let cursor = |id: &str| Some(id.to_owned());
    let unknown = bad(ListQuery {
        after: cursor("o99"),
        ..Default::default()
    });
    assert_eq!(unknown, [("after".to_owned(), "unknown_cursor")]);
    let both = bad(ListQuery {
        after: cursor("o1"),
        before: cursor("o2"),
        ..Default::default()
    });
    assert_eq!(both, [("before".to_owned(), "conflicting_cursors")]);
    for limit in [0, 101] {
        let limit = bad(ListQuery {
            limit,
            ..Default::default()
        });
        assert_eq!(limit, [("limit".to_owned(), "out_of_range")]);
    }
}

#[tokio::test]
async fn lists_filter_by_domain_and_by_name() {
    let fixture = Fixture::new();
    for (id, name, domain_name) in [
        ("a", "Ångström", "a.example"),
        ("b", "Beta", "b.example"),
        ("c", "Alpha Beta", "c.example"),
    ] {
        let new = NewOrganization {
            id: Some(id.to_owned()),
            domains: vec![domain(domain_name, DomainState::Pending)],
            ..named(name)
        };
        fixture
            .store
            .create_organization(new, |_| Vec::new())
            .await
            .unwrap();
    }
    let ids = |domains: &[&str], search: Option<&str>| {
        let query = OrganizationsQuery {
            domains: domains.iter().map(|d| (*d).to_owned()).collect(),
            search: search.map(str::to_owned),
            ..Default::default()
        };
        let page = fixture.store.organizations(&query).unwrap();
        page.items
            .iter()
            .map(|o| o.id.clone())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(ids(&["B.example", "a.example"], None), "b a");
    assert_eq!(ids(&[], Some("beta")), "c b");
    assert_eq!(ids(&[], Some("ång")), "a");
    assert_eq!(ids(&["a.example"], Some("beta")), "");
}

#[tokio::test]
async fn shortening_the_retention_waits_and_lengthening_does_not() {
    let fixture = Fixture::new();
    fixture.organization("acme").await;
    let day = 86_400;
    let set = async |days: Option<u32>| {
        fixture
            .store
            .set_retention("acme", days, |_, _| Vec::new())
            .await
            .unwrap()
            .retention
    };
    let shorter = set(Some(30)).await;
    let pending = PendingRetention {
        period_in_days: Some(30),
        effective_at: later(7 * day),
    };
    assert_eq!(
        shorter,
        Retention {
            period_in_days: Some(365),
            pending: Some(pending)
        }
    );
    assert_eq!(shorter.requested(), Some(30));
    // Asking again does not start the wait anew.
    fixture.at(3 * day);
    assert_eq!(set(Some(30)).await, shorter);
    assert_eq!(shorter.in_force(later(7 * day - 1)), Some(365));
    assert_eq!(shorter.in_force(later(7 * day)), Some(30));
    // Longer than what is in force: at once, and nothing waits any more.
    assert_eq!(
        set(None).await,
        Retention {
            period_in_days: None,
            pending: None
        }
    );
    assert_eq!(set(Some(400)).await.in_force(later(3 * day)), None);
    fixture.at(20 * day);
    assert_eq!(
        set(Some(500)).await,
        Retention {
            period_in_days: Some(500),
            pending: None
        }
    );
    for days in [0, 36_526] {
        let refused = fixture
            .store
            .set_retention("acme", Some(days), |_, _| Vec::new())
            .await;
        assert_eq!(
            fields(refused.unwrap_err())[0].0,
            "retention_period_in_days"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_requests_create_one_organization() {
    let fixture = Fixture::new();
    let mut racing = Vec::new();
    for _ in 0..32 {
        let store = fixture.store.clone();
        racing.push(tokio::spawn(async move {
            store
                .ensure_organization("acme", Entitlement::Inactive)
                .await
                .unwrap()
        }));
    }
    let mut slots = Vec::new();
    for organization in racing {
        slots.push(organization.await.unwrap().slot);
    }
    slots.dedup();
    assert_eq!(slots.len(), 1);
    let there = fixture.store.organization("acme").unwrap();
    assert_eq!(
        (there.name.as_str(), there.entitlement),
        ("acme", Entitlement::Inactive)
    );
    let bad = fixture
        .store
        .ensure_organization("a b", Entitlement::Active)
        .await
        .unwrap_err();
    assert_eq!(fields(bad), [("id".to_owned(), "bad_pattern")]);
}
