#!/bin/sh
# Builds the program as it is released, for TARGET (this machine's own if empty), weighs it, and prints its path.
set -eu
cd "$(dirname "$0")/.."
target="${1:-}"
cargo="${CARGO:-cargo}"
folder="${CARGO_TARGET_DIR:-$("$cargo" metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')}"
# The allocator takes the page size of this machine, and ends at once where pages are larger: on arm64 up to 64 KiB.
case "${target:-$(uname -m)}" in
  aarch64*) export JEMALLOC_SYS_WITH_LG_PAGE=16 ;;
esac
"$cargo" build --release --locked --package greenroom ${target:+--target "$target"} >&2
program="$folder/${target:+$target/}release/greenroom"
# The release profile strips it; with symbols it would be several times as large.
bytes="$(wc -c < "$program")"
[ "$bytes" -le 41943040 ] || { echo "$program has $bytes bytes, which is more than 40 MiB: see the settings of its profile" >&2; exit 1; }
echo "$program"
