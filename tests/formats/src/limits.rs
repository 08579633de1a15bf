//! What a format has and JSON does not have, and the other way round.

use std::fmt::Debug;

use ciborium::Value as Cbor;
use routee_viber::{StatusName, ViberCallback};
use serde::Serialize;
use serde_json::{Value, json};

use crate::formats::{self, Bson, Format, Json5, MessagePack, Ron, SimdJson, SonicRs, Toml, Yaml};

/// A body in the format.
fn read<F: Format>(body: impl Serialize) -> Result<ViberCallback, String> {
    F::read(&F::write(&body).unwrap())
}

/// A body in CBOR with one more entry.
fn cbor_with(key: &str, value: Cbor) -> Result<ViberCallback, String> {
    let entries = [("trackingId", "1".into()), ("status", "SEEN".into()), (key, value)];
    let entries = entries.into_iter().map(|(key, value)| (Cbor::from(key), value)).collect();
    read::<formats::Cbor>(Cbor::Map(entries))
}

fn seen_with(key: &str, value: Value) -> ViberCallback {
    let mut callback = ViberCallback::new("1", StatusName::Seen);
    callback.extra.insert(key.to_owned(), value);
    callback
}

fn assert_error<T: Debug>(result: Result<T, String>, part: &str) {
    let error = result.unwrap_err();
    assert!(error.contains(part), "{error}");
}

#[test]
fn binary_values_are_errors() {
    for key in ["to", "price", "groups", "body", "unknown"] {
        assert_error(cbor_with(key, Cbor::Bytes(vec![1])), "invalid type: byte array, expected any JSON value");
        let binary = bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![1] };
        let body = bson::doc! {"trackingId": "1", "status": "SEEN", key: binary};
        assert_error(read::<Bson>(body), "invalid type: byte array, expected any JSON value");
    }
    let packed = b"\x83\xaatrackingId\xa11\xa6status\xa4SEEN\xa2to\xc4\x01\x01";
    let error = MessagePack::read::<ViberCallback>(packed).unwrap_err();
    assert_eq!(error, "invalid type: byte array, expected any JSON value");
}

#[test]
fn keys_that_are_no_texts_are_errors() {
    let error = MessagePack::read::<ViberCallback>(&[0x81, 0x05, 0x05]).unwrap_err();
    assert_eq!(error, "invalid type: integer `5`, expected a key");
    assert_error(cbor_with("x", Cbor::Map(vec![(1.into(), 1.into())])), "invalid type: integer `1`, expected string");
}

#[test]
fn tags_of_cbor_are_errors_except_those_of_large_numbers() {
    let tagged = |tag, value: Cbor| Cbor::Tag(tag, Box::new(value));
    for key in ["createdAt", "unknown"] {
        for value in [tagged(0, "2019-07-05T10:28:49Z".into()), tagged(1, 1_562_322_529.into())] {
            assert_error(cbor_with(key, value), "invalid type: enum, expected any JSON value");
        }
    }

    let two_to_the_64th = 18_446_744_073_709_551_616.0;
    let above = || tagged(2, Cbor::Bytes(vec![1, 0, 0, 0, 0, 0, 0, 0, 0]));
    let below = || Cbor::from(ciborium::value::Integer::try_from(-i128::from(u64::MAX) - 1).unwrap());
    for (value, number) in [(above(), two_to_the_64th), (below(), -two_to_the_64th)] {
        assert_eq!(cbor_with("price", value.clone()).unwrap().price, Some(number));
        assert_eq!(cbor_with("to", value.clone()), Ok(seen_with("to", json!(number))));
        assert_eq!(cbor_with("unknown", value), Ok(seen_with("unknown", json!(number))));
    }
}

#[test]
fn what_is_no_number_of_json_is_read_as_null() {
    fn price_is_lost<F: Format>() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut callback = ViberCallback::new("1", StatusName::Seen);
            callback.price = Some(value);
            assert_eq!(read::<F>(callback), Ok(ViberCallback::new("1", StatusName::Seen)));
        }
    }
    price_is_lost::<SimdJson>();
    price_is_lost::<SonicRs>();
    price_is_lost::<Json5>();
    price_is_lost::<Ron>();
    price_is_lost::<Toml>();
    price_is_lost::<Bson>();
    price_is_lost::<formats::Cbor>();
    price_is_lost::<MessagePack>();

    let unknown = cbor_with("unknown", f64::NAN.into());
    assert_eq!(unknown, Ok(seen_with("unknown", Value::Null)));
    let yaml = Yaml::read::<ViberCallback>(b"trackingId: 1\nstatus: SEEN\nprice: .nan\n");
    assert_error(yaml, "non-finite float `.nan` rejected by the configured policy");
}

#[test]
fn json5_has_no_fractions_that_are_zero() {
    assert_eq!(read::<Json5>(seen_with("x", json!(1.0))), Ok(seen_with("x", json!(1))));
    // As a whole number it is one that no `f64` is.
    let mut callback = ViberCallback::new("1", StatusName::Seen);
    callback.price = Some(1.234_567_890_123_456_7e17);
    assert_eq!(read::<Json5>(callback), Ok(seen_with("price", json!(123_456_789_012_345_660_u64))));
}

#[test]
fn toml_has_no_null() {
    assert_eq!(Toml::write(&seen_with("x", Value::Null)).unwrap_err(), "unsupported unit type");
}

#[test]
fn bson_has_no_whole_numbers_past_those_of_an_i64() {
    assert_error(Bson::write(&seen_with("x", json!(u64::MAX))), "18446744073709551615 cannot fit into BSON");
}

#[test]
fn dates_of_a_format_of_their_own_stay_in_extra() {
    let callback =
        Toml::read::<ViberCallback>(b"trackingId = '1'\nstatus = 'SEEN'\ncreatedAt = 2019-07-05T10:28:49Z\n");
    assert_eq!(callback, Ok(seen_with("createdAt", json!({"$__toml_private_datetime": "2019-07-05T10:28:49Z"}))));

    let date = bson::DateTime::from_millis(1_562_322_529_000);
    let callback = read::<Bson>(bson::doc! {"trackingId": "1", "status": "SEEN", "createdAt": date});
    assert_eq!(callback, Ok(seen_with("createdAt", json!({"$date": {"$numberLong": "1562322529000"}}))));

    let callback =
        Yaml::read::<ViberCallback>(b"trackingId: 1\nstatus: SEEN\ncreatedAt: 2019-07-05T10:28:49Z\n").unwrap();
    assert_eq!(callback.created_at, Some("2019-07-05T10:28:49Z".parse().unwrap()));
}
