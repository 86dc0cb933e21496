//! Events described for people.

use annals_event::{
    Actor, Catalogue, Draft, Event, Failure, Object, OnBehalfOf, Row, Rules, Section, Target,
    Timestamp,
};

fn row(event: Event) -> Row {
    let rules = Rules {
        internal: true,
        ..Rules::open()
    };
    let draft = Draft::new(event, &rules, Timestamp::MAX, || "evt_1".to_owned()).expect("valid");
    Row::new(0, Timestamp::MIN, "key_1", draft)
}

fn sentence(event: Event) -> String {
    Catalogue::builtin().sentence(&row(event))
}

fn ana() -> Actor {
    Actor {
        name: Some("Ana Ruiz".to_owned()),
        ..Actor::new("user", "u1")
    }
}

fn event(action: &str, actor: Actor, targets: Vec<Target>) -> Event {
    Event {
        targets,
        ..Event::new(action, Timestamp::MIN, actor)
    }
}

fn members(members: &[(&str, &str)]) -> Option<Object> {
    Some(members.iter().copied().collect())
}

#[test]
fn templates_are_filled_with_names() {
    let bo = Target::new("user", "u2").named("Bo Li");
    let site = Target::new("project", "p1").named("Website");
    let role = Event {
        previous: members(&[("role", "member")]),
        next: members(&[("role", "admin")]),
        ..event("workspace.user_role_updated", ana(), vec![bo.clone()])
    };
    assert_eq!(
        sentence(role),
        "Ana Ruiz changed the role of Bo Li from member to admin"
    );
    let issue = Target::new("issue", "i1").named("Login broken");
    assert_eq!(
        sentence(event("issue.created", ana(), vec![issue, site.clone()])),
        "Ana Ruiz created issue Login broken in Website"
    );
    let invited = Event {
        metadata: members(&[("role", "guest")]),
        ..event("project.user_invited", ana(), vec![bo, site])
    };
    assert_eq!(
        sentence(invited),
        "Ana Ruiz invited Bo Li to project Website as guest"
    );
    let login = Event {
        metadata: members(&[("method", "login_code")]),
        ..event("user.login", ana(), vec![])
    };
    assert_eq!(sentence(login), "Ana Ruiz logged in by login code");
    let failed = Event {
        failure: Some(Failure::because("invalid_password")),
        ..event(
            "user.login_failed",
            Actor::new("unauthenticated", "-"),
            vec![Target::new("user", "u1")],
        )
    };
    assert_eq!(sentence(failed), "A login as u1 failed: invalid password");
}

#[test]
fn what_is_missing_leaves_no_hole() {
    let bare = |action: &str| sentence(event(action, ana(), vec![]));
    assert_eq!(
        bare("workspace.user_role_updated"),
        "Ana Ruiz changed the role of a user"
    );
    assert_eq!(bare("issue.created"), "Ana Ruiz created issue");
    assert_eq!(
        bare("issue.status_updated"),
        "Ana Ruiz changed the status of an issue"
    );
    assert_eq!(
        bare("workspace.domain_join_added"),
        "Ana Ruiz let people of a domain join by themselves"
    );
    assert_eq!(
        bare("user.login_failed"),
        "A login failed",
        "an unspecified reason is none"
    );
    assert_eq!(bare("project.created"), "Ana Ruiz created project");
}

/// Whatever is absent or erased: no placeholder, no bracket, no doubled blank is left over.
#[test]
fn every_template_is_a_sentence_with_and_without_values() {
    for entry in Catalogue::builtin().all() {
        let actors = [
            ana(),
            Actor::new("user", "ana@acme.io"),
            Actor::new("system", "s"),
        ];
        for actor in actors {
            for targets in [
                vec![],
                vec![Target::new(entry.target, "bo@acme.io").named("Bo")],
            ] {
                let mut row = row(event(entry.action, actor.clone(), targets));
                for erase in [false, true] {
                    if erase {
                        row.draft.sections.fill(Section::Withheld([0; 32]));
                    }
                    let row = Row::new(0, Timestamp::MIN, "key", row.draft.clone());
                    let text = Catalogue::builtin().sentence(&row);
                    assert!(!text.contains(['{', '}', '[', ']']), "{text}");
                    assert!(!text.contains("  ") && !text.contains(" :"), "{text}");
                    assert!(text.trim() == text && text.split(' ').count() > 1, "{text}");
                    assert!(
                        !erase || !text.contains("Ana") && !text.contains('@'),
                        "{text}"
                    );
                }
            }
        }
    }
}

#[test]
fn nobody_is_taken_for_whom_he_names() {
    let claimed = Actor {
        email: Some("ana@acme.io".to_owned()),
        ..Actor::new("unauthenticated", "-")
    };
    assert_eq!(
        sentence(event("workspace.user_join_failed", claimed, vec![])),
        "Someone claiming to be ana@acme.io could not join the workspace"
    );
    let behalf = OnBehalfOf {
        id: "u7".into(),
        kind: "user".into(),
        ..OnBehalfOf::default()
    };
    let support = Actor {
        on_behalf_of: Some(behalf),
        name: Some("Sue".into()),
        ..Actor::new("support", "s1")
    };
    assert_eq!(
        sentence(event("user.logout", support, vec![])),
        "Sue on behalf of u7 logged out"
    );
    assert_eq!(
        sentence(event("user.logout", Actor::new("system", "x"), vec![])),
        "The system logged out"
    );
}

#[test]
fn unknown_actions_are_described_by_their_name() {
    let invoice = Target::new("invoice", "inv_7");
    assert_eq!(
        sentence(event("invoice.was_paid", ana(), vec![invoice])),
        "Invoice Was Paid by Ana Ruiz on inv_7"
    );
    let failed = Event {
        failure: Some(Failure::because("Card declined!")),
        ..event("invoice.was_paid", ana(), vec![])
    };
    assert_eq!(
        sentence(failed),
        "Invoice Was Paid by Ana Ruiz failed: Card declined!"
    );
}

#[test]
fn values_cannot_break_the_line_or_flood_it() {
    let name = format!("A\r\nb\u{0b}{}", "x".repeat(500));
    let actor = Actor {
        name: Some(name),
        ..Actor::new("user", "u1")
    };
    let text = sentence(event("user.logout", actor, vec![]));
    assert!(
        text.starts_with("A  b xxx") && text.ends_with("x… logged out"),
        "{text}"
    );
    assert_eq!(text.chars().count(), 200 + "… logged out".chars().count());
    let template = Actor {
        name: Some("{target} [x] {reason}".to_owned()),
        ..Actor::new("user", "u1")
    };
    assert_eq!(
        sentence(event("user.logout", template, vec![])),
        "{target} [x] {reason} logged out"
    );
}
