//! What holds for the API as a whole: its types fit into any program, and neither `Display` nor an error
//! carries personal data.

use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::common::{self, config};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use routee_viber::*;
use serde_json::{Value, json};

fn is_usable_anywhere<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + 'static>() {}

/// Every type of the crate; `.ci/public-api` fails where one is missing.
#[test]
fn every_type_is_usable_anywhere() {
    is_usable_anywhere::<Anomaly>();
    is_usable_anywhere::<AnomalyKind>();
    is_usable_anywhere::<Body>();
    is_usable_anywhere::<BodyKind>();
    is_usable_anywhere::<CallbackError>();
    is_usable_anywhere::<CallbackErrorKind>();
    is_usable_anywhere::<Channel>();
    is_usable_anywhere::<Counting>();
    is_usable_anywhere::<DetailedStatus>();
    is_usable_anywhere::<Direction>();
    is_usable_anywhere::<Extra>();
    is_usable_anywhere::<FailoverCallback>();
    is_usable_anywhere::<FailoverStatus>();
    is_usable_anywhere::<FailoverStep>();
    is_usable_anywhere::<InboundMessage>();
    is_usable_anywhere::<Incoming>();
    is_usable_anywhere::<OriginatingService>();
    is_usable_anywhere::<Progress>();
    is_usable_anywhere::<Reason>();
    is_usable_anywhere::<Retry>();
    is_usable_anywhere::<RetryPlan>();
    is_usable_anywhere::<RetrySchedule>();
    is_usable_anywhere::<SenderAllowlist>();
    is_usable_anywhere::<Stage>();
    is_usable_anywhere::<Status>();
    is_usable_anywhere::<StatusName>();
    is_usable_anywhere::<TrackedMessage>();
    is_usable_anywhere::<TrackingPage>();
    is_usable_anywhere::<Ttl>();
    is_usable_anywhere::<TtlError>();
    is_usable_anywhere::<Unrecognized<StatusName>>();
    is_usable_anywhere::<ViberAction>();
    is_usable_anywhere::<ViberCallback>();
    is_usable_anywhere::<ViberFile>();
    is_usable_anywhere::<ViberVideo>();
}

/// Iterators that no one can name.
#[test]
fn every_iterator_is_usable_anywhere() {
    fn check(_: impl Send + Sync + Unpin + UnwindSafe + RefUnwindSafe) {}
    check(RetryPlan::new(Default::default()).times());
    check(RetrySchedule::waits(Counting::default()));
    check(ViberCallback::new("1", StatusName::Seen).extras());
    check(TrackingPage::default().messages());
    check(TrackingPage::default().flows());
    check(Incoming::Other(Extra::new()).extras());
}

/// The keys of what a line in a log shows as it came: which message it is.
const SHOWN: [&str; 2] = ["trackingId", "referenceTrackingId"];

/// Makes every text and number in a value one that stands nowhere else, and returns these.
///
/// A fixture's own would not do: its texts may stand in a tracking id by chance.
fn make_unmistakable(value: &mut Value, marks: &mut Vec<String>) {
    let mark = marks.len();
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                if !SHOWN.iter().any(|shown| key.eq_ignore_ascii_case(shown)) {
                    make_unmistakable(value, marks);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| make_unmistakable(item, marks)),
        Value::String(text) if !text.is_empty() => {
            marks.push(format!("personal {mark} "));
            text.insert_str(0, &marks[mark]);
        }
        Value::Number(_) => {
            marks.push(format!("9876{mark:03}"));
            *value = marks[mark].parse().unwrap();
        }
        _ => {}
    }
}

fn assert_impersonal(shown: &str) {
    assert!(!shown.contains("personal") && !shown.contains("9876"), "{shown}");
}

/// Everything that an error of any model shows.
fn assert_impersonal_errors(body: &[u8]) {
    let errors = [
        ViberCallback::from_slice(body).err(),
        InboundMessage::from_slice(body).err(),
        FailoverCallback::from_slice(body).err(),
        TrackedMessage::from_slice(body).err(),
        TrackingPage::from_slice(body).err(),
        Incoming::from_slice(body).err(),
    ];
    for error in errors.into_iter().flatten() {
        assert_impersonal(&format!("{error} {error:?}"));
        assert!(std::error::Error::source(&error).is_none());
    }
}

