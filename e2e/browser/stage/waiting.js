// Waiting for a state, never for a time.

// Between two looks at the state.
const LOOK_EVERY_MS = 50;
// Nothing here takes this long, also not on a busy machine; it is the limit, not the wait.
export const PATIENCE_MS = 30_000;

/** Looks until `look()` gives something and returns that; fails with `what` when patience ends. */
export async function until(look, what, within_ms = PATIENCE_MS) {
  const end = performance.now() + within_ms;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (performance.now() > end) throw new Error(`after ${within_ms} ms still not so: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
