//! Sending without an outbox.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use annals_client::actions::UserLogin;
use annals_client::{Actor, Batching, Client, ClientError, NewEvent, Organization, PortalLink};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use crate::harness::{Annals, quick};

fn event(id: &str) -> NewEvent {
    NewEvent::new("thing.made", Actor::new("user", "usr_1")).id(id)
}

#[tokio::test]
async fn an_acknowledged_event_is_in_the_log() {
    let annals = Annals::start();
    let client = annals.client();
    client.ensure_organization("acme", "Acme").await.unwrap();
    client.ensure_organization("acme", "Acme").await.unwrap();
    let first = client
        .record("acme", UserLogin::new(Actor::new("user", "u"), "u"))
        .await
        .unwrap();
    assert_eq!((first.position, first.duplicate), (0, false));
    let again = client.record("acme", event("x")).await.unwrap();
    let twice = client
        .record("acme", event("x").at(again_time(&annals)))
        .await
        .unwrap();
    assert!(twice.duplicate && twice.position == again.position);
    assert_eq!(annals.ids("acme"), [first.id, "x".to_owned()]);
    let link = client.portal_link("acme").await.unwrap();
    assert!(link.starts_with(&annals.url()), "{link}");
    assert_eq!(ureq::get(&link).call().unwrap().status(), 200);
}

