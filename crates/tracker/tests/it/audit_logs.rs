//! Settings → Audit Logs: Annals' own page in a frame of ours.

use crate::harness::{Browser, PASSWORD, Page, World, until};

fn frame(page: &Page) -> String {
    let address = page
        .body
        .split(r#"<iframe class="frame" src=""#)
        .nth(1)
        .unwrap_or_else(|| panic!("no frame: {}", page.text()));
    address.split('"').next().unwrap().replace("&amp;", "&")
}

/// Opens an address of Annals as a frame does.
fn opened(world: &World, browser: &Browser, link: &str) -> (String, Page) {
    let mut at = link.to_owned();
    for _ in 0..5 {
        let page = browser.get(&at);
        if page.status != 303 {
            return (at, page);
        }
        at = format!(
            "{}{}",
            world.annals.url(),
            page.to().trim_start_matches(&world.annals.url())
        );
    }
    panic!("{at} leads on and on");
}

#[test]
fn an_admin_reads_the_log_in_a_frame() {
    let world = World::new();
    let (ann, acme) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    assert_eq!(world.log(&acme).len(), 1);
    let page = ann.get("/w/acme/settings/audit-logs");
    let link = frame(&page);
    assert!(link.starts_with(&world.annals.url()), "{link}");
    let policy = &page.headers["content-security-policy"];
    assert!(
        policy.contains(&format!("frame-src {}", world.annals.url())),
        "{policy}"
    );

    // The link opens Annals as this person, in a frame of this origin alone.
    let browser = world.browser();
    let (_, log) = opened(&world, &browser, &link);
    assert_eq!(log.status, 200, "{}", log.text());
    assert!(
        log.text().contains("Created workspace") && log.text().contains("Ann Keller"),
        "{}",
        log.text()
    );
    let ancestors = log.headers["content-security-policy"]
        .split("frame-ancestors")
        .nth(1)
        .unwrap()
        .to_owned();
    assert!(ancestors.contains(&world.url), "{ancestors}");
    assert_eq!(world.browser().get(&link).status / 100, 4, "it opens once");

    // A page within, as Annals puts it into links; nothing of another workspace, and no other address.
    let inside = format!("/w/{acme}/audit-logs?q=action%3Aworkspace.created");
    let encoded: String = url::form_urlencoded::byte_serialize(inside.as_bytes()).collect();
    let link = frame(&ann.get(&format!("/w/acme/settings/audit-logs?open={encoded}")));
    let (at, _) = opened(&world, &world.browser(), &link);
    assert!(at.contains("workspace.created"), "{at}");
    for wrong in [
        "https://evil.example",
        "/w/other/audit-logs",
        "//evil.example",
    ] {
        let link = frame(&ann.get(&format!("/w/acme/settings/audit-logs?open={wrong}")));
        assert!(
            world
                .browser()
                .get(&link)
                .to()
                .contains(&format!("/w/{acme}/audit-logs"))
        );
    }
}

#[test]
fn a_workspace_that_is_not_entitled_sees_how_to_get_it() {
    let world = World::new();
    let (ann, acme) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    world.log(&acme);
    world.annals.set_entitlement(&acme, "inactive");
    let link = frame(&ann.get("/w/acme/settings/audit-logs"));
    let browser = world.browser();
    let (_, locked) = opened(&world, &browser, &link);
    assert!(
        locked
            .text()
            .to_lowercase()
            .contains("contact us for a demo"),
        "{}",
        locked.text()
    );
    // Recording goes on meanwhile.
    let project = world.project(&ann, "acme", "Portal");
    ann.post(
        &format!("{project}/new"),
        &[("title", "While it is locked")],
    );
    world.annals.set_entitlement(&acme, "active");
    assert_eq!(world.last(&acme).action(), "issue.created");
}

#[test]
fn links_of_annals_lead_back_into_the_settings_page() {
    let world = World::new();
    let (_ann, acme) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    world.log(&acme);
    let (status, text) = world.annals.organization(&acme);
    assert_eq!(status, 200);
    let expected = format!("{}/w/acme/settings/audit-logs?open={{path}}", world.url);
    assert!(text.contains(&expected), "{text}");
}

/// Somebody with the audit log of Acme open in a browser.
struct Reader {
    browser: Browser,
    log: String,
}

impl Reader {
    fn of(world: &World, admin: &Browser, workspace: &str) -> Self {
        let browser = world.browser();
        let link = frame(&admin.get("/w/acme/settings/audit-logs"));
        let (_, page) = opened(world, &browser, &link);
        assert_eq!(page.status, 200, "{}", page.text());
        let log = format!("{}/w/{workspace}/audit-logs", world.annals.url());
        Self { browser, log }
    }

    fn reads(&self) -> bool {
        let page = self.browser.get(&self.log);
        assert!(matches!(page.status, 200 | 401), "{}", page.text());
        page.status == 200
    }

    /// Told after the answer, and in force at the next request.
    fn is_shut_out(&self) {
        until("the page is closed", || (!self.reads()).then_some(()));
        let own = [("sec-fetch-site", "same-origin")];
        let file = format!("{}/download.csv", self.log);
        assert_eq!(self.browser.send("GET", &file, None, &own).status, 401);
    }
}

#[test]
fn whoever_may_read_no_more_is_shut_out_of_an_open_log() {
    let world = World::new();
    let (ann, acme) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    world.log(&acme);
    let another = |name: &str| {
        let address = format!("{name}@acme.example");
        let browser = world.invited(&ann, "acme", name, &address, "admin");
        let id = world.one(&format!("select id from user where email = '{address}'"));
        let reader = Reader::of(&world, &browser, &acme);
        (browser, reader, format!("/w/acme/members/{id}"))
    };
    let anns = Reader::of(&world, &ann, &acme);
    let done = |page: &Page| assert_eq!(page.status, 303, "{}", page.text());

    let (_, demoted, member) = another("bob");
    done(&ann.post(&format!("{member}/role"), &[("role", "manager")]));
    demoted.is_shut_out();
    let (_, removed, member) = another("cy");
    done(&ann.post(&format!("{member}/remove"), &[]));
    removed.is_shut_out();
    let (dee, left, _) = another("dee");
    done(&dee.post("/w/acme/members/leave", &[]));
    left.is_shut_out();
    let (eli, deleted, _) = another("eli");
    done(&eli.post("/account/delete", &[("delete_password", PASSWORD)]));
    deleted.is_shut_out();

    // Nothing of it concerns anybody else.
    assert!(anns.reads());
    done(&ann.post("/workspaces/new", &[("name", "Beta")]));
    done(&ann.post("/w/beta/settings/delete", &[("name", "Beta")]));
    assert!(anns.reads());
    // The log outlives the workspace: what an admin has open goes on, until he leaves.
    done(&ann.post("/w/acme/settings/delete", &[("name", "Acme")]));
    until("everything is told", || {
        (world.one("select count(*) from viewer_closing") == "0").then_some(())
    });
    assert!(anns.reads());
    done(&ann.post("/logout", &[]));
    anns.is_shut_out();
}

#[test]
fn the_end_of_a_session_closes_the_log_that_it_opened() {
    let world = World::new();
    let (ann, acme) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    world.log(&acme);
    let again = || {
        let browser = world.browser();
        assert_eq!(browser.log_in("ann@acme.example", PASSWORD).status, 303);
        browser.get("/account");
        browser
    };
    let out = again();
    let reader = Reader::of(&world, &out, &acme);
    assert_eq!(out.post("/logout", &[]).status, 303);
    reader.is_shut_out();

    let reader = Reader::of(&world, &again(), &acme);
    assert_eq!(again().post("/logout", &[("everywhere", "on")]).status, 303);
    reader.is_shut_out();

    // Taken away from elsewhere; a new password does the same.
    let mut other = world.browser();
    other.agent = "Browser/2".to_owned();
    assert_eq!(other.log_in("ann@acme.example", PASSWORD).status, 303);
    let reader = Reader::of(&world, &other, &acme);
    let id =
        world.one("select id from session where user_agent = 'Browser/2' and ended_at is null");
    let here = again();
    let ended = here.post(&format!("/account/sessions/{id}/end"), &[]);
    assert_eq!(ended.status, 303);
    reader.is_shut_out();
    let reader = Reader::of(&world, &again(), &acme);
    let new = [("current", PASSWORD), ("password", "another horse battery")];
    assert_eq!(here.post("/account/password", &new).status, 303);
    reader.is_shut_out();

    // It is said in the log that was open.
    assert_eq!(ann.get("/account").status, 303);
    let (_, log) = world.annals.all_events(&acme);
    assert!(log.contains("audit_log.link_revoked"), "{log}");
}

#[test]
fn who_lost_the_right_while_annals_was_away_is_shut_out_when_it_is_back() {
    let mut world = World::new();
    let (ann, acme) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    world.log(&acme);
    let bob = world.invited(&ann, "acme", "Bob Marsh", "bob@beta.example", "admin");
    let id = world.one("select id from user where email = 'bob@beta.example'");
    let (anns, bobs) = (
        Reader::of(&world, &ann, &acme),
        Reader::of(&world, &bob, &acme),
    );
    world.annals.stop();
    let demoted = ann.post(
        &format!("/w/acme/members/{id}/role"),
        &[("role", "manager")],
    );
    assert_eq!(demoted.status, 303, "{}", demoted.text());
    assert_eq!(world.one("select count(*) from viewer_closing"), "1");
    world.annals.run();
    bobs.is_shut_out();
    assert!(anns.reads());
    until("nothing waits", || {
        (world.one("select count(*) from viewer_closing") == "0").then_some(())
    });
}
