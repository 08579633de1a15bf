//! What fails and what it says, and that nothing else does, however hostile.

mod common;

use common::{extras, try_read, what};
use routee_viber::ViberCallback;
use serde_json::{Value, json};

const FULL: &str = include_str!("fixtures/documented-shape.json");

fn from_slice(bytes: &[u8]) -> Result<ViberCallback, String> {
    ViberCallback::from_slice(bytes).map_err(|error| error.to_string())
}

#[test]
fn what_is_not_one_json_object() {
    for (body, message) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        (" \n ", "EOF while parsing a value at line 2 column 1"),
        ("hello", "expected value at line 1 column 1"),
        ("trackingId=1&status=SEEN", "expected ident at line 1 column 3"),
        ("null", "not a JSON object"),
        ("true", "not a JSON object"),
        ("5", "not a JSON object"),
        ("-5", "not a JSON object"),
        ("1.5", "not a JSON object"),
        ("\"+306912345678\"", "not a JSON object"),
        ("\"\"", "not a JSON object"),
        ("[]", "not a JSON object"),
        (r#"[{"trackingId": "1", "status": "SEEN"}]"#, "not a JSON object"),
        ("{", "EOF while parsing an object at line 1 column 1"),
        (r#"{"trackingId": "1", "status": "SEEN"}{}"#, "trailing characters at line 1 column 38"),
        (r#"{"trackingId": "1", "status": "SEEN"} x"#, "trailing characters at line 1 column 39"),
        (r#"{"trackingId": "1", "status": "SEEN",}"#, "trailing comma at line 1 column 38"),
        ("{'trackingId': '1'}", "key must be a string at line 1 column 2"),
        (
            "{\"trackingId\": \"a\nb\"}",
            "control character (\\u0000-\\u001F) found while parsing a string at line 2 column 0",
        ),
        (r#"{"trackingId": "\x"}"#, "invalid escape at line 1 column 18"),
        (r#"{"trackingId": 01}"#, "invalid number at line 1 column 17"),
        (r#"{"price": NaN}"#, "expected value at line 1 column 11"),
    ] {
        assert_eq!(from_slice(body.as_bytes()), Err(message.to_owned()), "{body}");
        assert_eq!(what(&try_read(body).unwrap_err()), what(message), "{body}");
    }
}

#[test]
fn what_has_no_readable_tracking_id_or_status_name() {
    for (body, path) in [
        ("{}", "trackingId"),
        (r#"{"status": "SEEN"}"#, "trackingId"),
        (r#"{"trackingId": null, "status": "SEEN"}"#, "trackingId"),
        (r#"{"trackingId": {"id": "1"}, "status": "SEEN"}"#, "trackingId"),
        (r#"{"trackingId": [], "TrackingId": "1", "status": "SEEN"}"#, "trackingId"),
        (r#"{"trackingId": "1"}"#, "status.name"),
        (r#"{"trackingId": "1", "status": {"name": {}}}"#, "status.name"),
        (r#"{"trackingId": "1", "status": {"name": [], "status": "SEEN"}}"#, "status.name"),
        (r#"{"trackingId": "1", "status": {"updatedDate": "2019-07-05T10:28:49Z"}}"#, "status.name"),
        (r#"{"trackingId": "1", "status": [], "STATUS": "SEEN"}"#, "status.name"),
    ] {
        assert_eq!(try_read(body), Err(format!("no readable `{path}`")), "{body}");
    }
}

#[test]
fn a_body_cut_at_any_byte_is_an_error_with_its_place() {
    for end in 0..FULL.trim_end().len() {
        let cut = &FULL.as_bytes()[..end];
        let message = from_slice(cut).unwrap_err();
        let line = 1 + cut.iter().filter(|byte| **byte == b'\n').count();
        assert!(message.starts_with("EOF while parsing "), "{message}");
        assert!(message.contains(&format!(" at line {line} column ")), "{message} in {end} bytes");
    }
}

#[test]
fn an_error_repeats_no_value_of_the_body() {
    let secret = "+306900000000";
    for body in [
        format!("\"{secret}\""),
        format!(r#"["{secret}"]"#),
        format!(r#"{{"trackingId": ["{secret}"]}}"#),
        format!(r#"{{"to": "{secret}", "to": "{secret}"}}"#),
        format!(r#"{{"to": "{secret}", "body": {{"text": "{secret}" "#),
        format!(r#"{{"to": {secret}}}"#),
        format!(r#"{{"trackingId": "1", "status": {{"name": {{"x": "{secret}"}}}}}}"#),
    ] {
        let error = ViberCallback::from_slice(body.as_bytes()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("69"), "{error:?}");
    }
}

#[test]
fn from_slice_skips_a_byte_order_mark() {
    let body = [b"\xef\xbb\xbf", FULL.as_bytes()].concat();
    assert_eq!(from_slice(&body), from_slice(FULL.as_bytes()));
    assert!(serde_json::from_slice::<ViberCallback>(&body).is_err());
    let twice = [b"\xef\xbb\xbf".as_slice(), &body].concat();
    assert_eq!(from_slice(&twice), Err("expected value at line 1 column 1".to_owned()));
}

#[test]
fn from_slice_reads_broken_text_as_replacement_characters() {
    for (text, expected) in [
        (&b"caf\xe9"[..], "caf\u{fffd}"),
        (b"\xf0\x9f\x90", "\u{fffd}"),
        (b"\xed\xa0\xbd!", "\u{fffd}\u{fffd}\u{fffd}!"),
        (b"a\\ud83d", "a\u{fffd}"),
        (b"\\udc23b", "\u{fffd}b"),
        (b"\\ud83d\\ud83d\\udc23", "\u{fffd}🐣"),
        (b"\\udc23\\ud83d", "\u{fffd}\u{fffd}"),
        (b"\\ud83d\\n", "\u{fffd}\n"),
        (b"\\ud83d\\u0041", "\u{fffd}A"),
        (b"\\uD83D\\uDC23\\uD83D", "🐣\u{fffd}"),
        (b"\\\\ud83d \\ud83d", "\\ud83d \u{fffd}"),
        (b"\\\\\\ud83d", "\\\u{fffd}"),
        (b"caf\xe9 \\ud83d", "caf\u{fffd} \u{fffd}"),
    ] {
        let body =
            [br#"{"trackingId": "1", "status": "SEEN", "label": ""#, text, br#"", "x": ["#, b"\"", text, b"\"]}"]
                .concat();
        let callback = from_slice(&body).unwrap();
        assert_eq!(callback.label.as_deref(), Some(expected));
        assert_eq!(callback.extra["x"], json!([expected]));
        assert!(serde_json::from_slice::<ViberCallback>(&body).is_err());
    }
}

#[test]
fn from_slice_says_where_it_breaks_in_a_body_with_broken_text() {
    for (body, message) in [
        (&b"{\"a\": \"\\ud83d\",}"[..], "trailing comma at line 1 column 16"),
        (b"{\"a\": \"\\ud83d\\x\"}", "invalid escape at line 1 column 15"),
        (b"{\"a\": \"\\ud83\"}", "invalid escape at line 1 column 13"),
        (b"{\"a\": \"\xff\",}", "trailing comma at line 1 column 13"),
        (b"\xff", "expected value at line 1 column 1"),
    ] {
        assert_eq!(from_slice(body), Err(message.to_owned()), "{body:?}");
    }
}

/// A body with one more entry, given as text.
fn with(entry: &str) -> String {
    format!(r#"{{"trackingId":"1","status":"SEEN",{entry}}}"#)
}

#[test]
fn hostile_sizes_are_read_whole() {
    let long = "x".repeat(10_000_000);
    let callback = from_slice(with(&format!(r#""body":{{"text":"{long}"}}"#)).as_bytes()).unwrap();
    assert_eq!(callback.body.unwrap().text.unwrap().len(), long.len());

    for key in ["ttl", "price", "createdAt", "body"] {
        let size = if key == "ttl" { 5_000_000 } else { 100_000 };
        for text in ["9".repeat(size), "x".repeat(size), format!("1{}", "0".repeat(size))] {
            let callback = from_slice(with(&format!(r#""{key}":"{text}""#)).as_bytes()).unwrap();
            assert_eq!(callback.extra[key].as_str().map(str::len), Some(text.len()));
        }
    }
    let unknown: Vec<_> = (0..100_000).map(|n| format!(r#""key{n}":{n}"#)).collect();
    let callback = from_slice(with(&unknown.join(",")).as_bytes()).unwrap();
    assert_eq!(callback.extra.len(), 100_000);
    assert_eq!(callback.extra["key99999"], json!(99_999));
    assert_eq!(callback.anomalies().len(), 100_000);

    let groups = vec![r#""g""#; 1_000_000].join(",");
    assert_eq!(from_slice(with(&format!(r#""groups":[{groups}]"#)).as_bytes()).unwrap().groups.len(), 1_000_000);
    let callback = from_slice(with(&format!(r#""groups":[{groups},null]"#)).as_bytes()).unwrap();
    assert_eq!(callback.extra["groups"].as_array().map(Vec::len), Some(1_000_001));

    let surrogates = r"\ud83d".repeat(1_000_000);
    let callback = from_slice(with(&format!(r#""label":"{surrogates}""#)).as_bytes()).unwrap();
    assert_eq!(callback.label, Some("\u{fffd}".repeat(1_000_000)));
}

#[test]
fn nesting_past_the_limit_of_serde_json_is_an_error() {
    let nested = |depth: usize| with(&format!(r#""x":{}0{}"#, "[".repeat(depth), "]".repeat(depth)));
    assert_eq!(from_slice(nested(126).as_bytes()).unwrap().extra["x"].to_string().len(), 2 * 126 + 1);
    for (depth, column) in [(127, 165), (100_000, 165)] {
        let message = format!("recursion limit exceeded at line 1 column {column}");
        assert_eq!(from_slice(nested(depth).as_bytes()), Err(message));
    }
    for open in [r#"{"body":"#, r#"{"status":"#, r#"{"x":"#, "[", r#"{"body":{"viberFile":"#] {
        let body = open.repeat(100_000);
        assert_eq!(what(&from_slice(body.as_bytes()).unwrap_err()), "recursion limit exceeded");
    }
}

#[test]
fn a_duplicate_key_of_any_length_is_named() {
    let key = "k".repeat(1_000_000);
    let error = from_slice(format!(r#"{{"{key}":1,"{key}":2}}"#).as_bytes()).unwrap_err();
    assert_eq!(what(&error), format!("`{key}` is given twice"));
}

#[test]
fn every_byte_may_be_any_other() {
    let body = br#"{"trackingId":"1","status":{"name":"SEEN"},"ttl":30}"#;
    let mut read = 0;
    for at in 0..body.len() {
        for byte in 0..=u8::MAX {
            let mut body = *body;
            body[at] = byte;
            if let Ok(callback) = from_slice(&body) {
                read += 1;
                let json = serde_json::to_vec(&callback).unwrap();
                assert_eq!(from_slice(&json), Ok(callback), "{}", String::from_utf8_lossy(&body));
            }
        }
    }
    assert!(read > 1_500, "{read}");
}

#[test]
fn a_wrong_type_is_kept_with_everything_in_it() {
    let value: Value = serde_json::from_str(FULL).unwrap();
    let body = json!({"trackingId": "1", "status": "SEEN", "to": value, "viberFile": value, "ttl": [value]});
    let callback = try_read(&body.to_string()).unwrap();
    assert_eq!(extras(&callback), json!({"": {"to": value, "viberFile": value, "ttl": [value]}}));
}
