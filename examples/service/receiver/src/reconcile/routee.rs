//! Routee's tracking APIs, of Viber messages and of failover flows, and the token for them.

use std::env;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use async_trait::async_trait;
use axum::body::Bytes;
use backon::{ExponentialBuilder, Retryable as _};
use bytes::BytesMut;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Request, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::{self, Instant};

use crate::cli::RouteeApi;
use crate::reconcile::rate_limiter::RateLimiter;
use crate::reconcile::subject::{Listing, Subject};

/// How long an answer may take, its body included. Like all numbers here it is our own choice.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// The longest that Routee can make us wait, whatever its `Retry-After` says.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// The longest answer about one message or flow: as long as a callback may be.
const LONGEST_ANSWER: usize = 64 << 10;

/// How many messages or flows a page is asked for.
const PAGE_SIZE: usize = 100;

/// The body of a search: a list of filters, which may be empty (inferred).
const NO_FILTERS: &str = "[]";

/// The code of the 404 that means that Routee does not know the id.
const UNKNOWN: &str = "404019006";

/// An id that no message has.
const NOBODY: &str = "receiver-reconcile-nobody";

const NO_URL: &str = "no URL can hold this id";

/// What stands in a path as it is.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What Routee says of an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Found(Bytes),
    Unknown,
}

/// A call of a tracking API.
struct Call {
    /// A POST is a search, without any filters.
    method: Method,
    url: Url,
    subject: Subject,
    /// How long the answer may be.
    longest: usize,
}

impl Call {
    const fn get(url: Url, subject: Subject) -> Self {
        Self { method: Method::GET, url, subject, longest: LONGEST_ANSWER }
    }
}

/// An answer that may not be Routee's: another server may be at the URL.
enum Lookup {
    Documented(Answer),
    Undocumented(StatusCode),
}

/// Why there is no answer for an id. It never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// Routee cannot be reached or is busy; asked again later, it may answer.
    #[error("{reason}")]
    Busy { reason: String, retry_after: Option<Duration> },
    /// Routee refuses this id. It may answer for others.
    #[error("{0}")]
    Refused(String),
    /// Nothing can be asked: the credentials, the URL or the application is wrong.
    #[error("{0}")]
    SetUp(String),
}

/// What sends requests: a [`Client`], or a fake in tests.
#[async_trait]
pub trait Transport: Send + Sync {
    /// The answer, or why there is none.
    async fn send(&self, request: Request) -> Result<Response, String>;
}

#[async_trait]
impl Transport for Client {
    async fn send(&self, request: Request) -> Result<Response, String> {
        self.execute(request).await.map_err(reason)
    }
}

/// The application's id and secret, from the environment alone.
pub struct Credentials {
    pub id: SecretString,
    pub secret: SecretString,
}

impl Credentials {
    pub fn from_env() -> anyhow::Result<Self> {
        Ok(Self { id: variable("ROUTEE_APPLICATION_ID")?, secret: variable("ROUTEE_APPLICATION_SECRET")? })
    }
}

fn variable(name: &'static str) -> anyhow::Result<SecretString> {
    let value = env::var_os(name).filter(|value| !value.is_empty());
    let value = value.with_context(|| format!("{name} must be set in the environment, to ask Routee"))?;
    // The text of the error would quote the value.
    let value = value.into_string().ok().with_context(|| format!("{name} is not UTF-8"))?;
    Ok(value.into())
}

pub struct Routee {
    api: Url,
    token_url: Url,
    credentials: Credentials,
    client: Client,
    transport: Box<dyn Transport>,
    limiter: RateLimiter,
    token: Mutex<Option<Token>>,
    /// Whether an answer in this run has proved that it is Routee's.
    is_set_up: Mutex<bool>,
    requests: AtomicU64,
}

#[derive(Clone)]
struct Token {
    authorization: HeaderValue,
    renew_at: Option<Instant>,
}

#[derive(Deserialize)]
struct TokenBody {
    access_token: String,
    expires_in: Option<Value>,
}

