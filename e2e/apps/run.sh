#!/bin/sh
# What real apps ask, directly and through the built program, as a table: measure.py tells the rest. `sh e2e/apps/run.sh
# client` holds an app with the Python client in place of its caches against the app as it is: client.py.
set -eu
apps="$(cd "$(dirname "$0")" && pwd)"
from_here() { case "$1" in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac; }

target="$(from_here "${CARGO_TARGET_DIR:-$apps/../../target}")"
GREENROOM_BINARY="$(from_here "${GREENROOM_BINARY:-$target/release/greenroom}")"
GREENROOM_E2E_LOGS="$(from_here "${GREENROOM_E2E_LOGS:-$target/e2e}")"
export GREENROOM_BINARY GREENROOM_E2E_LOGS
if [ ! -x "$GREENROOM_BINARY" ]; then
  echo "missing: $GREENROOM_BINARY; run: cargo build --release -p greenroom" >&2
  exit 1
fi
sh "$apps/../prepare.sh"
script=measure
if [ "${1:-}" = client ]; then
  script=client
  shift
fi
exec "$apps/../.venv/bin/python" "$apps/$script.py" "$@"
