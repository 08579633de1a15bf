//! Routee's tracking API, and the token for it.

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
use reqwest::{Client, Request, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::{self, Instant};

use crate::cli::RouteeApi;
use crate::reconcile::pace::Pace;

/// How long an answer may take, its body included. Our own choice, like all numbers here.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// The longest that Routee can make us wait, whatever its `Retry-After` says.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// The longest answer about one message: as long as a callback may be.
const LONGEST_MESSAGE: usize = 64 << 10;

/// How many messages a page is asked for.
const PAGE_SIZE: usize = 100;

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

/// Why Routee says nothing of an id. No secret is ever in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Routee cannot be reached or is busy; asked again later, it may answer.
    #[error("{reason}")]
    Busy { reason: String, retry_after: Option<Duration> },
    /// Routee does not answer for this id. Others may be fine.
    #[error("{0}")]
    Refused(String),
    /// Routee does not answer us at all.
    #[error("{0}")]
    SetUp(String),
}

/// Who sends requests: [`Client`], or a test.
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
    id: SecretString,
    secret: SecretString,
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
    pace: Pace,
    token: Mutex<Option<Token>>,
    is_set_up: OnceCell<()>,
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
    expires_in: Option<u64>,
}

impl Routee {
    pub fn new(api: &RouteeApi, credentials: Credentials) -> anyhow::Result<Self> {
        // With a redirect the token would go to somebody else.
        let client = Client::builder().redirect(Policy::none()).build()?;
        Ok(Self::over(Box::new(client.clone()), client, api, credentials))
    }

    fn over(transport: Box<dyn Transport>, client: Client, api: &RouteeApi, credentials: Credentials) -> Self {
        Self {
            api: api.api_url.clone(),
            token_url: below(&api.auth_url, "oauth/token"),
            credentials,
            client,
            transport,
            pace: Pace::new(api.rate.0),
            token: Mutex::default(),
            is_set_up: OnceCell::new(),
            requests: AtomicU64::default(),
        }
    }

    /// How many requests there were, those for tokens and those that were sent again included.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// One message.
    pub async fn message(&self, tracking_id: &str) -> Result<Answer, Trouble> {
        // A URL takes these for steps upwards, however they are written.
        if matches!(tracking_id, "." | "..") {
            return Err(Trouble::Refused(NO_URL.to_owned()));
        }
        self.ask(&below(&self.api, &format!("viber/tracking/{}", in_path(tracking_id))), LONGEST_MESSAGE).await
    }

    /// A page of the messages of a campaign, from 0.
    pub async fn page(&self, campaign: &str, page: u64) -> Result<Answer, Trouble> {
        if matches!(campaign, "." | "..") {
            return Err(Trouble::Refused(NO_URL.to_owned()));
        }
        let mut url = below(&self.api, &format!("viber/tracking/campaign/{}", in_path(campaign)));
        url.set_query(Some(&format!("page={page}&size={PAGE_SIZE}")));
        self.ask(&url, PAGE_SIZE * LONGEST_MESSAGE).await
    }

