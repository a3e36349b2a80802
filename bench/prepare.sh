#!/bin/sh
# Sees to the servers that Greenroom is compared with. Installs them where it may (root on a Debian-like machine), else
# says in one line what is missing. Both are only run by the bench itself, on ports and in folders of its own.
set -eu
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
