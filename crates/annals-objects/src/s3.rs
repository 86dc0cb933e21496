//! The bucket, over the network.

use std::ffi::OsString;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use annals_store::{Bucket, BucketError, ObjectCreated};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions,
    RetryConfig, WriteMultipart,
};
use tokio::runtime::{Builder, Runtime};

use crate::place::Place;
use crate::{Settings, SettingsError, said};

/// Up to here an object goes by one request, which is also what makes "only if there is none" possible.
const SINGLE_BYTES_MAX: u64 = 16 << 20;

/// How large the parts of others are. With at most ten thousand of them, that is for objects of 80 GB.
const PART_BYTES: usize = 8 << 20;

/// How many parts, or ranges, are on their way at once.
const AT_ONCE: usize = 4;

/// How long a connection, a pause within an answer, and a request as a whole may take.
const CONNECT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_secs(10);
const REQUEST: Duration = Duration::from_secs(60);

/// How often and for how long a request is tried again.
const RETRIES: usize = 3;
const RETRY: Duration = Duration::from_secs(20);

/// A place in a store that speaks S3.
pub struct S3 {
    store: Arc<AmazonS3>,
    place: Place,
    text: String,
    /// Only absent while it is dropped.
    runtime: Option<Runtime>,
}

impl S3 {
    /// Makes ready to speak to a store; nothing is sent yet. Credentials are those of the environment
    /// (`AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, a web identity, a container's or a machine's role).
    ///
    /// # Errors
    /// [`SettingsError`] if the settings, or the environment's, cannot be meant.
    pub fn open(settings: &Settings) -> Result<S3, SettingsError> {
        let text = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        S3::open_in(settings, std::env::vars_os().filter_map(text))
    }

    /// The same with these variables as the environment. Those count that the AWS command line knows too.
    ///
    /// # Errors
    /// Those of [`S3::open`].
    pub fn open_in(
        settings: &Settings,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<S3, SettingsError> {
        let place = Place::parse(&settings.url)?;
        if let Some(endpoint) = &settings.endpoint {
            check_endpoint(endpoint, settings.allow_http)?;
        }
        // Several may be linked in, so that none is taken by itself. It is no error if there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = ClientOptions::new()
            .with_connect_timeout(CONNECT)
            .with_read_timeout(PAUSE)
            .with_timeout(REQUEST)
            .with_allow_http(settings.allow_http);
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(1),
                base: 2.0,
            },
            max_retries: RETRIES,
            retry_timeout: RETRY,
        };
        let mut builder = AmazonS3Builder::new();
        for (name, value) in environment {
            if name.starts_with("AWS_")
                && let Ok(key) = name.to_ascii_lowercase().parse()
            {
                builder = builder.with_config(key, value);
            }
        }
        builder = builder
            .with_bucket_name(&place.bucket)
            .with_client_options(client)
            .with_retry(retry)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            // Not every store has the request that deletes many.
            .with_disable_bulk_delete(true);
        if let Some(endpoint) = &settings.endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
        }
        if let Some(region) = &settings.region {
            builder = builder.with_region(region);
        }
        let store = builder
            .build()
            .map_err(|error| SettingsError::Environment(said::error(error).to_string()))?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("annals-objects")
            .enable_all()
            .build()
            .map_err(|_| SettingsError::Threads)?;
        Ok(S3 {
            store: Arc::new(store),
            text: place.to_string(),
            place,
            runtime: Some(runtime),
        })
    }

    fn path(&self, name: &str) -> Path {
        Path::from(format!("{}/{name}", self.place.prefix))
    }

    /// Runs a request on our own threads and waits for it. That can be done on any thread, also on one of
    /// another runtime.
    fn run<T: Send + 'static>(
        &self,
        request: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> Result<T, BucketError> {
        let stopped = || BucketError::Failed("requests are no longer made".to_owned());
        let (sender, answer) = mpsc::sync_channel(1);
        let runtime = self.runtime.as_ref().ok_or_else(stopped)?;
        runtime.spawn(async move {
            let _ = sender.send(request.await);
        });
        answer.recv().map_err(|_| stopped())?.map_err(said::error)
    }

    fn create_small(&self, path: Path, bytes: Vec<u8>) -> Result<ObjectCreated, BucketError> {
        let store = self.store.clone();
        self.run(async move {
            let options = PutOptions::from(PutMode::Create);
            match store.put_opts(&path, bytes.into(), options).await {
                Ok(_) => Ok(ObjectCreated::New),
                Err(object_store::Error::AlreadyExists { .. }) => Ok(ObjectCreated::Existing),
                Err(error) => Err(error),
            }
        })
    }

    /// Part after part. Whoever takes too long, or ends on the way, leaves parts behind that nobody sees; a rule of
    /// the bucket can clear them away.
    fn create_large(
        &self,
        path: Path,
        length: u64,
        content: &mut (dyn Read + Send),
    ) -> Result<(), BucketError> {
        let store = self.store.clone();
        let mut upload = self.run(async move {
            let upload = store.put_multipart(&path).await?;
            Ok(WriteMultipart::new_with_chunk_size(upload, PART_BYTES))
        })?;
        let mut left = length;
        while left > 0 {
            let part = usize::try_from(left).unwrap_or(PART_BYTES).min(PART_BYTES);
            let part = match exactly(content, part) {
                Ok(part) => Bytes::from(part),
                Err(error) => {
                    let _ = self.run(async move { upload.abort().await });
                    return Err(error);
                }
            };
            left -= part.len() as u64;
            upload = self.run(async move {
                if let Err(error) = upload.wait_for_capacity(AT_ONCE).await {
                    let _ = upload.abort().await;
                    return Err(error);
                }
                upload.put(part);
                Ok(upload)
            })?;
        }
        self.run(async move { upload.finish().await })?;
        Ok(())
    }
}

