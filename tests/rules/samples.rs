//! The bodies that come with the crate.

use crate::common::fields::{CALLBACK, INBOUND, PAGE};
use crate::common::{Payload, read};
use routee_viber::{FailoverCallback, InboundMessage, Incoming, TrackedMessage, TrackingPage, ViberCallback, samples};
use serde_json::Value;

/// Reads a sample without anomalies.
fn check<P: Payload>(sample: &str) -> P {
    let body: Value = serde_json::from_str(sample).unwrap();
    let payload = read::<P>(&body);
    assert_eq!((payload.kept(), payload.reported()), (serde_json::json!({}), vec![]));
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
    let expected = [samples::STATUS, samples::INBOUND, samples::FAILOVER, samples::TRACKED, samples::TRACKING_PAGE];
    assert_eq!(bodies, expected);
    let mut names: Vec<_> = samples::ALL.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), expected.len());
}
