// The rows of a report: their results, and review one by one or many at once, with undo.

import { make, makeButton, makeState, setAttribute, setText } from "../dom.js";
import { fillPosters, makePoster } from "../posters.js";
import { count, counted, percent, sentence } from "../words.js";

/** Rows on the page at a time: thousands would make it slow. */
const PAGE = 100;
/** Decisions sent at the same time. */
const AT_ONCE = 4;

const OUTCOMES = {
  found: ["good", "Found"],
  version: ["good", "Another version"],
  duplicate: ["idle", "Same as an earlier row"],
  ambiguous: ["busy", "Review"],
  missing: ["bad", "Not found"],
  "not-yet": ["busy", "Not there yet: the server is scanning"],
};

const FILTERS = [
  ["all", "All", () => true],
  ["ambiguous", "Review", (row) => row.outcome === "ambiguous"],
  ["missing", "Not found", (row) => row.outcome === "missing" || row.outcome === "not-yet"],
  ["found", "Found", (row) => row.item !== null],
];

/** The rows of a report; `decided(number)` gets the number of decisions made by hand. */
export function makeRows(context, report, decided) {
  const decisions = new Map();
  // In files of lines a row's number is that of its line, which may be greater than the number of rows.
  const last = report.rows.reduce((most, { line }) => Math.max(most, line), 0);
  const unit = last > report.counts.rows + report.counts.bad ? "Line" : "Row";
  const view = { unit, context, report, decisions, told: () => decided(decisions.size), show: () => show() };
  const list = make("ol", { class: "card rows" });
  const covers = new Map();
  view.dress = (root) => fillPosters(context, root, report.library, covers).catch(() => {});
  const place = make("p", { class: "fine", role: "status" });
  const before = makeButton("Previous rows", "quiet", () => turn(-PAGE));
  const after = makeButton("Next rows", "quiet", () => turn(PAGE));
  const chips = make("div", { class: "chips", role: "group", "aria-label": "Filter rows" });
  const bulk = makeBulk(view);
  let filter = FILTERS.find(([name]) => name === (report.counts.ambiguous > 0 ? "ambiguous" : "all"));
  let from = 0;

  const show = () => {
    const wanted = report.rows.filter(filter[2]);
    const shown = wanted.slice(from, from + PAGE);
    list.replaceChildren(...shown.map((row) => makeRow(row, view)));
    list.hidden = shown.length === 0;
    view.dress(list);
    setText(place, wanted.length === 0 ? "No rows."
      : wanted.length <= PAGE ? "" : `Rows ${count(from + 1)} to ${count(from + shown.length)} of ${count(wanted.length)}`);
    before.hidden = from === 0;
    after.hidden = from + PAGE >= wanted.length;
    for (const chip of chips.children) setAttribute(chip, "aria-pressed", String(chip.dataset.filter === filter[0]));
    bulk.show();
  };
  const turn = (by) => {
    from = Math.max(0, from + by);
    show();
    chips.scrollIntoView();
    list.querySelector("li").focus({ preventScroll: true });
  };
  chips.append(...FILTERS.map((one) => makeButton(
    `${one[1]} (${count(report.rows.filter(one[2]).length)})`, "chip", () => {
      filter = one;
      from = 0;
      show();
    }, { "data-filter": one[0] })));
  show();
  const element = make("div", { class: "listing" }, make("h3", {}, "Rows"), chips, bulk.element, list, makeBad(report),
    make("div", { class: "actions" }, before, after, place));
  return { element };
}

/** Lines that could not be read. */
function makeBad({ bad, counts }) {
  if (counts.bad === 0) return null;
  const more = counts.bad - bad.length;
  return make("details", { class: "more" }, make("summary", {}, `Lines that could not be read (${count(counts.bad)})`),
    make("ul", {}, bad.map(({ line, message }) => make("li", {}, `Line ${count(line)}: ${sentence(message)}`)),
      more > 0 && make("li", {}, `and ${count(more)} more`)));
}

// --- Many rows at once ---

/** What all matches have in common says nothing about one of them. */
const COMMON = /^the same /;

/** What distinguishes a row's best match, such as "studio version, not live". */
function differenceOf({ candidates }) {
  const [best] = candidates || [];
  return best ? best.reasons.filter((reason) => !COMMON.test(reason)).join(", ") || "the same names" : null;
}

