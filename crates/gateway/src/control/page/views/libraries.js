// The view "Libraries".

import { makeEmpty } from "../dom.js";

export const title = "Libraries";

export function render(root) {
  root.append(makeEmpty("Nothing is shown here yet."));
}
