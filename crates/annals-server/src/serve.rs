//! The listener: connections, their time limits, and stopping.
//!
//! Hyper is driven directly rather than through `axum::serve`, because a public listener needs
//! what that does not give: a bound on connections, a time limit on the head of a request and on
//! idle connections, small buffers, and a drain that ends.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::config::Limits;
use crate::request::Front;

/// How long running requests may go on after the signal to stop.
pub(crate) const DRAIN: Duration = Duration::from_secs(9);

/// Largest head of a request, and the largest piece in which a body is read.
const BUFFER: usize = 64 * 1024;
const HEADERS: usize = 64;

/// The address of the other end of the connection: the client, or a proxy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Serves until `shutdown` resolves, then lets running requests finish for at most [`DRAIN`].
pub(crate) async fn serve(
    listener: TcpListener,
    front: Front,
    limits: &Limits,
    shutdown: impl Future<Output = ()> + Send,
) {
    let most = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    let places = Arc::new(Semaphore::new(most as usize));
    let (stop, stopped) = watch::channel(false);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout())
        .max_buf_size(BUFFER)
        .max_headers(HEADERS);

    tokio::pin!(shutdown);
    loop {
        // The place is taken before the connection: beyond the bound clients wait in the kernel's
        // queue and cost nothing here.
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = &mut shutdown => break,
            accepted = accepted => accepted,
        };
        let Ok(place) = place else { break };
        match accepted {
            Ok((stream, address)) => {
                let connection = connection(
                    stream,
                    address,
                    http.clone(),
                    front.clone(),
                    stopped.clone(),
                );
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => accept_failed(&error).await,
        }
    }
    drop(listener);
    let _ = stop.send(true);
    if tokio::time::timeout(DRAIN, places.acquire_many(most))
        .await
        .is_err()
    {
        tracing::warn!("requests were still running when the time to stop was over");
    }
}

/// One connection from its first request to its last.
async fn connection(
    stream: TcpStream,
    address: SocketAddr,
    http: http1::Builder,
    front: Front,
    mut stopped: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(Peer(address));
        let front = front.clone();
        async move { Ok::<_, Infallible>(front.answer(request).await) }
    });
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // Errors are those of the other end (closed early, not HTTP): nothing to do about them here.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// An error of `accept` is either that of one connection, or a lack of file descriptors, which
/// passes when others close; trying at once would only burn the processor.
async fn accept_failed(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        return;
    }
    tracing::error!(%error, "cannot accept a connection");
    tokio::time::sleep(Duration::from_millis(250)).await;
}
