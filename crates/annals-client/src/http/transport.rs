//! One shared pool of connections.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Uri};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::ClientError;

/// An answer is never larger: 1,000 results with their receipts.
const ANSWER_MAX: usize = 32 << 20;

#[cfg(feature = "tls")]
type Connector = hyper_rustls::HttpsConnector<HttpConnector>;
#[cfg(not(feature = "tls"))]
type Connector = HttpConnector;

#[derive(Clone, Debug)]
pub(crate) struct Transport {
    pool: Pool<Connector, Full<Bytes>>,
    base: String,
    authorization: HeaderValue,
    timeout: Duration,
}

/// What came back, whatever its status.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Transport {
    pub(crate) fn new(address: &str, key: &str, timeout: Duration) -> Result<Self, ClientError> {
        let base = address.trim_end_matches('/').to_owned();
        let uri: Uri = base.parse().map_err(|_| ClientError::Address)?;
        let scheme = uri.scheme_str().unwrap_or_default();
        let known = scheme == "http" || (cfg!(feature = "tls") && scheme == "https");
        if !known || uri.host().is_none_or(str::is_empty) || uri.query().is_some() {
            return Err(ClientError::Address);
        }
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| ClientError::Key)?;
        authorization.set_sensitive(true);
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.enforce_http(false);
        http.set_connect_timeout(Some(timeout.min(Duration::from_secs(10))));
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(60))
            .build(connector(http, scheme == "https")?);
        Ok(Self {
            pool,
            base,
            authorization,
            timeout,
        })
    }

    /// One request and its answer, tried once.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        kind: &'static str,
        body: Bytes,
    ) -> Result<Reply, ClientError> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, kind)
            .header(
                USER_AGENT,
                concat!("annals-client/", env!("CARGO_PKG_VERSION")),
            )
            .body(Full::new(body))
            .map_err(|_| ClientError::Address)?;
        let exchange = async {
            let answer = self.pool.request(request).await.map_err(unreachable)?;
            let status = answer.status().as_u16();
            let retry_after = answer.headers().get(RETRY_AFTER);
            let retry_after = retry_after.and_then(|v| v.to_str().ok()).map(str::to_owned);
            let body = Limited::new(answer.into_body(), ANSWER_MAX);
            let body = body.collect().await.map_err(ClientError::Unreachable)?;
            Ok(Reply {
                status,
                retry_after,
                body: body.to_bytes(),
            })
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(reply) => reply,
            Err(elapsed) => Err(unreachable(elapsed)),
        }
    }
}

fn unreachable(error: impl std::error::Error + Send + Sync + 'static) -> ClientError {
    ClientError::Unreachable(Box::new(error))
}

#[cfg(feature = "tls")]
fn connector(http: HttpConnector, secure: bool) -> Result<Connector, ClientError> {
    use hyper_rustls::{ConfigBuilderExt as _, HttpsConnectorBuilder};
    use rustls::{ClientConfig, RootCertStore, crypto::ring};

    // The provider is named, so that another one in the same program is no trouble.
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(unreachable)?;
    // A machine without certificates can still speak http.
    let config = if secure {
        config.with_native_roots().map_err(unreachable)?
    } else {
        config.with_root_certificates(RootCertStore::empty())
    };
    let builder = HttpsConnectorBuilder::new().with_tls_config(config.with_no_client_auth());
    Ok(builder.https_or_http().enable_http1().wrap_connector(http))
}

#[cfg(not(feature = "tls"))]
#[expect(clippy::unnecessary_wraps, reason = "as with TLS")]
fn connector(http: HttpConnector, _secure: bool) -> Result<Connector, ClientError> {
    Ok(http)
}
