//! What somebody with bad intentions tries.

use std::time::Duration;

use crate::harness::{Browser, PASSWORD, Setup, World, at_provider, connect, until};

const MINUTE: Duration = Duration::from_secs(60);

/// Who stole a password asked for another address with it. The owner takes the account back; what the thief holds opens nothing.
#[test]
fn taking_an_account_back_voids_what_was_asked_for_before() {
    let world = World::new();
    let ann = world.sign_up("Ann Keller", "ann@acme.example");
    let thief = world.browser();
    assert_eq!(thief.log_in("ann@acme.example", PASSWORD).status, 303);
    let taken = [
        ("email", "thief@evil.example"),
        ("email_password", PASSWORD),
    ];
    assert_eq!(thief.post("/account/email", &taken).status, 303);
    let stolen = world.link("thief@evil.example", "Confirm");
    assert_eq!(thief.get(&stolen).status, 200);

    ann.post("/recover", &[("email", "ann@acme.example")]);
    let link = world.link("ann@acme.example", "Set a new password");
    ann.get(&link);
    let new = "quite another battery";
    assert_eq!(ann.post(&link, &[("password", new)]).status, 303);
    assert_eq!(thief.get(&stolen).status, 404);
    assert_eq!(thief.post(&stolen, &[]).status, 404);

    // The other way round: a link that went to the old mailbox is void once the address has changed.
    ann.log_in("ann@acme.example", new);
    ann.get("/account");
    let moved = [("email", "ann@beta.example"), ("email_password", new)];
    assert_eq!(ann.post("/account/email", &moved).status, 303);
    let before = world.one("select count(*) from password_reset");
    thief.post("/recover", &[("email", "ann@acme.example")]);
    until("another link was made", || {
        (world.one("select count(*) from password_reset") != before).then_some(())
    });
    let reset = until("it came", || {
        Some(world.link("ann@acme.example", "Set a new password")).filter(|newer| *newer != link)
    });
    assert_eq!(thief.get(&reset).status, 200);
    ann.post(&world.link("ann@beta.example", "Confirm"), &[]);
    assert_eq!(thief.get(&reset).status, 404);
    assert_eq!(
        thief
            .post(&reset, &[("password", "the thief knows")])
            .status,
        404
    );
}

#[test]
fn whoever_signs_in_gets_a_session_of_his_own() {
    let world = World::new();
    let ann = world.sign_up("Ann Keller", "ann@acme.example");
    let bob = world.sign_up("Bob Marsh", "bob@beta.example");
    drop(bob);
    // A cookie that somebody planted is no session before and none after.
    let victim = world.browser();
    victim.set_cookie("tracker_session", "planted-by-somebody-else");
    assert_eq!(victim.log_in("bob@beta.example", PASSWORD).status, 303);
    let given = victim.cookie("tracker_session").unwrap();
    assert_ne!(given, "planted-by-somebody-else");
    let planter = world.browser();
    planter.set_cookie("tracker_session", "planted-by-somebody-else");
    assert_eq!(planter.get("/account").status, 303);
    // Whoever signs in where somebody else was ends that session.
    let anns = ann.cookie("tracker_session").unwrap();
    let token = ann.get("/account").token();
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("csrf", token.as_str()),
            ("email", "bob@beta.example"),
            ("password", PASSWORD),
        ])
        .finish();
    let page = ann.send("POST", "/login", Some(&body), &[("origin", &world.url)]);
    assert_eq!(page.status, 303, "{}", page.text());
    let left = world.browser();
    left.set_cookie("tracker_session", &anns);
    assert_eq!(left.get("/account").status, 303);
    assert!(ann.get("/account").text().contains("bob@beta.example"));
}

