//! Each way in which something fails, and what the log says of it.

use std::time::Duration;

use crate::harness::{Browser, Event, PASSWORD, Setup, World, at_provider, connect, until};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A workspace with an admin, a member and a project.
struct Stage {
    world: World,
    ann: Browser,
    mel: Browser,
    acme: String,
    project: String,
}

fn stage(seats: u32, guests: u32) -> Stage {
    let limits = tracker::Limits {
        seats,
        guests,
        projects: 2,
        attempts: 100,
    };
    let world = World::with(Setup {
        limits,
        ..Setup::default()
    });
    let (ann, acme) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    let mel = world.invited(&ann, "acme", "Mel Ott", "mel@beta.example", "member");
    let project = world.project(&ann, "acme", "Portal");
    Stage {
        world,
        ann,
        mel,
        acme,
        project,
    }
}

impl Stage {
    /// The attempt is answered with `status`, and is the newest event of the log, for this reason.
    #[track_caller]
    fn fails(&self, status: u16, got: u16, action: &str, reason: &str) -> Event {
        assert_eq!(got, status, "{action} {reason}");
        let event = self.world.last(&self.acme);
        assert_eq!(
            (event.action(), event.reason()),
            (action, reason),
            "{}",
            event.0
        );
        event
    }

    /// The attempt is answered with `status`, and the log says nothing of it.
    #[track_caller]
    fn silently(&self, before: usize, status: u16, got: u16) {
        assert_eq!(got, status);
        let log = self.world.log(&self.acme);
        assert_eq!(log.len(), before, "{}", log.last().unwrap().0);
    }

    fn events(&self) -> usize {
        self.world.log(&self.acme).len()
    }
}

#[test]
fn invitations() {
    const WORKSPACE: &str = "workspace.user_invitation_failed";
    const PROJECT: &str = "project.user_invitation_failed";
    let s = stage(4, 2);
    let people = format!("{}/people/invite", s.project);
    let invite = |by: &Browser, email: &str, role: &str| {
        by.post(
            "/w/acme/members/invite",
            &[("email", email), ("role", role)],
        )
        .status
    };
    let guest = |by: &Browser, email: &str| by.post(&people, &[("email", email)]).status;

    // Who may.
    assert_eq!(guest(&s.ann, "gia@guests.example"), 303);
    let gia = s.world.join("Gia Romano", "gia@guests.example");
    let event = s.fails(
        403,
        invite(&gia, "x@guests.example", "guest"),
        WORKSPACE,
        "permission_denied",
    );
    assert_eq!(
        (event.at("actor.role"), event.at("failure.stage")),
        (&"guest".into(), &"authorization".into())
    );
    s.fails(
        403,
        guest(&gia, "x@guests.example"),
        PROJECT,
        "permission_denied",
    );
    let event = s.fails(
        403,
        invite(&s.mel, "x@beta.example", "admin"),
        WORKSPACE,
        "role_not_permitted",
    );
    assert_eq!(
        (event.at("metadata.role"), event.at("targets.1.email")),
        (&"admin".into(), &"x@beta.example".into())
    );
    s.fails(
        403,
        invite(&s.mel, "x@beta.example", "manager"),
        WORKSPACE,
        "role_not_permitted",
    );

    // Who can be invited. What is no address is not recorded: it may be anything.
    let event = s.fails(
        422,
        invite(&s.ann, "hunter2 secret", "member"),
        WORKSPACE,
        "invalid_email",
    );
    assert!(!event.0.to_string().contains("hunter2"));
    s.fails(
        422,
        guest(&s.ann, "hunter2 secret"),
        PROJECT,
        "invalid_email",
    );
    s.fails(
        409,
        invite(&s.ann, "MEL@beta.example", "member"),
        WORKSPACE,
        "already_member",
    );
    s.fails(
        409,
        guest(&s.ann, "gia@guests.example"),
        PROJECT,
        "already_project_member",
    );

    // How many: those who are invited count.
    assert_eq!(guest(&s.ann, "gus@guests.example"), 303);
    s.fails(
        409,
        guest(&s.ann, "gil@guests.example"),
        PROJECT,
        "guest_limit_reached",
    );
    s.fails(
        409,
        invite(&s.ann, "gil@guests.example", "guest"),
        WORKSPACE,
        "guest_limit_reached",
    );
    assert_eq!(invite(&s.ann, "m1@beta.example", "member"), 303);
    assert_eq!(invite(&s.ann, "m2@beta.example", "member"), 303);
    s.fails(
        409,
        invite(&s.ann, "m3@beta.example", "member"),
        WORKSPACE,
        "seat_limit_reached",
    );
    // One who waits is sent the same invitation again.
    assert_eq!(invite(&s.ann, "m2@beta.example", "manager"), 303);
    let event = s.world.last(&s.acme);
    assert_eq!(
        (event.at("metadata.resend"), event.at("metadata.role")),
        (&true.into(), &"manager".into())
    );

    // To where: an archived project, an address that refuses for ever.
    s.ann.post(&format!("{}/settings/archive", s.project), &[]);
    s.fails(
        409,
        guest(&s.ann, "gus@guests.example"),
        PROJECT,
        "project_archived",
    );
    s.ann
        .post(&format!("{}/settings/unarchive", s.project), &[]);
    for (path, role, action) in [
        ("/w/acme/members/invite", "guest", WORKSPACE),
        (people.as_str(), "guest", PROJECT),
    ] {
        let gus = s.world.one("select id from invitation where email like 'g%' and state in ('pending', 'undeliverable') order by created_at desc");
        s.ann
            .post(&format!("/w/acme/invitations/{gus}/revoke"), &[]);
        assert_eq!(
            s.ann
                .post(path, &[("email", "gone@nowhere.invalid"), ("role", role)])
                .status,
            303
        );
        until("the mail came back", || {
            (s.world.last(&s.acme).reason() == "email_undeliverable").then_some(())
        });
        let event = s.fails(303, 303, action, "email_undeliverable");
        let id = s
            .world
            .one("select id from invitation where email = 'gone@nowhere.invalid' order by id desc");
        assert_eq!(
            (event.at("failure.stage"), event.at("actor.name")),
            (&"delivery".into(), &"Ann Keller".into())
        );
        assert!(event.0.to_string().contains(&id), "{}", event.0);
    }
}

