#!/bin/sh
# Sees to what the release artefacts need: packaging/prepare.sh TOOL..., of `static`, `deb`, `image` and `sbom`. Installs
# it where it may (root on a Debian-like machine), else says in one line what is missing.
set -eu
cargo="${CARGO:-cargo}"
target="${TARGET:-$(uname -m)-unknown-linux-musl}"

fails() { echo "missing: $1" >&2; exit 1; }

# Installs Debian's package $2, which brings the command $1.
debian() {
  if ! command -v "$1" >/dev/null 2>&1; then
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || fails "$1; on Debian: apt-get install $2"
    echo "prepare: installing $2" >&2
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$2" >/dev/null; } ||
      fails "$1; apt-get could not install $2"
  fi
}

for tool in "$@"; do
  case "$tool" in
    static)
      case "$target" in
        *-musl)
          debian musl-gcc musl-tools
          # The compiler that is chosen for this folder, not the default one.
          sysroot="$(rustc --print sysroot)"
          [ -d "$sysroot/lib/rustlib/$target" ] || rustup target add "$target" || fails "Rust's library for $target"
          ;;
      esac
      ;;
    deb) "$cargo" deb --version >/dev/null 2>&1 || "$cargo" install --locked cargo-deb || fails "cargo-deb" ;;
    sbom)
      "$cargo" cyclonedx --version >/dev/null 2>&1 || "$cargo" install --locked cargo-cyclonedx || fails "cargo-cyclonedx"
      ;;
    image) debian buildah buildah ;;
    *) fails "a tool called $tool" ;;
  esac
done
