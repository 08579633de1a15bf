//! Every row of "how a value is read", for every field of the table that it applies to.

use crate::common::fields::Kind;
use crate::common::{self, oracle, places, preserves_order};
use routee_viber::CallbackErrorKind;
use serde_json::{Value, json};

/// What becomes of a value.
#[derive(Debug, Clone)]
enum Outcome {
    /// The field has this value, written so.
    Reads(Value),
    /// The field is absent and nothing is kept.
    Absent,
    /// The field is absent and `extra` has the value as it came.
    Kept,
}
use Outcome::{Absent, Kept, Reads};

type Rows = Vec<(Value, Outcome)>;

fn rows(kind: &Kind) -> Rows {
    let rows = match kind {
        Kind::Text => text(),
        Kind::Name(names) => name(names),
        Kind::Texts => list(&text(), "vip", "athens"),
        Kind::Names(names) => list(&name(names), names[0], "Sent"),
        Kind::Ttl => ttl(),
        Kind::Float => float(),
        Kind::Bool => boolean(),
        Kind::U32 => whole(&[0, 1, 65_536, u32::MAX.into()], &[u64::from(u32::MAX) + 1, u64::MAX]),
        Kind::U64 => whole(&[0, 1, u32::MAX.into(), u64::from(u32::MAX) + 1, u64::MAX], &[]),
        Kind::Date => date(),
        Kind::Object(model, bare) => {
            let unknown = !model.fields.iter().any(|field| field.required);
            let bare = bare.map(|bare| model.field(bare).unwrap());
            object(unknown, bare.map(|field| (field.key, field.kind)))
        }
        Kind::Objects(_) => objects(),
        Kind::Values => values(),
    };
    [vec![(json!(null), Absent), (json!(""), Absent)], rows].concat()
}

fn kept(values: impl IntoIterator<Item = Value>) -> Rows {
    values.into_iter().map(|value| (value, Kept)).collect()
}

fn reads(values: impl IntoIterator<Item = (Value, Value)>) -> Rows {
    values.into_iter().map(|(value, typed)| (value, Reads(typed))).collect()
}

fn as_sent(texts: &[&str]) -> Rows {
    reads(texts.iter().map(|text| (json!(text), json!(text))))
}

/// A number as it is written in JSON, which a macro cannot say of every number.
fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Whole numbers and booleans become their text, for texts and for names.
fn scalars_as_text() -> Rows {
    let texts = ["0", "-7", "-9223372036854775808", "9223372036854775808", "18446744073709551615", "true", "false"];
    let none = ["1.5", "1.0", "1e2", "-0.5", "18446744073709551616", "-9223372036854775809", "[]", "[1]", "{}"];
    [
        reads(texts.map(|text| (number(text), json!(text)))),
        kept(none.map(number)),
        kept([json!(["a"]), json!([null]), json!({"a": 1})]),
    ]
    .concat()
}

fn text() -> Rows {
    let texts = ["a", " ", " a ", "null", "0", "1.5", "Καλή 🐣", "a\"b\\c\n\u{0}\u{2028}", "+306912345678"];
    [as_sent(&texts), scalars_as_text()].concat()
}

/// The names of an open enum in every spelling that is one, and other texts, which are kept as sent.
fn name(documented: &[&str]) -> Rows {
    let respelled = |name: &str| {
        let squeezed = name.replace(' ', "");
        let spaced: Vec<_> = squeezed.chars().map(String::from).collect();
        [
            name.to_owned(),
            name.to_lowercase(),
            name.to_uppercase(),
            name.replace(' ', "_"),
            name.replace(' ', "-").to_lowercase(),
            format!(" {squeezed}_"),
            spaced.join("-"),
        ]
    };
    let known = documented.iter().flat_map(|name| respelled(name).map(|spelling| (json!(spelling), json!(name))));
    let others = ["Sent", "x", " ", "_", "SEEN!", "ΣEEN", "Ｓeen", "Viber2", "Out bound.", "Timed\tOut", "İnbound"];
    [reads(known), as_sent(&others), scalars_as_text()].concat()
}

