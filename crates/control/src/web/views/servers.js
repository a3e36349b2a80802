// Each media server: its state, its address for apps, its cache mode.

import { ask } from "../api.js";
import { keep, make, makeButton, makeEmpty, makeSection, setAttribute, setText } from "../dom.js";
import { makeAddress, makePlaces, queueNow, queueSoFar, sentenceOf, stateOf } from "../server.js";
import { makeTable } from "../table.js";
import { makeWarnings } from "../warning.js";
import { KINDS, count, percent } from "../words.js";

export const title = "Servers";

const MODES = [
  ["cache", "Cache", "Reads are served from the cache where that is allowed."],
  ["observe", "Observe", "The server answers everything; Greenroom works out what the cache would have saved."],
  ["bypass", "Bypass", "The server answers everything, as without Greenroom. It stays so after a restart."],
];

const BREAKERS = {
  closed: "closed: requests are sent as usual",
  suspecting: "checking: several requests failed, the server is being probed",
  open: "open, retrying",
  "half-open": "open, retrying now",
};

const COUNTS = [
  ["requests_to_server", "Upstream requests", "sent to it since the start"],
  ["own", "Background refreshes", "of these, our own"],
  ["in_flight", "In flight", "unanswered now"],
];
const MORE_COUNTS = [
  ["fast_path", "Served unparsed", "repeated requests, recognised by their bytes"],
  ["writes", "Writes", "changes, forwarded"],
  ["streams", "Passed through", "media, sockets, unknown paths"],
  ["unauthorised", "No token", "requests without one where it is needed"],
  ["refused", "Rejected", "invalid requests"],
  ["offline", "Rejected while down", "not cached, or a change"],
  ["outages", "Outages", ""],
  ["probes", "Probes", "checks whether it is up again"],
  ["unattached", "Early reads", "served before its events were received again"],
  ["doubted", "Suspicious (held back)", "lists much shorter than before"],
];

