// Requests by type, app, server and user: how they were answered, how fresh, and whether cached responses were right.

import { ask, query } from "../api.js";
import { RANGES, makeChart, sinceFirst, stepsOf } from "../chart.js";
import { REASONS } from "../decision.js";
import { fillChoice, make, makeButton, makeChoice, makeEmpty, makeLoading, makeSection, makeTrouble, setText } from "../dom.js";
import * as live from "../live.js";
import { makeTable } from "../table.js";
import { CLASSES, ago, bytes, count, counted, duration, moment, percent } from "../words.js";

export const title = "Statistics";

const REFRESH_MS = 10000;
/** Fewest steps of the chart, which begins with the first request of the range. */
const LEAST_STEPS = 12;
const BY = [
  ["class", "Request type"],
  ["app", "App"],
  ["server", "Server"],
  ["user", "User"],
];

const chosen = { range: "day", by: "class", server: "" };

export function render(root, context) {
  const by = context.query.get("by");
  if (BY.some(([known]) => known === by)) chosen.by = by;
  const server = makeChoice("Server", [], "", (name) => choose("server", name));
  const chart = makeChart("Requests and hit rate");
  const answers = makeAnswers();
  const reasons = makeReasons();
  const empty = makeEmpty(
    "No requests in this time.",
    "Choose a longer time, or point an app at an address under ",
    make("a", { href: "#/servers" }, "Servers"),
    ".",
  );
  const tables = make(
    "div",
    {},
    make("div", { class: "stack" }, answers.element, make("h3", {}, "Why requests were sent to the server"), reasons.element),
  );
  const since = make("p", { class: "fine" });
  const own = make("p", { class: "fine" });
  const drawn = make("div", { class: "card pad" }, chart.element);
  const byButtons = BY.map(([by, text]) => [by, makeButton(text, "", () => choose("by", by))]);
  const shown = tables.firstChild;
  tables.replaceChildren(makeLoading());

  const refresh = async () => {
    const { range, by, server } = chosen;
    try {
      const [rows, series] = await Promise.all([
        context.ask("GET", "statistics" + query({ by, server, range })),
        context.ask("GET", "statistics/series" + query({ server, range })),
      ]);
      if (range !== chosen.range || by !== chosen.by || server !== chosen.server) return;
      drawn.hidden = false;
      chart.show(sinceFirst(stepsOf(range, series, live.now()), LEAST_STEPS), RANGES[range].step);
      answers.show(rows.rows);
      reasons.show(rows.rows);
      tables.replaceChildren(rows.rows.length > 0 ? shown : empty);
      setText(since, moment(rows.since_ms) + " to " + moment(Math.min(rows.until_ms, live.now())) + ".");
      setText(own, ownOf(rows.own));
    } catch (error) {
      if (context.signal.aborted) return;
      drawn.hidden = true;
      tables.replaceChildren(makeTrouble(error));
    }
  };
  let again = () => {};
  const choose = (key, value) => {
    chosen[key] = value;
    press();
    again();
  };
  const press = () =>
    byButtons.forEach(([by, button]) => button.setAttribute("aria-pressed", String(by === chosen.by)));
  press();

  const ranges = Object.entries(RANGES).map(([range, { name }]) => [range, name]);
  root.append(
    make(
      "div",
      { class: "row filters" },
      makeChoice("Time range", ranges, chosen.range, (range) => choose("range", range)),
      server,
    ),
    drawn,
    makeSection(
      "Breakdown",
      null,
      make(
        "div",
        { class: "switch by", role: "group", "aria-label": "One row per" },
        byButtons.map(([, button]) => button),
      ),
      tables,
      make("p", { class: "fine after" }, "An app that gets little from the cache: choose “App” for its reasons, filter ",
        make("a", { href: "#/log" }, "Recent requests"), " by it for what it requests, and ",
        make("code", {}, "greenroom why URL"), " explains one of its requests."),
      since,
      own,
    ),
    freshness(context),
    spotChecks(context),
  );
  again = context.every(REFRESH_MS, refresh);
  context.on("figures", ({ servers }) => {
    server.hidden = servers.length < 2;
    fillChoice(server, [["", "all servers"], ...servers.map(({ name }) => [name, name])], chosen.server);
  });
}

