// Playback history: the mirror of the servers' histories, page by page.

import { ask, query } from "../api.js";
import {
  fillChoice, keepNotes, make, makeButton, makeChoice, makeEmpty, makeLoading, makeSection, makeTrouble, newId, setAttribute,
  setText,
} from "../dom.js";
import * as live from "../live.js";
import { makePoster, showPoster } from "../posters.js";
import { makeTable } from "../table.js";
import { ago, count, counted, duration, moment } from "../words.js";

const PAGE = 25;
/** Pause in typing before a search. */
const TYPED_MS = 300;
const DAY_MS = 86_400_000;
const SINCE = [["", "any time"], ["1", "last 24 hours"], ["7", "last 7 days"], ["30", "last 30 days"], ["365", "last year"]];
const KINDS = { movie: "film", video: "video", episode: "episode", track: "track" };

/** The playback history; `show(told, figures)` gives it what is known of the servers. */
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
    "Playbacks, newest first",
    [
      { name: "Title", kind: "name", lead: () => makePoster("small", true), updateLead: (box, { picture }) => showPoster(box, picture), value: (row) => [row.title, [row.subtitle, KINDS[row.kind] || row.kind].filter(Boolean).join(" · ")] },
      { name: "User", isWords: true, value: (row) => row.user },
      { name: "Player", isWords: true, value: (row) => [row.player, row.server].filter(Boolean).join(" · ") },
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
  const element = makeSection("Playback history",
    "Mirrored from the servers, so that looking at it sends them no request.",
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
    // Without any token there is nothing to search.
    filters.hidden = page.total === 0 && isSilent && !wanted.search && !wanted.server && !wanted.days;
    table.show(page.items);
    table.element.hidden = page.items.length === 0;
    // Not disabled, so that the pressed button keeps the focus.
    setAttribute(newer, "aria-disabled", page.offset === 0 ? "true" : null);
    setAttribute(older, "aria-disabled", page.offset + page.items.length >= page.total ? "true" : null);
    pages.hidden = page.items.length === 0;
    setText(place, count(page.offset + 1) + " to " + count(page.offset + page.items.length) + " of "
      + counted(page.total, "playback"));
    setText(synced, page.synced_ms ? "Synced " + ago(page.synced_ms) + "." : "");
    trouble.replaceChildren();
    keepNotes(note, notesOf(page));
  };

  /** Notes on the page shown, and on servers without a history. */
  const notesOf = (page) => {
    const notes = [...silent];
    if (page.items.length > 0) return notes;
    if (wanted.search || wanted.server || wanted.days) {
      notes.unshift(["No matches.", "Search for something else, or choose a longer time."]);
    } else if (notes.length === 0) {
      notes.push(page.synced_ms
        ? ["Nothing was played yet.", "Playbacks appear here after the next sync."]
        : ["Not synced yet.", "“Sync now” loads it; automatic sync runs every 15 minutes."]);
    }
    return notes;
  };

  const again = context.every(60_000, async () => {
    const { search: words, server: name, days, offset } = wanted;
    const sinceMs = days ? Math.floor(live.now() - days * DAY_MS) : "";
    try {
      const page = await context.ask("GET", "history" + query({ search: words, server: name, since_ms: sinceMs, offset: offset || "", limit: PAGE }));
      // After a sync there may be fewer pages.
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
        "The history of " + name + " is not known: Greenroom has no token for it.", remedy || ""]);
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