fn check_endpoint(endpoint: &str, allow_http: bool) -> Result<(), SettingsError> {
    let wrong = |what| Err(SettingsError::Endpoint(what));
    let Ok(url) = url::Url::parse(endpoint) else {
        return wrong("`https://host`, optionally with a port, is expected");
    };
    match url.scheme() {
        "https" => {}
        "http" if allow_http => {}
        "http" => {
            return wrong("it is not encrypted; use https, or allow http where nobody listens");
        }
        _ => return wrong("it begins with https://"),
    }
    if url.host_str().is_none_or(str::is_empty) {
        return wrong("it has no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("credentials belong into the environment");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("it ends with `?` or `#`");
    }
    Ok(())
}

fn exactly(content: &mut (dyn Read + Send), length: usize) -> Result<Vec<u8>, BucketError> {
    let mut bytes = vec![0; length];
    let read = content.read_exact(&mut bytes);
    let failed = |error: io::Error| {
        BucketError::Failed(format!("what is to be written cannot be read: {error}"))
    };
    read.map_err(failed)?;
    Ok(bytes)
}

/// The bucket itself is not there.
fn no_bucket(error: BucketError) -> BucketError {
    match error {
        BucketError::Missing => BucketError::Failed("there is no such bucket".to_owned()),
        error => error,
    }
}

impl Bucket for S3 {
    fn place(&self) -> &str {
        &self.text
    }

    fn create(
        &self,
        name: &str,
        length: u64,
        content: &mut (dyn Read + Send),
    ) -> Result<ObjectCreated, BucketError> {
        let path = self.path(name);
        if length <= SINGLE_BYTES_MAX {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let bytes = exactly(content, length)?;
            return self.create_small(path, bytes).map_err(no_bucket);
        }
        match self.size(name) {
            Ok(_) => Ok(ObjectCreated::Existing),
            Err(BucketError::Missing) => {
                let created = self.create_large(path, length, content);
                created.map(|()| ObjectCreated::New).map_err(no_bucket)
            }
            Err(error) => Err(error),
        }
    }

    fn read(&self, name: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, BucketError> {
        let (store, path) = (self.store.clone(), self.path(name));
        let ranges = ranges.to_vec();
        let read = self.run(async move {
            let get = |range: Range<u64>| {
                let (store, path) = (store.clone(), path.clone());
                async move { store.get_range(&path, range).await }
            };
            stream::iter(ranges.into_iter().map(get))
                .buffered(AT_ONCE)
                .try_collect::<Vec<Bytes>>()
                .await
        })?;
        Ok(read)
    }

    fn size(&self, name: &str) -> Result<u64, BucketError> {
        let (store, path) = (self.store.clone(), self.path(name));
        self.run(async move { Ok(store.head(&path).await?.size) })
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, BucketError> {
        let (store, path) = (self.store.clone(), self.path(folder));
        let listed = self.run(async move {
            let found = store.list(Some(&path)).map_ok(|found| found.location);
            found.try_collect::<Vec<Path>>().await
        });
        let root = self.path("");
        let mut names: Vec<String> = listed
            .map_err(no_bucket)?
            .iter()
            .map(|found| {
                let name = found
                    .as_ref()
                    .strip_prefix(root.as_ref())
                    .unwrap_or_default();
                name.trim_start_matches('/').to_owned()
            })
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    fn delete(&self, name: &str) -> Result<(), BucketError> {
        let (store, path) = (self.store.clone(), self.path(name));
        match self.run(async move { store.delete(&path).await }) {
            Err(BucketError::Missing) => Ok(()),
            result => result,
        }
    }
}

impl std::fmt::Debug for S3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3")
            .field("place", &self.text)
            .finish_non_exhaustive()
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        // Waiting for its threads is not allowed on those of another runtime, which may be where this ends.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
