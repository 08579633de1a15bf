//! What else one could write to read a callback: the same fields with the same types, by derive.
//!
//! - [`Callback<String>`] is the strict twin: no leniency and no `extra`. Every optional field is an
//!   `Option`, every name is one of a closed list, a TTL is checked against its range. It can be written
//!   too, absent fields left out.
//! - [`Callback<Text>`] is the same with borrowed text, the floor: what parsing costs at the least.
//! - [`flat::Callback`] is the usual way to be lenient: `serde_with`'s adapters for the values, `alias`
//!   for the other spellings, `flatten` for unknown fields. It still loses each value that it cannot
//!   read, fails on two spellings of one field, and knows no spelling that it does not list.

#![allow(dead_code, reason = "nobody looks at what was read")]

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

/// Text that is borrowed wherever it has no escapes.
#[derive(Deserialize)]
pub struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[skip_serializing_none]
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Callback<S> {
    tracking_id: S,
    campaign_tracking_id: Option<S>,
    to: Option<S>,
    from: Option<S>,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    groups: Vec<S>,
    country: Option<S>,
    status: Status<S>,
    body: Option<Body<S>>,
    ttl: Option<Ttl>,
    label: Option<S>,
    inbound_url: Option<S>,
    application_name: Option<S>,
    price: Option<f64>,
    direction: Option<Direction>,
    originating_service: Option<OriginatingService>,
    created_at: Option<DateTime<Utc>>,
}

#[skip_serializing_none]
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status<S> {
    name: StatusName,
    reason: Option<Reason<S>>,
    updated_date: Option<DateTime<Utc>>,
}

#[skip_serializing_none]
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason<S> {
    detailed_status: Option<DetailedStatus>,
    description: Option<S>,
}

#[skip_serializing_none]
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Body<S> {
    text: Option<S>,
    ios_fallback_text: Option<S>,
    #[serde(rename = "imageURL")]
    image_url: Option<S>,
    viber_action: Option<ViberAction<S>>,
    viber_file: Option<ViberFile<S>>,
    viber_video: Option<ViberVideo<S>>,
}

#[skip_serializing_none]
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ViberAction<S> {
    caption: Option<S>,
    target_url: Option<S>,
}

#[skip_serializing_none]
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ViberFile<S> {
    file_name: Option<S>,
    file_type: Option<S>,
    file_url: Option<S>,
}

#[skip_serializing_none]
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ViberVideo<S> {
    #[serde(rename = "videoURL")]
    video_url: Option<S>,
    video_thumbnail: Option<S>,
    file_size: Option<f64>,
    duration: Option<f64>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StatusName {
    Queued,
    Delivered,
    Seen,
    Undelivered,
    Expired,
    Failed,
    Unsent,
}

#[derive(Deserialize, Serialize)]
pub enum DetailedStatus {
    #[serde(rename = "Not Viber User")]
    NotViberUser,
    #[serde(rename = "Opted Out")]
    OptedOut,
    #[serde(rename = "System Failure")]
    SystemFailure,
    #[serde(rename = "Message Rejected")]
    MessageRejected,
    #[serde(rename = "Timed Out")]
    TimedOut,
    #[serde(rename = "Unsupported Equipment")]
    UnsupportedEquipment,
    #[serde(rename = "TTL Expired")]
    TtlExpired,
    Delivered,
}

#[derive(Deserialize, Serialize)]
pub enum Direction {
    Outbound,
    Inbound,
}

#[derive(Deserialize, Serialize)]
pub enum OriginatingService {
    Viber,
    Sms,
    Failover,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Ttl(u32);

impl TryFrom<u32> for Ttl {
    type Error = &'static str;

    fn try_from(seconds: u32) -> Result<Self, Self::Error> {
        match seconds {
            30..=86_400 | 1_209_600 => Ok(Self(seconds)),
            _ => Err("a TTL out of range"),
        }
    }
}

impl From<Ttl> for u32 {
    fn from(ttl: Ttl) -> Self {
        ttl.0
    }
}

/// For `DisplayFromStr`.
impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// For `DisplayFromStr`.
impl FromStr for Ttl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map_err(|_| "no number").and_then(|seconds: u32| Self::try_from(seconds))
    }
}

pub mod flat {
    //! Lenient with `flatten`, `alias` and `serde_with`.

    use serde_json::{Map, Value};
    use serde_with::formats::PreferOne;
    use serde_with::{DefaultOnError, DisplayFromStr, NoneAsEmptyString, OneOrMany, PickFirst, serde_as};

    use super::{DateTime, Deserialize, DetailedStatus, Direction, OriginatingService, StatusName, Ttl, Utc};

