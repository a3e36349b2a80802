// How it goes, on one page: servers, what is wrong, today, apps, truth, libraries, decisions, room.

import { RANGES, makeChart, stepsOf } from "../chart.js";
import { hear, makeDecisions, merged } from "../decision.js";
import { keep, make, makeEmpty, makeLoading, makeSection, makeState, makeTrouble, setState, setText } from "../dom.js";
import * as live from "../live.js";
import { makeAddress, makePlaces, sentenceOf, stateOf } from "../server.js";
import { makeTable, makeShare, showShare } from "../table.js";
import { makeWarnings } from "../warning.js";
import { KINDS, ago, bytes, count, duration, moment, percent } from "../words.js";

export const title = "Overview";

const MOST_WARNINGS = 3;
const MOST_APPS = 12;
const LAST_DECISIONS = 20;
const SERIES_MS = 30000;
const APPS_MS = 5000;

export function render(root, context) {
  const parts = [
    servers(context),
    warnings(context),
    waiting(),
    today(context),
    apps(context),
    truth(),
    libraries(),
    decisions(context),
    room(),
  ];
  root.append(...parts.map((part) => part.element));
  context.on("figures", (figures) => {
    for (const part of parts) if (part.show) part.show(figures);
  });
}

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
  const list = makeWarnings(context);
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

// --- Nobody asked yet: where to point apps ---

function waiting() {
  const list = make("ul", { class: "addresses" });
  const element = make(
    "section",
    { class: "card pad waiting", "aria-labelledby": "waiting", hidden: true },
    make("h2", { id: "waiting" }, "Waiting for your first app"),
    make(
      "p",
      {},
      "Give an app the address below instead of the media server's, and keep everything else as it is: name, token, password. Its requests appear here at once.",
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
      element.hidden =
        figures.totals.asked > 0 || figures.apps.length > 0 || (figures.today ? figures.today.asked > 0 : false);
      keep(list, figures.servers, (server) => server.name, makeOne);
    },
  };
}

// --- Today ---

const REACHED = "of these, those a media server had to answer";
/** Beside what apps waited for, what keeps answers warm and fresh. */
const ownReached = (own) => REACHED + ", and " + count(own) + " of our own";
const TODAY = [
  ["asked", "Asked", "requests your apps made", count],
  ["reached", "Reached", REACHED, count],
  ["saved", "Saved", "answered without asking a media server", count],
  ["seconds_saved", "Time saved", "that apps did not wait for a media server", duration],
];

function today(context) {
  const values = {};
  const reasons = {};
  const tile = ([key, name, why]) =>
    make(
      "div",
      { class: key === "saved" && "good" },
      make("dt", {}, name),
      (values[key] = make("dd", {}, "–")),
      (reasons[key] = make("dd", { class: "why" }, why)),
    );
  const chart = makeChart("Requests of the last 24 hours: asked against reached");
  const place = make("div", {}, chart.element);
  const note = make("p", { class: "fine" });
  const element = makeSection(
    "Today",
    null,
    make("div", { class: "card pad stack" }, make("dl", { class: "tiles" }, TODAY.map(tile)), place, note),
  );
  context.every(SERIES_MS, async () => {
    try {
      const series = await context.ask("GET", "statistics/series?range=day");
      if (place.firstChild !== chart.element) place.replaceChildren(chart.element);
      chart.show(stepsOf("day", series, live.now()), RANGES.day.step);
    } catch (error) {
      if (!context.signal.aborted)
        place.replaceChildren(
          make("p", { class: "fine" }, "The curve of the last 24 hours cannot be shown: " + error.message),
        );
    }
  });
  return {
    element,
    show({ today: told }) {
      for (const [key, , , inWords] of TODAY) setText(values[key], told ? inWords(told[key]) : "–");
      setText(reasons.reached, told && told.own > 0 ? ownReached(told.own) : REACHED);
      setText(note, told ? "Counted since " + moment(told.since_ms) + "." : "This Greenroom does not count by day.");
    },
  };
}

