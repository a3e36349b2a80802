// The state on one screen: servers, what needs action, today's numbers, one chart, the top apps.

import { RANGES, makeChart, sinceFirst, stepsOf } from "../chart.js";
import { keep, make, makeEmpty, makeLoading, makeTrouble, newId, setText } from "../dom.js";
import * as live from "../live.js";
import { makeAddress, makePlaces, sentenceOf, stateOf } from "../server.js";
import { makeTable } from "../table.js";
import { makeWarnings } from "../warning.js";
import { KINDS, count, counted, duration, minute, percent } from "../words.js";

export const title = "Overview";

const MOST_WARNINGS = 3;
const MOST_APPS = 5;
const SERIES_MS = 30000;
const APPS_MS = 5000;
/** The chart shows minutes while there are fewer data than this, so that a new installation has a curve at once. */
const YOUNG_STEPS = 6;
/** Fewest steps of a chart. */
const LEAST_STEPS = 4;

export function render(root, context) {
  const [traffic, apps] = [trafficChart(context), topApps(context)];
  const pair = make("div", { class: "pair" }, traffic.element, apps.element);
  const parts = [servers(context), warnings(context), waiting(), today(pair), traffic, apps];
  root.append(...parts.slice(0, 4).map((part) => part.element), pair);
  root.classList.add("overview");
  context.on("figures", (figures) => {
    for (const part of parts) if (part.show) part.show(figures);
  });
}

/** Whether no app has sent a request yet. */
const isNew = ({ totals, apps, today: told }) => totals.asked === 0 && apps.length === 0 && !(told && told.asked > 0);

// --- Servers: one sentence each ---

function servers(context) {
  const list = make("ul", { class: "card sentences" });
  const moods = new Map();
  const makeOne = (server) =>
    make(
      "li",
      {},
      make("span", { class: "state" }, make("i", { class: "light" }), make("a", { href: "#/servers" }, server.name)),
      make("p", {}, make("b"), make("span")),
    );
  const element = make("section", { "aria-label": "Media servers" }, list);
  return {
    element,
    show: (figures) =>
      keep(
        list,
        figures.servers,
        (server) => server.name,
        makeOne,
        (item, server) => {
          const [mood, more] = sentenceOf(server, figures.as_of_ms);
          item.firstChild.dataset.state = stateOf(server);
          setText(item.lastChild.firstChild, mood);
          setText(item.lastChild.lastChild, more);
          const before = moods.get(server.name);
          if (before !== undefined && before !== mood) context.say(server.name + ": " + mood);
          moods.set(server.name, mood);
        },
      ),
  };
}

// --- Warnings: the first ones ---

function warnings(context) {
  const list = makeWarnings(context, "brief");
  const more = make("a", { href: "#/warnings", class: "fine" });
  const element = make("section", { "aria-label": "Warnings", hidden: true }, list.element, more);
  return {
    element,
    show({ warnings: all }) {
      element.hidden = all.length === 0;
      list.show(all.slice(0, MOST_WARNINGS));
      more.hidden = all.length <= MOST_WARNINGS;
      setText(more, "All " + count(all.length) + " warnings");
    },
  };
}

// --- No request yet: where to point apps ---

function waiting() {
  const list = make("ul", { class: "addresses" });
  const element = make(
    "section",
    { class: "card pad waiting", "aria-labelledby": "waiting", hidden: true },
    make("h2", { id: "waiting" }, "Waiting for your first app"),
    make(
      "p",
      {},
      "Give an app the address below instead of the media server's, and leave everything else as it is: name, token, password. Its requests appear here at once.",
    ),
    list,
  );
  const makeOne = (server) =>
    make(
      "li",
      { class: "stack tight" },
      make(
        "p",
        {},
        make("b", {}, server.name),
        " ",
        make("span", { class: "fine" }, KINDS[server.kind] || server.kind),
      ),
      makeAddress(server),
      makePlaces(server),
    );
  return {
    element,
    show(figures) {
      element.hidden = !isNew(figures);
      keep(list, figures.servers, (server) => server.name, makeOne);
    },
  };
}

// --- Today ---

/** Today's numbers: name, value, and what it is made of. */
const TODAY = [
  ["Hit rate", ({ hit_rate: rate }) => percent(rate), () => "of cacheable reads"],
  ["Requests", ({ asked }) => count(asked), () => "from your apps"],
  ["Served from cache", ({ saved }) => count(saved), ({ saved, asked }) => (asked > 0 ? percent(saved / asked) + " of requests" : "")],
  ["Sent to server", ({ reached }) => count(reached), ({ own }) => "plus " + counted(own, "background refresh", "background refreshes")],
  ["Net saved", net, () => "requests, after our refreshes"],
  ["Time saved", ({ seconds_saved: seconds }) => duration(seconds), () => "that apps did not wait"],
];

