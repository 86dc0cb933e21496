//! Reading what Annals answers. Pure.

use std::borrow::Cow;
use std::time::Duration;

use annals_event::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::ClientError;
use crate::receipt::{Receipt, ReceiptError, hash, hashes};

/// What became of one event.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is recorded.
    Recorded {
        id: String,
        position: u64,
        duplicate: bool,
        receipt: Option<Receipt>,
    },
    /// It is not.
    Rejected(ClientError),
}

/// A signed checkpoint of one of the workspaces of a request.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) workspace: String,
    pub(crate) note: String,
    pub(crate) verifier_key: String,
}

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    results: Vec<Line<'a>>,
    #[serde(borrow, default)]
    checkpoints: Vec<Checkpoint<'a>>,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(default)]
    position: u64,
    #[serde(borrow, default)]
    receipt: Option<Path<'a>>,
    #[serde(default)]
    http_status: u16,
    #[serde(borrow, flatten)]
    refusal: Option<Refusal<'a>>,
}

#[derive(Deserialize)]
struct Path<'a> {
    position: u64,
    #[serde(borrow)]
    leaf_hash: Cow<'a, str>,
    size: u64,
    #[serde(borrow)]
    path: Vec<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Checkpoint<'a> {
    #[serde(borrow)]
    organization_id: Cow<'a, str>,
    #[serde(borrow)]
    checkpoint: Cow<'a, str>,
    #[serde(borrow)]
    verifier_key: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(borrow, default)]
    message: Cow<'a, str>,
    #[serde(borrow, default)]
    code: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    errors: Vec<Detail<'a>>,
}

#[derive(Deserialize)]
struct Detail<'a> {
    #[serde(borrow, default)]
    code: Cow<'a, str>,
    #[serde(borrow, default)]
    field: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
}

/// Whether the body is a batch's, which also a refusal of all its events is.
pub(crate) fn is_batch(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Probe {
        #[expect(dead_code, reason = "only its presence counts")]
        results: IgnoredAny,
    }
    serde_json::from_slice::<Probe>(body).is_ok()
}

/// The outcomes of a batch of `sent` events, in their order, and the checkpoints that were asked for.
pub(crate) fn batch(body: &[u8], sent: usize) -> Option<(Vec<Outcome>, Vec<Shown>)> {
    let batch: Batch<'_> = serde_json::from_slice(body).ok()?;
    if batch.results.len() != sent {
        return None;
    }
    let shown = batch.checkpoints.into_iter().map(|checkpoint| Shown {
        workspace: checkpoint.organization_id.into_owned(),
        note: checkpoint.checkpoint.into_owned(),
        verifier_key: checkpoint.verifier_key.into_owned(),
    });
    Some((
        batch.results.into_iter().map(outcome).collect(),
        shown.collect(),
    ))
}

fn outcome(line: Line<'_>) -> Outcome {
    if line.status == "rejected" {
        return Outcome::Rejected(error(line.http_status, line.refusal, None));
    }
    let receipt = match line.receipt.map(read_path).transpose() {
        Ok(receipt) => receipt,
        Err(error) => return Outcome::Rejected(error.into()),
    };
    Outcome::Recorded {
        id: line.id.into_owned(),
        position: line.position,
        duplicate: line.status == "duplicate",
        receipt,
    }
}

fn read_path(path: Path<'_>) -> Result<Receipt, ReceiptError> {
    Ok(Receipt {
        position: path.position,
        leaf_hash: hash(&path.leaf_hash)?,
        size: path.size,
        path: hashes(&path.path)?,
    })
}

/// What an answer that is no success says.
pub(crate) fn refusal(
    status: u16,
    retry_after: Option<&str>,
    now: Timestamp,
    body: &[u8],
) -> ClientError {
    let retry_after = retry_after.and_then(|text| wait(text, now));
    error(status, serde_json::from_slice(body).ok(), retry_after)
}

fn error(status: u16, refusal: Option<Refusal<'_>>, retry_after: Option<Duration>) -> ClientError {
    let code = refusal
        .as_ref()
        .and_then(|refusal| refusal.code.as_deref())
        .unwrap_or_default()
        .to_owned();
    match (status, code.as_str()) {
        (403, "audit_logs_disabled") => ClientError::Disabled,
        (404, "entity_not_found") => ClientError::UnknownWorkspace,
        (409, "event_id_conflict") => ClientError::Conflict,
        (401 | 403, _) => ClientError::Denied { status, code },
        (408 | 425 | 429 | 500.., _) => ClientError::Busy {
            status,
            code,
            retry_after,
        },
        // Only these speak of what was sent, and Annals says why. Anything else is an address where somebody else answers.
        (400 | 409 | 413 | 422, _) => match refusal.as_ref().map(said) {
            Some(message) if !message.is_empty() => ClientError::Refused { status, message },
            _ => ClientError::Answer { status },
        },
        _ => ClientError::Answer { status },
    }
}

