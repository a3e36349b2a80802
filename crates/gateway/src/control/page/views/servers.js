// The view "Servers".

import { makeEmpty } from "../dom.js";

export const title = "Servers";

export function render(root) {
  root.append(makeEmpty("Nothing is shown here yet."));
}
