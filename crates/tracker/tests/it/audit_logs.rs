//! Settings → Audit Logs: Annals' own page in a frame of ours.

use crate::harness::{Browser, Page, World};

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
