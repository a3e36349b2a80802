// Changes of a library with its newest index, loaded when opened.

import { make, setText } from "../dom.js";
import { count } from "../words.js";

const FIELDS = {
  title: "title", artists: "artists", parent: "album or season", grandparent: "artist or show", index: "number",
  parent_index: "disc or season", year: "year", duration: "length", guids: "ids",
};

const SORTS = [
  ["added", "Added", (thing) => [nameOf(thing)]],
  ["removed", "Removed", (thing) => [nameOf(thing)]],
  ["retagged", "Renamed or edited", ({ thing, fields }) => [nameOf(thing), ...fields.map(retagOf)]],
  ["moved", "File moved", ({ thing, from, to }) => [nameOf(thing), make("small", {}, changeOf(from, to))]],
  ["rekeyed", "New key", ({ thing, from }) =>
    [nameOf(thing), make("small", {}, changeOf(from, thing.key))]],
];

/** What changed last. `look` asks for the library; `isOf(number)` says which list is the newest. */
export function makeDiff(look) {
  const summary = make("summary", {}, "Last changes");
  const body = make("div", { class: "diff" });
  const element = make("details", { class: "more", hidden: true }, summary, body);
  let newest = 0;
  let shown = null;
  const show = async () => {
    if (!element.open || shown === newest) return;
    const wanted = newest;
    try {
      const { last_diff: diff } = await look();
      shown = wanted;
      body.replaceChildren(...partsOf(diff));
    } catch (error) {
      if (error.name !== "AbortError") body.replaceChildren(make("p", { class: "error" }, error.message));
    }
  };
  element.addEventListener("toggle", show);
  const isOf = (number) => {
    newest = number;
    show();
  };
  return { element, isOf };
}

function partsOf(diff) {
  if (!diff) return [make("p", { class: "fine" }, "No changes since Greenroom started.")];
  const told = SORTS.filter(([sort]) => diff.counts[sort] > 0);
  if (told.length === 0) return [make("p", { class: "fine" }, "No changes of titles.")];
  return told.map(([sort, name, lineOf]) => {
    const more = diff.counts[sort] - diff[sort].length;
    return make("section", {}, make("h4", {}, `${name} (${count(diff.counts[sort])})`),
      make("ul", {}, diff[sort].map((one) => make("li", {}, lineOf(one))), more > 0
        && make("li", { class: "fine" }, `and ${count(more)} more`)));
  });
}

const nameOf = ({ title, of, kind }) =>
  make("span", {}, make("b", {}, title), make("small", {}, [of, kind].filter(Boolean).join(" · ")));

function retagOf({ field, from, to }) {
  const line = make("small");
  setText(line, `${FIELDS[field] || field}: ${changeOf(from, to)}`);
  return line;
}

const changeOf = (from, to) => `${from || "(nothing)"} → ${to || "(nothing)"}`;
