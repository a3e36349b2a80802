#!/bin/sh
# Writes target/dist/SHA256SUMS over everything else there.
set -eu
cd "$(dirname "$0")/../target/dist"
find . -maxdepth 1 -type f ! -name SHA256SUMS | sed 's|^\./||' | LC_ALL=C sort | xargs sha256sum > SHA256SUMS
cat SHA256SUMS
