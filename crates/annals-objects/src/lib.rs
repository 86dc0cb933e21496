//! Object stores that speak S3, as places for segments: the [`Bucket`](annals_store::Bucket) of the store, over the
//! network.
//!
//! The store is synchronous and runs on threads; requests run on a small runtime of this crate's own, and
//! whoever asks waits for the answer. Every request has a time limit and a bounded number of retries. Credentials
//! come from the environment or from the machine's role, and go into no message.
//!
//! ```no_run
//! use annals_objects::{S3, Settings};
//!
//! let bucket = S3::open(&Settings {
//!     url: "s3://acme-audit/annals".to_owned(),
//!     region: Some("eu-central-1".to_owned()),
//!     ..Settings::default()
//! })?;
//! # Ok::<(), annals_objects::SettingsError>(())
//! ```

mod place;
mod s3;
mod said;
mod settings;

pub use s3::S3;
pub use settings::{Settings, SettingsError};
