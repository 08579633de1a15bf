//! actix-web: give [`routes`] to `App::configure`.
//!
//! ```toml
//! [dependencies]
//! actix-web = { version = "4", default-features = false, features = ["macros"] }
//! routee-viber = { path = "../.." }
//! tokio = { version = "1", features = ["macros", "net", "rt-multi-thread"] }
//! ```
//!
//! Answer with a response of your own: the `Ok(())` of a handler is a 204, and Routee sends again.

use std::sync::Arc;

use actix_web::web::{Bytes, Data, PayloadConfig, ServiceConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, post};
use routee_viber::Incoming;
use tokio::net::TcpListener;

use crate::Inbox;

/// The largest body that is read, in bytes. Routee documents no limit; a callback is far smaller.
const BODY_LIMIT: usize = 64 * 1024;

#[post("/viber")]
async fn receive(inbox: Data<Inbox>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let peer = request.peer_addr();
    if !peer.is_some_and(|peer| inbox.senders.contains(peer.ip())) {
        return HttpResponse::Forbidden().finish();
    }
    match Incoming::from_slice(&body) {
        Ok(Incoming::Status(callback)) => inbox.status(callback),
        Ok(other) => inbox.other(other),
        Err(error) => inbox.unreadable(&body, &error),
    }
    HttpResponse::Ok().finish()
}

/// The route of the callbacks.
pub fn routes(config: &mut ServiceConfig, inbox: Arc<Inbox>) {
    config.app_data(Data::from(inbox)).app_data(PayloadConfig::new(BODY_LIMIT)).service(receive);
}

/// Serves the route on that listener.
pub async fn serve(listener: TcpListener, inbox: Arc<Inbox>) -> std::io::Result<()> {
    let app = move || App::new().configure(|config| routes(config, Arc::clone(&inbox)));
    let server = HttpServer::new(app).listen(listener.into_std()?)?.run();
    server.await
}