/** Requests not sent to a server thanks to the cache, less those that Greenroom sent by itself. */
function net({ asked, reached, own }) {
  const spared = asked - reached - own;
  return (spared < 0 ? "−" : "") + count(Math.abs(spared));
}

/** The row of numbers; it and what follows it are hidden until an app has sent a request. */
function today(following) {
  const id = newId("today");
  const tiles = TODAY.map(([name]) => ({ name, value: make("dd", {}, "–"), why: make("dd", { class: "why" }) }));
  const since = make("span", { class: "fine" });
  const element = make(
    "section",
    { "aria-labelledby": id },
    make(
      "div",
      { class: "card pad" },
      make("div", { class: "row apart" }, make("h2", { id }, "Today"), since),
      make(
        "dl",
        { class: "tiles today" },
        tiles.map(({ name, value, why }, at) => make("div", { class: at === 0 && "good" }, make("dt", {}, name), value, why)),
      ),
    ),
  );
  return {
    element,
    show(figures) {
      element.hidden = following.hidden = isNew(figures);
      const told = figures.today;
      TODAY.forEach(([, valueOf, whyOf], at) => {
        setText(tiles[at].value, told ? valueOf(told) : "–");
        setText(tiles[at].why, told ? whyOf(told) : "");
      });
      setText(since, told ? "since " + minute(told.since_ms) : "not counted by day");
    },
  };
}

// --- One chart ---

function trafficChart(context) {
  const chart = makeChart("Requests and hit rate of the last 24 hours");
  const place = make("div", {}, chart.element);
  const element = make("section", { class: "card pad", "aria-label": "Requests over time" }, place);
  const stepsSince = async (range) => {
    const series = await context.ask("GET", "statistics/series?range=" + range);
    return sinceFirst(stepsOf(range, series, live.now()), LEAST_STEPS);
  };
  context.every(SERIES_MS, async () => {
    try {
      let [range, steps] = ["day", await stepsSince("day")];
      // A day has too few points while there is less than an hour of data.
      if (steps.length <= Math.max(YOUNG_STEPS, LEAST_STEPS)) [range, steps] = ["hour", await stepsSince("hour")];
      if (place.firstChild !== chart.element) place.replaceChildren(chart.element);
      chart.show(steps, RANGES[range].step);
    } catch (error) {
      if (context.signal.aborted) return;
      place.replaceChildren(make("p", { class: "fine" }, "The chart cannot be shown: " + error.message));
    }
  });
  return { element };
}

// --- Top apps ---

function topApps(context) {
  const table = makeTable(
    "Top apps by cache hits, last 24 hours",
    [
      { name: "App", kind: "name", value: (row) => [row.name, row.not_cacheable ? row.server + " · not cacheable: " + row.not_cacheable : row.server] },
      { name: "Requests", kind: "count", value: (row) => row.asked },
      { name: "From cache", value: (row) => percent(row.asked > 0 ? row.saved / row.asked : null) },
      { name: "p95", value: (row) => (row.latency ? duration(row.latency.p95_ms / 1000) : "–") },
    ],
    (row) => JSON.stringify([row.server, row.name]),
  );
  const empty = makeEmpty("No requests in the last 24 hours.", "Addresses for apps are under ", make("a", { href: "#/servers" }, "Servers"), ".");
  table.element.classList.add("compact");
  const place = make("div", {}, makeLoading());
  const more = make("a", { href: "#/statistics?by=app", class: "fine", hidden: true });
  context.every(APPS_MS, async () => {
    try {
      const { rows } = await context.ask("GET", "statistics?by=app&range=day");
      table.show(rows.sort((one, other) => other.saved - one.saved || other.asked - one.asked).slice(0, MOST_APPS));
      more.hidden = rows.length === 0;
      setText(more, rows.length > MOST_APPS ? "All " + counted(rows.length, "app") : "More about these apps");
      const wanted = rows.length > 0 ? table.element : empty;
      if (place.firstChild !== wanted) place.replaceChildren(wanted);
    } catch (error) {
      if (!context.signal.aborted) place.replaceChildren(makeTrouble(error));
    }
  });
  const id = newId("top-apps");
  const heading = make("h2", { id }, "Top apps by cache hits");
  return { element: make("section", { class: "card top-apps", "aria-labelledby": id }, heading, place, more) };
}