/// Every id in an address of one workspace, brought to another one in which somebody is the admin.
#[test]
fn an_id_of_another_workspace_names_nothing() {
    let world = World::new();
    let (ann, acme) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    let (olga, _) = world.admin("Olga Brandt", "olga@globex.example", "Globex");
    let project = world.project(&ann, "acme", "Portal");
    let other = world.project(&ann, "acme", "Other");
    let own = world.project(&olga, "globex", "Own");
    ann.post(&format!("{project}/new"), &[("title", "An issue")]);
    ann.post(&format!("{other}/new"), &[("title", "An issue")]);
    olga.post(&format!("{own}/new"), &[("title", "An issue")]);
    ann.post(&format!("{project}/i/1/comments"), &[("body", "A remark")]);
    ann.post("/w/acme/settings/groups", &[("name", "Web")]);
    ann.post(
        "/w/acme/settings/domains",
        &[("email", "ann@acme.example"), ("role", "member")],
    );
    ann.post(
        "/w/acme/members/invite",
        &[("email", "new@acme.example"), ("role", "member")],
    );
    ann.post(&format!("{project}/exports"), &[]);
    connect(
        &ann,
        "/w/acme/settings/integrations/taskyard/connect",
        "allow",
    );
    let of = |sql: &str| world.one(sql);
    let (ann_id, group) = (
        of("select id from user where email = 'ann@acme.example'"),
        of("select id from project_group"),
    );
    let (domain, invitation) = (
        of("select id from domain_join"),
        of("select id from invitation"),
    );
    let (comment, export) = (
        of("select id from comment"),
        of("select id from export_job"),
    );
    let (account, session) = (
        of("select id from integration_account"),
        of(
            "select session.id from session join user on user.id = user_id where email = 'ann@acme.example'",
        ),
    );
    let before = world.log(&acme).len();

    // Of another workspace, and of another project of the same one.
    for path in [
        format!("/w/globex/members/{ann_id}/role"),
        format!("/w/globex/members/{ann_id}/remove"),
        format!("/w/globex/invitations/{invitation}/resend"),
        format!("/w/globex/invitations/{invitation}/revoke"),
        format!("/w/globex/settings/domains/{domain}/remove"),
        format!("/w/globex/settings/groups/{group}/delete"),
        format!("/w/globex/settings/integrations/{account}/delete"),
        format!("{own}/i/1/comments/{comment}/edit"),
        format!("{own}/i/1/comments/{comment}/delete"),
        format!("{own}/people/{ann_id}/remove"),
        format!("/account/integrations/{account}/delete"),
    ] {
        let page = olga.post(&path, &[("role", "member"), ("body", "x")]);
        assert_eq!(page.status, 404, "{path}: {}", page.text());
    }
    assert_eq!(olga.get(&format!("{own}/exports/{export}")).status, 404);
    assert_eq!(ann.get(&format!("{other}/exports/{export}")).status, 404);
    let elsewhere = format!("{other}/i/1/comments/{comment}/delete");
    assert_eq!(ann.post(&elsewhere, &[]).status, 404);

    // In the fields of a form.
    for (path, field, value, status) in [
        (format!("{own}/settings/group"), "group_id", &group, 404),
        (format!("{own}/settings"), "account_id", &account, 422),
        (
            format!("{own}/settings"),
            "default_assignee_id",
            &ann_id,
            422,
        ),
        (format!("{own}/i/1/assign"), "assignee_id", &ann_id, 422),
        (format!("{own}/new"), "assignee_id", &ann_id, 422),
        ("/w/globex/projects/new".to_owned(), "group_id", &group, 404),
    ] {
        let fields = [("name", "Own"), ("title", "An issue"), (field, value)];
        let page = olga.post(&path, &fields);
        assert_eq!(page.status, status, "{path} {field}: {}", page.text());
    }

    // Another's session is not ended, though nothing tells that it is there.
    olga.post(&format!("/account/sessions/{session}/end"), &[]);
    assert_eq!(ann.get("/account").status, 200);
    let text = world.log(&acme);
    assert_eq!(text.len(), before, "{}", text.last().unwrap().0);
}

