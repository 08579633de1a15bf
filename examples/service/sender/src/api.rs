//! Routee's authorization and its tracking APIs, for the messages and flows that are invented here.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use axum_extra::TypedHeader;
use axum_extra::headers::authorization::{Basic, Bearer};
use axum_extra::headers::{Authorization, RetryAfter};
use axum_extra::typed_header::TypedHeaderRejection;
use chrono::{DateTime, NaiveDateTime, Utc};
use clap::Args;
use rand::RngExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time;

use crate::campaign::{Campaign, FlowDate};
use crate::plan::{self, Draw, share};
use crate::record::Record;

/// How long a token is valid.
const TOKEN_LIFE: Duration = Duration::from_hours(1);

/// Longer than anybody should wait for an answer.
const SLOW: Duration = Duration::from_mins(1);

/// How many messages a page has if the call does not say (inferred).
const PAGE: usize = 20;

/// How many flows it has.
const FLOWS_PAGE: usize = 10;

#[derive(Args, Clone, Copy)]
#[command(next_help_heading = "Tracking API")]
pub struct ApiOptions {
    /// Serve Routee's authorization and its tracking APIs here, for the messages and failover flows that have been
    /// invented so far, lost callbacks included; port 0 picks a free one, and the address is printed. Any id and secret will do. It keeps
    /// running after the closing table until it is stopped
    #[arg(long = "api", id = "api", value_name = "ADDRESS")]
    pub address: Option<SocketAddr>,
    /// Share of the calls that are answered 429, with `Retry-After` as seconds or as a date
    #[arg(long = "api-429", value_name = "SHARE", default_value_t = 0.0, value_parser = share, requires = "api")]
    too_many: f64,
    /// Share of the calls that are answered 500
    #[arg(long = "api-500", value_name = "SHARE", default_value_t = 0.0, value_parser = share, requires = "api")]
    errors: f64,
    /// Share of the calls that are answered after a minute
    #[arg(long = "api-slow", value_name = "SHARE", default_value_t = 0.0, value_parser = share, requires = "api")]
    slow: f64,
    /// After how many calls a token is refused although its hour is not over [default: never]
    #[arg(long = "api-token-calls", value_name = "CALLS", requires = "api")]
    token_calls: Option<u32>,
    /// How many of the newest messages and their flows appear on pages only while these are read: one with each page,
    /// at the front, so that the others move
    #[arg(long = "api-newcomers", value_name = "MESSAGES", default_value_t = 0, requires = "api")]
    pub newcomers: u32,
    /// On which of their dates a search finds flows; Routee's pages do not say
    #[arg(long = "api-flows-by", value_name = "DATE", default_value = "created-at", requires = "api")]
    flows_by: FlowDate,
}

pub struct Api {
    seed: u64,
    options: ApiOptions,
    campaign: Arc<Campaign>,
    record: Arc<Record>,
    calls: AtomicU64,
    tokens: Mutex<Vec<Token>>,
}

/// Its number is its place.
struct Token {
    issued: Instant,
    calls: u32,
}

/// What comes before the number in the text of a token.
const TOKEN: &str = "token-of-the-sender-";

impl Api {
    pub fn new(seed: u64, options: ApiOptions, campaign: Arc<Campaign>, record: Arc<Record>) -> Self {
        Self { seed, options, campaign, record, calls: AtomicU64::new(0), tokens: Mutex::default() }
    }

    pub fn router(self) -> Router {
        let api = Arc::new(self);
        Router::new()
            .route("/viber/tracking/{tracking_id}", get(message))
            .route("/viber/tracking/campaign/{campaign_id}", get(page))
            .route("/failover/tracking/{tracking_id}", get(flow))
            .route("/failover/tracking", post(flows))
            .route_layer(middleware::from_fn_with_state(api.clone(), authorize))
            .route("/oauth/token", post(token))
            .layer(middleware::from_fn_with_state(api.clone(), call))
            .with_state(api)
    }

    fn issue(&self) -> String {
        let mut tokens = self.tokens.lock().unwrap();
        tokens.push(Token { issued: Instant::now(), calls: 0 });
        format!("{TOKEN}{}", tokens.len() - 1)
    }

