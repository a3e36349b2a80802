#!/bin/sh
# Writes the bill of materials of the released program, as CycloneDX: target/dist/*.cdx.json.
set -eu
cd "$(dirname "$0")/.."
target="$1"
cargo="${CARGO:-cargo}"
mkdir -p target/dist
"$cargo" cyclonedx --manifest-path crates/greenroom/Cargo.toml --format json --spec-version 1.5 --target "$target" \
  --no-build-deps --override-filename bill-of-materials >&2
version="$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)"
# The build's paths stay private.
sed "s|$PWD|/greenroom|g" crates/greenroom/bill-of-materials.json > "target/dist/greenroom-$version-$target.cdx.json"
# One file is written beside every manifest.
find bench crates -name bill-of-materials.json -exec rm -f {} +
echo "target/dist/greenroom-$version-$target.cdx.json"
