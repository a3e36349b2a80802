// What was played before: the mirror of the servers' histories, a page at a time.

import { ask, query } from "../api.js";
import {
  fillChoice, keepNotes, make, makeButton, makeChoice, makeEmpty, makeLoading, makeSection, makeTrouble, newId, setAttribute,
  setText,
} from "../dom.js";
import * as live from "../live.js";
import { makeTable } from "../table.js";
import { ago, count, counted, duration, moment } from "../words.js";

const PAGE = 25;
/** Whoever types is not done at each letter. */
const TYPED_MS = 300;
const DAY_MS = 86_400_000;
const SINCE = [["", "all of it"], ["1", "last 24 hours"], ["7", "last 7 days"], ["30", "last 30 days"], ["365", "last year"]];
const KINDS = { movie: "film", video: "video", episode: "episode", track: "track" };

/** "Watch history"; `show(told, figures)` fills what it is told of servers. */
export function makeHistory(context) {
  const wanted = { search: "", server: "", days: "", offset: 0 };
  const choose = (key, value) => {
    wanted[key] = value;
    wanted.offset = 0;
    again();
  };
  const searchId = newId("search");
  const search = make("input", { id: searchId, type: "search", maxlength: "60", placeholder: "Title or user", autocomplete: "off" });
  let typed = 0;
  search.addEventListener("input", () => {
    clearTimeout(typed);
    typed = setTimeout(() => choose("search", search.value.trim()), TYPED_MS);
  });
  const server = makeChoice("Server", [], "", (name) => choose("server", name));
  server.hidden = true;
  const since = makeChoice("Ended in", SINCE, "", (days) => choose("days", days));
  const sync = makeButton("Sync now", "quiet", () =>
    context.act(sync, () => ask("POST", "history/sync"), () => again()));
  const filters = make("div", { class: "row filters" },
    make("label", { class: "choice", for: searchId }, make("span", {}, "Search"), search), since, server, sync);

  const table = makeTable(
    "What was played, newest first",
    [
      { name: "What", kind: "name", value: (row) => [row.title, [row.subtitle, KINDS[row.kind] || row.kind].filter(Boolean).join(" · ")] },
      { name: "Who", isWords: true, value: (row) => row.user },
      { name: "Where", isWords: true, value: (row) => [row.player, row.server].filter(Boolean).join(" · ") },
      { name: "Length", value: (row) => (row.duration_s ? duration(row.duration_s) : "–") },
      { name: "Ended", value: (row) => moment(row.at_ms) },
    ],
    (row) => row.server + "/" + row.id,
  );
  const newer = makeButton("Newer", "quiet small", () => turn(newer, -PAGE));
  const older = makeButton("Older", "quiet small", () => turn(older, PAGE));
  const place = make("span", { class: "fine", role: "status" });
  const pages = make("div", { class: "row after" }, newer, older, place);
  const synced = make("p", { class: "fine after" });
  const note = make("div", { class: "stack" });
  const trouble = make("div", {}, makeLoading());
  table.element.hidden = pages.hidden = true;
  const element = makeSection("Watch history",
    "What the servers say was played, kept here so that nobody who looks has to ask them.",
    filters, trouble, table.element, pages, note, synced);
  let silent = [];
  /** Nothing can be known of any server. */
  let isSilent = false;
  let shown = null;

  const turn = (button, by) => {
    if (button.hasAttribute("aria-disabled")) return;
    wanted.offset = Math.max(0, wanted.offset + by);
    again();
    element.scrollIntoView({ block: "start" });
  };

  const show = (page) => {
    shown = page;
    // Where nothing can be known there is nothing to look through.
    filters.hidden = page.total === 0 && isSilent && !wanted.search && !wanted.server && !wanted.days;
    table.show(page.items);
    table.element.hidden = page.items.length === 0;
    // Not disabled: who has just pressed it keeps the focus.
    setAttribute(newer, "aria-disabled", page.offset === 0 ? "true" : null);
    setAttribute(older, "aria-disabled", page.offset + page.items.length >= page.total ? "true" : null);
    pages.hidden = page.items.length === 0;
    setText(place, count(page.offset + 1) + " to " + count(page.offset + page.items.length) + " of "
      + counted(page.total, "playback"));
    setText(synced, page.synced_ms ? "As the servers had it " + ago(page.synced_ms) + "." : "");
    trouble.replaceChildren();
    keepNotes(note, notesOf(page));
  };

  /** What is to be said of the page that is shown, and of servers that say nothing. */
  const notesOf = (page) => {
    const notes = [...silent];
    if (page.items.length > 0) return notes;
    if (wanted.search || wanted.server || wanted.days) {
      notes.unshift(["Nothing fits.", "Search for something else, or choose a longer time."]);
    } else if (notes.length === 0) {
      notes.push(page.synced_ms
        ? ["Nothing was played yet.", "It is listed here once a server has noted it."]
        : ["Nothing was mirrored yet.", "“Sync now” asks the servers; by itself that happens every 15 minutes."]);
    }
    return notes;
  };

  const again = context.every(60_000, async () => {
    const { search: words, server: name, days, offset } = wanted;
    const sinceMs = days ? Math.floor(live.now() - days * DAY_MS) : "";
    try {
      const page = await context.ask("GET", "history" + query({ search: words, server: name, since_ms: sinceMs, offset: offset || "", limit: PAGE }));
      // What was mirrored anew may be shorter.
      if (page.items.length === 0 && page.total > 0 && offset > 0) {
        wanted.offset = 0;
        return again();
      }
      show(page);
    } catch (error) {
      if (context.signal.aborted) return;
      const isGone = error.status === 503;
      shown = null;
      filters.hidden = isGone;
      table.element.hidden = pages.hidden = true;
      setText(synced, "");
      keepNotes(note, []);
      trouble.replaceChildren(isGone ? makeEmpty(error.message) : makeTrouble(error));
    }
  });

  return {
    element,
    show({ servers }, figures) {
      silent = servers.filter(({ state }) => state === "no-token").map(({ server: name, remedy }) => [
        "What was played on " + name + " is not known: Greenroom has no token for it.", remedy || ""]);
      const wasSilent = isSilent;
      isSilent = servers.length > 0 && silent.length === servers.length;
      if (shown && isSilent !== wasSilent) show(shown);
      else if (shown) keepNotes(note, notesOf(shown));
      const names = ((figures || {}).servers || []).map(({ name }) => name);
      server.hidden = names.length < 2;
      fillChoice(server, [["", "all servers"], ...names.map((name) => [name, name])], wanted.server);
    },
  };
}