#[test]
fn debug_shows_all_and_display_and_anomalies_show_nothing_personal() {
    let mut marked = 0;
    for (name, text) in common::fixtures() {
        let mut body: Value = serde_json::from_str(&text).unwrap();
        let mut marks = Vec::new();
        make_unmistakable(&mut body, &mut marks);
        marked += marks.len();

        let incoming: Incoming = body.to_string().parse().unwrap();
        assert_impersonal(&incoming.to_string());
        assert_impersonal(&format!("{:?}", incoming.anomalies()));
        for anomaly in incoming.anomalies() {
            assert_impersonal(&anomaly.to_string());
        }
        let debug = format!("{incoming:?}");
        assert_eq!(marks.iter().find(|mark| !debug.contains(*mark)), None, "{name}: {debug}");
    }
    assert!(marked > 300, "{marked}");
}

proptest! {
    #![proptest_config(config())]

    /// In any fields of any body, names and types included.
    #[test]
    fn no_secret_is_shown(
        text in select(common::fixtures().into_iter().map(|(_, text)| text).collect::<Vec<_>>()),
        places in vec(any::<Index>(), 1..12),
        key in any::<bool>(),
    ) {
        let mut body: Value = serde_json::from_str(&text).unwrap();
        for place in places {
            let leaves = leaves(&body, "");
            let at = place.get(&leaves);
            *body.pointer_mut(at).unwrap() = json!("personal 9876, Message to +306900000001");
        }
        if key {
            body["personal 9876"] = json!(1);
        }
        if let Ok(incoming) = Incoming::from_slice(body.to_string().as_bytes()) {
            assert_impersonal(&incoming.to_string());
        }
        assert_impersonal_errors(body.to_string().as_bytes());
        for line in [
            body.to_string().parse::<FailoverCallback>().map(|it| it.to_string()),
            body.to_string().parse::<InboundMessage>().map(|it| it.to_string()),
            body.to_string().parse::<ViberCallback>().map(|it| it.to_string()),
        ] {
            line.iter().for_each(|line| assert_impersonal(line));
        }
    }
}

/// The JSON pointers of every value that may be personal, which the ids of a message are not.
fn leaves(value: &Value, at: &str) -> Vec<String> {
    match value {
        Value::Object(entries) => entries
            .iter()
            .filter(|(key, _)| !SHOWN.iter().any(|shown| key.eq_ignore_ascii_case(shown)))
            .flat_map(|(key, value)| leaves(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))))
            .collect(),
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(place, item)| leaves(item, &format!("{at}/{place}"))).collect()
        }
        _ => vec![at.to_owned()],
    }
}

#[test]
fn an_unrecognized_detailed_status_is_not_shown() {
    let body = r#"{"trackingId": "1", "status": {"name": "FAILED", "reason": "personal 9876"}}"#;
    assert_impersonal(&body.parse::<ViberCallback>().unwrap().to_string());
    assert_impersonal(&body.parse::<Incoming>().unwrap().to_string());
}

#[test]
fn no_error_of_a_broken_body_shows_anything_personal() {
    for (_, text) in common::fixtures() {
        let mut body: Value = serde_json::from_str(&text).unwrap();
        make_unmistakable(&mut body, &mut Vec::new());
        for wrapped in [Value::from(body.to_string()), Value::from(vec![body.clone()])] {
            assert_impersonal_errors(wrapped.to_string().as_bytes());
        }
        for key in body.as_object().unwrap().keys() {
            let mut changed = body.clone();
            changed[key] = Value::from(vec![body.clone()]);
            assert_impersonal_errors(changed.to_string().as_bytes());
            let twice = body.to_string().replacen('{', &format!("{{\"{key}\": \"personal\","), 1);
            assert_impersonal_errors(twice.as_bytes());
        }
        let body = body.to_string().into_bytes();
        // Every byte in turn takes too long in every model.
        for at in (0..body.len()).step_by(5) {
            assert_impersonal_errors(&body[..at]);
            for byte in [b'"', b'\\', 0xff] {
                let mut broken = body.clone();
                broken[at] = byte;
                assert_impersonal_errors(&broken);
            }
        }
    }
}

#[test]
fn no_error_of_a_part_that_stands_alone_shows_a_text() {
    for json in [r#""personal""#, r#"["personal"]"#, r#"{"reason": "personal"}"#, r#"{"name": ["personal"]}"#] {
        assert_impersonal(&serde_json::from_str::<Ttl>(json).unwrap_err().to_string());
        if !json.starts_with('"') {
            assert_impersonal(&serde_json::from_str::<Status>(json).unwrap_err().to_string());
        }
        if json.starts_with('[') {
            assert_impersonal(&serde_json::from_str::<Reason>(json).unwrap_err().to_string());
        }
        if !json.starts_with('{') {
            assert_impersonal(&serde_json::from_str::<Body>(json).unwrap_err().to_string());
            assert_impersonal(&serde_json::from_str::<FailoverStep>(json).unwrap_err().to_string());
        }
    }
    assert_impersonal(&"personal".parse::<Ttl>().unwrap_err().to_string());
}
