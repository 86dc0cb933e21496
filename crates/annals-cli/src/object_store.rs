//! The object store that holds the segments, as the command line and `operator.toml` name it.

use std::path::Path;
use std::sync::Arc;

use annals_objects::{S3, Settings};
use annals_server::Config;
use annals_store::Bucket;
use anyhow::{Context as _, Result};

use crate::args::Segments;
use crate::directory::operator_toml;
use crate::place::read_config;

/// What the command line says goes before what the settings say.
pub(crate) fn apply(said: &Segments, config: &mut Config) {
    let segments = &mut config.segments;
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    segments.url = given(&said.url).or(segments.url.take());
    segments.endpoint = given(&said.endpoint).or(segments.endpoint.take());
    segments.region = given(&said.region).or(segments.region.take());
    segments.allow_http |= said.allow_http;
}

/// The store that these settings name; nothing if segments lie in the data directory. Nothing is sent yet.
pub(crate) fn open(config: &Config) -> Result<Option<Arc<dyn Bucket>>> {
    let segments = &config.segments;
    let Some(url) = segments.url.clone() else {
        return Ok(None);
    };
    let settings = Settings {
        url,
        endpoint: segments.endpoint.clone(),
        region: segments.region.clone(),
        allow_http: segments.allow_http,
    };
    let bucket = S3::open(&settings).context("the object store for segments cannot be used")?;
    Ok(Some(Arc::new(bucket)))
}

/// The store that is named for a command beside the server.
pub(crate) fn of(data: &Path, said: &Segments) -> Result<Option<Arc<dyn Bucket>>> {
    let file = operator_toml(data);
    let mut config = match file.exists() {
        true => read_config(&file)?,
        false => Config::default(),
    };
    apply(said, &mut config);
    config.check()?;
    open(&config)
}
