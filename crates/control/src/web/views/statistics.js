// What was asked, what reached a server, how old answers were, and whether they were right.

import { ask, query } from "../api.js";
import { RANGES, makeChart, stepsOf } from "../chart.js";
import { REASONS } from "../decision.js";
import { fillChoice, make, makeButton, makeChoice, makeEmpty, makeLoading, makeSection, makeTrouble, setText } from "../dom.js";
import * as live from "../live.js";
import { makeTable } from "../table.js";
import { CLASSES, ago, bytes, count, counted, duration, moment } from "../words.js";

export const title = "Statistics";

const REFRESH_MS = 10000;
const BY = [
  ["class", "Kind of question"],
  ["app", "App"],
  ["server", "Server"],
  ["user", "User"],
];

const chosen = { range: "day", by: "class", server: "" };

export function render(root, context) {
  const by = context.query.get("by");
  if (BY.some(([known]) => known === by)) chosen.by = by;
  const server = makeChoice("Server", [], "", (name) => choose("server", name));
  const chart = makeChart("Asked against reached");
  const answers = makeAnswers();
  const reasons = makeReasons();
  const empty = makeEmpty(
    "Nobody asked in this time.",
    "Choose a longer time, or give an app the address that is shown under ",
    make("a", { href: "#/servers" }, "Servers"),
    ".",
  );
  const tables = make(
    "div",
    {},
    make("div", { class: "stack" }, answers.element, make("h3", {}, "Why a server was asked"), reasons.element),
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
      chart.show(stepsOf(range, series, live.now()), RANGES[range].step);
      answers.show(rows.rows);
      reasons.show(rows.rows);
      tables.replaceChildren(rows.rows.length > 0 ? shown : empty);
      setText(since, "From " + moment(rows.since_ms) + " until " + moment(Math.min(rows.until_ms, live.now())) + ".");
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
      makeChoice("Time", ranges, chosen.range, (range) => choose("range", range)),
      server,
    ),
    drawn,
    makeSection(
      "Who and what",
      null,
      make(
        "div",
        { class: "switch by", role: "group", "aria-label": "One line per" },
        byButtons.map(([, button]) => button),
      ),
      tables,
      since,
      own,
    ),
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
  row.name,
  [
    row.server,
    chosen.by === "class" ? CLASSES[row.name] : null,
    row.not_cacheable && "not cacheable: " + row.not_cacheable,
  ]
    .filter(Boolean)
    .join(" · "),
];

function makeAnswers() {
  return makeTable(
    "Answers",
    [
      { name: "Name", kind: "name", value: nameOf },
      { name: "Asked", kind: "count", value: (row) => row.asked, about: "requests of apps" },
      { name: "Reached", kind: "count", value: (row) => row.reached, about: "requests sent on to the server for them" },
      { name: "Saved", kind: "count", value: (row) => row.saved, about: "answered without asking the server" },
      {
        name: "Stale",
        kind: "count",
        value: (row) => row.stale,
        about: "answered at once, older than usual and refreshed behind; while a server is down, what was kept",
      },
      { name: "Failed", kind: "bad", value: (row) => row.failed, about: "ended in an error" },
      {
        name: "Age",
        value: ({ age }) =>
          age && typeof age.p50_s === "number"
            ? [age.p50_s, age.p95_s].map(duration).join(" / ") + (age.max_s < age.p95_s ? "" : " / " + duration(age.max_s))
            : "–",
        about: "of answers when they were given: half were younger, 19 of 20 were younger, the oldest (not of pictures)",
      },
      {
        name: "p95",
        value: (row) => (row.latency ? duration(row.latency.p95_ms / 1000) : "–"),
        about: "19 of 20 were answered within this time",
      },
      {
        name: "Time saved",
        value: (row) => duration(row.seconds_saved),
        about: "that apps did not wait for the server",
      },
      { name: "Data", value: (row) => bytes(row.bytes), about: "sent to apps" },
      { name: "Last", value: (row) => (row.last_ms ? ago(row.last_ms) : "–"), about: "when it was asked last" },
    ],
    rowKey,
  );
}

/** What is counted by class only. */
const ofClasses = (value) => (chosen.by === "class" || chosen.by === "server" ? value : null);

function makeReasons() {
  const reasons = ({ misses }) =>
    Object.entries(misses || {})
      .filter(([, value]) => value > 0)
      .sort((one, other) => other[1] - one[1]);
  return makeTable(
    "Why a server was asked",
    [
      { name: "Name", kind: "name", value: (row) => row.name },
      { name: "Missed", kind: "count", value: (row) => row.missed, about: "nothing that might be used was kept" },
      {
        name: "Because",
        isWords: true,
        value: (row) =>
          reasons(row)
            .map(([reason, value]) => (REASONS[reason] || reason) + " " + count(value) + " ×")
            .join(", ") || "–",
        about: "why, and how often",
      },
      {
        name: "Joined",
        kind: "count",
        value: (row) => row.joined,
        about: "waited for the same question of somebody else",
      },
      { name: "Passed", kind: "count", value: (row) => row.passed, about: "streams and changes, which are never kept" },
      {
        name: "Refreshes read",
        kind: "count",
        value: (row) => ofClasses(row.refreshes_useful),
        about: "refreshes behind an answer that an app read afterwards",
      },
      {
        name: "Unread",
        kind: "count",
        value: (row) => ofClasses(row.refreshes_useless),
        about: "refreshes that nobody read: the class is refreshed too often",
      },
    ],
    rowKey,
  );
}

function ownOf(own) {
  if (!own || !own.reached) return "Greenroom itself asked nothing in this time.";
  const asked =
    "Beside these Greenroom asked " + counted(own.reached, "request") + " itself, to keep answers warm and fresh";
  const { refreshes_useful: read = 0, refreshes_useless: unread = 0 } = own;
  if (read + unread === 0) return asked + ".";
  return asked + ": " + count(read) + " of their answers were read, " + count(unread) + " were not.";
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
      { name: "Class", kind: "name", value: (row) => [row.class, row.server] },
      {
        name: "Checked",
        kind: "count",
        value: (row) => row.made,
        about: "kept answers that were also asked of the server",
      },
      { name: "Same", kind: "count", value: (row) => row.same, about: "both were the same" },
      {
        name: "Moved",
        kind: "count",
        value: (row) => row.moved,
        about: "only what moves by itself differed, such as a playing position",
      },
      {
        name: "Changed",
        kind: "count",
        value: (row) => row.changed,
        about: "the server had changed within the age that the class allows",
      },
      {
        name: "Wrong",
        kind: "bad",
        value: (row) => row.wrong,
        about: "differed without a reason: please tell the makers",
      },
    ],
    (row) => row.server + "/" + row.class,
  );
  const place = make("div");
  let isOn = false;
  const element = makeSection(
    "Spot checks",
    "Now and then an answer that was kept is also asked of the server, and both are compared. That is how you know that what is kept is right.",
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
        (isOn ? "On: one hit in " + count(told.one_in) + " is checked. " : "Off. ") +
          counted(told.made, "check") +
          " so far, " +
          count(told.wrong) +
          " wrong" +
          (told.skipped
            ? "; " + count(told.skipped) + " left out, because the server was busy or had been asked enough"
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
            ? "This Greenroom does not make spot checks."
            : "They cannot be shown now: " + error.message,
        );
      }
    }
  });
  return element;
}
