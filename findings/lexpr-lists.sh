#!/usr/bin/env bash
# serde-lexpr reads a list whose type is not asked for as pairs within each other.
#
# Expected: serde-lexpr 0.1.3 reads back the list that it wrote, also as serde_json::Value or any other type that takes
# whatever comes. Its docs say that lists and vectors are both read as sequences, and that its forms are chosen "without
# introducing ambiguities".
#
# So it is: (1 "a" #t), which it wrote for [1,"a",true], is read as [1,["a",[true,[]]]], without an error. As Vec<u32>
# the same kind of list is read as it was, and so is the vector #(1 "a" #t). Seen with rustc 1.95.0; the output is
# below.
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
serde-lexpr = "=0.1.3"
serde_json = "=1.0.154"
TOML
cat >"$dir/src/main.rs" <<'RUST'
use serde_json::{json, Value};

fn main() {
    let list = serde_lexpr::to_string(&json!([1, "a", true])).unwrap();
    let read: Value = serde_lexpr::from_str(&list).unwrap();
    println!("{list} is read as {read}");
    let read: Value = serde_lexpr::from_str("#(1 \"a\" #t)").unwrap();
    println!("#(1 \"a\" #t) is read as {read}");
    let read: Vec<u32> = serde_lexpr::from_str("(1 2 3)").unwrap();
    println!("(1 2 3) is read as {read:?} if a Vec<u32> is asked for");
}
RUST

# Prints what is seen, and compares it with what was seen before.
check() {
    cargo run --quiet --manifest-path "$dir/Cargo.toml" --target-dir "$dir/target" "$@" |
        tee /dev/stderr | diff - /dev/fd/3
}
check 3<<'OUT'
(1 "a" #t) is read as [1,["a",[true,[]]]]
#(1 "a" #t) is read as [1,"a",true]
(1 2 3) is read as [1, 2, 3] if a Vec<u32> is asked for
OUT
echo 'as before'