    /// Whether that token may be used for one more call.
    fn accepts(&self, token: &str) -> bool {
        let mut tokens = self.tokens.lock().unwrap();
        let place = token.strip_prefix(TOKEN).and_then(|number| number.parse::<usize>().ok());
        let Some(token) = place.and_then(|place| tokens.get_mut(place)) else { return false };
        token.calls += 1;
        token.issued.elapsed() < TOKEN_LIFE && self.options.token_calls.is_none_or(|most| token.calls <= most)
    }
}

/// Answers as it should be or with a fault, and records it.
async fn call(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let (at, call) = (Utc::now(), request.uri().to_string());
    let number = api.calls.fetch_add(1, Ordering::Relaxed);
    let mut random = plan::random(api.seed, Draw::Call(number));
    let ApiOptions { too_many, errors, slow, .. } = api.options;
    let mut is_slow = false;
    let answer = if random.random_bool(too_many) {
        (StatusCode::TOO_MANY_REQUESTS, TypedHeader(retry_after(random.random()))).into_response()
    } else if random.random_bool(errors) {
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    } else {
        is_slow = random.random_bool(slow);
        next.run(request).await
    };
    let code = answer.status().as_u16();
    let line = || json!({ "call": call, "at": at.timestamp_millis(), "code": code, "slow": is_slow });
    if let Err(error) = api.record.write(line).and_then(|()| api.record.flush()) {
        let said = format!("the record cannot be written: {error}");
        return (StatusCode::INTERNAL_SERVER_ERROR, said).into_response();
    }
    if is_slow {
        time::sleep(SLOW).await;
    }
    answer
}

/// In one of the two forms that HTTP has.
fn retry_after(is_date: bool) -> RetryAfter {
    // A date has no fraction of a second, so this one is 1 to 2 s ahead.
    let date = SystemTime::now() + Duration::from_secs(2);
    if is_date { RetryAfter::date(date) } else { RetryAfter::delay(Duration::from_secs(1)) }
}

#[derive(Deserialize)]
struct Grant {
    grant_type: String,
}

type Header<T> = Result<TypedHeader<Authorization<T>>, TypedHeaderRejection>;

