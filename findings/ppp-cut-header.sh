#!/usr/bin/env bash
# ppp takes a PROXY header for malformed if it is cut before its last port.
#
# Expected: ppp 2.3.0 says of each part of a header that it is incomplete, so that one reads on. Its docs say of
# PartialResult that "a terminal error will not result in a success even with more bytes".
#
# So it is: of a header of version 1 that has arrived up to the space before the destination's port, it says
# InvalidDestinationPort, which is complete; with the rest of its bytes the header is read. All other parts are
# incomplete. Seen with rustc 1.95.0; the output is below.
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
ppp = "=2.3.0"
TOML
cat >"$dir/src/main.rs" <<'RUST'
use ppp::{HeaderResult, PartialResult};

fn main() {
    let header = "PROXY TCP4 192.0.2.1 10.0.0.1 4660 80\r\n";
    for length in 1..=header.len() {
        let part = &header[..length];
        if HeaderResult::parse(part.as_bytes()).is_complete() {
            println!("complete: {part:?}");
        }
    }
}
RUST

# Prints what is seen, and compares it with what was seen before.
cargo run --quiet --manifest-path "$dir/Cargo.toml" --target-dir "$dir/target" | tee /dev/stderr | diff - /dev/fd/3 3<<'OUT'
complete: "PROXY TCP4 192.0.2.1 10.0.0.1 4660 "
complete: "PROXY TCP4 192.0.2.1 10.0.0.1 4660 80\r\n"
OUT
echo 'as before'
