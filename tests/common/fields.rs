//! The one table of all models' fields. Every test that walks "every field" walks this one, the oracle
//! reads by it, and `completeness.rs` proves that it lacks nothing.

#![allow(dead_code, reason = "each user takes a part")]

/// An object that is modelled: the name of its struct, and its fields as they are documented.
#[derive(Debug)]
pub struct Model {
    pub name: &'static str,
    pub fields: &'static [Field],
}

#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The documented key, which is the one that is written.
    pub key: &'static str,
    /// The other spellings that are read, beyond the case of the documented one.
    pub others: &'static [&'static str],
    /// The field of the struct.
    pub rust: &'static str,
    pub kind: Kind,
    pub required: bool,
}

/// How the values of a field are read: the rows of the design's table.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Text,
    /// An open enum with these names.
    Name(&'static [&'static str]),
    Texts,
    Names(&'static [&'static str]),
    Ttl,
    Float,
    Bool,
    U32,
    U64,
    Date,
    /// An object; a bare text there is the named field of it.
    Object(&'static Model, Option<&'static str>),
    Objects(&'static Model),
    /// A list of anything.
    Values,
}
use Kind::{Bool, Date, Float, Name, Names, Object, Objects, Text, Texts, U32, U64, Values};

const fn field(key: &'static str, rust: &'static str, kind: Kind) -> Field {
    Field { key, others: &[], rust, kind, required: false }
}

const fn required(key: &'static str, rust: &'static str, kind: Kind) -> Field {
    Field { required: true, ..field(key, rust, kind) }
}

impl Field {
    const fn or(self, others: &'static [&'static str]) -> Self {
        Self { others, ..self }
    }

    /// The model of the object or objects in this field.
    pub fn model(&self) -> Option<&'static Model> {
        match self.kind {
            Object(model, _) | Objects(model) => Some(model),
            _ => None,
        }
    }

    /// Whether a key is the documented one or another spelling of it.
    pub fn has_key(&self, key: &str) -> bool {
        [self.key].iter().chain(self.others).any(|spelling| key.eq_ignore_ascii_case(spelling))
    }
}

impl Model {
    /// The field that a key is read for.
    pub fn field(&self, key: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.has_key(key))
    }
}

pub const STATUS_NAMES: &[&str] = &["QUEUED", "DELIVERED", "SEEN", "UNDELIVERED", "EXPIRED", "FAILED", "UNSENT"];

pub const DETAILED_STATUSES: &[&str] = &[
    "Not Viber User",
    "Opted Out",
    "System Failure",
    "Message Rejected",
    "Timed Out",
    "Unsupported Equipment",
    "TTL Expired",
    "Delivered",
];

pub const DIRECTIONS: &[&str] = &["Outbound", "Inbound"];
pub const ORIGINATING_SERVICES: &[&str] = &["Viber", "Sms", "Failover"];
pub const CHANNELS: &[&str] = &["Viber", "Sms", "Voice"];
pub const FAILOVER_STATUSES: &[&str] = &["Queued", "InProgress", "Succeeded", "Failed"];

const STATUS_OR_NAME: Kind = Object(&STATUS, Some("name"));

pub static CALLBACK: Model = Model {
    name: "ViberCallback",
    fields: &[
        required("trackingId", "tracking_id", Text),
        field("campaignTrackingId", "campaign_tracking_id", Text),
        field("to", "to", Text),
        field("from", "from", Text),
        field("groups", "groups", Texts),
        field("country", "country", Text),
        required("status", "status", STATUS_OR_NAME),
        field("body", "body", Object(&BODY, None)),
        field("ttl", "ttl", Kind::Ttl),
        field("label", "label", Text),
        field("inboundUrl", "inbound_url", Text),
        field("applicationName", "application_name", Text),
        field("price", "price", Float),
        field("direction", "direction", Name(DIRECTIONS)),
        field("originatingService", "originating_service", Name(ORIGINATING_SERVICES)),
        field("createdAt", "created_at", Date),
    ],
};

pub static STATUS: Model = Model {
    name: "Status",
    fields: &[
        required("name", "name", Name(STATUS_NAMES)).or(&["status"]),
        field("reason", "reason", Object(&REASON, Some("detailedStatus"))),
        field("updatedDate", "updated_date", Date).or(&["date"]),
    ],
};

pub static REASON: Model = Model {
    name: "Reason",
    fields: &[
        field("detailedStatus", "detailed_status", Name(DETAILED_STATUSES)),
        field("description", "description", Text),
    ],
};

pub static BODY: Model = Model {
    name: "Body",
    fields: &[
        field("text", "text", Text),
        field("iosFallbackText", "ios_fallback_text", Text),
        field("imageURL", "image_url", Text),
        VIBER_ACTION,
        field("viberFile", "viber_file", Object(&FILE, None)),
        field("viberVideo", "viber_video", Object(&VIDEO, None)),
    ],
};

