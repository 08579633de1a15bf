//! Connections: how many may be open, how long they may take, and how they end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::BytesMut;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use prometheus_client::metrics::gauge::Gauge;
use tokio::io::AsyncRead;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::{task, time};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::{debug, error, warn};

use crate::idle::{Activity, IdleConnections, Reason, Watched};
use crate::metrics::Metrics;
use crate::proxies::{self, HeaderError, TrustedProxies};
use crate::refusals::Refusals;

/// How long a client may leave unread what was written to it.
const READ_BY_CLIENT_WITHIN: Duration = Duration::from_secs(10);

/// hyper's own limit from an answer to the end of the next head, which is never reached: `Activity` has shorter ones.
/// Without one, hyper would not read after an answer until bytes arrive, and the silence before them would go unseen.
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
    /// Whose connections may begin with a PROXY header.
    pub trusted: TrustedProxies,
    /// Once it is cancelled, each answer is the last one of its connection, so that proxies go elsewhere.
    pub stopping: CancellationToken,
    pub metrics: Arc<Metrics>,
    pub refusals: Arc<Refusals>,
}

impl Server {
    /// Serves until `stop` is cancelled, then lets the requests that are under way end.
    pub async fn run(self, stop: CancellationToken) {
        let free = Arc::new(Semaphore::new(self.connections));
        let open = self.metrics.connections(self.name);
        let idle = IdleConnections::new(self.idle);
        let connections = GracefulShutdown::new();
        while let Some(accepted) = stop.run_until_cancelled(self.listener.accept()).await {
            match accepted {
                Ok((stream, peer)) => {
                    let Some(permit) = permit(&free, &idle).await else {
                        self.refusals.connection("connections", peer.ip());
                        refuse(stream);
                        continue;
                    };
                    let open = Open::new(&open);
                    let connection = Connection {
                        peer,
                        router: self.router.clone(),
                        activity: idle.open(),
                        trusted: self.trusted.clone(),
                        stopping: self.stopping.clone(),
                        refusals: self.refusals.clone(),
                    };
                    let (watcher, stop) = (connections.watcher(), stop.clone());
                    task::spawn(async move {
                        let _held = (permit, open);
                        connection.serve(stream, watcher, stop).await;
                    });
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

#[derive(Clone)]
struct Connection {
    peer: SocketAddr,
    router: Router,
    activity: Arc<Activity>,
    trusted: TrustedProxies,
    stopping: CancellationToken,
    refusals: Arc<Refusals>,
}

impl Connection {
    async fn serve(self, stream: TcpStream, watcher: Watcher, stop: CancellationToken) {
        let conversation = self.clone().converse(stream, watcher, stop);
        tokio::pin!(conversation);
        loop {
            tokio::select! {
                // The connection first, so that a request that has just arrived is served.
                biased;
                () = &mut conversation => return,
                reason = self.activity.ends() => match reason {
                    Reason::Idle => self.activity.finish(),
                    Reason::HeadSlow => return self.closed("head_slow"),
                    Reason::Displaced => return self.closed("displaced"),
                }
            }
        }
    }

    async fn converse(mut self, stream: TcpStream, watcher: Watcher, stop: CancellationToken) {
        // Sends an answer at once. The system would hold it back for data that could go with it, and there is none.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(READ_BY_CLIENT_WITHIN));
        let mut stream = Watched::new(Box::pin(stream), self.activity.clone());
        if self.trusted.contains(self.peer.ip()) {
            match stop.run_until_cancelled(self.read_proxy_header(&mut stream)).await {
                Some(Ok(())) => {}
                Some(Err(error)) => {
                    if matches!(error, HeaderError::Malformed) {
                        self.refusals.connection("proxy_header", self.peer.ip());
                    }
                    debug!(%error, peer = %self.peer, "a connection has ended");
                    return;
                }
                None => return,
            }
        }
        let connection = Arc::new(self);
        let answering = connection.clone();
        let service = TowerToHyperService::new(tower::service_fn(move |request| {
            let connection = answering.clone();
            async move { connection.answer(request).await }
        }));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HYPERS_LIMIT).max_buf_size(64 << 10);
        if let Err(error) = watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await {
            connection.failed(&error);
        }
    }

    async fn read_proxy_header<S>(&mut self, stream: &mut Watched<S>) -> Result<(), HeaderError>
    where
        Watched<S>: AsyncRead + Unpin,
    {
        let mut read = BytesMut::new();
        if let Some(source) = proxies::read_header(stream, &mut read).await? {
            self.peer = source;
        }
        if read.is_empty() {
            self.activity.answered();
        }
        stream.read = read;
        Ok(())
    }

    async fn answer(&self, request: hyper::Request<Incoming>) -> Result<Response, Infallible> {
        self.activity.begin();
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let mut answer = self.router.clone().oneshot(request).await?;
        if self.stopping.is_cancelled() {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        self.activity.answered();
        Ok(answer)
    }

    fn failed(&self, error: &hyper::Error) {
        // hyper has answered it.
        if error.is_parse() {
            self.refusals.connection("not_http", self.peer.ip());
        }
        debug!(%error, peer = %self.peer, "a connection has ended");
    }

    fn closed(&self, reason: &'static str) {
        self.refusals.connection(reason, self.peer.ip());
        debug!(reason, peer = %self.peer, "a connection was closed");
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