#[test]
fn invitations_at_a_limit_are_refused_and_told_once_a_minute() {
    let limits = tracker::Limits {
        attempts: 1,
        seats: 200,
        ..tracker::Limits::default()
    };
    let world = World::with(Setup {
        limits,
        ..Setup::default()
    });
    let (ann, acme) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    for n in 0..50 {
        let page = ann.post(
            "/w/acme/members/invite",
            &[("email", &format!("m{n}@beta.example")), ("role", "member")],
        );
        assert_eq!(page.status, 303, "{}", page.text());
    }
    let page = ann.post(
        "/w/acme/members/invite",
        &[("email", "more@beta.example"), ("role", "member")],
    );
    assert_eq!(page.status, 429);
    assert_eq!(world.last(&acme).reason(), "rate_limited");
}

#[test]
fn joining() {
    const ACTION: &str = "workspace.user_join_failed";
    let s = stage(3, 5);
    let invite = |email: &str, role: &str| {
        let page = s.ann.post(
            "/w/acme/members/invite",
            &[("email", email), ("role", role)],
        );
        assert_eq!(page.status, 303, "{}", page.text());
        s.world.link(email, "invites you")
    };
    let nobody = s.world.browser();

    // A link that no invitation has names no workspace.
    let before = s.events();
    s.silently(before, 404, nobody.get("/join/nonsense").status);
    let told = "select count(*) from platform_event where reason = 'unknown_invitation'";
    assert_eq!(s.world.one(told), "1");
    assert_eq!(
        s.world
            .one("select count(*) from invitation where state <> 'accepted'"),
        "0"
    );

    let link = invite("eve@beta.example", "guest");
    s.world.later(8 * DAY);
    let event = s.fails(409, nobody.get(&link).status, ACTION, "invitation_expired");
    assert_eq!(
        (event.at("actor.type"), event.at("actor.email")),
        (&"unauthenticated".into(), &"eve@beta.example".into())
    );
    // Opening it again and again is one fact.
    let before = s.events();
    s.silently(before, 409, nobody.get(&link).status);
    s.world.later(2 * MINUTE);
    s.fails(409, nobody.get(&link).status, ACTION, "invitation_expired");

    let link = invite("flo@beta.example", "guest");
    let id = s
        .world
        .one("select id from invitation where email = 'flo@beta.example'");
    s.ann.get("/w/acme/members");
    assert_eq!(
        s.ann
            .post(&format!("/w/acme/invitations/{id}/revoke"), &[])
            .status,
        303
    );
    s.fails(409, nobody.get(&link).status, ACTION, "invitation_revoked");

    let link = invite("kim@beta.example", "guest");
    let _kim = s.world.join("Kim Bo", "kim@beta.example");
    s.fails(
        409,
        nobody.get(&link).status,
        ACTION,
        "invitation_already_used",
    );

    // Somebody else's invitation.
    let link = invite("lou@beta.example", "guest");
    let zoe = s.world.sign_up("Zoe Hart", "zoe@acme.example");
    let event = s.fails(
        409,
        zoe.get(&link).status,
        ACTION,
        "invitation_email_mismatch",
    );
    assert_eq!(
        (event.at("actor.name"), event.at("targets.1.email")),
        (&"Zoe Hart".into(), &"zoe@acme.example".into())
    );
    s.world.later(2 * MINUTE);
    s.fails(
        409,
        zoe.post(&link, &[]).status,
        ACTION,
        "invitation_email_mismatch",
    );

    // By the domain of an address.
    s.silently(
        s.events(),
        404,
        zoe.post("/workspaces/acme/join", &[]).status,
    );
    s.ann.post(
        "/w/acme/settings/domains",
        &[("email", "ann@acme.example"), ("role", "member")],
    );
    s.ann.post(
        &s.world.link("ann@acme.example", "Confirm acme.example"),
        &[],
    );
    let ned = s.world.browser();
    ned.post(
        "/signup",
        &[
            ("name", "Ned Fry"),
            ("email", "ned@acme.example"),
            ("password", PASSWORD),
        ],
    );
    assert_eq!(ned.log_in("ned@acme.example", PASSWORD).status, 303);
    ned.get("/");
    s.fails(
        409,
        ned.post("/workspaces/acme/join", &[]).status,
        ACTION,
        "email_not_verified",
    );

    // Seats: three, and two are taken; one more is invited and comes later than Zoe.
    let link = invite("max@beta.example", "member");
    assert_eq!(zoe.post("/workspaces/acme/join", &[]).status, 303);
    let max = s.world.browser();
    max.get(&link);
    s.fails(
        409,
        max.post(
            &format!("{link}/new"),
            &[("name", "Max Lee"), ("password", PASSWORD)],
        )
        .status,
        ACTION,
        "seat_limit_reached",
    );
    assert_eq!(
        s.world
            .one("select count(*) from user where email = 'max@beta.example'"),
        "0",
        "nothing is left of the attempt"
    );
    s.fails(
        409,
        zoe.post("/workspaces/acme/join", &[]).status,
        ACTION,
        "already_member",
    );

    let domain = s.world.one("select id from domain_join");
    s.ann
        .post(&format!("/w/acme/settings/domains/{domain}/remove"), &[]);
    let yan = s.world.sign_up("Yan Wu", "yan@acme.example");
    s.fails(
        409,
        yan.post("/workspaces/acme/join", &[]).status,
        ACTION,
        "domain_not_allowed",
    );
}

