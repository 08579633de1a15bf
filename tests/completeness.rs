//! The table of all fields lacks nothing, so that a field that is added without a row fails here.

use std::fmt::Debug;

use crate::common::fields::{self, Field, Kind, Model};
use crate::common::{ROOTS, filled, objects, sample, written};
use routee_viber::{
    Body, Channel, DetailedStatus, Direction, FailoverCallback, FailoverStatus, FailoverStep, InboundMessage,
    OriginatingService, Reason, Status, StatusName, TrackedMessage, TrackingPage, ViberAction, ViberCallback,
    ViberFile, ViberVideo,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads an object with every field of the table, and compares the fields of the struct with it.
fn check<T: Debug + PartialEq + Serialize + DeserializeOwned>(model: &Model) {
    let sent = filled(model);
    let read: T = serde_json::from_value(sent.clone()).unwrap();
    assert_eq!(written(&read), sent, "{}", model.name);

    let debug = format!("{read:#?}");
    assert_eq!(debug.lines().next(), Some(format!("{} {{", model.name).as_str()));
    let own = debug
        .lines()
        .filter_map(|line| line.strip_prefix("    ").filter(|line| !line.starts_with([' ', '}', ')', ']'])));
    let mut names: Vec<_> = own.map(|line| line.split_once(':').unwrap().0).collect();
    names.sort_unstable();
    let mut expected: Vec<_> = model.fields.iter().map(|field| field.rust).chain(["extra"]).collect();
    expected.sort_unstable();
    assert_eq!(names, expected, "{}", model.name);
    // A field that its sample does not reach would still be empty.
    let is_empty = |line: &&str| line.starts_with("    ") && !line.starts_with("     ") && line.ends_with(": None,");
    assert_eq!(debug.lines().find(is_empty), None, "{}", model.name);
}

#[test]
fn the_table_has_every_field_of_every_model() {
    check::<ViberCallback>(&fields::CALLBACK);
    check::<Status>(&fields::STATUS);
    check::<Reason>(&fields::REASON);
    check::<Body>(&fields::BODY);
    check::<ViberAction>(&fields::ACTION);
    check::<ViberFile>(&fields::FILE);
    check::<ViberVideo>(&fields::VIDEO);
    check::<InboundMessage>(&fields::INBOUND);
    check::<FailoverCallback>(&fields::FAILOVER);
    check::<FailoverStep>(&fields::STEP);
    check::<TrackedMessage>(&fields::TRACKED);
    check::<TrackingPage>(&fields::PAGE);
    let mut models: Vec<_> = ROOTS.iter().flat_map(|root| objects(root.model)).map(|(_, model)| model.name).collect();
    models.sort_unstable();
    models.dedup();
    assert_eq!(models.len(), 12, "{models:?}");
}

#[test]
fn the_table_has_every_known_name() {
    fn check<T: AsRef<str>>(known: &[T], names: &[&str]) {
        assert_eq!(known.iter().map(AsRef::as_ref).collect::<Vec<_>>(), names);
    }
    check(StatusName::KNOWN, fields::STATUS_NAMES);
    check(DetailedStatus::KNOWN, fields::DETAILED_STATUSES);
    check(Direction::KNOWN, fields::DIRECTIONS);
    check(OriginatingService::KNOWN, fields::ORIGINATING_SERVICES);
    check(Channel::KNOWN, fields::CHANNELS);
    check(FailoverStatus::KNOWN, fields::FAILOVER_STATUSES);
}

/// Every key is its own, or one field would hide another.
#[test]
fn no_key_is_read_for_two_fields() {
    for (_, model) in ROOTS.iter().flat_map(|root| objects(root.model)) {
        let spellings = |field: &'static Field| [field.key].into_iter().chain(field.others.iter().copied());
        for key in model.fields.iter().flat_map(spellings) {
            let owners = model.fields.iter().filter(|field| field.has_key(key)).count();
            assert_eq!(owners, 1, "{key} of {}", model.name);
        }
    }
}

/// A sample that is read as nothing would prove nothing.
#[test]
fn every_kind_has_a_sample() {
    for (_, model) in ROOTS.iter().flat_map(|root| objects(root.model)) {
        for field in model.fields {
            let sample = sample(field);
            let is_nothing = matches!(&sample, Value::Null) || sample == "" || sample == Value::Array(Vec::new());
            assert!(!is_nothing, "{} of {}", field.key, model.name);
            assert!(field.model().is_none() || matches!(field.kind, Kind::Object(..) | Kind::Objects(_)));
        }
    }
}
