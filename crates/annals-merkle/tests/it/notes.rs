//! Keys, notes and checkpoints: the vectors of the specifications, and what must be refused.

use annals_merkle::{
    Checkpoint, CheckpointError, KeyError, NOTE_SIGNATURES_MAX, Note, NoteError, SigningKey,
    VerifyingKey, empty_root,
};

// Keys and signatures of the tests of Go's golang.org/x/mod/sumdb/note.
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const ENOCH: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
const BY_PETER: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const BY_ENOCH: &str = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

fn key(text: &str) -> VerifyingKey {
    text.parse().unwrap()
}

fn note(text: &str) -> Result<Note, NoteError> {
    text.parse()
}

#[test]
fn a_published_key_is_read_and_no_other_spelling_of_it() {
    assert_eq!(key(PETER).to_string(), PETER);
    assert_eq!(key(PETER).name(), "PeterNeumann");
    assert_eq!(key(PETER).id(), [0xc7, 0x4f, 0x20, 0xa3]);
    for begin in 0..PETER.len() {
        for end in begin..=PETER.len() {
            if (begin, end) != (0, PETER.len()) {
                assert!(PETER[begin..end].parse::<VerifyingKey>().is_err());
            }
        }
    }
    for i in 0..PETER.len() {
        for bit in 0..7 {
            let mut bytes = PETER.as_bytes().to_vec();
            bytes[i] ^= 1 << bit;
            let changed = String::from_utf8(bytes).unwrap();
            assert!(changed.parse::<VerifyingKey>().is_err(), "{changed}");
        }
    }
    // A key of the wrong length and one of an unknown algorithm, both with the id that fits.
    let long = "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==";
    assert_eq!(long.parse::<VerifyingKey>(), Err(KeyError::Form));
    let unknown = "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    assert_eq!(unknown.parse::<VerifyingKey>(), Err(KeyError::Algorithm));
    // The neutral element of the curve "verifies" what nobody signed.
    let weak = SigningKey::from_bytes(&[1; 32])
        .for_log("a")
        .unwrap()
        .to_string();
    let weak = format!(
        "{}+AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        &weak[..10]
    );
    assert_eq!(weak.parse::<VerifyingKey>(), Err(KeyError::Point));
}

#[test]
fn a_published_note_is_believed_by_whom_it_should() {
    let both = format!("{TEXT}\n{BY_PETER}{BY_ENOCH}");
    let read = note(&both).unwrap();
    assert_eq!(read.to_string(), both);
    assert_eq!(read.text, TEXT);
    assert_eq!(read.signatures.len(), 2);
    assert_eq!(read.verify(&[key(PETER)]), Ok(()));
    assert_eq!(read.verify(&[key(ENOCH), key(PETER)]), Ok(()));
    assert_eq!(read.verify(&[]), Err(NoteError::NotSigned));
    let other = SigningKey::from_bytes(&[9; 32])
        .for_log("PeterNeumann")
        .unwrap();
    assert_eq!(read.verify(&[other]), Err(NoteError::NotSigned));
    // A signature in the name of a known key must be good, whatever else has signed.
    let forged = format!("{TEXT}\n{BY_PETER}{}", BY_ENOCH.replace("AF1aG", "AF1aH"));
    assert_eq!(note(&forged).unwrap().verify(&[key(PETER)]), Ok(()));
    let known = [key(PETER), key(ENOCH)];
    assert_eq!(
        note(&forged).unwrap().verify(&known),
        Err(NoteError::BadSignature)
    );
    let changed = format!("{}\n{BY_PETER}", TEXT.replace("know", "Know"));
    assert_eq!(
        note(&changed).unwrap().verify(&known),
        Err(NoteError::BadSignature)
    );
}

#[test]
fn a_text_may_have_empty_lines() {
    let text = "Ognuno sta solo sul cuor della terra\n\ned è subito sera.\n";
    let read = note(&format!("{text}\n{BY_PETER}")).unwrap();
    assert_eq!(read.text, text);
}

#[test]
fn what_is_not_a_note_is_refused() {
    let refused = |text: String, why: NoteError| assert_eq!(note(&text), Err(why), "{text:?}");
    refused(String::new(), NoteError::Form);
    refused(TEXT.to_owned(), NoteError::Form);
    refused(format!("{TEXT}\n"), NoteError::Form);
    refused(format!("{TEXT}{BY_PETER}"), NoteError::Form);
    refused(format!("{TEXT}\n{}", BY_PETER.trim_end()), NoteError::Form);
    refused(
        format!("\u{1}{TEXT}\n{BY_PETER}"),
        NoteError::ControlCharacter,
    );
    refused(
        format!("{TEXT}\n{BY_PETER}").replace('\n', "\r\n"),
        NoteError::ControlCharacter,
    );
    refused(
        format!("{TEXT}\n{BY_PETER}Unexpected line.\n"),
        NoteError::SignatureLine,
    );
    let line = |from: &str, to: &str| format!("{TEXT}\n{}", BY_PETER.replace(from, to));
    refused(line("PeterNeumann", "Bad Name"), NoteError::SignatureLine);
    refused(line("PeterNeumann", "a+b"), NoteError::SignatureLine);
    refused(line("PeterNeumann ", " "), NoteError::SignatureLine);
    refused(line("nAM=", "nAN="), NoteError::SignatureLine);
    refused(line("nAM=", "nAM"), NoteError::SignatureLine);
    refused(line("— ", "- "), NoteError::SignatureLine);
    refused(
        format!("{TEXT}\n— PeterNeumann x08gow==\n"),
        NoteError::SignatureLine,
    );
    let many = |count| format!("{TEXT}\n{}", BY_PETER.repeat(count));
    assert!(note(&many(NOTE_SIGNATURES_MAX)).is_ok());
    refused(many(NOTE_SIGNATURES_MAX + 1), NoteError::TooManySignatures);
    refused(
        format!("{}\n{BY_PETER}", "x\n".repeat(1 << 19)),
        NoteError::TooLong,
    );
}

