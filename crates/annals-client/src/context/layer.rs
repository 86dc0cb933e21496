//! The tower layer that makes the context of each request current.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll};

use annals_event::Context;
use http::header::{HeaderMap, USER_AGENT};
use http::{Extensions, Request};
use tower_layer::Layer;
use tower_service::Service;

use super::{Network, RequestContext, client_address, request_id, trace_id};

type OfExtensions<T> = Arc<dyn Fn(&Extensions) -> Option<T> + Send + Sync>;
type OfRequest = Arc<dyn Fn(&HeaderMap, &Extensions) -> Option<String> + Send + Sync>;

/// Bytes of a user agent that are kept.
const USER_AGENT_BYTES: usize = 512;

/// A tower layer, for axum and everything else that speaks tower: it puts a [`RequestContext`] into the extensions of each request and
/// makes it current while the handler runs.
///
/// ```
/// # use std::net::SocketAddr;
/// use annals_client::ContextLayer;
/// # struct ConnectInfo<T>(T);
/// let layer = ContextLayer::new("web")
///     .peer(|extensions| extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip()))
///     .trust("10.0.0.0/8".parse().unwrap())
///     .session(|headers, _| headers.get("x-session").and_then(|id| id.to_str().ok()).map(str::to_owned));
/// ```
///
/// Without [`ContextLayer::peer`] no address is recorded: headers alone prove nothing.
#[derive(Clone)]
pub struct ContextLayer {
    source: Arc<str>,
    trusted: Vec<Network>,
    peer: Option<OfExtensions<IpAddr>>,
    session: Option<OfRequest>,
}

impl std::fmt::Debug for ContextLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContextLayer")
            .field("source", &self.source)
            .field("trusted", &self.trusted)
            .finish_non_exhaustive()
    }
}

impl ContextLayer {
    /// A layer of this part of the product: `web`, `api`.
    pub fn new(source: &str) -> Self {
        Self {
            source: source.into(),
            trusted: Vec::new(),
            peer: None,
            session: None,
        }
    }

    /// Believes `X-Forwarded-For` of the proxies in this network. May be called several times.
    #[must_use]
    pub fn trust(mut self, network: Network) -> Self {
        self.trusted.push(network);
        self
    }

    /// How the address of the connection is found in a request's extensions. In axum: `ConnectInfo<SocketAddr>`.
    #[must_use]
    pub fn peer(
        mut self,
        peer: impl Fn(&Extensions) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.peer = Some(Arc::new(peer));
        self
    }

    /// How the id of the session is found, which must not be its cookie: whoever reads the log could use that.
    #[must_use]
    pub fn session(
        mut self,
        session: impl Fn(&HeaderMap, &Extensions) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.session = Some(Arc::new(session));
        self
    }

    fn context<B>(&self, request: &Request<B>) -> RequestContext {
        let headers = request.headers();
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        // A list may be spread over several headers (RFC 9110 §5.2).
        let forwarded = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect::<Vec<_>>()
            .join(",");
        let peer = self
            .peer
            .as_ref()
            .and_then(|peer| peer(request.extensions()));
        let id = text("x-request-id").and_then(request_id);
        let agent = headers.get(USER_AGENT).map(|value| {
            let bytes = value.as_bytes();
            String::from_utf8_lossy(&bytes[..bytes.len().min(USER_AGENT_BYTES)]).into_owned()
        });
        RequestContext(Context {
            location: peer.map(|peer| client_address(peer, &forwarded, &self.trusted).to_string()),
            user_agent: agent,
            source: Some(self.source.as_ref().to_owned()),
            session_id: self
                .session
                .as_ref()
                .and_then(|session| session(headers, request.extensions())),
            request_id: Some(id.map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned)),
            correlation_id: None,
            trace: text("traceparent").and_then(trace_id).map(str::to_owned),
        })
    }
}

impl<S> Layer<S> for ContextLayer {
    type Service = ContextService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ContextService {
            inner,
            layer: self.clone(),
        }
    }
}

/// What [`ContextLayer`] puts around a service.
#[derive(Clone, Debug)]
pub struct ContextService<S> {
    inner: S,
    layer: ContextLayer,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for ContextService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = ContextFuture<S::Future>;

    fn poll_ready(&mut self, poller: &mut Poller<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(poller)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let context = self.layer.context(&request);
        request.extensions_mut().insert(context.clone());
        ContextFuture {
            inner: context.scope(|| self.inner.call(request)),
            context,
        }
    }
}

pin_project_lite::pin_project! {
    /// A handler that runs with its request's context, whichever thread polls it.
    #[derive(Debug)]
    pub struct ContextFuture<F> {
        #[pin]
        inner: F,
        context: RequestContext,
    }
}

impl<F: Future> Future for ContextFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, poller: &mut Poller<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.context.scope(|| this.inner.poll(poller))
    }
}
