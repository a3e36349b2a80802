// The rows of a report: what came of each, and deciding by hand where that is not certain.

import { make, makeButton, makeState, setAttribute, setText } from "../dom.js";
import { count, percent, sentence } from "../words.js";

/** Rows on the page at a time: thousands would make it slow. */
const PAGE = 100;

const OUTCOMES = {
  found: ["good", "Found"],
  version: ["good", "Another version"],
  duplicate: ["idle", "Same as an earlier row"],
  ambiguous: ["busy", "Needs a look"],
  missing: ["bad", "Not in the library"],
  "not-yet": ["busy", "Not yet: the server is scanning"],
};

const FILTERS = [
  ["all", "All", () => true],
  ["ambiguous", "Need a look", (row) => row.outcome === "ambiguous"],
  ["missing", "Not there", (row) => row.outcome === "missing" || row.outcome === "not-yet"],
  ["found", "Found", (row) => row.item !== null],
];

/** The rows of a report; `decided(number)` is told how many were decided by hand. */
export function makeRows(context, report, decided) {
  const decisions = new Map();
  const room = { context, report, decisions, told: () => decided(decisions.size) };
  const list = make("ol", { class: "card rows" });
  const place = make("p", { class: "fine", role: "status" });
  const before = makeButton("Earlier rows", "quiet", () => turn(-PAGE));
  const after = makeButton("Later rows", "quiet", () => turn(PAGE));
  const chips = make("div", { class: "chips", role: "group", "aria-label": "Which rows are shown" });
  let filter = FILTERS.find(([name]) => name === (report.counts.ambiguous > 0 ? "ambiguous" : "all"));
  let from = 0;

  const show = () => {
    const wanted = report.rows.filter(filter[2]);
    const shown = wanted.slice(from, from + PAGE);
    list.replaceChildren(...shown.map((row) => makeRow(row, room)));
    list.hidden = shown.length === 0;
    setText(place, wanted.length === 0 ? "No such row."
      : wanted.length <= PAGE ? "" : `Rows ${count(from + 1)} to ${count(from + shown.length)} of ${count(wanted.length)}`);
    before.hidden = from === 0;
    after.hidden = from + PAGE >= wanted.length;
    for (const chip of chips.children) setAttribute(chip, "aria-pressed", String(chip.dataset.filter === filter[0]));
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
  const element = make("div", { class: "listing" }, make("h3", {}, "Row by row"), chips, list, makeBad(report),
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

function makeRow(row, room) {
  row.candidates ??= [];
  const element = make("li", { tabindex: "-1", "data-line": row.line });
  const show = () => {
    const decision = room.decisions.get(row);
    element.replaceChildren(...partsOf(row, decision, room, show));
  };
  show();
  return element;
}

function partsOf(row, decision, room, show) {
  const [state, word] = decision ? ["good", "Decided by you"] : OUTCOMES[row.outcome];
  const wanted = make("div", { class: "wanted" }, make("small", {}, `Row ${count(row.line)}`),
    make("b", {}, row.title || "(no title)"), make("span", {}, byline(row)));
  const verdict = make("div", { class: "judged" }, makeState(state, word), row.item && !decision && makeItem(row.item, row),
    decision && makeDecision(decision, row, room, show));
  const isOpen = row.outcome === "ambiguous" && !decision;
  const others = decision || row.title.trim() === "" ? null
    : row.outcome === "ambiguous" || row.outcome === "missing" ? makeChoices(row, room, show, isOpen) : null;
  return [wanted, verdict, others].filter(Boolean);
}

const byline = ({ artist, album }) => [artist, album].filter(Boolean).join(" · ");

/** The item a row means, and why it is believed to. */
function makeItem(item, row) {
  const isSame = item.title === row.title && item.artist === row.artist;
  return make("span", { class: "item" }, isSame ? item.album : [item.title, byline(item)].filter(Boolean).join(" · "),
    make("small", {}, item.reasons.join(", ")));
}

/** What a row may mean, to choose from. */
function makeChoices(row, room, show, isOpen) {
  const list = make("ul", { class: "candidates" });
  const fill = (candidates) => list.replaceChildren(...candidates.map((one) => makeCandidate(one, row, room, show)));
  fill(row.candidates);
  const number = row.candidates.length;
  const summary = number === 0 ? "Look under another name"
    : number === 1 ? "1 track it may be" : `${count(number)} tracks it may be`;
  const search = makeSearch(row, room, fill);
  return make("details", { class: "choices", open: isOpen }, make("summary", {}, summary), list, number === 0 ? search
    : make("details", { class: "more" }, make("summary", {}, "Look under another name"), search));
}

function makeCandidate(one, row, room, show) {
  const name = [one.title, one.artist].filter(Boolean).join(" by ");
  const take = makeButton("Take this", "quiet small", () => decide(take, "pin", one, row, room, show),
    { "aria-label": `Take this: ${name}, for row ${row.line}` });
  const never = makeButton("Never this", "quiet small", () => decide(never, "rejection", one, row, room, show),
    { "aria-label": `Never this: ${name}, for row ${row.line}` });
  return make("li", {}, make("div", {}, make("b", {}, one.title), make("span", {}, byline(one)),
    make("small", {}, [`fits ${percent(Math.min(1, one.score))}`, ...one.reasons].join(", "))),
  make("div", { class: "actions" }, take, never));
}

/** Looks for a row by other words. */
function makeSearch(row, room, fill) {
  const name = make("input", { type: "text", value: row.title, "aria-label": `Title to look for instead, row ${row.line}` });
  const artist = make("input", { type: "text", value: row.artist, "aria-label": `Artist to look for instead, row ${row.line}` });
  const said = make("p", { class: "fine", role: "status" });
  const submit = async (event) => {
    event.preventDefault();
    try {
      const { tracks } = await room.context.ask("POST", "match/tracks", {
        library: room.report.library, policy: "prefer-version-else-any",
        tracks: [{ title: name.value, artist: artist.value }],
      });
      const candidates = tracks[0].candidates.map((one) => ({ ...one, artist: one.artist || "", album: one.album || "",
        reasons: one.why ? [one.why] : [] }));
      setText(said, candidates.length === 0 ? "Nothing in the library is called like that." : "");
      fill(candidates);
    } catch (error) {
      setText(said, error.message);
    }
  };
  return make("form", { class: "search", on: { submit } }, name, artist,
    make("button", { type: "submit", class: "quiet small" }, "Look"), said);
}

/** Keeps a decision about a row, for this and all later runs. */
function decide(button, kind, item, row, room, show) {
  const { context, report } = room;
  const track = { title: row.title, artist: row.artist, album: row.album };
  context.act(button, async () => {
    const { id } = await context.ask("PUT", "match/pins", { library: report.library, kind, track, key: item.key });
    return { id, message: kind === "pin" ? `Row ${row.line} is ${item.title}, from now on.`
      : `Row ${row.line} is never ${item.title}.` };
  }, ({ id }) => {
    if (kind === "rejection") row.candidates = row.candidates.filter((one) => one !== item);
    room.decisions.set(row, { ids: [...(room.decisions.get(row)?.ids || []), id], kind, item });
    room.told();
    show();
    focusRow(row);
  });
}

/** What was decided, and taking it back. */
function makeDecision({ ids, kind, item }, row, room, show) {
  const undo = makeButton("Undo", "quiet small", () => room.context.act(undo, async () => {
    await room.context.ask("DELETE", "match/pins", { ids });
    return { message: `Row ${row.line} is as it was.` };
  }, () => {
    room.decisions.delete(row);
    if (kind === "rejection") row.candidates = [...row.candidates, item];
    room.told();
    show();
    focusRow(row);
  }), { "aria-label": `Undo: the decision about row ${row.line}` });
  return make("span", { class: "item" }, `${kind === "pin" ? "It is" : "It is never"} ${item.title}`,
    make("small", {}, byline(item)), undo);
}

/** The button that was pressed is gone: its row takes the focus. */
function focusRow(row) {
  const element = document.querySelector(`.rows [data-line="${row.line}"]`);
  if (element) element.focus({ preventScroll: true });
}