#[test]
fn a_guest_who_comes_when_all_places_are_taken() {
    let s = stage(5, 1);
    let people = format!("{}/people/invite", s.project);
    s.ann.post(&people, &[("email", "gia@guests.example")]);
    let link = s.world.link("gia@guests.example", "invites you");
    // The one place went to somebody else meanwhile.
    let mel = s
        .world
        .one("select id from user where email = 'mel@beta.example'");
    assert_eq!(
        s.ann
            .post(&format!("/w/acme/members/{mel}/role"), &[("role", "guest")])
            .status,
        303
    );
    let gia = s.world.browser();
    gia.get(&link);
    let got = gia
        .post(
            &format!("{link}/new"),
            &[("name", "Gia Romano"), ("password", PASSWORD)],
        )
        .status;
    let event = s.fails(
        409,
        got,
        "workspace.user_join_failed",
        "guest_limit_reached",
    );
    assert_eq!(event.at("metadata.method"), "project_invitation");
}

#[test]
fn shared_accounts() {
    const ACTION: &str = "workspace.integration_shared_account_connection_failed";
    const CONNECT: &str = "/w/acme/settings/integrations/taskyard/connect";
    let s = stage(5, 5);
    let shows = |page: crate::harness::Page| {
        assert_eq!(
            (page.status, page.to()),
            (303, "/w/acme/settings/integrations")
        );
        s.ann.get("/w/acme/settings/integrations");
    };
    let event = s.fails(
        403,
        s.mel.post(CONNECT, &[]).status,
        ACTION,
        "permission_denied",
    );
    assert_eq!(
        (event.at("actor.role"), event.at("metadata.auth_type")),
        (&"member".into(), &"oauth2".into())
    );

    shows(connect(&s.ann, CONNECT, "deny"));
    let event = s.fails(0, 0, ACTION, "oauth_denied");
    assert_eq!(event.at("metadata.provider_error_code"), "access_denied");

    // An answer that was not asked for: whose account would that be?
    let page = s.ann.post(CONNECT, &[]);
    let back = at_provider(page.to(), "allow");
    let forged = back.replace("state=", "state=x");
    shows(s.ann.get(&forged));
    s.fails(0, 0, ACTION, "oauth_state_mismatch");
    assert_eq!(s.ann.get(&back).status, 404, "the attempt is over");

    s.world.provider_does(&[("fewer_scopes", "on")]);
    shows(connect(&s.ann, CONNECT, "allow"));
    s.fails(0, 0, ACTION, "insufficient_scopes");
    for (exchange, reason) in [
        ("hangs", "provider_unreachable"),
        ("fails", "provider_error"),
    ] {
        s.world.provider_does(&[("exchange", exchange)]);
        shows(connect(&s.ann, CONNECT, "allow"));
        s.fails(0, 0, ACTION, reason);
    }
    s.world.provider_does(&[("asking", "admin_approval")]);
    shows(connect(&s.ann, CONNECT, "allow"));
    s.fails(0, 0, ACTION, "provider_admin_approval_required");

    s.world.provider_does(&[]);
    shows(connect(&s.ann, CONNECT, "allow"));
    assert_eq!(
        s.world.last(&s.acme).action(),
        "workspace.integration_shared_account_connected"
    );
    shows(connect(&s.ann, CONNECT, "allow"));
    s.fails(0, 0, ACTION, "account_already_connected");

    // One's own account that cannot be connected is nobody's business.
    let before = s.events();
    let page = connect(&s.mel, "/account/integrations/taskyard/connect", "deny");
    s.silently(before, 303, page.status);
    let token = s.world.one("select token from integration_account");
    assert!(
        !s.world
            .log(&s.acme)
            .iter()
            .any(|event| event.0.to_string().contains(&token)),
        "a token is in the log"
    );
}

