//! Bodies for garbage: whatever the bytes, no panic, and what is accepted comes back the same.
//!
//! Driven here by mutated texts; each body takes bytes and nothing else, so a fuzzer can call it as well.

use annals_event::{Draft, Event, Json, Row, Rules, Timestamp};
use proptest::prelude::*;

use crate::{draft, event, strategy};

fn json(bytes: &[u8]) {
    if let Ok(value) = Json::parse(bytes) {
        let text = value.to_canonical();
        assert_eq!(Json::parse(text.as_bytes()).as_ref(), Ok(&value));
    }
}

fn event_text(bytes: &[u8]) {
    match Event::from_json(bytes) {
        Ok(event) => {
            let text = event.to_json().to_canonical();
            assert_eq!(Event::from_json(text.as_bytes()).as_ref(), Ok(&event));
            let draft = Draft::new(event, &Rules::open(), draft::now(), || "fresh".to_owned());
            if let Ok(draft) = draft {
                let event = Row::new(0, draft::now(), "key", draft.clone()).to_event();
                let again = Draft::new(event, &Rules::open(), draft::now(), || "fresh".to_owned());
                assert!(again.expect("recorded before").same_event(&draft));
            }
        }
        Err(error) => assert!(!error.problems.is_empty()),
    }
}

fn draft_bytes(bytes: &[u8]) {
    if let Ok(draft) = Draft::decode(bytes) {
        let mut again = Vec::new();
        draft.encode(&mut again);
        assert_eq!(again, bytes, "one spelling only");
        let row = Row::new(0, draft::now(), "key", draft);
        let _ = row.to_event().to_json().to_canonical();
    }
}

fn time(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(time) = Timestamp::parse(text)
    {
        assert_eq!(Timestamp::parse(&time.to_string()), Ok(time));
    }
}

const BODIES: [fn(&[u8]); 4] = [json, event_text, draft_bytes, time];

/// Changes bytes, cuts, repeats: `steps` are (what, where, how far).
fn mutate(mut bytes: Vec<u8>, steps: &[(u8, u16, u8)]) -> Vec<u8> {
    for (what, at, far) in steps {
        if bytes.is_empty() {
            break;
        }
        let at = usize::from(*at) % bytes.len();
        let end = (at + usize::from(*far)).min(bytes.len());
        match what % 5 {
            0 => bytes[at] = *far,
            1 => bytes[at] ^= 1 << (far % 8),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => bytes.insert(at, *far),
        }
    }
    bytes
}

fn steps() -> impl Strategy<Value = Vec<(u8, u16, u8)>> {
    proptest::collection::vec(any::<(u8, u16, u8)>(), 1..6)
}

proptest! {
    #[test]
    fn mutated_events_never_panic(steps in steps(), full in any::<bool>()) {
        let text = if full { event::FULL } else { event::SMALL };
        let bytes = mutate(text.as_bytes().to_vec(), &steps);
        BODIES.iter().for_each(|body| body(&bytes));
    }

    #[test]
    fn mutated_drafts_never_panic(steps in steps(), event in strategy::event()) {
        let draft = Draft::new(event, &Rules::open(), Timestamp::MAX, || "fresh".to_owned());
        let mut bytes = Vec::new();
        draft.expect("valid").encode(&mut bytes);
        draft_bytes(&bytes);
        draft_bytes(&mutate(bytes, &steps));
    }

    #[test]
    fn mutated_times_never_panic(steps in steps(), at in strategy::time()) {
        time(&mutate(at.to_string().into_bytes(), &steps));
    }

    #[test]
    fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        BODIES.iter().for_each(|body| body(&bytes));
        draft_bytes(&[&[1, 0], &*bytes].concat());
    }
}
