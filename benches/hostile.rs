//! The worst bodies that we know of, about a megabyte each: the time and the peak of memory that they cost
//! for each of their bytes, beside what they cost `serde_json::Value`, which knows nothing of callbacks.
#![allow(clippy::print_stdout, reason = "the table")]

use std::hint::black_box;
use std::time::Duration;

use allocation_counter::measure as count;
use routee_viber::{Incoming, ViberCallback};
use routee_viber_benches::timing::{measure, median, rounds};
use routee_viber_benches::{FROM_SLICE, INCOMING, OURS, Variant};
use serde_json::Value;

/// Far enough below the depth at which `serde_json` gives up.
const DEPTH: usize = 100;

fn main() {
    let rounds = rounds(7);
    let size = if rounds == 1 { 10_000 } else { 1_000_000 };
    println!("{:<44}{:^48}{:^48}", "", "ns per byte", "peak bytes per byte");
    let readers = format!("{:>8}{:>8}{:>16}{:>16}", "Value", OURS, "from_slice", "Incoming");
    println!("{:<44}{readers}{readers}", "");
    for (name, body) in bodies(size) {
        let length = body.len() as f64;
        let body: &'static [u8] = body.leak();
        // `from_slice` alone mends broken text; if the others stop at it there is nothing to compare.
        let stops_early = |error: serde_json::Error| error.column() < body.len() / 2;
        let is_broken = serde_json::from_slice::<Value>(body).is_err_and(stops_early);
        let mut variants = vec![
            variant(FROM_SLICE, move || ViberCallback::from_slice(body).is_ok()),
            variant(INCOMING, move || Incoming::from_slice(body).is_ok()),
        ];
        if !is_broken {
            variants.push(variant(OURS, move || serde_json::from_slice::<ViberCallback>(body).is_ok()));
            variants.push(variant("Value", move || serde_json::from_slice::<Value>(body).is_ok()));
        }
        let times = measure(&variants, rounds, Duration::from_millis(20));
        let times = times.into_iter().map(|times| median(times) / length);
        let peaks = variants.iter().map(|variant| count(|| (variant.run)()).bytes_max as f64 / length);
        println!("{name:<44}{}{}", columns(times), columns(peaks));
    }
}

fn variant(name: &'static str, read: impl Fn() -> bool + 'static) -> Variant {
    let run = Box::new(move || {
        black_box(read());
    });
    Variant { name, run }
}

/// The figures of `from_slice`, `Incoming`, ours and `Value` in the order of the table, the first two also by the last.
fn columns(figures: impl Iterator<Item = f64>) -> String {
    match figures.collect::<Vec<_>>()[..] {
        [own, incoming, ours, value] => {
            let with_ratio = |figure: f64| format!("{figure:>8.2}{:>8}", format!("x{:.2}", figure / value));
            format!("{value:>8.2}{ours:>8.2}{}{}", with_ratio(own), with_ratio(incoming))
        }
        [own, incoming] => format!("{:>8}{:>8}{own:>8.2}{:>8}{incoming:>8.2}{:>8}", "-", "-", "", ""),
        _ => unreachable!("two readers or four"),
    }
}