impl Routee {
    pub fn new(api: &RouteeApi, credentials: Credentials) -> anyhow::Result<Self> {
        // A redirect would send the token to another server.
        let client = Client::builder().redirect(Policy::none()).build()?;
        Ok(Self::over(Box::new(client.clone()), client, api, credentials))
    }

    pub fn over(transport: Box<dyn Transport>, client: Client, api: &RouteeApi, credentials: Credentials) -> Self {
        Self {
            api: api.api_url.clone(),
            token_url: below(&api.auth_url, "oauth/token"),
            credentials,
            client,
            transport,
            limiter: RateLimiter::new(api.rate.0),
            token: Mutex::default(),
            is_set_up: Mutex::default(),
            requests: AtomicU64::default(),
        }
    }

    /// Begins a run.
    pub async fn begin(&self) {
        *self.is_set_up.lock().await = false;
        self.requests.store(0, Relaxed);
    }

    /// How many requests there were in this run, those for tokens and those that were sent again included.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// One message or flow.
    pub async fn one(&self, subject: Subject, tracking_id: &str) -> Result<Answer, ApiError> {
        let path = format!("{}/{}", subject.path(), in_path(tracking_id)?);
        self.ask(&Call::get(below(&self.api, &path), subject)).await
    }

    /// A page of messages or flows, from 0.
    pub async fn page(&self, listing: &Listing, page: u32) -> Result<Answer, ApiError> {
        let subject = listing.subject();
        let paging = format!("page={page}&size={PAGE_SIZE}");
        let (method, path, query) = match listing {
            Listing::Campaign(id) => (Method::GET, format!("{}/campaign/{}", subject.path(), in_path(id)?), paging),
            Listing::Flows(window) => {
                let [start, end] = window.dates();
                (Method::POST, subject.path().to_owned(), format!("dateStart={start}&dateEnd={end}&{paging}"))
            }
        };
        let mut url = below(&self.api, &path);
        url.set_query(Some(&query));
        self.ask(&Call { method, url, subject, longest: PAGE_SIZE * LONGEST_ANSWER }).await
    }