export function render(root, context) {
  const cards = make("div", { class: "cards wide-cards" });
  const empty = makeEmpty(
    "No media server is configured.",
    "Add one to the configuration file, then start Greenroom again.",
  );
  const bypasses = make("ul", { class: "lines" });
  const bypassed = makeSection("Partial bypasses", "Request types and apps that are not served from the cache.", bypasses);
  const reports = make("div", { class: "stack" });
  const observed = makeSection(
    "Observe mode",
    "What the cache would have done. The saving is net of Greenroom's own requests.",
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
    warnings: makeWarnings(context, "brief"),
    mode: server.mode,
    pending: null,
  };
  const fact = (name, key, why) =>
    make("div", {}, make("dt", {}, name, why && make("small", {}, why)), (parts[key] = make("dd")));
  // Until the change is confirmed by the next numbers, the switch shows where it is going.
  const change = async (mode) => {
    parts.pending = mode;
    showModes(parts, parts.mode);
    try {
      return await ask("PUT", "mode", { server: server.name, mode });
    } catch (error) {
      settle(parts);
      throw error;
    }
  };
  parts.modes = MODES.map(([mode, label]) => {
    const button = makeButton(label, "", () => context.act(button, () => change(mode), () => setTimeout(() => settle(parts), PENDING_MS)));
    return [mode, button];
  });
  const card = make(
    "article",
    { class: "card pad stack server", "data-server": server.name },
    make("header", { class: "row apart" }, parts.light, parts.kind),
    make("p", {}, parts.mood, parts.more),
    parts.called,
    parts.warnings.element,
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
        { class: "switch", role: "group", "aria-label": "Cache mode of " + server.name },
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
      fact("Circuit breaker", "breaker"),
    ),
    make(
      "details",
      {},
      make("summary", {}, "More numbers"),
      make(
        "dl",
        { class: "facts" },
        MORE_COUNTS.map(([key, name, why]) => fact(name, key, why)),
        fact("Queue since start", "queue_so_far"),
        fact("Prefetch", "prefetch", "loads before an app's next request"),
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
      ? "Its own name is “" + server.title + "”."
      : server.title
        ? ""
        : server.version
          ? ""
          : "Name and version are not known yet.",
  );
  parts.called.hidden = !parts.called.textContent;
  if (server.mode === parts.pending) parts.pending = null;
  showModes(parts, server.mode);
  const warnings = figures.warnings.filter((warning) => warning.server === server.name);
  parts.warnings.show(warnings);
  parts.warnings.element.hidden = warnings.length === 0;
  const { observed } = server;
  setText(parts.verdict, observed ? verdictOf(server.mode, observed) : "");
  parts.verdict.hidden = !observed;
  for (const [key] of COUNTS.concat(MORE_COUNTS)) setText(parts[key], count(server[key]));
  setText(parts.queue, queueNow(server.queue));
  setText(parts.queue_so_far, queueSoFar(server.queue));
  setText(parts.breaker, BREAKERS[server.breaker] || server.breaker);
  setText(parts.prefetch, prefetchOf(server, figures.classes));
}

/** A change that the numbers do not show within this time is not pending any more. */
const PENDING_MS = 10000;

/** Shows the mode, and the one that was chosen and is not confirmed yet. */
function showModes(parts, current) {
  parts.mode = current;
  for (const [mode, button] of parts.modes) {
    setAttribute(button, "aria-pressed", String(mode === current));
    setAttribute(button, "data-pending", mode === parts.pending ? "" : null);
  }
  const shown = MODES.find(([mode]) => mode === (parts.pending || current));
  setText(parts.about, parts.pending ? "Switching to " + shown[1] + "…" : shown[2]);
}

/** The change did not come about: nothing is pending any more. */
function settle(parts) {
  parts.pending = null;
  showModes(parts, parts.mode);
}

/** Prefetched responses and what became of them. */
function prefetchOf({ name, prefetch }, classes) {
  if (!prefetch.enabled) return "off";
  const sum = (key) => classes.filter((of) => of.server === name).reduce((all, of) => all + of[key], 0);
  return (
    count(prefetch.started) +
    " started, " +
    count(sum("ahead_useful")) +
    " read, " +
    count(sum("ahead_useless")) +
    " evicted unread, " +
    count(prefetch.failed) +
    " failed"
  );
}

function makeObserved(server) {
  const tables = { classes: observedTable("Request type"), apps: observedTable("App") };
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

const verdictOf = (mode, observed) => observed.verdict + (mode === "observe" ? "." : " (last observation).");

function observedTable(name) {
  return makeTable(
    "Observe mode, by " + name.toLowerCase(),
    [
      { name, kind: "name", value: (row) => row.name },
      {
        name: "Saving",
        value: (row) => (row.saved_percent < 0 ? "−" : "") + percent(Math.abs(row.saved_percent) / 100),
        about: "would not have been sent to the server",
      },
      { name: "Requests", kind: "count", value: (row) => row.asked, about: "observed" },
      { name: "Sent to server", kind: "count", value: (row) => row.reached, about: "would have been sent" },
      { name: "Background refreshes", kind: "count", value: (row) => row.own, about: "of these, our own" },
      {
        name: "Behind",
        kind: "count",
        value: (row) => row.moved + row.changed + row.right_ended,
        about: "responses older than the server's, within the allowed age",
      },
      { name: "Differed", kind: "bad", value: (row) => row.differed, about: "responses that differ without a reason" },
    ],
    (row) => row.name,
  );
}

function makeBypass(bypass, context) {
  const words =
    ["server", "class", "app"]
      .filter((word) => bypass[word])
      .map((word) => (word === "class" ? "request type" : word) + " " + bypass[word])
      .join(", ") || "everything";
  const button = makeButton(
    "End",
    "quiet small",
    () =>
      context.act(button, async () => {
        await ask("DELETE", "bypass", bypass);
        return { message: "No longer bypassed: " + words + "." };
      }),
    { "aria-label": "End the bypass of " + words },
  );
  return make("li", { class: "card row apart" }, make("span", {}, words), button);
}
