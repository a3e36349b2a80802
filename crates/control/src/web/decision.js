// Decisions: how single requests were answered, and why.

import { make, keep, setText } from "./dom.js";
import { duration, time } from "./words.js";

/** What the engine's words mean. */
export const VERDICTS = {
  hit: ["good", "answered at once from what is kept"],
  stale: ["good", "answered at once, a little older than usual; refreshed behind"],
  "stale-on-error": ["slow", "the server failed; answered from what is kept"],
  joined: ["good", "waited for the same question of somebody else"],
  shared: ["good", "answered with what was loaded for all who asked, and is not kept"],
  loaded: ["idle", "the server was asked, and its answer is kept"],
  refreshed: ["idle", "the server was asked, and its answer replaces what was kept"],
  passed: ["idle", "passed through: a stream, or nothing that may be kept"],
  write: ["idle", "a change, passed on to the server"],
  failed: ["bad", "ended in an error"],
  refused: ["bad", "refused before the server was asked"],
};

/** What the words for reasons mean. */
export const REASONS = {
  absent: "nothing was kept",
  expired: "what was kept is too old",
  invalidated: "it has changed since",
  unconfirmed: "it may have changed while the server was not heard",
  demanded: "the server's own answer was wanted",
  refresh: "it was due for a refresh",
  warm: "it is kept warm",
  ahead: "somebody was likely to ask for it",
  age: "it is past its fresh time",
  "backing-off": "the last refresh failed, and the next one waits",
  "slow-load": "the server takes long",
  unreachable: "the server cannot be reached",
  "timed-out": "the server took too long",
  "server-error": "the server says that it failed",
  malformed: "the server's answer was not whole",
  starting: "the server is starting",
  offline: "the server is down",
  redirected: "the server sends elsewhere, for instance to a login",
  unrequested: "the server's answer is none that was asked for",
  doubted: "the server's answer is hard to believe",
  denied: "the server does not let this user do it",
  refused: "the server does not understand the question",
  overloaded: "too many wait",
  panicked: "Greenroom failed: please tell its makers",
  "not-cached": "the server was not to be asked",
  unsettled: "a change is under way whose end is not known",
  "invalidated-meanwhile": "it changed while it was loaded",
  older: "a later answer is kept already",
  "too-large": "it is too large to be kept",
  "partition-full": "it is larger than one user's answers may be",
  "too-many-tags": "too much belongs to it",
  "no-lifetime": "it may not be kept",
  write: "it changes something",
  media: "it is media",
  events: "it is a stream of events",
  account: "it is about accounts and tokens",
  moment: "it holds for this moment only",
  odd: "the request is odd",
  unknown: "nothing is known of this path",
  uncacheable: "the server forbids keeping it",
  bypassed: "the cache is bypassed, or only observes",
  "other-page": "the server does not page this list as it was requested",
  "two-tokens": "it shows two tokens",
  "without-token": "it shows no token",
  "no-token": "it needs a token, and shows none",
  inadmissible: "nothing of the kind is forwarded",
  unanswered: "there was no answer to pass on",
  left: "the app left before it was answered",
};

/** What is known with what is new, newest first, each once, at most so many. */
export function merged(known, items, most) {
  const numbers = new Set(known.map((decision) => decision.number));
  const fresh = items.filter((decision) => !numbers.has(decision.number));
  return fresh
    .concat(known)
    .sort((one, other) => other.number - one.number)
    .slice(0, most);
}

/**
 * Hears of decisions: `add(items)` is told each at least once. They are asked for at the beginning, after each new
 * connection, and where one number is missing: so many are told at once only. `failed(error)` says that this failed.
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

/** A list of decisions, newest first; `show(decisions)` fills it. */
export function makeDecisions(label) {
  const list = make("ol", { class: "decisions", "aria-label": label });
  return { element: list, show: (decisions) => keep(list, decisions, (decision) => decision.number, makeDecision) };
}

function makeDecision(decision) {
  const [state, about] = VERDICTS[decision.verdict] || ["idle", ""];
  const who = make("span", { class: "who" });
  setText(who, (decision.app || "an app without a name") + (decision.user ? " · user " + decision.user : ""));
  const facts = [
    // A change says so itself.
    decision.reason && decision.reason !== decision.verdict && "because " + (REASONS[decision.reason] || decision.reason),
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
