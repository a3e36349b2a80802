#!/bin/sh
# Starts the image in ARCHIVE from its layers, without a container engine: unpacks them, and runs what its configuration
# says, as its user, in a changed root. Needs root. Ends once the program says that it is healthy.
set -eu
archive="$1"
root="$(mktemp -d)"
layers="$(mktemp -d)"
process=
trap 'if [ -n "$process" ]; then kill "$process" 2>/dev/null || true; wait "$process" 2>/dev/null || true; fi; rm -rf "$root" "$layers"' EXIT
# The image's user must be able to enter it.
chmod 755 "$root"
tar -xf "$archive" -C "$layers"
read_json() { python3 -c "import json, sys; $1" "$layers" "$root"; }
read_json '
import os, tarfile
folder, root = sys.argv[1:]
manifest = json.load(open(os.path.join(folder, "manifest.json")))[0]
for layer in manifest["Layers"]:
    with tarfile.open(os.path.join(folder, layer)) as files:
        files.extractall(root)
config = json.load(open(os.path.join(folder, manifest["Config"])))["config"]
with open(os.path.join(folder, "start"), "w") as script:
    command = " ".join(config["Entrypoint"] + config["Cmd"])
    check = " ".join(config["Healthcheck"]["Test"][1:])
    environment = " ".join(config["Env"])
    script.write("user=%s\ncommand=\"%s\"\ncheck=\"%s\"\nenvironment=\"%s\"\n" % (config["User"], command, check, environment))
'
. "$layers/start"
inside() { exec env -i $environment GREENROOM_CONTROL_LISTEN=127.0.0.1:18710 GREENROOM_SERVER_HOME_KIND=plex \
  GREENROOM_SERVER_HOME_URL=http://127.0.0.1:9 GREENROOM_SERVER_HOME_LISTEN=127.0.0.1:18711 \
  /usr/sbin/chroot --userspec="$user" "$root" "$@"; }
echo "the image runs as $user: $command"
( inside $command ) &
process=$!
tries=0
until ( inside $check ) 2>/dev/null; do
  tries=$((tries + 1))
  kill -0 "$process" 2>/dev/null || { echo "it ended" >&2; exit 1; }
  [ "$tries" -lt 100 ] || { echo "it is not healthy" >&2; exit 1; }
  sleep 0.2
done
echo "healthy; its files:"
find "$root" -xdev | sed "s|^$root||" | head -20
