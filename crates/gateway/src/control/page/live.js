// What the server tells by itself, over one connection for the whole page.

const RETRY_MS = 5000;

const listeners = new Map();
let source = null;
let retry = 0;

/** The figures heard last; null before the first. */
export let figures = null;

/** Listens to an event ("figures", "decisions") until `signal` ends it. Figures that are known are told at once. */
export function on(event, listener, signal) {
  if (signal.aborted) return;
  const all = listeners.get(event) || listeners.set(event, new Set()).get(event);
  all.add(listener);
  signal.addEventListener("abort", () => all.delete(listener));
  if (event === "figures" && figures) listener(figures);
}

/** Tells an event to whoever listens. */
export function tell(event, said) {
  if (event === "figures") figures = said;
  for (const listener of listeners.get(event) || []) listener(said);
}

/** Begins to hear; `lost` is called when the connection ends, and `again` a little later. */
export function open(lost, again) {
  close();
  source = new EventSource("api/v1/events");
  for (const event of ["figures", "decisions"]) {
    source.addEventListener(event, (frame) => tell(event, JSON.parse(frame.data)));
  }
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

/** Does some work now and every so often until `signal` ends it, never twice at once, and not while nobody looks. */
export function every(periodMs, work, signal) {
  let isUnderWay = false;
  const turn = async () => {
    if (isUnderWay || document.hidden || signal.aborted) return;
    isUnderWay = true;
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      isUnderWay = false;
    }
  };
  const timer = setInterval(turn, periodMs);
  signal.addEventListener("abort", () => clearInterval(timer));
  turn();
  return turn;
}
