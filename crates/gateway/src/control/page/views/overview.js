// The view "Overview".

import { makeEmpty } from "../dom.js";

export const title = "Overview";

export function render(root) {
  root.append(makeEmpty("Nothing is shown here yet."));
}