/// A list of what one item is read as; one item is a list of one.
fn list(item: &[(Value, Outcome)], one: &str, other: &str) -> Rows {
    let mut rows =
        reads([(json!([one, other]), json!([one, other])), (json!([other, 5, true]), json!([other, "5", "true"]))]);
    rows.extend([
        (json!([]), Absent),
        (json!([one, null]), Kept),
        (json!([null]), Kept),
        (json!([one, [other]]), Kept),
    ]);
    for (value, outcome) in item {
        match outcome {
            // A list here is one of items, and no item.
            _ if value.is_array() => {}
            Reads(typed) => {
                rows.push((value.clone(), Reads(json!([typed]))));
                rows.push((json!([other, value]), Reads(json!([other, typed]))));
            }
            _ => rows.extend([(value.clone(), Kept), (json!([other, value]), Kept)]),
        }
    }
    rows
}

fn ttl() -> Rows {
    let valid = [30, 31, 299, 300, 3600, 86_399, 86_400, 1_209_600];
    let invalid = [i64::MIN, -30, -1, 0, 10, 29, 86_401, 1_209_599, 1_209_601, 4_294_967_326, i64::MAX];
    let each = |seconds: i64| {
        let texts = ["", ".0", ".000"].map(|fraction| format!("{seconds}{fraction}"));
        [json!(seconds), number(&texts[1]), json!(texts[0]), json!(texts[1]), json!(texts[2])]
    };
    let not_whole = [
        "3600.5",
        "29.9999999999999999999",
        "30.00000000000000000001",
        "86400.0000000000000000001",
        "1e400",
        "3e99999999999999999999",
    ];
    let not_json = ["x", " 3600", "3600 ", "+3600", "03600", "3 600", "3600.", "1h", "0x1e", "NaN", "inf", "３600"];
    [
        reads(valid.into_iter().flat_map(|seconds| each(seconds).map(|value| (value, json!(seconds))))),
        kept(invalid.into_iter().flat_map(each)),
        reads(["3.6e3", "36000E-1", "0.36e+4"].map(|text| (json!(text), json!(3600)))),
        kept([not_whole.as_slice(), &not_json].concat().into_iter().map(Value::from)),
        kept(["18446744073709551615", "3600.5", "1e300", "true", "[]", "[3600]", "{}"].map(number)),
    ]
    .concat()
}

fn float() -> Rows {
    let exact = [
        ("0", 0.0),
        ("0.035", 0.035),
        ("0.00600000", 0.006),
        ("1.9243053591130521", 1.924_305_359_113_052_1),
        ("-2", -2.0),
        ("-2.5e3", -2_500.0),
        ("1E-2", 0.01),
        ("5e-324", 5e-324),
        ("1.7976931348623157e308", f64::MAX),
        ("9007199254740992", 9_007_199_254_740_992.0),
    ];
    let inexact = ["9007199254740993", "18446744073709551615"];
    // As numbers, `serde_json` makes the nearest one of these.
    let inexact_texts = [
        "-9223372036854775808",
        "18446744073709551616",
        "18446744073709551617",
        "29.9999999999999999999",
        "0.1000000000000000055511151231257827",
        "4.9e-324",
        "1e-400",
        "1e400",
        "1e99999999999999999999",
    ];
    let not_json =
        ["NaN", "inf", "-Infinity", "free", "0,035", "€0.035", "1.", ".5", "+1", " 1", "1 ", "01", "1e", "0x1"];
    [
        reads(exact.iter().map(|(text, value)| (number(text), json!(value)))),
        reads(exact.iter().map(|(text, value)| (json!(text), json!(value)))),
        // A number is what `serde_json` makes of it; a text is read if the float prints as the same number.
        reads([
            (number("-9223372036854775808"), json!(-9_223_372_036_854_775_808.0)),
            (number("18446744073709551616"), json!(18_446_744_073_709_551_616.0)),
            (json!("18446744073709552000"), json!(18_446_744_073_709_551_616.0)),
        ]),
        kept(inexact.iter().flat_map(|text| [number(text), json!(text)])),
        kept(inexact_texts.iter().chain(&not_json).map(|text| json!(text))),
        kept([json!(true), json!([]), json!([1]), json!({}), json!({"amount": 1})]),
    ]
    .concat()
}