/// The message and the members that it is about.
fn said(refusal: &Refusal<'_>) -> String {
    let mut said = refusal.message.clone().into_owned();
    for detail in refusal.errors.iter().take(20) {
        said += &format!(
            " {}: {};",
            detail.field.as_deref().unwrap_or("event"),
            detail.message.as_deref().unwrap_or(&detail.code)
        );
    }
    said
}

/// How long a `Retry-After` says to wait (RFC 9110 §10.2.3): seconds, or a date in the one form that is still sent.
pub(crate) fn wait(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    // `Sun, 06 Nov 1994 08:49:37 GMT`
    let mut words = text.split_once(", ")?.1.split(' ');
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let time = words.next()?;
    let at = Timestamp::parse(&format!("{year}-{month:02}-{day}T{time}Z")).ok()?;
    let micros = u64::try_from(at.as_micros() - now.as_micros()).unwrap_or(0);
    Some(Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use annals_event::Timestamp;

    use super::{ClientError, Outcome, batch, refusal, wait};

    #[test]
    fn what_a_batch_answers_is_read_event_by_event() {
        let body = br#"{"recorded":1,"duplicates":1,"rejected":3,"results":[
            {"status":"recorded","id":"a","position":4,"recorded_at":"x"},
            {"status":"duplicate","id":"b","position":2,"recorded_at":"x"},
            {"status":"rejected","http_status":404,"message":"Organization not found: 'x'.","code":"entity_not_found"},
            {"status":"rejected","http_status":422,"message":"Validation failed.","errors":[{"code":"required","field":"event.action"}]},
            {"status":"rejected","http_status":403,"message":"Off.","code":"audit_logs_disabled"}]}"#;
        let (outcomes, shown) = batch(body, 5).unwrap();
        assert!(shown.is_empty());
        assert!(
            matches!(&outcomes[0], Outcome::Recorded { id, position: 4, duplicate: false, .. } if id == "a")
        );
        assert!(matches!(
            &outcomes[1],
            Outcome::Recorded {
                duplicate: true,
                ..
            }
        ));
        assert!(matches!(
            &outcomes[2],
            Outcome::Rejected(ClientError::UnknownWorkspace)
        ));
        let Outcome::Rejected(ClientError::Refused {
            status: 422,
            message,
        }) = &outcomes[3]
        else {
            panic!("{:?}", outcomes[3]);
        };
        assert_eq!(message, "Validation failed. event.action: required;");
        assert!(matches!(
            &outcomes[4],
            Outcome::Rejected(ClientError::Disabled)
        ));
        assert!(batch(body, 4).is_none(), "an answer to another request");
        assert!(batch(b"<html>", 1).is_none());
    }

    #[test]
    fn refusals_say_what_to_do() {
        let now = Timestamp::parse("1994-11-06T08:49:00Z").unwrap();
        let of = |status, after, body: &str| refusal(status, after, now, body.as_bytes());
        let busy = of(503, Some("7"), r#"{"message":"Busy.","code":"busy"}"#);
        assert!(busy.is_temporary());
        assert_eq!(busy.retry_after(), Some(Duration::from_secs(7)));
        assert!(of(502, None, "<html>").is_temporary(), "a proxy's answer");
        assert!(of(429, None, "{}").is_temporary());
        let denied = of(401, None, r#"{"message":"Unauthorized"}"#);
        assert_eq!(
            denied.to_string(),
            "the key is unknown or revoked, or may not do this (401)"
        );
        assert!(matches!(
            of(302, None, ""),
            ClientError::Answer { status: 302 }
        ));
        assert!(matches!(
            of(404, None, "nothing"),
            ClientError::Answer { status: 404 }
        ));
        for (status, body) in [
            (404, r#"{"message":"No route."}"#),
            (405, r#"{"message":"Method not allowed."}"#),
            (400, r#"{"error":"of somebody else"}"#),
        ] {
            let other = of(status, None, body);
            assert!(matches!(other, ClientError::Answer { .. }), "{other:?}");
        }
        assert!(matches!(
            of(413, None, r#"{"message":"Too large."}"#),
            ClientError::Refused { status: 413, .. }
        ));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Timestamp::parse("1994-11-06T08:49:00Z").unwrap();
        assert_eq!(wait("120", now), Some(Duration::from_secs(120)));
        assert_eq!(
            wait("Sun, 06 Nov 1994 08:49:37 GMT", now),
            Some(Duration::from_secs(37))
        );
        assert_eq!(
            wait("Sun, 06 Nov 1994 08:48:00 GMT", now),
            Some(Duration::ZERO)
        );
        assert_eq!((wait("soon", now), wait("-3", now)), (None, None));
    }
}