    /// Asks again and again while Routee is busy, less and less often, for about half a minute.
    async fn ask(&self, call: &Call) -> Result<Answer, ApiError> {
        let waits = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(250))
            .with_max_delay(Duration::from_secs(30))
            .with_max_times(7);
        (|| self.ask_once(call))
            .retry(waits)
            .when(|error| matches!(error, ApiError::Busy { .. }))
            .adjust(|error, wait| match error {
                ApiError::Busy { retry_after: Some(asked), .. } => wait.map(|wait| wait.max(*asked)),
                _ => wait,
            })
            .await
    }

    async fn ask_once(&self, call: &Call) -> Result<Answer, ApiError> {
        let status = match self.lookup(call).await? {
            Lookup::Documented(answer) => return Ok(answer),
            Lookup::Undocumented(status) => status,
        };
        // An id that no message has tells whether Routee refuses this id or every request. Once in a run is enough.
        let mut is_set_up = self.is_set_up.lock().await;
        if !*is_set_up {
            let nobody = below(&self.api, &format!("{}/{NOBODY}", Subject::Message.path()));
            let status = match self.lookup(&Call::get(nobody, Subject::Message)).await? {
                Lookup::Documented(Answer::Unknown) => None,
                Lookup::Documented(Answer::Found(_)) => Some(StatusCode::OK),
                Lookup::Undocumented(status) => Some(status),
            };
            if let Some(status) = status {
                return Err(ApiError::SetUp(format!(
                    "{} answers {status} for an id that no message has, not 404 with code {UNKNOWN}: is --api-url right, \
                     and may this application track Viber messages?",
                    self.api
                )));
            }
            *is_set_up = true;
        }
        match (call.subject, status) {
            // The code for an unknown flow is not documented.
            (Subject::Flow, StatusCode::NOT_FOUND) => Ok(Answer::Unknown),
            (subject, _) => {
                let subject = subject.table();
                let refused =
                    format!("Routee answers {status}, with neither a {subject} nor the code of an unknown id");
                Err(ApiError::Refused(refused))
            }
        }
    }

    /// Asks with a token, and with a new one if Routee does not accept that.
    async fn lookup(&self, call: &Call) -> Result<Lookup, ApiError> {
        let (token, mut status, mut body) = self.call(call).await?;
        if status == StatusCode::UNAUTHORIZED {
            self.forget(&token).await;
            (_, status, body) = self.call(call).await?;
        }
        match status {
            StatusCode::OK if body.trim_ascii_start().starts_with(b"{") => Ok(Lookup::Documented(Answer::Found(body))),
            StatusCode::NOT_FOUND if is_unknown(&body) => Ok(Lookup::Documented(Answer::Unknown)),
            // An application that may not track flows may still track messages.
            StatusCode::UNAUTHORIZED if call.subject == Subject::Message => {
                Err(ApiError::SetUp("Routee does not accept a token that it just gave".to_owned()))
            }
            _ => Ok(Lookup::Undocumented(status)),
        }
    }

    /// The token that was used, the status and the body.
    async fn call(&self, call: &Call) -> Result<(HeaderValue, StatusCode, Bytes), ApiError> {
        // Before the token is taken, which could expire while the request waits.
        self.limiter.acquire().await;
        let token = self.token().await?;
        let mut request = Request::new(call.method.clone(), call.url.clone());
        request.headers_mut().insert(AUTHORIZATION, token.clone());
        if call.method == Method::POST {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Some(NO_FILTERS.into());
        }
        let (status, body) = self.send(request, call.longest).await?;
        Ok((token, status, body))
    }

    /// The token, a new one if there is none or if it is about to expire.
    async fn token(&self) -> Result<HeaderValue, ApiError> {
        let mut token = self.token.lock().await;
        if let Some(token) = &*token
            && token.renew_at.is_none_or(|at| Instant::now() < at)
        {
            return Ok(token.authorization.clone());
        }
        let begin = Instant::now();
        self.limiter.acquire().await;
        let (id, secret) = (self.credentials.id.expose_secret(), self.credentials.secret.expose_secret());
        let request = self
            .client
            .post(self.token_url.clone())
            .basic_auth(id, Some(secret))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials")
            .build()
            .map_err(|error| ApiError::SetUp(reason(error)))?;
        let (status, body) = self.send(request, LONGEST_ANSWER).await?;
        let new = match status {
            StatusCode::OK => Token::read(&body, begin).ok_or_else(|| format!("{} gives no token", self.token_url)),
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(format!("Routee does not accept the application's id and secret ({status})"))
            }
            _ => Err(format!("{} answers {status}: is --auth-url right?", self.token_url)),
        };
        let new = new.map_err(ApiError::SetUp)?;
        *token = Some(new.clone());
        Ok(new.authorization)
    }

    /// Makes the next request get a new token, unless another request has got one already.
    async fn forget(&self, authorization: &HeaderValue) {
        let mut token = self.token.lock().await;
        token.take_if(|token| token.authorization == authorization);
    }

    /// The status and the body of the answer, unless Routee is busy.
    async fn send(&self, request: Request, longest: usize) -> Result<(StatusCode, Bytes), ApiError> {
        self.requests.fetch_add(1, Relaxed);
        let answer = time::timeout(ANSWER_WITHIN, async {
            let mut response = self.transport.send(request).await.map_err(busy)?;
            let (status, headers) = (response.status(), response.headers().clone());
            let mut body = BytesMut::new();
            while let Some(chunk) = response.chunk().await.map_err(|error| busy(reason(error)))? {
                if body.len() + chunk.len() > longest {
                    return Err(ApiError::Refused(format!("the answer is longer than {} KiB", longest >> 10)));
                }
                body.extend_from_slice(&chunk);
            }
            Ok((status, headers, without_mark(&body.freeze())))
        });
        let (status, headers, body) =
            answer.await.map_err(|_| busy(format!("no answer in {} s", ANSWER_WITHIN.as_secs())))??;
        if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
            return Ok((status, body));
        }
        let retry_after = retry_after(&headers, SystemTime::now()).map(|wait| wait.min(LONGEST_WAIT));
        if let Some(wait) = retry_after {
            self.limiter.pause_for(wait);
        }
        Err(ApiError::Busy { reason: format!("Routee answers {status}"), retry_after })
    }
}

