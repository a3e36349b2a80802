// The request log: how single requests were answered, and why.

import { make, keep, setText } from "./dom.js";
import { duration, time } from "./words.js";

/** Results of requests, each with its light and its meaning. */
export const RESULTS = {
  hit: ["good", "served from the cache"],
  stale: ["good", "served from the cache, expired, refreshing in background"],
  "stale-on-error": ["slow", "the server failed; served from the cache"],
  joined: ["good", "waited for an identical request that was under way"],
  shared: ["good", "shared one response with identical requests; it is not cached"],
  loaded: ["idle", "sent to the server; the response is cached"],
  refreshed: ["idle", "sent to the server; the response replaces the cached one"],
  passed: ["idle", "passed through: media, or a response that may not be cached"],
  write: ["idle", "a change, forwarded to the server"],
  failed: ["bad", "ended in an error"],
  refused: ["bad", "rejected, not sent to the server"],
};

/** Reasons by their code. */
export const REASONS = {
  absent: "not in the cache",
  expired: "the cached response expired",
  invalidated: "content changed",
  unconfirmed: "it may have changed while no events were received",
  demanded: "a new response was demanded",
  refresh: "due for a refresh",
  warm: "warming",
  ahead: "prefetch",
  age: "expired, refreshing in background",
  "backing-off": "the last refresh failed; the next one waits",
  "slow-load": "the server is slow",
  unreachable: "the server cannot be reached",
  "timed-out": "the server took too long",
  "server-error": "the server reported an error",
  malformed: "the server's response was incomplete",
  starting: "the server is starting",
  offline: "the server is down",
  redirected: "the server redirects, for instance to a login",
  unrequested: "the server's response does not fit the request",
  doubted: "suspicious response, held back",
  denied: "the server denies it to this user",
  refused: "the server rejects the request",
  overloaded: "too many requests are waiting",
  panicked: "Greenroom failed: please report it",
  "not-cached": "the request allows cached responses only",
  unsettled: "a change is under way",
  "invalidated-meanwhile": "it changed while it was loaded",
  older: "a newer response is cached already",
  "too-large": "too large for the cache",
  "partition-full": "larger than one user's share of the cache",
  "too-many-tags": "it holds too many items",
  "no-lifetime": "never cached",
  write: "a change",
  media: "media",
  events: "a stream of events",
  account: "about accounts and tokens",
  moment: "valid for this moment only",
  odd: "an unusual request",
  unknown: "unknown path",
  uncacheable: "the server forbids caching it",
  bypassed: "bypass or observe mode",
  "other-page": "the server does not page this list as it was requested",
  "two-tokens": "it holds two tokens",
  "without-token": "it has no token",
  "no-token": "it needs a token and has none",
  inadmissible: "never forwarded",
  unanswered: "the server sent no response",
  left: "the app left before it was answered",
};

/** Merges known entries with new ones: newest first, each once, at most `most`. */
export function merged(known, items, most) {
  const numbers = new Set(known.map((decision) => decision.number));
  const fresh = items.filter((decision) => !numbers.has(decision.number));
  return fresh
    .concat(known)
    .sort((one, other) => other.number - one.number)
    .slice(0, most);
}

/**
 * Follows the request log: `add(items)` gets each entry at least once. It is loaded at the beginning, after each new
 * connection, and where numbers are missing, because live frames are limited. `failed(error)` is called if that fails.
 */
export function hear(context, most, add, failed) {
  let newest = 0;
  let isAsking = false;
  const take = (items) => {
    newest = Math.max(newest, ...items.map((decision) => decision.number));
    add(items);
  };
  const ask = async () => {
    if (isAsking) return;
    isAsking = true;
    try {
      take((await context.ask("GET", "decisions?limit=" + most)).items);
    } catch (error) {
      if (!context.signal.aborted) failed(error);
    } finally {
      isAsking = false;
    }
  };
  context.on("open", ask);
  context.on("decisions", ({ items }) => {
    const before = newest;
    take(items);
    if (before > 0 && items.length < most && newest - before !== items.length) ask();
  });
  ask();
}

/** A list of log entries, newest first; `show(entries)` fills it. */
export function makeDecisions(label) {
  const list = make("ol", { class: "decisions", "aria-label": label });
  return { element: list, show: (decisions) => keep(list, decisions, (decision) => decision.number, makeDecision) };
}

function makeDecision(decision) {
  const [state, about] = RESULTS[decision.verdict] || ["idle", ""];
  const who = make("span", { class: "who" });
  setText(who, (decision.app || "app without a name") + (decision.user ? " · " + (decision.user_name || "user " + decision.user) : ""));
  const facts = [
    // The result of a change says the same.
    decision.reason && decision.reason !== decision.verdict && REASONS[decision.reason] || decision.reason,
    decision.age_s !== null && decision.age_s !== undefined && state === "good" && duration(decision.age_s) + " old",
    "status " + decision.status,
    "in " + duration(decision.elapsed_us / 1e6),
  ];
  return make(
    "li",
    {},
    make("time", { datetime: new Date(decision.at_ms).toISOString() }, time(decision.at_ms)),
    make(
      "span",
      { class: "state verdict", "data-state": state, title: about },
      make("i", { class: "light" }),
      make("b", {}, decision.verdict),
    ),
    make("span", { class: "asked" }, decision.server + " / " + decision.class),
    who,
    make("span", { class: "facts-line" }, facts.filter(Boolean).join(", ")),
  );
}
