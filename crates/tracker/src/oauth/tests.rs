//! Against Taskyard, which speaks real OAuth 2, over real sockets.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use annals_client::Timestamp;
use url::Url;

use super::{Failure, ForwardFailure, Provider, Report, begin, declined, finish, forward, revoke};
use crate::oauth::connect::{Reason, Stage};
use crate::provider::{ProviderSettings, serve};

const BACK: &str = "http://127.0.0.1:9/back";

/// A running Taskyard and a browser in front of it.
struct Yard {
    address: SocketAddr,
    browser: ureq::Agent,
    _runtime: tokio::runtime::Runtime,
}

impl Yard {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listen = || {
            runtime
                .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
                .unwrap()
        };
        let (provider, site) = (listen(), listen());
        let address = provider.local_addr().unwrap();
        let settings = ProviderSettings {
            client_id: "tracker/1".into(),
            client_secret: "s:ecret %".into(),
            redirect_uri: BACK.into(),
            tracker_url: "http://127.0.0.1:9".into(),
        };
        runtime.spawn(serve(provider, site, settings));
        let browser = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .into();
        Self {
            address,
            browser,
            _runtime: runtime,
        }
    }

    fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn provider(&self) -> Provider {
        let provider = Provider {
            id: "taskyard".into(),
            name: "Taskyard".into(),
            authorize_url: self.at("/oauth/authorize"),
            token_url: self.at("/oauth/token"),
            revoke_url: Some(self.at("/oauth/revoke")),
            api_url: self.at("/api"),
            client_id: "tracker/1".into(),
            client_secret: "s:ecret %".into(),
            scopes: vec!["account:read".into(), "issues:write".into()],
            timeout: Duration::from_secs(1),
        };
        provider.check().unwrap();
        provider
    }

    fn control(&self, form: &[(&str, &str)]) {
        let answer = self
            .browser
            .post(self.at("/control"))
            .send_form(form.iter().copied())
            .unwrap();
        assert_eq!(answer.status(), 303);
    }

    /// Opens the page, answers it, and gives what is brought back: the query of the redirect.
    fn answer(&self, url: &str, said: &str) -> HashMap<String, String> {
        let mut page = self.browser.get(url).call().unwrap();
        assert_eq!(page.status(), 200);
        assert!(
            page.body_mut()
                .read_to_string()
                .unwrap()
                .contains("issues:write")
        );
        let asked: Vec<(String, String)> = Url::parse(url)
            .unwrap()
            .query_pairs()
            .into_owned()
            .collect();
        let mut form: Vec<(&str, &str)> = asked
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        form.extend([("answer", said), ("account", "ty-1002")]);
        let answer = self
            .browser
            .post(self.at("/oauth/authorize"))
            .send_form(form)
            .unwrap();
        assert_eq!(answer.status(), 303);
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        assert!(location.starts_with(BACK), "{location}");
        Url::parse(&location)
            .unwrap()
            .query_pairs()
            .into_owned()
            .collect()
    }

    /// Goes all the way to a code and its verifier.
    fn code(&self) -> (String, String) {
        let begun = begin(&self.provider(), BACK);
        let back = self.answer(&begun.url, "allow");
        assert_eq!(back["state"], begun.state);
        (back["code"].clone(), begun.verifier)
    }
}

fn now() -> Timestamp {
    Timestamp::parse("2026-11-23T10:00:00Z").unwrap()
}

fn why(failure: &Failure) -> (Stage, Reason, Option<u16>) {
    (failure.stage, failure.reason, failure.provider_status)
}

fn report(id: &str) -> Report {
    Report {
        id: id.into(),
        title: "Header overlaps".into(),
        description: String::new(),
        url: "http://127.0.0.1:9/i/1".into(),
    }
}

#[test]
fn an_account_is_connected_used_and_given_back() {
    let yard = Yard::start();
    let provider = yard.provider();
    let (code, verifier) = yard.code();
    let account = finish(&provider, &code, &verifier, BACK, now()).unwrap();
    assert_eq!(
        (account.external_id.as_str(), account.name.as_str()),
        ("ty-1002", "Bob's tasks")
    );
    assert_eq!(account.site, "bob.taskyard.example");
    assert_eq!(account.scopes, provider.scopes);
    assert_eq!(
        account.expires_at,
        Some(Timestamp::parse("2027-02-21T10:00:00Z").unwrap())
    );
    assert!(!format!("{account:?}").contains(&account.token));

    assert_eq!(
        forward(&provider, &account.token, &report("iss_1")).unwrap(),
        "TY-1"
    );
    assert_eq!(
        forward(&provider, &account.token, &report("iss_2")).unwrap(),
        "TY-2"
    );
    assert_eq!(
        forward(&provider, &account.token, &report("iss_1")).unwrap(),
        "TY-1",
        "a repetition makes no second task"
    );

    let again = finish(&provider, &code, &verifier, BACK, now()).unwrap_err();
    assert_eq!(
        why(&again),
        (Stage::Callback, Reason::TokenExchangeFailed, Some(400)),
        "a code works once"
    );
    assert_eq!(again.provider_error_code.as_deref(), Some("invalid_grant"));

    assert!(revoke(&provider, &account.token));
    let gone = forward(&provider, &account.token, &report("iss_3"));
    assert_eq!(gone, Err(ForwardFailure::AuthExpired { status: 401 }));
}