impl Token {
    /// It is renewed after nine tenths of its life, counted from before it was asked for.
    fn read(body: &[u8], begin: Instant) -> Option<Self> {
        let body: TokenBody = serde_json::from_slice(body).ok()?;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", body.access_token)).ok()?;
        authorization.set_sensitive(true);
        let life = body.expires_in.as_ref().and_then(seconds).map(|life| life / 10 * 9);
        Some(Self { authorization, renew_at: life.and_then(|life| begin.checked_add(life)) })
    }
}

/// A number, or the text of one. For any other value the token is good until it is refused.
fn seconds(value: &Value) -> Option<Duration> {
    let seconds = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn busy(reason: String) -> ApiError {
    ApiError::Busy { reason, retry_after: None }
}

/// An error with what caused it, and without the URL.
fn reason(error: reqwest::Error) -> String {
    format!("{:#}", anyhow::Error::new(error.without_url()))
}

fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}

fn in_path(segment: &str) -> Result<String, ApiError> {
    // In a URL these are steps upwards, even if they are percent-encoded.
    if matches!(segment, "." | "..") {
        return Err(ApiError::Refused(NO_URL.to_owned()));
    }
    Ok(utf8_percent_encode(segment, IN_PATH).to_string())
}

/// JSON may not begin with a byte-order mark, but some servers write one.
fn without_mark(body: &Bytes) -> Bytes {
    body.slice_ref(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body))
}

fn is_unknown(body: &[u8]) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    match &body["code"] {
        Value::String(code) => code == UNKNOWN,
        Value::Number(code) => code.to_string() == UNKNOWN,
        _ => false,
    }
}

