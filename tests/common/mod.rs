//! What the tests share: bodies made from paths, and reading by every way that must agree.

#![allow(dead_code, reason = "each test binary uses a part")]

use routee_viber::{Extra, ViberCallback};
use serde_json::{Value, json};

/// The smallest body that is read.
pub fn minimal() -> Value {
    json!({"trackingId": "0a047b46", "status": {"name": "SEEN"}})
}

/// The smallest body with one more value, at a path such as `body.viberFile.fileUrl`.
pub fn minimal_with(path: &str, value: Value) -> Value {
    let mut body = minimal();
    *at(&mut body, path) = value;
    body
}

/// The place in a body that has a path, made where it is missing.
pub fn at<'a>(body: &'a mut Value, path: &str) -> &'a mut Value {
    path.split('.').fold(body, |object, key| &mut object[key])
}

/// The object that a path stands in, and the key.
pub fn parent(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

/// The `extra` map of the object at a path.
pub fn extra<'a>(callback: &'a ViberCallback, object: &str) -> &'a Extra {
    let body = || callback.body.as_ref().unwrap();
    match object {
        "" => &callback.extra,
        "status" => &callback.status.extra,
        "status.reason" => &callback.status.reason.as_ref().unwrap().extra,
        "body" => &body().extra,
        "body.viberAction" => &body().viber_action.as_ref().unwrap().extra,
        "body.viberFile" => &body().viber_file.as_ref().unwrap().extra,
        "body.viberVideo" => &body().viber_video.as_ref().unwrap().extra,
        _ => panic!("no model at {object}"),
    }
}

/// Every `extra` map of a callback that is not empty, with the path of its object.
pub fn extras(callback: &ViberCallback) -> Value {
    let mut objects = vec!["", "status"];
    if callback.status.reason.is_some() {
        objects.push("status.reason");
    }
    if let Some(body) = &callback.body {
        objects.push("body");
        objects.extend(body.viber_action.as_ref().map(|_| "body.viberAction"));
        objects.extend(body.viber_file.as_ref().map(|_| "body.viberFile"));
        objects.extend(body.viber_video.as_ref().map(|_| "body.viberVideo"));
    }
    let not_empty = objects.into_iter().filter(|object| !extra(callback, object).is_empty());
    not_empty.map(|object| (object.to_owned(), json!(extra(callback, object)))).collect()
}

/// Reads a body by each of the ways that `serde_json` has and by `from_slice`, which must agree.
pub fn try_read(body: &str) -> Result<ViberCallback, String> {
    let callback = serde_json::from_str::<ViberCallback>(body).map_err(|error| error.to_string());
    let from_slice = serde_json::from_slice(body.as_bytes()).map_err(|error| error.to_string());
    assert_eq!(from_slice, callback, "serde_json::from_slice on {body}");
    let from_reader = serde_json::from_reader(body.as_bytes()).map_err(|error| error.to_string());
    // serde_json counts the column from a reader otherwise.
    assert_eq!(from_reader.as_ref().map_err(|error| what(error)), callback.as_ref().map_err(|error| what(error)));
    let own = ViberCallback::from_slice(body.as_bytes()).map_err(|error| error.to_string());
    assert_eq!(own, callback, "ViberCallback::from_slice on {body}");
    callback
}

/// What an error says, without the line and column that `serde_json` adds.
pub fn what(error: &str) -> &str {
    error.split(" at line ").next().unwrap()
}

/// Reads a body that must be read, by every way, and checks that writing and reading it again changes
/// nothing.
pub fn read(body: &Value) -> ViberCallback {
    let callback = try_read(&body.to_string()).unwrap();
    assert_eq!(serde_json::from_value::<ViberCallback>(body.clone()).unwrap(), callback, "from_value on {body}");
    assert_eq!(try_read(&written(&callback).to_string()).unwrap(), callback, "written and read again: {body}");
    callback
}

/// What a callback is written as.
pub fn written(callback: &ViberCallback) -> Value {
    let text = serde_json::to_string(callback).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_value(callback).unwrap(), value);
    value
}