fn boolean() -> Rows {
    [
        reads([(json!(true), json!(true)), (json!(false), json!(false))]),
        reads(["true", "True", "TRUE", "tRuE"].map(|text| (json!(text), json!(true)))),
        reads(["false", "False", "FALSE"].map(|text| (json!(text), json!(false)))),
        kept(["yes", "no", "0", "1", "t", " true", "true ", "ｔrue"].map(Value::from)),
        kept([json!(0), json!(1), json!(1.0), json!([]), json!([true]), json!({}), json!({"value": true})]),
    ]
    .concat()
}

/// Whole numbers, also as the whole decimals that mappers on the JVM write, below 2⁵³.
fn whole(valid: &[u64], invalid: &[u64]) -> Rows {
    let decimals = [
        ("0.0", 0),
        ("1.0", 1),
        ("7.000", 7),
        ("1E+1", 10),
        ("1e2", 100),
        ("1.2e1", 12),
        ("10E-1", 1),
        ("0e5", 0),
        ("-0", 0),
        ("-0.0", 0),
    ];
    let not_whole = ["1.5", "-1", "-1.0", "1e-1", "-9223372036854775808", "18446744073709551616", "1e300"];
    let not_json = ["x", "+1", "01", " 1", "1 ", "1.", "0x1", "１", "1e", "1.0 "];
    // As floats: from 2 to the power of 53 on they may stand for several whole numbers.
    let (last, first) = ("9007199254740991", "9007199254740992");
    let is_wide = valid.contains(&u64::MAX);
    let edge = [format!("{last}.0"), format!("{first}.0"), format!("{first}e0")];
    let [below, edges @ ..] = &edge;
    let below = [number(below), json!(below)];
    [
        if is_wide { reads(below.map(|value| (value, number(last)))) } else { kept(below) },
        kept(edges.iter().flat_map(|text| [number(text), json!(text)])),
        reads(decimals.iter().flat_map(|(text, value)| [(number(text), json!(value)), (json!(text), json!(value))])),
        reads(valid.iter().map(|value| (json!(value), json!(value)))),
        reads(valid.iter().map(|value| (json!(value.to_string()), json!(value)))),
        kept(invalid.iter().flat_map(|value| [json!(value), json!(value.to_string())])),
        kept(not_whole.map(number)),
        kept(not_whole.iter().chain(&not_json).map(|text| json!(text))),
        kept([json!(true), json!([]), json!([1]), json!({}), json!({"value": 1})]),
    ]
    .concat()
}

