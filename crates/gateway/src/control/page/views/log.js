// The view "Log".

import { makeEmpty } from "../dom.js";

export const title = "Log";

export function render(root) {
  root.append(makeEmpty("Nothing is shown here yet."));
}