#[test]
fn a_checkpoint_is_signed_in_the_name_of_its_log() {
    let signer = SigningKey::from_bytes(&[42; 32]);
    assert_eq!(*signer.to_bytes(), [42; 32]);
    let checkpoint = Checkpoint::new("annals.invalid/3f/w/7", 20852163, [5; 32]).unwrap();
    let signed = signer.sign(&checkpoint).to_string();
    let key = signer.for_log("annals.invalid/3f/w/7").unwrap();
    assert_eq!(key.to_string().parse(), Ok(key.clone()));
    assert_eq!(Checkpoint::open(&signed, &key).unwrap(), checkpoint);
    assert_eq!((checkpoint.size(), checkpoint.root()), (20852163, &[5; 32]));

    let not_signed = Err(CheckpointError::Note(NoteError::NotSigned));
    let other_log = signer.for_log("annals.invalid/3f/w/8").unwrap();
    assert_ne!(key.id(), other_log.id());
    assert_eq!(Checkpoint::open(&signed, &other_log), not_signed);
    let other_key = SigningKey::from_bytes(&[43; 32])
        .for_log("annals.invalid/3f/w/7")
        .unwrap();
    assert_eq!(Checkpoint::open(&signed, &other_key), not_signed);

    // Whoever has the key of one log cannot speak for another.
    let text = Checkpoint::new("annals.invalid/3f/w/8", 1, [5; 32]).unwrap();
    let line = signer.sign(&checkpoint).to_string();
    let line = line.split("\n\n").nth(1).unwrap();
    let forged = format!("{text}\n{line}");
    let bad = Err(CheckpointError::Note(NoteError::BadSignature));
    assert_eq!(Checkpoint::open(&forged, &key), bad);
    assert_eq!(Checkpoint::open(&forged, &other_log), not_signed);

    for i in 0..signed.len() {
        for bit in 0..8 {
            let mut bytes = signed.as_bytes().to_vec();
            bytes[i] ^= 1 << bit;
            let opened = String::from_utf8(bytes)
                .ok()
                .map(|note| Checkpoint::open(&note, &key));
            assert!(!matches!(opened, Some(Ok(_))), "bit {bit} of byte {i}");
        }
    }
}

#[test]
fn the_published_checkpoint_is_read() {
    let text =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let checkpoint: Checkpoint = text.parse().unwrap();
    assert_eq!(checkpoint.origin(), "example.com/behind-the-sofa");
    assert_eq!(checkpoint.size(), 20852163);
    assert_eq!(checkpoint.to_string(), text);
}

#[test]
fn what_is_not_a_checkpoint_is_refused() {
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    let refused = |text: String, why: CheckpointError| {
        assert_eq!(text.parse::<Checkpoint>(), Err(why), "{text:?}");
    };
    refused(format!("log\n1\n{root}"), CheckpointError::Lines);
    refused("log\n1\n".to_owned(), CheckpointError::Lines);
    refused(
        format!("log\n1\n{root}\nextension\n"),
        CheckpointError::Lines,
    );
    refused(format!("\n1\n{root}\n"), CheckpointError::Origin);
    refused(format!("a log\n1\n{root}\n"), CheckpointError::Origin);
    for size in ["", "+1", "01", "-1", "1 ", "0x1", "18446744073709551616"] {
        refused(format!("log\n{size}\n{root}\n"), CheckpointError::Size);
    }
    refused("log\n1\nAAAA\n".to_owned(), CheckpointError::Root);
    refused(
        format!("log\n1\n{}\n", root.trim_end_matches('=')),
        CheckpointError::Root,
    );
    refused(format!("log\n0\n{root}\n"), CheckpointError::Root);
    for name in ["", "a b", "a+b", "a\nb", "a\u{a0}b"] {
        assert_eq!(
            Checkpoint::new(name, 1, [0; 32]),
            Err(CheckpointError::Origin)
        );
        assert_eq!(
            SigningKey::from_bytes(&[1; 32]).for_log(name),
            Err(KeyError::Name)
        );
    }
    assert!(Checkpoint::new("log", 0, empty_root()).is_ok());
}
