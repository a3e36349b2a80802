// What the server tells by itself, over one connection for the whole page.

const RETRY_MS = 5000;

const listeners = new Map();
let source = null;
let retry = 0;

/** The figures heard last; null before the first. */
export let figures = null;
/** When they were heard, by a clock that is never set. */
let heardMs = 0;

/**
 * The time where Greenroom runs, in milliseconds: all times it tells are by that clock, and this machine's may go
 * otherwise. Before the first figures it is this machine's.
 */
export const now = () => (figures ? figures.as_of_ms + performance.now() - heardMs : Date.now());

/** Listens to an event ("figures", "decisions", "open") until `signal` ends it. Figures that are known are told at once. */
export function on(event, listener, signal) {
  if (signal.aborted) return;
  const all = listeners.get(event) || listeners.set(event, new Set()).get(event);
  all.add(listener);
  signal.addEventListener("abort", () => all.delete(listener));
  if (event === "figures" && figures) listener(figures);
}

/** Tells an event to whoever listens. */
export function tell(event, said) {
  if (event === "figures") {
    figures = said;
    heardMs = performance.now();
  }
  for (const listener of listeners.get(event) || []) listener(said);
}

/** Begins to hear; `lost` is called when the connection ends, and `again` a little later. */
export function open(lost, again) {
  close();
  source = new EventSource("api/v1/events");
  for (const event of ["figures", "decisions"]) {
    source.addEventListener(event, (frame) => tell(event, JSON.parse(frame.data)));
  }
  // What was told before it is heard is missing.
  source.addEventListener("open", () => tell("open"));
  source.addEventListener("error", () => {
    lost();
    later(again);
  });
}

/** Ends hearing, and tries again a little later. */
export function later(again) {
  close();
  retry = setTimeout(again, RETRY_MS);
}

/** Ends hearing. */
export function close() {
  clearTimeout(retry);
  if (source) source.close();
  source = null;
}

/** Forgets what was heard: who looks may not see it any more. */
export function forget() {
  close();
  figures = null;
}

/**
 * Does some work now and every so often until `signal` ends it, never twice at once, and not while nobody looks. Returns
 * a function that does it once more: after what is under way, which may have begun with something else in mind.
 */
export function every(periodMs, work, signal) {
  let isUnderWay = false;
  let isWanted = false;
  const turn = async () => {
    if (document.hidden || signal.aborted) return;
    isWanted = true;
    if (isUnderWay) return;
    isUnderWay = true;
    try {
      while (isWanted && !signal.aborted) {
        isWanted = false;
        await work();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      isUnderWay = false;
    }
  };
  const timer = setInterval(() => isUnderWay || turn(), periodMs);
  signal.addEventListener("abort", () => clearInterval(timer));
  document.addEventListener("visibilitychange", turn, { signal });
  turn();
  return turn;
}
