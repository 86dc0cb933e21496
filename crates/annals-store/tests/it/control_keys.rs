//! Keys: recognised by their secret, bound to what they may do, revoked for good.

use std::collections::BTreeSet;

use annals_store::{ControlError, Created, ListQuery, NewKey, Reach, Scopes};

use crate::control::{Fixture, later, noon};

fn new_key(name: &str) -> NewKey {
    let scopes = Scopes {
        write: true,
        ..Scopes::default()
    };
    NewKey {
        name: name.to_owned(),
        scopes,
        organizations: Reach::All,
    }
}

#[tokio::test]
async fn a_key_is_recognised_until_it_is_revoked() {
    let fixture = Fixture::new();
    fixture.organization("acme").await;
    let only = NewKey {
        organizations: Reach::Only(BTreeSet::from(["acme".to_owned()])),
        ..new_key("relay")
    };
    let (key, secret) = fixture
        .store
        .create_key(only, |_| Vec::new())
        .await
        .unwrap();
    assert!(secret.expose().starts_with("sk_") && key.id.starts_with("key_"));
    assert_eq!(key.last_used_at(), None);
    fixture.at(10);
    let recognised = fixture.store.key_by_secret(secret.expose()).unwrap();
    assert_eq!(recognised.id, key.id);
    assert!(recognised.reaches("acme") && !recognised.reaches("other"));
    assert_eq!(key.last_used_at(), Some(later(10)));
    for wrong in ["", "sk_", &secret.expose()[1..], &key.id] {
        assert!(fixture.store.key_by_secret(wrong).is_none());
    }

    let fixture = fixture.reopened();
    let stored = fixture.store.key(&key.id).unwrap();
    assert_eq!(stored.last_used_at(), Some(later(10)));
    let recognised = fixture.store.key_by_secret(secret.expose()).unwrap();
    assert_eq!(recognised.scopes.names(), ["write"]);
    assert!(recognised.reaches("acme") && !recognised.reaches("other"));

    let revoked = fixture
        .store
        .revoke_key(&key.id, |_| Vec::new())
        .await
        .unwrap();
    assert_eq!(revoked.revoked_at, Some(later(10)));
    assert!(fixture.store.key_by_secret(secret.expose()).is_none());
    fixture.at(20);
    let again = fixture
        .store
        .revoke_key(&key.id, |_| panic!("no change"))
        .await
        .unwrap();
    assert_eq!(again.revoked_at, Some(later(10)));
    let fixture = fixture.reopened();
    assert!(fixture.store.key_by_secret(secret.expose()).is_none());
    assert_eq!(
        fixture.store.key(&key.id).unwrap().revoked_at,
        Some(later(10))
    );
    let unknown = fixture.store.revoke_key("key_none", |_| Vec::new()).await;
    assert!(matches!(unknown, Err(ControlError::NotFound { .. })));
}

#[tokio::test]
async fn the_bootstrap_key_is_made_once_and_stays_revoked() {
    let fixture = Fixture::new();
    let secret = "sk_test_0123456789abcdef";
    let made = fixture
        .store
        .ensure_bootstrap_key(secret, |_| Vec::new())
        .await
        .unwrap();
    let Created::New(key) = made else {
        panic!("{made:?}")
    };
    assert_eq!((key.scopes, &key.organizations), (Scopes::ALL, &Reach::All));
    let fixture = fixture.reopened();
    let again = fixture
        .store
        .ensure_bootstrap_key(secret, |_| panic!("no change"))
        .await
        .unwrap();
    assert!(matches!(&again, Created::Existing(same) if same.id == key.id));
    assert!(fixture.store.key_by_secret(secret).is_some());
    fixture
        .store
        .revoke_key(&key.id, |_| Vec::new())
        .await
        .unwrap();
    fixture
        .store
        .ensure_bootstrap_key(secret, |_| panic!("no change"))
        .await
        .unwrap();
    assert!(fixture.store.key_by_secret(secret).is_none());
    for bad in [
        "",
        "sk_short",
        "0123456789abcdef0123456789",
        "sk_0123456789 abcdef",
    ] {
        let refused = fixture
            .store
            .ensure_bootstrap_key(bad, |_| Vec::new())
            .await;
        assert!(matches!(refused, Err(ControlError::Invalid(_))), "{bad}");
    }
}

#[tokio::test]
async fn bad_keys_are_refused() {
    let fixture = Fixture::new();
    let cases = [
        (
            "name",
            NewKey {
                name: String::new(),
                ..new_key("x")
            },
        ),
        (
            "scopes",
            NewKey {
                scopes: Scopes::default(),
                ..new_key("x")
            },
        ),
        (
            "organization_ids",
            NewKey {
                organizations: Reach::Only(BTreeSet::new()),
                ..new_key("x")
            },
        ),
        (
            "organization_ids.0",
            NewKey {
                organizations: Reach::Only(BTreeSet::from(["nobody".to_owned()])),
                ..new_key("x")
            },
        ),
    ];
    for (field, new) in cases {
        match fixture.store.create_key(new, |_| Vec::new()).await {
            Err(ControlError::Invalid(fields)) => assert_eq!(fields[0].field, field),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(Scopes::parse(["read", "root"]), Err("root"));
    assert_eq!(Scopes::parse(["manage", "read", "write"]), Ok(Scopes::ALL));
}

#[tokio::test]
async fn keys_are_listed_newest_first() {
    let fixture = Fixture::new();
    for name in ["a", "b", "c"] {
        let (key, _) = fixture
            .store
            .create_key(new_key(name), |_| Vec::new())
            .await
            .unwrap();
        assert_eq!(key.created_at, noon());
    }
    let page = fixture
        .store
        .keys(&ListQuery {
            limit: 2,
            ..Default::default()
        })
        .unwrap();
    let names: Vec<_> = page.items.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(names, ["c", "b"]);
    let rest = fixture
        .store
        .keys(&ListQuery {
            after: page.after,
            ..Default::default()
        })
        .unwrap();
    assert_eq!(rest.items[0].name, "a");
}