    /// Asks again and again while Routee is busy, less and less often, for about half a minute.
    async fn ask(&self, url: &Url, longest: usize) -> Result<Answer, Trouble> {
        let waits = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(250))
            .with_max_delay(Duration::from_secs(30))
            .with_max_times(7);
        (|| self.ask_once(url, longest))
            .retry(waits)
            .when(|trouble| matches!(trouble, Trouble::Busy { .. }))
            .adjust(|trouble, wait| match trouble {
                Trouble::Busy { retry_after: Some(asked), .. } => wait.map(|wait| wait.max(*asked)),
                _ => wait,
            })
            .await
    }

    async fn ask_once(&self, url: &Url, longest: usize) -> Result<Answer, Trouble> {
        let status = match self.answer(url, longest).await? {
            Ok(answer) => return Ok(answer),
            Err(status) => status,
        };
        // Is it the id, or everything? Once is enough to know.
        self.is_set_up
            .get_or_try_init(async || {
                let nobody = below(&self.api, &format!("viber/tracking/{NOBODY}"));
                match self.answer(&nobody, LONGEST_MESSAGE).await? {
                    Ok(_) => Ok(()),
                    Err(status) => Err(Trouble::SetUp(format!(
                        "{} answers {status} for an id that no message has, not 404 with code {UNKNOWN}: is --api-url \
                         right, and may this application track Viber messages?",
                        self.api
                    ))),
                }
            })
            .await?;
        Err(Trouble::Refused(format!("Routee answers {status} without the code of an unknown id")))
    }

    /// The status if it is not one that Routee documents.
    async fn answer(&self, url: &Url, longest: usize) -> Result<Result<Answer, StatusCode>, Trouble> {
        let (token, (status, body)) = self.get(url, longest).await?;
        let (status, body) = match status {
            StatusCode::UNAUTHORIZED => {
                self.forget(&token).await;
                self.get(url, longest).await?.1
            }
            _ => (status, body),
        };
        match status {
            StatusCode::OK => Ok(Ok(Answer::Found(body))),
            StatusCode::NOT_FOUND if is_unknown(&body) => Ok(Ok(Answer::Unknown)),
            StatusCode::UNAUTHORIZED => {
                Err(Trouble::SetUp("Routee does not accept a token that it just gave".to_owned()))
            }
            _ => Ok(Err(status)),
        }
    }

    async fn get(&self, url: &Url, longest: usize) -> Result<(HeaderValue, (StatusCode, Bytes)), Trouble> {
        // The turn first: the token must not expire while it waits for it.
        self.pace.turn().await;
        let token = self.token().await?;
        let mut request = Request::new(reqwest::Method::GET, url.clone());
        request.headers_mut().insert(AUTHORIZATION, token.clone());
        Ok((token, self.send(request, longest).await?))
    }

    /// The token, a new one if there is none or if it is about to expire.
    async fn token(&self) -> Result<HeaderValue, Trouble> {
        let mut token = self.token.lock().await;
        if let Some(token) = &*token
            && token.renew_at.is_none_or(|at| Instant::now() < at)
        {
            return Ok(token.authorization.clone());
        }
        let begin = Instant::now();
        self.pace.turn().await;
        let (id, secret) = (self.credentials.id.expose_secret(), self.credentials.secret.expose_secret());
        let request = self
            .client
            .post(self.token_url.clone())
            .basic_auth(id, Some(secret))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials")
            .build()
            .map_err(|error| Trouble::SetUp(reason(error)))?;
        let (status, body) = self.send(request, LONGEST_MESSAGE).await?;
        let new = match status {
            StatusCode::OK => Token::read(&body, begin).ok_or_else(|| format!("{} answers no token", self.token_url)),
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(format!("Routee does not accept the application's id and secret ({status})"))
            }
            _ => Err(format!("{} answers {status}: is --auth-url right?", self.token_url)),
        };
        let new = new.map_err(Trouble::SetUp)?;
        *token = Some(new.clone());
        Ok(new.authorization)
    }

    /// Lets the next request have a new token, unless somebody has got one already.
    async fn forget(&self, authorization: &HeaderValue) {
        let mut token = self.token.lock().await;
        token.take_if(|token| token.authorization == authorization);
    }

    /// The status and the body of the answer, unless it says to come again.
    async fn send(&self, request: Request, longest: usize) -> Result<(StatusCode, Bytes), Trouble> {
        self.requests.fetch_add(1, Relaxed);
        let answer = time::timeout(ANSWER_WITHIN, async {
            let mut response = self.transport.send(request).await.map_err(busy)?;
            let (status, headers) = (response.status(), response.headers().clone());
            let mut body = BytesMut::new();
            while let Some(chunk) = response.chunk().await.map_err(|error| busy(reason(error)))? {
                if body.len() + chunk.len() > longest {
                    return Err(Trouble::Refused(format!("the answer is longer than {} KiB", longest >> 10)));
                }
                body.extend_from_slice(&chunk);
            }
            Ok((status, headers, body.freeze()))
        });
        let (status, headers, body) =
            answer.await.map_err(|_| busy(format!("no answer in {} s", ANSWER_WITHIN.as_secs())))??;
        if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
            return Ok((status, body));
        }
        let retry_after = retry_after(&headers, SystemTime::now()).map(|wait| wait.min(LONGEST_WAIT));
        if let Some(wait) = retry_after {
            self.pace.rest(wait);
        }
        Err(Trouble::Busy { reason: format!("Routee answers {status}"), retry_after })
    }
}

impl Token {
    /// It is renewed after nine tenths of its life, counted from before it was asked for.
    fn read(body: &[u8], begin: Instant) -> Option<Self> {
        let body: TokenBody = serde_json::from_slice(body).ok()?;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", body.access_token)).ok()?;
        authorization.set_sensitive(true);
        let life = body.expires_in.map(|seconds| Duration::from_secs(seconds) / 10 * 9);
        Some(Self { authorization, renew_at: life.and_then(|life| begin.checked_add(life)) })
    }
}

fn busy(reason: String) -> Trouble {
    Trouble::Busy { reason, retry_after: None }
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

fn in_path(segment: &str) -> String {
    utf8_percent_encode(segment, IN_PATH).to_string()
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
