#!/usr/bin/env bash
# serde_amqp reads a map with symbols as keys into &str, and not into String.
#
# Expected: serde_amqp 0.18.0 reads the same bytes into BTreeMap<String, _> as into BTreeMap<&str, _>. Symbols are the
# usual keys of maps in AMQP 1.0 (fields and annotations have no other kind of text).
#
# So it is: into &str and into serde_json::Value the map is read; into String it is an error, "Invalid format code". A
# type with String keys, or whose keys are asked for by deserialize_string, therefore reads no such map. Seen with rustc
# 1.95.0; the output is below.
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
serde_amqp = "=0.18.0"
serde_json = "=1.0.154"
TOML
cat >"$dir/src/main.rs" <<'RUST'
use std::collections::BTreeMap;

use serde_amqp::primitives::Symbol;

fn main() {
    let map = serde_amqp::to_vec(&BTreeMap::from([(Symbol::from("a"), 1)])).unwrap();
    println!("{map:02x?}");
    let read: Result<BTreeMap<&str, i32>, _> = serde_amqp::from_slice(&map);
    println!("&str: {:?}", read.map_err(|error| error.to_string()));
    let read: Result<serde_json::Value, _> = serde_amqp::from_slice(&map);
    println!("Value: {:?}", read.map(|value| value.to_string()).map_err(|error| error.to_string()));
    let read: Result<BTreeMap<String, i32>, _> = serde_amqp::from_slice(&map);
    println!("String: {:?}", read.map_err(|error| error.to_string()));
}
RUST

# Prints what is seen, and compares it with what was seen before.
check() {
    cargo run --quiet --manifest-path "$dir/Cargo.toml" --target-dir "$dir/target" "$@" |
        tee /dev/stderr | diff - /dev/fd/3
}
check 3<<'OUT'
[c1, 06, 02, a3, 01, 61, 54, 01]
&str: Ok({"a": 1})
Value: Ok("{\"a\":1}")
String: Err("Invalid format code")
OUT
echo 'as before'
