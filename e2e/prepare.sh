#!/bin/sh
# Makes e2e/.venv with the clients of requirements.txt. Quick when that was done before.
set -eu
cd "$(dirname "$0")"

lacks_python() {
  ! command -v python3 >/dev/null 2>&1 || ! python3 -c 'import ensurepip, sys; assert sys.version_info >= (3, 11)' 2>/dev/null
}

# A reverse proxy to stand behind; Debian keeps it where only administrators look.
lacks_nginx() { ! PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v nginx >/dev/null 2>&1; }
if lacks_nginx && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx-light >/dev/null
fi
if lacks_nginx; then
  echo "missing: nginx; on Debian: apt-get install nginx-light" >&2
  exit 1
fi

if cmp -s requirements.txt .venv/installed.txt && .venv/bin/python -c '' 2>/dev/null; then
  exit 0
fi
if lacks_python && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  apt-get update -qq && apt-get install -y -qq --no-install-recommends python3 python3-venv >/dev/null
fi
if lacks_python; then
  echo "missing: Python 3.11 or newer with venv; on Debian: apt-get install python3 python3-venv" >&2
  exit 1
fi
python3 -m venv --clear .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
cp requirements.txt .venv/installed.txt
