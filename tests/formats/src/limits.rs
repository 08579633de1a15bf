//! What a format has and JSON does not have, and the other way round; what it changes by itself; and in which formats a
//! body has no place.
//!
//! Of the last, those that compile quickly are tested at the end. The others were tried by hand:
//!
//! - bendy 0.6.1, `bt_bencode` 0.8.2 and `serde_bencoded` 0.3.2 read a text as bytes, as `serde_bencode` does.
//! - serde-xml-rs 0.8.2 writes no map and reads no value without a type ("Unsupported operation").
//! - `php_serde` 0.6.0 and `serde_php` 0.5.0 write no map of unknown length, and read a text as a list of numbers.
//! - zvariant 5.15.1 wrote a callback in none of `v`, `a{sv}` and `a{ss}`. It reads a variant as a list of its signature
//!   and its value, so that of what others write an `a{ss}` with a bare `status` is read, and an `a{sv}` is not.
//! - apache-avro 0.22.0 writes a `u64` as eight bytes ("org.apache.avro.rust.u64"), so that a callback with a whole number
//!   in an `extra` is not read back, unless the number is negative. `append_ser` refuses a key that the schema does not
//!   name, and `resolve` drops it. What has neither reads back, such as the samples of a status and of a flow by
//!   `to_value` and `from_value`.

use std::fmt::Debug;
use std::thread;

use ciborium::Value as Cbor;
use routee_viber::{StatusName, ViberCallback};
use serde::Serialize;
use serde_json::{Value, json};

use crate::formats::{
    self, Amqp, Bson, Cbor4ii, FlexBuffers, Format, Json, Json5, MessagePack, Minicbor, Pickle, Plist, Ron, SimdJson,
    Smile, SonicRs, Toml, Yaml, YamlNg,
};

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
fn extension_types_of_message_pack_are_errors() {
    let packed = b"\x83\xaatrackingId\xa11\xa6status\xa4SEEN\xa9createdAt\xd6\xff\x5d\x1f\x26\x81";
    let error = MessagePack::read::<ViberCallback>(packed).unwrap_err();
    assert_eq!(error, "invalid type: newtype struct, expected any JSON value");
}