async fn token(State(api): State<Arc<Api>>, basic: Header<Basic>, Form(grant): Form<Grant>) -> Response {
    let is_somebody = basic.is_ok_and(|basic| !basic.username().is_empty() && !basic.password().is_empty());
    if !is_somebody {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if grant.grant_type != "client_credentials" {
        return StatusCode::BAD_REQUEST.into_response();
    }
    Json(json!({ "access_token": api.issue(), "expires_in": TOKEN_LIFE.as_secs() })).into_response()
}

async fn authorize(State(api): State<Arc<Api>>, bearer: Header<Bearer>, request: Request, next: Next) -> Response {
    if bearer.is_ok_and(|bearer| api.accepts(bearer.token())) {
        next.run(request).await
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    }
}

async fn message(State(api): State<Arc<Api>>, Path(tracking_id): Path<String>) -> Response {
    match api.campaign.message(&tracking_id) {
        Some(message) => Json(message).into_response(),
        None => unknown(),
    }
}

#[derive(Deserialize)]
struct Paging {
    #[serde(default)]
    page: usize,
    size: Option<usize>,
}

async fn page(
    State(api): State<Arc<Api>>,
    Path(campaign_id): Path<String>,
    Query(Paging { page, size }): Query<Paging>,
) -> Response {
    if campaign_id == api.campaign.plan.campaign_id {
        Json(api.campaign.page(page, size.unwrap_or(PAGE))).into_response()
    } else {
        unknown()
    }
}

async fn flow(State(api): State<Arc<Api>>, Path(tracking_id): Path<String>) -> Response {
    match api.campaign.flow(&tracking_id) {
        Some(flow) => Json(flow).into_response(),
        // With which code is on no page.
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Search {
    date_start: String,
    date_end: String,
    #[serde(default)]
    page: usize,
    size: Option<usize>,
}

/// The filters in the body are not played, so that it has to be an empty list.
async fn flows(
    State(api): State<Arc<Api>>,
    Query(search): Query<Search>,
    Json([]): Json<[(); 0]>,
) -> Result<Json<Value>, StatusCode> {
    let [start, end] = [search.date_start, search.date_end].map(|date| minute(&date).ok_or(StatusCode::BAD_REQUEST));
    let size = search.size.unwrap_or(FLOWS_PAGE);
    Ok(Json(api.campaign.flows(api.options.flows_by, &(start?..=end?), search.page, size)))
}

/// A date without seconds, as on Routee's pages.
fn minute(date: &str) -> Option<DateTime<Utc>> {
    NaiveDateTime::parse_from_str(date, "%Y-%m-%dT%H:%MZ").ok().map(|date| date.and_utc())
}

/// Routee's code for an id that it does not know.
fn unknown() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "code": "404019006" }))).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::header::{self, HeaderMap};
    use clap::Parser;
    use tower::ServiceExt as _;

    use super::*;
    use crate::plan::tests::{plan, plan_of_flows};
    use crate::plan::{Make, Plan};

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: ApiOptions,
    }

    /// The API for one message, which has come to its first status.
    fn api(arguments: &[&str]) -> (Router, Arc<Campaign>) {
        api_of(plan(1, 0.0), arguments)
    }

    fn api_of(plan: Plan, arguments: &[&str]) -> (Router, Arc<Campaign>) {
        let Cli { options } = Cli::parse_from([&["sender", "--api=127.0.0.1:0"], arguments].concat());
        let campaign = Arc::new(Campaign::new(plan, 0));
        campaign.goes_on(0, Make::Callback(0));
        let record = Arc::new(Record::create(None).unwrap());
        (Api::new(1, options, campaign.clone(), record).router(), campaign)
    }

    async fn answer(router: &Router, request: Request) -> (u16, HeaderMap, Value) {
        let answer = router.clone().oneshot(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (head.status.as_u16(), head.headers, serde_json::from_slice(&body).unwrap_or_default())
    }

    fn grant(authorization: &str, form: &str) -> Request {
        Request::post("/oauth/token")
            .header(header::AUTHORIZATION, authorization)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()))
            .unwrap()
    }

    fn search(path: &str, token: &str, body: &str) -> Request {
        Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_owned()))
            .unwrap()
    }

    fn ask(path: &str, token: &str) -> Request {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        request.body(Body::empty()).unwrap()
    }

    /// What `id:secret` is as HTTP Basic.
    const BASIC: &str = "Basic aWQ6c2VjcmV0";

    async fn token(router: &Router) -> String {
        let (code, _, body) = answer(router, grant(BASIC, "grant_type=client_credentials")).await;
        assert_eq!((code, &body["expires_in"]), (200, &json!(3600)));
        body["access_token"].as_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn a_token_needs_an_id_and_a_secret() {
        let (router, _) = api(&[]);
        // `id:`, `:secret`, nothing, and what is not Basic.
        for nobody in ["Basic aWQ6", "Basic OnNlY3JldA==", "Basic ", "Bearer aWQ6c2VjcmV0"] {
            assert_eq!(answer(&router, grant(nobody, "grant_type=client_credentials")).await.0, 401, "{nobody}");
        }
        assert_eq!(answer(&router, grant(BASIC, "grant_type=password")).await.0, 400);
        token(&router).await;
    }

    #[tokio::test]
    async fn a_message_and_a_page() {
        let (router, campaign) = api(&[]);
        let token = token(&router).await;
        let id = campaign.plan.post(0, 0).unwrap().id;
        let path = format!("/viber/tracking/{id}");
        let (code, _, body) = answer(&router, ask(&path, &token)).await;
        assert_eq!((code, Some(&body)), (200, campaign.message(&id).as_ref()));
        for nobody in ["", "token-of-the-sender-1", "token-of-the-sender--1", "0"] {
            assert_eq!(answer(&router, ask(&path, nobody)).await.0, 401, "{nobody}");
        }

        let path = format!("/viber/tracking/campaign/{}", campaign.plan.campaign_id);
        let (code, _, page) = answer(&router, ask(&format!("{path}?page=0&size=7"), &token)).await;
        assert_eq!((code, &page["content"], &page["size"]), (200, &json!([body]), &json!(7)));
        let (code, _, page) = answer(&router, ask(&path, &token)).await;
        assert_eq!((code, &page["number"], &page["size"]), (200, &json!(0), &json!(20)));

        for unknown in ["/viber/tracking/nobody", "/viber/tracking/campaign/nobody"] {
            let (code, _, body) = answer(&router, ask(unknown, &token)).await;
            assert_eq!((code, body), (404, json!({ "code": "404019006" })), "{unknown}");
        }
    }

    #[tokio::test]
    async fn a_flow_and_a_search() {
        for (arguments, found) in [(&[][..], 1), (&["--api-flows-by=updated-at"], 0)] {
            let (router, campaign) = api_of(plan_of_flows(), arguments);
            let token = token(&router).await;
            let id = campaign.plan.post(0, 0).unwrap().id;
            let (code, _, flow) = answer(&router, ask(&format!("/failover/tracking/{id}"), &token)).await;
            assert_eq!((code, Some(&flow)), (200, campaign.flow(&id).as_ref()));
            assert_eq!(answer(&router, ask("/failover/tracking/nobody", &token)).await.0, 404);

            // It changed a second later.
            let path = "/failover/tracking?dateStart=1970-01-01T00:00Z&dateEnd=1970-01-01T00:00Z";
            let (code, _, page) = answer(&router, search(path, &token, "[]")).await;
            assert_eq!((code, &page["totalElements"], &page["size"]), (200, &json!(found), &json!(10)));
            let path = "/failover/tracking?dateStart=1970-01-01T00:00Z&dateEnd=1970-01-01T00:01Z&page=0&size=7";
            let (_, _, page) = answer(&router, search(path, &token, "[]")).await;
            assert_eq!((&page["content"], &page["size"]), (&json!([flow]), &json!(7)));
            assert_eq!(answer(&router, search(path, "", "[]")).await.0, 401);
            assert_eq!(answer(&router, search(path, &token, "{}")).await.0, 422);
            let path = "/failover/tracking?dateStart=1970-01-01T00:00:00Z&dateEnd=1970-01-01T00:01Z";
            assert_eq!(answer(&router, search(path, &token, "[]")).await.0, 400);
        }
    }

    #[tokio::test]
    async fn a_token_may_end_before_its_hour() {
        let (router, campaign) = api(&["--api-token-calls=2"]);
        let path = format!("/viber/tracking/{}", campaign.plan.post(0, 0).unwrap().id);
        for _ in 0..2 {
            let token = token(&router).await;
            for expected in [200, 200, 401] {
                assert_eq!(answer(&router, ask(&path, &token)).await.0, expected);
            }
        }
    }

    #[tokio::test]
    async fn too_many_calls_are_told_when_to_come_again() {
        let (router, _) = api(&["--api-429=1"]);
        let (mut delays, mut dates) = (0, 0);
        for _ in 0..20 {
            let (code, headers, _) = answer(&router, grant(BASIC, "grant_type=client_credentials")).await;
            assert_eq!(code, 429);
            match headers[header::RETRY_AFTER].to_str().unwrap() {
                "1" => delays += 1,
                date => {
                    assert!(date.ends_with(" GMT"), "{date}");
                    dates += 1;
                }
            }
        }
        assert!(delays > 0 && dates > 0, "{delays} delays, {dates} dates");
    }

    #[tokio::test]
    async fn of_one_seed_come_the_same_faults() {
        let mut runs = Vec::new();
        for _ in 0..2 {
            let (router, _) = api(&["--api-500=0.5"]);
            let mut codes = Vec::new();
            for _ in 0..20 {
                codes.push(answer(&router, ask("/viber/tracking/nobody", "0")).await.0);
            }
            runs.push(codes);
        }
        assert_eq!(runs[0], runs[1]);
        assert!(runs[0].contains(&500) && runs[0].contains(&401), "{:?}", runs[0]);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_answers_come_after_a_minute() {
        let (router, _) = api(&["--api-slow=1"]);
        let begin = time::Instant::now();
        token(&router).await;
        assert_eq!(begin.elapsed(), Duration::from_mins(1));
    }
}
