#!/bin/sh
# Writes into target/package what PROGRAM says of itself: its configuration file, completions of the shells, man pages.
set -eu
cd "$(dirname "$0")/.."
program="$1"
mkdir -p target/package/completions
"$program" config init |
  sed 's|^# data_dir = .*|data_dir = "/var/lib/greenroom"|' > target/package/greenroom.toml
# Without that line the commands would look in the home of the calling user.
grep -q '^data_dir = "/var/lib/greenroom"$' target/package/greenroom.toml
for shell in bash zsh fish; do
  "$program" completions "$shell" > "target/package/completions/greenroom.$shell"
done
rm -rf target/package/man
"$program" man target/package/man
