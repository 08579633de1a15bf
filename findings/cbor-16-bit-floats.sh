#!/usr/bin/env bash
# Two of three crates for CBOR do not read 0.5 as the third writes it.
#
# Expected: cbor4ii 1.2.4 and minicbor-serde 0.7.2 read every float of RFC 8949. The 16-bit float is one of its three
# sizes, and ciborium 0.2.2 writes each float in the smallest size that keeps its value.
#
# So it is: both read 0.035 (64 bits). 0.5 (16 bits, f9 3800) is an error by default; it is read if cbor4ii has its
# feature half-f16 and minicbor-serde its feature half. Seen with rustc 1.95.0; the output is below.
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

[features]
half = ["cbor4ii/half-f16", "minicbor-serde/half"]

[dependencies]
cbor4ii = { version = "=1.2.4", features = ["serde1", "use_std"] }
ciborium = "=0.2.2"
minicbor-serde = { version = "=0.7.2", features = ["std"] }
serde_json = "=1.0.154"
TOML
cat >"$dir/src/main.rs" <<'RUST'
use serde_json::Value;

fn main() {
    for number in [0.035, 0.5] {
        let mut cbor = Vec::new();
        ciborium::into_writer(&number, &mut cbor).unwrap();
        println!("ciborium writes {number} as {cbor:02x?}");
        let read: Result<Value, _> = cbor4ii::serde::from_slice(&cbor);
        println!("cbor4ii reads {:?}", read.map_err(|error| error.to_string()));
        let read: Result<Value, _> = minicbor_serde::from_slice(&cbor);
        println!("minicbor-serde reads {:?}", read.map_err(|error| error.to_string()));
    }
}
RUST

# Prints what is seen, and compares it with what was seen before.
check() {
    cargo run --quiet --manifest-path "$dir/Cargo.toml" --target-dir "$dir/target" "$@" |
        tee /dev/stderr | diff - /dev/fd/3
}
check 3<<'OUT'
ciborium writes 0.035 as [fb, 3f, a1, eb, 85, 1e, b8, 51, ec]
cbor4ii reads Ok(Number(0.035))
minicbor-serde reads Ok(Number(0.035))
ciborium writes 0.5 as [f9, 38, 00]
cbor4ii reads Err("Core(Unsupported { name: \"any\", found: 249 })")
minicbor-serde reads Err("unexpected type f16 at position 0: unexpected type")
OUT
check --features half 3<<'OUT'
ciborium writes 0.035 as [fb, 3f, a1, eb, 85, 1e, b8, 51, ec]
cbor4ii reads Ok(Number(0.035))
minicbor-serde reads Ok(Number(0.035))
ciborium writes 0.5 as [f9, 38, 00]
cbor4ii reads Ok(Number(0.5))
minicbor-serde reads Ok(Number(0.5))
OUT
echo 'as before'
