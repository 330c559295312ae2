//! The accept loop.
//!
//! Our own, because every connection needs limits that a convenient one does not
//! have: on how many there are, on how long one may be silent or half-sent, on how
//! long its peer may refuse to read. HTTP/1.1 alone: its builder starts the header
//! timer with the connection, so a silent socket is closed too, and an API of
//! small documents gains nothing from HTTP/2 that would pay for its floods.

use crate::http::Api;
use crate::http::Gates;
use crate::http::Settings;
use crate::http::patient::Patient;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Headers of one request: browsers and proxies send some twenty.
const MAX_HEADERS: usize = 64;
/// Bytes of one request's header: a wave id of 256 bytes, percent-encoded, is a fiftieth of it.
const MAX_HEADER: usize = 32 * 1024;
/// What a connection buffers of requests it has not yet read.
const MAX_BUFFER: usize = 64 * 1024;
/// The pause after a failed accept, doubled each time: with no file descriptors
/// left the next accept fails as well, and a tight loop would take the processor
/// from those who could give some back.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// The longest such pause.
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// Serves `api` on `listener` until `shutdown`, then stops accepting, lets requests
/// end for as long as `drain_timeout`, and returns. Callers that wait for a verdict
/// are answered at once. The caller owns the socket and the signal.
pub async fn serve<G: Gates>(listener: TcpListener, api: Api<G>, shutdown: impl Future<Output = ()>) {
    let (settings, drain) = (api.shared.settings.clone(), api.shared.drain.clone());
    let router = api.router();
    let mut connections = JoinSet::new();
    {
        let mut shutdown = pin!(shutdown);
        let slots = Arc::new(Semaphore::new(settings.max_connections.get().min(Semaphore::MAX_PERMITS)));
        let mut pause = FIRST_PAUSE;
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                Some(ended) = connections.join_next() => {
                    report(ended);
                    continue;
                }
                accepted = accept(&listener, &slots) => accepted,
            };
            match accepted {
                Ok((stream, slot)) => {
                    pause = FIRST_PAUSE;
                    connections.spawn(connection(stream, slot, router.clone(), settings.clone(), drain.clone()));
                }
                // The peer was gone before we took it: not our trouble.
                Err(error) if is_of_peer(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, ?pause, "cannot accept connections");
                    tokio::select! {
                        () = &mut shutdown => break,
                        () = tokio::time::sleep(pause) => pause = (pause * 2).min(LAST_PAUSE),
                    }
                }
            }
        }
    }
    drop(listener);
    drain.cancel();
    let drained = async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    };
    if tokio::time::timeout(settings.drain_timeout, drained).await.is_err() {
        tracing::warn!(connections = connections.len(), "cut off connections that did not end in time");
        connections.shutdown().await;
    }
}

/// A connection, once there is a slot for it: beyond the limit callers wait in the backlog.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, slot))
}

async fn connection(
    stream: TcpStream,
    slot: OwnedSemaphorePermit,
    router: Router,
    settings: Settings,
    drain: CancellationToken,
) {
    // Answers are small and whole: waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEADER)
        .max_buf_size(MAX_BUFFER);
    let stream = TokioIo::new(Patient::new(stream, settings.write_timeout));
    let mut served = pin!(builder.serve_connection(stream, TowerToHyperService::new(router)));
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = drain.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection ended early");
    }
    drop(slot);
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection panicked");
    }
}

fn is_of_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}
