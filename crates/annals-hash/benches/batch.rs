//! Many short messages together and one by one: `cargo bench -p annals-hash`.

#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use annals_hash::Batch;
use sha2::{Digest, Sha256};

const MESSAGES: usize = 1_000;

fn measure(what: &str, mut turn: impl FnMut()) {
    let round = |turn: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..20).for_each(|_| turn());
        start.elapsed()
    };
    let fastest = (0..20)
        .map(|_| round(&mut turn))
        .min()
        .unwrap_or(Duration::ZERO);
    println!(
        "{what:<44} {:>6.0} ns a message",
        fastest.as_nanos() as f64 / (20 * MESSAGES) as f64
    );
}

fn main() {
    for length in [48, 110, 700] {
        let message = vec![7u8; length];
        let mut batch = Batch::new();
        let mut hashes = Vec::new();
        measure(&format!("{length} bytes, together"), || {
            hashes.clear();
            (0..MESSAGES).for_each(|_| batch.push(&[black_box(&message)]));
            batch.hash_into(&mut hashes);
        });
        measure(&format!("{length} bytes, one by one"), || {
            for _ in 0..MESSAGES {
                black_box(Sha256::digest(black_box(&message)));
            }
        });
    }
}
