// Decisions as they are made: how each request was answered, and why.

import { VERDICTS, hear, makeDecisions, merged } from "../decision.js";
import { make, makeButton, makeChoice, setText } from "../dom.js";
import { count } from "../words.js";

export const title = "Log";

const MOST = 500;
const SHOWN = 200;
const FILTERS = [
  ["server", "Server"],
  ["app", "App"],
  ["class", "Class"],
  ["verdict", "Verdict"],
];

export function render(root, context) {
  const list = makeDecisions("Decisions, newest first");
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
    setText(pause, held ? "Go on" : "Pause");
    context.say(held ? "Paused" : "Live again");
    if (before) add(before);
    show();
  });
  const legend = make(
    "details",
    { class: "legend" },
    make("summary", {}, "What the words mean"),
    make(
      "dl",
      {},
      Object.entries(VERDICTS).map(([word, [, about]]) => make("div", {}, make("dt", {}, word), make("dd", {}, about))),
    ),
  );
  root.append(
    make(
      "p",
      { class: "lead" },
      "Each line is one request of an app: when, how it was answered, what it was about, who asked, and why. Tokens and addresses are never in it.",
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
        ? "Nothing was decided yet: no app has asked."
        : "None of the last " + count(known.length) + " decisions fits. Choose other filters.",
    );
  }

  /** The choices of a filter: what occurs among the decisions that are known. */
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
      return setText(pause, "Go on, " + count(held.length) + " newer");
    }
    add(items);
    show();
  };
  hear(context, MOST, take, (error) => setText(empty, "Decisions cannot be shown: " + error.message));
}
