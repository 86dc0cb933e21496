//! The sample files beside the specification: they verify, now and for ever, and we still write them.

use std::path::PathBuf;

use annals_proof::{Signer, Withhold, verify, withhold};

use crate::log::Log;

const NAMES: [&str; 4] = ["whole", "range", "blanked", "redacted"];

pub(crate) fn formats() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats")
}

/// What the sample file of this name holds.
pub(crate) fn sample(name: &str) -> Vec<u8> {
    let log = Log::of(23);
    let mut out = Vec::new();
    let choose: &mut dyn FnMut(u64, usize) -> Withhold = match name {
        "whole" => return log.file(0, 23),
        "range" => return log.file(3, 11),
        "blanked" => &mut |position, sections| match position % 4 {
            0 => Withhold::Sections((0..sections).collect()),
            1 => Withhold::Sections(vec![0, 3]),
            _ => Withhold::Nothing,
        },
        _ => &mut |position, _| match position {
            5 | 6 | 10 => Withhold::Entry,
            7 => Withhold::Sections(vec![0]),
            _ => Withhold::Nothing,
        },
    };
    withhold(&log.file(3, 11)[..], &mut out, choose).unwrap();
    out
}

#[test]
fn sample_files_verify_and_are_what_is_written_today() {
    for name in NAMES {
        let path = formats().join(format!("v1/{name}.proof"));
        if std::env::var_os("ANNALS_WRITE_GOLDEN").is_some() {
            std::fs::write(&path, sample(name)).unwrap();
        }
        let file = std::fs::read(&path).unwrap();
        let report = verify(&file[..], Some(&Log::of(0).key())).unwrap();
        assert_eq!(report.size, 23);
        assert_eq!(report.signer, Signer::Checked);
        let range = if name == "whole" { (0, 23) } else { (3, 11) };
        assert_eq!((report.from, report.to), range);
        assert_eq!(report.redacted, if name == "redacted" { 3 } else { 0 });
        let blanked = matches!(name, "blanked" | "redacted");
        assert_eq!(report.sections_blanked > 0, blanked, "{name}");
        assert!(
            file == sample(name),
            "{name}.proof is not what is written today"
        );
    }
}
