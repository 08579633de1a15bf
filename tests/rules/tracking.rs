//! What the tracking API answers, and a tracked message as the callback of the same status change.

use crate::common::fields::{CALLBACK, TRACKED};
use crate::common::{Payload, config, filled, fixture, map, oracle, read, written};
use proptest::prelude::*;
use proptest::sample::select;
use routee_viber::{
    CallbackErrorKind, FailoverCallback, Progress, StatusName, TrackedMessage, TrackingPage, Ttl, ViberCallback,
};
use serde_json::{Value, json};

#[test]
fn a_tracked_message_is_read_whole() {
    let message = read::<TrackedMessage>(&fixture("tracking-single"));
    assert_eq!((&message.status.name, message.ttl), (&StatusName::Delivered, Ttl::from_secs(3600).ok()));
    assert_eq!(message.status.updated_date, Some("2019-07-05T10:28:49Z".parse().unwrap()));
    assert_eq!(message.message.as_deref(), Some("Spring offers are here"));
    assert_eq!(message.image_url.as_deref(), Some("https://example.com/image.png"));
    assert_eq!(message.viber_video.as_ref().and_then(|video| video.duration), Some(30.0));
    assert_eq!((message.session_message, message.expire_on_delivery), (Some(false), Some(true)));
    assert_eq!((message.anomalies(), message.extras().count()), (vec![], 0));
}

#[test]
fn a_page_is_read_message_by_message() {
    let page = read::<TrackingPage>(&fixture("tracking-page"));
    assert_eq!((page.number, page.size, page.number_of_elements), (Some(0), Some(2), Some(2)));
    assert_eq!((page.total_elements, page.total_pages), (Some(5), Some(3)));
    assert_eq!((page.first, page.last, page.next_page()), (Some(true), Some(false), Some(1)));
    let messages: Vec<_> = page.messages().map(Result::unwrap).collect();
    assert_eq!(messages.iter().map(|it| it.status.name.as_str()).collect::<Vec<_>>(), ["SEEN", "UNDELIVERED"]);
    assert_eq!((messages[0].campaign.as_deref(), messages[1].price), (Some("spring"), Some(0.0)));
    assert_eq!(messages.iter().flat_map(TrackedMessage::anomalies).collect::<Vec<_>>(), []);
}

#[test]
fn one_message_that_cannot_be_read_costs_no_other() {
    let good = json!({"trackingId": "1", "status": "SEEN"});
    let content = json!([good, {"trackingId": "2"}, 5, {"status": "SEEN"}, good]);
    let page = read::<TrackingPage>(&json!({"content": content}));
    let results: Vec<_> = page.messages().collect();
    assert_eq!(results.len(), 5);
    assert!(results[0].is_ok() && results[4].is_ok());
    for (at, kind, path, message) in [
        (1, CallbackErrorKind::MissingField, Some("content[1].status.name"), "no readable `content[1].status.name`"),
        (2, CallbackErrorKind::NotAnObject, None, "not a JSON object"),
        (3, CallbackErrorKind::MissingField, Some("content[3].trackingId"), "no readable `content[3].trackingId`"),
    ] {
        let error = results[at].as_ref().unwrap_err();
        assert_eq!((error.kind(), error.path(), error.to_string().as_str()), (kind, path, message));
    }
    assert_eq!(page.content, content.as_array().unwrap().clone());
}

#[test]
fn a_page_of_flows_is_read_flow_by_flow() {
    let flow = fixture("failover");
    let page = read::<TrackingPage>(&json!({"content": [flow, {"trackingId": "2"}], "number": 0, "new": 1}));
    let flows: Vec<_> = page.flows().collect();
    assert_eq!(flows[0].as_ref(), Ok(&read::<FailoverCallback>(&flow)));
    assert_eq!(flows[1].as_ref().unwrap_err().to_string(), "no readable `content[1].status`");
    assert_eq!((page.reported(), page.kept()), (vec!["`new` is not a known field".to_owned()], json!({"new": 1})));
}

#[test]
fn a_page_whose_content_is_no_list_says_so() {
    let page = read::<TrackingPage>(&json!({"content": {"0": {}}, "number": 0}));
    assert_eq!(page.reported(), ["`content` has a value that could not be read"]);
    assert_eq!((page.messages().count(), page.kept()), (0, json!({"content": {"0": {}}})));
}

