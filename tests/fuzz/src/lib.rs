//! What holds for whatever comes: the promises of the crate, with the oracle of its property tests.

#[path = "../../oracle/mod.rs"]
pub mod oracle;

use routee_viber::ViberCallback;
use serde_json::Value;

/// Reads bytes by every way, and holds what comes of them to the promises.
pub fn check(bytes: &[u8]) {
    let read = ViberCallback::from_slice(bytes).map_err(|error| error.to_string());
    if let Ok(callback) = &read {
        check_callback(callback);
    }
    // Anything else is broken text, which `from_slice` alone mends, or no JSON.
    let Ok(sent) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let by_serde = serde_json::from_slice(bytes).map_err(|error| error.to_string());
    assert_eq!(read, by_serde, "the ways in differ");
    let missing = sent.as_object().map(oracle::missing);
    match (read, sent) {
        (Ok(callback), Value::Object(sent)) => {
            assert_eq!(missing, Some(None));
            oracle::assert_kept(&sent, &serde_json::to_value(callback).unwrap());
        }
        (Err(error), Value::Object(_)) => {
            let is_missing = missing
                .flatten()
                .is_some_and(|path| error == format!("no readable `{path}`"));
            assert!(
                is_missing || error.contains("` is given twice at "),
                "{error}"
            );
        }
        (read, _) => assert_eq!(read, Err("not a JSON object".to_owned())),
    }
}

fn check_callback(callback: &ViberCallback) {
    let json = serde_json::to_string(callback).unwrap();
    let again = ViberCallback::from_slice(json.as_bytes());
    assert_eq!(
        again.ok().as_ref(),
        Some(callback),
        "written and read again: {json}"
    );
    let line = callback.to_string();
    assert!(!line.chars().any(char::is_control), "{line}");
    let key: Value = serde_json::from_str(&callback.idempotency_key()).unwrap();
    assert_eq!(key.as_array().map(Vec::len), Some(3));
    let _ = (callback.anomalies(), callback.expires_at());
}
