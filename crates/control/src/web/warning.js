// A warning: what is wrong, what to do, and a button where the program can do it, or a link to where a person can.

import { ask } from "./api.js";
import { keep, make, makeButton, setAttribute, setText } from "./dom.js";

/** The view where a person looks next, by the warning's code. */
const PLACES = {
  "disk-nearly-full": ["#/libraries", "Libraries"],
  "memory-too-small": ["#/statistics?by=class", "Request types"],
  "lifetime-too-short": ["#/settings", "TTL policies"],
  "refreshes-unread": ["#/settings", "TTL policies"],
  "token-rejected": ["#/servers", "Servers"],
  "events-do-not-reach": ["#/servers", "Servers"],
  "clock-skew": ["#/servers", "Servers"],
  "proxy-not-trusted": ["#/servers", "Servers"],
  "version-too-old": ["#/servers", "Servers"],
  "version-untested": ["#/servers", "Servers"],
  "library-old": ["#/libraries", "Libraries"],
  "library-without-episodes": ["#/libraries", "Libraries"],
  "library-off": ["#/libraries", "Libraries"],
  "server-down": ["#/servers", "Servers"],
  "notice-undelivered": ["#/settings", "Notifications"],
};

const SEVERITIES = { urgent: "Needs action", notice: "Hint" };

/** Warnings that need a person: the others are hints that work goes on without. */
export const urgent = (warnings) => warnings.filter(({ severity }) => severity === "urgent");

/** Warnings as a list; `show(warnings)` fills it. `look` is "brief" where there is room for a line or two each. */
export function makeWarnings(context, look = "") {
  const list = make("ul", { class: look ? "warnings " + look : "warnings" });
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
      (SEVERITIES[warning.severity] || "Hint") + (warning.server ? " · " + warning.server : ""),
    );
    setText(what.lastChild, warning.text);
    setText(remedy, warning.remedy);
  };
  return { element: list, show: (warnings) => keep(list, warnings, keyOf, makeOne, update) };
}
