//! One story in which each of the 43 events happens, by what people do.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::harness::{Browser, PASSWORD, World, connect};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The 43, with what each is to say of who and what.
const ACTIONS: [&str; 43] = [
    "comment.deleted",
    "comment.published",
    "comment.updated",
    "issue.created",
    "issue.creation_failed",
    "issue.deleted",
    "issue.status_updated",
    "project.archived",
    "project.created",
    "project.deleted",
    "project.export_requested",
    "project.group_updated",
    "project.unarchived",
    "project.updated",
    "project.user_invitation_failed",
    "project.user_invited",
    "project.user_removed",
    "project.widget_installed",
    "user.deleted",
    "user.email_verified",
    "user.integration_account_connected",
    "user.integration_account_deleted",
    "user.login",
    "user.login_code_requested",
    "user.login_failed",
    "user.logout",
    "user.password_recovery_requested",
    "user.password_updated",
    "user.updated",
    "workspace.created",
    "workspace.deleted",
    "workspace.domain_join_added",
    "workspace.domain_join_removed",
    "workspace.integration_shared_account_connected",
    "workspace.integration_shared_account_connection_failed",
    "workspace.integration_shared_account_deleted",
    "workspace.user_invitation_failed",
    "workspace.user_invited",
    "workspace.user_join_failed",
    "workspace.user_joined",
    "workspace.user_left",
    "workspace.user_removed",
    "workspace.user_role_updated",
];

fn done(page: &crate::harness::Page) {
    assert_eq!(page.status, 303, "{}", page.text());
}

