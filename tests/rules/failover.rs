//! One flow of several steps, in both versions of its page.

use crate::common::{Payload, fixture, read, written};
use routee_viber::{
    Body, Channel, DetailedStatus, FailoverCallback, FailoverStatus, FailoverStep, OriginatingService, Status,
    StatusName,
};
use serde_json::{Value, json};

fn date(text: &str) -> Option<chrono::DateTime<chrono::Utc>> {
    Some(text.parse().unwrap())
}

fn texts<const N: usize>(texts: [&str; N]) -> [Option<String>; N] {
    texts.map(|text| Some(text.to_owned()))
}

#[test]
fn the_newer_version_of_the_page_is_read_whole() {
    let flow = read::<FailoverCallback>(&fixture("failover"));
    assert_eq!(flow.tracking_id, "30830fad-21ed-49b0-89d0-bbada2fd5640");
    assert_eq!((&flow.status, &flow.termination_channel), (&FailoverStatus::Succeeded, &Some(Channel::Sms)));
    assert_eq!((&flow.status_code, flow.total_price), (&None, Some(0.036)));
    assert_eq!(flow.originating_service, Some(OriginatingService::Failover));
    assert_eq!(flow.application_id.as_deref(), Some("5b223c27e4b04b9cdaa71234"));
    assert_eq!(flow.created_at, date("2019-07-05T10:28:44.44Z"));
    assert_eq!(flow.updated_at, date("2019-07-05T10:28:49.634Z"));
    assert_eq!((flow.flow_kind.as_ref(), flow.messages.len()), (None, 2));

    let viber = &flow.messages[0];
    assert_eq!((&viber.channel, viber.order, viber.ttl_minutes), (&Some(Channel::Viber), Some(1), Some(10.0)));
    assert_eq!((viber.expire_on_delivery, viber.expired_on_delivery_at), (Some(false), None));
    assert_eq!(viber.failover_on_statuses, [StatusName::Expired, StatusName::Failed, StatusName::Undelivered]);
    let status = viber.status.as_ref().unwrap();
    assert_eq!((&status.name, status.detailed_status()), (&StatusName::Delivered, Some(&DetailedStatus::Delivered)));
    let body = viber.body.as_ref().unwrap();
    assert_eq!(body.image_url.as_deref(), Some("https://example.com/image.png"));
    assert_eq!(body.viber_action.as_ref().unwrap().caption.as_deref(), Some("Go"));
    assert_eq!(viber.inbound_url.as_deref(), Some("https://example.com/inbound"));

    let sms = &flow.messages[1];
    assert_eq!((&sms.channel, sms.part, sms.parts, sms.seq), (&Some(Channel::Sms), Some(1), Some(1), None));
    assert_eq!((sms.latency, sms.price, sms.ttl_minutes), (Some(4.0), Some(0.036), Some(15.0)));
    let ids = texts(["82a91dc3-e842-41eb-86e5-07d55eb51234", "1274d238-38b7-4c56-b49a-9b70d25c1234", "Vodafone"]);
    assert_eq!([&sms.message_id, &sms.sms_id, &sms.operator], [&ids[0], &ids[1], &ids[2]]);
    let mut text = Body::default();
    text.text = Some("Hello from failover".to_owned());
    assert_eq!(sms.body, Some(text));
    assert_eq!((flow.kept(), flow.reported()), (json!({}), vec![]));
}

#[test]
fn the_older_version_of_the_page_is_read_whole() {
    let flow = read::<FailoverCallback>(&fixture("failover-older"));
    assert_eq!(
        (&flow.status, &flow.termination_channel, &flow.status_code),
        (&FailoverStatus::InProgress, &None, &None)
    );
    let text = flow.messages[1].body.as_ref().and_then(|body| body.text.as_deref());
    assert_eq!(text, Some("Hello from failover"));
    let kept = json!({
        "messages[0].status.expireOnDelivery": true,
        "messages[0].status.expiredOnDeliveryAt": "2019-07-05T10:38:44.996Z",
    });
    assert_eq!(flow.kept(), kept);
    let mut sms = fixture("failover-older")["messages"][1].clone();
    sms["ttl"] = json!(15.0);
    sms["status"]["name"] = json!("QUEUED");
    sms["body"] = json!({"text": sms.as_object_mut().unwrap().remove("message").unwrap()});
    assert_eq!(written(&flow)["messages"][1], sms);
}

