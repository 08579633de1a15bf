//! What is written.

use crate::common::fields::{self, Model};
use crate::common::{self, ROOTS, filled as filled_model, map, read, written};
use chrono::{DateTime, NaiveDate, Utc};
use routee_viber::{
    Body, CallbackErrorKind, DetailedStatus, Direction, Extra, FailoverCallback, FailoverStep, InboundMessage,
    OriginatingService, Reason, Status, StatusName, TrackedMessage, TrackingPage, Ttl, ViberAction, ViberCallback,
    ViberFile, ViberVideo,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A callback with every field filled in by hand.
fn filled() -> ViberCallback {
    let mut callback = ViberCallback::new("0a047b46", StatusName::Undelivered);
    callback.campaign_tracking_id = Some("62d4a3cc".to_owned());
    callback.to = Some("+306912345678".to_owned());
    callback.from = Some("Routeetest".to_owned());
    callback.groups = vec!["vip".to_owned(), "athens".to_owned()];
    callback.country = Some("GR".to_owned());
    let mut reason = Reason::default();
    reason.detailed_status = Some(DetailedStatus::NotViberUser);
    reason.description = Some("The recipient is not a Viber user.".to_owned());
    callback.status.reason = Some(reason);
    callback.status.updated_date = Some("2019-07-05T10:28:44.996Z".parse().unwrap());
    let mut action = ViberAction::default();
    action.caption = Some("Shop now".to_owned());
    action.target_url = Some("https://example.com/spring".to_owned());
    let mut file = ViberFile::default();
    file.file_name = Some("terms.pdf".to_owned());
    file.file_type = Some("pdf".to_owned());
    file.file_url = Some("https://example.com/terms.pdf".to_owned());
    let mut video = ViberVideo::default();
    video.video_url = Some("https://example.com/v.mp4".to_owned());
    video.video_thumbnail = Some("https://example.com/v.png".to_owned());
    video.file_size = Some(12.5);
    video.duration = Some(45.0);
    let mut body = Body::default();
    body.text = Some("Hi".to_owned());
    body.ios_fallback_text = Some("Hello".to_owned());
    body.image_url = Some("https://example.com/i.png".to_owned());
    body.viber_action = Some(action);
    body.viber_file = Some(file);
    body.viber_video = Some(video);
    callback.body = Some(body);
    callback.ttl = Some(Ttl::from_secs(3600).unwrap());
    callback.label = Some("spring".to_owned());
    callback.inbound_url = Some("https://example.com/inbound".to_owned());
    callback.application_name = Some("shop".to_owned());
    callback.price = Some(0.035);
    callback.direction = Some(Direction::Outbound);
    callback.originating_service = Some(OriginatingService::Viber);
    callback.created_at = Some("2019-07-05T10:28:44.566Z".parse().unwrap());
    callback
}

const FILLED: &str = concat!(
    r#"{"trackingId":"0a047b46","campaignTrackingId":"62d4a3cc","to":"+306912345678","from":"Routeetest","#,
    r#""groups":["vip","athens"],"country":"GR","status":{"name":"UNDELIVERED","reason":{"#,
    r#""detailedStatus":"Not Viber User","description":"The recipient is not a Viber user."},"#,
    r#""updatedDate":"2019-07-05T10:28:44.996Z"},"body":{"text":"Hi","iosFallbackText":"Hello","#,
    r#""imageURL":"https://example.com/i.png","viberAction":{"caption":"Shop now","#,
    r#""targetUrl":"https://example.com/spring"},"viberFile":{"fileName":"terms.pdf","fileType":"pdf","#,
    r#""fileUrl":"https://example.com/terms.pdf"},"viberVideo":{"videoURL":"https://example.com/v.mp4","#,
    r#""videoThumbnail":"https://example.com/v.png","fileSize":12.5,"duration":45.0}},"ttl":3600,"#,
    r#""label":"spring","inboundUrl":"https://example.com/inbound","applicationName":"shop","price":0.035,"#,
    r#""direction":"Outbound","originatingService":"Viber","createdAt":"2019-07-05T10:28:44.566Z"}"#,
);

#[test]
fn every_field_is_written_under_its_documented_key() {
    assert_eq!(serde_json::to_string(&filled()).unwrap(), FILLED);
    assert_eq!(FILLED.parse::<ViberCallback>(), Ok(filled()));
    for root in &ROOTS {
        let sent = filled_model(root.model);
        let read = root.read(&sent).unwrap();
        assert_eq!((read.written, read.kept), (sent, json!({})), "{}", root.model.name);
    }
}

#[test]
fn absent_fields_are_left_out() {
    let callback = ViberCallback::new("0a047b46", StatusName::Seen);
    let json = r#"{"trackingId":"0a047b46","status":{"name":"SEEN"}}"#;
    assert_eq!(serde_json::to_string(&callback).unwrap(), json);
    assert_eq!(serde_json::to_string(&InboundMessage::new("1")).unwrap(), r#"{"from":"1"}"#);
    let empty = [
        serde_json::to_string(&Body::default()),
        serde_json::to_string(&Reason::default()),
        serde_json::to_string(&ViberAction::default()),
        serde_json::to_string(&ViberFile::default()),
        serde_json::to_string(&ViberVideo::default()),
        serde_json::to_string(&FailoverStep::default()),
        serde_json::to_string(&TrackingPage::default()),
    ];
    assert_eq!(empty.map(Result::unwrap), ["{}"; 7]);
}

#[test]
fn a_date_is_written_as_chrono_writes_it() {
    let day = NaiveDate::from_ymd_opt(2016, 12, 31).unwrap();
    let at = |hour, minute, second, nanos| day.and_hms_nano_opt(hour, minute, second, nanos).unwrap();
    let in_year = |year| NaiveDate::from_ymd_opt(year, 12, 31).unwrap().and_hms_opt(1, 2, 3).unwrap();
    for (date, text) in [
        (at(1, 2, 3, 0), "2016-12-31T01:02:03Z"),
        (at(0, 0, 0, 1), "2016-12-31T00:00:00.000000001Z"),
        (at(23, 59, 59, 999_999_999), "2016-12-31T23:59:59.999999999Z"),
        (at(10, 20, 30, 1_000), "2016-12-31T10:20:30.000001Z"),
        (at(10, 20, 30, 120_000_000), "2016-12-31T10:20:30.120Z"),
        (at(10, 20, 30, 999_999_000), "2016-12-31T10:20:30.999999Z"),
        (at(10, 20, 30, 999_000_000), "2016-12-31T10:20:30.999Z"),
        (at(23, 59, 59, 1_000_000_000), "2016-12-31T23:59:60Z"),
        (at(23, 59, 59, 1_999_999_999), "2016-12-31T23:59:60.999999999Z"),
        (in_year(0), "0000-12-31T01:02:03Z"),
        (in_year(987), "0987-12-31T01:02:03Z"),
        (in_year(9_999), "9999-12-31T01:02:03Z"),
        (in_year(10_000), "+10000-12-31T01:02:03Z"),
        (in_year(-1), "-0001-12-31T01:02:03Z"),
        (DateTime::<Utc>::MAX_UTC.naive_utc(), "+262142-12-31T23:59:59.999999999Z"),
        (DateTime::<Utc>::MIN_UTC.naive_utc(), "-262143-01-01T00:00:00Z"),
    ] {
        let date = date.and_utc();
        assert_eq!(serde_json::to_value(date).unwrap(), text, "chrono's own");
        let mut status = Status::new(StatusName::Seen);
        status.updated_date = Some(date);
        assert_eq!(serde_json::to_string(&status).unwrap(), format!(r#"{{"name":"SEEN","updatedDate":"{text}"}}"#));
    }
}

#[test]
fn extra_is_written_back_into_its_object() {
    let mut callback = filled();
    let entry = |n: u8| map(json!({"unknown": {"n": n}}));
    callback.extra = entry(1);
    callback.status.extra = entry(2);
    callback.status.reason.as_mut().unwrap().extra = entry(3);
    let body = callback.body.as_mut().unwrap();
    body.extra = entry(4);
    body.viber_action.as_mut().unwrap().extra = entry(5);
    body.viber_file.as_mut().unwrap().extra = entry(6);
    body.viber_video.as_mut().unwrap().extra = entry(7);

    let json = written(&callback);
    for (pointer, n) in [
        ("/unknown", 1),
        ("/status/unknown", 2),
        ("/status/reason/unknown", 3),
        ("/body/unknown", 4),
        ("/body/viberAction/unknown", 5),
        ("/body/viberFile/unknown", 6),
        ("/body/viberVideo/unknown", 7),
    ] {
        assert_eq!(json.pointer(pointer), Some(&json!({"n": n})), "{pointer}");
    }
    assert_eq!(read::<ViberCallback>(&json), callback);
}

#[test]
fn a_field_that_was_filled_in_is_written_instead_of_the_extra_entry() {
    let body = json!({"trackingId": "1", "status": {"name": "SEEN", "updatedDate": "soon"}, "ttl": 10, "TTL": 20});
    let mut callback = read::<ViberCallback>(&body);
    assert_eq!(written(&callback), body);

    callback.ttl = Some(Ttl::MIN);
    callback.status.updated_date = Some("2019-07-05T10:28:49Z".parse().unwrap());
    let json = r#"{"trackingId":"1","status":{"name":"SEEN","updatedDate":"2019-07-05T10:28:49Z"},"ttl":30,"TTL":20}"#;
    assert_eq!(serde_json::to_string(&callback).unwrap(), json);
}

/// The typed value is written alone, whichever field it is and whatever `extra` holds under its key.
#[test]
fn no_key_is_written_twice() {
    fn check<T: Serialize + DeserializeOwned>(model: &Model, extra: fn(&mut T) -> &mut Extra) {
        let body = filled_model(model);
        let mut read: T = serde_json::from_value(body.clone()).unwrap();
        extra(&mut read).extend(model.fields.iter().map(|field| (field.key.to_owned(), json!("other"))));
        let text = serde_json::to_string(&read).unwrap();
        assert_eq!(text.len(), serde_json::to_string(&body).unwrap().len(), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), body);
    }
    check::<ViberCallback>(&fields::CALLBACK, |it| &mut it.extra);
    check::<Status>(&fields::STATUS, |it| &mut it.extra);
    check::<Reason>(&fields::REASON, |it| &mut it.extra);
    check::<Body>(&fields::BODY, |it| &mut it.extra);
    check::<ViberAction>(&fields::ACTION, |it| &mut it.extra);
    check::<ViberFile>(&fields::FILE, |it| &mut it.extra);
    check::<ViberVideo>(&fields::VIDEO, |it| &mut it.extra);
    check::<InboundMessage>(&fields::INBOUND, |it| &mut it.extra);
    check::<FailoverCallback>(&fields::FAILOVER, |it| &mut it.extra);
    check::<FailoverStep>(&fields::STEP, |it| &mut it.extra);
    check::<TrackedMessage>(&fields::TRACKED, |it| &mut it.extra);
    check::<TrackingPage>(&fields::PAGE, |it| &mut it.extra);
}

#[test]
fn the_parts_read_and_write_on_their_own() {
    let callback = filled();
    let status = serde_json::to_string(&callback.status).unwrap();
    assert_eq!(serde_json::from_str::<Status>(&status).unwrap(), callback.status);
    let body = serde_json::to_string(&callback.body).unwrap();
    assert_eq!(serde_json::from_str::<Option<Body>>(&body).unwrap(), callback.body);

    // Alone, a part is an object, and its paths begin with it.
    let error = |text| serde_json::from_str::<Status>(text).unwrap_err().to_string();
    assert_eq!(error(r#"{"reason": "x"}"#), "no readable `name`");
    assert_eq!(common::what(&error(r#"{"name": "SEEN", "name": "SEEN"}"#)), "`name` is given twice");
    assert_eq!(common::what(&error(r#"{"reason": {"a": 1, "a": 2}}"#)), "`reason.a` is given twice");
    for text in ["[1]", r#""""#, "null", "5"] {
        assert_eq!(common::what(&error(text)), "not a JSON object");
        let error = serde_json::from_str::<Reason>(text).unwrap_err();
        assert_eq!(common::what(&error), "not a JSON object");
    }
    assert_eq!(CallbackErrorKind::NotAnObject.as_str(), "not_an_object");
}

/// As in the place of the object in a body.
#[test]
fn a_bare_text_is_a_status_or_a_reason_in_somebody_elses_struct() {
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Mine {
        status: Status,
        reason: Option<Reason>,
    }
    let mut reason = Reason::default();
    reason.detailed_status = Some(DetailedStatus::OptedOut);
    let expected = Mine { status: Status::new(StatusName::Seen), reason: Some(reason) };
    assert_eq!(serde_json::from_str::<Mine>(r#"{"status": "seen", "reason": "opted out"}"#).unwrap(), expected);
    let error = |json| common::what(&serde_json::from_str::<Mine>(json).unwrap_err());
    assert_eq!(error(r#"{"status": 5}"#), "not a JSON object");
    assert_eq!(error(r#"{"status": "SEEN", "reason": true}"#), "not a JSON object");
    for body in [r#""text""#, "5"] {
        assert_eq!(common::what(&serde_json::from_str::<Body>(body).unwrap_err()), "not a JSON object");
    }
}
