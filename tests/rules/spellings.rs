//! Which key is read for a field, and what becomes of a second one.

use crate::common::fields::Kind;
use crate::common::{self, Place, places, preserves_order, read, sample, try_read};
use routee_viber::{CallbackErrorKind, FailoverCallback, TrackedMessage, ViberCallback};
use serde_json::{Value, json};

/// The other spellings of a field: first the documented one in other cases, then the others, each in the order of their
/// bytes.
fn other_spellings(place: &Place) -> Vec<String> {
    let key = place.field.key;
    let last_swapped = |key: &str| {
        let (start, last) = key.split_at(key.len() - 1);
        let upper = last.to_ascii_uppercase();
        format!("{start}{}", if upper == last { last.to_ascii_lowercase() } else { upper })
    };
    let of_one = |key: &&str| [key.to_string(), key.to_ascii_uppercase(), key.to_ascii_lowercase(), last_swapped(key)];
    let mut spellings: Vec<_> = [key].iter().chain(place.field.others).flat_map(of_one).collect();
    spellings.retain(|spelling| spelling != key);
    spellings.sort_by_key(|spelling| (is_other_name(place, spelling), spelling.clone()));
    spellings.dedup();
    spellings
}

fn is_other_name(place: &Place, spelling: &str) -> bool {
    !spelling.eq_ignore_ascii_case(place.field.key)
}

/// A value that no field can read, but the list of anything.
fn unreadable(place: &Place) -> Value {
    if matches!(place.field.kind, Kind::Values) { json!({}) } else { json!([[]]) }
}

/// Each pair of entries in both orders, as text, since a map would bring them in one.
fn both_orders(place: &Place, one: (&str, &Value), other: (&str, &Value)) -> [String; 2] {
    [place.text_with(&[one, other]), place.text_with(&[other, one])]
}

#[test]
fn every_key_is_read_in_every_spelling() {
    for place in places() {
        let value = sample(place.field);
        let documented = place.root.read(&place.with(place.field.key, &value)).unwrap();
        assert_eq!((&documented.kept, &documented.written), (&json!({}), &place.with(place.field.key, &value)));
        for spelling in other_spellings(&place) {
            let read = place.root.read(&place.with(&spelling, &value));
            assert_eq!(read.as_ref(), Ok(&documented), "{spelling} for {}", place.path());
        }
    }
}

#[test]
fn a_spelling_is_read_in_its_own_object_alone() {
    let body = json!({
        "trackingId": "0a047b46",
        "action": {"caption": "Go"},
        "date": "2019-07-05T10:28:49Z",
        "name": "SEEN",
        "status": {"name": "SEEN", "action": 1, "reason": {"status": "Opted Out", "date": 2}},
        "body": {"status": 3, "date": 4, "message": "Hi", "file": {}},
        "message": "Hi",
        "file": {},
        "campaign": "spring",
    });
    let expected = json!({
        "action": {"caption": "Go"}, "date": "2019-07-05T10:28:49Z", "name": "SEEN",
        "status.action": 1,
        "status.reason.status": "Opted Out", "status.reason.date": 2,
        "body.status": 3, "body.date": 4, "body.message": "Hi", "body.file": {},
        "message": "Hi",
        "file": {},
        "campaign": "spring",
    });
    assert_eq!(common::Payload::kept(&read::<ViberCallback>(&body)), expected);
}

#[test]
fn the_documented_spelling_owns_its_field_wherever_it_stands() {
    for place in places() {
        let (key, value) = (place.field.key, sample(place.field));
        for spelling in other_spellings(&place) {
            for other in [json!("other"), value.clone(), json!([[]])] {
                for body in both_orders(&place, (key, &value), (&spelling, &other)) {
                    let read = place.root.read_text(&body).unwrap();
                    assert_eq!(read.kept, json!({place.path_of(&spelling): other}), "{body}");
                    assert_eq!(read.written, serde_json::from_str::<Value>(&body).unwrap());
                }
            }
        }
    }
}

