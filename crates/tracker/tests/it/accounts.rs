//! What happens to accounts: which workspaces hear of it, and what strangers can find out.

use std::time::{Duration, Instant};

use crate::harness::{Browser, PASSWORD, Page, World, connect, until};

/// What an answer shows, without what differs between any two.
fn shown(page: &Page, email: &str) -> (u16, String, Vec<String>) {
    let mut headers: Vec<String> = page.headers.keys().cloned().collect();
    headers.sort();
    (page.status, page.text().replace(email, "…"), headers)
}

#[test]
fn nobody_finds_out_who_has_an_account() {
    let world = World::new();
    let (ann, _) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    drop(ann);
    let (known, unknown) = ("ann@acme.example", "nobody@acme.example");
    let both = |fill: &dyn Fn(&Browser, &str) -> Page| {
        let (a, b) = (world.browser(), world.browser());
        a.get("/login");
        b.get("/login");
        let (first, second) = (fill(&a, known), fill(&b, unknown));
        assert_eq!(shown(&first, known), shown(&second, unknown));
    };
    both(&|browser, email| {
        browser.post(
            "/login",
            &[("email", email), ("password", "wrong password")],
        )
    });
    both(&|browser, email| browser.post("/login/code", &[("email", email)]));
    both(&|browser, email| {
        browser.post("/login/code/enter", &[("email", email), ("code", "123456")])
    });
    both(&|browser, email| browser.post("/recover", &[("email", email)]));
    both(&|browser, email| {
        browser.post(
            "/signup",
            &[("name", "X"), ("email", email), ("password", PASSWORD)],
        )
    });
    assert!(
        world.mail(known, "account").contains("/login"),
        "the owner learns that he has one"
    );
    // Once the account pauses too.
    for _ in 0..6 {
        both(&|browser, email| {
            browser.post(
                "/login",
                &[("email", email), ("password", "wrong password")],
            )
        });
    }
}

/// The time of an answer is decided by the password function, which runs for everybody. Quick answers would be ten times quicker.
#[test]
fn a_login_costs_the_same_for_known_and_unknown_addresses() {
    let world = World::new();
    let (ann, _) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    drop(ann);
    let browser = world.browser();
    browser.get("/login");
    let fastest = |email: &str| {
        let time = |_| {
            let began = Instant::now();
            browser.post(
                "/login",
                &[("email", email), ("password", "wrong password")],
            );
            began.elapsed()
        };
        (0..5).map(time).min().unwrap()
    };
    let (known, unknown) = (fastest("ann@acme.example"), fastest("nobody@acme.example"));
    assert!(
        unknown * 3 > known && known * 3 > unknown,
        "{known:?} {unknown:?}"
    );
}

#[test]
fn an_account_is_told_to_its_workspaces_and_each_sees_its_own() {
    let world = World::new();
    let (ann, acme) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    let (olga, globex) = world.admin("Olga Brandt", "olga@globex.example", "Globex");
    let bob = world.invited(&ann, "acme", "Bob Marsh", "bob@beta.example", "manager");
    olga.post(
        "/w/globex/members/invite",
        &[("email", "bob@beta.example"), ("role", "guest")],
    );
    let link = world.link("bob@beta.example", "invites you to Globex");
    bob.get(&link);
    assert_eq!(bob.post(&link, &[]).status, 303);

    // Guests' sign-ins are told, their accounts at other tools are not.
    assert_eq!(bob.post("/logout", &[]).status, 303);
    assert_eq!(bob.log_in("bob@beta.example", PASSWORD).status, 303);
    assert_eq!(
        connect(&bob, "/account/integrations/taskyard/connect", "allow").status,
        303
    );
    let roles = |workspace: &str, action: &str| {
        let log = world.log(workspace);
        log.iter()
            .rfind(|event| event.action() == action)
            .map(|event| (event.0["id"].clone(), event.at("actor.role").clone()))
    };
    let (here, there) = (
        roles(&acme, "user.login").unwrap(),
        roles(&globex, "user.login").unwrap(),
    );
    assert_eq!(here.0, there.0, "one fact, one id");
    assert_eq!((here.1, there.1), ("manager".into(), "guest".into()));
    assert!(roles(&acme, "user.integration_account_connected").is_some());
    assert!(roles(&globex, "user.integration_account_connected").is_none());

    // Globex forbids codes, and only Globex hears that it was Globex.
    olga.post(
        "/w/globex/settings",
        &[("name", "Globex"), ("login_code_allowed", "on")],
    );
    assert_eq!(
        world.browser().log_in("bob@beta.example", PASSWORD).status,
        422
    );
    let asked_by = |workspace: &str| {
        world
            .last(workspace)
            .at("metadata.initiating_workspace_id")
            .clone()
    };
    assert_eq!(
        (asked_by(&acme), asked_by(&globex)),
        (serde_json::Value::Null, globex.as_str().into())
    );
    assert!(
        !world
            .log(&acme)
            .iter()
            .any(|event| event.0.to_string().contains(&globex)),
        "Acme hears of Globex"
    );

    // Whoever has left is told of no more, and whoever deletes his account leaves.
    assert_eq!(bob.post("/w/globex/members/leave", &[]).status, 303);
    let before = world.log(&globex).len();
    assert_eq!(
        bob.post("/account/delete", &[("delete_password", PASSWORD)])
            .status,
        303
    );
    assert_eq!(world.log(&globex).len(), before);
    let log = world.log(&acme);
    let [.., deleted, left] = &log[..] else {
        panic!()
    };
    assert_eq!(
        (deleted.action(), left.action()),
        ("user.deleted", "workspace.user_left")
    );
    assert_eq!(
        (
            left.at("metadata.cause"),
            deleted.at("metadata.memberships_ended")
        ),
        (&"account_deleted".into(), &1.into())
    );
    assert_eq!(deleted.at("previous.email"), "bob@beta.example");
    assert_eq!(
        world.one(
            "select count(*) from user where name = 'Bob Marsh' or email = 'bob@beta.example'"
        ),
        "0"
    );
    assert_eq!(bob.get("/account").status, 303, "the session is over");
}

