#!/usr/bin/env bash
# serde-pickle refuses a list of texts that stands twice in a pickle as "recursive".
#
# Expected: serde-pickle 1.2.0 reads what Python 3.11 pickles for
#     groups = ["x"]; pickle.dumps({"a": groups, "b": groups}, 4)
# as {"a": ["x"], "b": ["x"]}: nothing in it is recursive, and the second list is a plain reference to the first.
#
# So it is: "recursive structure found". With [1] in the place of ["x"] it is read. Python memoizes strings as well, and
# the one in the list is no longer there when the list is read for the second time. Seen with rustc 1.95.0; the output
# is below.
#
# Exits with 1 if that changes.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/src"
cat >"$dir/Cargo.toml" <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"

[dependencies]
serde-pickle = "=1.2.0"
serde_json = "=1.0.154"
TOML
cat >"$dir/src/main.rs" <<'RUST'
use serde_json::Value;
use serde_pickle::{from_slice, DeOptions};

fn main() {
    let numbers = b"\x80\x04\x95\x14\0\0\0\0\0\0\0}\x94(\x8c\x01a\x94]\x94K\x01a\x8c\x01b\x94h\x02u.";
    let texts = b"\x80\x04\x95\x16\0\0\0\0\0\0\0}\x94(\x8c\x01a\x94]\x94\x8c\x01x\x94a\x8c\x01b\x94h\x02u.";
    for pickle in [&numbers[..], &texts[..]] {
        let read: Result<Value, _> = from_slice(pickle, DeOptions::new());
        println!("{:?}", read.map(|value| value.to_string()).map_err(|error| error.to_string()));
    }
}
RUST

# Prints what is seen, and compares it with what was seen before.
check() {
    cargo run --quiet --manifest-path "$dir/Cargo.toml" --target-dir "$dir/target" "$@" |
        tee /dev/stderr | diff - /dev/fd/3
}
check 3<<'OUT'
Ok("{\"a\":[1],\"b\":[1]}")
Err("decoding error: recursive structure found")
OUT
echo 'as before'
