//! One text as the value of every field, and as a TTL that stands alone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use routee_viber::Ttl;
use routee_viber_fuzz::check;
use routee_viber_fuzz::common::fields::{Kind, Model};
use routee_viber_fuzz::common::{ROOTS, sample};
use serde_json::{Value, json};

fuzz_target!(|text: &str| {
    for root in &ROOTS {
        check(with_everywhere(root.model, &json!(text)).to_string().as_bytes());
        // The same text unquoted: a number, if it is one.
        check(with_everywhere(root.model, &json!("?")).to_string().replace("\"?\"", text).as_bytes());
    }

    if let Ok(ttl) = text.parse::<Ttl>() {
        assert_eq!(ttl.to_string().parse(), Ok(ttl));
        let canonical = json!(ttl.to_string());
        assert_eq!(serde_json::from_value::<Ttl>(canonical).ok(), Some(ttl));
        assert!(matches!(ttl.as_secs(), 30..=86_400 | 1_209_600));
    }
});

/// An object with that value in all its fields and in those of its objects, except in what is required.
fn with_everywhere(model: &Model, value: &Value) -> Value {
    let fields = model.fields.iter().map(|field| {
        let value = match field.kind {
            Kind::Object(model, _) => with_everywhere(model, value),
            Kind::Objects(model) => json!([with_everywhere(model, value)]),
            _ if field.required => sample(field),
            _ => value.clone(),
        };
        (field.key.to_owned(), value)
    });
    fields.collect()
}