#[test]
fn the_next_page_is_the_one_after_unless_this_is_the_last() {
    for (page, expected) in [
        (json!({"number": 0, "last": false}), Some(1)),
        (json!({"number": 0, "totalPages": 3, "last": false}), Some(1)),
        (json!({"number": 2, "totalPages": 3, "last": true}), None),
        (json!({"number": 1, "last": true}), None),
        (json!({"number": 0, "totalPages": 2}), Some(1)),
        (json!({"number": 1, "totalPages": 2}), None),
        (json!({"number": 1, "totalPages": 2, "totalElements": 100, "size": 2, "content": [1, 2]}), None),
        (json!({"number": 0, "totalElements": 3, "size": 2}), Some(1)),
        (json!({"number": 0, "totalElements": 2, "size": 2, "content": [1, 2]}), None),
        (json!({"number": 0, "totalElements": 3, "size": 0}), None),
        (json!({"number": 0, "totalElements": 3, "content": [1, 2]}), None),
        (json!({"number": u64::MAX - 1, "totalElements": 3, "size": 2}), None),
        (json!({"number": 4, "size": 2, "content": [1, 2]}), Some(5)),
        (json!({"number": 4, "size": 2, "content": [1]}), None),
        (json!({"number": 4, "size": 0, "content": []}), None),
        (json!({"number": 4, "content": [1]}), None),
        (json!({"last": false}), None),
        (json!({"number": u64::MAX, "last": false}), None),
        (json!({}), None),
    ] {
        assert_eq!(read::<TrackingPage>(&page).next_page(), expected, "{page}");
    }
}

fn callback(tracked: &Value) -> ViberCallback {
    let callback = ViberCallback::from(read::<TrackedMessage>(tracked));
    let written = written(&callback).to_string();
    assert_eq!(
        written.parse::<ViberCallback>().as_ref().map(ToString::to_string),
        Ok(callback.to_string()),
        "{written}"
    );
    callback
}

#[test]
fn a_tracked_message_becomes_the_callback_of_its_status() {
    let expected = json!({
        "trackingId": "0a047b46-a4dd-4ca8-b817-a6a134dd1234",
        "to": "+306912345678",
        "from": "Routeetest",
        "country": "Greece",
        "status": {
            "name": "DELIVERED",
            "reason": {"detailedStatus": "Delivered", "description": "The message was delivered to its recipient."},
            "updatedDate": "2019-07-05T10:28:49Z",
        },
        "body": {
            "text": "Spring offers are here",
            "imageURL": "https://example.com/image.png",
            "viberAction": {"caption": "Shop now", "targetUrl": "https://example.com/spring"},
            "viberFile": {"fileName": "terms.pdf", "fileType": "pdf", "fileUrl": "https://example.com/terms.pdf"},
            "viberVideo": {
                "videoURL": "https://example.com/v.mp4", "videoThumbnail": "https://example.com/v.png",
                "fileSize": 12.0, "duration": 30.0,
            },
        },
        "ttl": 3600,
        "applicationName": "shop",
        "price": 0.035,
        "direction": "Outbound",
        "originatingService": "Viber",
        "tracked": {"sessionMessage": false, "expireOnDelivery": true},
    });
    let tracked = callback(&fixture("tracking-single"));
    assert_eq!(written(&tracked), expected);
    assert_eq!(read::<ViberCallback>(&expected), tracked);

    let delivered = json!({"trackingId": tracked.tracking_id, "status": expected["status"], "label": "spring"});
    let delivered = read::<ViberCallback>(&delivered);
    assert_eq!(tracked.idempotency_key(), delivered.idempotency_key());
    assert_eq!(tracked.status.progress_from(&delivered.status), Progress::Duplicate);
    assert_eq!(delivered.status.progress_from(&tracked.status), Progress::Duplicate);
}

#[test]
fn what_a_callback_has_no_field_for_goes_to_its_extra_under_one_key() {
    let callback = callback(&json!({
        "trackingId": "1", "status": "SEEN", "campaignName": "spring", "sessionId": "s-1", "isSessionMessage": "true",
        "ttl": 10, "new": [1], "tracked": {"a": null},
    }));
    let tracked = json!({
        "campaign": "spring", "sessionId": "s-1", "sessionMessage": true, "new": [1], "tracked": {"a": null},
    });
    // An unreadable TTL stays one, or the message would seem to have none.
    assert_eq!((json!(callback.extra), callback.body), (json!({"ttl": 10, "tracked": tracked}), None));
}

#[test]
fn what_a_callback_has_a_field_for_becomes_that_field_in_whatever_spelling() {
    let callback = callback(&json!({
        "trackingId": "1", "status": "QUEUED", "INBOUNDURL": "https://a.test", "CREATEDAT": "2019-07-05T10:28:49Z",
        "Body": {"text": "Hi"}, "LABEL": "lost", "label": "read",
    }));
    assert_eq!(
        written(&callback),
        json!({
            "trackingId": "1", "status": {"name": "QUEUED"}, "inboundUrl": "https://a.test",
            "createdAt": "2019-07-05T10:28:49Z", "body": {"text": "Hi"}, "label": "read", "LABEL": "lost",
        })
    );
    let expires_at = "2019-07-19T10:28:49Z".parse().unwrap();
    assert_eq!(callback.expires_at(), Some(expires_at));
}

