//! hyper, without a framework: call [`receive`] from your service.
//!
//! The accept loop knows the peer's address, so it has to hand it on. Which method and path lead here is
//! up to your service; the one in [`serve`] sends everything here.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use routee_viber::ViberCallback;
use tokio::net::TcpListener;

use crate::{BODY_LIMIT, Inbox};

/// Answers one request.
pub async fn receive(inbox: &Inbox, peer: SocketAddr, request: Request<Incoming>) -> StatusCode {
    if !inbox.senders.contains(peer.ip()) {
        return StatusCode::FORBIDDEN;
    }
    let body = Limited::new(request.into_body(), BODY_LIMIT);
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return StatusCode::PAYLOAD_TOO_LARGE,
        Err(_) => return StatusCode::BAD_REQUEST,
    };
    match ViberCallback::from_slice(&body) {
        Ok(callback) => inbox.handle(callback),
        Err(reason) => inbox.keep(&body, &reason),
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