#[test]
fn forwarding_issues() {
    let s = stage(5, 5);
    connect(
        &s.ann,
        "/w/acme/settings/integrations/taskyard/connect",
        "allow",
    );
    let account = s.world.one("select id from integration_account");
    let page = s.ann.post(
        &format!("{}/settings", s.project),
        &[("name", "Portal"), ("account_id", &account)],
    );
    assert_eq!(page.status, 303, "{}", page.text());

    let forwarded = |number: &str, state: &str| {
        let sql = format!("select sync_state from issue where number = {number}");
        until(&format!("the issue was {state}"), || {
            (s.world.one(&sql) == state).then_some(())
        });
    };
    s.ann
        .post(&format!("{}/new", s.project), &[("title", "First")]);
    forwarded("1", "synced");
    for (number, api, reason, retryable) in [
        ("2", "rejects", "integration_rejected", false),
        ("3", "hangs", "integration_unreachable", true),
        ("4", "busy", "integration_rate_limited", true),
        ("5", "unauthorized", "integration_auth_expired", true),
    ] {
        s.world.provider_does(&[("api", api)]);
        assert_eq!(
            s.ann
                .post(&format!("{}/new", s.project), &[("title", "Another")])
                .status,
            303
        );
        forwarded(number, "failed");
        let event = s.fails(0, 0, "issue.creation_failed", reason);
        assert_eq!(
            (event.at("failure.stage"), event.at("metadata.retryable")),
            (&"integration_sync".into(), &retryable.into())
        );
        assert_eq!(
            event.at("targets.1.name"),
            &format!("#{number} Another"),
            "the issue is there"
        );
    }
    // Whoever looks can send it again.
    s.world.provider_does(&[]);
    assert_eq!(
        s.world.one("select state from integration_account"),
        "needs_reauth"
    );
    connect(
        &s.ann,
        "/w/acme/settings/integrations/taskyard/connect",
        "allow",
    );
    assert_eq!(s.world.last(&s.acme).at("metadata.reconnect"), &true);
    assert_eq!(
        s.ann
            .post(&format!("{}/i/3/forward", s.project), &[])
            .status,
        303
    );
    forwarded("3", "synced");
}