#[test]
fn nobody_raises_himself_or_reaches_above() {
    let world = World::new();
    let (ann, acme) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    let max = world.invited(&ann, "acme", "Max Lee", "max@beta.example", "manager");
    let mel = world.invited(&ann, "acme", "Mel Ott", "mel@beta.example", "member");
    let id = |email: &str| world.one(&format!("select id from user where email = '{email}'"));
    let role = |by: &Browser, email: &str, role: &str| {
        let path = format!("/w/acme/members/{}/role", id(email));
        by.post(&path, &[("role", role)]).status
    };
    let before = world.log(&acme).len();
    assert_eq!(role(&mel, "mel@beta.example", "admin"), 403);
    assert_eq!(role(&max, "max@beta.example", "admin"), 403);
    assert_eq!(role(&max, "mel@beta.example", "admin"), 403);
    assert_eq!(role(&max, "ann@acme.example", "member"), 403);
    assert_eq!(role(&max, "mel@beta.example", "owner"), 422);
    let remove = format!("/w/acme/members/{}/remove", id("ann@acme.example"));
    assert_eq!(max.post(&remove, &[]).status, 403);
    assert_eq!(
        role(&ann, "ann@acme.example", "member"),
        409,
        "the last admin"
    );
    assert_eq!(world.log(&acme).len(), before);

    // An invitation to a role that one may not give is not changed, sent again, or taken back either.
    ann.post(
        "/w/acme/members/invite",
        &[("email", "chief@acme.example"), ("role", "admin")],
    );
    let invitation = world.one("select id from invitation where email = 'chief@acme.example'");
    let lower = [("email", "chief@acme.example"), ("role", "guest")];
    assert_eq!(mel.post("/w/acme/members/invite", &lower).status, 403);
    assert_eq!(world.last(&acme).reason(), "role_not_permitted");
    for deed in ["resend", "revoke"] {
        let path = format!("/w/acme/invitations/{invitation}/{deed}");
        assert_eq!(max.post(&path, &[]).status, 403, "{deed}");
    }
    let link = world.link("chief@acme.example", "invites you");
    assert_eq!(world.browser().get(&link).status, 200, "it holds still");

    // An owner who is no admin any more is none: what is his goes to an admin.
    let chief = world.join("Chief", "chief@acme.example");
    assert_eq!(role(&chief, "ann@acme.example", "member"), 303);
    let event = world.last(&acme);
    assert_eq!(event.at("metadata.is_owner_transfer"), &true);
    assert_eq!(
        world.one("select email from user join workspace on owner_id = user.id"),
        "chief@acme.example"
    );
}

#[test]
fn a_hidden_project_is_hidden_from_lists_and_invitations() {
    let world = World::new();
    let (ann, acme) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    let mel = world.invited(&ann, "acme", "Mel Ott", "mel@beta.example", "member");
    let fields = [("name", "Merger"), ("members_access", "restricted")];
    let hidden = ann.post("/w/acme/projects/new", &fields).to().to_owned();
    ann.post(
        &format!("{hidden}/people/invite"),
        &[("email", "gia@guests.example")],
    );
    let invitation = world.one("select id from invitation where state = 'pending'");
    let seen = mel.get("/w/acme/members").text();
    assert!(
        !seen.contains("Merger") && !seen.contains("gia@guests.example"),
        "{seen}"
    );
    let before = world.log(&acme).len();
    let again = format!("/w/acme/invitations/{invitation}/resend");
    assert_eq!(mel.post(&again, &[]).status, 404);
    assert_eq!(world.log(&acme).len(), before);
}

#[test]
fn guests_see_names_and_no_addresses() {
    let world = World::new();
    let (ann, _) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    let project = world.project(&ann, "acme", "Portal");
    for (name, email) in [
        ("Gia Romano", "gia@guests.example"),
        ("Hal Hunt", "hal@guests.example"),
    ] {
        ann.post(&format!("{project}/people/invite"), &[("email", email)]);
        let guest = world.join(name, email);
        guest.post(&format!("{project}/new"), &[("title", "Of a guest")]);
    }
    let gia = world.browser();
    gia.log_in("gia@guests.example", PASSWORD);
    for page in ["/w/acme/members", &format!("{project}/people")] {
        let page = gia.get(page).text();
        assert!(page.contains("Hal Hunt"), "{page}");
        assert!(
            !page.contains("hal@guests.example") && !page.contains("ann@acme.example"),
            "{page}"
        );
        assert!(page.contains("gia@guests.example"), "one's own: {page}");
    }
    let of_hal = gia.get(&format!("{project}/i/2")).text();
    assert!(
        of_hal.contains("Hal Hunt") && !of_hal.contains("hal@guests.example"),
        "{of_hal}"
    );
    assert!(!of_hal.contains("Reported through"), "{of_hal}");
    assert!(
        ann.get(&format!("{project}/i/2"))
            .text()
            .contains("hal@guests.example")
    );
}

