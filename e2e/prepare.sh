#!/bin/sh
# Makes e2e/.venv with the clients of requirements.txt, e2e/libraries/node_modules with those of Node, and
# e2e/browser/node_modules with what drives a browser; sees to nginx, a browser and Kodi. Quick when that was done before.
set -eu
cd "$(dirname "$0")"

lacks_python() {
  ! command -v python3 >/dev/null 2>&1 || ! python3 -c 'import ensurepip, sys; assert sys.version_info >= (3, 11)' 2>/dev/null
}

fails() { echo "$1" >&2; exit 1; }

may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

# Installs Debian's packages $2... for $1.
install() {
  what=$1
  shift
  echo "prepare: installing $what" >&2
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" >/dev/null; } ||
    fails "missing: $what; apt-get could not install $*"
}

# A reverse proxy to stand behind; Debian keeps it where only administrators look.
lacks_nginx() { ! PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v nginx >/dev/null 2>&1; }
if lacks_nginx && may_install; then install nginx nginx-light; fi
if lacks_nginx; then fails "missing: nginx; on Debian: apt-get install nginx-light"; fi

# A browser, and what drives it.
lacks_node() { ! command -v npm >/dev/null 2>&1 || ! node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null; }
lacks_browser() {
  ! command -v chromium >/dev/null 2>&1 && ! command -v chromium-browser >/dev/null 2>&1 && ! command -v google-chrome >/dev/null 2>&1 &&
    [ ! -x "${GREENROOM_CHROMIUM:-}" ]
}
if lacks_node && may_install; then install "Node and npm" nodejs npm; fi
if lacks_browser && may_install; then install Chromium chromium; fi
if lacks_node || lacks_browser; then
  fails "missing: Node 18 or newer with npm, or Chromium; on Debian: apt-get install nodejs npm chromium"
fi
# A media centre for the add-ons, and a screen for it.
lacks_kodi() {
  ! command -v Xvfb >/dev/null 2>&1 || ! ls /usr/lib/*/kodi/kodi.bin /usr/lib/kodi/kodi.bin 2>/dev/null | grep -q .
}
if lacks_kodi && may_install; then install "Kodi and Xvfb" kodi xvfb libgl1-mesa-dri; fi
if lacks_kodi; then fails "missing: Kodi 20 or newer, or Xvfb; on Debian: apt-get install kodi xvfb libgl1-mesa-dri"; fi

for folder in browser libraries; do
  if ! cmp -s "$folder/package-lock.json" "$folder/node_modules/installed.json"; then
    echo "prepare: the packages of e2e/$folder, from npm" >&2
    npm ci --prefix "$folder" --no-audit --no-fund --loglevel=error >/dev/null ||
      fails "missing: the packages of e2e/$folder/package-lock.json; npm could not install them"
    cp "$folder/package-lock.json" "$folder/node_modules/installed.json"
  fi
done

if cmp -s requirements.txt .venv/installed.txt && .venv/bin/python -c '' 2>/dev/null; then
  exit 0
fi
if lacks_python && may_install; then install "Python with venv" python3 python3-venv; fi
if lacks_python; then fails "missing: Python 3.11 or newer with venv; on Debian: apt-get install python3 python3-venv"; fi
echo "prepare: the clients of e2e/requirements.txt" >&2
{ python3 -m venv --clear .venv &&
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt; } ||
  fails "missing: the clients of e2e/requirements.txt; pip could not install them"
cp requirements.txt .venv/installed.txt