// --- Apps ---

function apps(context) {
  const table = makeTable(
    "Apps of the last 24 hours",
    [
      {
        name: "App",
        kind: "name",
        value: (row) => [
          row.name,
          [row.server, row.not_cacheable && "not cacheable: " + row.not_cacheable].filter(Boolean).join(" · "),
        ],
      },
      { name: "Asked", kind: "count", value: (row) => row.asked, about: "requests the app made" },
      { name: "Reached", kind: "count", value: (row) => row.reached, about: "requests sent on to the server for it" },
      { name: "Saved", kind: "count", value: (row) => row.saved, about: "answered without asking the server" },
      { name: "Failed", kind: "bad", value: (row) => row.failed, about: "ended in an error" },
      {
        name: "p95",
        value: (row) => (row.latency ? duration(row.latency.p95_ms / 1000) : "–"),
        about: "19 of 20 of its requests were answered within this time",
      },
      { name: "Last seen", value: (row) => (row.last_ms ? ago(row.last_ms) : "–"), about: "when it asked last" },
    ],
    (row) => JSON.stringify([row.server, row.name]),
  );
  const empty = makeEmpty(
    "No app has asked in the last 24 hours.",
    "Addresses to give to apps are under ",
    make("a", { href: "#/servers" }, "Servers"),
    ".",
  );
  const place = make("div", {}, makeLoading());
  const more = make("p", { class: "fine after", hidden: true }, make("a", { href: "#/statistics?by=app" }, ""));
  context.every(APPS_MS, async () => {
    try {
      const { rows } = await context.ask("GET", "statistics?by=app&range=day");
      table.show(rows.slice(0, MOST_APPS));
      more.hidden = rows.length <= MOST_APPS;
      setText(more.firstChild, "All " + count(rows.length) + " apps");
      const wanted = rows.length > 0 ? table.element : empty;
      if (place.firstChild !== wanted) place.replaceChildren(wanted);
    } catch (error) {
      if (!context.signal.aborted) place.replaceChildren(makeTrouble(error));
    }
  });
  return { element: makeSection("Apps", "Who asks, in the last 24 hours, the busiest first.", place, more) };
}

// --- Truth ---

function truth() {
  const values = { stale: make("dd"), oldest: make("dd"), wrong: make("dd") };
  const why = { wrong: make("dd", { class: "why" }) };
  const element = makeSection(
    "Truth",
    "How far today's answers were from what the server would have said.",
    make(
      "dl",
      { class: "card pad tiles" },
      make(
        "div",
        {},
        make("dt", {}, "Served stale"),
        values.stale,
        make("dd", { class: "why" }, "of the answers were older than usual and refreshed behind; while a server is down, what was kept"),
      ),
      make(
        "div",
        {},
        make("dt", {}, "Oldest answer"),
        values.oldest,
        make("dd", { class: "why" }, "the age of the oldest answer an app was given, pictures aside"),
      ),
      make("div", {}, make("dt", {}, "Spot checks wrong"), values.wrong, why.wrong),
    ),
  );
  return {
    element,
    show({ today: told }) {
      element.hidden = !told;
      if (!told) return;
      setText(values.stale, percent(told.stale_share));
      setText(values.oldest, told.asked > 0 ? duration(told.oldest_s) : "–");
      const { made, wrong } = told.spot_checks;
      setText(values.wrong, made > 0 ? count(wrong) + " of " + count(made) : "–");
      values.wrong.className = told.spot_checks.wrong > 0 ? "bad-count" : "";
      setText(
        why.wrong,
        told.spot_checks.made === 0
          ? "kept answers that were also asked of the server, and compared: none yet"
          : "kept answers that were also asked of the server, and differed without a reason",
      );
    },
  };
}

// --- Libraries ---

