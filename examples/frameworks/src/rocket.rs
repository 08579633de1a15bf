//! rocket: launch [`server`], or add to yours what it adds.
//!
//! ```toml
//! [dependencies]
//! rocket = { version = "0.5", default-features = false }
//! routee-viber = { path = "../.." }
//! ```
//!
//! The guard for the peer is `SocketAddr`. `IpAddr` would believe an `X-Real-IP` header, which anybody can
//! send; and `Vec<u8>` instead of [`Data`] would answer a body over the limit with 400.
//!
//! ```no_run
//! use routee_viber::SenderAllowlist;
//! use routee_viber_frameworks::{Inbox, rocket::server};
//!
//! #[rocket::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let inbox = Inbox::new(SenderAllowlist::resolve()?);
//!     server(inbox.into()).launch().await?;
//!     Ok(())
//! }
//! ```

use std::net::SocketAddr;
use std::sync::Arc;

use rocket::data::ToByteUnit;
use rocket::http::Status;
use rocket::{Build, Data, Rocket, State, post, routes};
use routee_viber::Incoming;

use crate::Inbox;

/// The largest body that is read, in bytes. Routee documents no limit; a callback is far smaller.
const BODY_LIMIT: usize = 64 * 1024;

#[post("/viber", data = "<body>")]
async fn receive(inbox: &State<Arc<Inbox>>, peer: SocketAddr, body: Data<'_>) -> Status {
    if !inbox.senders.contains(peer.ip()) {
        return Status::Forbidden;
    }
    let body = match body.open(BODY_LIMIT.bytes()).into_bytes().await {
        Ok(body) if body.is_complete() => body.into_inner(),
        Ok(_) => return Status::PayloadTooLarge,
        Err(_) => return Status::BadRequest,
    };
    match Incoming::from_slice(&body) {
        Ok(Incoming::Status(callback)) => inbox.status(callback),
        Ok(other) => inbox.other(other),
        Err(error) => inbox.unreadable(&body, &error),
    }
    Status::Ok
}

/// A server with the route of the callbacks.
pub fn server(inbox: Arc<Inbox>) -> Rocket<Build> {
    rocket::build().manage(inbox).mount("/", routes![receive])
}
