#!/bin/sh
# Sees to what Greenroom is compared with. Installs them where it may (root on a Debian-like machine), else
# says in one line what is missing. Both are only run by the bench itself, on ports and in folders of its own.
set -eu
bench=$(cd "$(dirname "$0")" && pwd)

# Python's diskcache, in an environment of its own: bench/.venv.
if ! cmp -s "$bench/requirements.txt" "$bench/.venv/installed.txt"; then
  if python3 -c 'import ensurepip' 2>/dev/null; then
    python3 -m venv --clear "$bench/.venv"
    "$bench/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$bench/requirements.txt"
    cp "$bench/requirements.txt" "$bench/.venv/installed.txt"
  else
    echo "missing: Python 3 with venv, so the disk tier is measured alone; on Debian: apt-get install python3-venv" >&2
  fi
fi

lacking=""
command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ] || lacking="$lacking nginx"
command -v varnishd >/dev/null 2>&1 || [ -x /usr/sbin/varnishd ] || lacking="$lacking varnish"
[ -n "$lacking" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  # Installed only: neither may take a port of this machine.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  # shellcheck disable=SC2086
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $lacking >/dev/null
else
  echo "missing:$lacking; on Debian: apt-get install$lacking" >&2
  exit 1
fi