#[test]
fn accepting_an_invitation_comes_before_what_the_account_does() {
    let world = World::new();
    let (ann, acme) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    world.invited(&ann, "acme", "Bob Marsh", "bob@beta.example", "member");
    let log = world.log(&acme);
    let last: Vec<&str> = log[log.len() - 3..]
        .iter()
        .map(|event| event.action())
        .collect();
    assert_eq!(
        last,
        ["workspace.user_joined", "user.email_verified", "user.login"]
    );
    let joined = &log[log.len() - 3];
    assert_eq!(
        (
            joined.at("metadata.new_account"),
            joined.at("metadata.seat_count_after")
        ),
        (&true.into(), &2.into())
    );
    assert_eq!(
        log.last().unwrap().at("context.session_id"),
        log.last().unwrap().at("metadata.session_id")
    );
}

#[test]
fn sessions_can_be_taken_away_and_recovery_ends_all() {
    let world = World::new();
    let first = world.sign_up("Ann Keller", "ann@acme.example");
    let mut second = world.browser();
    second.agent = "Browser/2".to_owned();
    assert_eq!(second.log_in("ann@acme.example", PASSWORD).status, 303);
    let other = world.one("select id from session where user_agent = 'Browser/2'");
    assert!(first.get("/account").body.contains("Browser/2"));
    assert_eq!(
        first
            .post(&format!("/account/sessions/{other}/end"), &[])
            .status,
        303
    );
    assert_eq!(second.get("/account").status, 303);
    assert_eq!(first.get("/account").status, 200);
    first.post("/recover", &[("email", "ann@acme.example")]);
    let link = world.link("ann@acme.example", "password");
    let elsewhere = world.browser();
    elsewhere.get(&link);
    assert_eq!(elsewhere.post(&link, &[("password", "short")]).status, 422);
    assert_eq!(
        elsewhere
            .post(&link, &[("password", "another horse battery")])
            .status,
        303
    );
    assert_eq!(first.get("/account").status, 303);
    assert_eq!(elsewhere.get(&link).status, 404, "a link works once");
    assert_eq!(
        world.browser().log_in("ann@acme.example", PASSWORD).status,
        422
    );
    assert_eq!(
        world
            .browser()
            .log_in("ann@acme.example", "another horse battery")
            .status,
        303
    );
}

#[test]
fn a_link_alone_proves_no_account_that_another_has_made() {
    let world = World::new();
    let attacker = world.browser();
    attacker.post(
        "/signup",
        &[
            ("name", "Not Ann"),
            ("email", "ann@acme.example"),
            ("password", "the attacker knows"),
        ],
    );
    let link = world.link("ann@acme.example", "Confirm");
    let ann = world.browser();
    ann.get(&link);
    assert_eq!(ann.post(&link, &[("password", PASSWORD)]).status, 422);
    // She signs up herself, and what the attacker has set is gone.
    ann.post(
        "/signup",
        &[
            ("name", "Ann Keller"),
            ("email", "ann@acme.example"),
            ("password", PASSWORD),
        ],
    );
    let newer = until("another link", || {
        Some(world.link("ann@acme.example", "Confirm")).filter(|newer| *newer != link)
    });
    assert_eq!(attacker.get(&link).status, 404);
    ann.get(&newer);
    assert_eq!(ann.post(&newer, &[("password", PASSWORD)]).status, 303);
    assert_eq!(
        world
            .browser()
            .log_in("ann@acme.example", "the attacker knows")
            .status,
        422
    );
}

