// Who plays what now, what there is, what apps asked in thirty days, and what was played before.

import { RANGES, makeChart, stepsOf } from "../chart.js";
import { make, makeEmpty, makeLoading, makeSection, makeTrouble, setText } from "../dom.js";
import * as live from "../live.js";
import { makeTable } from "../table.js";
import { ago, bytes, count } from "../words.js";
import { makeHistory } from "./activity-history.js";
import { makePlaying } from "./activity-playing.js";

export const title = "Activity";

/** Which servers there are a token for moves only when somebody logs in on the command line. */
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
      // It only says why something is missing.
      if (context.signal.aborted) throw error;
    }
    await look();
  });
  // They are computed once a minute, and whoever looks is told when that was.
  context.on("figures", (figures) => {
    if (told.dashboard) show();
    if (told.dashboard && figures.dashboard_ms !== shownMs) {
      shownMs = figures.dashboard_ms;
      look();
    }
  });
}

// --- What there is ---

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
    "What there is, by server",
    [
      { name: "Server", kind: "name", value: (row) => [row.server, "counted " + ago(row.as_of_ms)] },
      ...HOLDINGS.map(([key, name]) => ({ name, kind: "count", value: (row) => row[key] })),
    ],
    (row) => row.server,
  );
  servers.element.classList.add("after");
  const empty = makeEmpty("No server has said yet how much there is.",
    "It is counted from the libraries of each server that Greenroom has a token for. ",
    make("a", { href: "#/libraries" }, "Libraries"));
  const about = make("p", { class: "fine after" });
  const place = make("div", {}, makeLoading());
  return {
    element: makeSection("What there is", "Of all servers together.", place),
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

const TRAFFIC = [
  ["asked", "Asked", "requests your apps made", count],
  ["reached", "Reached", "", count],
  ["saved", "Saved", "answered without asking a media server", count],
  ["bytes", "Data", "sent to apps", bytes],
];

function makeMonth(context) {
  const values = {};
  const reasons = {};
  const tile = ([key, name, why]) =>
    make("div", { class: key === "saved" && "good" }, make("dt", {}, name), (values[key] = make("dd", {}, "–")),
      (reasons[key] = make("dd", { class: "why" }, why)));
  const chart = makeChart("Requests of the last 30 days: asked against reached");
  const drawing = make("div", {}, chart.element);
  const apps = makeTable(
    "Apps that were spared most",
    [
      { name: "App", kind: "name", value: (row) => [row.app, row.server] },
      { name: "Asked", kind: "count", value: (row) => row.asked },
      { name: "Saved", kind: "count", value: (row) => row.saved },
      { name: "Share saved", kind: "share", value: (row) => (row.asked > 0 ? row.saved / row.asked : null) },
    ],
    (row) => JSON.stringify([row.server, row.app]),
  );
  const empty = makeEmpty("No app has asked in the last 30 days.", "Addresses to give to apps are under ",
    make("a", { href: "#/servers" }, "Servers"), ".");
  const place = make("div", {}, makeLoading());
  let shownMs = null;
  const draw = async () => {
    try {
      const series = await context.ask("GET", "statistics/series?range=month");
      if (drawing.firstChild !== chart.element) drawing.replaceChildren(chart.element);
      chart.show(stepsOf("month", series, live.now()), RANGES.month.step);
    } catch (error) {
      if (context.signal.aborted) return;
      drawing.replaceChildren(make("p", { class: "fine" }, "The curve cannot be shown: " + error.message));
    }
  };
  return {
    element: makeSection("The last 30 days", null,
      make("div", { class: "card pad stack" }, make("dl", { class: "tiles" }, TRAFFIC.map(tile)), drawing),
      make("h3", { class: "under" }, "Apps that were spared most"), place),
    show({ dashboard }) {
      const { traffic, top_apps: rows } = dashboard;
      for (const [key, , , inWords] of TRAFFIC) setText(values[key], inWords(traffic[key]));
      setText(values.reached, count(traffic.reached - traffic.own));
      setText(reasons.reached, "of these, those a media server had to answer"
        + (traffic.own > 0 ? ", and " + count(traffic.own) + " of Greenroom's own" : ""));
      apps.show(rows);
      const wanted = rows.length > 0 ? apps.element : empty;
      if (place.firstChild !== wanted) place.replaceChildren(wanted);
      if (dashboard.as_of_ms !== shownMs) draw();
      shownMs = dashboard.as_of_ms;
    },
  };
}
