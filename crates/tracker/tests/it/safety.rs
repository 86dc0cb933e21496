//! What must not be possible.

use crate::harness::World;

/// Every form, with its fields left out: what is refused must be refused before they are looked at.
const FORMS: &[&str] = &[
    "/login",
    "/login/code",
    "/login/code/enter",
    "/logout",
    "/signup",
    "/verify/x",
    "/verify-again",
    "/confirm-email/x",
    "/recover",
    "/recover/x",
    "/join/x",
    "/join/x/new",
    "/verify-domain/x",
    "/workspaces/new",
    "/workspaces/acme/join",
    "/account/profile",
    "/account/email",
    "/account/password",
    "/account/sessions/x/end",
    "/account/delete",
    "/account/integrations/taskyard/connect",
    "/account/integrations/x/delete",
    "/w/acme/projects/new",
    "/w/acme/members/invite",
    "/w/acme/members/leave",
    "/w/acme/members/x/role",
    "/w/acme/members/x/remove",
    "/w/acme/invitations/x/resend",
    "/w/acme/invitations/x/revoke",
    "/w/acme/settings",
    "/w/acme/settings/delete",
    "/w/acme/settings/domains",
    "/w/acme/settings/domains/x/remove",
    "/w/acme/settings/groups",
    "/w/acme/settings/groups/x/delete",
    "/w/acme/settings/integrations/taskyard/connect",
    "/w/acme/settings/integrations/x/delete",
    "{p}/new",
    "{p}/i/1/status",
    "{p}/i/1/assign",
    "{p}/i/1/forward",
    "{p}/i/1/delete",
    "{p}/i/1/comments",
    "{p}/i/1/comments/x/edit",
    "{p}/i/1/comments/x/delete",
    "{p}/people/invite",
    "{p}/people/x/remove",
    "{p}/exports",
    "{p}/settings",
    "{p}/settings/group",
    "{p}/settings/widget",
    "{p}/settings/widget/confirm",
    "{p}/settings/archive",
    "{p}/settings/unarchive",
    "{p}/settings/delete",
];

/// Every page of a workspace.
const PAGES: &[&str] = &[
    "/w/acme",
    "/w/acme/projects/new",
    "/w/acme/members",
    "/w/acme/settings",
    "/w/acme/settings/domains",
    "/w/acme/settings/groups",
    "/w/acme/settings/integrations",
    "/w/acme/settings/audit-logs",
    "{p}",
    "{p}/new",
    "{p}/i/1",
    "{p}/people",
    "{p}/exports",
    "{p}/settings",
];