/// Who types the address of somebody else gets nothing from a click of its owner: not the address, and not what its domain opens.
#[test]
fn an_address_is_proved_by_its_owner_in_the_account_that_gets_it() {
    let world = World::new();
    let (ann, _) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    let domain = [("email", "ann@acme.example"), ("role", "member")];
    ann.post("/w/acme/settings/domains", &domain);
    let link = world.link("ann@acme.example", "Confirm acme.example");
    assert_eq!(ann.post(&link, &[]).status, 303);

    let mallory = world.sign_up("Mallory", "mallory@evil.example");
    let ask = |email: &str| {
        let fields = [("email", email), ("email_password", PASSWORD)];
        assert_eq!(mallory.post("/account/email", &fields).status, 303);
    };
    ask("newhire@acme.example");
    let link = world.link("newhire@acme.example", "Confirm your new address");
    let nobody = world.browser();
    let page = nobody.get(&link);
    assert!(page.text().contains("close this page"), "{}", page.text());
    assert_eq!(nobody.post(&link, &[]).status, 422);
    let guessed = nobody.post(&link, &[("password", "a guess of hers")]);
    assert_eq!(guessed.status, 422, "{}", guessed.text());
    // Nor where the owner is signed in as somebody else, with the password of that account.
    assert_eq!(ann.post(&link, &[]).status, 422);
    assert!(!mallory.get("/").text().contains("Acme"));
    let of_mallory = "select email from user where name = 'Mallory'";
    assert_eq!(world.one(of_mallory), "mallory@evil.example");

    // Whoever has both may: in a session of the account, or with its password in another browser.
    ask("mallory@gamma.example");
    let link = world.link("mallory@gamma.example", "Confirm your new address");
    assert!(!mallory.get(&link).body.contains(r#"type="password""#));
    assert_eq!(mallory.post(&link, &[]).status, 303);
    assert_eq!(world.one(of_mallory), "mallory@gamma.example");
    ask("mallory@delta.example");
    let link = world.link("mallory@delta.example", "Confirm your new address");
    let phone = world.browser();
    phone.get(&link);
    let page = phone.post(&link, &[("password", PASSWORD)]);
    assert_eq!((page.status, page.to()), (303, "/login"));
    assert_eq!(world.one(of_mallory), "mallory@delta.example");
}

/// Neither the page, nor one's own mailbox, nor a link of before tells whether somebody has the address that one asks for.
#[test]
fn a_change_of_address_does_not_tell_who_has_one() {
    let world = World::new();
    world.sign_up("Bob Marsh", "bob@beta.example");
    let seen = |wanted: &str, name: &str| {
        let own = format!("{name}@acme.example");
        let browser = world.sign_up(name, &own);
        let ask = |email: &str| {
            let fields = [("email", email), ("email_password", PASSWORD)];
            browser.post("/account/email", &fields)
        };
        ask(&format!("{name}@gamma.example"));
        let before = world.link(&format!("{name}@gamma.example"), "Confirm your new");
        let asked = ask(wanted);
        // Only the second notice names what was asked for now.
        until("the notice came", || {
            let notice = world.mail(&own, "about to change");
            notice.contains(wanted).then_some(())
        });
        let page = browser.get("/account").text();
        // Below is since when one is signed in.
        let (told, _) = page.split_once("Where you are signed in").unwrap();
        let told = told.replace(wanted, "…").replace(name, "…");
        (asked.status, told, browser.get(&before).status)
    };
    let (taken, free) = (
        seen("bob@beta.example", "dan"),
        seen("nobody@beta.example", "dee"),
    );
    assert_eq!(taken.2, 404);
    assert_eq!(taken, free);
}

#[test]
fn attempts_beyond_a_limit_are_not_compared_and_told_as_one() {
    let limits = tracker::Limits {
        attempts: 1,
        ..tracker::Limits::default()
    };
    let world = World::with(crate::harness::Setup {
        limits,
        ..Default::default()
    });
    let (ann, acme) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    drop(ann);
    let before = world.log(&acme).len();
    // Confirming her address was an attempt too.
    world.later(Duration::from_secs(90));
    let eve = world.browser();
    let answers: Vec<u16> = (0..16)
        .map(|_| eve.log_in("ann@acme.example", "wrong").status)
        .collect();
    assert_eq!(
        answers.iter().filter(|status| **status == 429).count(),
        6,
        "{answers:?}"
    );
    // Told after the answer.
    until("the first refusal is told", || {
        (world.last(&acme).reason() == "rate_limited").then_some(())
    });
    world.later(Duration::from_secs(90));
    let told: Vec<(String, Option<i64>)> = world.log(&acme)[before..]
        .iter()
        .map(|event| {
            (
                event.reason().to_owned(),
                event.at("metadata.occurrences").as_i64(),
            )
        })
        .collect();
    let of = |reason: &str| {
        told.iter()
            .filter(|(told, _)| told == reason)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (of("invalid_password").len(), of("account_locked").len()),
        (5, 5)
    );
    assert_eq!(
        of("rate_limited"),
        [
            &("rate_limited".to_owned(), None),
            &("rate_limited".to_owned(), Some(5))
        ]
    );
    // Of an unknown address the same is said.
    let statuses: Vec<u16> = (0..16)
        .map(|_| eve.log_in("nobody@acme.example", "wrong").status)
        .collect();
    assert_eq!(statuses, answers);
}