const VIBER_ACTION: Field = field("viberAction", "viber_action", Object(&ACTION, None)).or(&["action"]);

pub static ACTION: Model =
    Model { name: "ViberAction", fields: &[field("caption", "caption", Text), field("targetUrl", "target_url", Text)] };

pub static FILE: Model = Model {
    name: "ViberFile",
    fields: &[
        field("fileName", "file_name", Text),
        field("fileType", "file_type", Text),
        field("fileUrl", "file_url", Text),
    ],
};

pub static VIDEO: Model = Model {
    name: "ViberVideo",
    fields: &[
        field("videoURL", "video_url", Text),
        field("videoThumbnail", "video_thumbnail", Text),
        field("fileSize", "file_size", Float),
        field("duration", "duration", Float),
    ],
};

pub static INBOUND: Model = Model {
    name: "InboundMessage",
    fields: &[
        required("from", "from", Text),
        field("to", "to", Text),
        field("message", "message", Text),
        field("campaignName", "campaign_name", Text),
        field("campaignTrackingId", "campaign_tracking_id", Text),
        field("referenceTrackingId", "reference_tracking_id", Text),
        field("media", "media", Text),
        field("filename", "file_name", Text),
        field("label", "label", Text),
        field("sentDate", "sent_date", Date),
        field("direction", "direction", Name(DIRECTIONS)),
    ],
};

pub static FAILOVER: Model = Model {
    name: "FailoverCallback",
    fields: &[
        required("trackingId", "tracking_id", Text),
        required("status", "status", Name(FAILOVER_STATUSES)),
        field("messages", "messages", Objects(&STEP)),
        field("terminationChannel", "termination_channel", Name(CHANNELS)),
        field("statusCode", "status_code", Text),
        field("applicationId", "application_id", Text),
        field("flowKind", "flow_kind", Text),
        field("totalPrice", "total_price", Float),
        field("originatingService", "originating_service", Name(ORIGINATING_SERVICES)),
        field("createdAt", "created_at", Date),
        field("updatedAt", "updated_at", Date),
    ],
};

pub static STEP: Model = Model {
    name: "FailoverStep",
    fields: &[
        field("type", "channel", Name(CHANNELS)),
        field("order", "order", U32),
        field("part", "part", U32),
        field("parts", "parts", U32),
        field("seq", "seq", U32),
        field("trackingId", "tracking_id", Text),
        field("messageId", "message_id", Text),
        field("smsId", "sms_id", Text),
        field("to", "to", Text),
        field("from", "from", Text),
        field("country", "country", Text),
        field("operator", "operator", Text),
        field("label", "label", Text),
        field("inboundUrl", "inbound_url", Text),
        field("templateId", "template_id", Text),
        field("templateLang", "template_lang", Text),
        field("deliveryScope", "delivery_scope", Text),
        field("ttl", "ttl_minutes", Float),
        field("status", "status", STATUS_OR_NAME),
        field("body", "body", Object(&BODY, Some("text"))).or(&["message"]),
        field("failoverOnStatuses", "failover_on_statuses", Names(STATUS_NAMES)),
        field("expireOnDelivery", "expire_on_delivery", Bool),
        field("expiredOnDeliveryAt", "expired_on_delivery_at", Date),
        field("createdAt", "created_at", Date),
        field("price", "price", Float),
        field("latency", "latency", Float),
    ],
};

pub static TRACKED: Model = Model {
    name: "TrackedMessage",
    fields: &[
        required("trackingId", "tracking_id", Text),
        required("status", "status", STATUS_OR_NAME),
        field("to", "to", Text),
        field("from", "from", Text),
        field("country", "country", Text),
        field("groups", "groups", Texts),
        field("campaign", "campaign", Text).or(&["campaignName"]),
        field("campaignTrackingId", "campaign_tracking_id", Text),
        field("applicationName", "application_name", Text),
        field("originatingService", "originating_service", Name(ORIGINATING_SERVICES)),
        field("direction", "direction", Name(DIRECTIONS)),
        field("ttl", "ttl", Kind::Ttl),
        field("price", "price", Float),
        field("message", "message", Text),
        field("imageURL", "image_url", Text),
        VIBER_ACTION,
        field("viberFile", "viber_file", Object(&FILE, None)).or(&["file"]),
        field("viberVideo", "viber_video", Object(&VIDEO, None)),
        field("sessionId", "session_id", Text),
        field("sessionMessage", "session_message", Bool).or(&["isSessionMessage"]),
        field("expireOnDelivery", "expire_on_delivery", Bool),
    ],
};

pub static PAGE: Model = Model {
    name: "TrackingPage",
    fields: &[
        field("content", "content", Values),
        field("number", "number", U64),
        field("size", "size", U64),
        field("numberOfElements", "number_of_elements", U64),
        field("totalElements", "total_elements", U64),
        field("totalPages", "total_pages", U64),
        field("first", "first", Bool),
        field("last", "last", Bool),
    ],
};
