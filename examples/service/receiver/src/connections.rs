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
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::{task, time};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::{debug, error, warn};

use crate::idle::{Activity, IdleConnections, Reason, Watched};
use crate::metrics::Metrics;

/// How long a client may leave unread what was written to it.
const READ_BY_CLIENT_WITHIN: Duration = Duration::from_secs(10);

/// hyper's own limit from an answer to the end of the next head, which is never reached: `Activity` has shorter ones. If
/// it had none, hyper would not read after an answer until bytes arrive, and the silence before them would go unseen.
const HYPERS_LIMIT: Duration = Duration::from_hours(48);

/// How long requests that are under way may take once the server stops.
const STOP_WITHIN: Duration = Duration::from_secs(5);

pub struct Server {
    pub listener: TcpListener,
    pub name: &'static str,
    pub router: Router,
    pub connections: usize,
    /// How long a connection may be idle.
    pub idle: Duration,
    pub metrics: Arc<Metrics>,
}

impl Server {
    /// Serves until `stop` is cancelled, then lets the requests that are under way end.
    pub async fn run(self, stop: CancellationToken) {
        let free = Arc::new(Semaphore::new(self.connections));
        let idle = IdleConnections::new(self.idle);
        let open = self.metrics.connections(self.name);
        let connections = GracefulShutdown::new();
        while let Some(accepted) = stop.run_until_cancelled(self.listener.accept()).await {
            match accepted {
                Ok((stream, peer)) => {
                    if let Some(permit) = permit(&free, &idle).await {
                        let (router, watcher, open) = (self.router.clone(), connections.watcher(), Open::new(&open));
                        let (activity, metrics) = (idle.open(), self.metrics.clone());
                        task::spawn(async move {
                            let _held = (permit, open);
                            match serve(stream, peer, router, watcher, activity).await {
                                Some(Reason::HeadSlow) => metrics.refused("head_slow"),
                                Some(Reason::Displaced) => metrics.refused("displaced"),
                                Some(Reason::Idle) | None => {}
                            }
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

/// The permit for one more connection. If there is none, the longest idle connection makes room.
async fn permit(free: &Arc<Semaphore>, idle: &IdleConnections) -> Option<OwnedSemaphorePermit> {
    match free.clone().try_acquire_owned() {
        Ok(permit) => Some(permit),
        // The other one ends at once, since it waits for nothing but its client.
        Err(_) if idle.displace() => free.clone().acquire_owned().await.ok(),
        Err(_) => None,
    }
}

/// Serves the requests of a connection. Returns why it did not stay open, unless the client or an error ended it.
async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    watcher: Watcher,
    activity: Arc<Activity>,
) -> Option<Reason> {
    // Sends an answer at once. The system would hold it back for data that could go with it, and there is none.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(READ_BY_CLIENT_WITHIN));
    let stream = Watched { stream: Box::pin(stream), activity: activity.clone() };
    let served = activity.clone();
    let service = TowerToHyperService::new(tower::service_fn(move |request: hyper::Request<Incoming>| {
        let (router, activity) = (router.clone(), served.clone());
        async move {
            activity.begin();
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            let answer = router.oneshot(request).await;
            activity.answered();
            answer
        }
    }));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HYPERS_LIMIT).max_buf_size(64 << 10);
    tokio::select! {
        // The connection first, so that a request that has just arrived is served.
        biased;
        ended = watcher.watch(http.serve_connection(TokioIo::new(stream), service)) => {
            if let Err(error) = ended {
                debug!(%error, %peer, "a connection has ended");
            }
            None
        }
        reason = activity.ends() => {
            debug!(?reason, %peer, "a connection was closed");
            Some(reason)
        }
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
