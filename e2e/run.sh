#!/bin/sh
# Runs the real clients against the built program, then the page in a real browser. `sh e2e/run.sh browser libraries`
# runs those tests of the page alone; any other arguments go to pytest: `sh e2e/run.sh -k playlist`.
set -eu
here="$(cd "$(dirname "$0")" && pwd)"
from_here() { case "$1" in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac; }

target="$(from_here "${CARGO_TARGET_DIR:-$(dirname "$here")/target}")"
GREENROOM_BINARY="$(from_here "${GREENROOM_BINARY:-$target/debug/greenroom}")"
GREENROOM_E2E_LOGS="$(from_here "${GREENROOM_E2E_LOGS:-$target/e2e}")"
export GREENROOM_BINARY GREENROOM_E2E_LOGS
if [ ! -x "$GREENROOM_BINARY" ]; then
  echo "missing: $GREENROOM_BINARY; run: cargo build -p greenroom" >&2
  exit 1
fi
cd "$here"
# A run that hangs is interrupted, so that it stops the programs it started.
guard=""
if command -v timeout >/dev/null 2>&1; then
  guard="timeout --foreground --signal=INT --kill-after=30 900"
fi
# Two files at a time: each has a gateway and its servers, and waits for them more than it computes. With `-n 0` they
# run in one process, as a debugger wants it.
clients() { $guard .venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder "$@"; }
# Two files at a time, where Node can: each has a browser, a gateway and its servers.
pages() {
  cd browser
  pace=""
  if node --help | grep -q -e --test-concurrency; then pace="--test-concurrency=2"; fi
  tests=""
  for name in "${@:-}"; do tests="$tests $(ls ./*"$name"*.test.js)"; done
  $guard node --test $pace $tests
}
case "${1:-}" in
  "") clients && (pages) ;;
  browser) shift && (pages "$@") ;;
  *) clients "$@" ;;
esac
