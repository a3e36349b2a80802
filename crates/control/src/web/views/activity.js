// What is playing, library totals, thirty days of requests, and the playback history.

import { RANGES, makeChart, sinceFirst, stepsOf } from "../chart.js";
import { make, makeEmpty, makeLoading, makeSection, makeTrouble, setText } from "../dom.js";
import * as live from "../live.js";
import { makeTable } from "../table.js";
import { ago, bytes, count, counted, percent } from "../words.js";
import { makeHistory } from "./activity-history.js";
import { makePlaying } from "./activity-playing.js";

export const title = "Activity";

/** Which servers have a token changes only by a log-in on the command line. */
const SERVERS_MS = 60_000;

export function render(root, context) {
  const trouble = make("div");
  const parts = [makePlaying(context), makeHoldings(), makeMonth(context), makeHistory(context)];
  root.append(trouble, ...parts.map((part) => part.element));
  const told = { dashboard: null, servers: [] };
  const show = () => {
    const figures = context.figures();
    for (const part of parts) part.show(told, figures);
  };

  let shownMs = 0;
  const look = async () => {
    try {
      told.dashboard = await context.ask("GET", "dashboard");
      shownMs = told.dashboard.as_of_ms;
      trouble.replaceChildren();
      show();
    } catch (error) {
      if (!context.signal.aborted && !told.dashboard) trouble.replaceChildren(makeTrouble(error));
    }
  };
  context.every(SERVERS_MS, async () => {
    try {
      told.servers = (await context.ask("GET", "libraries")).servers;
    } catch (error) {
      // It only explains what is missing.
      if (context.signal.aborted) throw error;
    }
    await look();
  });
  // They are computed once a minute.
  context.on("figures", (figures) => {
    if (told.dashboard) show();
    if (told.dashboard && figures.dashboard_ms !== shownMs) {
      shownMs = figures.dashboard_ms;
      look();
    }
  });
}

// --- Library totals ---

const HOLDINGS = [
  ["films", "Films"],
  ["shows", "Shows"],
  ["seasons", "Seasons"],
  ["episodes", "Episodes"],
  ["artists", "Artists"],
  ["albums", "Albums"],
  ["tracks", "Tracks"],
];

function makeHoldings() {
  const values = {};
  const tile = ([key, name]) => make("div", {}, make("dt", {}, name), (values[key] = make("dd", {}, "–")));
  const tiles = make("dl", { class: "card pad tiles seven" }, HOLDINGS.map(tile));
  const servers = makeTable(
    "Library totals, by server",
    [
      { name: "Server", kind: "name", value: (row) => [row.server, "counted " + ago(row.as_of_ms)] },
      ...HOLDINGS.map(([key, name]) => ({ name, kind: "count", value: (row) => row[key] })),
    ],
    (row) => row.server,
  );
  servers.element.classList.add("after");
  const empty = makeEmpty("No library totals yet.",
    "They are counted from the libraries of each server that Greenroom has a token for. ",
    make("a", { href: "#/libraries" }, "Libraries"));
  const about = make("p", { class: "fine after" });
  const place = make("div", {}, makeLoading());
  return {
    element: makeSection("Library totals", "All servers together.", place),
    show({ dashboard }) {
      const { libraries } = dashboard;
      if (!libraries) return place.replaceChildren(empty);
      for (const [key] of HOLDINGS) setText(values[key], count(libraries[key]));
      const isOne = libraries.per_server.length < 2;
      setText(about, "Counted " + ago(libraries.as_of_ms) + ".");
      servers.show(libraries.per_server);
      const wanted = [tiles, isOne ? about : servers.element];
      if (wanted.some((element) => element.parentNode !== place) || place.children.length !== wanted.length) {
        place.replaceChildren(...wanted);
      }
    },
  };
}

// --- Thirty days ---

/** Fewest days of the chart. */
const LEAST_DAYS = 7;

const TRAFFIC = [
  ["asked", "Requests", "from your apps", count],
  ["reached", "Sent to server", "", count],
  ["saved", "Served from cache", "", count],
  ["bytes", "Data", "sent to apps", bytes],
];

function makeMonth(context) {
  const values = {};
  const reasons = {};
  const tile = ([key, name, why]) =>
    make("div", { class: key === "saved" && "good" }, make("dt", {}, name), (values[key] = make("dd", {}, "–")),
      (reasons[key] = make("dd", { class: "why" }, why)));
  const chart = makeChart("Requests and hit rate of the last 30 days");
  const drawing = make("div", {}, chart.element);
  const apps = makeTable(
    "Top apps by cache hits",
    [
      { name: "App", kind: "name", value: (row) => [row.app, row.server] },
      { name: "Requests", kind: "count", value: (row) => row.asked },
      { name: "Served from cache", kind: "count", value: (row) => row.saved },
      { name: "Rate", kind: "share", value: (row) => (row.asked > 0 ? row.saved / row.asked : null) },
    ],
    (row) => JSON.stringify([row.server, row.app]),
  );
  const empty = makeEmpty("No requests in the last 30 days.", "Addresses for apps are under ",
    make("a", { href: "#/servers" }, "Servers"), ".");
  const place = make("div", {}, makeLoading());
  let shownMs = null;
  const draw = async () => {
    try {
      const series = await context.ask("GET", "statistics/series?range=month");
      if (drawing.firstChild !== chart.element) drawing.replaceChildren(chart.element);
      chart.show(sinceFirst(stepsOf("month", series, live.now()), LEAST_DAYS), RANGES.month.step);
    } catch (error) {
      if (context.signal.aborted) return;
      drawing.replaceChildren(make("p", { class: "fine" }, "The chart cannot be shown: " + error.message));
    }
  };
  return {
    element: makeSection("The last 30 days", "The figures are computed in advance, by default once a minute.",
      make("div", { class: "card pad stack" }, make("dl", { class: "tiles" }, TRAFFIC.map(tile)), drawing),
      make("h3", { class: "under" }, "Top apps by cache hits"), place),
    show({ dashboard }) {
      const { traffic, top_apps: rows } = dashboard;
      for (const [key, , , inWords] of TRAFFIC) setText(values[key], inWords(traffic[key]));
      setText(values.reached, count(traffic.reached - traffic.own));
      setText(reasons.reached, "plus " + counted(traffic.own, "background refresh", "background refreshes"));
      setText(reasons.saved, traffic.asked > 0 ? percent(traffic.saved / traffic.asked) + " of requests" : "");
      apps.show(rows);
      const wanted = rows.length > 0 ? apps.element : empty;
      if (place.firstChild !== wanted) place.replaceChildren(wanted);
      if (dashboard.as_of_ms !== shownMs) draw();
      shownMs = dashboard.as_of_ms;
    },
  };
}