#[test]
fn a_code_is_worth_nothing_without_its_verifier_and_the_client() {
    let yard = Yard::start();
    let (code, _) = yard.code();
    let stolen = finish(
        &yard.provider(),
        &code,
        &begin(&yard.provider(), BACK).verifier,
        BACK,
        now(),
    )
    .unwrap_err();
    assert_eq!(
        why(&stolen),
        (Stage::Callback, Reason::TokenExchangeFailed, Some(400))
    );
    let (code, verifier) = yard.code();
    let elsewhere = finish(
        &yard.provider(),
        &code,
        &verifier,
        "http://127.0.0.1:9/other",
        now(),
    )
    .unwrap_err();
    assert_eq!(elsewhere.reason, Reason::TokenExchangeFailed);
    let (code, verifier) = yard.code();
    let stranger = Provider {
        client_secret: "wrong".into(),
        ..yard.provider()
    };
    let unknown = finish(&stranger, &code, &verifier, BACK, now()).unwrap_err();
    assert_eq!(
        why(&unknown),
        (Stage::Callback, Reason::InvalidCredentials, Some(401))
    );
    // Somebody else's client is told so on the page; nobody is sent back to an address that may be anybody's.
    let url = begin(
        &Provider {
            client_id: "stranger".into(),
            ..yard.provider()
        },
        BACK,
    )
    .url;
    assert_eq!(yard.browser.get(url).call().unwrap().status(), 400);
    let url = begin(&yard.provider(), "http://127.0.0.1:9/phishing").url;
    assert_eq!(yard.browser.get(url).call().unwrap().status(), 400);
}

#[test]
fn whoever_denies_or_grants_less_does_not_connect() {
    let yard = Yard::start();
    let provider = yard.provider();
    let back = yard.answer(&begin(&provider, BACK).url, "deny");
    let denied = declined(&back["error"]);
    assert_eq!(why(&denied), (Stage::Authorize, Reason::OauthDenied, None));
    yard.control(&[("asking", "admin_approval")]);
    let back = yard.answer(&begin(&provider, BACK).url, "allow");
    assert_eq!(
        declined(&back["error"]).reason,
        Reason::ProviderAdminApprovalRequired
    );
    yard.control(&[("fewer_scopes", "on")]);
    let (code, verifier) = yard.code();
    let fewer = finish(&provider, &code, &verifier, BACK, now()).unwrap_err();
    assert_eq!(
        why(&fewer),
        (Stage::Verify, Reason::InsufficientScopes, None)
    );
    assert_eq!(declined("server_error").reason, Reason::ProviderError);
    assert_eq!(
        declined("a sentence, <b>not</b> a word").provider_error_code,
        None
    );
}

#[test]
fn a_provider_that_is_slow_broken_or_away_is_told_apart() {
    let yard = Yard::start();
    let provider = yard.provider();
    let (code, verifier) = yard.code();
    let account = finish(&provider, &code, &verifier, BACK, now()).unwrap();
    for (api, expected) in [
        ("unauthorized", ForwardFailure::AuthExpired { status: 401 }),
        ("rejects", ForwardFailure::Rejected { status: 422 }),
        ("busy", ForwardFailure::RateLimited),
        ("fails", ForwardFailure::Unreachable { status: Some(500) }),
        ("hangs", ForwardFailure::Unreachable { status: None }),
    ] {
        yard.control(&[("api", api)]);
        assert_eq!(
            forward(&provider, &account.token, &report("iss_1")),
            Err(expected),
            "{api}"
        );
    }
    for (exchange, expected) in [
        ("fails", (Reason::ProviderError, Some(500))),
        ("hangs", (Reason::ProviderUnreachable, None)),
    ] {
        let (code, verifier) = yard.code();
        yard.control(&[("exchange", exchange)]);
        let failure = finish(&provider, &code, &verifier, BACK, now()).unwrap_err();
        assert_eq!((failure.reason, failure.provider_status), expected);
        yard.control(&[]);
    }
    let (code, verifier) = yard.code();
    yard.control(&[("api", "unauthorized")]);
    let unusable = finish(&provider, &code, &verifier, BACK, now()).unwrap_err();
    assert_eq!(
        why(&unusable),
        (Stage::Verify, Reason::InvalidCredentials, Some(401))
    );
    let (code, verifier) = ("code", "verifier");
    let away = Provider {
        token_url: "http://127.0.0.1:1/token".into(),
        ..provider
    };
    assert_eq!(
        finish(&away, code, verifier, BACK, now())
            .unwrap_err()
            .reason,
        Reason::ProviderUnreachable
    );
}

#[test]
fn settings_of_a_provider_are_checked() {
    let good = Provider {
        id: "taskyard".into(),
        name: "Taskyard".into(),
        authorize_url: "https://taskyard.example/authorize".into(),
        token_url: "http://[::1]:4000/token".into(),
        revoke_url: None,
        api_url: "http://localhost:4000/api".into(),
        client_id: "id".into(),
        client_secret: "very secret".into(),
        scopes: vec![],
        timeout: super::TIMEOUT,
    };
    good.check().unwrap();
    assert!(!format!("{good:?}").contains("very secret"));
    for (field, bad) in [
        (
            "id",
            Provider {
                id: "Task Yard".into(),
                ..good.clone()
            },
        ),
        (
            "client_secret",
            Provider {
                client_secret: " ".into(),
                ..good.clone()
            },
        ),
        (
            "token_url",
            Provider {
                token_url: "http://taskyard.example/token".into(),
                ..good.clone()
            },
        ),
        (
            "revoke_url",
            Provider {
                revoke_url: Some("javascript:alert(1)".into()),
                ..good.clone()
            },
        ),
        (
            "api_url",
            Provider {
                api_url: "api".into(),
                ..good.clone()
            },
        ),
    ] {
        assert_eq!(bad.check().unwrap_err().field, field);
    }
}
