// Posters and covers by their signed links: images that need no token.

import { query } from "./api.js";
import { make, setAttribute } from "./dom.js";

/** Most keys of one request. */
const AT_ONCE = 100;

/** An empty place for a poster: `look` is "", "small" or "square". It is hidden until there is a picture, or with `isKept` stays empty. */
export function makePoster(look, isKept = false) {
  const image = make("img", { alt: "", loading: "lazy", decoding: "async", hidden: true });
  const box = make("div", { class: ("poster " + look).trim(), hidden: !isKept }, image);
  // An image that cannot be loaded leaves its place as it was.
  image.addEventListener("error", () => {
    image.hidden = true;
    box.hidden = !isKept;
  });
  return box;
}

/** Shows a picture by its link, or none. */
export function showPoster(box, link) {
  const image = box.firstChild;
  if (!link) {
    image.hidden = true;
    return;
  }
  const source = link.replace(/^\//, "");
  if (image.getAttribute("src") === source) return;
  box.hidden = image.hidden = false;
  setAttribute(image, "src", source);
}

/** Fills the posters below `root` that hold a `data-key`, with pictures of items of `library`; `known` keeps the links. */
export async function fillPosters(context, root, library, known) {
  const boxes = [...root.querySelectorAll(".poster[data-key]")];
  const missing = [...new Set(boxes.map((box) => box.dataset.key))].filter((key) => !known.has(key));
  for (let at = 0; at < missing.length; at += AT_ONCE) {
    const keys = missing.slice(at, at + AT_ONCE);
    const pictures = await picturesOf(context, library, keys);
    for (const key of keys) known.set(key, "");
    for (const { key, picture } of pictures) known.set(key, picture);
  }
  for (const box of boxes) showPoster(box, known.get(box.dataset.key));
}

/** Pictures of these items, or without keys a few from all over the library. None where they cannot be had: they are only decoration. */
export async function picturesOf(context, library, keys) {
  try {
    const path = "libraries/" + encodeURIComponent(library) + "/pictures";
    return (await context.ask("GET", path + query({ keys: keys && keys.join(",") }))).pictures;
  } catch (error) {
    if (context.signal.aborted) throw error;
    return [];
  }
}
