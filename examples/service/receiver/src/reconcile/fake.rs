//! Routee's API as the tests of this module need it: without a network, so that its clock can be paused.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::ServiceExt as _;

use crate::cli::{Interval, RouteeApi};
use crate::reconcile::routee::{Credentials, Routee, Transport};

pub const SECRET: &str = "s3cr3t";
pub const UNKNOWN: &str = r#"{"code":"404019006","developerMessage":"no such message"}"#;

/// A request that it got, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeRequest {
    pub at: Duration,
    pub what: String,
    pub authorization: String,
}

/// By the URL and the token.
type Answers = dyn FnMut(&Uri, &str) -> Response + Send;

#[derive(Clone)]
pub struct FakeRoutee(Arc<Inner>);

struct Inner {
    begin: Instant,
    requests: Mutex<Vec<FakeRequest>>,
    tokens: Mutex<VecDeque<Response>>,
    answers: Mutex<Box<Answers>>,
}

impl FakeRoutee {
    /// Answers requests for messages, flows and pages as `answers` says.
    pub fn new(answers: impl FnMut(&Uri, &str) -> Response + Send + 'static) -> Self {
        Self(Arc::new(Inner {
            begin: Instant::now(),
            requests: Mutex::default(),
            tokens: Mutex::default(),
            answers: Mutex::new(Box::new(answers)),
        }))
    }

    /// Gives these answers one after the other; after that, every id is unknown.
    pub fn script(answers: impl IntoIterator<Item = Response>) -> Self {
        let mut answers: VecDeque<_> = answers.into_iter().collect();
        Self::new(move |_, _| answers.pop_front().unwrap_or_else(|| answer(404, UNKNOWN)))
    }

    /// Gives this answer to the next request for a token; otherwise the tokens are `t1`, `t2` and so on, for 1000 s.
    pub fn token(&self, answer: Response) {
        self.0.tokens.lock().unwrap().push_back(answer);
    }

    pub fn requests(&self) -> Vec<FakeRequest> {
        self.0.requests.lock().unwrap().clone()
    }

    /// The paths of all requests but those for tokens.
    pub fn paths(&self) -> Vec<String> {
        let requests = self.requests();
        let paths = requests.iter().filter_map(|request| request.what.split_once(' ')).map(|(_, path)| path);
        paths.filter(|path| *path != "/oauth/token").map(ToOwned::to_owned).collect()
    }

    pub fn routee(&self) -> Routee {
        let api = RouteeApi {
            api_url: "http://api.test/base/".parse().unwrap(),
            auth_url: "http://auth.test".parse().unwrap(),
            rate: Interval(Duration::ZERO),
        };
        let credentials = Credentials { id: "id".into(), secret: SECRET.into() };
        Routee::over(Box::new(self.clone()), reqwest::Client::new(), &api, credentials)
    }

    async fn handle(&self, request: Request) -> Response {
        let what = format!("{} {}", request.method(), request.uri().path_and_query().unwrap());
        let authorization = request.headers()[header::AUTHORIZATION].to_str().unwrap().to_owned();
        let (head, body) = request.into_parts();
        let tokens = {
            let mut requests = self.0.requests.lock().unwrap();
            requests.push(FakeRequest { at: self.0.begin.elapsed(), what, authorization: authorization.clone() });
            requests.iter().filter(|request| request.what == "POST /oauth/token").count()
        };
        if head.uri.path() != "/oauth/token" {
            if head.method == "POST" {
                assert_eq!(head.headers[header::CONTENT_TYPE], "application/json");
                assert_eq!(to_bytes(body, 100).await.unwrap(), "[]");
            }
            let answer = (self.0.answers.lock().unwrap())(&head.uri, &authorization);
            if answer.status() == StatusCode::CONTINUE {
                std::future::pending::<()>().await;
            }
            return answer;
        }
        assert_eq!(head.uri, "http://auth.test/oauth/token");
        assert_eq!(head.headers[header::CONTENT_TYPE], "application/x-www-form-urlencoded");
        assert_eq!(to_bytes(body, 100).await.unwrap(), "grant_type=client_credentials");
        let answer = self.0.tokens.lock().unwrap().pop_front();
        answer.unwrap_or_else(|| answer_token(&format!("t{tokens}"), 1000))
    }
}

pub fn answer(status: u16, body: &str) -> Response {
    (StatusCode::from_u16(status).unwrap(), body.to_owned()).into_response()
}

pub fn answer_later(status: u16, retry_after: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, [(header::RETRY_AFTER, retry_after.to_owned())]).into_response()
}

/// No answer at all.
pub fn silence() -> Response {
    StatusCode::CONTINUE.into_response()
}

pub fn answer_token(token: &str, expires_in: u64) -> Response {
    answer(200, &json!({ "access_token": token, "token_type": "bearer", "expires_in": expires_in }).to_string())
}

/// A message as the API shows it.
pub fn tracked(id: &str, name: &str, second: u32) -> Value {
    json!({
        "trackingId": id,
        "status": { "status": name, "date": format!("2026-11-01T00:00:{second:02}Z") },
        "direction": "Outbound",
        "ttl": "3600",
    })
}

/// A flow as the API shows it, with a Viber step, whose id begins with `v-`, of that status.
pub fn tracked_flow(id: &str, status: &str, step: &str) -> Value {
    json!({
        "trackingId": id,
        "status": status,
        "messages": [{
            "type": "Viber",
            "trackingId": format!("v-{id}"),
            "ttl": 10,
            "status": { "name": step, "updatedDate": format!("2026-10-01T00:00:{:02}Z", step.len()) },
            "createdAt": "2026-10-01T00:00:00Z",
        }],
        "originatingService": "failover",
        "createdAt": "2026-10-01T00:00:00Z",
        "updatedAt": format!("2026-10-01T00:00:{:02}Z", step.len()),
    })
}

#[async_trait]
impl Transport for FakeRoutee {
    async fn send(&self, request: reqwest::Request) -> Result<reqwest::Response, String> {
        let request: axum::http::Request<reqwest::Body> = request.try_into().unwrap();
        let fake = self.clone();
        let router = Router::new().fallback(async move |request: Request| fake.handle(request).await);
        let answer = router.oneshot(request.map(Body::new)).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Ok(axum::http::Response::from_parts(head, body).into())
    }
}
