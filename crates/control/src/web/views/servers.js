// Each media server: how it does, where apps find it, how its reads are answered.

import { ask } from "../api.js";
import { keep, make, makeButton, makeEmpty, makeSection, setAttribute, setText } from "../dom.js";
import { makeAddress, makePlaces, queueNow, queueSoFar, sentenceOf, stateOf } from "../server.js";
import { makeTable } from "../table.js";
import { KINDS, count, percent } from "../words.js";

export const title = "Servers";

const MODES = [
  ["cache", "Cache", "Reads are answered from what is kept where that is allowed."],
  ["observe", "Observe", "The server answers everything; Greenroom only watches, and tells what it would have saved."],
  ["bypass", "Bypass", "The server answers everything, as without Greenroom. Also after a restart."],
];

const BREAKERS = {
  closed: "closed: the server is asked as usual",
  suspecting: "suspecting: several requests failed, the server is being tried",
  open: "open: the server is left in peace, and asked now and then whether it is back",
  "half-open": "half open: one request tries whether the server is back",
};

const COUNTS = [
  ["requests_to_server", "Sent on", "requests sent to it since counting began"],
  ["own", "Our own", "of these, no app waited for"],
  ["in_flight", "Under way", "it works on now"],
];
const MORE_COUNTS = [
  ["writes", "Writes", "changes passed on"],
  ["streams", "Streams", "passed through: media, sockets, the unknown"],
  ["unauthorised", "No token", "asked without one where it is needed"],
  ["refused", "Refused", "requests that make no sense"],
  ["offline", "Refused while down", "not kept, or a change"],
  ["outages", "Outages", "how often it went down"],
  ["probes", "Probes", "how often it was asked whether it is back"],
  ["unattached", "Early reads", "how often reads passed before its event sockets were back"],
  ["doubted", "Doubted", "lists so much shorter than before that they were not believed"],
];

export function render(root, context) {
  const cards = make("div", { class: "cards wide-cards" });
  const empty = makeEmpty(
    "No media server is configured.",
    "Add one to the configuration file, then start Greenroom again.",
  );
  const bypasses = make("ul", { class: "lines" });
  const bypassed = makeSection("Bypassed in part", "What goes past the cache, beside whole servers.", bypasses);
  const reports = make("div", { class: "stack" });
  const observed = makeSection(
    "What the cache would do",
    "What observing tells. Saved is set against all that Greenroom asks itself.",
    reports,
  );
  root.append(empty, cards, bypassed, observed);
  context.on("figures", (figures) => {
    empty.hidden = figures.servers.length > 0;
    keep(
      cards,
      figures.servers,
      (server) => server.name,
      (server) => makeServer(server, context),
      (card, server) => showServer(card, server, figures),
    );
    const seen = figures.servers.filter((server) => server.observed);
    observed.hidden = seen.length === 0;
    keep(reports, seen, (server) => server.name, makeObserved, showObserved);
    const parts = figures.bypasses.filter((bypass) => bypass.class || bypass.app || !bypass.server);
    bypassed.hidden = parts.length === 0;
    keep(
      bypasses,
      parts,
      (bypass) => JSON.stringify(bypass),
      (bypass) => makeBypass(bypass, context),
    );
  });
}

function makeServer(server, context) {
  const parts = {
    mood: make("b"),
    more: make("span"),
    light: make("span", { class: "state" }, make("i", { class: "light" }), make("h2", {}, server.name)),
    kind: make("span", { class: "fine" }),
    called: make("p", { class: "fine" }),
    about: make("p", { class: "fine" }),
    verdict: make("p", { class: "verdict" }),
  };
  const fact = (name, key, why) =>
    make("div", {}, make("dt", {}, name, why && make("small", {}, why)), (parts[key] = make("dd")));
  parts.modes = MODES.map(([mode, label]) => {
    const button = makeButton(label, "", () =>
      context.act(button, () => ask("PUT", "mode", { server: server.name, mode })),
    );
    return [mode, button];
  });
  const card = make(
    "article",
    { class: "card pad stack server", "data-server": server.name },
    make("header", { class: "row apart" }, parts.light, parts.kind),
    make("p", {}, parts.mood, parts.more),
    parts.called,
    make(
      "div",
      { class: "point" },
      make("p", { class: "fine" }, "Point your apps at"),
      makeAddress(server),
      makePlaces(server),
    ),
    make(
      "div",
      { class: "stack tight" },
      make(
        "div",
        { class: "switch", role: "group", "aria-label": "How reads of " + server.name + " are answered" },
        parts.modes.map(([, button]) => button),
      ),
      parts.about,
      parts.verdict,
    ),
    make(
      "dl",
      { class: "facts" },
      COUNTS.map(([key, name, why]) => fact(name, key, why)),
      fact("Queue", "queue"),
      fact("Breaker", "breaker"),
    ),
    make(
      "details",
      {},
      make("summary", {}, "More figures"),
      make(
        "dl",
        { class: "facts" },
        MORE_COUNTS.map(([key, name, why]) => fact(name, key, why)),
        fact("Queue so far", "queue_so_far"),
        fact("Prefetch", "prefetch", "loads ahead of an app's next question"),
      ),
    ),
  );
  return Object.assign(card, { parts });
}

