#!/bin/sh
# Fuzzes. fuzz/run.sh [SECONDS] [TARGET...] builds the program that holds all targets and runs each target (or those
# that are named) for so many seconds, JOBS at a time, from the seeds in fuzz/seeds and what earlier runs left in
# fuzz/corpus. What is found stays in fuzz/findings, and the exit is not 0; fuzz/run.sh again TARGET FILE shows it once
# more.
#
# fuzz/run.sh brief [TARGET...] is a test, not a search: 5 seconds for each target, from fuzz/seeds alone, and with the
# same random numbers each time.
#
# Needs no nightly Rust: the flags below are all that instrumenting takes.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
machine=$(rustc -vV | sed -n 's/^host: //p')
# A directory of its own: what is built here is instrumented, and a long build must not lock the ordinary one.
CARGO_TARGET_DIR=${FUZZ_TARGET_DIR:-$here/target}
export CARGO_TARGET_DIR
program=$CARGO_TARGET_DIR/$machine/debug/greenroom-fuzz

# Builds the program.
build() {
    flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
    flags="$flags -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
    flags="$flags -Cllvm-args=-sanitizer-coverage-trace-compares"
    # When a crate of ours takes on a dependency, the lock file here follows by itself: so not --locked.
    # With --target the flags do not reach build scripts and macros, which could not be linked with them.
    cd "$here" && RUSTFLAGS="--cfg fuzzing $flags" "${CARGO:-cargo}" build --quiet --target "$machine"
}

# Runs target $1 for $2 seconds and says in one line what came of it.
run_one() {
    target=$1
    seconds=$2
    corpus=$here/corpus/$target
    random=0
    if [ "$seconds" = brief ]; then
        corpus=$here/corpus/brief/$target
        rm -rf "$corpus"
        random=1
        seconds=5
    fi
    log=$corpus.log
    words=$here/words/${target%%_*}.dict
    mkdir -p "$corpus" "$here/findings"
    found=no
    FUZZ_TARGET=$target "$program" "-dict=$words" "-max_len=$(length_of "$target")" "-seed=$random" "-max_total_time=$seconds" "-timeout=$(patience "$seconds")" \
        -rss_limit_mb=1024 -print_final_stats=1 "-artifact_prefix=$here/findings/$target-" \
        "$corpus" "$here/seeds/$target" >"$log" 2>&1 </dev/null || found=yes
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    printf '%-22s %9s runs, %5s edges reached, found something: %s\n' "$target" "${runs:-?}" "${edges:-?}" "$found"
    [ "$found" = no ] && return 0
    grep -a -E -A 3 'panicked at|ERROR: libFuzzer|Test unit written' "$log" | head -n 20 >&2
    return 1
}

# The longest input worth trying: long enough for every bound that a parser has, short enough to be fast.
length_of() {
    case $1 in
    *_frames | *_json | *_xml) echo 16384 ;;
    control | redaction) echo 1024 ;;
    *) echo 4096 ;;
    esac
}

# So many seconds one input may take. They are the wall's: in a brief run, which looks for no slow inputs, a machine that
# stops for a moment is no finding.
patience() { if [ "$1" -lt 60 ]; then echo 60; else echo 5; fi; }

case ${1:-} in
again)
    build
    FUZZ_TARGET=$2 "$program" "$3"
    exit
    ;;
one)
    run_one "$3" "$2"
    exit
    ;;
esac

seconds=${1:-60}
[ $# -gt 0 ] && shift
# Every target has a folder of seeds.
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(ls "$here/seeds")
build
printf '%s\n' "$@" | xargs -P "${JOBS:-$(nproc)}" -I '{}' "$here/run.sh" one "$seconds" '{}'