fn date() -> Rows {
    let texts = [
        ("2019-07-05T10:28:49Z", "2019-07-05T10:28:49Z"),
        ("2019-07-05T10:28:44.44Z", "2019-07-05T10:28:44.440Z"),
        ("2019-07-05T10:28:44.996Z", "2019-07-05T10:28:44.996Z"),
        ("2019-07-05T10:28:44.996123Z", "2019-07-05T10:28:44.996123Z"),
        ("2019-07-05T10:28:44.123456789Z", "2019-07-05T10:28:44.123456789Z"),
        ("2019-07-05T10:28:44.000000001Z", "2019-07-05T10:28:44.000000001Z"),
        ("2019-07-05t10:28:49z", "2019-07-05T10:28:49Z"),
        ("2019-07-05 10:28:49Z", "2019-07-05T10:28:49Z"),
        ("2019-07-05 10:28:49", "2019-07-05T10:28:49Z"),
        ("2019-07-05T10:28:49.5", "2019-07-05T10:28:49.500Z"),
        ("2019-07-05T10:28:44.996+0000", "2019-07-05T10:28:44.996Z"),
        ("2019-07-05T10:28:44.996-0000", "2019-07-05T10:28:44.996Z"),
        ("2019-07-05T13:28:49+03:00", "2019-07-05T10:28:49Z"),
        ("2019-07-05T13:28:49+0300", "2019-07-05T10:28:49Z"),
        ("2019-07-04T22:43:49-11:45", "2019-07-05T10:28:49Z"),
        ("2019-07-06T10:27:49+23:59", "2019-07-05T10:28:49Z"),
        ("2020-02-29T00:00:00Z", "2020-02-29T00:00:00Z"),
        ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:60Z"),
        ("2017-01-01T02:59:60.5+03:00", "2016-12-31T23:59:60.500Z"),
        // Without seconds, as Jackson writes a whole minute.
        ("2019-07-05T10:28Z", "2019-07-05T10:28:00Z"),
        ("2019-07-05T10:28", "2019-07-05T10:28:00Z"),
        ("2019-07-05 10:28", "2019-07-05T10:28:00Z"),
        ("2019-07-05T13:28+03:00", "2019-07-05T10:28:00Z"),
        ("2019-07-05T13:28+0300", "2019-07-05T10:28:00Z"),
        // With a zone id after the offset.
        ("2019-07-05T10:28:49Z[UTC]", "2019-07-05T10:28:49Z"),
        ("2019-07-05T13:28:49.5+03:00[Europe/Athens]", "2019-07-05T10:28:49.500Z"),
        ("2019-07-05T13:28+0300[Europe/Athens]", "2019-07-05T10:28:00Z"),
        ("2019-07-05T10:28:49+00:00[Etc/GMT+0]", "2019-07-05T10:28:49Z"),
        ("2019-07-05T10:28:49Z[A_z-0:9~.]", "2019-07-05T10:28:49Z"),
        // With the hours of an offset alone, and with a space before an offset.
        ("2019-07-05T13:28:49+03", "2019-07-05T10:28:49Z"),
        ("2019-07-05T13:28+03", "2019-07-05T10:28:00Z"),
        ("2019-07-05T05:28:49.5-05", "2019-07-05T10:28:49.500Z"),
        ("2019-07-06T09:28:49+23", "2019-07-05T10:28:49Z"),
        ("2019-07-05T10:28:49-00", "2019-07-05T10:28:49Z"),
        ("2019-07-05 13:28:49 +0300", "2019-07-05T10:28:49Z"),
        ("2019-07-05 13:28:49.25 +03:00", "2019-07-05T10:28:49.250Z"),
        ("2019-07-05T13:28 +03", "2019-07-05T10:28:00Z"),
        ("2019-07-05 10:28:49 Z", "2019-07-05T10:28:49Z"),
        ("2019-07-05 10:28:49 UTC", "2019-07-05T10:28:49Z"),
        ("2019-07-05T10:28:49.5 GMT", "2019-07-05T10:28:49.500Z"),
        ("2019-07-05T10:28 UTC", "2019-07-05T10:28:00Z"),
        ("2019-07-05T13:28:49+03[Europe/Athens]", "2019-07-05T10:28:49Z"),
        ("2019-07-05 13:28:49 +0300[Europe/Athens]", "2019-07-05T10:28:49Z"),
    ];
    // Numbers and their texts.
    let epochs = [
        ("1000000000", "2001-09-09T01:46:40Z"),
        ("1562322529", "2019-07-05T10:28:49Z"),
        ("1562322524.996", "2019-07-05T10:28:44.996Z"),
        ("1562322524.123456", "2019-07-05T10:28:44.123456Z"),
        ("1562322529.0", "2019-07-05T10:28:49Z"),
        ("1.562322529e9", "2019-07-05T10:28:49Z"),
        ("4000000000", "2096-10-02T07:06:40Z"),
        ("4099999999", "2099-12-03T16:53:19Z"),
        ("1000000000000", "2001-09-09T01:46:40Z"),
        ("1562322524996", "2019-07-05T10:28:44.996Z"),
        ("1562322524996.5", "2019-07-05T10:28:44.996500Z"),
        ("4099999999999", "2099-12-03T16:53:19.999Z"),
    ];
    // A number is rounded to the microsecond, which is what a float of today's seconds can hold.
    let rounded_numbers = [
        ("1000000000.0000004", "2001-09-09T01:46:40Z"),
        ("1000000000.0000006", "2001-09-09T01:46:40.000001Z"),
        ("1562322524.123456789", "2019-07-05T10:28:44.123457Z"),
        ("4099999999.9999995", "2099-12-03T16:53:20Z"),
    ];
    // A text is exact first and rounded then; none of these is a float.
    let exact_texts = [
        ("1000000000.0000004", "2001-09-09T01:46:40.000000400Z"),
        ("1562322524.123456789", "2019-07-05T10:28:44.123456789Z"),
        ("1562322524.1234567894999999999999", "2019-07-05T10:28:44.123456789Z"),
        ("1562322524.1234567895000000000000", "2019-07-05T10:28:44.123456790Z"),
        ("4099999999.9999999999", "2099-12-03T16:53:20Z"),
        ("1562322524996.123456", "2019-07-05T10:28:44.996123456Z"),
        ("1562322524996.0000005", "2019-07-05T10:28:44.996000001Z"),
        ("1562322524996.00000049999999999999", "2019-07-05T10:28:44.996Z"),
    ];
    let lists = [
        (json!([2019, 7, 5, 10, 28]), "2019-07-05T10:28:00Z"),
        (json!([2019, 7, 5, 10, 28, 44]), "2019-07-05T10:28:44Z"),
        (json!([2019, 7, 5, 10, 28, 44, 996_000_000]), "2019-07-05T10:28:44.996Z"),
        (json!([2019, 7, 5, 10, 28, 44, 0]), "2019-07-05T10:28:44Z"),
        (json!([2019, 7, 5, 10, 28, 44, 1000]), "2019-07-05T10:28:44.000001Z"),
        (json!([0, 1, 1, 0, 0]), "0000-01-01T00:00:00Z"),
        (json!([9999, 12, 31, 23, 59, 59, 999_999_999]), "9999-12-31T23:59:59.999999999Z"),
        (json!([2020, 2, 29, 0, 0]), "2020-02-29T00:00:00Z"),
    ];
    let not_dates = [
        "string",
        "now",
        "2019-07-05",
        "10:28:49",
        "05/07/2019",
        "2019-07-05T10",
        "2019-07-05T10Z",
        "2019-07-05T10:28.5Z",
        "2019-07-05T10:28:Z",
        "2019-07-05T10:28:4Z",
        "2019-07-05T10:28:49.Z",
        "2019-07-05T10:28:44.99 6Z",
        "2019-07-05T10:28:44.1234567891Z",
        "2019-07-05T10:28:49,5Z",
        "2019-07-05T10:28:49  Z",
        "2019-07-05T10:28:49 ",
        "2019-07-05T10:28:49 utc",
        "2019-07-05T10:28:49 Gmt",
        "2019-07-05T10:28:49GMT",
        "2019-07-05T10:28:49  UTC",
        "2019-07-05T10:28:49 UTC ",
        "2019-07-05T10:28:49 EST",
        "2019-07-05T10:28:49+3",
        "2019-07-05T10:28:49+24",
        "2019-07-05T10:28:49*03",
        "2019-07-05T10:28:49+003",
        "2019-07-05T10:28:49 [UTC]",
        " 2019-07-05T10:28:49Z",
        "2019-07-05T10:28:49Z ",
        "2019-07-05T10:28:49+24:00",
        "2019-07-05T10:28:49+00:60",
        "2019-07-05T10:28:49*00:00",
        "2019-07-05T10:28:49UTC",
        "2019-07-05_10:28:49Z",
        "2019-13-05T10:28:49Z",
        "2019-00-05T10:28:49Z",
        "2019-07-32T10:28:49Z",
        "2019-02-29T10:28:49Z",
        "2019-07-05T24:00:00Z",
        "2019-07-05T10:60:00Z",
        "2019-07-05T10:60Z",
        "2019-07-05T10:28:61Z",
        "2019-07-05T10:28:60Z",
        "0000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "+2019-07-05T10:28:49Z",
        "-001-07-05T10:28:49Z",
        "19-07-05T10:28:49Z",
        "２019-07-05T10:28:49Z",
        "2019-07-05T10:28:49[UTC]",
        "2019-07-05T10:28[UTC]",
        "2019-07-05T10:28:49Z[]",
        "2019-07-05T10:28:49Z[UTC",
        "2019-07-05T10:28:49ZUTC]",
        "2019-07-05T10:28:49Z[UTC] ",
        "2019-07-05T10:28:49Z[UTC][UTC]",
        "2019-07-05T10:28:49Z[U TC]",
        "2019-07-05T10:28:49Z[Αθήνα]",
        "2019-07-05T10:28:49Z[!u-ca=iso8601]",
        "[UTC]",
        "999999999.9999999999999999999",
        "4100000000",
        "4100000000.0000000001",
        "5000000000",
        "10000000000",
        "67231148000",
        "100000000000",
        "999999999999.9999999999999999",
        "4100000000000",
        "9999999999999",
        "20190705102844",
        "100000000000000",
        "-1562322529",
        "1562322529.",
        "+1562322529",
        " 1562322529",
        "01562322529",
        "1562322529e99999999999999999999",
    ];
    let not_epochs = [
        "0",
        "-1562322529",
        "999999999",
        "999999999.9",
        "4100000000",
        "4100000000.5",
        "10000000000",
        "67231148000",
        "100000000000",
        "999999999999",
        "4100000000000",
        "20190705102844",
        "100000000000000",
        "18446744073709551615",
        "1e300",
    ];
    let not_lists = [
        json!([]),
        json!([2019, 7, 5]),
        json!([2019, 7, 5, 10]),
        json!([2019, 7, 5, 10, 28, 44, 0, 0]),
        json!([2019, 7, 5, 10, 60]),
        json!([2019, 7, 5, 10, 28, 61]),
        json!([2019, 7, 5, 10, 28, 44, 1]),
        json!([2019, 7, 5, 10, 28, 44, 996]),
        json!([2019, 7, 5, 10, 28, 44, 999]),
        json!([2019, 7, 5, 10, 28, 44, 1_000_000_000]),
        json!([2016, 12, 31, 23, 59, 59, 1_000_000_000]),
        json!([2019, 7, 5, 24, 0]),
        json!([2019, 2, 29, 0, 0]),
        json!([2019, 13, 5, 10, 28]),
        json!([2019, 0, 5, 10, 28]),
        json!([2019, 7, 0, 10, 28]),
        json!([10_000, 1, 1, 0, 0]),
        json!([-1, 1, 1, 0, 0]),
        json!([2019, 7, 5, 10, -1]),
        json!([4_294_969_315_u64, 7, 5, 10, 28]),
        json!([2019, 4_294_967_303_u64, 5, 10, 28]),
        json!([2019, 7, 5, 10, 28.0]),
        json!([2019, 7, 5, 10, "28"]),
        json!([2019, 7, 5, 10, null]),
        json!([2019, 7, 5, 10, [28]]),
        json!(["2019-07-05T10:28:49Z"]),
    ];
    [
        reads(texts.iter().chain(&epochs).chain(&exact_texts).map(|(text, date)| (json!(text), json!(date)))),
        reads(epochs.iter().chain(&rounded_numbers).map(|(text, date)| (number(text), json!(date)))),
        reads(lists.map(|(list, date)| (list, json!(date)))),
        kept(not_dates.map(Value::from)),
        kept(not_epochs.map(number)),
        kept(not_lists),
        kept([json!(true), json!({}), json!({"$date": 1_562_322_524_996_u64})]),
    ]
    .concat()
}