const rowKey = (row) => JSON.stringify([row.server, row.name]);
const nameOf = (row) => [
  row.user_name || row.name,
  [
    row.server,
    chosen.by === "class" ? CLASSES[row.name] : null,
    row.user_name && row.name,
    row.not_cacheable && "not cacheable: " + row.not_cacheable,
  ]
    .filter(Boolean)
    .join(" · "),
];

function makeAnswers() {
  return makeTable(
    "Requests",
    [
      { name: "Name", kind: "name", value: nameOf },
      { name: "Requests", kind: "count", value: (row) => row.asked, about: "from apps" },
      { name: "Sent", kind: "count", value: (row) => row.reached, about: "sent to the server for these requests" },
      { name: "Cached", kind: "count", value: (row) => row.saved, about: "served from the cache, without a request to the server" },
      { name: "Rate", value: (row) => percent(row.asked > 0 ? row.saved / row.asked : null), about: "share of requests served from the cache" },
      {
        name: "Stale",
        kind: "count",
        value: (row) => row.stale,
        about: "of these: expired, served at once and refreshed in the background, or served while the server was down",
      },
      { name: "Failed", kind: "bad", value: (row) => row.failed, about: "ended in an error" },
      {
        name: "Age",
        value: ({ age }) =>
          age && typeof age.p50_s === "number"
            ? [age.p50_s, age.p95_s].map(duration).join(" / ") + (age.max_s < age.p95_s ? "" : " / " + duration(age.max_s))
            : "–",
        about: "of cached responses when served: median / p95 / maximum (images left out)",
      },
      {
        name: "p95",
        value: (row) => (row.latency ? duration(row.latency.p95_ms / 1000) : "–"),
        about: "latency: 95 % were answered within this time",
      },
      {
        name: "Time saved",
        value: (row) => duration(row.seconds_saved),
        about: "total time that apps did not wait for the server",
      },
      { name: "Data", value: (row) => bytes(row.bytes), about: "sent to apps" },
      { name: "Last seen", value: (row) => (row.last_ms ? ago(row.last_ms) : "–"), about: "time of the last request" },
    ],
    rowKey,
  );
}

/** Counted by request type only. */
const ofClasses = (value) => (chosen.by === "class" || chosen.by === "server" ? value : null);

function makeReasons() {
  const reasons = ({ misses }) =>
    Object.entries(misses || {})
      .filter(([, value]) => value > 0)
      .sort((one, other) => other[1] - one[1]);
  return makeTable(
    "Why requests were sent to the server",
    [
      { name: "Name", kind: "name", value: nameOf },
      { name: "Misses", kind: "count", value: (row) => row.missed, about: "no usable cached response" },
      {
        name: "Reasons",
        isWords: true,
        value: (row) =>
          reasons(row)
            .map(([reason, value]) => (REASONS[reason] || reason) + " " + count(value) + " ×")
            .join(", ") || "–",
        about: "each with its number",
      },
      {
        name: "Joined",
        kind: "count",
        value: (row) => row.joined,
        about: "waited for an identical request that was under way",
      },
      { name: "Passed through", kind: "count", value: (row) => row.passed, about: "media, sockets, changes and unknown paths, which are never cached" },
      {
        name: "Refreshes used",
        kind: "count",
        value: (row) => ofClasses(row.refreshes_useful),
        about: "background refreshes whose response an app read",
      },
      {
        name: "Unused",
        kind: "count",
        value: (row) => ofClasses(row.refreshes_useless),
        about: "background refreshes that no app read: too frequent for this request type",
      },
    ],
    rowKey,
  );
}

