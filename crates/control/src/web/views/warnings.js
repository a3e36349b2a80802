// All warnings with their remedies.

import { make, makeEmpty } from "../dom.js";
import { makeWarnings } from "../warning.js";

export const title = "Warnings";

export function render(root, context) {
  const list = makeWarnings(context);
  const empty = makeEmpty(
    "No warnings.",
    "Problems of the setup are listed here, each with its remedy.",
  );
  root.append(
    make("p", { class: "lead" }, "Outages first, then what needs action, then hints. A warning ends by itself when its cause is gone."),
    empty,
    list.element,
  );
  context.on("figures", ({ warnings }) => {
    empty.hidden = warnings.length > 0;
    list.show(warnings);
  });
}