/// An object with nothing that is known, a bare text, and everything that is no object.
fn object(takes_any: bool, bare: Option<(&str, Kind)>) -> Rows {
    let bare_texts = bare.map_or(kept([json!("a")]), |(key, kind)| {
        let texts = rows(&kind).into_iter().filter(|(value, _)| value.is_string());
        texts
            .map(|(text, outcome)| match outcome {
                Reads(typed) => (text, Reads(json!({key: typed}))),
                other => (text, other),
            })
            .collect()
    });
    [
        if takes_any { reads([(json!({}), json!({}))]) } else { kept([json!({}), json!({"unknown": [1]})]) },
        bare_texts,
        kept([json!(0), json!(-1), json!(1.5), json!(true), json!([]), json!(["a"]), json!([{}])]),
    ]
    .concat()
}

fn objects() -> Rows {
    [
        reads([json!([{}]), json!([{}, {"order": 1}]), json!([{"order": 1}, {}])].map(|list| (list.clone(), list))),
        // A thousand at the most.
        reads([json!(vec![json!({}); 999]), json!(vec![json!({}); 1000])].map(|list| (list.clone(), list))),
        kept([json!(vec![json!({}); 1001])]),
        vec![(json!([]), Absent)],
        kept([
            json!([{"order": "1", "TO": 5}, null]),
            json!([null]),
            json!([{"order": "1"}, 5]),
            json!(["a", {}]),
            json!([[]]),
        ]),
        kept([json!("a"), json!(5), json!(1.5), json!(true), json!({}), json!({"order": 1})]),
    ]
    .concat()
}

