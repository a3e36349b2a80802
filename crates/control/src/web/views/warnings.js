// Everything that is set up badly or goes badly, and what to do about it.

import { make, makeEmpty } from "../dom.js";
import { makeWarnings } from "../warning.js";

export const title = "Warnings";

export function render(root, context) {
  const list = makeWarnings(context);
  const empty = makeEmpty(
    "Nothing to warn of.",
    "What is set up badly or goes badly is listed here, with what to do about it.",
  );
  root.append(
    make("p", { class: "lead" }, "Most urgent first. Each goes by itself when its cause is gone."),
    empty,
    list.element,
  );
  context.on("figures", ({ warnings }) => {
    empty.hidden = warnings.length > 0;
    list.show(warnings);
  });
}
