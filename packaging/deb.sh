#!/bin/sh
# Builds the Debian package: the program, then what it says its configuration file is, then the package of both.
set -eu
cd "$(dirname "$0")/.."
target="${1:-}"
cargo="${CARGO:-cargo}"
folder="${CARGO_TARGET_DIR:-$("$cargo" metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')}"
# The allocator takes the page size of this machine, and ends at once where pages are larger: on arm64 up to 64 KiB.
case "${target:-$(uname -m)}" in
  aarch64*) export JEMALLOC_SYS_WITH_LG_PAGE=16 ;;
esac
"$cargo" build --release --locked --package greenroom ${target:+--target "$target"}
# The release profile strips it; with symbols it would be several times as large.
test "$(wc -c < "$folder/${target:+$target/}release/greenroom")" -le 27262976
mkdir -p target/package
"$folder/${target:+$target/}release/greenroom" config init |
  sed 's|^# data_dir = .*|data_dir = "/var/lib/greenroom"|' > target/package/greenroom.toml
# Without that line the commands would look in the home of whoever calls them.
grep -q '^data_dir = "/var/lib/greenroom"$' target/package/greenroom.toml
# What its command line says of itself: completions of the shells, and man pages.
program="$folder/${target:+$target/}release/greenroom"
mkdir -p target/package/completions
for shell in bash zsh fish; do
  "$program" completions "$shell" > "target/package/completions/greenroom.$shell"
done
rm -rf target/package/man
"$program" man target/package/man
"$cargo" deb --no-build --locked --package greenroom ${target:+--target "$target"}
