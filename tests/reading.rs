//! Every row of "how a value is read", for every field that it applies to.

mod common;

use common::{extra, minimal, minimal_with, parent, read};
use routee_viber::{Body, ViberCallback};
use serde::Serialize;
use serde_json::{Value, json};

/// What becomes of a value.
#[derive(Debug, Clone)]
enum Outcome {
    /// The field has this value, written so.
    Reads(Value),
    /// The field is absent and nothing is kept.
    Absent,
    /// The field is absent and `extra` has the value as it came.
    Kept,
}
use Outcome::{Absent, Kept, Reads};

type Rows = Vec<(Value, Outcome)>;

/// A field: its path, how its values are read, and what the model has there.
type Field = (&'static str, fn() -> Rows, fn(&ViberCallback) -> Value);

fn typed<T: Serialize>(value: &Option<T>) -> Value {
    json!(value)
}

fn body<T: Serialize>(callback: &ViberCallback, field: impl Fn(&Body) -> &Option<T>) -> Value {
    callback.body.as_ref().map_or(Value::Null, |body| typed(field(body)))
}

/// A field of a part of the body, such as `viber_file.file_url`.
macro_rules! part {
    ($part:ident.$field:ident) => {
        |callback| {
            let part = callback.body.as_ref().and_then(|body| body.$part.as_ref());
            part.map_or(Value::Null, |part| typed(&part.$field))
        }
    };
}

fn fields() -> Vec<Field> {
    vec![
        ("campaignTrackingId", text, |c| typed(&c.campaign_tracking_id)),
        ("to", text, |c| typed(&c.to)),
        ("from", text, |c| typed(&c.from)),
        ("groups", groups, |c| if c.groups.is_empty() { Value::Null } else { json!(c.groups) }),
        ("country", text, |c| typed(&c.country)),
        ("status.reason", reason, |c| typed(&c.status.reason)),
        ("status.reason.detailedStatus", detailed_status, |c| {
            c.status.reason.as_ref().map_or(Value::Null, |reason| typed(&reason.detailed_status))
        }),
        ("status.reason.description", text, |c| {
            c.status.reason.as_ref().map_or(Value::Null, |reason| typed(&reason.description))
        }),
        ("status.updatedDate", date, |c| typed(&c.status.updated_date)),
        ("body", object, |c| typed(&c.body)),
        ("body.text", text, |c| body(c, |body| &body.text)),
        ("body.iosFallbackText", text, |c| body(c, |body| &body.ios_fallback_text)),
        ("body.imageURL", text, |c| body(c, |body| &body.image_url)),
        ("body.viberAction", object, |c| body(c, |body| &body.viber_action)),
        ("body.viberAction.caption", text, part!(viber_action.caption)),
        ("body.viberAction.targetUrl", text, part!(viber_action.target_url)),
        ("body.viberFile", object, |c| body(c, |body| &body.viber_file)),
        ("body.viberFile.fileName", text, part!(viber_file.file_name)),
        ("body.viberFile.fileType", text, part!(viber_file.file_type)),
        ("body.viberFile.fileUrl", text, part!(viber_file.file_url)),
        ("body.viberVideo", object, |c| body(c, |body| &body.viber_video)),
        ("body.viberVideo.videoURL", text, part!(viber_video.video_url)),
        ("body.viberVideo.videoThumbnail", text, part!(viber_video.video_thumbnail)),
        ("body.viberVideo.fileSize", number, part!(viber_video.file_size)),
        ("body.viberVideo.duration", number, part!(viber_video.duration)),
        ("ttl", ttl, |c| typed(&c.ttl)),
        ("label", text, |c| typed(&c.label)),
        ("inboundUrl", text, |c| typed(&c.inbound_url)),
        ("applicationName", text, |c| typed(&c.application_name)),
        ("price", number, |c| typed(&c.price)),
        ("direction", direction, |c| typed(&c.direction)),
        ("originatingService", originating_service, |c| typed(&c.originating_service)),
        ("createdAt", date, |c| typed(&c.created_at)),
    ]
}

/// The rows of every field: `null` and `""` are the same as absent.
fn nothing() -> Rows {
    vec![(json!(null), Absent), (json!(""), Absent)]
}

fn kept(values: impl IntoIterator<Item = Value>) -> Rows {
    values.into_iter().map(|value| (value, Kept)).collect()
}

fn reads(values: impl IntoIterator<Item = (Value, Value)>) -> Rows {
    values.into_iter().map(|(value, typed)| (value, Reads(typed))).collect()
}

/// Numbers and booleans become their text, for texts and for names.
fn scalars_as_text() -> Rows {
    [
        reads([
            (json!(0), json!("0")),
            (json!(-7), json!("-7")),
            (json!(i64::MIN), json!("-9223372036854775808")),
            (json!(u64::MAX), json!("18446744073709551615")),
            (json!(true), json!("true")),
            (json!(false), json!("false")),
        ]),
        kept([json!(1.5), json!(1.0), json!(-0.5), json!([]), json!(["a"]), json!({"a": 1})]),
    ]
    .concat()
}

fn text() -> Rows {
    let texts = ["a", " ", " a ", "null", "0", "Καλή 🐣", "a\"b\\c\n\u{0}\u{2028}", "+306912345678"];
    [nothing(), reads(texts.map(|text| (json!(text), json!(text)))), scalars_as_text(), kept([json!({})])].concat()
}

fn groups() -> Rows {
    [
        nothing(),
        reads([
            (json!(["vip", "athens"]), json!(["vip", "athens"])),
            (json!(["vip", ""]), json!(["vip", ""])),
            (json!(["vip", 5, true]), json!(["vip", "5", "true"])),
            (json!([-1]), json!(["-1"])),
            (json!("vip"), json!(["vip"])),
            (json!("vip,athens"), json!(["vip,athens"])),
            (json!(5), json!(["5"])),
            (json!(true), json!(["true"])),
        ]),
        vec![(json!([]), Absent)],
        kept([
            json!(["vip", null]),
            json!([null, "vip"]),
            json!(["vip", 5, 1.5]),
            json!(["vip", ["athens"]]),
            json!([{}]),
            json!(1.5),
            json!({}),
            json!({"a": "vip"}),
        ]),
    ]
    .concat()
}

fn ttl() -> Rows {
    let valid = [30, 31, 299, 300, 3600, 86_399, 86_400, 1_209_600];
    let invalid = [i64::MIN, -30, -1, 0, 10, 29, 86_401, 1_209_599, 1_209_601, 4_294_967_326, i64::MAX];
    let each = |seconds: i64| {
        [json!(seconds), json!(seconds as f64), json!(seconds.to_string()), json!(format!("{seconds}.0"))]
    };
    [
        nothing(),
        reads(valid.into_iter().flat_map(|seconds| each(seconds).map(|value| (value, json!(seconds))))),
        kept(invalid.into_iter().flat_map(each)),
        kept([json!(u64::MAX), json!(3600.5), json!("3600.5"), json!(1e300), json!("1e400")]),
        kept(["x", " 3600", "3600 ", "+3600", "03600", "3 600", "1h", "0x1e", "NaN", "inf"].map(|text| json!(text))),
        kept([json!(true), json!(false), json!([]), json!([3600]), json!({}), json!({"seconds": 3600})]),
    ]
    .concat()
}

fn number() -> Rows {
    [
        nothing(),
        reads([
            (json!(0.035), json!(0.035)),
            (json!(1.924_305_359_113_052_1), json!(1.924_305_359_113_052_1)),
            (json!("0.035"), json!(0.035)),
            (json!(0), json!(0.0)),
            (json!("0"), json!(0.0)),
            (json!(-2), json!(-2.0)),
            (json!("-2.5e3"), json!(-2500.0)),
            (json!(200), json!(200.0)),
            (json!(f64::MAX), json!(f64::MAX)),
            (json!(9_007_199_254_740_992_u64), json!(9_007_199_254_740_992.0)),
        ]),
        kept([json!(9_007_199_254_740_993_u64), json!("9007199254740993"), json!(u64::MAX), json!("1e400")]),
        kept(["NaN", "inf", "-Infinity", "free", "0,035", "€0.035", "1.", ".5", "+1", " 1"].map(|text| json!(text))),
        kept([json!(true), json!([]), json!([1]), json!({}), json!({"amount": 1})]),
    ]
    .concat()
}

fn date() -> Rows {
    let texts = [
        ("2019-07-05T10:28:49Z", "2019-07-05T10:28:49Z"),
        ("2019-07-05T10:28:44.44Z", "2019-07-05T10:28:44.440Z"),
        ("2019-07-05T10:28:44.996Z", "2019-07-05T10:28:44.996Z"),
        ("2019-07-05T10:28:44.996123Z", "2019-07-05T10:28:44.996123Z"),
        ("2019-07-05T10:28:44.123456789Z", "2019-07-05T10:28:44.123456789Z"),
        ("2019-07-05T10:28:44.000000001Z", "2019-07-05T10:28:44.000000001Z"),
        ("2019-07-05t10:28:49z", "2019-07-05T10:28:49Z"),
        ("2019-07-05 10:28:49Z", "2019-07-05T10:28:49Z"),
        ("2019-07-05 10:28:49", "2019-07-05T10:28:49Z"),
        ("2019-07-05T10:28:49.5", "2019-07-05T10:28:49.500Z"),
        ("2019-07-05T10:28:44.996+0000", "2019-07-05T10:28:44.996Z"),
        ("2019-07-05T10:28:44.996-0000", "2019-07-05T10:28:44.996Z"),
        ("2019-07-05T13:28:49+03:00", "2019-07-05T10:28:49Z"),
        ("2019-07-05T13:28:49+0300", "2019-07-05T10:28:49Z"),
        ("2019-07-04T22:43:49-11:45", "2019-07-05T10:28:49Z"),
        ("2019-07-06T10:27:49+23:59", "2019-07-05T10:28:49Z"),
        ("2020-02-29T00:00:00Z", "2020-02-29T00:00:00Z"),
        ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:60Z"),
        ("2017-01-01T02:59:60.5+03:00", "2016-12-31T23:59:60.500Z"),
    ];
    let numbers = [
        (json!(1_000_000_000), "2001-09-09T01:46:40Z"),
        (json!(1_562_322_529), "2019-07-05T10:28:49Z"),
        (json!(1_562_322_524.996), "2019-07-05T10:28:44.996Z"),
        (json!(1_562_322_524.123_456), "2019-07-05T10:28:44.123456Z"),
        (json!(1_000_000_000.000_000_4), "2001-09-09T01:46:40Z"),
        (json!(1_562_322_529.0), "2019-07-05T10:28:49Z"),
        (json!(99_999_999_999_u64), "5138-11-16T09:46:39Z"),
        (json!(1_000_000_000_000_u64), "2001-09-09T01:46:40Z"),
        (json!(1_562_322_524_996_u64), "2019-07-05T10:28:44.996Z"),
        (json!(1_562_322_524_996.5), "2019-07-05T10:28:44.996500Z"),
        (json!(99_999_999_999_999_u64), "5138-11-16T09:46:39.999Z"),
    ];
    let not_dates = [
        "string",
        "now",
        "2019-07-05",
        "10:28:49",
        "05/07/2019",
        "2019-07-05T10:28Z",
        "2019-07-05T10:28:49.Z",
        "2019-07-05T10:28:44.1234567891Z",
        "2019-07-05T10:28:49,5Z",
        "2019-07-05T10:28:49 Z",
        " 2019-07-05T10:28:49Z",
        "2019-07-05T10:28:49Z ",
        "2019-07-05T10:28:49+03",
        "2019-07-05T10:28:49+24:00",
        "2019-07-05T10:28:49+00:60",
        "2019-07-05T10:28:49*00:00",
        "2019-07-05T10:28:49UTC",
        "2019-07-05_10:28:49Z",
        "2019-13-05T10:28:49Z",
        "2019-00-05T10:28:49Z",
        "2019-07-32T10:28:49Z",
        "2019-02-29T10:28:49Z",
        "2019-07-05T24:00:00Z",
        "2019-07-05T10:60:00Z",
        "2019-07-05T10:28:61Z",
        "2019-07-05T10:28:60Z",
        "0000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "+2019-07-05T10:28:49Z",
        "-001-07-05T10:28:49Z",
        "19-07-05T10:28:49Z",
        "２019-07-05T10:28:49Z",
        "1562322529",
        "1562322524996",
    ];
    [
        nothing(),
        reads(texts.map(|(text, date)| (json!(text), json!(date)))),
        reads(numbers.map(|(number, date)| (number, json!(date)))),
        kept(not_dates.map(|text| json!(text))),
        kept([json!(0), json!(-1_562_322_529), json!(999_999_999), json!(999_999_999.9), json!(100_000_000_000_u64)]),
        kept([json!(999_999_999_999_u64), json!(100_000_000_000_000_u64), json!(u64::MAX), json!(1e300)]),
        kept([json!(true), json!([]), json!([2019, 7, 5]), json!({}), json!({"$date": 1_562_322_524_996_u64})]),
    ]
    .concat()
}

/// The names of an open enum in every spelling that is one, and other texts, which are kept as sent.
fn names(documented: &[&str]) -> Rows {
    let respelled = |name: &str| {
        let squeezed = name.replace(' ', "");
        let spaced: Vec<_> = squeezed.chars().map(String::from).collect();
        [
            name.to_owned(),
            name.to_lowercase(),
            name.to_uppercase(),
            name.replace(' ', "_"),
            name.replace(' ', "-").to_lowercase(),
            format!(" {squeezed}_"),
            spaced.join("-"),
        ]
    };
    let known = documented.iter().flat_map(|name| respelled(name).map(|spelling| (json!(spelling), json!(name))));
    let others = ["Sent", "x", " ", "_", "SEEN!", "ΣEEN", "Ｓeen", "Viber2", "Out bound.", "Timed\tOut"];
    [
        nothing(),
        reads(known),
        reads(others.map(|text| (json!(text), json!(text)))),
        scalars_as_text(),
        kept([json!({}), json!({"name": documented[0]})]),
    ]
    .concat()
}

const STATUS_NAMES: [&str; 7] = ["QUEUED", "DELIVERED", "SEEN", "UNDELIVERED", "EXPIRED", "FAILED", "UNSENT"];

fn detailed_status() -> Rows {
    names(&[
        "Not Viber User",
        "Opted Out",
        "System Failure",
        "Message Rejected",
        "Timed Out",
        "Unsupported Equipment",
        "TTL Expired",
        "Delivered",
    ])
}

fn direction() -> Rows {
    names(&["Outbound", "Inbound"])
}

fn originating_service() -> Rows {
    names(&["Viber", "Sms", "Failover"])
}

/// An object with nothing that is known, and everything that is no object.
fn object() -> Rows {
    [
        nothing(),
        reads([(json!({}), json!({})), (json!({"unknown": [1]}), json!({"unknown": [1]}))]),
        kept([json!("a"), json!(0), json!(-1), json!(1.5), json!(true), json!([]), json!([{}])]),
    ]
    .concat()
}

fn reason() -> Rows {
    [
        nothing(),
        reads([
            (json!({}), json!({})),
            (json!("Opted Out"), json!({"detailedStatus": "Opted Out"})),
            (json!("OPTED_OUT"), json!({"detailedStatus": "Opted Out"})),
            (json!("Blocked"), json!({"detailedStatus": "Blocked"})),
        ]),
        kept([json!(0), json!(-1), json!(1.5), json!(true), json!([]), json!(["Opted Out"])]),
    ]
    .concat()
}

#[test]
fn every_field_reads_every_value_as_designed() {
    for (path, rows, typed) in fields() {
        let (object, key) = parent(path);
        for (value, outcome) in rows() {
            let callback = read(&minimal_with(path, value.clone()));
            let (expected, kept) = match outcome {
                Reads(typed) => (typed, None),
                Absent => (Value::Null, None),
                Kept => (Value::Null, Some(&value)),
            };
            assert_eq!(typed(&callback), expected, "the field for {path}: {value}");
            assert_eq!(extra(&callback, object).get(key), kept, "what is kept of {path}: {value}");
            assert_eq!(extra(&callback, object).len(), usize::from(kept.is_some()), "{path}: {value}");
        }
    }
}

#[test]
fn every_field_may_be_absent() {
    let callback = read(&minimal());
    for (path, _, typed) in fields() {
        assert_eq!(typed(&callback), Value::Null, "{path}");
    }
    assert_eq!(callback, ViberCallback::new("0a047b46", routee_viber::StatusName::Seen));
}

#[test]
fn the_tracking_id_is_a_text_that_must_be_there() {
    for (value, outcome) in text() {
        let mut body = minimal();
        body["trackingId"] = value.clone();
        match outcome {
            Reads(id) => assert_eq!(json!(read(&body).tracking_id), id),
            Absent | Kept => {
                let error = common::try_read(&body.to_string()).unwrap_err();
                assert_eq!(error, "no readable `trackingId`", "{value}");
            }
        }
    }
}

#[test]
fn the_status_name_is_a_name_that_must_be_there() {
    for (value, outcome) in names(&STATUS_NAMES) {
        let mut body = minimal();
        body["status"]["name"] = value.clone();
        match outcome {
            Reads(name) => assert_eq!(json!(read(&body).status.name), name),
            Absent | Kept => {
                let error = common::try_read(&body.to_string()).unwrap_err();
                assert_eq!(error, "no readable `status.name`", "{value}");
            }
        }
    }
}

#[test]
fn the_status_is_an_object_or_the_name_alone() {
    for name in STATUS_NAMES.iter().chain(&["Sent"]) {
        let callback = read(&json!({"trackingId": "0a047b46", "status": name}));
        assert_eq!(callback, ViberCallback::new("0a047b46", (*name).into()));
    }
    for value in [json!(null), json!(""), json!(5), json!(true), json!(1.5), json!([]), json!(["SEEN"]), json!({})] {
        let body = json!({"trackingId": "0a047b46", "status": value});
        let error = common::try_read(&body.to_string()).unwrap_err();
        assert_eq!(error, "no readable `status.name`", "{body}");
    }
}