/// What a host needs to show the page inside its own: the workspace knows where that is, and the link is for a person and a frame.
#[tokio::test]
async fn a_link_is_for_a_person_a_page_and_a_frame() {
    let annals = Annals::start();
    let client = annals.client();
    let own = "https://app.example.com/acme/settings/audit-logs?open={path}";
    let acme = Organization::new("acme", "Acme").viewer_url(own);
    client.ensure(&acme).await.unwrap();
    let known = annals.ask("GET", "/organizations/acme", &serde_json::Value::Null);
    assert_eq!(known["viewer_url"], own);

    let wanted = PortalLink::new("acme")
        .user("usr_1", "Ana Ruiz", "ana@acme.example")
        .role("owner")
        .path("/w/acme/audit-logs?q=outcome%3Afailure")
        .embed_origin("https://app.example.com")
        .return_url("https://app.example.com/acme/settings")
        .session_seconds(900);
    let link = client.portal_link_for(&wanted).await.unwrap();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .max_redirects(0)
        .build()
        .into();
    let opened = agent.get(&link).call().unwrap();
    let to = opened.headers()["location"].to_str().unwrap();
    assert!(
        to.contains("/w/acme/audit-logs?q=outcome%3Afailure"),
        "{to}"
    );
    let cookie = opened.headers()["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let path = to.trim_start_matches(&annals.url());
    let page = agent
        .get(format!("{}{path}", annals.url()))
        .header("cookie", cookie)
        .call();
    let mut page = match page.unwrap() {
        page if page.status() == 303 => {
            let to = page.headers()["location"].to_str().unwrap();
            let to = format!("{}{}", annals.url(), to.trim_start_matches(&annals.url()));
            agent.get(to).header("cookie", cookie).call().unwrap()
        }
        page => page,
    };
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("frame-ancestors https://app.example.com"),
        "{policy}"
    );
    assert!(
        page.body_mut()
            .read_to_string()
            .unwrap()
            .contains("Ana Ruiz")
    );

    // Taken back: refused from now on, as often as it is asked for.
    let log = format!("{}/w/acme/audit-logs", annals.url());
    let status = || match agent.get(&log).header("cookie", cookie).call() {
        Ok(page) => page.status().as_u16(),
        Err(ureq::Error::StatusCode(status)) => status,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(status(), 200);
    client.close_portal_of("acme", "usr_2").await.unwrap();
    assert_eq!(status(), 200);
    client.close_portal_of("acme", "usr_1").await.unwrap();
    client.close_portal_of("acme", "usr_1").await.unwrap();
    assert_eq!(status(), 401);
    assert!(matches!(
        client.close_portal_of("nobody", "usr_1").await,
        Err(ClientError::UnknownWorkspace)
    ));
    assert!(
        client
            .portal_link_for(&wanted.clone().session_seconds(59))
            .await
            .is_err()
    );

    let wrong = PortalLink::new("acme").path("/w/other/audit-logs");
    assert!(matches!(
        client.portal_link_for(&wanted.role("king")).await,
        Err(ClientError::Refused { .. })
    ));
    assert!(client.portal_link_for(&wrong).await.is_err());
}

/// When `x` was recorded; the same event has the same time.
fn again_time(annals: &Annals) -> annals_client::Timestamp {
    let log = annals.log("acme");
    annals_client::Timestamp::parse(log[1]["occurred_at"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn every_refusal_says_what_to_do() {
    let annals = Annals::start();
    let client = annals.client();
    client.ensure_organization("acme", "Acme").await.unwrap();
    assert!(matches!(
        client.record("nowhere", event("a")).await,
        Err(ClientError::UnknownWorkspace)
    ));
    assert!(matches!(
        client.record("a\"b", event("a")).await,
        Err(ClientError::UnknownWorkspace)
    ));
    let wrong = NewEvent::new("no name", Actor::new("user", "u"));
    assert!(matches!(
        client.record("acme", wrong).await,
        Err(ClientError::Event(_))
    ));
    let _ = client.record("acme", event("a")).await.unwrap();
    assert!(matches!(
        client.record("acme", event("a").source("api")).await,
        Err(ClientError::Conflict)
    ));
    let stranger = Client::new(&annals.url(), "sk_wrong").unwrap();
    assert!(matches!(
        stranger.record("acme", event("b")).await,
        Err(ClientError::Denied { status: 401, .. })
    ));
    for address in ["127.0.0.1:4600", "ftp://x", "http://", "http://x?y"] {
        assert!(
            matches!(Client::new(address, "sk"), Err(ClientError::Address)),
            "{address}"
        );
    }
    assert!(matches!(
        Client::new("http://x", "sk\n"),
        Err(ClientError::Key)
    ));
    let mixed = [
        ("acme", event("c")),
        ("nowhere", event("d")),
        ("acme", NewEvent::new("", Actor::new("", ""))),
    ];
    let results = client.record_all(mixed).await;
    assert_eq!(results[0].as_ref().unwrap().id, "c");
    assert!(matches!(results[1], Err(ClientError::UnknownWorkspace)));
    assert!(matches!(results[2], Err(ClientError::Event(_))));
}

#[tokio::test]
async fn more_than_a_request_holds_goes_in_several() {
    let annals = Annals::start();
    let client = annals.client();
    client.ensure_organization("acme", "Acme").await.unwrap();
    let results = client
        .record_all((0..2_345).map(|n| ("acme", event(&format!("e{n}")))))
        .await;
    for (n, result) in results.iter().enumerate() {
        assert_eq!(result.as_ref().unwrap().position, n as u64);
    }
    assert_eq!(results.len(), 2_345);
}

#[tokio::test]
async fn events_of_the_same_moment_share_a_request() {
    let annals = Annals::start();
    let client = annals.client();
    client.ensure_organization("acme", "Acme").await.unwrap();
    let batcher = client.batcher(Batching {
        events: 100,
        wait: Duration::from_millis(200),
    });
    let begun = Instant::now();
    let tasks: Vec<_> = (0..250)
        .map(|n| {
            let batcher = batcher.clone();
            tokio::spawn(async move { batcher.record("acme", event(&format!("e{n}"))).await })
        })
        .collect();
    for task in tasks {
        assert!(!task.await.unwrap().unwrap().duplicate);
    }
    // Two full requests, and the rest after its wait; one by one they would have waited 50 seconds.
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(matches!(
        batcher.record("nowhere", event("x")).await,
        Err(ClientError::UnknownWorkspace)
    ));
}

/// A server that answers its n-th request with the n-th of these, and then well.
async fn moody(answers: Vec<(u16, &'static str)>) -> (String, Arc<AtomicU64>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicU64::new(0));
    let (answers, counter) = (Arc::new(answers), Arc::clone(&requests));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (answers, counter) = (Arc::clone(&answers), Arc::clone(&counter));
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let (answers, counter) = (Arc::clone(&answers), Arc::clone(&counter));
                async move {
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    let lines = body
                        .split(|b| *b == b'\n')
                        .filter(|line| !line.is_empty())
                        .count();
                    let place = usize::try_from(counter.fetch_add(1, Relaxed)).unwrap();
                    let (status, body) = match answers.get(place) {
                        Some((status, body)) => (*status, (*body).to_owned()),
                        None => {
                            let one =
                                r#"{"status":"recorded","id":"x","position":0,"recorded_at":""}"#;
                            (
                                200,
                                format!(r#"{{"results":[{}]}}"#, vec![one; lines].join(",")),
                            )
                        }
                    };
                    let mut response = Response::builder().status(status);
                    if status == 429 {
                        response = response.header("retry-after", "1");
                    }
                    Ok::<_, Infallible>(response.body(Full::new(Bytes::from(body))).unwrap())
                }
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    (address, requests)
}

#[tokio::test]
async fn what_is_temporary_is_tried_again_with_the_waits_that_are_asked_for() {
    let busy = r#"{"message":"Busy.","code":"busy"}"#;
    let one =
        r#"{"results":[{"status":"rejected","http_status":503,"message":"Busy.","code":"busy"}]}"#;
    let (address, requests) =
        moody(vec![(503, busy), (429, "{}"), (502, "<html>"), (207, one)]).await;
    let client = Client::builder(&address, "sk")
        .backoff(quick())
        .tries(10)
        .build()
        .unwrap();
    let begun = Instant::now();
    assert!(client.record("acme", event("x")).await.is_ok());
    assert_eq!(requests.load(Relaxed), 5);
    assert!(
        begun.elapsed() >= Duration::from_secs(1),
        "Retry-After is obeyed"
    );
}

#[tokio::test]
async fn what_is_final_is_not_tried_again_and_tries_end() {
    let (address, requests) =
        moody(vec![(400, r#"{"message":"No.","code":"x","errors":[]}"#)]).await;
    let client = Client::builder(&address, "sk")
        .backoff(quick())
        .build()
        .unwrap();
    assert!(matches!(
        client.record("acme", event("x")).await,
        Err(ClientError::Refused { status: 400, .. })
    ));
    assert_eq!(requests.load(Relaxed), 1);
    let (address, requests) = moody(vec![(503, "{}"); 9]).await;
    let client = Client::builder(&address, "sk")
        .backoff(quick())
        .tries(3)
        .build()
        .unwrap();
    let error = client.record("acme", event("x")).await.unwrap_err();
    assert!(error.is_temporary(), "{error:?}");
    assert_eq!(requests.load(Relaxed), 3);
    let nobody = Client::builder("http://127.0.0.1:1", "sk")
        .backoff(quick())
        .tries(2)
        .build()
        .unwrap();
    assert!(matches!(
        nobody.record("acme", event("x")).await,
        Err(ClientError::Unreachable(_))
    ));
}

#[test]
fn no_debug_output_has_the_key() {
    let builder = Client::builder("http://127.0.0.1:1", "sk_secret");
    let client = builder.clone().build().unwrap();
    assert!(!format!("{builder:?} {client:?}").contains("sk_secret"));
}