/// Whoever invites an address hears nothing of the account that it may have elsewhere.
#[test]
fn an_invitation_tells_nothing_of_an_account_elsewhere() {
    let world = World::new();
    let (ann, acme) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    let (olga, globex) = world.admin("Olga Secret-Name", "olga@globex.example", "Globex");
    drop(olga);
    let user = world.one("select id from user where email = 'olga@globex.example'");
    let before = world.log(&acme).len();
    for (email, role, status) in [
        ("olga@globex.example", "member", 303),
        ("nobody@globex.example", "member", 303),
    ] {
        let page = ann.post(
            "/w/acme/members/invite",
            &[("email", email), ("role", role)],
        );
        assert_eq!(page.status, status, "{}", page.text());
    }
    let mel = world.invited(&ann, "acme", "Mel Ott", "mel@beta.example", "member");
    mel.post(
        "/w/acme/members/invite",
        &[("email", "olga@globex.example"), ("role", "admin")],
    );
    assert_eq!(world.last(&acme).reason(), "role_not_permitted");
    let told = world.log(&acme).split_off(before);
    let all: String = told.iter().map(|event| event.0.to_string()).collect();
    assert!(all.contains("olga@globex.example"), "{all}");
    assert!(
        !all.contains("Secret-Name") && !all.contains(&user),
        "{all}"
    );
    assert_eq!(
        world.log(&globex).len(),
        1,
        "and her workspace hears nothing of it"
    );
    let page = ann.get("/w/acme/members").text();
    assert!(!page.contains("Secret-Name"), "{page}");
}

#[test]
fn two_workspaces_do_not_lock_somebody_out_between_them() {
    let world = World::new();
    let (ann, _) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    let (olga, _) = world.admin("Olga Brandt", "olga@globex.example", "Globex");
    let bob = world.invited(&ann, "acme", "Bob Marsh", "bob@beta.example", "member");
    olga.post(
        "/w/globex/members/invite",
        &[("email", "bob@beta.example"), ("role", "member")],
    );
    let link = world.link("bob@beta.example", "invites you to Globex");
    bob.get(&link);
    assert_eq!(bob.post(&link, &[]).status, 303);
    ann.post(
        "/w/acme/settings",
        &[("name", "Acme"), ("login_code_allowed", "on")],
    );
    olga.post(
        "/w/globex/settings",
        &[("name", "Globex"), ("password_allowed", "on")],
    );
    let fresh = world.browser();
    assert_eq!(fresh.log_in("bob@beta.example", PASSWORD).status, 422);
    fresh.post("/login/code", &[("email", "bob@beta.example")]);
    let mail = world.mail("bob@beta.example", "code");
    let code = mail
        .split(|c: char| !c.is_ascii_digit())
        .find(|word| word.len() == 6)
        .unwrap();
    let page = fresh.post(
        "/login/code/enter",
        &[("email", "bob@beta.example"), ("code", code)],
    );
    assert_eq!(page.status, 303, "{}", page.text());
}

/// What sends mails to addresses that anybody may type is limited, and what others read there holds no address of a web site.
#[test]
fn the_tracker_sends_nobody_floods_or_lures() {
    let limits = tracker::Limits {
        attempts: 1,
        ..tracker::Limits::default()
    };
    let world = World::with(Setup {
        limits,
        ..Setup::default()
    });
    let (ann, _) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    let ask = || {
        ann.post(
            "/w/acme/settings/domains",
            &[("email", "victim@victim.example"), ("role", "member")],
        )
        .status
    };
    let answers: Vec<u16> = (0..8).map(|_| ask()).collect();
    assert_eq!(
        answers.iter().filter(|status| **status == 303).count(),
        5,
        "{answers:?}"
    );
    assert_eq!(answers[7], 429);
    world.later(20 * MINUTE);
    assert_eq!(ask(), 303);

    let lure = "Your account was hacked, see https://evil.example";
    assert_eq!(ann.post("/workspaces/new", &[("name", lure)]).status, 422);
    assert_eq!(ann.post("/account/profile", &[("name", lure)]).status, 422);
    let signup = [
        ("name", lure),
        ("email", "victim@victim.example"),
        ("password", PASSWORD),
    ];
    assert_eq!(world.browser().post("/signup", &signup).status, 422);
    // Lines of a name would be lines of a mail's head.
    let header = "Ann\r\nBcc: everybody@victim.example";
    assert_eq!(
        ann.post("/account/profile", &[("name", header)]).status,
        422
    );

    let (mut made, mut last) = (1, 0);
    for n in 0..21 {
        last = ann
            .post("/workspaces/new", &[("name", &format!("W{n}"))])
            .status;
        made += usize::from(last == 303);
    }
    // The refused one above was an attempt too.
    assert_eq!((made, last), (19, 429), "each has a log that outlives it");
}