#[test]
fn all_43_events_happen_by_what_people_do() {
    let world = World::with(crate::harness::Setup {
        limits: tracker::Limits {
            guests: 1,
            attempts: 100,
            ..tracker::Limits::default()
        },
        ..Default::default()
    });
    let (ann, acme) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    let post =
        |browser: &Browser, path: &str, fields: &[(&str, &str)]| done(&browser.post(path, fields));
    assert_eq!(
        world.log(&acme).len(),
        1,
        "what Ann did before there was a workspace is in no log"
    );

    // A domain, a shared account, a project with its widget.
    post(
        &ann,
        "/w/acme/settings/domains",
        &[("email", "ann@acme.example"), ("role", "member")],
    );
    let link = world.link("ann@acme.example", "Confirm acme.example");
    post(&ann, &link, &[]);
    connect(
        &ann,
        "/w/acme/settings/integrations/taskyard/connect",
        "deny",
    );
    connect(
        &ann,
        "/w/acme/settings/integrations/taskyard/connect",
        "allow",
    );
    let project = world.project(&ann, "acme", "Portal");
    post(
        &ann,
        &format!("{project}/settings"),
        &[
            ("name", "Customer portal"),
            ("website_host", "www.acme.example"),
        ],
    );
    post(&ann, "/w/acme/settings/groups", &[("name", "Web")]);
    let group = world.one("select id from project_group");
    post(
        &ann,
        &format!("{project}/settings/group"),
        &[("group_id", &group)],
    );
    post(
        &ann,
        &format!("{project}/settings/widget"),
        &[
            ("visibility", "everyone"),
            ("allowed_hosts", "www.acme.example"),
        ],
    );
    let key = world.one("select public_key from widget");
    let visitor = world.browser();
    let ping = visitor.send(
        "POST",
        &format!("/widget/{key}/ping"),
        Some("{}"),
        &[("origin", "https://www.acme.example")],
    );
    assert_eq!(ping.status, 204);

    // Bob: a wrong address, an invitation that is too old, another one, and more to do.
    assert_eq!(
        ann.post(
            "/w/acme/members/invite",
            &[("email", "bob at acme"), ("role", "member")]
        )
        .status,
        422
    );
    post(
        &ann,
        "/w/acme/members/invite",
        &[("email", "bob@beta.example"), ("role", "member")],
    );
    let old = world.link("bob@beta.example", "invites you");
    world.later(8 * DAY);
    assert_eq!(world.browser().get(&old).status, 409);
    let ann = {
        ann.get("/");
        ann
    };
    let invitation = world.one("select id from invitation");
    post(
        &ann,
        &format!("/w/acme/invitations/{invitation}/resend"),
        &[],
    );
    crate::harness::until("another link", || {
        (world.link("bob@beta.example", "invites you") != old).then_some(())
    });
    let bob = world.join("Bob Marsh", "bob@beta.example");
    let bob_id = world.one("select id from user where email = 'bob@beta.example'");
    post(
        &ann,
        &format!("/w/acme/members/{bob_id}/role"),
        &[("role", "manager")],
    );

    // Gia, when there is room for her.
    post(
        &ann,
        &format!("{project}/people/invite"),
        &[("email", "gus@guests.example")],
    );
    assert_eq!(
        ann.post(
            &format!("{project}/people/invite"),
            &[("email", "gia@guests.example")]
        )
        .status,
        409
    );
    let gus = world.one("select id from invitation where email = 'gus@guests.example'");
    post(&ann, &format!("/w/acme/invitations/{gus}/revoke"), &[]);
    post(
        &ann,
        &format!("{project}/people/invite"),
        &[("email", "gia@guests.example")],
    );
    let _gia = world.join("Gia Romano", "gia@guests.example");
    let gia_id = world.one("select id from user where email = 'gia@guests.example'");

    // Issues.
    let report = r#"{"title":"Header overlaps","description":"On small screens","name":"Vera","email":"vera@visitors.example","page_path":"/shop?token=secret"}"#;
    let send = |origin: &str| {
        let json = ("content-type", "application/json");
        visitor.send(
            "POST",
            &format!("/widget/{key}/issues"),
            Some(report),
            &[("origin", origin), json],
        )
    };
    assert_eq!(send("https://evil.example").status, 403);
    assert_eq!(send("https://www.acme.example").status, 201);
    let issue = format!("{project}/i/1");
    post(
        &bob,
        &format!("{issue}/comments"),
        &[("body", "I can see it too")],
    );
    let comment = world.one("select id from comment");
    post(
        &bob,
        &format!("{issue}/comments/{comment}/edit"),
        &[
            ("body", "I can see it too, on a phone"),
            ("members_only", "on"),
        ],
    );
    post(&bob, &format!("{issue}/comments/{comment}/delete"), &[]);
    post(&bob, &format!("{issue}/status"), &[("status", "resolved")]);
    post(&bob, &format!("{issue}/delete"), &[]);
    let export = bob.post(&format!("{project}/exports"), &[]);
    assert!(
        bob.get(export.to())
            .body
            .starts_with("number,title,type,status")
    );
    post(&bob, &format!("{project}/settings/archive"), &[]);
    post(&bob, &format!("{project}/settings/unarchive"), &[]);
    post(&bob, &format!("{project}/people/{gia_id}/remove"), &[]);

    // Bob's account, in both of his workspaces.
    let (cara, globex) = world.admin("Cara Diaz", "cara@globex.example", "Globex");
    post(
        &cara,
        "/w/globex/members/invite",
        &[("email", "bob@beta.example"), ("role", "member")],
    );
    let link = world.link("bob@beta.example", "invites you to Globex");
    bob.get(&link);
    post(&bob, &link, &[]);
    post(&bob, "/logout", &[]);
    assert_eq!(
        bob.log_in("bob@beta.example", "not his password").status,
        422
    );
    bob.get("/login/code");
    assert_eq!(
        bob.post("/login/code", &[("email", "bob@beta.example")])
            .status,
        200
    );
    let mail = world.mail("bob@beta.example", "code");
    let code = mail
        .split(|c: char| !c.is_ascii_digit())
        .find(|word| word.len() == 6)
        .unwrap()
        .to_owned();
    post(
        &bob,
        "/login/code/enter",
        &[("email", "bob@beta.example"), ("code", &code)],
    );
    assert_eq!(
        bob.post("/recover", &[("email", "bob@beta.example")])
            .status,
        200
    );
    let link = world.link("bob@beta.example", "password");
    bob.get(&link);
    post(&bob, &link, &[("password", "another horse battery")]);
    post(
        &bob,
        "/login",
        &[
            ("email", "bob@beta.example"),
            ("password", "another horse battery"),
        ],
    );
    post(
        &bob,
        "/account/profile",
        &[("name", "Bob Marsh-Lee"), ("job_role", "Tester")],
    );
    post(
        &bob,
        "/account/email",
        &[
            ("email", "bob@gamma.example"),
            ("email_password", "another horse battery"),
        ],
    );
    let link = world.link("bob@gamma.example", "Confirm");
    post(&bob, &link, &[]);
    let page = connect(&bob, "/account/integrations/taskyard/connect", "allow");
    done(&page);
    let account = world.one("select id from integration_account where user_id is not null");
    post(
        &bob,
        &format!("/account/integrations/{account}/delete"),
        &[],
    );
    post(&bob, "/w/acme/members/leave", &[]);

    // Cy and Dee come by their domain.
    let cy = world.sign_up("Cy Young", "cy@acme.example");
    post(&cy, "/workspaces/acme/join", &[]);
    let cy_id = world.one("select id from user where email = 'cy@acme.example'");
    post(&ann, &format!("/w/acme/members/{cy_id}/remove"), &[]);
    let dee = world.sign_up("Dee Ito", "dee@acme.example");
    post(&dee, "/workspaces/acme/join", &[]);
    post(&dee, "/account/delete", &[("delete_password", PASSWORD)]);

    // The end.
    let domain = world.one("select id from domain_join");
    post(
        &ann,
        &format!("/w/acme/settings/domains/{domain}/remove"),
        &[],
    );
    let account = world.one("select id from integration_account where workspace_id is not null");
    post(
        &ann,
        &format!("/w/acme/settings/integrations/{account}/delete"),
        &[],
    );
    post(
        &ann,
        &format!("{project}/settings/delete"),
        &[("name", "Customer portal")],
    );
    post(&ann, "/w/acme/settings/delete", &[("name", "Acme")]);

    let log = world.log(&acme);
    let actions: BTreeSet<&str> = log.iter().map(|event| event.action()).collect();
    assert_eq!(actions, ACTIONS.into_iter().collect());
    assert_eq!(log[0].action(), "workspace.created");
    assert_eq!(log.last().unwrap().action(), "workspace.deleted");
    let order: Vec<&str> = log.iter().map(|event| event.action()).collect();
    assert_eq!(order, EXPECTED);

    // Nothing that is secret, and nothing that people wrote to each other.
    let whole: String = log.iter().map(|event| event.0.to_string()).collect();
    for secret in [
        PASSWORD,
        "another horse",
        "not his password",
        &code,
        "I can see it",
        "On small screens",
        "token=secret",
        "bob at acme",
    ] {
        assert!(!whole.contains(secret), "{secret} is in the log");
    }
    let token = |name: &str, browser: &Browser| browser.cookie(name).unwrap();
    assert!(!whole.contains(&token("tracker_session", &bob)));

    // Bob's account events are in both workspaces under one id, and nobody else's are in his second one.
    let other = world.log(&globex);
    let users: BTreeSet<&str> = other
        .iter()
        .filter(|event| event.action().starts_with("user."))
        .map(|event| {
            event
                .at("targets.0.id")
                .as_str()
                .filter(|id| id.starts_with("usr_"))
                .unwrap_or(&bob_id)
        })
        .collect();
    assert_eq!(users, BTreeSet::from([bob_id.as_str()]));
    let of_bob = |log: &[crate::harness::Event]| -> Vec<String> {
        let told = log.iter().filter(|event| {
            event.action() == "user.password_updated" || event.action() == "user.updated"
        });
        told.map(|event| event.0["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(of_bob(&log), of_bob(&other));
    assert_eq!(of_bob(&log).len(), 3);

    // Roles are those of each workspace, changes hold only what changed.
    let find = |action: &str| log.iter().rfind(|event| event.action() == action).unwrap();
    assert_eq!(find("user.updated").at("actor.role"), "manager");
    let there = other
        .iter()
        .rfind(|event| event.action() == "user.updated")
        .unwrap();
    assert_eq!(there.at("actor.role"), "member");
    let renamed = log
        .iter()
        .find(|event| event.action() == "project.updated")
        .unwrap();
    assert_eq!(
        renamed.at("previous"),
        &serde_json::json!({"name": "Portal"})
    );
    assert_eq!(
        renamed.at("next"),
        &serde_json::json!({"name": "Customer portal"})
    );
    let role = find("workspace.user_role_updated");
    assert_eq!(
        (role.at("previous.role"), role.at("next.role")),
        (&"member".into(), &"manager".into())
    );
    assert_eq!(role.at("metadata.privilege_change"), "escalation");
    let failed = find("user.login_failed");
    assert_eq!(
        (failed.at("actor.type"), failed.reason()),
        (&"unauthenticated".into(), "invalid_password")
    );
    assert_eq!(find("issue.created").at("actor.type"), "reporter");
    assert_eq!(find("issue.created").at("context.source"), "widget");
    assert_eq!(find("issue.created").at("metadata.page_path"), "/shop");
    assert_eq!(find("issue.created").at("context.location"), "192.0.2.7");
}

/// The log of the story, event by event.
const EXPECTED: &[&str] = &[
    "workspace.created",
    "workspace.domain_join_added",
    "workspace.integration_shared_account_connection_failed",
    "workspace.integration_shared_account_connected",
    "project.created",
    "project.updated",
    "project.group_updated",
    "project.updated",
    "project.widget_installed",
    "workspace.user_invitation_failed",
    "workspace.user_invited",
    "workspace.user_join_failed",
    "workspace.user_invited",
    "workspace.user_joined",
    "user.email_verified",
    "user.login",
    "workspace.user_role_updated",
    "project.user_invited",
    "project.user_invitation_failed",
    "project.user_removed",
    "project.user_invited",
    "workspace.user_joined",
    "user.email_verified",
    "user.login",
    "issue.creation_failed",
    "issue.created",
    "comment.published",
    "comment.updated",
    "comment.deleted",
    "issue.status_updated",
    "issue.deleted",
    "project.export_requested",
    "project.archived",
    "project.unarchived",
    "project.user_removed",
    "user.logout",
    "user.login_failed",
    "user.login_code_requested",
    "user.login",
    "user.password_recovery_requested",
    "user.password_updated",
    "user.login",
    "user.updated",
    "user.updated",
    "user.email_verified",
    "user.integration_account_connected",
    "user.integration_account_deleted",
    "workspace.user_left",
    "workspace.user_joined",
    "workspace.user_removed",
    "workspace.user_joined",
    "user.deleted",
    "workspace.user_left",
    "workspace.domain_join_removed",
    "workspace.integration_shared_account_deleted",
    "project.deleted",
    "workspace.deleted",
];