#[test]
fn issues_that_are_refused() {
    let s = stage(5, 5);
    let new = format!("{}/new", s.project);
    let event = s.fails(
        422,
        s.mel
            .post(&new, &[("title", ""), ("description", "Something private")])
            .status,
        "issue.creation_failed",
        "validation_failed",
    );
    assert!(
        !event.0.to_string().contains("private"),
        "what was rejected is not kept"
    );
    s.ann.post(&format!("{}/settings/archive", s.project), &[]);
    s.fails(
        409,
        s.mel.post(&new, &[("title", "Late")]).status,
        "issue.creation_failed",
        "project_archived",
    );
}

#[test]
fn signing_in() {
    const ACTION: &str = "user.login_failed";
    let s = stage(5, 5);
    let bob = s.world.browser();
    let mel = "mel@beta.example";
    let code = |browser: &Browser| {
        let last = s.world.one("select count(*) from login_code");
        assert_eq!(browser.post("/login/code", &[("email", mel)]).status, 200);
        until("another code", || {
            (s.world.one("select count(*) from login_code") != last).then_some(())
        });
        let sent =
            "select count(*) from mail_queue where sent_at is null and subject like '%code%'";
        until("the code was sent", || {
            (s.world.one(sent) == "0").then_some(())
        });
        let mail = s.world.mail(mel, "code");
        mail.split(|c: char| !c.is_ascii_digit())
            .find(|word| word.len() == 6)
            .unwrap()
            .to_owned()
    };
    let enter = |browser: &Browser, code: &str| {
        browser
            .post("/login/code/enter", &[("email", mel), ("code", code)])
            .status
    };

    let event = s.fails(
        422,
        bob.log_in(mel, "wrong").status,
        ACTION,
        "invalid_password",
    );
    assert_eq!(
        (event.at("actor.type"), event.at("targets.0.name")),
        (&"unauthenticated".into(), &"Mel Ott".into())
    );
    assert_eq!(
        (
            event.at("metadata.consecutive_failures"),
            event.at("metadata.method")
        ),
        (&1.into(), &"password".into())
    );

    let first = code(&bob);
    let wrong = if first == "000000" {
        "000001"
    } else {
        "000000"
    };
    s.fails(422, enter(&bob, wrong), ACTION, "login_code_invalid");
    let second = code(&bob);
    if first != second {
        s.fails(422, enter(&bob, &first), ACTION, "login_code_expired");
    }
    assert_eq!(enter(&bob, &second), 303);
    assert_eq!(s.world.last(&s.acme).action(), "user.login");
    s.fails(
        422,
        enter(&s.world.browser(), &second),
        ACTION,
        "login_code_used",
    );
    let old = code(&bob);
    s.world.later(11 * MINUTE);
    s.fails(
        422,
        enter(&s.world.browser(), &old),
        ACTION,
        "login_code_expired",
    );

    // Five in a row, and the account pauses; the right password does not help then, and helps again after.
    s.world.later(16 * MINUTE);
    let eve = s.world.browser();
    assert_eq!(eve.log_in(mel, PASSWORD).status, 303);
    let eve = s.world.browser();
    for n in 1..=5 {
        let event = s.fails(
            422,
            eve.log_in(mel, "wrong").status,
            ACTION,
            "invalid_password",
        );
        assert_eq!(event.at("metadata.consecutive_failures"), &n);
        assert_eq!(event.at("metadata.locked_until").is_string(), n == 5);
    }
    s.fails(
        422,
        eve.log_in(mel, PASSWORD).status,
        ACTION,
        "account_locked",
    );
    s.world.later(16 * MINUTE);
    assert_eq!(eve.log_in(mel, PASSWORD).status, 303);

    // A code that is got wrong too often holds no longer, right or not.
    let right = code(&eve);
    let wrong = if right == "000000" {
        "000001"
    } else {
        "000000"
    };
    let ivy = s.world.browser();
    for _ in 0..5 {
        enter(&ivy, wrong);
        s.world
            .database()
            .execute("update user set locked_until = null, failed_logins = 0", [])
            .unwrap();
    }
    s.fails(422, enter(&ivy, &right), ACTION, "too_many_attempts");
    s.world
        .database()
        .execute("update user set locked_until = null, failed_logins = 0", [])
        .unwrap();

    // What the workspace does not allow; its admins are exempt.
    let page = s.ann.post(
        "/w/acme/settings",
        &[("name", "Acme"), ("login_code_allowed", "on")],
    );
    assert_eq!(page.status, 303, "{}", page.text());
    let page = s.world.browser().log_in(mel, PASSWORD);
    assert!(
        page.text().contains("Acme asks you to sign in with a code"),
        "{}",
        page.text()
    );
    let event = s.fails(422, page.status, ACTION, "method_not_allowed");
    assert_eq!(event.at("metadata.initiating_workspace_id"), &s.acme);
    assert_eq!(
        s.world
            .browser()
            .log_in("ann@acme.example", PASSWORD)
            .status,
        303
    );

    // An address that nobody has is in no log.
    let before = s.events();
    s.silently(
        before,
        422,
        s.world
            .browser()
            .log_in("nobody@nowhere.example", "wrong")
            .status,
    );
    assert_eq!(
        s.world
            .one("select reason from platform_event order by id desc"),
        "unknown_email"
    );
    assert_eq!(
        s.world
            .one("select count(*) from platform_event where reason like '%nobody%'"),
        "0"
    );
}

