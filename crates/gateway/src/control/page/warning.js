// A warning: what is wrong, what to do, and a button where the program can do it.

import { ask } from "./api.js";
import { keep, make, makeButton, setAttribute, setText } from "./dom.js";

/** Warnings as a list; `show(warnings)` fills it. */
export function makeWarnings(context) {
  const list = make("ul", { class: "warnings" });
  const keyOf = (warning) =>
    (warning.id || warning.server + "/" + warning.code) + JSON.stringify(warning.action || null);
  const makeOne = (warning) => {
    const item = make(
      "li",
      { class: "card" },
      make(
        "div",
        { class: "grow" },
        make("p", { class: "what" }, make("strong"), make("span")),
        make("p", { class: "remedy" }),
      ),
    );
    const { action } = warning;
    if (action) {
      const button = makeButton(action.label, "main small", () =>
        context.act(button, () => ask(action.method, action.path, action.body)),
      );
      item.append(button);
    }
    return item;
  };
  const update = (item, warning) => {
    const [what, remedy] = item.firstChild.children;
    setAttribute(item, "data-severity", warning.severity || "notice");
    setText(
      what.firstChild,
      (warning.severity === "urgent" ? "Urgent" : "Note") + (warning.server ? " · " + warning.server : ""),
    );
    setText(what.lastChild, warning.text);
    setText(remedy, warning.remedy);
  };
  return { element: list, show: (warnings) => keep(list, warnings, keyOf, makeOne, update) };
}
