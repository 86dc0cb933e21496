//! What has to be said of an object store.

use thiserror::Error;

/// Which object store, and how it is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `s3://bucket`, or `s3://bucket/prefix` where the bucket is for other things too.
    pub url: String,
    /// Where the store is, if it is not Amazon's: `https://storage.example.com:9000`. Without it
    /// `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`.
    pub endpoint: Option<String>,
    /// The region. Without it `AWS_REGION` or `AWS_DEFAULT_REGION`, else `us-east-1`.
    pub region: Option<String>,
    /// Whether it may be spoken to without TLS. What goes there is readable on the way then.
    pub allow_http: bool,
}

/// Why settings cannot be used. Values are not in it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// Not the URL of a bucket.
    #[error("`s3://bucket/prefix` is expected: {0}")]
    Url(&'static str),
    /// The address is none, or not of TLS.
    #[error("the endpoint cannot be used: {0}")]
    Endpoint(&'static str),
    /// What the environment says contradicts itself, such as a key without its secret.
    #[error("the object store cannot be set up: {0}")]
    Environment(String),
    /// No threads.
    #[error("no threads for requests can be started")]
    Threads,
}
