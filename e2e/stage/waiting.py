"""Waiting for a state, never for a time."""

import time

# Between two looks at the state.
LOOK_EVERY_S = 0.02
# Nothing here takes this long, also not on a busy machine; it is the limit, not the wait.
PATIENCE_S = 30.0


def until(look, what, within=PATIENCE_S):
    """Looks until `look()` is true and returns what it said; fails with `what` when patience ends."""
    end = time.monotonic() + within
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > end:
            raise AssertionError(f"after {within} s still not so: {what}")
        time.sleep(LOOK_EVERY_S)