#[test]
fn another_spelling_is_read_if_the_documented_one_is_null_or_empty() {
    for place in places() {
        let (key, value) = (place.field.key, sample(place.field));
        let alone = place.root.read(&place.with(key, &value)).unwrap();
        for (spelling, nothing) in other_spellings(&place).iter().zip([json!(null), json!("")].iter().cycle()) {
            for body in both_orders(&place, (key, nothing), (spelling, &value)) {
                assert_eq!(place.root.read_text(&body).as_ref(), Ok(&alone), "{body}");
            }
        }
    }
}

#[test]
fn another_spelling_stays_if_the_documented_one_is_unreadable() {
    for place in places() {
        let (key, value, unreadable) = (place.field.key, sample(place.field), unreadable(&place));
        for spelling in other_spellings(&place) {
            for body in both_orders(&place, (key, &unreadable), (&spelling, &value)) {
                let read = place.root.read_text(&body);
                let both = json!({key: unreadable, spelling.as_str(): value});
                match (place.field.required, place.without_required()) {
                    (false, _) => {
                        let expected = json!({place.path(): unreadable, place.path_of(&spelling): value});
                        assert_eq!(read.unwrap().kept, expected, "{body}");
                    }
                    (true, Ok(missing)) => {
                        assert_eq!(read.unwrap_err().to_string(), format!("no readable `{missing}`"), "{body}");
                    }
                    (true, Err(object)) => assert_eq!(read.unwrap().kept, json!({object: both}), "{body}"),
                }
            }
        }
    }
}

/// An object that lacks what it requires is not that object, so that the documented key is unreadable.
#[test]
fn an_object_without_what_it_requires_leaves_nothing_for_another_spelling() {
    for status in [json!({}), json!({"name": null}), json!({"name": []}), json!({"reason": "Opted Out", "code": 1})] {
        let failover = read::<FailoverCallback>(&json!({
            "trackingId": "1", "status": "Failed", "messages": [{"status": status, "STATUS": "SEEN"}],
        }));
        assert_eq!(failover.messages[0].status, None);
        assert_eq!(json!(failover.messages[0].extra), json!({"status": status, "STATUS": "SEEN"}));

        let body = json!({"trackingId": "1", "status": status, "STATUS": "SEEN"}).to_string();
        assert_eq!(try_read::<ViberCallback>(&body).unwrap_err().to_string(), "no readable `status.name`");
        assert_eq!(try_read::<TrackedMessage>(&body).unwrap_err().to_string(), "no readable `status.name`");
    }
}

#[test]
fn an_unreadable_value_in_another_spelling_stays_under_its_own_key() {
    for place in places().iter().filter(|place| !place.field.required) {
        for spelling in other_spellings(place) {
            let body = place.with(&spelling, &unreadable(place));
            let read = place.root.read(&body).unwrap();
            assert_eq!((read.kept, read.written), (json!({place.path_of(&spelling): unreadable(place)}), body));
        }
    }
}

#[test]
fn of_two_other_spellings_the_first_readable_one_in_their_order_is_read() {
    for place in places() {
        let value = sample(place.field);
        let spellings = other_spellings(&place);
        let unreadable = unreadable(&place);
        for pair in spellings.windows(2) {
            let [first, second] = pair else { unreachable!() };
            let mut cases = vec![(&value, &value, (second, &value)), (&value, &unreadable, (second, &unreadable))];
            if is_other_name(&place, first) == is_other_name(&place, second) {
                cases.push((&unreadable, &value, (first, &unreadable)));
            }
            for (one, other, kept) in cases {
                for body in both_orders(&place, (first, one), (second, other)) {
                    let read = place.root.read_text(&body).unwrap();
                    assert_eq!(read.kept, json!({place.path_of(kept.0): kept.1}), "{body}");
                    let expected = place.text_with(&[(place.field.key, &value), (kept.0, kept.1)]);
                    assert_eq!(read.written, serde_json::from_str::<Value>(&expected).unwrap(), "{body}");
                }
            }
        }
    }
}