fn values() -> Rows {
    [
        reads([json!([1]), json!([null, "", [], {"a": {"b": 1.5}}])].map(|list| (list.clone(), list))),
        vec![(json!([]), Absent)],
        kept([json!("a"), json!(5), json!(1.5), json!(true), json!({}), json!({"0": 1})]),
    ]
    .concat()
}

#[test]
fn every_field_reads_every_value_as_designed() {
    for place in places() {
        let (key, path) = (place.field.key, place.path());
        for (value, outcome) in rows(&place.field.kind) {
            let body = place.with(key, &value);
            let read = place.root.read(&body);
            match (outcome, place.field.required) {
                (Reads(typed), _) => {
                    let read = read.unwrap_or_else(|error| panic!("{error}: {path} in {body}"));
                    assert_eq!((read.written, read.kept), (place.with(key, &typed), json!({})), "{path}: {value}");
                }
                (Absent, false) => {
                    let read = read.unwrap();
                    let absent: Value = serde_json::from_str(&place.text_with(&[])).unwrap();
                    assert_eq!((read.written, read.kept), (absent, json!({})), "{path}: {value}");
                }
                (Kept, false) => {
                    let read = read.unwrap();
                    let held = oracle::held(&value);
                    let expected = (place.with(key, &held), json!({path.as_str(): held}));
                    assert_eq!((read.written, read.kept), expected, "{path}: {value}");
                }
                (Absent | Kept, true) => match place.without_required() {
                    Ok(missing) => {
                        let error = read.unwrap_err();
                        assert_eq!(error.to_string(), format!("no readable `{missing}`"), "{path}: {value}");
                        assert_eq!(error.kind(), CallbackErrorKind::MissingField);
                        assert_eq!(error.path(), Some(missing.as_str()));
                    }
                    Err(object) => {
                        let kept = read.unwrap().kept;
                        assert_eq!(kept, json!({object: {key: oracle::held(&value)}}), "{path}: {value}");
                    }
                },
            }
        }
    }
}

