//! The POSTs, and what has to come of each.

use routee_viber::{
    Body, DetailedStatus, Direction, Extra, FailoverCallback, InboundMessage, Incoming, OriginatingService, Reason,
    StatusName, Ttl, ViberAction, ViberCallback, ViberFile, samples,
};
use routee_viber_frameworks::Contents;
use serde_json::{Value, json};

/// One POST.
pub struct Case {
    pub what: &'static str,
    pub headers: Vec<Header>,
    pub body: Vec<u8>,
    /// The status code of the answer, and what is in the inbox afterwards.
    pub outcome: (u16, Contents),
}

pub type Header = (&'static str, &'static str);

pub const JSON: Header = ("content-type", "application/json");
const CHUNKED: [Header; 2] = [JSON, ("transfer-encoding", "chunked")];

/// What every page limits the size of a body to.
const LIMIT: usize = 64 * 1024;

const DOCUMENTED: &[u8] = include_bytes!("../../../../tests/fixtures/documented-shape.json");
const SPELLINGS: &[u8] = include_bytes!("../../../../tests/fixtures/failover-spellings.json");
const PLACEHOLDERS: &[u8] = include_bytes!("../../../../tests/fixtures/placeholders-as-printed.json");
const TWO_STEP: &[u8] = br#"{"trackingId": "1", "applicationId": "2", "recipient": "+30", "status": "Verified"}"#;
const NO_NAME: &[u8] = br#"{"trackingId": "1", "status": {}}"#;
const FLOW_WITHOUT_STATUS: &[u8] = br#"{"trackingId": "1", "messages": [{"order": 1}]}"#;
const LATIN_1: &[u8] = b"{\"trackingId\": \"1\", \"status\": \"SEEN\", \"label\": \"caf\xe9\"}";

const ODD_TYPES: [&str; 8] = [
    "application/json; charset=utf-8",
    "application/json; charset",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/plain; charset=iso-8859-1",
    "*/*",
    "json",
    "",
];