/** Rows to review, by what distinguishes their best match; the largest group first. */
function groupsOf({ report, decisions }) {
  const groups = new Map();
  for (const row of report.rows) {
    if (row.outcome !== "ambiguous" || decisions.has(row)) continue;
    const difference = differenceOf(row);
    if (difference) groups.set(difference, [...(groups.get(difference) || []), row]);
  }
  return [...groups].filter(([, rows]) => rows.length > 1).sort((one, other) => other[1].length - one[1].length);
}

/** A line for each group of rows that have the same difference, and one to undo what was accepted together. */
function makeBulk(view) {
  const { context, decisions } = view;
  const element = make("ul", { class: "bulk plain" });
  let last = null;

  const accept = (button, rows) => context.act(button, async () => {
    const accepted = [];
    try {
      await inTurns(rows, async (row) => {
        const [item] = row.candidates;
        const { id } = await save(view, "pin", item, row);
        decisions.set(row, { ids: [id], kind: "pin", item });
        accepted.push(row);
      });
    } finally {
      if (accepted.length > 0) last = accepted;
      view.told();
      view.show();
    }
    return { message: `${counted(accepted.length, "row")} accepted.` };
  }, () => element.querySelector("button")?.focus());

  const undo = (button) => context.act(button, async () => {
    const rows = last.filter((row) => decisions.has(row));
    await context.ask("DELETE", "match/pins", { ids: rows.flatMap((row) => decisions.get(row).ids) });
    for (const row of rows) decisions.delete(row);
    last = null;
    view.told();
    view.show();
    return { message: `${counted(rows.length, "row")} to review again.` };
  }, () => element.querySelector("button")?.focus());

  const show = () => {
    const lines = groupsOf(view).map(([difference, rows]) => {
      const button = makeButton(`Accept all ${count(rows.length)}`, "quiet small", () => accept(button, rows),
        { "aria-label": `Accept all ${count(rows.length)}: ${difference}` });
      return make("li", { class: "row apart" }, make("span", { class: "grow" }, `${counted(rows.length, "row")}: ${difference}`), button);
    });
    if (last) {
      const button = makeButton("Undo", "quiet small", () => undo(button), { "aria-label": `Undo: ${count(last.length)} rows accepted together` });
      lines.push(make("li", { class: "row apart" }, make("span", { class: "grow" }, `${counted(last.length, "row")} accepted together.`), button));
    }
    element.replaceChildren(...lines);
    element.hidden = lines.length === 0;
  };
  return { element, show };
}

