// A warning: what is wrong, what to do, and a button where the program can do it, or a link to where a person can.

import { ask } from "./api.js";
import { keep, make, makeButton, setAttribute, setText } from "./dom.js";

/** Where a person looks next, by the word for the warning. */
const PLACES = {
  "disk-nearly-full": ["#/libraries", "See what is kept of libraries"],
  "memory-too-small": ["#/statistics?by=class", "See what is asked again"],
  "lifetime-too-short": ["#/settings", "Lifetimes"],
  "refreshes-unread": ["#/settings", "Lifetimes"],
  "token-rejected": ["#/servers", "See the server"],
  "events-do-not-reach": ["#/servers", "See the server"],
  "clock-skew": ["#/servers", "See the server"],
  "proxy-not-trusted": ["#/servers", "See the server"],
  "version-too-old": ["#/servers", "See the server"],
  "version-untested": ["#/servers", "See the server"],
  "library-old": ["#/libraries", "See the library"],
  "library-without-episodes": ["#/libraries", "See the library"],
  "library-off": ["#/libraries", "See the library"],
  "notice-undelivered": ["#/settings", "Notices"],
};

/** Warnings as a list; `show(warnings)` fills it. */
export function makeWarnings(context) {
  const list = make("ul", { class: "warnings" });
  const keyOf = ({ id, server, code, action }) =>
    (id || server + "/" + code) + JSON.stringify(action ? [action.label, action.method, action.path, action.body] : null);
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
    const { action, code } = warning;
    if (action) {
      const button = makeButton(action.label, "main small", async () => {
        const { takes } = item.warning.action;
        const label = action.label.replace(/…$/, "");
        if (takes && !(await context.confirm({ title: label + "?", text: takes, yes: label }))) return;
        context.act(button, () => ask(action.method, action.path, action.body));
      });
      item.append(button);
    } else if (PLACES[code]) {
      const [href, text] = PLACES[code];
      item.append(make("a", { href }, text));
    }
    return item;
  };
  const update = (item, warning) => {
    item.warning = warning;
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
