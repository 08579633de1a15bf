//! The bodies that come with the crate.

use crate::common::fields::{CALLBACK, INBOUND, PAGE};
use crate::common::{Payload, read};
use routee_viber::{FailoverCallback, InboundMessage, Incoming, TrackedMessage, TrackingPage, ViberCallback, samples};
use serde_json::{Value, json};

/// Reads a sample without anomalies.
fn check<P: Payload>(sample: &str) -> P {
    let body: Value = serde_json::from_str(sample).unwrap();
    let payload = read::<P>(&body);
    assert_eq!((payload.kept(), payload.reported()), (json!({}), vec![]));
    payload
}

#[test]
fn every_sample_is_read_without_anomalies() {
    let callback = check::<ViberCallback>(samples::STATUS);
    let message = check::<InboundMessage>(samples::INBOUND);
    let flow = check::<FailoverCallback>(samples::FAILOVER);
    check::<TrackedMessage>(samples::TRACKED);
    let page = check::<TrackingPage>(samples::TRACKING_PAGE);
    for message in page.messages() {
        assert_eq!(message.unwrap().anomalies(), []);
    }
    assert!(page.messages().count() > 0);
    let tracked = check::<FailoverCallback>(samples::TRACKED_FLOW);
    assert_eq!((tracked.idempotency_key(), tracked.rank()), (flow.idempotency_key(), flow.rank()));
    let page = check::<TrackingPage>(samples::FLOW_TRACKING_PAGE);
    let flows: Vec<_> = page.flows().map(Result::unwrap).collect();
    assert_eq!((&flows[0], flows.len()), (&tracked, 2));
    assert_eq!(flows[1].anomalies(), []);
    assert_eq!(json!(flows[1].overdue_at()), json!("2019-07-07T02:42:30.250Z"));
    assert_eq!(samples::STATUS.parse(), Ok(Incoming::Status(callback)));
    assert_eq!(samples::INBOUND.parse(), Ok(Incoming::Inbound(message)));
    assert_eq!(samples::FAILOVER.parse(), Ok(Incoming::Failover(flow)));
}

/// Complete: a user's test meets every field that there is.
#[test]
fn the_samples_have_every_field_of_the_page() {
    for (sample, model) in [(samples::STATUS, &CALLBACK), (samples::INBOUND, &INBOUND), (samples::TRACKING_PAGE, &PAGE)]
    {
        let body: Value = serde_json::from_str(sample).unwrap();
        for field in model.fields {
            assert!(body.get(field.key).is_some(), "{} of {}", field.key, model.name);
        }
    }
}

#[test]
fn all_samples_are_in_all() {
    let bodies: Vec<_> = samples::ALL.iter().map(|(_, body)| *body).collect();
    let expected = [
        samples::STATUS,
        samples::INBOUND,
        samples::FAILOVER,
        samples::TRACKED,
        samples::TRACKING_PAGE,
        samples::TRACKED_FLOW,
        samples::FLOW_TRACKING_PAGE,
    ];
    assert_eq!(bodies, expected);
    let mut names: Vec<_> = samples::ALL.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), expected.len());
}
