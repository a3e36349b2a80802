// Tables of rows that change. On a phone a row becomes a block, each number after its name.

import { count, percent } from "./words.js";
import { keep, make, setAttribute, setText } from "./dom.js";

/**
 * Makes a table; `show(rows)` fills it.
 *
 * A column is `{ name, about, kind, value }`. `value(row)` gives what is shown; `about` says in a few words what it is.
 * Kinds: "name" (the first column: text, or `[text, smaller text]`; `lead` makes an element before it, `updateLead` changes that), "count" (0 is pale), "bad" (a count that should be
 * 0), "share" (a bar with percent), "text" (the default; `isWords` puts it to the left), "element" (an element made once per row; `update(element,
 * row)` changes it; `isBare`: on a phone it says itself what it is).
 */
export function makeTable(caption, columns, keyOf) {
  const titled = (column) => make("th", { scope: "col", role: "columnheader", class: classOf(column) }, column.name);
  const body = make("tbody", { role: "rowgroup" });
  const table = make(
    "table",
    { role: "table" },
    make("caption", { class: "unseen" }, caption),
    make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, columns.map(titled))),
    body,
  );
  const explained = columns.filter((column) => column.about);
  const legend =
    explained.length > 0 &&
    make(
      "details",
      { class: "legend" },
      make("summary", {}, "What the columns mean"),
      make(
        "dl",
        {},
        explained.map(({ name, about }) => make("div", {}, make("dt", {}, name), make("dd", {}, about))),
      ),
    );
  const element = make("div", { class: "card sheet" }, make("div", { class: "scroll", tabindex: "0" }, table), legend);
  const makeRow = (row) =>
    make(
      "tr",
      { role: "row" },
      columns.map((column) => makeCell(column, row)),
    );
  const update = (line, row) => columns.forEach((column, index) => showCell(line.children[index], column, row));
  return { element, show: (rows) => keep(body, rows, keyOf, makeRow, update) };
}

/** Words begin at the left, figures end at the right. */
function classOf({ kind, isWords }) {
  return kind === "share" ? "broad" : isWords ? "left" : null;
}

function makeCell(column, row) {
  if (column.kind === "name") {
    return make("th", { scope: "row", role: "rowheader", class: column.lead && "led" }, column.lead && column.lead(row), make("span"), make("small"));
  }
  const cell = make("td", { role: "cell", "data-name": column.isBare ? "" : column.name, class: classOf(column) });
  if (column.kind === "share") cell.append(makeShare());
  if (column.kind === "element") cell.append(column.value(row));
  return cell;
}

function showCell(cell, column, row) {
  if (column.kind === "element") {
    if (column.update) column.update(cell.firstChild, row);
    return;
  }
  const value = column.value(row);
  if (column.kind === "name") {
    const [name, under] = Array.isArray(value) ? value : [value, ""];
    if (column.lead) column.updateLead(cell.firstChild, row);
    setText(cell.lastChild.previousSibling, name);
    setText(cell.lastChild, under || "");
    cell.lastChild.hidden = !under;
  } else if (column.kind === "share") {
    showShare(cell.firstChild, value);
  } else if (column.kind === "count" || column.kind === "bad") {
    setText(cell, value === null || value === undefined ? "–" : count(value));
    setAttribute(cell, "class", !value ? "none" : column.kind === "bad" ? "bad-count" : null);
  } else {
    setText(cell, value === null || value === undefined ? "–" : String(value));
  }
}

/** A bar with its percentage in words. */
export function makeShare() {
  return make("div", { class: "share" }, make("span", { "aria-hidden": "true" }, make("i")), make("em"));
}

/** Fills what `makeShare` made. */
export function showShare(box, share) {
  box.firstChild.firstChild.style.width = Math.min(1, Math.max(0, share || 0)) * 100 + "%";
  setText(box.lastChild, percent(share));
}

/** A bar of how far something is; `text` says it in words. */
export function makeProgress(label) {
  return make("div", { class: "progress" }, make("progress", { max: "1", "aria-label": label }), make("span"));
}

/** Fills what `makeProgress` made; a share that is null moves without an end. */
export function showProgress(box, share, text) {
  if (share === null) box.firstChild.removeAttribute("value");
  else box.firstChild.value = share;
  setText(box.lastChild, text);
}