/** Does some work for each of these, a few at a time. */
async function inTurns(items, work) {
  const waiting = [...items];
  const worker = async () => {
    while (waiting.length > 0) await work(waiting.shift());
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
}

// --- One row ---

function makeRow(row, view) {
  row.candidates ??= [];
  const element = make("li", { tabindex: "-1", "data-line": row.line });
  const show = () => {
    const decision = view.decisions.get(row);
    element.replaceChildren(...partsOf(row, decision, view, show));
    if (element.isConnected) view.dress(element);
  };
  show();
  return element;
}

function partsOf(row, decision, view, show) {
  const [state, word] = decision ? ["good", decision.kind === "pin" ? "Accepted" : "Rejected"] : OUTCOMES[row.outcome];
  const wanted = make("div", { class: "wanted" }, make("small", {}, `${view.unit} ${count(row.line)}`),
    make("b", {}, row.title || "(no title)"), make("span", {}, byline(row)));
  const result = make("div", { class: "judged" }, makeState(state, word), row.item && !decision && makeItem(row.item, row),
    decision && makeDecision(decision, row, view, show));
  const isOpen = row.outcome === "ambiguous" && !decision;
  const others = decision || row.title.trim() === "" ? null
    : row.outcome === "ambiguous" || row.outcome === "missing" ? makeChoices(row, view, show, isOpen) : null;
  return [wanted, result, others].filter(Boolean);
}

const byline = ({ artist, album }) => [artist, album].filter(Boolean).join(" · ");

/** The item of a row, and why it matches. */
function makeItem(item, row) {
  const isSame = item.title === row.title && item.artist === row.artist;
  return make("div", { class: "pictured" }, coverOf(item),
    make("span", { class: "item" }, isSame ? item.album : [item.title, byline(item)].filter(Boolean).join(" · "),
      make("small", {}, item.reasons.join(", "))));
}

/** The place of an item's cover. */
function coverOf({ key }) {
  const cover = makePoster("square");
  cover.dataset.key = key;
  return cover;
}

/** Possible matches of a row, to choose from. */
function makeChoices(row, view, show, isOpen) {
  const list = make("ul", { class: "candidates" });
  const fill = (candidates) => {
    list.replaceChildren(...candidates.map((one) => makeCandidate(one, row, view, show)));
    if (list.isConnected) view.dress(list);
  };
  fill(row.candidates);
  const number = row.candidates.length;
  const summary = number === 0 ? "Search by another name" : counted(number, "possible match", "possible matches");
  const search = makeSearch(row, view, fill);
  return make("details", { class: "choices", open: isOpen }, make("summary", {}, summary), list, number === 0 ? search
    : make("details", { class: "more" }, make("summary", {}, "Search by another name"), search));
}

function makeCandidate(one, row, view, show) {
  const name = [one.title, one.artist].filter(Boolean).join(" by ");
  const accept = makeButton("Accept", "quiet small", () => decide(accept, "pin", one, row, view, show),
    { "aria-label": `Accept: ${name}, for ${view.unit.toLowerCase()} ${row.line}` });
  const reject = makeButton("Reject", "quiet small", () => decide(reject, "rejection", one, row, view, show),
    { "aria-label": `Reject: ${name}, for ${view.unit.toLowerCase()} ${row.line}` });
  return make("li", {}, coverOf(one), make("div", { class: "words" }, make("b", {}, one.title), make("span", {}, byline(one)),
    make("small", { title: one.reasons.join(", ") }, `${percent(Math.min(1, one.score))} match: ${differenceOf({ candidates: [one] })}`)),
  make("div", { class: "actions" }, accept, reject));
}

/** Searches for a row by another name. */
function makeSearch(row, view, fill) {
  const name = make("input", { type: "text", value: row.title, "aria-label": `Title to search for instead, ${view.unit.toLowerCase()} ${row.line}` });
  const artist = make("input", { type: "text", value: row.artist, "aria-label": `Artist to search for instead, ${view.unit.toLowerCase()} ${row.line}` });
  const said = make("p", { class: "fine", role: "status" });
  const submit = async (event) => {
    event.preventDefault();
    try {
      const { tracks } = await view.context.ask("POST", "match/tracks", {
        library: view.report.library, policy: "prefer-version-else-any",
        tracks: [{ title: name.value, artist: artist.value }],
      });
      const candidates = tracks[0].candidates.map((one) => ({ ...one, artist: one.artist || "", album: one.album || "",
        reasons: one.why ? [one.why] : [] }));
      setText(said, candidates.length === 0 ? "No track with this name is in the library." : "");
      fill(candidates);
    } catch (error) {
      setText(said, error.message);
    }
  };
  return make("form", { class: "search", on: { submit } }, name, artist,
    make("button", { type: "submit", class: "quiet small" }, "Search"), said);
}

/** Saves a decision about a row, for this and all later runs. */
function save({ context, report }, kind, item, { title, artist, album }) {
  return context.ask("PUT", "match/pins", { library: report.library, kind, track: { title, artist, album }, key: item.key });
}

function decide(button, kind, item, row, view, show) {
  view.context.act(button, async () => {
    const { id } = await save(view, kind, item, row);
    return { id, message: kind === "pin" ? `${view.unit} ${row.line}: ${item.title} accepted.` : `${view.unit} ${row.line}: ${item.title} rejected.` };
  }, ({ id }) => {
    if (kind === "rejection") row.candidates = row.candidates.filter((one) => one !== item);
    view.decisions.set(row, { ids: [...(view.decisions.get(row)?.ids || []), id], kind, item });
    view.told();
    show();
    focusRow(row);
  });
}

/** A decision, with its undo. */
function makeDecision({ ids, kind, item }, row, view, show) {
  const undo = makeButton("Undo", "quiet small", () => view.context.act(undo, async () => {
    await view.context.ask("DELETE", "match/pins", { ids });
    return { message: `${view.unit} ${row.line}: decision undone.` };
  }, () => {
    view.decisions.delete(row);
    if (kind === "rejection") row.candidates = [...row.candidates, item];
    view.told();
    show();
    focusRow(row);
  }), { "aria-label": `Undo: the decision about ${view.unit.toLowerCase()} ${row.line}` });
  return make("span", { class: "item" }, item.title, make("small", {}, byline(item)), undo);
}

/** The pressed button is gone: its row takes the focus. */
function focusRow(row) {
  const element = document.querySelector(`.rows [data-line="${row.line}"]`);
  if (element) element.focus({ preventScroll: true });
}