const BROKEN: [(&[u8], &str); 5] = [
    (b"", "EOF while parsing a value at line 1 column 0"),
    (b"\xff\xfe\0", "expected value at line 1 column 1"),
    (b"trackingId=1&status=SEEN", "expected ident at line 1 column 3"),
    (br#"{"trackingId": "1", "status": {"name": "SE"#, "EOF while parsing a string at line 1 column 42"),
    (br#"{"trackingId": "1", "trackingId": "2", "status": "SEEN"}"#, "`trackingId` is given twice at line 1 column 32"),
];

/// What a server takes from those it knows.
pub fn from_routee() -> Vec<Case> {
    let as_sent = || status(documented());
    let mut largest = DOCUMENTED.to_vec();
    largest.resize(LIMIT, b' ');
    let too_large = [&*largest, b" "].concat();

    let mut cases = vec![
        case("as documented", &[JSON], DOCUMENTED, as_sent()),
        case("other spellings", &[JSON], SPELLINGS, status(other_spellings())),
        case("placeholders", &[JSON], PLACEHOLDERS, status(placeholders())),
        case("not UTF-8", &[JSON], LATIN_1, status(latin_1())),
        case("a reply", &[JSON], samples::INBOUND.as_bytes(), other(Incoming::Inbound(reply()))),
        case("a failover flow", &[JSON], samples::FAILOVER.as_bytes(), other(Incoming::Failover(flow()))),
        case("a two-step verification", &[JSON], TWO_STEP, other(Incoming::Other(object(TWO_STEP)))),
        case("no status", &[JSON], NO_NAME, other(Incoming::Other(object(NO_NAME)))),
        case(
            "a flow without a status",
            &[JSON],
            FLOW_WITHOUT_STATUS,
            other(Incoming::Other(object(FLOW_WITHOUT_STATUS))),
        ),
        case("no type", &[], DOCUMENTED, as_sent()),
        case("chunks", &CHUNKED, DOCUMENTED, as_sent()),
        case("at the limit", &[JSON], &largest, as_sent()),
        case("chunks at the limit", &CHUNKED, &largest, as_sent()),
        case("over the limit", &[JSON], &too_large, refused(413)),
        case("chunks over the limit", &CHUNKED, &too_large, refused(413)),
    ];
    cases.extend(ODD_TYPES.map(|odd| case(odd, &[("content-type", odd)], DOCUMENTED, as_sent())));
    cases.extend(BROKEN.map(|(body, reason)| case(reason, &[JSON], body, unreadable(body, reason))));
    cases
}

/// What a server refuses because of the address that it comes from.
pub fn from_a_stranger() -> Vec<Case> {
    let forged = [("forwarded", "for=192.0.2.7"), ("x-forwarded-for", "192.0.2.7"), ("x-real-ip", "192.0.2.7")];
    vec![
        case("a stranger", &[JSON], DOCUMENTED, refused(403)),
        case("a stranger's broken body", &[JSON], b"{", refused(403)),
        case("forged headers", &forged, DOCUMENTED, refused(403)),
    ]
}

fn case(what: &'static str, headers: &[Header], body: &[u8], outcome: (u16, Contents)) -> Case {
    Case { what, headers: headers.to_vec(), body: body.to_vec(), outcome }
}

fn status(callback: ViberCallback) -> (u16, Contents) {
    (200, Contents { statuses: vec![callback], ..Contents::default() })
}

fn other(body: Incoming) -> (u16, Contents) {
    (200, Contents { others: vec![body], ..Contents::default() })
}

fn unreadable(body: &[u8], reason: &str) -> (u16, Contents) {
    (200, Contents { unreadable: vec![(body.to_vec(), reason.to_owned())], ..Contents::default() })
}

fn refused(status: u16) -> (u16, Contents) {
    (status, Contents::default())
}

/// What `documented-shape.json` says.
fn documented() -> ViberCallback {
    let mut reason = Reason::default();
    reason.detailed_status = Some(DetailedStatus::NotViberUser);
    reason.description = Some("The recipient is not a Viber user.".into());

    let mut action = ViberAction::default();
    action.caption = Some("Shop now".into());
    action.target_url = Some("https://example.com/spring".into());

    let mut file = ViberFile::default();
    file.file_name = Some("terms.pdf".into());
    file.file_type = Some("pdf".into());
    file.file_url = Some("https://example.com/terms.pdf".into());

    let mut body = Body::default();
    body.text = Some("Spring offers are here: 20% off until Sunday!".into());
    body.ios_fallback_text = Some("Spring offers: https://example.com/s".into());
    body.image_url = Some("https://example.com/image.png".into());
    body.viber_action = Some(action);
    body.viber_file = Some(file);

    let id = "0a047b46-a4dd-4ca8-b817-a6a134dd1234";
    let mut callback = ViberCallback::new(id, StatusName::Undelivered);
    callback.campaign_tracking_id = Some("62d4a3cc-6f32-4ba2-b99a-b661fb27fdd5".into());
    callback.to = Some("+306912345678".into());
    callback.from = Some("Routeetest".into());
    callback.groups = vec!["vip".into(), "athens".into()];
    callback.country = Some("GR".into());
    callback.status.reason = Some(reason);
    callback.status.updated_date = Some("2019-07-05T10:28:44.996Z".parse().unwrap());
    callback.body = Some(body);
    callback.ttl = Some(Ttl::from_secs(3600).unwrap());
    callback.label = Some("label of campaign".into());
    callback.inbound_url = Some("https://example.com/viber/inbound".into());
    callback.application_name = Some("shop".into());
    callback.price = Some(0.035);
    callback.direction = Some(Direction::Outbound);
    callback.originating_service = Some(OriginatingService::Viber);
    callback.created_at = Some("2019-07-05T10:28:44.566Z".parse().unwrap());
    callback
}

/// What `failover-spellings.json` says.
fn other_spellings() -> ViberCallback {
    let mut reason = Reason::default();
    reason.detailed_status = Some(DetailedStatus::Delivered);
    reason.description = Some("The message was delivered to its recipient.".into());

    let mut action = ViberAction::default();
    action.caption = Some("Go".into());
    action.target_url = Some("https://www.routee.net/".into());

    let mut body = Body::default();
    body.text = Some("This is a test, please ignore!".into());
    body.image_url = Some("https://example.com/image.png".into());
    body.viber_action = Some(action);

    let id = "0a047b46-a4dd-4ca8-b817-a6a134dd1234";
    let mut callback = ViberCallback::new(id, StatusName::Delivered);
    callback.to = Some("+306912345678".into());
    callback.from = Some("Routeetest".into());
    callback.country = Some("GR".into());
    callback.status.reason = Some(reason);
    callback.status.updated_date = Some("2019-07-05T10:28:44.996Z".parse().unwrap());
    callback.body = Some(body);
    callback.label = Some("labelName".into());
    callback.inbound_url = Some("https://your-server.com/inbound".into());
    callback.price = Some(0.035);
    callback.created_at = Some("2019-07-05T10:28:44.44Z".parse().unwrap());
    callback.extra = extra(json!({
        "ttl": 10,
        "expireOnDelivery": false,
        "expiredOnDeliveryAt": null,
    }));
    callback
}

/// What `placeholders-as-printed.json` says: `"string"` for everything, so that most of it is unreadable.
fn placeholders() -> ViberCallback {
    let text = || Some("string".to_owned());

    let mut reason = Reason::default();
    reason.detailed_status = Some("string".into());
    reason.description = text();

    let mut action = ViberAction::default();
    action.caption = text();
    action.target_url = text();

    let mut body = Body::default();
    body.text = text();
    body.image_url = text();
    body.viber_action = Some(action);

    let mut callback = ViberCallback::new("string", "string".into());
    callback.campaign_tracking_id = text();
    callback.to = text();
    callback.from = text();
    callback.groups = vec!["string".into()];
    callback.country = text();
    callback.status.reason = Some(reason);
    callback.status.extra = extra(json!({"updatedDate": "string"}));
    callback.body = Some(body);
    callback.label = Some("label of campaign".into());
    callback.inbound_url = text();
    callback.application_name = text();
    callback.price = Some(0.0);
    callback.direction = Some("string".into());
    callback.originating_service = Some(OriginatingService::Viber);
    callback.extra = extra(json!({"ttl": 0, "createdAt": "string"}));
    callback
}

/// What is left of [`LATIN_1`].
fn latin_1() -> ViberCallback {
    let mut callback = ViberCallback::new("1", StatusName::Seen);
    callback.label = Some("caf\u{fffd}".into());
    callback
}

/// What `samples::INBOUND` says; the library's own tests have its fields.
fn reply() -> InboundMessage {
    samples::INBOUND.parse().unwrap()
}

/// As `reply`.
fn flow() -> FailoverCallback {
    samples::FAILOVER.parse().unwrap()
}

fn object(body: &[u8]) -> Extra {
    serde_json::from_slice(body).unwrap()
}

fn extra(object: Value) -> Extra {
    serde_json::from_value(object).unwrap()
}
