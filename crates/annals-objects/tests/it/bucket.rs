//! What is promised of a bucket.

use std::io::Cursor;

use annals_objects::{S3, Settings, SettingsError};
use annals_store::{Bucket, BucketError, Nodes, ObjectCreated, probe};

use crate::harness::{CREDENTIALS, Server};

fn create(bucket: &S3, name: &str, bytes: &[u8]) -> Result<ObjectCreated, BucketError> {
    bucket.create(name, bytes.len() as u64, &mut Cursor::new(bytes))
}

#[test]
fn objects_are_made_once_read_in_ranges_listed_and_deleted() {
    let Some(server) = Server::start() else {
        return;
    };
    let (bucket, other) = (server.bucket("a/b"), server.bucket("a"));
    assert_eq!(bucket.place(), "s3://annals/a/b");
    assert_eq!(
        create(&bucket, "folder/two", b"0123456789"),
        Ok(ObjectCreated::New)
    );
    assert_eq!(
        create(&bucket, "folder/two", b"other"),
        Ok(ObjectCreated::Existing)
    );
    assert_eq!(create(&bucket, "folder/one", b""), Ok(ObjectCreated::New));
    assert_eq!(
        create(&bucket, "folder2/three", b"x"),
        Ok(ObjectCreated::New)
    );
    assert_eq!(bucket.size("folder/two"), Ok(10));
    let read = bucket.read("folder/two", &[7..10, 0..1, 2..9]).unwrap();
    assert_eq!(read, [&b"789"[..], b"0", b"2345678"]);
    assert_eq!(bucket.list("folder").unwrap(), ["folder/one", "folder/two"]);
    assert_eq!(bucket.list("nothing").unwrap(), [""; 0]);
    assert_eq!(other.list("b").unwrap().len(), 3, "a prefix is a folder");
    bucket.delete("folder/two").unwrap();
    bucket.delete("folder/two").unwrap();
    assert_eq!(bucket.size("folder/two"), Err(BucketError::Missing));
    let slice = std::slice::from_ref(&(0..1));
    assert_eq!(bucket.read("folder/two", slice), Err(BucketError::Missing));

    // One that goes in parts.
    let large: Vec<u8> = (0..18_000_000u32)
        .map(|n| (n / 7).to_le_bytes()[0])
        .collect();
    assert_eq!(create(&bucket, "large", &large), Ok(ObjectCreated::New));
    assert_eq!(
        create(&bucket, "large", &large),
        Ok(ObjectCreated::Existing)
    );
    assert_eq!(bucket.size("large"), Ok(18_000_000));
    let (from, to) = (8_388_600, 8_388_700);
    let read = bucket
        .read("large", &[from..to, 17_999_990..18_000_000])
        .unwrap();
    assert_eq!(read[0], large[8_388_600..8_388_700]);
    assert_eq!(read[1], large[17_999_990..]);
    // Nothing of it is left where what it is made of ends too early.
    let cut = bucket.create("cut", 18_000_000, &mut Cursor::new(&large[..9_000_000]));
    assert!(matches!(cut, Err(BucketError::Failed(_))), "{cut:?}");
    assert_eq!(bucket.size("cut"), Err(BucketError::Missing));
}

/// This server looks whether a name is taken, and writes then.
#[test]
fn the_probe_refuses_this_server_for_several_nodes_and_allows_it_for_one() {
    let Some(server) = Server::start() else {
        return;
    };
    let bucket = server.bucket("probed");
    let probed = probe(&*bucket).unwrap();
    assert!(
        probed.allows(Nodes::One).unwrap().is_some(),
        "with a warning"
    );
    let refused = probed.allows(Nodes::Several);
    assert!(refused.unwrap_err().to_string().contains("exactly one"));
    assert_eq!(bucket.list("probe").unwrap(), [""; 0]);
    server.door.shut();
    let error = probe(&*bucket).unwrap_err().to_string();
    assert!(
        error.contains("writing an object failed: it does not answer"),
        "{error}"
    );
    assert!(
        !error.contains("AKIATEST") && !error.contains("secret"),
        "{error}"
    );
    server.door.open();
    assert!(probe(&*bucket).is_ok());
}

#[test]
fn a_bucket_that_is_not_there_is_said() {
    let Some(server) = Server::start() else {
        return;
    };
    let settings = Settings {
        url: "s3://nobody/x".to_owned(),
        ..server.settings("")
    };
    let environment = CREDENTIALS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let bucket = S3::open_in(&settings, environment).unwrap();
    let error = probe(&bucket).unwrap_err().to_string();
    assert!(error.contains("there is no such bucket"), "{error}");
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    let open = |url: &str, endpoint: Option<&str>, allow_http| {
        let settings = Settings {
            url: url.to_owned(),
            endpoint: endpoint.map(str::to_owned),
            region: None,
            allow_http,
        };
        S3::open_in(&settings, []).map(|_| ())
    };
    assert!(matches!(
        open("/tmp/x", None, false),
        Err(SettingsError::Url(_))
    ));
    let ok = "s3://acme/x";
    for (endpoint, allow_http) in [
        ("localhost:9000", true),
        ("http://localhost:9000", false),
        ("ftp://localhost", true),
        ("https://id:secret@localhost", true),
        ("https://localhost/?x", true),
    ] {
        let refused = open(ok, Some(endpoint), allow_http);
        let Err(SettingsError::Endpoint(said)) = refused else {
            panic!("{endpoint}: {refused:?}");
        };
        assert!(!said.contains("secret"));
    }
    assert_eq!(open(ok, Some("http://localhost:9000"), true), Ok(()));
    assert_eq!(open(ok, Some("https://localhost:9000/"), false), Ok(()));
}
