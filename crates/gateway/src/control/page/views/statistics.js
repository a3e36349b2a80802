// The view "Statistics".

import { makeEmpty } from "../dom.js";

export const title = "Statistics";

export function render(root) {
  root.append(makeEmpty("Nothing is shown here yet."));
}