#[test]
fn what_has_no_event_by_design() {
    let s = stage(5, 5);
    s.world.project(&s.ann, "acme", "Second");
    let before = s.events();
    s.silently(
        before,
        409,
        s.ann
            .post("/w/acme/projects/new", &[("name", "Third")])
            .status,
    );
    s.silently(
        before,
        409,
        s.ann
            .post("/account/delete", &[("delete_password", PASSWORD)])
            .status,
    );
    s.silently(before, 409, s.ann.post("/w/acme/members/leave", &[]).status);
    s.silently(
        before,
        422,
        s.ann
            .post(
                "/w/acme/settings/domains",
                &[("email", "ann@gmail.com"), ("role", "member")],
            )
            .status,
    );
    s.silently(
        before,
        422,
        s.ann
            .post(
                "/account/password",
                &[("current", "wrong"), ("password", "another horse")],
            )
            .status,
    );
    s.silently(
        before,
        403,
        s.mel.post(&format!("{}/exports", s.project), &[]).status,
    );
    let ann = s
        .world
        .one("select id from user where email = 'ann@acme.example'");
    s.silently(
        before,
        403,
        s.mel
            .post(&format!("/w/acme/members/{ann}/remove"), &[])
            .status,
    );
    s.silently(
        before,
        409,
        s.ann
            .post(
                &format!("/w/acme/members/{ann}/role"),
                &[("role", "member")],
            )
            .status,
    );
    // What changes nothing says nothing either.
    s.silently(
        before,
        303,
        s.ann
            .post(&format!("/w/acme/members/{ann}/role"), &[("role", "admin")])
            .status,
    );
    s.silently(
        before,
        303,
        s.ann
            .post(
                "/account/profile",
                &[("name", "Ann Keller"), ("job_role", "")],
            )
            .status,
    );
    let same = [
        ("name", "Portal"),
        ("website_host", "www.acme.example"),
        ("members_access", "all"),
    ];
    s.silently(
        before,
        303,
        s.ann.post(&format!("{}/settings", s.project), &same).status,
    );
    s.ann
        .post(&format!("{}/new", s.project), &[("title", "An issue")]);
    let before = s.events();
    s.silently(
        before,
        303,
        s.ann
            .post(&format!("{}/i/1/status", s.project), &[("status", "open")])
            .status,
    );
}
