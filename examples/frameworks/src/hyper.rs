//! hyper, without a framework: call [`receive`] from your service.
//!
//! ```toml
//! [dependencies]
//! http-body-util = "0.1"
//! hyper = { version = "1", features = ["http1", "server"] }
//! hyper-util = { version = "0.1", features = ["tokio"] }
//! routee-viber = { path = "../.." }
//! tokio = { version = "1", features = ["macros", "net", "rt-multi-thread"] }
//! ```
//!
//! The accept loop knows the peer's address, so it has to hand it on. Which method and path lead here is
//! up to your service; the one in [`serve`] sends everything here.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use routee_viber::Incoming;
use tokio::net::TcpListener;

use crate::Inbox;

/// The largest body that is read, in bytes. Routee documents no limit; a callback is far smaller.
const BODY_LIMIT: usize = 64 * 1024;

/// Answers one request.
pub async fn receive(inbox: &Inbox, peer: SocketAddr, request: Request<hyper::body::Incoming>) -> StatusCode {
    if !inbox.senders.contains(peer.ip()) {
        return StatusCode::FORBIDDEN;
    }
    let body = Limited::new(request.into_body(), BODY_LIMIT);
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return StatusCode::PAYLOAD_TOO_LARGE,
        Err(_) => return StatusCode::BAD_REQUEST,
    };
    match Incoming::from_slice(&body) {
        Ok(Incoming::Status(callback)) => inbox.status(callback),
        Ok(other) => inbox.other(other),
        Err(error) => inbox.unreadable(&body, &error),
    }
    StatusCode::OK
}

/// Serves on that listener.
pub async fn serve(listener: TcpListener, inbox: Arc<Inbox>) -> std::io::Result<()> {
    loop {
        let (stream, peer) = listener.accept().await?;
        let inbox = Arc::clone(&inbox);
        tokio::spawn(async move {
            let service = service_fn(async |request| {
                let mut response = Response::new(Empty::<Bytes>::new());
                *response.status_mut() = receive(&inbox, peer, request).await;
                Ok::<_, Infallible>(response)
            });
            let stream = TokioIo::new(stream);
            http1::Builder::new().serve_connection(stream, service).await
        });
    }
}