function ownOf(own) {
  if (!own || !own.reached) return "No background refreshes in this time.";
  const asked = "Background refreshes and other requests of our own: " + count(own.reached);
  const { refreshes_useful: read = 0, refreshes_useless: unread = 0 } = own;
  if (read + unread === 0) return asked + ".";
  return asked + "; apps read " + count(read) + " of the refreshed responses, and did not read " + count(unread) + ".";
}

// --- Freshness ---

/** How far today's responses were from what the server would have said. */
function freshness(context) {
  const tile = (name, why) => ({ name, why, value: make("dd", {}, "–") });
  const stale = tile("Stale", "of responses: expired, refreshing in background, or served while a server was down");
  const oldest = tile("Oldest response", "maximum age served, images left out");
  const wrong = tile("Spot checks wrong", "cached responses that differed from the server's without a reason");
  const tiles = make("dl", { class: "card pad tiles" }, [stale, oldest, wrong].map(({ name, why, value }) =>
    make("div", {}, make("dt", {}, name), value, make("dd", { class: "why" }, why))));
  context.on("figures", ({ today }) => {
    if (!today) return;
    const { made, wrong: number } = today.spot_checks;
    setText(stale.value, percent(today.stale_share));
    setText(oldest.value, today.asked > 0 ? duration(today.oldest_s) : "–");
    setText(wrong.value, made > 0 ? count(number) + " of " + count(made) : "–");
    wrong.value.className = number > 0 ? "bad-count" : "";
  });
  return makeSection("Freshness", "Today.", tiles);
}

// --- Spot checks ---

function spotChecks(context) {
  const text = make("p");
  const turn = makeButton("", "quiet", () =>
    context.act(
      turn,
      () => ask("PUT", "statistics/spot-checks", { enabled: !isOn }),
      () => again(),
    ),
  );
  turn.hidden = true;
  const table = makeTable(
    "Spot checks",
    [
      { name: "Request type", kind: "name", value: (row) => [row.class, row.server] },
      {
        name: "Checked",
        kind: "count",
        value: (row) => row.made,
        about: "cached responses compared with the server's",
      },
      { name: "Same", kind: "count", value: (row) => row.same, about: "identical" },
      {
        name: "Moved",
        kind: "count",
        value: (row) => row.moved,
        about: "only values that change by themselves differed, such as a playing position",
      },
      {
        name: "Changed",
        kind: "count",
        value: (row) => row.changed,
        about: "changed on the server within the allowed age",
      },
      {
        name: "Wrong",
        kind: "bad",
        value: (row) => row.wrong,
        about: "differed without a reason: please report it",
      },
    ],
    (row) => row.server + "/" + row.class,
  );
  const place = make("div");
  let isOn = false;
  const element = makeSection(
    "Spot checks",
    "Some cached responses are compared with what the server says at that moment. So you know that they are right.",
    make("div", { class: "card pad row apart after" }, text, turn),
    place,
  );
  const again = context.every(REFRESH_MS, async () => {
    try {
      const told = await context.ask("GET", "statistics/spot-checks");
      isOn = told.enabled;
      turn.hidden = false;
      setText(turn, isOn ? "Turn off" : "Turn on");
      setText(
        text,
        (isOn ? "On: 1 hit in " + count(told.one_in) + " is checked. " : "Off. ") +
          counted(told.made, "check") +
          " so far, " +
          count(told.wrong) +
          " wrong" +
          (told.skipped
            ? "; " + count(told.skipped) + " skipped, because the server was busy or the limit was reached"
            : "") +
          ".",
      );
      table.show(told.classes);
      place.replaceChildren(...(told.classes.length > 0 ? [table.element] : []));
    } catch (error) {
      if (!context.signal.aborted) {
        turn.hidden = true;
        setText(
          text,
          error.status === 404
            ? "Spot checks are not available."
            : "Spot checks cannot be shown: " + error.message,
        );
      }
    }
  });
  return element;
}
