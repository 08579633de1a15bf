//! Every framework gets the same POSTs and has to do the same with them.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

mod cases;
mod dependencies;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lambda_http::IntoResponse as _;
use rocket::Config;
use rocket::config::LogLevel;
use rocket::fairing::AdHoc;
use routee_viber_frameworks as pages;
use routee_viber_frameworks::Inbox;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use cases::Case;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SOMEBODY_ELSE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

#[tokio::test]
async fn actix_web() {
    check(|inbox| listen(pages::actix_web::serve, inbox)).await;
}

#[tokio::test]
async fn axum() {
    check(|inbox| listen(pages::axum::serve, inbox)).await;
}

#[tokio::test]
async fn hyper() {
    check(|inbox| listen(pages::hyper::serve, inbox)).await;
}

#[tokio::test]
async fn lambda_http_behind_an_http_api() {
    let event = include_str!("events/http-api.json");
    check(async |inbox| Gateway { event, inbox }).await;
}

#[tokio::test]
async fn lambda_http_behind_a_rest_api() {
    let event = include_str!("events/rest-api.json");
    check(async |inbox| Gateway { event, inbox }).await;
}

#[tokio::test]
async fn poem() {
    check(|inbox| listen(pages::poem::serve, inbox)).await;
}

#[tokio::test]
async fn rocket() {
    check(launch).await;
}

#[tokio::test]
async fn salvo() {
    check(|inbox| listen(pages::salvo::serve, inbox)).await;
}

#[tokio::test]
async fn warp() {
    check(|inbox| listen(pages::warp::serve, inbox)).await;
}

/// Delivers every case to what `start` makes for an inbox, and looks at the answer and into the inbox.
async fn check<D: Deliver>(start: impl AsyncFn(Arc<Inbox>) -> D) {
    for (sender, cases) in [(CLIENT, cases::from_routee()), (SOMEBODY_ELSE, cases::from_a_stranger())] {
        let inbox = Arc::new(Inbox::new([sender].into_iter().collect()));
        let receiver = start(Arc::clone(&inbox)).await;
        for case in cases {
            let status = receiver.deliver(&case).await;
            assert_eq!((status, inbox.take()), case.outcome, "{}", case.what);
        }
    }
}

/// What takes a POST and answers with a status code.
trait Deliver {
    async fn deliver(&self, case: &Case) -> u16;
}

/// The server that listens there.
impl Deliver for SocketAddr {
    async fn deliver(&self, case: &Case) -> u16 {
        // A proxy that the environment names has no business on the loopback.
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = client.post(format!("http://{self}/viber")).body(case.body.clone());
        for (name, value) in &case.headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().status().as_u16()
    }
}

async fn listen<S>(serve: impl FnOnce(TcpListener, Arc<Inbox>) -> S, inbox: Arc<Inbox>) -> SocketAddr
where
    S: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind((CLIENT, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, inbox));
    address
}

/// Rocket takes no listener: it binds the port itself, and says which one when it is up.
async fn launch(inbox: Arc<Inbox>) -> SocketAddr {
    let (tell, port) = oneshot::channel();
    let config = Config { port: 0, log_level: LogLevel::Off, ..Config::default() };
    let up =
        AdHoc::on_liftoff("tell the port", |rocket| Box::pin(async move { tell.send(rocket.config().port).unwrap() }));
    tokio::spawn(pages::rocket::server(inbox).configure(config).attach(up).launch());
    (CLIENT, port.await.unwrap()).into()
}

/// An API Gateway: makes an event of a POST, and calls the function with it.
struct Gateway {
    /// The event of a POST without headers and body.
    event: &'static str,
    inbox: Arc<Inbox>,
}

impl Deliver for Gateway {
    async fn deliver(&self, case: &Case) -> u16 {
        let mut event: Value = serde_json::from_str(self.event).unwrap();
        for (name, value) in &case.headers {
            event["headers"][name] = json!(value);
        }
        // Only text of a type that is known to be text comes as it is.
        let is_json = case.headers.contains(&cases::JSON);
        let text = str::from_utf8(&case.body).ok().filter(|_| is_json);
        event["isBase64Encoded"] = json!(text.is_none());
        event["body"] = match text {
            Some(text) => json!(text),
            None => json!(BASE64_STANDARD.encode(&case.body)),
        };
        let request = lambda_http::request::from_str(&event.to_string()).unwrap();
        let response = pages::lambda_http::receive(&self.inbox, request).await;
        response.unwrap().into_response().await.status().as_u16()
    }
}
