//! What the store proves, somebody who trusts nobody can check.

use annals_merkle::{
    Checkpoint, Hash, VerifyingKey, leaf_hash, verify_consistency, verify_inclusion,
};
use annals_proof::verify;
use annals_store::{Log, StoreError};

use crate::world::{World, event, generated, record};

fn key(log: &Log) -> VerifyingKey {
    log.verifier_key().parse().unwrap()
}

fn root(log: &Log, size: u64) -> Hash {
    let checkpoint = Checkpoint::open(&log.checkpoint_at(size).unwrap(), &key(log)).unwrap();
    assert_eq!((checkpoint.origin(), checkpoint.size()), (log.name(), size));
    assert_eq!(*checkpoint.root(), log.root_at(size).unwrap());
    *checkpoint.root()
}

/// A log of several tiles, in groups of many sizes, with another log in between.
fn log_of(world: &World, size: usize) -> Log {
    let log = world.log("org_a");
    let other = world.log("org_b");
    let events = generated(size as u64, 5);
    let mut rest = events.as_slice();
    for width in [1, 7, 300, 2, 256, 31, 512, 3].into_iter().cycle() {
        let (chunk, after) = rest.split_at(width.min(rest.len()));
        if chunk.is_empty() {
            break;
        }
        record(&log, chunk.to_vec());
        record(&other, vec![event(&format!("other-{}", after.len()))]);
        rest = after;
    }
    log
}

#[test]
fn inclusion_and_consistency_hold_at_every_kind_of_size() {
    let mut world = World::new();
    let log = log_of(&world, 1300);
    let before: Vec<Hash> = [0, 1, 255, 256, 257, 600, 1300]
        .map(|size| root(&log, size))
        .to_vec();
    drop(log);
    world.reopen();
    let log = world.log("org_a");
    let sizes = [0u64, 1, 255, 256, 257, 600, 1300];
    for (size, before) in sizes.into_iter().zip(before) {
        let root = root(&log, size);
        assert_eq!(root, before, "the root of size {size} changed");
        for position in [0, 1, 200, 255, 256, 599, 1023, 1299]
            .into_iter()
            .filter(|p| *p < size)
        {
            let leaf = leaf_hash(log.entry(position).unwrap().unwrap().as_bytes());
            let proof = log.inclusion(position, size).unwrap();
            verify_inclusion(&leaf, position, size, &proof, &root).unwrap();
        }
        for old in sizes.into_iter().filter(|old| *old <= size) {
            let proof = log.consistency(old, size).unwrap();
            verify_consistency(old, &log.root_at(old).unwrap(), size, &root, &proof).unwrap();
        }
    }
    for beyond in [
        log.inclusion(0, 1301).err(),
        log.inclusion(1300, 1300).err(),
        log.consistency(1, 1301).err(),
    ] {
        assert!(matches!(beyond, Some(StoreError::Proof(_))));
    }
    assert!(matches!(log.checkpoint_at(1301), Err(StoreError::Proof(_))));
    assert_ne!(key(&log), key(&world.log("org_b")));
}

#[test]
fn proof_files_of_ranges_verify_and_hide_what_is_withheld() {
    let world = World::new();
    let log = log_of(&world, 700);
    for (range, as_of) in [
        (0..700, None),
        (0..0, None),
        (10..300, Some(650)),
        (255..257, None),
        (699..700, Some(700)),
    ] {
        let mut file = Vec::new();
        log.write_proof(range.clone(), as_of, &mut file, &|_, _| false)
            .unwrap();
        let report = verify(file.as_slice(), Some(&key(&log))).unwrap();
        assert_eq!(report.size, as_of.unwrap_or(700));
        assert_eq!(report.root, log.root_at(report.size).unwrap());
        if range.end - range.start > 2 {
            let mut hidden = Vec::new();
            log.write_proof(range, as_of, &mut hidden, &|row, k| {
                k == 0 && row.position % 2 == 0
            })
            .unwrap();
            verify(hidden.as_slice(), Some(&key(&log))).unwrap();
            assert!(hidden.len() < file.len());
        }
    }
    let mut file = Vec::new();
    let beyond = log.write_proof(0..701, None, &mut file, &|_, _| false);
    assert!(matches!(beyond, Err(StoreError::Proof(_))));
    assert!(
        file.is_empty(),
        "nothing is written that cannot be finished"
    );
}

#[test]
fn an_empty_log_has_a_checkpoint() {
    let world = World::new();
    let log = world.log("org_a");
    root(&log, 0);
    assert!(log.entry(0).unwrap().is_none());
}