function showServer(card, server, figures) {
  const { parts } = card;
  const [mood, more] = sentenceOf(server, figures.as_of_ms);
  setAttribute(parts.light, "data-state", stateOf(server));
  setText(parts.mood, mood);
  setText(parts.more, more);
  const kind = KINDS[server.kind] || server.kind;
  setText(parts.kind, server.version ? kind + " " + server.version.split("-")[0] : kind);
  setText(
    parts.called,
    server.title && server.title !== server.name
      ? "It calls itself “" + server.title + "”."
      : server.title
        ? ""
        : server.version
          ? ""
          : "It has not said yet who it is.",
  );
  parts.called.hidden = !parts.called.textContent;
  for (const [mode, button] of parts.modes) setAttribute(button, "aria-pressed", String(mode === server.mode));
  setText(parts.about, MODES.find(([mode]) => mode === server.mode)[2]);
  const { observed } = server;
  setText(parts.verdict, observed ? verdictOf(server.mode, observed) : "");
  parts.verdict.hidden = !observed;
  for (const [key] of COUNTS.concat(MORE_COUNTS)) setText(parts[key], count(server[key]));
  setText(parts.queue, queueNow(server.queue));
  setText(parts.queue_so_far, queueSoFar(server.queue));
  setText(parts.breaker, BREAKERS[server.breaker] || server.breaker);
  setText(parts.prefetch, prefetchOf(server, figures.classes));
}

/** What was loaded ahead, and what became of it. */
function prefetchOf({ name, prefetch }, classes) {
  if (!prefetch.enabled) return "off";
  const sum = (key) => classes.filter((of) => of.server === name).reduce((all, of) => all + of[key], 0);
  return (
    count(prefetch.started) +
    " started, " +
    count(sum("ahead_useful")) +
    " read, " +
    count(sum("ahead_useless")) +
    " let go unread, " +
    count(prefetch.failed) +
    " failed"
  );
}

function makeObserved(server) {
  const tables = { classes: observedTable("Class"), apps: observedTable("App") };
  const verdict = make("p", { class: "verdict" });
  const card = make(
    "article",
    { class: "card observed" },
    make("h3", {}, server.name),
    verdict,
    tables.classes.element,
    tables.apps.element,
  );
  return Object.assign(card, { tables, verdict });
}

function showObserved({ tables, verdict }, { mode, observed }) {
  setText(verdict, verdictOf(mode, observed));
  for (const key of ["classes", "apps"]) tables[key].show(observed[key]);
}

const verdictOf = (mode, observed) => observed.verdict + (mode === "observe" ? "." : ", when it was observed last.");

function observedTable(name) {
  return makeTable(
    "What observing tells, by " + name.toLowerCase(),
    [
      { name, kind: "name", value: (row) => row.name },
      {
        name: "Saved",
        value: (row) => (row.saved_percent < 0 ? "− " : "") + percent(Math.abs(row.saved_percent) / 100),
        about: "would not have reached the server",
      },
      { name: "Asked", kind: "count", value: (row) => row.asked, about: "requests that were observed" },
      { name: "Reached", kind: "count", value: (row) => row.reached, about: "would have reached the server" },
      { name: "Our own", kind: "count", value: (row) => row.own, about: "of these, refreshes no app waits for" },
      {
        name: "Behind",
        kind: "count",
        value: (row) => row.moved + row.changed + row.right_ended,
        about: "answers a little older than the server's, as their class allows",
      },
      { name: "Differed", kind: "bad", value: (row) => row.differed, about: "answers that no rule explains" },
    ],
    (row) => row.name,
  );
}

function makeBypass(bypass, context) {
  const words =
    ["server", "class", "app"]
      .filter((word) => bypass[word])
      .map((word) => word + " " + bypass[word])
      .join(", ") || "everything";
  const button = makeButton(
    "End",
    "quiet small",
    () =>
      context.act(button, async () => {
        await ask("DELETE", "bypass", bypass);
        return { message: "No longer bypassed: " + words + "." };
      }),
    { "aria-label": "End bypassing " + words },
  );
  return make("li", { class: "card row apart" }, make("span", {}, words), button);
}
