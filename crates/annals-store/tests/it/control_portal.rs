//! Portal links, sessions and exports: single use, short lives, one grant per workspace.

use annals_store::{
    ControlError, ExportSelection, Intent, Link, NewExport, NewLink, PortalUser, RedeemRefusal,
    Redeemed, Role, Secret, Session,
};

use crate::control::Fixture;

fn new_link(organization_id: &str) -> NewLink {
    NewLink {
        organization_id: organization_id.to_owned(),
        intent: Intent::AuditLogs,
        user: Some(PortalUser {
            id: "u1".to_owned(),
            name: Some("Ana".to_owned()),
            email: None,
        }),
        role: Role::Auditor,
        path: Some(format!("/w/{organization_id}/audit-logs?q=x")),
        embed_origin: None,
        return_url: Some("https://app.example/settings".to_owned()),
        external_user_id: None,
        session_seconds: None,
        created_by: "key_1".to_owned(),
    }
}

async fn link(fixture: &Fixture, new: NewLink) -> Secret {
    fixture
        .store
        .create_link(new, |_| Vec::new())
        .await
        .unwrap()
        .1
}

async fn redeem(
    fixture: &Fixture,
    token: &Secret,
    cookie: Option<&Secret>,
) -> Result<Redeemed, RedeemRefusal> {
    let cookie = cookie.map(Secret::expose);
    refusal(
        fixture
            .store
            .redeem_link(token.expose(), cookie, |_, _| Vec::new())
            .await,
    )
}

async fn hand_off(
    fixture: &Fixture,
    token: &Secret,
    cookie: Option<&Secret>,
) -> Result<Redeemed, RedeemRefusal> {
    refusal(
        fixture
            .store
            .redeem_handoff(token.expose(), cookie.map(Secret::expose))
            .await,
    )
}