#[test]
fn keys_that_are_no_texts_are_errors() {
    let error = MessagePack::read::<ViberCallback>(&[0x81, 0x05, 0x05]).unwrap_err();
    assert_eq!(error, "invalid type: integer `5`, expected a key");
    assert_error(cbor_with("x", Cbor::Map(vec![(1.into(), 1.into())])), "invalid type: integer `1`, expected string");
    let symbol = b"\xc1\x1d\x04\xa3\x0atrackingId\xa1\x011\xa3\x06status\xa1\x04SEEN";
    assert_eq!(Amqp::read::<ViberCallback>(symbol).unwrap_err(), "Invalid format code");
    let string: Vec<u8> = symbol.iter().map(|byte| if *byte == 0xa3 { 0xa1 } else { *byte }).collect();
    assert_eq!(Amqp::read(&string), Ok(ViberCallback::new("1", StatusName::Seen)));
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
    price_is_lost::<YamlNg>();
    price_is_lost::<Toml>();
    price_is_lost::<Plist>();
    price_is_lost::<Bson>();
    price_is_lost::<formats::Cbor>();
    price_is_lost::<Cbor4ii>();
    price_is_lost::<Minicbor>();
    price_is_lost::<MessagePack>();
    price_is_lost::<Smile>();
    price_is_lost::<Amqp>();
    price_is_lost::<FlexBuffers>();
    price_is_lost::<Pickle>();

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
fn json5_reads_a_number_past_f64_as_null() {
    let callback = Json5::read::<ViberCallback>(b"{trackingId: '1', status: 'SEEN', price: 1e999, x: [-1e999]}");
    assert_eq!(callback, Ok(seen_with("x", json!([null]))));
    assert_error(
        Json::read::<ViberCallback>(br#"{"trackingId": "1", "status": "SEEN", "price": 1e999}"#),
        "number out of range",
    );
}

#[test]
fn plist_writes_null_as_an_empty_text() {
    let callback = read::<Plist>(seen_with("x", json!([null, {"y": null}])));
    assert_eq!(callback, Ok(seen_with("x", json!(["", {"y": ""}]))));
}

#[test]
fn toml_has_no_null() {
    assert_eq!(Toml::write(&seen_with("x", Value::Null)).unwrap_err(), "unsupported unit type");
}

#[test]
fn a_null_of_others_is_an_empty_list_in_two_crates_for_cbor() {
    let body = json!({"trackingId": "1", "status": "SEEN", "to": null});
    assert_eq!(read::<Cbor4ii>(&body), Ok(seen_with("to", json!([]))));
    assert_eq!(read::<Minicbor>(&body), Ok(seen_with("to", json!([]))));
}

#[test]
fn two_crates_for_cbor_do_not_read_the_16_bit_floats_of_a_third_by_themselves() {
    let mut callback = ViberCallback::new("1", StatusName::Seen);
    callback.price = Some(0.035);
    let written = formats::Cbor::write(&callback).unwrap();
    assert_eq!(Cbor4ii::read(&written), Ok(callback.clone()));
    assert_eq!(Minicbor::read(&written), Ok(callback.clone()));

    callback.price = Some(0.5);
    let written = formats::Cbor::write(&callback).unwrap();
    assert_error(Cbor4ii::read::<ViberCallback>(&written), "Unsupported { name: \"any\", found: 249 }");
    assert_error(Minicbor::read::<ViberCallback>(&written), "unexpected type f16");
}

#[test]
fn pickle_writes_whole_numbers_past_those_of_an_i64_and_does_not_read_them() {
    assert_error(read::<Pickle>(seen_with("x", json!(u64::MAX))), "invalid value: integer too large");
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

#[test]
fn a_document_of_bson_takes_extended_json_for_what_it_means() {
    fn by_document(value: Value) -> Result<ViberCallback, bson::error::Error> {
        bson::deserialize_from_document(bson::serialize_to_document(&seen_with("x", value)).unwrap())
    }
    let (long, decimal) = (json!({"$numberLong": "5"}), json!({"$numberDecimal": "5"}));
    assert_eq!(by_document(long.clone()).unwrap(), seen_with("x", json!(5)));
    let error = by_document(decimal.clone()).unwrap_err().to_string();
    assert!(error.contains("invalid type: byte array, expected any JSON value"), "{error}");
    for value in [long, decimal] {
        assert_eq!(read::<Bson>(seen_with("x", value.clone())), Ok(seen_with("x", value)));
    }
}

#[test]
fn one_crate_for_yaml_reads_as_another_type_what_another_wrote_as_a_text() {
    let mut callback = seen_with("x", json!(["off", "1_000"]));
    callback.country = Some("NO".to_owned());
    callback.groups = vec!["y".to_owned()];
    let written = YamlNg::write(&callback).unwrap();
    let plain = "trackingId: '1'\ngroups:\n- y\ncountry: NO\nstatus:\n  name: SEEN\nx:\n- off\n- 1_000\n";
    assert_eq!(String::from_utf8_lossy(&written), plain);

    let read: ViberCallback = Yaml::read(&written).unwrap();
    assert_eq!(read.country.as_deref(), Some("false"));
    assert_eq!(read.groups, ["true"]);
    assert_eq!(read.extra["x"], json!([false, 1000]));

    let options = serde_saphyr::options! { strict_booleans: true, underscored_numbers_as_strings: true };
    assert_eq!(serde_saphyr::from_str_with_options::<ViberCallback>(plain, options).unwrap(), callback);

    assert_eq!(YamlNg::read(&Yaml::write(&callback).unwrap()), Ok(callback));
}

/// Whether that many lists, and that many objects, within each other read back in an `extra`.
fn nests<F: Format>(levels: usize) -> bool {
    let around: [fn(Value) -> Value; 2] = [|inner| json!([inner]), |inner| json!({"y": inner})];
    let [lists, objects] = around.map(|around| {
        let callback = seen_with("x", (0..levels).fold(json!(1), |inner, _| around(inner)));
        read::<F>(&callback) == Ok(callback)
    });
    assert_eq!(lists, objects);
    lists
}

#[test]
fn each_format_has_its_limit_of_nesting() {
    fn is_deepest<F: Format>(levels: usize) -> bool {
        nests::<F>(levels) && !nests::<F>(levels + 1)
    }
    assert!(is_deepest::<Ron>(63));
    assert!(is_deepest::<Yaml>(63));
    assert!(is_deepest::<Toml>(80));
    assert!(is_deepest::<Json>(126));
    assert!(is_deepest::<Cbor4ii>(126));
    assert!(is_deepest::<Smile>(126));
    assert!(is_deepest::<YamlNg>(127));
    assert!(is_deepest::<formats::Cbor>(255));
}

#[test]
fn every_other_format_nests_as_deep_as_json() {
    // Without optimizations sonic-rs 0.5.10 takes about 20 KiB of the stack for a level; a test has 2 MiB.
    let roomy = thread::Builder::new().stack_size(8 << 20);
    assert!(roomy.spawn(|| nests::<SonicRs>(126)).unwrap().join().unwrap());
    assert!(nests::<SimdJson>(126));
    assert!(nests::<Json5>(126));
    assert!(nests::<Plist>(126));
    assert!(nests::<Bson>(126));
    assert!(nests::<Minicbor>(126));
    assert!(nests::<MessagePack>(126));
    assert!(nests::<Amqp>(126));
    assert!(nests::<FlexBuffers>(126));
    assert!(nests::<Pickle>(126));
}

#[test]
fn a_key_with_a_nul_cannot_be_written_in_bson() {
    assert_error(Bson::write(&seen_with("\0", json!(1))), "cstring with interior null");
}

/// XML has no numbers, a text is an element with a text in it, and a list is an element that stands several times.
#[test]
fn xml_cannot_work() {
    let mut callback = ViberCallback::new("1", StatusName::Seen);
    let xml = quick_xml::se::to_string_with_root("callback", &callback).unwrap();
    assert_eq!(xml, "<callback><trackingId>1</trackingId><status><name>SEEN</name></status></callback>");
    let error = quick_xml::de::from_str::<ViberCallback>(&xml).unwrap_err();
    assert_eq!(error.to_string(), "no readable `trackingId`");

    callback.groups = vec!["a".to_owned(), "b".to_owned()];
    let xml = quick_xml::se::to_string_with_root("callback", &callback).unwrap();
    let error = quick_xml::de::from_str::<ViberCallback>(&xml).unwrap_err();
    assert_eq!(error.to_string(), "`groups` is given twice");
}

#[test]
fn bencode_cannot_work() {
    let mut callback = ViberCallback::new("1", StatusName::Seen);
    let written = serde_bencode::to_bytes(&callback).unwrap();
    assert_eq!(written, b"d6:statusd4:name4:SEENe10:trackingId1:1e");
    let error = serde_bencode::from_bytes::<ViberCallback>(&written).unwrap_err();
    assert_eq!(error.to_string(), "Invalid Type: byte array (expected: `any JSON value`)");

    callback.price = Some(0.5);
    assert_eq!(serde_bencode::to_bytes(&callback).unwrap_err().to_string(), "Cannot serialize f64");
}

#[test]
fn s_expressions_cannot_work() {
    let written = serde_lexpr::to_string(&ViberCallback::new("1", StatusName::Seen)).unwrap();
    assert_eq!(written, r#"(("trackingId" . "1") ("status" ("name" . "SEEN")))"#);
    let error = serde_lexpr::from_str::<ViberCallback>(&written).unwrap_err();
    assert_eq!(error.to_string(), "not a JSON object");
}

#[test]
fn formats_that_do_not_say_what_they_hold_cannot_work() {
    let callback = ViberCallback::new("1", StatusName::Seen);
    let error = postcard::to_allocvec(&callback).unwrap_err();
    assert_eq!(error.to_string(), "The length of a sequence must be known");
    let error = postcard::from_bytes::<ViberCallback>(b"x").unwrap_err();
    assert_eq!(error.to_string(), "This is a feature that PostCard will never implement");

    let config = bincode::config::standard();
    let error = bincode::serde::encode_to_vec(&callback, config).unwrap_err();
    assert_eq!(error.to_string(), "Serde(SequenceMustHaveLength)");
    let error = bincode::serde::decode_from_slice::<ViberCallback, _>(b"x", config).unwrap_err();
    assert_eq!(error.to_string(), "Serde(AnyNotSupported)");
}