const LIBRARY_STATES = {
  off: ["idle", "off"],
  idle: ["idle", "not built yet"],
  building: ["busy", "being built"],
  current: ["good", "up to date"],
  changing: ["busy", "being scanned by the server"],
  unconfirmed: ["slow", "not confirmed lately"],
  stale: ["slow", "out of date"],
  failed: ["bad", "failed"],
};

function libraries() {
  const show = (box, { state, progress }) => {
    const [light, words] = LIBRARY_STATES[state] || ["idle", state];
    const { items, expected } = progress || {};
    setState(
      box,
      light,
      words + (state === "building" && expected > 0 ? ", " + percent(Math.min(1, items / expected)) : ""),
    );
  };
  const table = makeTable(
    "Libraries",
    [
      { name: "Library", kind: "name", value: (library) => [library.title, library.server + " · " + library.contents] },
      { name: "State", isWords: true, kind: "element", value: () => makeState("idle", ""), update: show },
      {
        name: "Items",
        kind: "count",
        value: (library) => (library.generation ? library.generation.items : 0),
        about: "kept in its index",
      },
      {
        name: "Confirmed",
        value: (library) => (library.generation ? duration(library.generation.age_s) + " ago" : "–"),
        about: "when the server last said that the index still holds",
      },
    ],
    (library) => library.id,
  );
  const empty = makeEmpty(
    "No library is known yet.",
    "A server tells its libraries when Greenroom has a token of its owner. ",
    make("a", { href: "#/libraries" }, "See why"),
  );
  const place = make("div", {}, makeLoading());
  return {
    element: makeSection("Libraries", null, place),
    show({ libraries: all }) {
      table.show(all);
      const wanted = all.length > 0 ? table.element : empty;
      if (place.firstChild !== wanted) place.replaceChildren(wanted);
    },
  };
}

// --- Decisions ---

function decisions(context) {
  const list = makeDecisions("The last decisions");
  const empty = make("p", { class: "empty" }, "Loading…");
  const card = make("div", { class: "card sheet" }, empty, list.element);
  let known = [];
  const add = (items) => {
    known = merged(known, items, LAST_DECISIONS);
    empty.hidden = known.length > 0;
    setText(empty, "Nothing was decided yet: no app has asked.");
    list.show(known);
  };
  hear(context, LAST_DECISIONS, add, (error) => setText(empty, "Decisions cannot be shown: " + error.message));
  const element = makeSection("Last decisions", "How the last requests were answered, newest first.", card);
  element.append(make("p", { class: "fine after" }, make("a", { href: "#/log" }, "The whole log, with filters")));
  return { element };
}

// --- Room ---

function room() {
  const bars = { memory: makeShare(), disk: makeShare() };
  const texts = { memory: make("p", { class: "fine" }), disk: make("p", { class: "fine" }) };
  const box = (name, key) => make("div", {}, make("h3", {}, name), bars[key], texts[key]);
  const element = makeSection(
    "Room",
    "What the kept answers take, against what they may.",
    make("div", { class: "card pad halves" }, box("Memory", "memory"), box("Disk", "disk")),
  );
  return {
    element,
    show({ memory, disk }) {
      showShare(bars.memory, memory.max_bytes ? memory.bytes / memory.max_bytes : null);
      setText(
        texts.memory,
        count(memory.entries) +
          (memory.entries === 1 ? " answer" : " answers") +
          " in " +
          bytes(memory.bytes) +
          " of " +
          bytes(memory.max_bytes) +
          ". When it is full, what was not read for longest goes.",
      );
      bars.disk.hidden = !disk || !disk.max_bytes;
      if (disk && disk.max_bytes) showShare(bars.disk, disk.bytes / disk.max_bytes);
      setText(
        texts.disk,
        disk
          ? bytes(disk.bytes) + (disk.max_bytes ? " of " + bytes(disk.max_bytes) : "") + ". Kept over restarts."
          : "Nothing is kept on disk: after a restart the first questions go to the server again.",
      );
    },
  };
}
