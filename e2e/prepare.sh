#!/bin/sh
# Makes e2e/.venv with the clients of requirements.txt, and e2e/browser/node_modules with what drives a browser. Quick
# when that was done before.
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

# A browser, and what drives it.
lacks_node() { ! command -v npm >/dev/null 2>&1 || ! node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null; }
lacks_browser() {
  ! command -v chromium >/dev/null 2>&1 && ! command -v chromium-browser >/dev/null 2>&1 && ! command -v google-chrome >/dev/null 2>&1 &&
    [ ! -x "${GREENROOM_CHROMIUM:-}" ]
}
may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }
if lacks_node && may_install; then
  apt-get update -qq && apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null
fi
if lacks_browser && may_install; then
  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null
fi
if lacks_node || lacks_browser; then
  echo "missing: Node 18 or newer with npm, or Chromium; on Debian: apt-get install nodejs npm chromium" >&2
  exit 1
fi
if ! cmp -s browser/package-lock.json browser/node_modules/installed.json; then
  npm ci --prefix browser --no-audit --no-fund --loglevel=error >/dev/null
  cp browser/package-lock.json browser/node_modules/installed.json
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
