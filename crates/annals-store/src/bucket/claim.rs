//! A place in a bucket belongs to one installation, and an installation's segments lie in one place.
//!
//! Without that, a start would take the segments of another installation for what an interrupted merge left,
//! and delete them.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::{Bucket, BucketError, Created, copy, create, read};
use crate::StoreError;
use crate::database::{hex, meta, set_meta};

/// The object that says whose place it is.
const NAME: &str = "installation";

/// What is in it.
pub(crate) const VERSION: &str = "bucket/v1";

/// In the table meta: which place the segments are in.
pub(crate) const META: &str = "bucket";

/// It has a few short texts.
const BYTES_MAX: u64 = 4096;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    annals: String,
    id: String,
    origin: String,
}

fn refused(bucket: &dyn Bucket, what: impl Into<String>) -> StoreError {
    StoreError::Bucket {
        place: bucket.place().to_owned(),
        what: what.into(),
    }
}

/// The id of the place that the segments of this directory lie in; nothing if that is its own disk.
pub(crate) fn known(connection: &Connection) -> Result<Option<String>, StoreError> {
    let id = meta(connection, META)?;
    Ok(id.map(|id| String::from_utf8_lossy(&id).into_owned()))
}

/// Lets a copy of a database know of no place, because its segments are copied beside it.
pub(crate) fn leave(connection: &Connection) -> Result<(), StoreError> {
    connection.execute("delete from meta where name = ?", [META])?;
    Ok(())
}

/// Fails if the segments of this directory lie in a bucket.
pub(crate) fn refuse_without(connection: &Connection) -> Result<(), StoreError> {
    match known(connection)? {
        None => Ok(()),
        Some(_) => Err(StoreError::Bucket {
            place: "that holds the segments".to_owned(),
            what: "it was not named: the segments of this directory lie in an object store"
                .to_owned(),
        }),
    }
}

/// Makes sure that the place is this installation's. A place without an owner becomes it, where that loses nothing:
/// `all_here` says whether every segment that counts is on this disk.
pub(crate) fn claim(
    connection: &Connection,
    bucket: &dyn Bucket,
    origin: &str,
    all_here: bool,
) -> Result<(), StoreError> {
    let id = match known(connection)? {
        Some(id) => id,
        None => {
            let mut id = [0; 16];
            getrandom::fill(&mut id).map_err(|_| StoreError::Random)?;
            let id = hex(&id);
            // First here: a start that is interrupted finds its own claim again.
            let transaction = connection.unchecked_transaction()?;
            set_meta(&transaction, META, id.as_bytes())?;
            copy::count(&transaction)?;
            transaction.commit()?;
            id
        }
    };
    let ours = Claim {
        annals: VERSION.to_owned(),
        id,
        origin: origin.to_owned(),
    };
    if owner(bucket)?.is_none() {
        if !all_here {
            return Err(refused(
                bucket,
                "the segments of this installation are not there; name the place that they were put, or copied, to",
            ));
        }
        let text = serde_json::to_vec(&ours).unwrap_or_default();
        let made = create(bucket, NAME, &text).map_err(|error| error.at(bucket, NAME))?;
        tracing::info!(
            place = bucket.place(),
            new = made == Created::New,
            "segments go into the object store"
        );
    }
    match owner(bucket)? {
        Some(found) if found == ours => Ok(()),
        Some(found) => Err(refused(
            bucket,
            format!(
                "it belongs to another installation (origin {}). Choose another prefix; if its directory is lost, \
                 make it again with `annals rebuild`",
                found.origin
            ),
        )),
        None => Err(refused(bucket, "what was just written there is gone")),
    }
}

/// Fails unless the place is the one that the segments of this directory lie in.
pub(crate) fn refuse_others(
    connection: &Connection,
    bucket: &dyn Bucket,
) -> Result<(), StoreError> {
    match known(connection)? == id_of(bucket)? {
        true => Ok(()),
        false => Err(refused(
            bucket,
            "the segments of this directory are not there",
        )),
    }
}

/// An object that is not there is damage, but not if the whole place is not there: then it was deleted or renamed, or
/// something else answers in its name, and nobody knows what lies where the segments are.
pub(crate) fn unless_all_is_gone(bucket: &dyn Bucket, error: BucketError) -> BucketError {
    if error != BucketError::Missing {
        return error;
    }
    match bucket.size(NAME) {
        Ok(_) => BucketError::Missing,
        Err(BucketError::Missing) => {
            BucketError::Failed("nothing of this installation is there".to_owned())
        }
        Err(error) => error,
    }
}

/// The id of the installation that a place belongs to, for a directory that is made again from it.
pub(crate) fn id_of(bucket: &dyn Bucket) -> Result<Option<String>, StoreError> {
    Ok(owner(bucket)?.map(|claim| claim.id))
}

fn owner(bucket: &dyn Bucket) -> Result<Option<Claim>, StoreError> {
    match read(bucket, NAME, BYTES_MAX) {
        Ok(text) => serde_json::from_slice(&text)
            .ok()
            .filter(|claim: &Claim| claim.annals == VERSION)
            .map(Some)
            .ok_or_else(|| {
                refused(
                    bucket,
                    "its object `installation` is none that this version wrote",
                )
            }),
        Err(BucketError::Missing) => Ok(None),
        Err(error) => Err(error.at(bucket, NAME)),
    }
}

/// Fails if the bucket knows of more than the database: then the directory is an older copy of the one that was
/// in use, and would delete what came after it.
pub(crate) fn refuse_the_past(
    connection: &Connection,
    bucket: &dyn Bucket,
) -> Result<(), StoreError> {
    let here = copy::version(connection)?;
    let there = copy::versions(bucket)?.last().copied().unwrap_or(0);
    match there > here {
        false => Ok(()),
        true => Err(refused(
            bucket,
            format!(
                "it is further (manifest {there}) than this directory (manifest {here}), which seems to be an older \
                 copy. Use the newest one, or make it again with `annals rebuild`"
            ),
        )),
    }
}