/// An attacker begins a connection of his own and has the victim come back with its answer: the account would be the attacker's.
#[test]
fn an_answer_of_a_provider_belongs_to_the_session_that_asked() {
    let world = World::new();
    let (ann, acme) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    let (eve, _) = world.admin("Eve Stone", "eve@evil.example", "Evil");
    let connect = "/w/evil/settings/integrations/taskyard/connect";
    let page = eve.post(connect, &[]);
    assert!(
        page.to().contains("code_challenge_method=S256"),
        "{}",
        page.to()
    );
    let back = at_provider(page.to(), "allow");
    let before = world.log(&acme).len();
    assert_eq!(ann.get(&back).status, 404);
    assert_eq!(
        world.browser().get(&back).status,
        303,
        "to the sign-in page"
    );
    // In another session of the same person neither.
    let elsewhere = world.browser();
    elsewhere.log_in("eve@evil.example", PASSWORD);
    assert_eq!(elsewhere.get(&back).status, 404);
    assert_eq!(world.log(&acme).len(), before);
    assert_eq!(world.one("select count(*) from integration_account"), "0");
    // Where it belongs it holds, once.
    assert_eq!(eve.get(&back).status, 303);
    assert_eq!(world.one("select count(*) from integration_account"), "1");
    assert_eq!(eve.get(&back).status, 404);
}

#[test]
fn the_clock_is_not_for_pages_that_a_browser_shows() {
    let world = World::new();
    let visitor = world.browser();
    let time = "2030-01-01T00:00:00Z";
    for header in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let page = visitor.send("POST", "/clock", Some(time), &[header]);
        assert_eq!(page.status, 404, "{header:?}");
    }
    assert_eq!(visitor.send("GET", "/clock", None, &[]).status, 405);
}

/// The widget's door takes no more from a network of IPv6 than from one address.
#[test]
fn an_address_for_each_attempt_is_one_visitor() {
    let limits = tracker::Limits {
        attempts: 1,
        ..tracker::Limits::default()
    };
    let world = World::with(Setup {
        limits,
        ..Setup::default()
    });
    let mut eve = world.browser();
    eve.get("/recover");
    let answers: Vec<u16> = (0..32)
        .map(|n| {
            eve.address = format!("2001:db8:7:1::{n:x}");
            let email = format!("somebody{n}@victim.example");
            eve.post("/recover", &[("email", &email)]).status
        })
        .collect();
    assert_eq!(
        answers.iter().filter(|status| **status == 429).count(),
        2,
        "{answers:?}"
    );
}

/// Links are guessed no faster than that, and widgets neither.
#[test]
fn guesses_are_limited() {
    let limits = tracker::Limits {
        attempts: 1,
        ..tracker::Limits::default()
    };
    let world = World::with(Setup {
        limits,
        ..Setup::default()
    });
    let eve = world.browser();
    let json = [("content-type", "application/json")];
    let answers: Vec<u16> = (0..62)
        .map(|n| match n % 2 {
            0 => eve.get(&format!("/join/guess{n}")).status,
            _ => {
                let path = format!("/widget/guess{n}/issues");
                eve.send("POST", &path, Some("{}"), &json).status
            }
        })
        .collect();
    assert_eq!(answers[..60], [404; 60], "{answers:?}");
    assert_eq!(answers[60..], [429; 2], "{answers:?}");
    assert_eq!(world.one("select count(*) from platform_event"), "60");
}

/// What people write stands in mails, in the file for spreadsheets and in messages as text too.
#[test]
fn what_people_write_is_text_in_mails_and_files() {
    let world = World::new();
    let evil = "<img src=x onerror=alert(1)>\"'";
    let (ann, _) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    let project = world.project(&ann, "acme", evil);
    ann.post(&format!("{project}/new"), &[("title", "=HYPERLINK(1)")]);
    ann.post(
        &format!("{project}/people/invite"),
        &[("email", "gia@guests.example")],
    );
    world.mail("gia@guests.example", "invites you");
    let page = world.browser().get("/mailbox");
    assert!(!page.body.contains("<img src=x"), "{}", page.body);
    let file = ann.get(ann.post(&format!("{project}/exports"), &[]).to());
    assert!(file.body.contains("'=HYPERLINK(1)"), "{}", file.body);
    assert_eq!(file.headers["x-content-type-options"], "nosniff");
    ann.post(&format!("{project}/settings/delete"), &[("name", evil)]);
    let told = ann.get("/w/acme");
    assert!(
        told.text().contains("is deleted") && !told.body.contains("<img src=x"),
        "{}",
        told.body
    );
}
