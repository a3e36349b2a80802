#!/bin/sh
# Builds the container image without a daemon: the last stage of the Dockerfile, around the static program of TARGET.
# target/dist/*-image.tar is for `docker load` and `podman load`.
set -eu
cd "$(dirname "$0")/.."
target="$1"
program="$(sh packaging/build.sh "$target")"
version="$("$program" --version | sed 's/^greenroom //; s/ .*//')"
case "$target" in
  x86_64-*) arch=amd64 ;;
  aarch64-*) arch=arm64 ;;
  *) echo "no image is made for $target" >&2; exit 1 ;;
esac
certificates=/etc/ssl/certs/ca-certificates.crt
[ -f "$certificates" ] || { echo "missing: $certificates; on Debian: apt-get install ca-certificates" >&2; exit 1; }
folder=target/package/image
rm -rf "$folder"
mkdir -p "$folder/data" "$folder/etc/ssl/certs" target/dist
install -m 755 "$program" "$folder/greenroom"
cp "$certificates" "$folder/etc/ssl/certs/"
# What the first stage leaves in /image is in that folder already.
sed -n '/^FROM scratch$/,$p' Dockerfile | sed 's|--from=build ||; s|/image/||' > target/package/image.dockerfile
archive="target/dist/greenroom-$version-$arch-image.tar"
rm -f "$archive"
# Nothing is run in the image, so neither an overlay nor a network is needed.
buildah --storage-driver vfs build --isolation chroot --format docker --arch "$arch" --os linux --layers=false \
  --timestamp "${SOURCE_DATE_EPOCH:-0}" --tag "greenroom:$version" --file target/package/image.dockerfile "$folder" >&2
buildah --storage-driver vfs push "greenroom:$version" "docker-archive:$archive:greenroom:$version" >&2
echo "$archive"