#[test]
fn a_step_of_a_transactional_flow_is_read_whole() {
    let step = json!({
        "type": "Viber", "seq": 1, "templateId": "t-1", "templateLang": "el", "deliveryScope": "PRIMARY_DEVICE",
        "templateParams": {"pin": "1234"}, "ttl": 0.5,
    });
    let body = json!({"trackingId": "1", "status": "Queued", "flowKind": "transactional", "messages": [step]});
    let flow = read::<FailoverCallback>(&body);
    let found = &flow.messages[0];
    let [id, lang, scope] = texts(["t-1", "el", "PRIMARY_DEVICE"]);
    assert_eq!((&found.template_id, &found.template_lang, &found.delivery_scope), (&id, &lang, &scope));
    assert_eq!((found.seq, found.ttl_minutes), (Some(1), Some(0.5)));
    assert_eq!(flow.kept(), json!({"messages[0].templateParams": {"pin": "1234"}}));
    assert_eq!(written(&flow), body);
}

#[test]
fn the_text_of_an_sms_is_the_text_of_a_body() {
    for (step, body, kept) in [
        (json!({"body": "Hi"}), json!({"text": "Hi"}), json!({})),
        (json!({"message": "Hi"}), json!({"text": "Hi"}), json!({})),
        (json!({"MESSAGE": {"text": "Hi"}}), json!({"text": "Hi"}), json!({})),
        (json!({"body": "", "message": "Hi"}), json!({"text": "Hi"}), json!({})),
        (json!({"body": "Hi", "message": "Ho"}), json!({"text": "Hi"}), json!({"message": "Ho"})),
        (json!({"body": 5, "message": "Ho"}), json!(null), json!({"body": 5, "message": "Ho"})),
        (json!({"message": 5}), json!(null), json!({"message": 5})),
    ] {
        let flow = read::<FailoverCallback>(&json!({"trackingId": "1", "status": "Queued", "messages": [step]}));
        assert_eq!((json!(flow.messages[0].body), json!(flow.messages[0].extra)), (body, kept), "{step}");
    }
}

/// One item that is no object sends the whole list to `extra`, value for value as it came.
#[test]
fn a_list_with_something_else_in_it_is_kept_as_it_came() {
    let messages = json!([{"order": "1", "TO": 5, "status": "seen", "ttl": null}, 7]);
    let flow = read::<FailoverCallback>(&json!({"trackingId": "1", "status": "Queued", "messages": messages}));
    assert_eq!((flow.messages.len(), flow.kept()), (0, json!({"messages": messages})));
}

#[test]
fn the_delivered_step_is_the_last_by_order_that_succeeded() {
    let step =
        |order: Value, status: &str| json!({"order": order, "status": status, "label": format!("{order} {status}")});
    for (steps, expected) in [
        (vec![], None),
        (vec![step(json!(1), "EXPIRED")], None),
        (vec![step(json!(1), "EXPIRED"), step(json!(2), "DELIVERED")], Some("2 DELIVERED")),
        (vec![step(json!(2), "DELIVERED"), step(json!(1), "SEEN")], Some("2 DELIVERED")),
        (vec![step(json!(1), "SEEN"), step(json!(2), "DELIVERED"), step(json!(3), "FAILED")], Some("2 DELIVERED")),
        (vec![step(json!(1), "Sent"), json!({"order": 2})], None),
    ] {
        let flow = read::<FailoverCallback>(&json!({"trackingId": "1", "status": "Failed", "messages": steps}));
        let label = flow.delivered_step().and_then(|step| step.label.as_deref());
        assert_eq!(label, expected, "{steps:?}");
    }
}

#[test]
fn a_flow_can_be_made_by_hand() {
    let mut flow = FailoverCallback::new("1", FailoverStatus::Failed);
    let mut step = FailoverStep::default();
    step.channel = Some(Channel::Viber);
    step.status = Some(Status::new(StatusName::Expired));
    step.failover_on_statuses = vec![StatusName::Expired, "Blocked".into()];
    step.body = Some(Body::default());
    flow.messages.push(step);
    let json = json!({
        "trackingId": "1",
        "status": "Failed",
        "messages": [{
            "type": "Viber", "status": {"name": "EXPIRED"}, "failoverOnStatuses": ["EXPIRED", "Blocked"], "body": {},
        }],
        "originatingService": "Failover",
    });
    assert_eq!(written(&flow), json);
    assert_eq!(read::<FailoverCallback>(&json), flow);
}
