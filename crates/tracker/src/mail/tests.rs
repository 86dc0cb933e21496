//! Mail against a real mail server: `tests/smtp_server.py`, on aiosmtpd.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use annals_client::Timestamp;
use serde_json::Value;

use super::{Encryption, Mail, Mailbox, Mailer, Smtp, SmtpProblem, SmtpSettings, Undelivered};

/// A running mail server; it ends with its standard input.
struct MailServer {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    port: u16,
}

impl MailServer {
    fn start(arguments: &[&str]) -> Self {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let python = tests.join("../../../.tools/python/bin/python");
        assert!(
            python.exists(),
            "there is no Python with aiosmtpd: `scripts/test rust` installs it"
        );
        let mut child = Command::new(python)
            .arg(tests.join("smtp_server.py"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines
            .next()
            .expect("the mail server says its port")
            .unwrap();
        Self {
            child,
            lines,
            port: port.parse().unwrap(),
        }
    }

    fn settings(&self) -> SmtpSettings {
        let url = format!("smtp://127.0.0.1:{}", self.port);
        SmtpSettings::from_url(&url, "Tracker <tracker@acme.example>").unwrap()
    }

    fn taken(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn send(settings: &SmtpSettings, mail: &Mail) -> Result<(), Undelivered> {
    let mailer = Mailer::Smtp(std::sync::Arc::new(Smtp::new(settings).unwrap()));
    mailer.send(mail, Timestamp::clamped(0))
}

#[test]
fn a_mail_arrives_in_both_forms_and_is_one_line_where_it_must_be() {
    let mut server = MailServer::start(&[]);
    let link = "http://127.0.0.1:4700/invitations/AbC_-9?x=1&y=2";
    let mail = super::workspace_invitation(
        "bob@acme.example",
        "Ann\r\nBcc: everybody@acme.example <b>",
        "Größe & Söhne",
        "Member",
        link,
    );
    send(&server.settings(), &mail).unwrap();
    let taken = server.taken();
    assert_eq!(taken["to"], serde_json::json!(["bob@acme.example"]));
    assert_eq!(taken["from"], "tracker@acme.example");
    assert_eq!(
        taken["headers"]["subject"],
        "Ann Bcc: everybody@acme.example <b> invites you to Größe & Söhne"
    );
    assert_eq!(taken["headers"]["from"], "Tracker <tracker@acme.example>");
    assert_eq!(taken["headers"]["auto-submitted"], "auto-generated");
    assert!(taken["headers"]["bcc"].is_null());
    let text = taken["parts"]["text/plain"].as_str().unwrap();
    assert!(text.lines().any(|line| line.trim_end() == link), "{text}");
    let html = taken["parts"]["text/html"].as_str().unwrap();
    assert!(
        html.contains("href=\"http://127.0.0.1:4700/invitations/AbC_-9?x=1&amp;y=2\""),
        "{html}"
    );
    assert!(
        html.contains("&lt;b&gt;") && !html.contains("<b>"),
        "{html}"
    );
}

#[test]
fn what_is_refused_for_ever_is_told_apart_from_what_may_go_later() {
    let server = MailServer::start(&[]);
    let to = |address: &str| super::login_code(address, "Bob", "123456");
    let settings = server.settings();
    let refused = send(&settings, &to("refuse@acme.example"));
    assert!(
        matches!(&refused, Err(Undelivered::Refused(why)) if why.contains("550")),
        "{refused:?}"
    );
    let later = send(&settings, &to("later@acme.example"));
    assert!(
        matches!(&later, Err(Undelivered::Later(why)) if why.contains("451")),
        "{later:?}"
    );
    let nonsense = send(&settings, &to("not an address"));
    assert!(
        matches!(nonsense, Err(Undelivered::Refused(_))),
        "{nonsense:?}"
    );
    send(&settings, &to("bob@acme.example")).unwrap();
    drop(server);
    let gone = send(&settings, &to("bob@acme.example"));
    assert!(matches!(gone, Err(Undelivered::Later(_))), "{gone:?}");
}

#[test]
fn a_server_that_does_not_know_us_is_no_reason_to_give_a_mail_up() {
    let mut server = MailServer::start(&["--auth"]);
    let mail = super::login_code("bob@acme.example", "Bob", "123456");
    let with = |user: &str| {
        let url = format!("smtp://{user}127.0.0.1:{}", server.port);
        SmtpSettings::from_url(&url, "tracker@acme.example").unwrap()
    };
    for user in ["", "tracker:wrong@"] {
        let sent = send(&with(user), &mail);
        assert!(matches!(sent, Err(Undelivered::Later(_))), "{sent:?}");
    }
    send(&with("tracker:s%65cret@"), &mail).unwrap();
    assert_eq!(server.taken()["to"][0], "bob@acme.example");
}

#[test]
fn nothing_is_sent_in_the_clear_where_encryption_was_asked_for() {
    let server = MailServer::start(&[]);
    let mail = super::login_code("bob@acme.example", "Bob", "123456");
    for encryption in [Encryption::StartTls, Encryption::Tls] {
        let settings = SmtpSettings {
            encryption,
            ..server.settings()
        };
        let sent = send(&settings, &mail);
        assert!(matches!(sent, Err(Undelivered::Later(_))), "{sent:?}");
    }
    let elsewhere = SmtpSettings {
        host: "mail.acme.example".into(),
        ..server.settings()
    };
    assert_eq!(Smtp::new(&elsewhere).err(), Some(SmtpProblem::InTheClear));
}

#[test]
fn a_mail_server_is_given_as_an_address() {
    let read = |url: &str| SmtpSettings::from_url(url, "tracker@acme.example");
    let secure = read("smtps://us%40er:p%3Aw@mail.acme.example").unwrap();
    assert_eq!((secure.port, secure.encryption), (465, Encryption::Tls));
    assert_eq!(secure.credentials, Some(("us@er".into(), "p:w".into())));
    assert!(!format!("{secure:?}").contains("p:w"));
    let submission = read("smtp://mail.acme.example").unwrap();
    assert_eq!(
        (submission.port, submission.encryption),
        (587, Encryption::StartTls)
    );
    for here in [
        "smtp://localhost:2525",
        "smtp://127.0.0.1:2525",
        "smtp://[::1]:2525",
    ] {
        assert_eq!(read(here).unwrap().encryption, Encryption::None, "{here}");
    }
    for wrong in [
        "",
        "mail.acme.example:25",
        "http://mail.acme.example",
        "smtp://",
    ] {
        assert_eq!(read(wrong).err(), Some(SmtpProblem::Address), "{wrong}");
    }
    let nobody = SmtpSettings {
        from: "nobody".into(),
        ..submission
    };
    assert_eq!(Smtp::new(&nobody).err(), Some(SmtpProblem::Sender));
}

#[tokio::test]
async fn the_mailbox_shows_what_came_and_its_links() {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    let directory = tempfile::tempdir().unwrap();
    let mailbox = std::sync::Arc::new(Mailbox::open(&directory.path().join("mailbox.db")).unwrap());
    let mailer = Mailer::Mailbox(mailbox.clone());
    let now = Timestamp::parse("2026-11-23T10:00:00Z").unwrap();
    let link = "http://127.0.0.1:4700/verify/abc";
    mailer
        .send(&super::verify_email("ann@acme.example", "<Ann>", link), now)
        .unwrap();
    for code in 0..60 {
        let code = format!("{code:06}");
        mailer
            .send(&super::login_code("b+ob@acme.example", "Bob", &code), now)
            .unwrap();
    }
    let refused = mailer.send(&super::login_code("bob@nowhere.invalid", "Bob", "1"), now);
    assert!(matches!(refused, Err(Undelivered::Refused(_))));

    let get = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = super::mailbox_routes(mailbox.clone())
            .oneshot(request)
            .await
            .unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    };
    let (_, all) = get("/mailbox").await;
    assert_eq!(all.matches("Your code to sign in").count(), 50);
    assert!(
        all.contains("/mailbox?to=&amp;before=12") || all.contains("/mailbox?to=&#38;before=12"),
        "{all}"
    );
    let (_, second) = get("/mailbox?to=b%2Bob%40acme.example&before=12").await;
    assert_eq!(second.matches("Your code to sign in").count(), 10);
    let (_, hers) = get("/mailbox?to=ANN@acme.example").await;
    assert!(
        hers.contains("href=\"/mailbox/1\"") && !hers.contains("Your code"),
        "{hers}"
    );
    let (_, mail) = get("/mailbox/1").await;
    assert!(mail.contains(&format!("<a href=\"{link}\"")), "{mail}");
    assert!(mail.contains("23 Nov 2026, 10:00:00 UTC") && !mail.contains("<Ann>"));
    let (_, latest) = get("/mailbox/latest?to=b%2Bob@acme.example").await;
    assert!(
        latest.starts_with("Your code to sign in\n\n") && latest.contains("000059"),
        "{latest}"
    );
    assert_eq!(
        get("/mailbox/latest?to=cy@acme.example").await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(get("/mailbox/999").await.0, StatusCode::NOT_FOUND);
}
