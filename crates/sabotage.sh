#!/bin/sh
# crates/sabotage.sh CRATE...: takes out, one at a time, the guards that CRATE/sabotage.txt names, and asserts that each
# makes the test beside it fail. A guard whose absence no test notices is not a guard.
#
# One build of a crate for all its guards: which one it leaves out is said by GREENROOM_SABOTAGE (see src/sabotage.rs), and
# without that it is whole.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
RUST_BACKTRACE=0
export RUST_BACKTRACE

# The result of test $2 without guard $1 (with all of them, if $1 is empty): ok, FAILED, or nothing if it did not run.
result() {
    GREENROOM_SABOTAGE=$1 "$tests" --exact "$2" 2>/dev/null |
        sed -n 's/^test result: \(ok\)\. 1 passed.*/\1/p; s/^test result: \(FAILED\)\. 0 passed; 1 failed.*/\1/p'
}

status=0
for crate; do
    cd "$here/$crate"
    tests=$("${CARGO:-cargo}" rustc --quiet --lib --profile test --message-format=json -- --cfg sabotage |
        sed -n 's/.*"executable":"\([^"]*greenroom_'"$(printf %s "$crate" | tr - _)"'[^"]*\)".*/\1/p' | tail -n 1)
    [ -n "$tests" ] || { echo "sabotage: the tests of $crate could not be built" >&2; exit 1; }
    while read -r guard test; do
        case $guard in '#'*) continue ;; esac
        if [ "$(result '' "$test")" != ok ]; then
            echo "sabotage: $test does not pass with every guard" >&2
            status=1
        fi
        if [ "$(result "$guard" "$test")" = FAILED ]; then
            echo "sabotage: without $guard, $test fails, as it must"
        else
            echo "sabotage: without $guard, $test does not fail" >&2
            status=1
        fi
    done <sabotage.txt
done
exit $status