#[test]
fn an_entry_that_would_be_hidden_or_make_it_another_kind_is_kept_under_that_key() {
    for entries in [
        json!({"body": {"text": "other"}}),
        json!({"messages": [{}]}),
        json!({"MESSAGES": [0, {}]}),
        json!({"recipient": "1", "applicationId": "2", "updatedAt": "3"}),
        json!({"steps": [1], "flowId": "2"}),
        json!({"campaignStatus": "1", "messageStatuses": {"a": 1}}),
    ] {
        let mut tracked = map(json!({"trackingId": "1", "status": "SEEN", "message": "Hi"}));
        tracked.extend(map(entries.clone()));
        let callback = callback(&tracked.into());
        assert_eq!(callback.body.as_ref().and_then(|body| body.text.as_deref()), Some("Hi"));
        assert_eq!(json!(callback.extra), json!({"tracked": entries}));
    }
    let status = json!({"name": "SEEN", "dateTime": 1, "DATETIME": 2, "final": true, "date": "soon"});
    let callback = callback(&json!({"trackingId": "1", "status": status}));
    assert_eq!(json!(callback.extra), json!({"tracked": {"status": {"dateTime": 1, "DATETIME": 2}}}));
    assert_eq!(callback.idempotency_key(), r#"["1","SEEN","soon"]"#);
}

/// Every value inside a value that holds no other.
fn leaves(value: &Value) -> Vec<Value> {
    match value {
        Value::Object(object) if !object.is_empty() => object.values().flat_map(leaves).collect(),
        Value::Array(items) if !items.is_empty() => items.iter().flat_map(leaves).collect(),
        leaf => vec![leaf.clone()],
    }
}

/// Some fields of a callback and of a tracked message, readable or not, with what is known and what is not.
fn tracked() -> impl Strategy<Value = Value> {
    let mut entries: Vec<_> = map(filled(&TRACKED)).into_iter().chain(map(filled(&CALLBACK))).collect();
    entries.retain(|(key, _)| key != "trackingId");
    entries.extend(
        ["messages", "recipient", "applicationId", "steps", "flowId", "campaignStatus", "messageStatuses"]
            .map(|key| (key.to_owned(), json!([{"a": "1"}]))),
    );
    entries.extend(
        ["TO", "Label", "LABEL", "BODY", "tracked.body", "Campaign", "campaignName", "new"]
            .map(|key| (key.to_owned(), json!("x"))),
    );
    entries.push(("CREATEDAT".to_owned(), json!("2019-07-05T10:28:49Z")));
    entries.push(("Body".to_owned(), json!({"text": "y"})));
    entries.push(("status".to_owned(), json!({"name": "SEEN", "dateTime": 1, "final": true, "x": "y"})));
    let unreadable = select(vec![json!([[1], {"b": 2}]), json!({"c": [3.5]})]);
    let entry = (select(entries), proptest::option::weighted(0.3, unreadable))
        .prop_map(|((key, value), unreadable)| (key, unreadable.unwrap_or(value)));
    proptest::collection::vec(entry, 0..12).prop_map(|entries| {
        let mut tracked = map(json!({"trackingId": "1", "status": {"name": "SEEN"}}));
        tracked.extend(entries);
        tracked.into()
    })
}

proptest! {
    #![proptest_config(config())]

    /// Nothing is lost: what is written of the callback has every value, and is read as a callback.
    #[test]
    fn no_value_is_lost_on_the_way(tracked in tracked()) {
        if oracle::missing(&TRACKED, tracked.as_object().unwrap()).is_some() {
            return Ok(());
        }
        let message = read::<TrackedMessage>(&tracked);
        let callback = ViberCallback::from(message.clone());
        let json = written(&callback);
        let mut sent = leaves(&written(&message));
        for leaf in leaves(&json) {
            let at = sent.iter().position(|sent| *sent == leaf);
            prop_assert!(at.is_some(), "{leaf} of {json} was not in {tracked}");
            sent.swap_remove(at.unwrap());
        }
        prop_assert!(sent.is_empty(), "{sent:?} of {tracked} is lost in {json}");
        let again = json.to_string().parse::<ViberCallback>();
        prop_assert_eq!(again.as_ref(), Ok(&callback), "{}", json);
    }
}
