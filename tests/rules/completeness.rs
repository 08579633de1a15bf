//! The table of all fields is right. That it lacks none, `src/lenient/tests.rs` proves.

use crate::common::fields::{self, Field, Kind};
use crate::common::{ROOTS, filled, objects, sample};
use routee_viber::{Channel, DetailedStatus, Direction, FailoverStatus, OriginatingService, StatusName};
use serde_json::{Value, json};

#[test]
fn every_field_of_the_table_is_read_and_written() {
    for root in &ROOTS {
        let sent = filled(root.model);
        let read = root.read(&sent).unwrap();
        assert_eq!(read.written, sent, "{}", root.model.name);
        assert_eq!(read.kept, json!({}), "{}", root.model.name);
    }
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
