//! Connections: how many may be open, how long they may take, and how they end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::{task, time};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::{debug, error, warn};

use crate::metrics::Metrics;

/// How long a connection may take to send the head of its next request; the time that it is idle counts.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// How long a client may leave unread what was written to it.
const READ_BY_CLIENT_WITHIN: Duration = Duration::from_secs(10);

/// How long requests that are under way may take once the server stops.
const STOP_WITHIN: Duration = Duration::from_secs(5);

pub struct Server {
    pub listener: TcpListener,
    pub name: &'static str,
    pub router: Router,
    pub connections: usize,
    pub metrics: Arc<Metrics>,
}

impl Server {
    /// Serves until `stop` is cancelled, then lets the requests that are under way end.
    pub async fn run(self, stop: CancellationToken) {
        let free = Arc::new(Semaphore::new(self.connections));
        let open = self.metrics.connections(self.name);
        let connections = GracefulShutdown::new();
        while let Some(accepted) = stop.run_until_cancelled(self.listener.accept()).await {
            match accepted {
                Ok((stream, peer)) => {
                    if let Ok(permit) = free.clone().try_acquire_owned() {
                        let (router, watcher, open) = (self.router.clone(), connections.watcher(), Open::new(&open));
                        task::spawn(async move {
                            let _held = (permit, open);
                            serve(stream, peer, router, watcher).await;
                        });
                    } else {
                        self.metrics.refused("connections");
                        refuse(stream);
                    }
                }
                // For example, no file descriptor is left. Trying again at once would fail again and load the
                // processor.
                Err(error) => {
                    self.metrics.refused("file_descriptors");
                    error!(%error, listener = self.name, "cannot accept connections");
                    time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
        drop(self.listener);
        if time::timeout(STOP_WITHIN, connections.shutdown()).await.is_err() {
            warn!(listener = self.name, "some requests were still under way");
        }
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, router: Router, watcher: Watcher) {
    // Sends an answer at once. The system would hold it back for data that could go with it, and there is none.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(READ_BY_CLIENT_WITHIN));
    let service = TowerToHyperService::new(tower::service_fn(move |request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            router.oneshot(request).await
        }
    }));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(64 << 10);
    if let Err(error) = watcher.watch(http.serve_connection(TokioIo::new(Box::pin(stream)), service)).await {
        debug!(%error, %peer, "a connection has ended");
    }
}

/// Answers 503 and closes the connection. It writes once and does not wait, because a connection that waits would be
/// one more than there may be.
fn refuse(stream: TcpStream) {
    let Ok(stream) = stream.into_std() else { return };
    let _ = std::io::Write::write(
        &mut &stream,
        b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
    );
}

/// Counts a connection while it is open.
struct Open(Gauge);

impl Open {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
