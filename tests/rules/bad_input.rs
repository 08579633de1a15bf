//! What fails and what it says, and that nothing else does, however hostile.

use crate::common::{Payload, try_read, what};
use routee_viber::{
    CallbackError, CallbackErrorKind, FailoverCallback, InboundMessage, Incoming, TrackedMessage, TrackingPage,
    ViberCallback,
};
use serde_json::{Value, json};

const FULL: &str = include_str!("../fixtures/documented-shape.json");

fn from_slice(bytes: &[u8]) -> Result<ViberCallback, String> {
    ViberCallback::from_slice(bytes).map_err(|error| error.to_string())
}

/// The place that a message names, in which they all agree.
fn place(error: &CallbackError) -> Option<(usize, usize)> {
    error.line().zip(error.column())
}

fn check<P: Payload>(
    body: &str,
    kind: CallbackErrorKind,
    path: Option<&str>,
    place: Option<(usize, usize)>,
    message: &str,
) {
    let error = try_read::<P>(body).unwrap_err();
    assert_eq!(error.to_string(), message, "{body}");
    assert_eq!((error.kind(), error.path(), self::place(&error)), (kind, path, place), "{body}");
    assert_eq!(error.line().is_some(), error.column().is_some());
    let with_place =
        place.map_or(what(&error), |(line, column)| format!("{} at line {line} column {column}", what(&error)));
    assert_eq!(message, with_place);
}

