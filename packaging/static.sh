#!/bin/sh
# Builds a static program and packs it with its completions, man pages, unit and licences: target/dist/*.tar.gz.
set -eu
cd "$(dirname "$0")/.."
target="$1"
program="$(sh packaging/build.sh "$target")"
sh packaging/generate.sh "$program"
version="$("$program" --version | sed 's/^greenroom //; s/ .*//')"
name="greenroom-$version-$target"
folder="target/package/$name"
rm -rf "$folder"
mkdir -p "$folder" target/dist
install -m 755 "$program" "$folder/greenroom"
cp -r target/package/completions target/package/man packaging/greenroom.service docs/install.md LICENSE-MIT LICENSE-APACHE "$folder"
cp target/package/greenroom.toml "$folder/greenroom.toml"
# The same content makes the same archive, whenever it is packed.
tar --create --gzip --file "target/dist/$name.tar.gz" --directory target/package --sort=name --owner=0 --group=0 \
  --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-0}" "$name"
echo "target/dist/$name.tar.gz"
