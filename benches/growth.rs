//! The time per byte of bodies that grow in one dimension each, from a kilobyte to a megabyte: one table,
//! whose rows stay level where the cost is linear.

use std::time::Duration;

use routee_viber::ViberCallback;
use routee_viber_benches::timing::{measure, median, rounds};
use routee_viber_benches::{FROM_SLICE, OURS, VALUE, Variant, reader};
use serde_json::Value;

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// Far enough below the depth at which `serde_json` gives up.
const DEPTH: usize = 100;

/// What a body has many of: `open`, the units with `separator` between them, `close`.
struct Dimension {
    name: &'static str,
    open: &'static str,
    unit: fn(usize) -> Vec<u8>,
    separator: &'static str,
    close: &'static str,
    /// Whether `from_slice` alone takes it.
    is_broken: bool,
}

const TEXT: Dimension = Dimension {
    name: "long text",
    open: r#""label":""#,
    unit: |_| b"a".to_vec(),
    separator: "",
    close: r#"""#,
    is_broken: false,
};

const KEYS: Dimension = Dimension {
    name: "many unknown keys",
    open: "",
    unit: |at| format!(r#""key{at}":{at}"#).into_bytes(),
    separator: ",",
    close: "",
    is_broken: false,
};

const DIMENSIONS: [Dimension; 7] = [
    TEXT,
    Dimension { name: "long text, escaped", unit: |_| br"\u00e9".to_vec(), ..TEXT },
    Dimension { name: "long text, broken", unit: |_| b"\xff\\ud83d".to_vec(), is_broken: true, ..TEXT },
    Dimension { name: "many groups", open: r#""groups":["#, unit: |_| br#""athens""#.to_vec(), close: "]", ..KEYS },
    KEYS,
    Dimension {
        name: "many spellings",
        unit: |at| format!(r#""{}":[]"#, spelling("originatingService", at)).into_bytes(),
        ..KEYS
    },
    Dimension {
        name: "deep unknown values",
        open: r#""path":["#,
        unit: |_| ["[".repeat(DEPTH), "]".repeat(DEPTH)].concat().into_bytes(),
        close: "]",
        ..KEYS
    },
];

fn main() {
    let rounds = rounds(20);
    println!("nanoseconds per byte, medians of {rounds} rounds");
    for read in [OURS, FROM_SLICE, VALUE] {
        print!("\n{read:<24}");
        for size in SIZES {
            print!("{:>12}", format!("{} KB", size / 1_000));
        }
        println!();
        for dimension in DIMENSIONS.iter().filter(|it| read == FROM_SLICE || !it.is_broken) {
            let bodies = SIZES.map(|size| dimension.body(size));
            let lengths = bodies.each_ref().map(Vec::len);
            let variants = bodies.map(|body| variant(read, body));
            let times = measure(&variants, rounds, Duration::from_millis(5));
            print!("{:<24}", dimension.name);
            for (times, length) in times.into_iter().zip(lengths) {
                print!("{:>12.2}", median(times) / length as f64);
            }
            println!();
        }
    }
}

fn variant(read: &'static str, body: Vec<u8>) -> Variant {
    let body = body.leak();
    match read {
        OURS => reader(read, body, serde_json::from_slice::<ViberCallback>),
        FROM_SLICE => reader(read, body, ViberCallback::from_slice),
        _ => reader(read, body, serde_json::from_slice::<Value>),
    }
}

impl Dimension {
    fn body(&self, size: usize) -> Vec<u8> {
        let mut body = br#"{"trackingId":"1","status":"SEEN","#.to_vec();
        body.extend_from_slice(self.open.as_bytes());
        for at in 0.. {
            body.extend((self.unit)(at));
            if body.len() >= size {
                break;
            }
            body.extend_from_slice(self.separator.as_bytes());
        }
        body.extend_from_slice(self.close.as_bytes());
        body.push(b'}');
        body
    }
}

/// Another spelling of a key: its letters in the case that the bits of `at` say.
fn spelling(key: &str, at: usize) -> String {
    let cased = |(bit, letter): (usize, char)| match at >> bit & 1 {
        0 => letter.to_ascii_lowercase(),
        _ => letter.to_ascii_uppercase(),
    };
    key.chars().enumerate().map(cased).collect()
}