#[test]
fn a_form_of_another_site_does_nothing() {
    let world = World::new();
    let (ann, acme) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    let project = world.project(&ann, "acme", "Portal");
    ann.post(&format!("{project}/new"), &[("title", "An issue")]);
    let before = world.log(&acme).len();
    let (url, stranger) = (world.url.clone(), world.browser());
    stranger.get("/login");
    for form in FORMS {
        let path = form.replace("{p}", &project);
        // With the session of somebody who is signed in: without a token, with that of another browser, and from another origin.
        let none = ann.send("POST", &path, Some("name=x"), &[("origin", &url)]);
        assert_eq!(none.status, 403, "{path} without a token: {}", none.text());
        let others = ann.send("POST", &path, Some("csrf=AAAA&name=x"), &[("origin", &url)]);
        assert_eq!(others.status, 403, "{path} with a wrong token");
        let from = ann.send(
            "POST",
            &path,
            Some("name=x"),
            &[("origin", "https://evil.example")],
        );
        assert_eq!(from.status, 403, "{path} from another origin");
    }
    assert_eq!(world.log(&acme).len(), before);
    assert_eq!(ann.get("/account").status, 200, "nobody was signed out");
    // The right token does not help another origin.
    let page = ann.get("/account");
    let token = page
        .body
        .split(r#"name="csrf" value=""#)
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let body = format!("csrf={token}");
    assert_eq!(
        ann.send(
            "POST",
            "/logout",
            Some(&body),
            &[("origin", "https://evil.example")]
        )
        .status,
        403
    );
    assert_eq!(
        ann.send(
            "POST",
            "/logout",
            Some(&body),
            &[("sec-fetch-site", "cross-site")]
        )
        .status,
        403
    );
    assert_eq!(
        ann.send("POST", "/logout", Some(&body), &[("origin", &url)])
            .status,
        303
    );
}

#[test]
fn a_workspace_is_its_members_alone() {
    let world = World::new();
    let (ann, _) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    let project = world.project(&ann, "acme", "Portal");
    ann.post(&format!("{project}/new"), &[("title", "An issue")]);
    let (olga, _) = world.admin("Olga Brandt", "olga@globex.example", "Globex");
    let own = world.project(&olga, "globex", "Own");
    let nobody = world.browser();
    for page in PAGES {
        let path = page.replace("{p}", &project);
        assert_eq!(
            ann.get(&path).status,
            200,
            "{path}: {}",
            ann.get(&path).text()
        );
        assert_eq!(olga.get(&path).status, 404, "{path}");
        let to_login = nobody.get(&path);
        assert!(
            to_login.status == 303 && to_login.to().starts_with("/login"),
            "{path}"
        );
    }
    for form in FORMS
        .iter()
        .filter(|form| form.starts_with("/w/") || form.starts_with("{p}"))
    {
        let path = form.replace("{p}", &project);
        assert_eq!(
            olga.post(
                &path,
                &[
                    ("name", "x"),
                    ("email", "x@x.example"),
                    ("role", "admin"),
                    ("status", "open")
                ]
            )
            .status,
            404,
            "{path}"
        );
    }
    // A project of one's own workspace is not reached through another's, nor the other way round.
    let id = project.rsplit('/').next().unwrap();
    assert_eq!(olga.get(&format!("/w/globex/p/{id}")).status, 404);
    let id = own.rsplit('/').next().unwrap();
    assert_eq!(olga.get(&format!("/w/acme/p/{id}")).status, 404);
}

#[test]
fn guests_and_members_see_what_is_theirs() {
    let world = World::new();
    let (ann, _) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    let mel = world.invited(&ann, "acme", "Mel Ott", "mel@beta.example", "member");
    let open = world.project(&ann, "acme", "Open");
    let hidden = ann
        .post(
            "/w/acme/projects/new",
            &[("name", "Hidden"), ("members_access", "restricted")],
        )
        .to()
        .to_owned();
    ann.post(
        &format!("{open}/people/invite"),
        &[("email", "gia@guests.example")],
    );
    let gia = world.join("Gia Romano", "gia@guests.example");
    assert_eq!((mel.get(&open).status, mel.get(&hidden).status), (200, 404));
    ann.post(
        &format!("{hidden}/people/invite"),
        &[("email", "mel@beta.example")],
    );
    assert_eq!(mel.get(&hidden).status, 200);
    assert_eq!((gia.get(&open).status, gia.get(&hidden).status), (200, 404));

    mel.post(&format!("{open}/new"), &[("title", "Of a member")]);
    gia.post(&format!("{open}/new"), &[("title", "Of a guest")]);
    assert_eq!(
        (
            gia.get(&format!("{open}/i/1")).status,
            gia.get(&format!("{open}/i/2")).status
        ),
        (404, 200)
    );
    assert!(
        !gia.get(&format!("{open}?status=all"))
            .body
            .contains("Of a member")
    );
    mel.post(
        &format!("{open}/i/2/comments"),
        &[("body", "Between us"), ("members_only", "on")],
    );
    mel.post(
        &format!("{open}/i/2/comments"),
        &[("body", "For everybody")],
    );
    let seen = gia.get(&format!("{open}/i/2")).text();
    assert!(
        seen.contains("For everybody") && !seen.contains("Between us"),
        "{seen}"
    );
    assert_eq!(
        gia.post(&format!("{open}/i/2/status"), &[("status", "closed")])
            .status,
        403
    );
    assert_eq!(
        gia.post(
            &format!("{open}/i/2/comments"),
            &[("body", "x"), ("members_only", "on")]
        )
        .status,
        403
    );
    assert_eq!(
        mel.post(&format!("{open}/i/2/delete"), &[]).status,
        403,
        "another's issue"
    );
    assert_eq!(
        gia.post(&format!("{open}/i/2/delete"), &[]).status,
        303,
        "one's own"
    );
    // Only admins have the audit log; for others there is no such page.
    for browser in [&mel, &gia] {
        assert_eq!(browser.get("/w/acme/settings/audit-logs").status, 404);
        assert!(!browser.get("/w/acme").body.contains("audit-logs"));
    }
}

#[test]
fn an_invitation_to_a_project_holds_for_who_came_in_another_way() {
    let world = World::new();
    let (ann, _) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    let project = world.project(&ann, "acme", "Portal");
    ann.post(
        &format!("{project}/people/invite"),
        &[("email", "gia@guests.example")],
    );
    let link = world.link("gia@guests.example", "invites you to Portal");
    let page = ann.post(
        "/w/acme/members/invite",
        &[("email", "gia@guests.example"), ("role", "guest")],
    );
    assert_eq!(page.status, 303, "{}", page.text());
    let to_workspace = world.link("gia@guests.example", "invites you to Acme");
    let gia = world.browser();
    gia.get(&to_workspace);
    let new = [
        ("name", "Gia Romano"),
        ("password", crate::harness::PASSWORD),
    ];
    assert_eq!(gia.post(&format!("{to_workspace}/new"), &new).status, 303);
    assert_eq!(gia.get(&project).status, 404);
    gia.get(&link);
    assert_eq!(gia.post(&link, &[]).status, 303);
    assert_eq!(gia.get(&project).status, 200);
}

#[test]
fn what_people_write_is_text() {
    let world = World::new();
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let (ann, _) = world.admin(evil, "ann@acme.example", "Acme");
    let project = world.project(&ann, "acme", evil);
    ann.post(
        &format!("{project}/new"),
        &[("title", evil), ("description", evil)],
    );
    ann.post(&format!("{project}/i/1/comments"), &[("body", evil)]);
    ann.post("/w/acme/settings/groups", &[("name", evil)]);
    for page in PAGES {
        let page = ann.get(&page.replace("{p}", &project));
        assert!(
            !page.body.contains("<script>alert") && !page.body.contains("<img src=x"),
            "{}",
            page.body
        );
    }
    let page = ann.get(&format!("{project}/i/1"));
    assert!(
        page.headers["content-security-policy"].starts_with("default-src 'none'; style-src 'self'")
    );
    assert!(
        !page.headers["content-security-policy"].contains("script-src"),
        "no page has a script"
    );
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    assert_eq!(page.headers["cache-control"], "no-store");
    let csv = ann.post(&format!("{project}/exports"), &[]);
    assert!(ann.get(csv.to()).headers["content-disposition"].starts_with("attachment"));
}

#[test]
fn a_session_is_a_secret_of_the_browser() {
    let world = World::new();
    let ann = world.sign_up("Ann Keller", "ann@acme.example");
    let cookie = ann.cookie("tracker_session").unwrap();
    let files = ["tracker.sqlite", "tracker.sqlite-wal"];
    let database = world.database();
    let path = std::path::PathBuf::from(database.path().unwrap());
    for file in files {
        let bytes = std::fs::read(path.with_file_name(file)).unwrap_or_default();
        for secret in [cookie.as_str(), crate::harness::PASSWORD] {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} stands in {file}");
        }
    }
    let thief = world.browser();
    thief.set_cookie(
        "tracker_session",
        &world.one("select token_hash from session"),
    );
    assert_eq!(thief.get("/account").status, 303);
    assert_eq!(ann.open("/login?next=https://evil.example").status, 200);
    assert!(!ann.get("/login?next=//evil.example").to().contains("evil"));
}