fn refusal(result: Result<Redeemed, ControlError>) -> Result<Redeemed, RedeemRefusal> {
    match result {
        Ok(redeemed) => Ok(redeemed),
        Err(ControlError::Refused(refusal)) => Err(refusal),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_link_opens_one_session_once() {
    let fixture = Fixture::new();
    fixture.organization("acme").await;
    let token = link(&fixture, new_link("acme")).await;
    let mut told = 0;
    let record = |link: &Link, session: &Session| {
        assert!(link.id.starts_with("portal_link_") && session.id.starts_with("session_"));
        assert_eq!(session.grant("acme").unwrap().link_id, link.id);
        told += 1;
        Vec::new()
    };
    let redeemed = fixture
        .store
        .redeem_link(token.expose(), None, record)
        .await
        .unwrap();
    assert_eq!(told, 1);
    assert!(redeemed.first_use);
    assert_eq!(redeemed.path.as_deref(), Some("/w/acme/audit-logs?q=x"));
    let cookie = redeemed.cookie.unwrap();
    let session = fixture.store.session(cookie.expose()).unwrap();
    let grant = session.grant("acme").unwrap();
    assert_eq!(
        (grant.role, grant.user.as_ref().unwrap().id.as_str()),
        (Role::Auditor, "u1")
    );
    assert!(session.grant("other").is_none());

    assert_eq!(
        redeem(&fixture, &token, None).await.unwrap_err(),
        RedeemRefusal::Used
    );
    // In the session that it opened it leads to its page again.
    let again = redeem(&fixture, &token, Some(&cookie)).await.unwrap();
    assert!(!again.first_use && again.cookie.is_none());
    assert_eq!(again.session.id, session.id);

    let fixture = fixture.reopened();
    assert_eq!(
        redeem(&fixture, &token, None).await.unwrap_err(),
        RedeemRefusal::Used
    );
    let same = fixture.store.session(cookie.expose()).unwrap();
    assert_eq!((&same.id, &same.csrf), (&session.id, &session.csrf));
    assert_eq!(same.grant("acme"), session.grant("acme"));
    assert!(fixture.store.session("nonsense").is_none());
    assert!(
        fixture.store.session(&session.id).is_none(),
        "the id opens nothing"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_redeem_a_link_at_once_one_gets_in() {
    let fixture = Fixture::new();
    fixture.organization("acme").await;
    let token = link(&fixture, new_link("acme")).await;
    let mut racing = Vec::new();
    for _ in 0..16 {
        let (store, token) = (fixture.store.clone(), token.clone());
        racing.push(tokio::spawn(async move {
            store
                .redeem_link(token.expose(), None, |_, _| Vec::new())
                .await
                .is_ok()
        }));
    }
    let mut in_ = 0;
    for redeemed in racing {
        in_ += usize::from(redeemed.await.unwrap());
    }
    assert_eq!(in_, 1);
}

#[tokio::test]
async fn links_and_handoffs_expire() {
    let fixture = Fixture::new();
    fixture.organization("acme").await;
    let late = link(&fixture, new_link("acme")).await;
    let in_time = link(&fixture, new_link("acme")).await;
    fixture.at(299);
    let redeemed = redeem(&fixture, &in_time, None).await.unwrap();
    fixture.at(300);
    assert_eq!(
        redeem(&fixture, &late, None).await.unwrap_err(),
        RedeemRefusal::Expired
    );
    fixture.at(299 + 60);
    let handoff = redeemed.handoff.unwrap();
    assert_eq!(
        hand_off(&fixture, &handoff, None).await.unwrap_err(),
        RedeemRefusal::Expired
    );
    let unknown = fixture
        .store
        .redeem_link("nonsense", None, |_, _| Vec::new())
        .await;
    assert_eq!(refusal(unknown).unwrap_err(), RedeemRefusal::Unknown);
}

#[tokio::test]
async fn a_handoff_moves_the_grant_once() {
    let fixture = Fixture::new();
    fixture.organization("acme").await;
    let token = link(&fixture, new_link("acme")).await;
    let framed = redeem(&fixture, &token, None).await.unwrap();
    let (refused_cookie, handoff) = (framed.cookie.unwrap(), framed.handoff.unwrap());
    // The frame refused the cookie: the click at top level gets a session of its own.
    let top = hand_off(&fixture, &handoff, None).await.unwrap();
    let cookie = top.cookie.unwrap();
    assert_eq!(top.path.as_deref(), Some("/w/acme/audit-logs?q=x"));
    assert!(
        fixture
            .store
            .session(cookie.expose())
            .unwrap()
            .grant("acme")
            .is_some()
    );
    assert!(fixture.store.session(refused_cookie.expose()).is_none());
    assert_eq!(
        hand_off(&fixture, &handoff, None).await.unwrap_err(),
        RedeemRefusal::Unknown
    );
    let fixture = fixture.reopened();
    assert!(fixture.store.session(cookie.expose()).is_some());
    assert!(fixture.store.session(refused_cookie.expose()).is_none());

    // Where the cookie was taken, the token is spent and nothing changes.
    let token = link(&fixture, new_link("acme")).await;
    let framed = redeem(&fixture, &token, None).await.unwrap();
    let (cookie, handoff) = (framed.cookie.unwrap(), framed.handoff.unwrap());
    let same = hand_off(&fixture, &handoff, Some(&cookie)).await.unwrap();
    assert_eq!(same.session.id, framed.session.id);
    assert!(same.cookie.is_none());
    assert!(hand_off(&fixture, &handoff, Some(&cookie)).await.is_err());
}

#[tokio::test]
async fn one_session_holds_one_grant_per_workspace() {
    let fixture = Fixture::new();
    fixture.organization("acme").await;
    fixture.organization("beta").await;
    let first = redeem(&fixture, &link(&fixture, new_link("acme")).await, None)
        .await
        .unwrap();
    let cookie = first.cookie.unwrap();
    let owner = NewLink {
        role: Role::Owner,
        ..new_link("acme")
    };
    for new in [new_link("beta"), owner] {
        let token = link(&fixture, new).await;
        let more = redeem(&fixture, &token, Some(&cookie)).await.unwrap();
        assert!(more.cookie.is_none(), "the browser has it already");
        assert_eq!(more.session.id, first.session.id);
    }
    let session = fixture.store.session(cookie.expose()).unwrap();
    assert_eq!(session.grants().count(), 2);
    assert_eq!(session.grant("acme").unwrap().role, Role::Owner);

    fixture
        .store
        .delete_organization("acme", |_| Vec::new())
        .await
        .unwrap();
    let check = |fixture: &Fixture| {
        let session = fixture.store.session(cookie.expose()).unwrap();
        assert!(session.grant("acme").is_none() && session.grant("beta").is_some());
    };
    check(&fixture);
    let fixture = fixture.reopened();
    check(&fixture);
    fixture
        .store
        .delete_organization("beta", |_| Vec::new())
        .await
        .unwrap();
    assert!(fixture.store.session(cookie.expose()).is_none());
    let fixture = fixture.reopened();
    assert!(fixture.store.session(cookie.expose()).is_none());
}

#[tokio::test]
async fn a_link_of_a_deleted_organization_opens_nothing() {
    let fixture = Fixture::new();
    fixture.organization("acme").await;
    let token = link(&fixture, new_link("acme")).await;
    fixture
        .store
        .delete_organization("acme", |_| Vec::new())
        .await
        .unwrap();
    assert_eq!(
        redeem(&fixture, &token, None).await.unwrap_err(),
        RedeemRefusal::Unknown
    );
    let gone = fixture
        .store
        .create_link(new_link("acme"), |_| Vec::new())
        .await;
    assert!(matches!(gone, Err(ControlError::NotFound { .. })));
}

#[tokio::test]
async fn sessions_end_by_idleness_and_by_age() {
    let hour = 3600;
    let fixture = Fixture::new();
    fixture.organization("acme").await;
    let idle = redeem(&fixture, &link(&fixture, new_link("acme")).await, None)
        .await
        .unwrap();
    let busy = redeem(&fixture, &link(&fixture, new_link("acme")).await, None)
        .await
        .unwrap();
    let (idle, busy) = (idle.cookie.unwrap(), busy.cookie.unwrap());
    for hours in [7, 14, 21] {
        fixture.at(hours * hour);
        assert!(fixture.store.session(busy.expose()).is_some(), "{hours}");
        if hours > 8 {
            assert!(fixture.store.session(idle.expose()).is_none(), "{hours}");
        }
    }
    fixture.at(24 * hour);
    assert!(fixture.store.session(busy.expose()).is_none());

    let ended = redeem(&fixture, &link(&fixture, new_link("acme")).await, None)
        .await
        .unwrap();
    let ended = ended.cookie.unwrap();
    fixture.store.end_session(ended.expose()).await.unwrap();
    fixture.store.end_session(ended.expose()).await.unwrap();
    assert!(fixture.store.session(ended.expose()).is_none());
}

#[tokio::test]
async fn reading_is_recorded_once_per_session() {
    let fixture = Fixture::new();
    fixture.organization("acme").await;
    let redeemed = redeem(&fixture, &link(&fixture, new_link("acme")).await, None)
        .await
        .unwrap();
    let cookie = redeemed.cookie.unwrap();
    let view = async |fixture: &Fixture, organization: &str| {
        fixture
            .store
            .record_viewed(cookie.expose(), organization, |_, _| Vec::new())
            .await
    };
    assert!(view(&fixture, "acme").await.unwrap());
    assert!(!view(&fixture, "acme").await.unwrap());
    assert!(matches!(
        view(&fixture, "beta").await,
        Err(ControlError::NotFound { .. })
    ));
    let fixture = fixture.reopened();
    assert!(!view(&fixture, "acme").await.unwrap());
    // Another link of the same person goes on with the same reading; another person does not.
    let same = link(&fixture, new_link("acme")).await;
    redeem(&fixture, &same, Some(&cookie)).await.unwrap();
    assert!(!view(&fixture, "acme").await.unwrap());
    let other = NewLink {
        user: None,
        ..new_link("acme")
    };
    redeem(&fixture, &link(&fixture, other).await, Some(&cookie))
        .await
        .unwrap();
    assert!(view(&fixture, "acme").await.unwrap());
}

#[tokio::test]
async fn revoking_ends_the_links_and_grants_of_one_person() {
    let fixture = Fixture::new();
    fixture.organization("acme").await;
    fixture.organization("beta").await;
    let of = |organization: &str, person: &str| NewLink {
        external_user_id: Some(person.to_owned()),
        ..new_link(organization)
    };
    let unused = link(&fixture, of("acme", "ana")).await;
    let opened = redeem(&fixture, &link(&fixture, of("acme", "ana")).await, None)
        .await
        .unwrap();
    let cookie = opened.cookie.unwrap();
    redeem(
        &fixture,
        &link(&fixture, of("beta", "ana")).await,
        Some(&cookie),
    )
    .await
    .unwrap();
    let other = redeem(&fixture, &link(&fixture, of("acme", "bo")).await, None)
        .await
        .unwrap();
    let other = other.cookie.unwrap();

    let mut told = 0;
    let record = |ended: usize| {
        told = ended;
        Vec::new()
    };
    // Three: the unused link, the used one, and what it opened.
    assert_eq!(
        fixture
            .store
            .revoke_links("acme", "ana", record)
            .await
            .unwrap(),
        3
    );
    assert_eq!(told, 3);
    let again = fixture
        .store
        .revoke_links("acme", "ana", |_| panic!("there is none"))
        .await;
    assert_eq!(again.unwrap(), 0);
    let handoff = opened.handoff.unwrap();
    assert_eq!(
        hand_off(&fixture, &handoff, None).await.unwrap_err(),
        RedeemRefusal::Unknown
    );
    let check = |fixture: &Fixture| {
        let session = fixture.store.session(cookie.expose()).unwrap();
        assert!(session.grant("acme").is_none() && session.grant("beta").is_some());
        assert!(
            fixture
                .store
                .session(other.expose())
                .unwrap()
                .grant("acme")
                .is_some()
        );
    };
    check(&fixture);
    let fixture = fixture.reopened();
    check(&fixture);
    assert_eq!(
        redeem(&fixture, &unused, None).await.unwrap_err(),
        RedeemRefusal::Unknown
    );
    let unknown = fixture
        .store
        .revoke_links("nobody", "ana", |_| Vec::new())
        .await;
    assert!(matches!(unknown, Err(ControlError::NotFound { .. })));
}

#[tokio::test]
async fn whoever_a_link_names_as_its_reader_can_be_shut_out() {
    let fixture = Fixture::new();
    fixture.organization("acme").await;
    let opened = redeem(&fixture, &link(&fixture, new_link("acme")).await, None)
        .await
        .unwrap();
    let unused = link(&fixture, new_link("acme")).await;
    let revoke = async |person| {
        let revoked = fixture.store.revoke_links("acme", person, |_| Vec::new());
        revoked.await.unwrap()
    };
    assert_eq!((revoke("u2").await, revoke("u1").await), (0, 3));
    let cookie = opened.cookie.unwrap();
    assert!(fixture.store.session(cookie.expose()).is_none());
    assert_eq!(
        redeem(&fixture, &unused, None).await.unwrap_err(),
        RedeemRefusal::Unknown
    );
}

#[tokio::test]
async fn what_a_link_opens_lasts_no_longer_than_it_says() {
    let fixture = Fixture::new();
    fixture.organization("acme").await;
    fixture.organization("beta").await;
    let short = NewLink {
        session_seconds: Some(600),
        ..new_link("acme")
    };
    let opened = redeem(&fixture, &link(&fixture, short.clone()).await, None)
        .await
        .unwrap();
    let (alone, handoff) = (opened.cookie.unwrap(), opened.handoff.unwrap());
    let both = redeem(&fixture, &link(&fixture, short.clone()).await, None)
        .await
        .unwrap()
        .cookie
        .unwrap();
    let other = link(&fixture, new_link("beta")).await;
    redeem(&fixture, &other, Some(&both)).await.unwrap();
    // A page that opens at top level has no more time than the frame.
    let moved = hand_off(&fixture, &handoff, None)
        .await
        .unwrap()
        .cookie
        .unwrap();
    assert!(fixture.store.session(alone.expose()).is_none());

    fixture.at(599);
    assert!(fixture.store.session(moved.expose()).is_some());
    fixture.at(600);
    let check = |fixture: &Fixture| {
        assert!(fixture.store.session(moved.expose()).is_none());
        let session = fixture.store.session(both.expose()).unwrap();
        assert!(session.grant("acme").is_none() && session.grant("beta").is_some());
    };
    check(&fixture);
    let fixture = fixture.reopened();
    check(&fixture);
    // Another link begins anew, in the same browser.
    redeem(&fixture, &link(&fixture, short).await, Some(&both))
        .await
        .unwrap();
    fixture.at(1199);
    let session = fixture.store.session(both.expose()).unwrap();
    assert!(session.grant("acme").is_some());
}

#[tokio::test]
async fn links_lead_nowhere_else() {
    let fixture = Fixture::new();
    fixture.organization("acme").await;
    let text = |text: &str| Some(text.to_owned());
    let cases = [
        (
            "path",
            NewLink {
                path: text("https://evil.example/"),
                ..new_link("acme")
            },
        ),
        (
            "path",
            NewLink {
                path: text("/w/beta/audit-logs"),
                ..new_link("acme")
            },
        ),
        (
            "path",
            NewLink {
                path: text("/w/acme/../beta/x"),
                ..new_link("acme")
            },
        ),
        (
            "embed_origin",
            NewLink {
                embed_origin: text("*"),
                ..new_link("acme")
            },
        ),
        (
            "return_url",
            NewLink {
                return_url: text("javascript:alert(1)"),
                ..new_link("acme")
            },
        ),
        (
            "user.id",
            NewLink {
                user: Some(PortalUser {
                    id: String::new(),
                    name: None,
                    email: None,
                }),
                ..new_link("acme")
            },
        ),
        // Longer than the id of an actor may be: what this person does could not be recorded.
        (
            "user.id",
            NewLink {
                user: Some(PortalUser {
                    id: "ü".repeat(65),
                    name: None,
                    email: None,
                }),
                ..new_link("acme")
            },
        ),
        (
            "session_seconds",
            NewLink {
                session_seconds: Some(59),
                ..new_link("acme")
            },
        ),
        (
            "session_seconds",
            NewLink {
                session_seconds: Some(24 * 3600 + 1),
                ..new_link("acme")
            },
        ),
        (
            "external_user_id",
            NewLink {
                external_user_id: Some("x".repeat(129)),
                ..new_link("acme")
            },
        ),
    ];
    for (field, new) in cases {
        match fixture.store.create_link(new, |_| Vec::new()).await {
            Err(ControlError::Invalid(fields)) => assert_eq!(fields[0].field, field),
            other => panic!("{field}: {other:?}"),
        }
    }
    assert!(Role::Owner > Role::Investigator && Role::Auditor > Role::Viewer);
    assert_eq!(Role::parse("auditor"), Some(Role::default()));
    assert_eq!(Role::parse("root"), None);
}

#[tokio::test]
async fn an_export_is_a_question_and_a_size() {
    let fixture = Fixture::new();
    fixture.organization("acme").await;
    let selection = ExportSelection {
        from_micros: Some(1),
        actions: vec!["user.signed_in".to_owned()],
        ..Default::default()
    };
    let new = NewExport {
        organization_id: "acme".to_owned(),
        selection,
        as_of: 42,
        created_by: "key_1".to_owned(),
    };
    let export = fixture
        .store
        .create_export(new.clone(), |_| Vec::new())
        .await
        .unwrap();
    assert!(export.id.starts_with("audit_log_export_"));
    assert_eq!(
        fixture.store.export(&export.id).unwrap().as_ref(),
        Some(&export)
    );
    assert_eq!(fixture.store.export("audit_log_export_none").unwrap(), None);

    let token = fixture.store.download_token(&export.id);
    let opens =
        |fixture: &Fixture, id: &str, token: &str| fixture.store.check_download_token(id, token);
    assert!(opens(&fixture, &export.id, &token));
    assert!(!opens(&fixture, "audit_log_export_other", &token));
    let (expires, mac) = token.split_once('.').unwrap();
    let longer = format!("{}.{mac}", expires.parse::<i64>().unwrap() + 600);
    for forged in [
        longer.as_str(),
        "",
        ".",
        expires,
        mac,
        &token[..token.len() - 1],
    ] {
        assert!(!opens(&fixture, &export.id, forged), "{forged}");
    }
    let fixture = fixture.reopened();
    assert_eq!(
        fixture.store.export(&export.id).unwrap().as_ref(),
        Some(&export)
    );
    fixture.at(599);
    assert!(opens(&fixture, &export.id, &token));
    fixture.at(600);
    assert!(!opens(&fixture, &export.id, &token));

    fixture
        .store
        .delete_organization("acme", |_| Vec::new())
        .await
        .unwrap();
    assert_eq!(fixture.store.export(&export.id).unwrap(), None);
    let gone = fixture.store.create_export(new, |_| Vec::new()).await;
    assert!(matches!(gone, Err(ControlError::NotFound { .. })));
}

#[tokio::test]
async fn what_a_person_was_given_can_be_revoked() {
    let fixture = Fixture::new();
    fixture.organization("acme").await;
    fixture.organization("beta").await;
    let made_for = |organization: &str, person: &str| NewLink {
        external_user_id: Some(person.to_owned()),
        ..new_link(organization)
    };
    let opened = link(&fixture, made_for("acme", "left")).await;
    let cookie = redeem(&fixture, &opened, None)
        .await
        .unwrap()
        .cookie
        .unwrap();
    let elsewhere = link(&fixture, made_for("beta", "left")).await;
    redeem(&fixture, &elsewhere, Some(&cookie)).await.unwrap();
    let unopened = link(&fixture, made_for("acme", "left")).await;
    let other = link(&fixture, made_for("acme", "stayed")).await;
    let nobodys = link(&fixture, new_link("acme")).await;

    let mut told = None;
    let record = |ended| {
        told = Some(ended);
        Vec::new()
    };
    fixture
        .store
        .revoke_links("acme", "left", record)
        .await
        .unwrap();
    assert_eq!(told, Some(3), "two links and what one of them opened");
    let again = fixture
        .store
        .revoke_links("acme", "left", |_| unreachable!())
        .await
        .unwrap();
    assert_eq!(again, 0);
    assert_eq!(
        redeem(&fixture, &unopened, None).await.unwrap_err(),
        RedeemRefusal::Unknown
    );
    let again = redeem(&fixture, &opened, Some(&cookie)).await;
    assert_eq!(again.unwrap_err(), RedeemRefusal::Unknown);
    let session = fixture.store.session(cookie.expose()).unwrap();
    assert!(session.grant("acme").is_none());
    assert!(
        session.grant("beta").is_some(),
        "another workspace is not concerned"
    );
    let fixture = fixture.reopened();
    assert_eq!(
        redeem(&fixture, &unopened, None).await.unwrap_err(),
        RedeemRefusal::Unknown
    );
    let session = fixture.store.session(cookie.expose()).unwrap();
    assert!(session.grant("acme").is_none() && session.grant("beta").is_some());
    redeem(&fixture, &other, None).await.unwrap();
    redeem(&fixture, &nobodys, None).await.unwrap();
    let unknown = fixture
        .store
        .revoke_links("nobody", "left", |_| Vec::new())
        .await;
    assert!(matches!(unknown, Err(ControlError::NotFound { .. })));
}
