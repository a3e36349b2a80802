// The request log, live: how each request was answered, and why.

import { RESULTS, hear, makeDecisions, merged } from "../decision.js";
import { make, makeButton, makeChoice, setText } from "../dom.js";
import { count } from "../words.js";

export const title = "Recent requests";

const MOST = 500;
const SHOWN = 200;
const FILTERS = [
  ["server", "Server"],
  ["app", "App"],
  ["class", "Request type"],
  ["verdict", "Result"],
];

export function render(root, context) {
  const list = makeDecisions("Requests, newest first");
  const empty = make("p", { class: "empty" }, "Loading…");
  const wanted = Object.fromEntries(FILTERS.map(([key]) => [key, context.query.get(key) || ""]));
  const choices = FILTERS.map(([key, name]) => {
    const choice = makeChoice(name, [["", "all"]], "", (value) => {
      wanted[key] = value;
      show();
    });
    return [key, choice.lastChild, choice];
  });
  let known = [];
  let held = null;

  const pause = makeButton("Pause", "quiet", () => {
    const before = held;
    held = held ? null : [];
    setText(pause, held ? "Resume" : "Pause");
    context.say(held ? "Paused" : "Live again");
    if (before) add(before);
    show();
  });
  const legend = make(
    "details",
    { class: "legend" },
    make("summary", {}, "What the results mean"),
    make(
      "dl",
      {},
      Object.entries(RESULTS).map(([word, [, about]]) => make("div", {}, make("dt", {}, word), make("dd", {}, about))),
    ),
  );
  root.append(
    make(
      "p",
      { class: "lead" },
      "The last requests of apps: time, result, server and request type, app and user, reason. Never tokens or paths.",
    ),
    make(
      "div",
      { class: "row filters" },
      choices.map(([, , choice]) => choice),
      pause,
    ),
    make("div", { class: "card sheet" }, empty, list.element, legend),
  );

  function add(items) {
    known = merged(known, items, MOST);
  }

  function show() {
    for (const [key, select] of choices) fill(select, key);
    const fit = known.filter((decision) =>
      FILTERS.every(([key]) => !wanted[key] || String(decision[key]) === wanted[key]),
    );
    list.show(fit.slice(0, SHOWN));
    empty.hidden = fit.length > 0;
    setText(
      empty,
      known.length === 0
        ? "No requests yet."
        : "None of the last " + count(known.length) + " requests matches these filters.",
    );
  }

  /** The options of a filter: the values that occur in the log. */
  function fill(select, key) {
    const values = [
      ...new Set(
        known
          .map((decision) => String(decision[key] ?? ""))
          .filter(Boolean)
          .concat(wanted[key] || []),
      ),
    ].sort();
    if (select.options.length === values.length + 1) return;
    select.replaceChildren(
      ...["", ...values].map((value) => make("option", { value, selected: value === wanted[key] }, value || "all")),
    );
  }

  const take = (items) => {
    if (held) {
      const newest = known.length > 0 ? known[0].number : 0;
      held = merged(held, items.filter((decision) => decision.number > newest), MOST);
      return setText(pause, "Resume, " + count(held.length) + " newer");
    }
    add(items);
    show();
  };
  hear(context, MOST, take, (error) => setText(empty, "Requests cannot be shown: " + error.message));
}
