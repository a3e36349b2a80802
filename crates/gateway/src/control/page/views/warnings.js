// The view "Warnings".

import { makeEmpty } from "../dom.js";

export const title = "Warnings";

export function render(root) {
  root.append(makeEmpty("Nothing is shown here yet."));
}