/// How long to wait, given as seconds or as a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use tokio::net::TcpListener;

    use super::*;
    use crate::reconcile::fake::{
        FakeRequest, FakeRoutee, SECRET, UNKNOWN, answer, answer_later, answer_token, silence,
    };

    const SECOND: Duration = Duration::from_secs(1);

    fn times(fake: &FakeRoutee) -> Vec<Duration> {
        fake.requests().iter().filter(|request| request.what.starts_with("GET")).map(|request| request.at).collect()
    }

    fn tokens(fake: &FakeRoutee) -> Vec<String> {
        let requests = fake.requests();
        let asked = requests.iter().filter(|request| request.what.starts_with("GET"));
        asked.map(|request| request.authorization.clone()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_is_asked_for_with_a_token() {
        let fake = FakeRoutee::script([answer(200, "{}")]);
        let routee = fake.routee();
        assert_eq!(routee.one(Subject::Message, "m").await, Ok(Answer::Found("{}".into())));
        assert_eq!(routee.page(&Listing::Campaign("c/1".to_owned()), 2).await, Ok(Answer::Unknown));
        let request = |what: &str, authorization: &str| FakeRequest {
            at: Duration::ZERO,
            what: what.to_owned(),
            authorization: authorization.to_owned(),
        };
        assert_eq!(
            fake.requests(),
            [
                // id:s3cr3t
                request("POST /oauth/token", "Basic aWQ6czNjcjN0"),
                request("GET /base/viber/tracking/m", "Bearer t1"),
                request("GET /base/viber/tracking/campaign/c%2F1?page=2&size=100", "Bearer t1"),
            ]
        );
        assert_eq!(routee.requests(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn an_id_is_one_segment_whatever_it_holds() {
        let fake = FakeRoutee::script([]);
        let routee = fake.routee();
        for (id, segment) in [
            ("../x?y#z", "..%2Fx%3Fy%23z"),
            ("a b\tc\\d%2e", "a%20b%09c%5Cd%252e"),
            ("é;=@:", "%C3%A9%3B%3D%40%3A"),
            ("0a-b_c.d~", "0a-b_c.d~"),
        ] {
            assert_eq!(routee.one(Subject::Message, id).await, Ok(Answer::Unknown));
            assert_eq!(fake.paths().last().unwrap(), &format!("/base/viber/tracking/{segment}"));
        }
        let asked = routee.requests();
        for id in [".", ".."] {
            let refused = Err(ApiError::Refused("no URL can hold this id".to_owned()));
            assert_eq!(
                (routee.one(Subject::Message, id).await, routee.page(&Listing::Campaign(id.to_owned()), 0).await),
                (refused.clone(), refused)
            );
        }
        assert_eq!(routee.requests(), asked);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_after_nine_tenths_of_its_life() {
        let fake = FakeRoutee::script([]);
        fake.token(answer_token("a", 100));
        fake.token(answer(200, r#"{"access_token":"without an end"}"#));
        let routee = fake.routee();
        for wait in [Duration::ZERO, Duration::from_millis(89_999), Duration::from_millis(1), 1_000_000 * SECOND] {
            time::sleep(wait).await;
            assert_eq!(routee.one(Subject::Message, "m").await, Ok(Answer::Unknown));
        }
        let ended = "Bearer without an end";
        assert_eq!(tokens(&fake), ["Bearer a", "Bearer a", ended, ended]);
    }

    #[test]
    fn a_token_may_say_in_other_ways_how_long_it_lives() {
        let begin = Instant::now();
        for (life, renewed_after) in [
            ("100", Some(90_000)),
            (r#""100""#, Some(90_000)),
            ("100.5", Some(90_450)),
            ("0", Some(0)),
            ("-1", None),
            ("1e300", None),
            (r#""soon""#, None),
            ("null", None),
            ("[100]", None),
        ] {
            let body = format!(r#"{{"access_token":"a","expires_in":{life}}}"#);
            let token = Token::read(body.as_bytes(), begin).unwrap();
            let expected = renewed_after.map(|millis| begin + Duration::from_millis(millis));
            assert_eq!(token.renew_at, expected, "{life}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_is_refused_is_renewed_once() {
        let fake = FakeRoutee::script([answer(401, ""), answer(200, "{}"), answer(401, ""), answer(401, "")]);
        let routee = fake.routee();
        assert_eq!(routee.one(Subject::Message, "m").await, Ok(Answer::Found("{}".into())));
        let refused = Err(ApiError::SetUp("Routee does not accept a token that it just gave".to_owned()));
        assert_eq!(routee.one(Subject::Message, "m").await, refused);
        assert_eq!(tokens(&fake), ["Bearer t1", "Bearer t2", "Bearer t2", "Bearer t3"]);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_are_refused_together_renew_the_token_once() {
        let fake = FakeRoutee::new(|_, token| match token {
            "Bearer t1" => answer(401, ""),
            _ => answer(404, UNKNOWN),
        });
        let routee = fake.routee();
        let asked = futures_util::future::join_all((0..5).map(|_| routee.one(Subject::Message, "m"))).await;
        assert_eq!(asked, vec![Ok(Answer::Unknown); 5]);
        assert_eq!(fake.requests().iter().filter(|request| request.what.starts_with("POST")).count(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_id_is_unknown_by_its_code_alone() {
        for body in [UNKNOWN, r#"{"code":404019006}"#] {
            let fake = FakeRoutee::script([answer(404, body)]);
            assert_eq!(fake.routee().one(Subject::Message, "m").await, Ok(Answer::Unknown));
            assert_eq!(fake.paths().len(), 1);
        }
        for body in ["", "not found", r#"{"code":"404019007"}"#, r#"{"code":404019006.5}"#, "[404019006]"] {
            // The answer is the same for an id that no message has.
            let fake = FakeRoutee::script([answer(404, body), answer(404, body)]);
            let error = ApiError::SetUp(
                "http://api.test/base/ answers 404 Not Found for an id that no message has, not 404 with code \
                 404019006: is --api-url right, and may this application track Viber messages?"
                    .to_owned(),
            );
            assert_eq!(fake.routee().one(Subject::Message, "m").await, Err(error), "{body}");
            assert_eq!(fake.paths(), ["/base/viber/tracking/m", "/base/viber/tracking/receiver-reconcile-nobody"]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_loses_its_byte_order_mark() {
        let unknown = format!("\u{feff}{UNKNOWN}");
        let fake = FakeRoutee::script([
            answer(200, "\u{feff}{}"),
            answer(404, &unknown),
            answer(200, "\u{feff}{\"content\":[]}"),
            // One mark is dropped, a second one is not JSON.
            answer(200, "\u{feff}\u{feff}{}"),
        ]);
        fake.token(answer(200, "\u{feff}{\"access_token\":\"marked\"}"));
        let routee = fake.routee();
        assert_eq!(routee.one(Subject::Message, "m").await, Ok(Answer::Found("{}".into())));
        assert_eq!(routee.one(Subject::Message, "m").await, Ok(Answer::Unknown));
        assert_eq!(
            routee.page(&Listing::Campaign("c".to_owned()), 0).await,
            Ok(Answer::Found(r#"{"content":[]}"#.into()))
        );
        let refused = "Routee answers 200 OK, with neither a message nor the code of an unknown id".to_owned();
        assert_eq!(routee.one(Subject::Message, "m").await, Err(ApiError::Refused(refused)));
        assert_eq!(tokens(&fake), ["Bearer marked"; 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_undocumented_answer_for_one_id_is_not_the_end() {
        for status in [404, 400, 403, 302, 204] {
            // Routee says of the id that no message has that it is unknown. That is asked once.
            let fake = FakeRoutee::script([answer(status, ""), answer(404, UNKNOWN), answer(status, "")]);
            let routee = fake.routee();
            for _ in 0..2 {
                let status = StatusCode::from_u16(status).unwrap();
                let refused = format!("Routee answers {status}, with neither a message nor the code of an unknown id");
                assert_eq!(routee.one(Subject::Message, "m").await, Err(ApiError::Refused(refused)));
            }
            assert_eq!(fake.paths().len(), 3);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_api_is_asked_again() {
        let fake = FakeRoutee::script([answer(429, ""), answer(500, ""), silence(), answer(200, "{}")]);
        assert_eq!(fake.routee().one(Subject::Message, "m").await, Ok(Answer::Found("{}".into())));
        assert_eq!(times(&fake), [0, 250, 750, 16_750].map(Duration::from_millis));
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_that_stays_busy_is_given_up() {
        let fake = FakeRoutee::new(|_, _| answer(503, ""));
        let busy = ApiError::Busy { reason: "Routee answers 503 Service Unavailable".to_owned(), retry_after: None };
        assert_eq!(fake.routee().one(Subject::Message, "m").await, Err(busy));
        let times = times(&fake);
        assert_eq!((times.len(), times[7]), (8, Duration::from_millis(31_750)));
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_delays_every_request_up_to_a_limit() {
        let fake = FakeRoutee::script([
            answer_later(429, "20"),
            answer_later(503, "299"),
            answer_later(429, "300"),
            answer_later(429, "301"),
            answer_later(429, "0"),
        ]);
        let routee = fake.routee();
        let (one, other) = tokio::join!(biased; routee.one(Subject::Message, "m"), async {
            time::sleep(SECOND).await;
            routee.one(Subject::Message, "n").await
        });
        assert_eq!((one, other), (Ok(Answer::Unknown), Ok(Answer::Unknown)));
        // No request goes before the wait of another one is over, and a `Retry-After` of 0 does not shorten the usual
        // wait.
        assert_eq!(times(&fake), [0, 20, 319, 619, 919, 919, 923].map(Duration::from_secs));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Mon, 23 Nov 2026 12:00:00 GMT").unwrap();
        for (value, wait) in [
            ("0", Some(0)),
            (" 7 ", Some(7)),
            ("Mon, 23 Nov 2026 12:00:30 GMT", Some(30)),
            ("Monday, 23-Nov-26 12:01:00 GMT", Some(60)),
            ("Mon, 23 Nov 2026 11:59:59 GMT", Some(0)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            let headers: HeaderMap = iter::once((RETRY_AFTER, value.parse().unwrap())).collect();
            assert_eq!(retry_after(&headers, now), wait.map(Duration::from_secs), "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_has_a_longest_length() {
        let text = |len: usize| "{".repeat(len);
        let body = |len| answer(200, &text(len));
        let fake = FakeRoutee::script([body(LONGEST_ANSWER), body(LONGEST_ANSWER + 1), body(LONGEST_ANSWER + 1)]);
        let routee = fake.routee();
        assert_eq!(routee.one(Subject::Message, "m").await, Ok(Answer::Found(text(LONGEST_ANSWER).into())));
        let refused = Err(ApiError::Refused("the answer is longer than 64 KiB".to_owned()));
        assert_eq!(routee.one(Subject::Message, "m").await, refused);
        assert_eq!(
            routee.page(&Listing::Campaign("c".to_owned()), 0).await,
            Ok(Answer::Found(text(LONGEST_ANSWER + 1).into()))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_token_nothing_is_asked() {
        let given = format!(r#"{{"error":"{SECRET}"}}"#);
        for (answer, error) in [
            (answer(401, &given), "Routee does not accept the application's id and secret (401 Unauthorized)"),
            (answer(400, &given), "Routee does not accept the application's id and secret (400 Bad Request)"),
            (answer(404, &given), "http://auth.test/oauth/token answers 404 Not Found: is --auth-url right?"),
            (answer(302, &given), "http://auth.test/oauth/token answers 302 Found: is --auth-url right?"),
            (answer(200, &given), "http://auth.test/oauth/token gives no token"),
            (answer(200, r#"{"access_token":"s3cr3t\n"}"#), "http://auth.test/oauth/token gives no token"),
        ] {
            let fake = FakeRoutee::script([]);
            fake.token(answer);
            let found = fake.routee().one(Subject::Message, "m").await.unwrap_err();
            assert_eq!(found, ApiError::SetUp(error.to_owned()));
            assert!(!format!("{found:?}").contains(SECRET));
            assert_eq!(fake.requests().len(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_asked_for_again_while_routee_is_busy() {
        let fake = FakeRoutee::script([]);
        fake.token(answer_later(429, "3"));
        fake.token(answer(500, ""));
        assert_eq!(fake.routee().one(Subject::Message, "m").await, Ok(Answer::Unknown));
        let times: Vec<_> = fake.requests().iter().map(|request| request.at).collect();
        assert_eq!(times, [0, 3000, 3500, 3500].map(Duration::from_millis));
    }

    #[tokio::test]
    async fn no_redirect_is_followed_and_no_error_says_a_secret() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let fake = axum::Router::new()
            .route("/oauth/token", axum::routing::post(async || r#"{"access_token":"t0k3n"}"#))
            .fallback(async || (StatusCode::TEMPORARY_REDIRECT, [("location", "/oauth/token")]));
        let serving = tokio::spawn(axum::serve(listener, fake).into_future());
        let api = RouteeApi { api_url: url.clone(), auth_url: url.clone(), rate: crate::cli::Interval(Duration::ZERO) };
        let credentials = || Credentials { id: "id".into(), secret: SECRET.into() };
        let routee = Routee::new(&api, credentials()).unwrap();
        let error = routee.one(Subject::Message, "m").await.unwrap_err();
        let begin = format!("{url} answers 307 Temporary Redirect for an id that no message has");
        assert!(matches!(&error, ApiError::SetUp(reason) if reason.starts_with(&begin)), "{error}");
        serving.abort();
        let _ = serving.await;
        // The server is gone. `send` does not try again, which would take half a minute.
        let request = Request::new(Method::GET, url);
        let error = Routee::new(&api, credentials()).unwrap().send(request, 0).await.unwrap_err();
        let ApiError::Busy { reason, retry_after: None } = &error else { panic!("{error:?}") };
        assert!(reason.contains("Connection refused"), "{reason}");
        assert!(!format!("{error:?}").contains(SECRET) && !format!("{error:?}").contains("t0k3n"), "{error:?}");
    }
}
