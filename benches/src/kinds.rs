//! The strict twins of the other kinds of body: the same fields and types by derive, in the spellings of the samples.

#![allow(dead_code, reason = "nobody looks at what was read")]

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_with::{DisplayFromStr, serde_as};

use crate::twins::{
    DetailedStatus, Direction, OriginatingService, StatusName, Ttl, ViberAction, ViberFile, ViberVideo,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inbound {
    from: String,
    to: Option<String>,
    message: Option<String>,
    campaign_name: Option<String>,
    campaign_tracking_id: Option<String>,
    reference_tracking_id: Option<String>,
    media: Option<String>,
    #[serde(rename = "filename")]
    file_name: Option<String>,
    label: Option<String>,
    sent_date: Option<DateTime<Utc>>,
    direction: Option<Direction>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failover {
    tracking_id: String,
    status: FailoverStatus,
    messages: Vec<Step>,
    termination_channel: Option<Channel>,
    status_code: Option<String>,
    application_id: Option<String>,
    flow_kind: Option<String>,
    total_price: Option<f64>,
    originating_service: Option<OriginatingService>,
    created_at: Option<DateTime<Utc>>,
    updated_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    #[serde(rename = "type")]
    channel: Option<Channel>,
    order: Option<u32>,
    part: Option<u32>,
    parts: Option<u32>,
    seq: Option<u32>,
    tracking_id: Option<String>,
    message_id: Option<String>,
    sms_id: Option<String>,
    to: Option<String>,
    from: Option<String>,
    country: Option<String>,
    operator: Option<String>,
    label: Option<String>,
    inbound_url: Option<String>,
    template_id: Option<String>,
    template_lang: Option<String>,
    delivery_scope: Option<String>,
    #[serde(rename = "ttl")]
    ttl_minutes: Option<f64>,
    status: Option<StepStatus>,
    body: Option<StepBody>,
    #[serde(default)]
    failover_on_statuses: Vec<StepStatusName>,
    expire_on_delivery: Option<bool>,
    expired_on_delivery_at: Option<DateTime<Utc>>,
    created_at: Option<DateTime<Utc>>,
    price: Option<f64>,
    latency: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StepStatus {
    name: StepStatusName,
    reason: Option<Reason>,
    updated_date: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reason {
    detailed_status: Option<DetailedStatus>,
    description: Option<String>,
}

#[derive(Deserialize)]
enum StepStatusName {
    #[serde(alias = "QUEUED")]
    Queued,
    #[serde(alias = "DELIVERED")]
    Delivered,
    #[serde(alias = "SEEN")]
    Seen,
    #[serde(alias = "UNDELIVERED")]
    Undelivered,
    #[serde(alias = "EXPIRED")]
    Expired,
    #[serde(alias = "FAILED")]
    Failed,
    #[serde(alias = "UNSENT")]
    Unsent,
}

/// The content of a Viber step is an object, that of an SMS a text.
#[derive(Deserialize)]
#[serde(untagged)]
#[allow(clippy::large_enum_variant, reason = "boxing it would cost an allocation that ours does not have")]
enum StepBody {
    Text(String),
    Viber(ViberBody),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ViberBody {
    text: Option<String>,
    ios_fallback_text: Option<String>,
    image_url: Option<String>,
    action: Option<ViberAction<String>>,
    viber_file: Option<ViberFile<String>>,
    viber_video: Option<ViberVideo<String>>,
}

#[derive(Deserialize)]
enum FailoverStatus {
    Queued,
    InProgress,
    Succeeded,
    Failed,
}

#[derive(Deserialize)]
enum Channel {
    Viber,
    Sms,
    Voice,
}

/// The status of an SMS, which this crate has no model for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sms {
    message_id: String,
    campaign_tracking_id: Option<String>,
    to: Option<String>,
    from: Option<String>,
    country: Option<String>,
    operator: Option<String>,
    groups: Vec<String>,
    campaign_name: Option<String>,
    status: StepStatus,
    message: Option<String>,
    application_name: Option<String>,
    latency: Option<f64>,
    parts: Option<u32>,
    price: Option<f64>,
    direction: Option<Direction>,
    originating_service: Option<OriginatingService>,
}

#[serde_as]
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tracked {
    tracking_id: String,
    status: TrackedStatus,
    to: Option<String>,
    from: Option<String>,
    country: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
    campaign: Option<String>,
    campaign_tracking_id: Option<String>,
    application_name: Option<String>,
    originating_service: Option<OriginatingService>,
    direction: Option<Direction>,
    #[serde_as(as = "Option<DisplayFromStr>")]
    ttl: Option<Ttl>,
    price: Option<f64>,
    message: Option<String>,
    #[serde(rename = "imageURL")]
    image_url: Option<String>,
    viber_action: Option<ViberAction<String>>,
    viber_file: Option<ViberFile<String>>,
    viber_video: Option<ViberVideo<String>>,
    session_id: Option<String>,
    session_message: Option<bool>,
    expire_on_delivery: Option<bool>,
}

#[derive(Deserialize)]
struct TrackedStatus {
    status: StatusName,
    date: Option<DateTime<Utc>>,
    reason: Option<Reason>,
}
