#!/bin/sh
# Takes out, one at a time, the fence, the join rule and the partition from the key, and asserts that each makes
# the tests named here fail. A guard whose absence no test notices is not a guard.
#
# One build for all: which safeguard it leaves out is said by GREENROOM_SABOTAGE (see src/sabotage.rs), and without that
# it is whole.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
RUST_BACKTRACE=0
export RUST_BACKTRACE
cd "$here"

tests=$("${CARGO:-cargo}" rustc --quiet --lib --profile test --message-format=json -- --cfg sabotage |
    sed -n 's/.*"executable":"\([^"]*greenroom_cache[^"]*\)".*/\1/p' | tail -n 1)
[ -n "$tests" ] || { echo "sabotage: the tests could not be built" >&2; exit 1; }

# Runs test $2 without safeguard $1 (with all of them, if $1 is empty); true if it ran and passed.
passes() {
    GREENROOM_SABOTAGE=$1 "$tests" --exact "$2" 2>/dev/null | grep -q '^test result: ok. 1 passed'
}

# The same; true if it ran and failed.
fails() {
    GREENROOM_SABOTAGE=$1 "$tests" --exact "$2" 2>/dev/null | grep -q '^test result: FAILED. 0 passed; 1 failed'
}

status=0
while read -r without test; do
    if ! passes '' "$test"; then
        echo "sabotage: $test does not pass with every safeguard" >&2
        status=1
    fi
    if fails "$without" "$test"; then
        echo "sabotage: without the $without, $test fails, as it must"
    else
        echo "sabotage: without the $without, $test does not fail" >&2
        status=1
    fi
done <<'END'
fence tests::invalidation::a_load_that_began_before_an_invalidation_is_not_stored_after_it
fence tests::regressions::b7_a_writer_reads_its_own_write
fence tests::histories::every_history_is_served_as_by_the_naive_cache
join tests::histories::every_history_is_served_as_by_the_naive_cache
partition tests::histories::every_history_is_served_as_by_the_naive_cache
join tests::invalidation::a_caller_after_an_invalidation_never_joins_a_load_from_before
partition tests::reads::two_partitions_never_share_a_response
END
exit "$status"
