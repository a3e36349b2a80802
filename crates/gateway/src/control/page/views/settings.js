// The view "Settings".

import { makeEmpty } from "../dom.js";

export const title = "Settings";

export function render(root) {
  root.append(makeEmpty("Nothing is shown here yet."));
}
