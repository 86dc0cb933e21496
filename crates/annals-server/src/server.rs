//! The server: settings and a store in, a router or a running listener out.

use std::future::Future;
use std::sync::atomic::Ordering::Relaxed;

use annals_store::Store;
use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::response::Response;
use tokio::net::TcpListener;

use crate::api::docs::page;
use crate::app::App;
use crate::config::{Config, ConfigError};
use crate::request::Front;
use crate::{router, serve, viewer};

mod first_keys;

/// A server that is ready to listen.
#[derive(Clone)]
pub struct Server {
    app: App,
    front: Front,
}

impl Server {
    /// Puts a server together. The store stays the caller's to close, after the server has stopped.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with every setting that cannot be meant.
    pub fn build(config: Config, store: Store) -> Result<Self, ConfigError> {
        config.check()?;
        let (api, description) = router::api();
        let routes = description.paths.paths.keys().cloned();
        let routes = routes.chain(viewer::paths().map(|(_, path)| path.to_owned()));
        // The description is plain data; what cannot be written would show as an empty page in the tests.
        let json = serde_json::to_value(&description).unwrap_or_default();
        let docs = Bytes::from(page::render(&json));
        let openapi = Bytes::from(json.to_string());
        let app = App::new(store, config, routes.collect(), openapi, docs);
        let front = router::whole(app.clone(), api);
        Ok(Self { app, front })
    }

    /// Answers a request that came by no connection: the way in for tests in process.
    pub async fn answer(&self, request: Request) -> Response {
        self.front.answer(request).await
    }

    /// The description of the API, as OpenAPI 3.1 JSON text.
    #[must_use]
    pub fn openapi(&self) -> &[u8] {
        &self.app.openapi
    }

    /// The same server with further routes of the caller's beside its own, such as the start page of
    /// the demo.
    #[must_use]
    pub fn with_routes(mut self, more: Router) -> Self {
        self.front = self.front.with_routes(more);
        self
    }

    /// Serves until `shutdown` resolves; then takes no more connections and returns when running
    /// requests have finished, after at most nine seconds.
    pub async fn run(self, listener: TcpListener, shutdown: impl Future<Output = ()> + Send) {
        let app = self.app.clone();
        let shutdown = async {
            shutdown.await;
            app.stopping.store(true, Relaxed);
        };
        serve::serve(listener, self.front, &self.app.config.limits, shutdown).await;
    }
}

/// The routes of the pages, which stand in no API description: method and path. Tests go through them.
#[must_use]
pub fn page_routes() -> Vec<(&'static str, &'static str)> {
    viewer::paths().collect()
}
