// The view "Jobs".

import { makeEmpty } from "../dom.js";

export const title = "Jobs";

export function render(root) {
  root.append(makeEmpty("Nothing is shown here yet."));
}