fn bodies(size: usize) -> Vec<(&'static str, Vec<u8>)> {
    let many = |open: &str, unit: &dyn Fn(usize) -> Vec<u8>, separator: &str, close: &str| {
        body(size, open, unit, separator, close)
    };
    let text = |unit: &'static [u8]| many(r#""label":""#, &|_| unit.to_vec(), "", r#"""#);
    let list = |key: &str, unit: &'static str, last: &str| {
        let open = format!(r#""{key}":["#);
        many(&open, &|_| unit.into(), ",", &format!("{last}]"))
    };
    let entries = |entry: &dyn Fn(usize) -> String| many("", &|at| entry(at).into(), ",", "");
    let number = |open, close| many(open, &|_| b"7".to_vec(), "", close);
    let nested = ["[".repeat(DEPTH), "]".repeat(DEPTH)].concat();
    let nested_raw =
        [r#"{"$serde_json::private::RawValue":"#.repeat(DEPTH), "0".to_owned(), "}".repeat(DEPTH)].concat();
    let prefix = "k".repeat(1_000);
    let mut cut = entries(&|at| format!(r#""key{at}":{at}"#));
    cut.pop();
    let mut broken_and_cut = text(br"\ud83d");
    broken_and_cut.pop();

    vec![
        ("a long text", text(b"a")),
        ("escapes", text(br"\u00e9")),
        ("short escapes", text(br"\n")),
        ("bytes that are not UTF-8", text(b"\xff")),
        ("lone surrogates", text(br"\ud83d")),
        ("lone surrogates, and cut off", broken_and_cut),
        ("backslashes, one lone surrogate", { many(r#""from":"\ud83d","label":""#, &|_| br"\\".to_vec(), "", r#"""#) }),
        ("white space", many("", &|_| b" ".to_vec(), "", r#""to":1"#)),
        ("a number of many digits", number(r#""price":0."#, "")),
        ("a number of many digits in a text", number(r#""price":"0."#, r#"""#)),
        ("a TTL of many digits in a text", number(r#""ttl":""#, r#"""#)),
        ("a date of many digits", number(r#""createdAt":"2019-07-05T10:28:49."#, r#"""#)),
        ("an object that looks like a number", { number(r#""body":{"$serde_json::private::Number":""#, r#""}"#) }),
        ("an object that looks like raw JSON", {
            many(r#""body":{"$serde_json::private::RawValue":""#, &|_| b"[".to_vec(), "", r#""}"#)
        }),
        ("objects that look like numbers", list("x", r#"{"$serde_json::private::Number":"7"}"#, "")),
        ("objects that look like raw JSON", list("x", r#"{"$serde_json::private::RawValue":"7"}"#, "")),
        ("raw JSON within raw JSON", list("x", nested_raw.leak(), "")),
        ("unknown keys", entries(&|at| format!(r#""{}":0"#, at.reverse_bits()))),
        ("unknown keys, sorted", entries(&|at| format!(r#""{at:07}":0"#))),
        ("unknown keys with one long beginning", entries(&|at| format!(r#""{prefix}{at}":0"#))),
        ("unknown keys, and cut off", cut),
        ("a key in every case, read", { entries(&|at| format!(r#""{}":"x""#, in_case("originatingService", at))) }),
        ("a key in every case, not readable", {
            entries(&|at| format!(r#""{}":[]"#, in_case("originatingService", at)))
        }),
        ("a key in every case, null", { entries(&|at| format!(r#""{}":null"#, in_case("originatingService", at))) }),
        // From 2 to the power of its letters on, each stands once more.
        ("a mark of a kind in every case, again null", {
            let value = |at| if at >> "campaignStatus".len() == 0 { "1" } else { "null" };
            entries(&|at| format!(r#""{}":{}"#, in_case("campaignStatus", at), value(at)))
        }),
        ("a key in every case, in another object", {
            let entry = |at| format!(r#""{}":[]"#, in_case("iosFallbackText", at)).into();
            many(r#""BODY":{"#, &entry, ",", "}")
        }),
        ("one key again and again in an unknown value", { many(r#""x":{"#, &|_| br#""a":0"#.to_vec(), ",", "}") }),
        ("an unknown list of zeros", list("x", "0", "")),
        ("an unknown list of empty objects", list("x", "{}", "")),
        ("nested lists", list("x", nested.leak(), "")),
        ("nested lists as body", list("body", "[[]]", "")),
        ("groups", list("groups", r#""athens""#, "")),
        ("groups without letters", list("groups", r#""""#, "")),
        ("groups that are numbers", list("groups", "0", "")),
        ("groups, the last one null", list("groups", r#""athens""#, ",null")),
        ("groups without letters, the last one null", list("groups", r#""""#, ",null")),
        ("steps of a failover callback", list("messages", r#"{"status":{"name":"SEEN"}}"#, "")),
        ("steps without anything", list("messages", "{}", "")),
        ("steps without anything, the last one null", list("messages", "{}", ",null")),
        ("steps with one key twice", list("messages", r#"{"to":1,"TO":1,"to":1}"#, "")),
        ("groups, one null at the front", many(r#""groups":[null,"#, &|_| br#""athens""#.to_vec(), ",", "]")),
    ]
}

/// A body of that size: `open`, as many units as fit with `separator` between them, `close`.
fn body(size: usize, open: &str, unit: &dyn Fn(usize) -> Vec<u8>, separator: &str, close: &str) -> Vec<u8> {
    let mut body = br#"{"trackingId":"1","status":"SEEN","#.to_vec();
    body.extend_from_slice(open.as_bytes());
    for at in 0.. {
        body.extend(unit(at));
        if body.len() >= size {
            break;
        }
        body.extend_from_slice(separator.as_bytes());
    }
    body.extend_from_slice(close.as_bytes());
    body.push(b'}');
    body
}

/// A key with its letters in the case that the bits of a number say.
fn in_case(key: &str, bits: usize) -> String {
    let cased = |(bit, letter): (usize, char)| match bits >> bit & 1 {
        0 => letter.to_ascii_lowercase(),
        _ => letter.to_ascii_uppercase(),
    };
    key.chars().enumerate().map(cased).collect()
}
