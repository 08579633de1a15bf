//! The tests know every field: their one table of all fields has those of the models, in their order.

#[path = "../../tests/rules/common/fields.rs"]
mod fields;

use crate::body::{Body, ViberAction, ViberFile, ViberVideo};
use crate::callback::ViberCallback;
use crate::failover::{FailoverCallback, FailoverStep};
use crate::inbound::InboundMessage;
use crate::lenient::model::Model;
use crate::status::{Reason, Status};
use crate::tracking::{TrackedMessage, TrackingPage};

/// The documented keys of a model, and which of them are required.
type Fields = Vec<(&'static str, bool)>;

fn fields_of<T: Model>() -> Fields {
    T::NAMES.iter().enumerate().map(|(index, name)| (*name, T::REQUIRED.contains(&index))).collect()
}

#[test]
fn the_table_of_the_tests_has_every_field() {
    let models: [(&fields::Model, Fields); 12] = [
        (&fields::CALLBACK, fields_of::<ViberCallback>()),
        (&fields::STATUS, fields_of::<Status>()),
        (&fields::REASON, fields_of::<Reason>()),
        (&fields::BODY, fields_of::<Body>()),
        (&fields::ACTION, fields_of::<ViberAction>()),
        (&fields::FILE, fields_of::<ViberFile>()),
        (&fields::VIDEO, fields_of::<ViberVideo>()),
        (&fields::INBOUND, fields_of::<InboundMessage>()),
        (&fields::FAILOVER, fields_of::<FailoverCallback>()),
        (&fields::STEP, fields_of::<FailoverStep>()),
        (&fields::TRACKED, fields_of::<TrackedMessage>()),
        (&fields::PAGE, fields_of::<TrackingPage>()),
    ];
    for (table, of_model) in &models {
        let of_table: Fields = table.fields.iter().map(|field| (field.key, field.required)).collect();
        assert_eq!(&of_table, of_model, "{}", table.name);
        for inner in table.fields.iter().filter_map(fields::Field::model) {
            assert!(models.iter().any(|(table, _)| table.name == inner.name), "{} is not compared", inner.name);
        }
    }
}