    type Text = DefaultOnError<NoneAsEmptyString>;
    type Number = DefaultOnError<Option<PickFirst<(serde_with::Same, DisplayFromStr)>>>;
    type OrNone = DefaultOnError;

    #[serde_as]
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub struct Callback {
        tracking_id: String,
        #[serde_as(as = "Text")]
        #[serde(default)]
        campaign_tracking_id: Option<String>,
        #[serde_as(as = "Text")]
        #[serde(default)]
        to: Option<String>,
        #[serde_as(as = "Text")]
        #[serde(default)]
        from: Option<String>,
        #[serde_as(as = "DefaultOnError<OneOrMany<serde_with::Same, PreferOne>>")]
        #[serde(default)]
        groups: Vec<String>,
        #[serde_as(as = "Text")]
        #[serde(default)]
        country: Option<String>,
        status: Status,
        #[serde_as(as = "OrNone")]
        #[serde(default)]
        body: Option<Body>,
        #[serde_as(as = "Number")]
        #[serde(default)]
        ttl: Option<Ttl>,
        #[serde_as(as = "Text")]
        #[serde(default)]
        label: Option<String>,
        #[serde_as(as = "Text")]
        #[serde(default)]
        inbound_url: Option<String>,
        #[serde_as(as = "Text")]
        #[serde(default)]
        application_name: Option<String>,
        #[serde_as(as = "Number")]
        #[serde(default)]
        price: Option<f64>,
        #[serde_as(as = "OrNone")]
        #[serde(default)]
        direction: Option<Direction>,
        #[serde_as(as = "OrNone")]
        #[serde(default)]
        originating_service: Option<OriginatingService>,
        #[serde_as(as = "OrNone")]
        #[serde(default)]
        created_at: Option<DateTime<Utc>>,
        #[serde(flatten)]
        extra: Map<String, Value>,
    }

    #[serde_as]
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Status {
        #[serde(alias = "status")]
        name: StatusName,
        #[serde_as(as = "OrNone")]
        #[serde(default)]
        reason: Option<Reason>,
        #[serde_as(as = "OrNone")]
        #[serde(default, alias = "date")]
        updated_date: Option<DateTime<Utc>>,
        #[serde(flatten)]
        extra: Map<String, Value>,
    }

    #[serde_as]
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Reason {
        #[serde_as(as = "OrNone")]
        #[serde(default)]
        detailed_status: Option<DetailedStatus>,
        #[serde_as(as = "Text")]
        #[serde(default)]
        description: Option<String>,
        #[serde(flatten)]
        extra: Map<String, Value>,
    }

    #[serde_as]
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        #[serde_as(as = "Text")]
        #[serde(default)]
        text: Option<String>,
        #[serde_as(as = "Text")]
        #[serde(default)]
        ios_fallback_text: Option<String>,
        #[serde_as(as = "Text")]
        #[serde(default, rename = "imageURL", alias = "imageUrl")]
        image_url: Option<String>,
        #[serde_as(as = "OrNone")]
        #[serde(default, alias = "action")]
        viber_action: Option<ViberAction>,
        #[serde_as(as = "OrNone")]
        #[serde(default)]
        viber_file: Option<ViberFile>,
        #[serde_as(as = "OrNone")]
        #[serde(default)]
        viber_video: Option<ViberVideo>,
        #[serde(flatten)]
        extra: Map<String, Value>,
    }

    #[serde_as]
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ViberAction {
        #[serde_as(as = "Text")]
        #[serde(default)]
        caption: Option<String>,
        #[serde_as(as = "Text")]
        #[serde(default, alias = "targetURL")]
        target_url: Option<String>,
        #[serde(flatten)]
        extra: Map<String, Value>,
    }

    #[serde_as]
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ViberFile {
        #[serde_as(as = "Text")]
        #[serde(default)]
        file_name: Option<String>,
        #[serde_as(as = "Text")]
        #[serde(default)]
        file_type: Option<String>,
        #[serde_as(as = "Text")]
        #[serde(default, alias = "fileURL")]
        file_url: Option<String>,
        #[serde(flatten)]
        extra: Map<String, Value>,
    }

    #[serde_as]
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ViberVideo {
        #[serde_as(as = "Text")]
        #[serde(default, rename = "videoURL", alias = "videoUrl")]
        video_url: Option<String>,
        #[serde_as(as = "Text")]
        #[serde(default)]
        video_thumbnail: Option<String>,
        #[serde_as(as = "Number")]
        #[serde(default)]
        file_size: Option<f64>,
        #[serde_as(as = "Number")]
        #[serde(default)]
        duration: Option<f64>,
        #[serde(flatten)]
        extra: Map<String, Value>,
    }
}
