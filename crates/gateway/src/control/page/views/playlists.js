// The view "Playlists".

import { makeEmpty } from "../dom.js";

export const title = "Playlists";

export function render(root) {
  root.append(makeEmpty("Nothing is shown here yet."));
}
