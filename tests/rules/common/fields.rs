//! The one table of all models' fields. Every test that walks "every field" walks this one, the oracle
//! reads by it, and `src/lenient/tests.rs` proves that it lacks nothing.

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

const fn field(key: &'static str, kind: Kind) -> Field {
    Field { key, others: &[], kind, required: false }
}

const fn required(key: &'static str, kind: Kind) -> Field {
    Field { required: true, ..field(key, kind) }
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
        required("trackingId", Text),
        field("campaignTrackingId", Text),
        field("to", Text),
        field("from", Text),
        field("groups", Texts),
        field("country", Text),
        required("status", STATUS_OR_NAME),
        field("body", Object(&BODY, None)),
        field("ttl", Kind::Ttl),
        field("label", Text),
        field("inboundUrl", Text),
        field("applicationName", Text),
        field("price", Float),
        field("direction", Name(DIRECTIONS)),
        field("originatingService", Name(ORIGINATING_SERVICES)),
        field("createdAt", Date),
    ],
};

pub static STATUS: Model = Model {
    name: "Status",
    fields: &[
        required("name", Name(STATUS_NAMES)).or(&["status"]),
        field("reason", Object(&REASON, Some("detailedStatus"))),
        field("updatedDate", Date).or(&["date"]),
    ],
};

pub static REASON: Model =
    Model { name: "Reason", fields: &[field("detailedStatus", Name(DETAILED_STATUSES)), field("description", Text)] };

pub static BODY: Model = Model {
    name: "Body",
    fields: &[
        field("text", Text),
        field("iosFallbackText", Text),
        field("imageURL", Text),
        VIBER_ACTION,
        field("viberFile", Object(&FILE, None)),
        field("viberVideo", Object(&VIDEO, None)),
    ],
};

const VIBER_ACTION: Field = field("viberAction", Object(&ACTION, None)).or(&["action"]);

pub static ACTION: Model = Model { name: "ViberAction", fields: &[field("caption", Text), field("targetUrl", Text)] };

pub static FILE: Model =
    Model { name: "ViberFile", fields: &[field("fileName", Text), field("fileType", Text), field("fileUrl", Text)] };

pub static VIDEO: Model = Model {
    name: "ViberVideo",
    fields: &[
        field("videoURL", Text),
        field("videoThumbnail", Text),
        field("fileSize", Float),
        field("duration", Float),
    ],
};

pub static INBOUND: Model = Model {
    name: "InboundMessage",
    fields: &[
        required("from", Text),
        field("to", Text),
        field("message", Text),
        field("campaignName", Text),
        field("campaignTrackingId", Text),
        field("referenceTrackingId", Text),
        field("media", Text),
        field("filename", Text),
        field("label", Text),
        field("sentDate", Date),
        field("direction", Name(DIRECTIONS)),
    ],
};

pub static FAILOVER: Model = Model {
    name: "FailoverCallback",
    fields: &[
        required("trackingId", Text),
        required("status", Name(FAILOVER_STATUSES)),
        field("messages", Objects(&STEP)),
        field("terminationChannel", Name(CHANNELS)),
        field("statusCode", Text),
        field("applicationId", Text),
        field("flowKind", Text),
        field("totalPrice", Float),
        field("originatingService", Name(ORIGINATING_SERVICES)),
        field("createdAt", Date),
        field("updatedAt", Date),
    ],
};

pub static STEP: Model = Model {
    name: "FailoverStep",
    fields: &[
        field("type", Name(CHANNELS)),
        field("order", U32),
        field("part", U32),
        field("parts", U32),
        field("seq", U32),
        field("trackingId", Text),
        field("messageId", Text),
        field("smsId", Text),
        field("to", Text),
        field("from", Text),
        field("country", Text),
        field("operator", Text),
        field("label", Text),
        field("inboundUrl", Text),
        field("templateId", Text),
        field("templateLang", Text),
        field("deliveryScope", Text),
        field("ttl", Float),
        field("status", STATUS_OR_NAME),
        field("body", Object(&BODY, Some("text"))).or(&["message"]),
        field("failoverOnStatuses", Names(STATUS_NAMES)),
        field("expireOnDelivery", Bool),
        field("expiredOnDeliveryAt", Date),
        field("createdAt", Date),
        field("price", Float),
        field("latency", Float),
    ],
};

pub static TRACKED: Model = Model {
    name: "TrackedMessage",
    fields: &[
        required("trackingId", Text),
        required("status", STATUS_OR_NAME),
        field("to", Text),
        field("from", Text),
        field("country", Text),
        field("groups", Texts),
        field("campaign", Text).or(&["campaignName"]),
        field("campaignTrackingId", Text),
        field("applicationName", Text),
        field("originatingService", Name(ORIGINATING_SERVICES)),
        field("direction", Name(DIRECTIONS)),
        field("ttl", Kind::Ttl),
        field("price", Float),
        field("message", Text),
        field("imageURL", Text),
        VIBER_ACTION,
        field("viberFile", Object(&FILE, None)).or(&["file"]),
        field("viberVideo", Object(&VIDEO, None)),
        field("sessionId", Text),
        field("sessionMessage", Bool).or(&["isSessionMessage"]),
        field("expireOnDelivery", Bool),
    ],
};

pub static PAGE: Model = Model {
    name: "TrackingPage",
    fields: &[
        field("content", Values),
        field("number", U64),
        field("size", U64),
        field("numberOfElements", U64),
        field("totalElements", U64),
        field("totalPages", U64),
        field("first", Bool),
        field("last", Bool),
    ],
};