#[test]
fn every_refusal_has_its_kind_path_and_place() {
    use CallbackErrorKind::{DuplicateKey, MissingField, NotAnObject, OtherKind, Syntax, Truncated};
    for (body, kind, path, place, message) in [
        ("", Truncated, None, Some((1, 0)), "EOF while parsing a value at line 1 column 0"),
        (" \n ", Truncated, None, Some((2, 1)), "EOF while parsing a value at line 2 column 1"),
        ("{", Truncated, None, Some((1, 1)), "EOF while parsing an object at line 1 column 1"),
        (
            r#"{"trackingId": "1", "status": {"name": "SE"#,
            Truncated,
            None,
            Some((1, 42)),
            "EOF while parsing a string at line 1 column 42",
        ),
        ("hello", Syntax, None, Some((1, 1)), "expected value at line 1 column 1"),
        ("trackingId=1&status=SEEN", Syntax, None, Some((1, 3)), "expected ident at line 1 column 3"),
        (
            r#"{"trackingId": "1", "status": "SEEN"}{}"#,
            Syntax,
            None,
            Some((1, 38)),
            "trailing characters at line 1 column 38",
        ),
        (
            r#"{"trackingId": "1", "status": "SEEN"} x"#,
            Syntax,
            None,
            Some((1, 39)),
            "trailing characters at line 1 column 39",
        ),
        (
            r#"{"trackingId": "1", "status": "SEEN",}"#,
            Syntax,
            None,
            Some((1, 38)),
            "trailing comma at line 1 column 38",
        ),
        ("{'trackingId': '1'}", Syntax, None, Some((1, 2)), "key must be a string at line 1 column 2"),
        (
            "{\"trackingId\": \"a\nb\"}",
            Syntax,
            None,
            Some((2, 0)),
            "control character (\\u0000-\\u001F) found while parsing a string at line 2 column 0",
        ),
        (r#"{"trackingId": "\x"}"#, Syntax, None, Some((1, 18)), "invalid escape at line 1 column 18"),
        (r#"{"trackingId": 01}"#, Syntax, None, Some((1, 17)), "invalid number at line 1 column 17"),
        (r#"{"price": NaN}"#, Syntax, None, Some((1, 11)), "expected value at line 1 column 11"),
        ("null", NotAnObject, None, None, "not a JSON object"),
        ("true", NotAnObject, None, None, "not a JSON object"),
        ("5", NotAnObject, None, None, "not a JSON object"),
        ("-5", NotAnObject, None, None, "not a JSON object"),
        ("1.5", NotAnObject, None, None, "not a JSON object"),
        ("\"+306912345678\"", NotAnObject, None, None, "not a JSON object"),
        ("\"\"", NotAnObject, None, None, "not a JSON object"),
        ("[]", NotAnObject, None, None, "not a JSON object"),
        (r#"[{"trackingId": "1", "status": "SEEN"}]"#, NotAnObject, None, None, "not a JSON object"),
        ("{}", MissingField, Some("trackingId"), None, "no readable `trackingId`"),
        (r#"{"status": "SEEN"}"#, MissingField, Some("trackingId"), None, "no readable `trackingId`"),
        (
            r#"{"trackingId": {"id": "1"}, "status": "SEEN"}"#,
            MissingField,
            Some("trackingId"),
            None,
            "no readable `trackingId`",
        ),
        (r#"{"trackingId": "1"}"#, MissingField, Some("status.name"), None, "no readable `status.name`"),
        (
            r#"{"trackingId": "1", "status": {"code": 1}}"#,
            MissingField,
            Some("status.name"),
            None,
            "no readable `status.name`",
        ),
        (r#"{"to": 1, "to": 2}"#, DuplicateKey, Some("to"), Some((1, 14)), "`to` is given twice at line 1 column 14"),
        (
            "{\"body\": {\n\"x\": 1, \"x\"",
            DuplicateKey,
            Some("body.x"),
            Some((2, 11)),
            "`body.x` is given twice at line 2 column 11",
        ),
        (r#"{"to": 1, "to": 2"#, DuplicateKey, Some("to"), Some((1, 14)), "`to` is given twice at line 1 column 14"),
        (r#"{"messages": [{}]}"#, MissingField, Some("trackingId"), None, "no readable `trackingId`"),
        (r#"{"messages": [{}], "status": "x"}"#, OtherKind, None, None, "a failover callback, not a Viber status"),
        (
            r#"{"trackingId": "1", "status": "x", "event": "y"}"#,
            OtherKind,
            None,
            None,
            "another kind of body, not a Viber status",
        ),
        (
            r#"{"recipient": "1", "applicationId": "2"}"#,
            OtherKind,
            None,
            None,
            "a two-step verification, not a Viber status",
        ),
        (r#"{"flowId": "1", "steps": []}"#, OtherKind, None, None, "a failover OTP callback, not a Viber status"),
        (
            r#"{"campaignStatus": "x", "messageStatuses": {}}"#,
            OtherKind,
            None,
            None,
            "an SMS campaign callback, not a Viber status",
        ),
        (
            r#"{"trackingId": "1", "status": {"name": "x", "dateTime": 1, "final": true}}"#,
            OtherKind,
            None,
            None,
            "an e-mail status, not a Viber status",
        ),
    ] {
        check::<ViberCallback>(body, kind, path, place, message);
        if matches!(kind, Syntax | Truncated | NotAnObject) {
            let callback_error = ViberCallback::from_slice(body.as_bytes()).unwrap_err();
            assert_eq!(Incoming::from_slice(body.as_bytes()), Err(callback_error), "{body}");
        }
    }
}

#[test]
fn the_other_models_fail_for_their_own_required_fields() {
    use CallbackErrorKind::{DuplicateKey, MissingField, NotAnObject};
    check::<InboundMessage>("{}", MissingField, Some("from"), None, "no readable `from`");
    check::<InboundMessage>(r#"{"from": []}"#, MissingField, Some("from"), None, "no readable `from`");
    check::<FailoverCallback>("{}", MissingField, Some("trackingId"), None, "no readable `trackingId`");
    check::<FailoverCallback>(r#"{"trackingId": 1}"#, MissingField, Some("status"), None, "no readable `status`");
    let object = r#"{"trackingId": 1, "status": {"name": "Failed"}}"#;
    check::<FailoverCallback>(object, MissingField, Some("status"), None, "no readable `status`");
    let twice = r#"{"messages": [{}, {"a": 1, "a": 2}]}"#;
    let error = try_read::<FailoverCallback>(twice).unwrap_err();
    assert_eq!(
        (error.kind(), error.path(), what(&error).as_str()),
        (DuplicateKey, Some("messages[1].a"), "`messages[1].a` is given twice")
    );
    check::<TrackedMessage>("{}", MissingField, Some("trackingId"), None, "no readable `trackingId`");
    check::<TrackedMessage>(
        r#"{"trackingId": 1}"#,
        MissingField,
        Some("status.name"),
        None,
        "no readable `status.name`",
    );
    check::<TrackingPage>("[]", NotAnObject, None, None, "not a JSON object");
    assert_eq!(try_read::<TrackingPage>("{}"), Ok(TrackingPage::default()));
}

#[test]
fn a_key_in_an_error_is_escaped_and_shortened() {
    let at_60 = "k".repeat(60);
    let letters = "é".repeat(60);
    for (key, shown) in [
        ("plain", "plain".to_owned()),
        ("a\n\u{1b}", r#""a\n\u{1b}""#.to_owned()),
        ("status.x", r#""status.x""#.to_owned()),
        ("", r#""""#.to_owned()),
        ("a b", r#""a b""#.to_owned()),
        ("a\"b'`\\[0]", r#""a\"b'`\\[0]""#.to_owned()),
        ("Καλή", "Καλή".to_owned()),
        (&at_60, at_60.clone()),
        (&format!("{at_60}k"), format!("{at_60}…")),
        (&"k".repeat(5_000_000), format!("{at_60}…")),
        (&format!("{letters}é"), format!("{letters}…")),
        (&format!(" {}", "k".repeat(60)), format!("\" {}…\"", "k".repeat(59))),
    ] {
        for (body, before) in [("{K:1,K:2}", ""), (r#"{"body":{K:1,K:2}}"#, "body.")] {
            let body = body.replace('K', &json!(key).to_string());
            let error = try_read::<ViberCallback>(&body).unwrap_err();
            assert_eq!(what(&error), format!("`{before}{shown}` is given twice"));
            assert_eq!(error.path(), Some(format!("{before}{shown}").as_str()));
        }
    }
}

#[test]
fn every_kind_of_error_has_a_label() {
    use CallbackErrorKind::{DuplicateKey, MissingField, NotAnObject, OtherKind, Syntax, Truncated};
    for (kind, label) in [
        (Syntax, "syntax"),
        (Truncated, "truncated"),
        (NotAnObject, "not_an_object"),
        (MissingField, "missing_field"),
        (DuplicateKey, "duplicate_key"),
        (OtherKind, "other_kind"),
    ] {
        assert_eq!((kind.as_str(), kind.to_string().as_str()), (label, label));
    }
}

#[test]
fn a_body_cut_at_any_byte_is_truncated_and_says_where() {
    for end in 0..FULL.trim_end().len() {
        let cut = &FULL.as_bytes()[..end];
        let error = ViberCallback::from_slice(cut).unwrap_err();
        let line = 1 + cut.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!((error.kind(), error.line()), (CallbackErrorKind::Truncated, Some(line)), "{error} in {end} bytes");
        assert!(error.to_string().starts_with("EOF while parsing "), "{error}");
        assert_eq!(Incoming::from_slice(cut), Err(error));
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
        format!(r#"{{"trackingId": "1", "to": {{"$serde_json::private::RawValue": "{secret}"}}}}"#),
        format!(r#"{{"trackingId": "1", "to": {{"$serde_json::private::Number": "{secret}"}}}}"#),
        format!(r#"{{"from": {{}}, "media": "{secret}", "messages": ["{secret}", {{}}]}}"#),
    ] {
        let errors = [
            ViberCallback::from_slice(body.as_bytes()).unwrap_err(),
            InboundMessage::from_slice(body.as_bytes()).unwrap_err(),
            FailoverCallback::from_slice(body.as_bytes()).unwrap_err(),
            TrackedMessage::from_slice(body.as_bytes()).unwrap_err(),
        ];
        for error in errors {
            assert!(!format!("{error} {error:?}").contains("69"), "{error:?}");
        }
        let error = serde_json::from_str::<ViberCallback>(&body).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("69"), "{error:?}");
    }
}

#[test]
fn from_slice_skips_a_byte_order_mark() {
    let body = [b"\xef\xbb\xbf", FULL.as_bytes()].concat();
    assert_eq!(from_slice(&body), from_slice(FULL.as_bytes()));
    assert_eq!(Incoming::from_slice(&body), Ok(Incoming::Status(from_slice(FULL.as_bytes()).unwrap())));
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
            [br#"{"trackingId":"1","from":"2","status":"SEEN","label":""#, text, br#"","x":["#, b"\"", text, b"\"]}"]
                .concat();
        let label = Some(expected.to_owned());
        let unknown = json!([expected]);
        let callback = ViberCallback::from_slice(&body).unwrap();
        assert_eq!((&callback.label, &callback.extra["x"]), (&label, &unknown));
        assert_eq!(Incoming::from_slice(&body), Ok(Incoming::Status(callback)));
        assert_eq!(InboundMessage::from_slice(&body).map(|message| message.label), Ok(label.clone()));
        assert_eq!(TrackedMessage::from_slice(&body).map(|message| message.extra["x"].clone()), Ok(unknown.clone()));
        assert_eq!(
            FailoverCallback::from_slice(&body).map(|callback| callback.extra["x"].clone()),
            Ok(unknown.clone())
        );
        assert_eq!(TrackingPage::from_slice(&body).map(|page| page.extra["x"].clone()), Ok(unknown));
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
        let texts =
            ["9".repeat(size), "x".repeat(size), format!("1{}", "0".repeat(size)), format!("0.{}1", "0".repeat(size))];
        for text in texts {
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

    let steps = vec!["{}"; 100_000].join(",");
    let failover = FailoverCallback::from_slice(with(&format!(r#""messages":[{steps}]"#)).as_bytes()).unwrap();
    assert_eq!(failover.extra["messages"].as_array().map(Vec::len), Some(100_000));
    let failover = FailoverCallback::from_slice(with(&format!(r#""messages":[{steps},0]"#)).as_bytes()).unwrap();
    assert_eq!(failover.extra["messages"].as_array().map(Vec::len), Some(100_001));

    let surrogates = r"\ud83d".repeat(1_000_000);
    let callback = from_slice(with(&format!(r#""label":"{surrogates}""#)).as_bytes()).unwrap();
    assert_eq!(callback.label, Some("\u{fffd}".repeat(1_000_000)));
}

#[test]
fn nesting_past_the_limit_of_serde_json_is_an_error() {
    let nested = |depth: usize| with(&format!(r#""x":{}0{}"#, "[".repeat(depth), "]".repeat(depth)));
    assert_eq!(from_slice(nested(126).as_bytes()).unwrap().extra["x"].to_string().len(), 2 * 126 + 1);
    for (depth, column) in [(127, 165), (100_000, 165)] {
        let error = ViberCallback::from_slice(nested(depth).as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), format!("recursion limit exceeded at line 1 column {column}"));
        assert_eq!((error.kind(), place(&error)), (CallbackErrorKind::Syntax, Some((1, column))));
    }
    for open in [
        r#"{"body":"#,
        r#"{"status":"#,
        r#"{"x":"#,
        r#"{"body":{"viberFile":"#,
        r#"{"messages":["#,
        r#"{"messages":[{"status":"#,
    ] {
        let body = open.repeat(100_000);
        let incoming = Incoming::from_slice(body.as_bytes()).unwrap_err();
        // To tell the kind, the steps of a flow are looked at and not read.
        if open.starts_with(r#"{"messages""#) {
            assert_eq!(incoming.kind(), CallbackErrorKind::Truncated, "{open}");
        } else {
            assert_eq!(what(&incoming), "recursion limit exceeded", "{open}");
        }
        for error in [
            ViberCallback::from_slice(body.as_bytes()).unwrap_err(),
            FailoverCallback::from_slice(body.as_bytes()).unwrap_err(),
            TrackedMessage::from_slice(body.as_bytes()).unwrap_err(),
        ] {
            assert_eq!(
                (what(&error).as_str(), error.kind()),
                ("recursion limit exceeded", CallbackErrorKind::Syntax),
                "{open}"
            );
        }
    }
    // What is no object is skipped, which needs no stack.
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    for (body, kind) in [(open.clone(), CallbackErrorKind::Truncated), (open + &close, CallbackErrorKind::NotAnObject)]
    {
        assert_eq!(ViberCallback::from_slice(body.as_bytes()).map_err(|error| error.kind()), Err(kind));
        assert_eq!(Incoming::from_slice(body.as_bytes()).map_err(|error| error.kind()), Err(kind));
    }
}

#[test]
fn every_byte_may_be_any_other() {
    let body = br#"{"trackingId":"1","status":{"name":"SEEN"},"ttl":30}"#;
    let mut read = 0;
    for at in 0..body.len() {
        for byte in 0..=u8::MAX {
            let mut body = *body;
            body[at] = byte;
            let callback = from_slice(&body);
            if let Ok(callback) = &callback {
                read += 1;
                let json = serde_json::to_vec(callback).unwrap();
                assert_eq!(from_slice(&json).as_ref(), Ok(callback), "{}", String::from_utf8_lossy(&body));
            }
            let is_status = matches!(Incoming::from_slice(&body), Ok(Incoming::Status(_)));
            assert_eq!(is_status, callback.is_ok(), "{}", String::from_utf8_lossy(&body));
        }
    }
    assert!(read > 1_500, "{read}");
}

#[test]
fn a_wrong_type_is_kept_with_everything_in_it() {
    let value: Value = serde_json::from_str(FULL).unwrap();
    let body = json!({"trackingId": "1", "status": "SEEN", "to": value, "viberFile": value, "ttl": [value]});
    let callback = try_read::<ViberCallback>(&body.to_string()).unwrap();
    assert_eq!(callback.kept(), json!({"to": value, "viberFile": value, "ttl": [value]}));
}
