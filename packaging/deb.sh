#!/bin/sh
# Builds the Debian package: the program, then what it says its configuration file is, then the package of both.
set -eu
cd "$(dirname "$0")/.."
target="${1:-}"
cargo="${CARGO:-cargo}"
program="$(sh packaging/build.sh "$target")"
sh packaging/generate.sh "$program"
mkdir -p target/dist
"$cargo" deb --no-build --locked --package greenroom ${target:+--target "$target"} --output target/dist/
