//! In which format an answer is, and whether the client has it already.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use headers::{ETag, HeaderMapExt as _, IfNoneMatch};
use headers_accept::Accept;
use http_body_util::BodyExt as _;
use mediatype::MediaType;
use mediatype::names::{APPLICATION, CSV, HTML, JSON, TEXT};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Html,
    Json,
    Csv,
}

impl Format {
    /// The one that `?format=` names, or else the one that `Accept` likes best. Whoever likes all alike gets the first.
    pub fn of(named: Option<Self>, headers: &HeaderMap, available: [Self; 3]) -> Self {
        let types = available.map(Self::media_type);
        let accepted = headers.typed_get::<Accept>();
        let liked = accepted.and_then(|accept| types.iter().position(|one| Some(one) == accept.negotiate(&types)));
        named.unwrap_or(available[liked.unwrap_or_default()])
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }

    const fn media_type(self) -> MediaType<'static> {
        match self {
            Self::Html => MediaType::new(TEXT, HTML),
            Self::Json => MediaType::new(APPLICATION, JSON),
            Self::Csv => MediaType::new(TEXT, CSV),
        }
    }
}

/// Gives an answer a tag, and answers 304 to whoever has it. A client is to ask every time.
pub async fn tag(request: Request, next: Next) -> Response {
    let known = request.headers().typed_get::<IfNoneMatch>();
    let (mut head, body) = next.run(request).await.into_parts();
    if head.status != StatusCode::OK {
        return Response::from_parts(head, body);
    }
    let Ok(body) = body.collect().await else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let body = body.to_bytes();
    let tag =
        format!("\"{:x}\"", Bytes::copy_from_slice(&Sha256::digest(&body))).parse::<ETag>().expect("digits are a tag");
    let is_known = known.is_some_and(|known| !known.precondition_passes(&tag));
    head.headers.typed_insert(tag);
    head.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    head.headers.insert(VARY, HeaderValue::from_static("accept"));
    if !is_known {
        return Response::from_parts(head, Body::from(body));
    }
    head.status = StatusCode::NOT_MODIFIED;
    head.headers.remove(CONTENT_TYPE);
    head.headers.remove(CONTENT_LENGTH);
    Response::from_parts(head, Body::empty())
}

#[cfg(test)]
mod tests {
    use axum::http::header::ACCEPT;

    use super::*;

    #[test]
    fn the_query_names_a_format_or_the_client_accepts_one() {
        let available = [Format::Json, Format::Html, Format::Csv];
        let of = |named, accept: &str| {
            let headers = HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]);
            Format::of(named, &headers, available)
        };
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
        for (accept, expected) in [
            ("*/*", Format::Json),
            ("", Format::Json),
            ("nonsense", Format::Json),
            ("image/png", Format::Json),
            (browser, Format::Html),
            ("text/csv", Format::Csv),
            ("text/html;q=0.5, application/json", Format::Json),
            ("application/json;q=0.5, text/html", Format::Html),
        ] {
            assert_eq!(of(None, accept), expected, "{accept}");
            assert_eq!(of(Some(Format::Csv), accept), Format::Csv);
        }
        assert_eq!(Format::of(None, &HeaderMap::new(), available), Format::Json);
    }
}
