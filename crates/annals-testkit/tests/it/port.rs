use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::TcpListener;

use annals_testkit::HeldPort;

#[test]
fn a_held_port_is_for_whoever_names_it_and_for_nobody_else() {
    let held = HeldPort::take();
    let mut others = Vec::new();
    let mut seen = HashSet::new();
    // As many as the system will spare: a port that is only remembered would be among them.
    for _ in 0..900 {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(seen.insert(other.local_addr().unwrap()));
        others.push(other);
    }
    assert!(!seen.contains(&held.address()));

    // It comes and goes.
    for _ in 0..3 {
        let listener = TcpListener::bind(held.address()).unwrap();
        let second = TcpListener::bind(held.address()).unwrap_err();
        assert_eq!(second.kind(), ErrorKind::AddrInUse);
        drop(listener);
    }
}
