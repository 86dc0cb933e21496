//! The widget's door, which is open to the world.

use std::time::Duration;

use crate::harness::{Browser, Page, World};

const HOME: &str = "https://www.acme.example";

fn send(visitor: &Browser, key: &str, origin: &str, body: &str) -> Page {
    let headers = [("origin", origin), ("content-type", "application/json")];
    visitor.send(
        "POST",
        &format!("/widget/{key}/issues"),
        Some(body),
        &headers,
    )
}

#[test]
fn reports_come_from_allowed_pages_alone_and_say_why_not() {
    const REPORT: &str = r#"{"title":"It breaks"}"#;
    let world = World::new();
    let (ann, acme) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    let project = world.project(&ann, "acme", "Portal");
    let widget = format!("{project}/settings/widget");
    let key = world.one("select public_key from widget");
    let visitor = world.browser();
    let refused = |page: Page, status: u16, reason: &str| {
        assert_eq!(page.status, status, "{}", page.body);
        assert_eq!(
            page.headers["access-control-allow-origin"], "*",
            "the page can read why"
        );
        assert!(page.body.contains("message"), "{}", page.body);
        let event = world.last(&acme);
        assert_eq!(
            (event.action(), event.reason()),
            ("issue.creation_failed", reason)
        );
        assert_eq!(
            (event.at("actor.type"), event.at("context.source")),
            (&"reporter".into(), &"widget".into())
        );
        // Each reason is a fact of its own; the same one is not told again within the minute.
        world.later(Duration::from_secs(120));
    };

    refused(
        send(&visitor, &key, HOME, REPORT),
        403,
        "widget_domain_not_allowed",
    );
    ann.get("/account");
    ann.post(
        &widget,
        &[
            ("visibility", "everyone"),
            ("allowed_hosts", "www.acme.example\nshop.acme.example:8443"),
        ],
    );
    refused(
        send(&visitor, &key, HOME, REPORT),
        409,
        "widget_not_installed",
    );
    refused(
        send(
            &visitor,
            &key,
            "https://www.acme.example.evil.example",
            REPORT,
        ),
        403,
        "widget_domain_not_allowed",
    );

    // The page asks, pings, and the widget counts as installed; a page elsewhere proves nothing.
    assert_eq!(
        visitor
            .send(
                "GET",
                &format!("/widget/{key}"),
                None,
                &[("origin", "https://evil.example")]
            )
            .status,
        403
    );
    visitor.send(
        "POST",
        &format!("/widget/{key}/ping"),
        Some("{}"),
        &[("origin", "https://evil.example")],
    );
    assert_eq!(
        world.one("select install_state from widget"),
        "pending_verification"
    );
    let settings = visitor.send("GET", &format!("/widget/{key}"), None, &[("origin", HOME)]);
    assert!(
        settings.body.contains(r#""visibility":"everyone""#),
        "{}",
        settings.body
    );
    assert_eq!(
        visitor
            .send(
                "POST",
                &format!("/widget/{key}/ping"),
                Some("{}"),
                &[("origin", HOME)]
            )
            .status,
        204
    );
    let event = world.last(&acme);
    assert_eq!(
        (event.action(), event.at("actor.type")),
        ("project.widget_installed", &"system".into())
    );
    assert_eq!(
        (event.at("metadata.verified_by"), event.at("metadata.host")),
        (&"ping".into(), &"www.acme.example".into())
    );

    for wrong in [
        "",
        "{",
        "[]",
        r#"{"title":""}"#,
        r#"{"title":5}"#,
        r#"{"title":"x","email":"no address"}"#,
    ] {
        refused(send(&visitor, &key, HOME, wrong), 422, "validation_failed");
    }
    let large = format!(r#"{{"title":"x","description":"{}"}}"#, "a".repeat(70_000));
    refused(send(&visitor, &key, HOME, &large), 422, "payload_too_large");
    assert_eq!(
        send(&visitor, &key, "https://shop.acme.example:8443", REPORT).status,
        201
    );

    ann.post(
        &widget,
        &[
            ("visibility", "members_and_guests"),
            ("allowed_hosts", "www.acme.example"),
        ],
    );
    refused(send(&visitor, &key, HOME, REPORT), 403, "visibility_denied");
    ann.post(&format!("{project}/settings/archive"), &[]);
    refused(send(&visitor, &key, HOME, REPORT), 409, "project_archived");

    // What nobody has is in no log.
    let before = world.log(&acme).len();
    assert_eq!(send(&visitor, "nonsense", HOME, REPORT).status, 404);
    let told = "select count(*) from platform_event where reason = 'unknown_widget'";
    assert_eq!(world.one(told), "1");
    assert_eq!(world.log(&acme).len(), before);
    let preflight = visitor.send(
        "OPTIONS",
        &format!("/widget/{key}/issues"),
        None,
        &[("origin", "https://evil.example")],
    );
    assert_eq!(
        (
            preflight.status,
            preflight.headers["access-control-allow-headers"].as_str()
        ),
        (204, "content-type")
    );
}

#[test]
fn a_flood_is_one_event_and_ends_at_a_limit() {
    let limits = tracker::Limits {
        attempts: 1,
        ..tracker::Limits::default()
    };
    let world = World::with(crate::harness::Setup {
        limits,
        ..Default::default()
    });
    let (ann, acme) = world.admin("Ann Keller", "ann@acme.example", "Acme");
    world.project(&ann, "acme", "Portal");
    let key = world.one("select public_key from widget");
    let before = world.log(&acme).len();
    let mut visitor = world.browser();
    let mut limited = 0;
    for n in 0..40 {
        // Neighbours of one network.
        visitor.address = format!("198.51.100.{}", n % 3);
        let status = send(&visitor, &key, "https://evil.example", r#"{"title":"x"}"#).status;
        limited += usize::from(status == 429);
    }
    assert_eq!(limited, 10, "ten from one address in a minute");
    let told = world.log(&acme).split_off(before);
    let reasons: Vec<&str> = told.iter().map(|event| event.reason()).collect();
    assert_eq!(
        reasons,
        ["widget_domain_not_allowed", "rate_limited"],
        "the first of each at once"
    );
    world.later(Duration::from_secs(90));
    let told = world.log(&acme).split_off(before + 2);
    let mut counts: Vec<(&str, i64)> = told
        .iter()
        .map(|event| {
            (
                event.reason(),
                event.at("metadata.occurrences").as_i64().unwrap(),
            )
        })
        .collect();
    counts.sort_unstable();
    assert_eq!(
        counts,
        [("rate_limited", 9), ("widget_domain_not_allowed", 29)]
    );
    assert!(
        told.iter()
            .all(|event| event.at("metadata.first_at").is_string()
                && event.at("metadata.last_at").is_string())
    );
    let successes = world.one("select count(*) from issue");
    assert_eq!(successes, "0");
}

#[test]
fn the_script_may_be_loaded_by_pages_of_others_and_nothing_else() {
    let world = World::new();
    let script = world.browser().get("/widget.js");
    assert_eq!(
        (script.status, script.headers["content-type"].as_str()),
        (200, "text/javascript; charset=utf-8")
    );
    assert_eq!(
        script.headers["cross-origin-resource-policy"],
        "cross-origin"
    );
    assert_eq!(
        world.browser().get("/login").headers["cross-origin-resource-policy"],
        "same-origin"
    );
}
