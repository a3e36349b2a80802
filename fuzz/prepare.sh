#!/bin/sh
# Sees to what fuzzing needs beside Rust: a C++ compiler, since libFuzzer is built from source. Installs it where it
# may (root on a Debian-like machine), else says in one line what is missing.
set -eu
command -v c++ >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "prepare: installing a C++ compiler for the fuzz targets" >&2
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends g++ >/dev/null; } ||
        { echo "missing: a C++ compiler for the fuzz targets; apt-get could not install g++" >&2; exit 1; }
else
    echo "missing: a C++ compiler for the fuzz targets; install g++" >&2
    exit 1
fi