#[test]
fn every_field_may_be_absent() {
    for place in places() {
        let body: Value = serde_json::from_str(&place.text_with(&[])).unwrap();
        let read = place.root.read(&body);
        if !place.field.required {
            let read = read.unwrap();
            assert_eq!((read.written, read.kept, read.reported), (body, json!({}), vec![]), "{}", place.path());
            continue;
        }
        match place.without_required() {
            Ok(missing) => assert_eq!(read.unwrap_err().to_string(), format!("no readable `{missing}`")),
            Err(object) => assert_eq!(read.unwrap().kept, json!({object: {}})),
        }
    }
}

/// What has no field stays where it is, whatever it is, in every object.
#[test]
fn every_unknown_field_is_kept_as_it_came() {
    let values =
        [json!(null), json!(""), json!(5), json!(1.5), json!(u64::MAX), json!(true), json!([[]]), json!({"a": []})];
    for place in places() {
        let value = common::sample(place.field);
        for unknown in &values {
            let text = place.text_with(&[("+new", unknown), (place.field.key, &value)]);
            let body: Value = serde_json::from_str(&text).unwrap();
            let read = place.root.read(&body).unwrap();
            assert_eq!((read.written, read.kept), (body, json!({place.path_of("+new"): unknown})));
        }
    }
}

/// What is kept keeps its order, where objects have one.
#[test]
fn what_is_kept_keeps_its_order() {
    for place in places().iter().filter(|place| !place.field.required && !matches!(place.field.kind, Kind::Values)) {
        let key = place.field.key;
        let other = if key.to_ascii_uppercase() == key { key.to_ascii_lowercase() } else { key.to_ascii_uppercase() };
        let unreadable = json!([[]]);
        let entries =
            [("+z", &json!(1)), (&other, &json!(2)), ("+a", &json!(3)), (key, &unreadable), ("+b", &json!(4))];
        let body: Value = serde_json::from_str(&place.text_with(&entries)).unwrap();
        let read = place.root.read(&body).unwrap();
        assert_eq!(read.written, body);
        if preserves_order() {
            assert_eq!(read.written.to_string(), body.to_string());
        }
    }
}