/// As the exact one: with `updateddate` and `date` in one body, the latter is none that was meant.
#[test]
fn the_documented_spelling_in_another_case_owns_its_field_too() {
    let mut checked = 0;
    for place in places() {
        let (value, other, unreadable) = (sample(place.field), json!("other"), unreadable(&place));
        let (others, cased): (Vec<_>, Vec<_>) =
            other_spellings(&place).into_iter().partition(|spelling| is_other_name(&place, spelling));
        for (cased, other_name) in cased.iter().flat_map(|cased| others.iter().map(move |name| (cased, name))) {
            checked += 1;
            for body in both_orders(&place, (cased, &value), (other_name, &other)) {
                let read = place.root.read_text(&body).unwrap();
                assert_eq!(read.kept, json!({place.path_of(other_name): other}), "{body}");
                let sentence = "is another spelling of a field that was already read";
                assert!(read.reported.contains(&format!("`{}` {sentence}", place.path_of(other_name))));
            }
            for nothing in [json!(null), json!("")] {
                for body in both_orders(&place, (cased, &nothing), (other_name, &value)) {
                    assert_eq!(place.root.read_text(&body), place.root.read(&place.with(place.field.key, &value)));
                }
            }
            for body in both_orders(&place, (cased, &unreadable), (other_name, &value)) {
                let read = place.root.read_text(&body);
                let both = json!({cased: unreadable, other_name: value});
                match (place.field.required, place.without_required()) {
                    (false, _) => {
                        let read = read.unwrap();
                        let kept = json!({place.path_of(cased): unreadable, place.path_of(other_name): value});
                        assert_eq!(read.kept, kept, "{body}");
                        let lost = "is another spelling of a field that was already read";
                        assert_eq!(
                            read.reported.iter().filter(|it| it.contains(lost)).collect::<Vec<_>>(),
                            [&format!("`{}` {lost}", place.path_of(other_name))]
                        );
                    }
                    (true, Ok(missing)) => {
                        assert_eq!(read.unwrap_err().to_string(), format!("no readable `{missing}`"), "{body}");
                    }
                    (true, Err(object)) => assert_eq!(read.unwrap().kept, json!({object: both}), "{body}"),
                }
            }
        }
    }
    assert!(checked > 100, "{checked}");
    let status = r#"{"name": "SEEN", "updateddate": "2019-07-05T10:28:49Z", "date": "2019-07-05T10:28:44Z"}"#;
    let callback: ViberCallback = format!(r#"{{"trackingId": "1", "status": {status}}}"#).parse().unwrap();
    assert_eq!(callback.idempotency_key(), r#"["1","SEEN","2019-07-05T10:28:49Z"]"#);
    let status = status.replace("2019-07-05T10:28:49Z", "soon");
    let callback: ViberCallback = format!(r#"{{"trackingId": "1", "status": {status}}}"#).parse().unwrap();
    assert_eq!(callback.idempotency_key(), r#"["1","SEEN","soon"]"#);
}

#[test]
fn a_status_without_a_name_leaves_its_field_to_the_next_spelling() {
    let first = r#"{"x":1,"reason":"Opted Out","date":"2019-07-05T10:28:49Z"}"#;
    for (second, read) in
        [(r#""SEEN""#, r#"{"name":"SEEN"}"#), (r#"{"name":"SEEN","x":2}"#, r#"{"name":"SEEN","x":2}"#)]
    {
        let body = format!(r#"{{"trackingId":"1","sTatus":{first},"statuS":{second}}}"#);
        let callback: ViberCallback = body.parse().unwrap();
        assert_eq!(serde_json::to_string(&callback.status).unwrap(), read, "{body}");
        assert_eq!(json!(callback.extra), json!({"sTatus": serde_json::from_str::<Value>(first).unwrap()}), "{body}");
    }
}

#[test]
fn what_is_taken_from_another_spelling_leaves_the_order_of_the_rest() {
    if !preserves_order() {
        return;
    }
    for place in places() {
        let (key, value) = (place.field.key, sample(place.field));
        let spelling = &other_spellings(&place)[0];
        let rest = ["+z", "+y", "+a", "+b"].map(|key| (key, &Value::Null));
        let [z, y, a, b] = rest;
        let read = place.root.read_text(&place.text_with(&[z, y, (spelling, &value), a, b])).unwrap();
        let kept: Vec<_> = read.kept.as_object().unwrap().keys().cloned().collect();
        assert_eq!(kept, rest.map(|(key, _)| place.path_of(key)), "{}", place.path());
        assert_eq!(
            read.written,
            serde_json::from_str::<Value>(&place.text_with(&[(key, &value), z, y, a, b])).unwrap()
        );
    }
}

#[test]
fn the_same_key_twice_is_an_error_that_names_it() {
    let values = [json!(null), json!(""), json!([[]]), json!("Text"), json!(3600), json!({})];
    for place in places() {
        let key = place.field.key;
        let spellings = other_spellings(&place);
        for key in [key, &spellings[0], "+unknown"] {
            for (one, other) in [(0, 0), (0, 3), (3, 0), (2, 3), (3, 2), (1, 4), (5, 5)] {
                let body = place.text_with(&[(key, &values[one]), (key, &values[other])]);
                let error = place.root.read_text(&body).unwrap_err();
                let path = place.path_of(key);
                assert_eq!(common::what(&error), format!("`{path}` is given twice"), "{body}");
                assert_eq!((error.kind(), error.path()), (CallbackErrorKind::DuplicateKey, Some(path.as_str())));
                assert!(error.line().is_some() && error.column().is_some());
            }
        }
    }
}

/// The steps of a path are the documented spellings; its last one is the key as it came.
#[test]
fn the_same_key_twice_in_an_object_under_another_spelling_is_an_error_too() {
    for place in places() {
        let Some(step) = place.object.last() else { continue };
        let above = Place { object: place.object[..place.object.len() - 1].to_vec(), field: step, ..place.clone() };
        let twice = format!("{{\"+k\":1,{:?}:{},\"+k\":2}}", place.field.key, sample(place.field));
        let is_list = matches!(step.kind, Kind::Objects(_));
        let value = if is_list { format!("[{{}},{twice}]") } else { twice };
        for spelling in other_spellings(&above) {
            let body = above.text_with(&[(&spelling, &json!(0))]).replacen(
                &format!("{spelling:?}:0"),
                &format!("{spelling:?}:{value}"),
                1,
            );
            let error = place.root.read_text(&body).unwrap_err();
            let place = if is_list { "[1]" } else { "" };
            assert_eq!(common::what(&error), format!("`{}{place}.+k` is given twice", above.path()), "{body}");
        }
    }
}

#[test]
fn a_key_that_is_escaped_is_the_same_key() {
    let error = try_read::<ViberCallback>(r#"{"to": "a", "\u0074o": "b"}"#).unwrap_err();
    assert_eq!(error.to_string(), "`to` is given twice at line 1 column 21");
    let callback = try_read::<ViberCallback>(r#"{"tracking\u0049d": "1", "status": "SEEN"}"#).unwrap();
    assert_eq!(callback.tracking_id, "1");
}

#[test]
fn inside_a_value_that_no_model_knows_the_last_one_stays() {
    let body = r#"{"trackingId": "1", "status": "SEEN", "x": {"a": 1, "a": 2}, "to": {"b": 1, "b": 2}}"#;
    let callback = try_read::<ViberCallback>(body).unwrap();
    assert_eq!(common::Payload::kept(&callback), json!({"x": {"a": 2}, "to": {"b": 2}}));
}
