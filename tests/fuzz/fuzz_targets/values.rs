//! One text as the value of every kind of field, and as a TTL that stands alone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use routee_viber::Ttl;
use routee_viber_fuzz::check;
use serde_json::json;

fuzz_target!(|text: &str| {
    let status = json!({"name": text, "updatedDate": text, "reason": text});
    let video = json!({"videoURL": text, "fileSize": text, "duration": text});
    let body = json!({
        "trackingId": "1",
        "status": status,
        "body": {"viberVideo": video},
        "ttl": text,
        "groups": text,
        "price": text,
        "direction": text,
        "createdAt": text,
    });
    check(body.to_string().as_bytes());
    // The same text where a number belongs, if it is one.
    check(
        format!(
            r#"{{"trackingId":1,"status":"SEEN","ttl":{text},"createdAt":{text},"price":{text}}}"#
        )
        .as_bytes(),
    );

    if let Ok(ttl) = text.parse::<Ttl>() {
        assert_eq!(ttl.to_string().parse(), Ok(ttl));
        let canonical = json!(ttl.to_string());
        assert_eq!(serde_json::from_value::<Ttl>(canonical).ok(), Some(ttl));
        assert!(matches!(ttl.as_secs(), 30..=86_400 | 1_209_600));
    }
});
