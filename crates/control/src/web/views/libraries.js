// Library indexes: their state, their builds, and turning them on or off.

import {
  keep, make, makeButton, makeEmpty, makeSection, makeState, makeTrouble, setAttribute, setState, setText,
} from "../dom.js";
import * as live from "../live.js";
import { makePoster, picturesOf, showPoster } from "../posters.js";
import { makeProgress, showProgress } from "../table.js";
import { ago, bytes, count, counted, duration, sentence } from "../words.js";
import { makeDiff } from "./library-diff.js";

export const title = "Libraries";

/** Interval of the question which servers have libraries. */
const SERVERS_EVERY_MS = 10_000;
/** Builds followed live at a time: a browser has few connections. The others are updated every two seconds. */
const MAX_FOLLOWED = 2;

const STATES = {
  off: ["idle", "Off. It has no index."],
  idle: ["idle", "Not built yet."],
  building: ["busy", "First build is running."],
  current: ["good", "Up to date."],
  changing: ["busy", "The server scans its files, until which tracks may be named after them, or it announced changes that follow."],
  unconfirmed: ["busy", "From before the restart; not compared with the server yet."],
  stale: ["bad", "Out of date."],
  failed: ["bad", "The build failed. There is no index."],
};

const PHASES = {
  idle: "Starting",
  waiting: "Waiting for the server",
  crawling: "Reading",
  "catching-up": "Reading changes made meanwhile",
  indexing: "Building the search index",
  saving: "Writing to disk",
};

const CONTENTS = { music: "Music", films: "Films", shows: "Shows" };

export function render(root, context) {
  const shelves = make("div", { class: "shelves" });
  const followed = new Map();
  let servers = [];
  const empty = makeEmpty("No media server is configured.",
    "Add one to the configuration file, then start Greenroom again.");
  const trouble = make("div");
  empty.hidden = true;
  root.append(
    make("p", { class: "lead" }, "Greenroom indexes these libraries, so that playlists, paths and IDs are looked up "
      + "without a request to the server."),
    trouble,
    empty,
    shelves,
  );

  const show = () => {
    const all = (context.figures() || {}).libraries || [];
    const shelf = (server) => ({ ...server, libraries: all.filter((library) => library.server === server.server) });
    keep(shelves, servers.map(shelf), ({ server }) => server, (server) => makeShelf(server, room),
      (element, server) => element.show(server));
  };
  const room = { context, follow: (id, card) => follow(followed, context, id, card) };

  context.on("figures", show);
  context.every(SERVERS_EVERY_MS, async () => {
    try {
      ({ servers } = await context.ask("GET", "libraries"));
    } catch (error) {
      if (error.name !== "AbortError" && servers.length === 0) trouble.replaceChildren(makeTrouble(error));
      return;
    }
    trouble.replaceChildren();
    empty.hidden = servers.length > 0;
    show();
  });
  return () => {
    for (const source of followed.values()) source.close();
  };
}

/** All libraries of a server, or why it has none. */
function makeShelf({ server }, room) {
  const note = make("div");
  const cards = make("div", { class: "cards" });
  const shelf = makeSection(server, null, note, cards);
  shelf.show = ({ state, remedy, libraries }) => {
    const says = state === "known" ? "" : WITHOUT[state] || state;
    if (shelf.says !== says) note.replaceChildren(...(says ? [makeEmpty(says, remedy || "")] : []));
    shelf.says = says;
    keep(cards, libraries, ({ id }) => id, (library) => makeCard(library, room), (card, library) => card.show(library));
  };
  return shelf;
}

const WITHOUT = {
  "no-token": "Greenroom has no token for this server, so it cannot read its libraries.",
  looking: "No library is known yet.",
};

/** One library. */
function makeCard({ id, title: name }, { context, follow }) {
  const heading = make("h3", {}, name);
  const about = make("span", { class: "kind" });
  const state = makeState("idle", "");
  const failure = make("p", { class: "error", hidden: true });
  const items = make("dl", { class: "kinds" });
  const strip = makeStrip(context, id);
  const age = make("p", { class: "fine" });
  const progress = makeProgress(`Build progress: ${name}`);
  const cost = make("p", { class: "fine" });
  const path = `libraries/${encodeURIComponent(id)}`;
  const build = (force) => async () => context.ask("POST", `${path}/build`, { force });
  const begun = () => follow(id, card);

  const buildButton = makeButton("Build now", "main", () => context.act(buildButton, build(false), begun),
    { "aria-label": `Build now: ${name}` });
  const cancelButton = makeButton("Cancel", "quiet", () =>
    context.act(cancelButton, () => context.ask("POST", `${path}/cancel`)), { "aria-label": `Cancel: building ${name}` });
  const turnButton = makeButton("Turn off", "quiet", () => turn());
  const forceButton = makeButton("Force rebuild", "danger small", () =>
    context.act(forceButton, build(true), begun), { "aria-label": `Force rebuild: ${name}` });

  const turn = async () => {
    const enabled = !card.isOn;
    const sure = enabled || await context.confirm({
      title: `Turn ${name} off?`,
      text: "The index is deleted and not built again, also after a restart. Playlists cannot be imported into this library.",
      yes: "Turn off",
    });
    if (!sure) return;
    context.act(turnButton, async () => {
      const report = await context.ask("PUT", path, { enabled });
      return { report, message: enabled ? `${name} is on.` : `${name} is off.` };
    }, ({ report }) => card.show(report));
  };

  const diff = makeDiff(() => context.ask("GET", path));
  const more = make("details", { class: "more" }, make("summary", {}, "More"), cost,
    make("p", { class: "fine" }, "A list that is much smaller than before is suspicious and held back. ",
      "A forced rebuild accepts the smaller list:"), forceButton);
  const card = make("article", { class: "card library", "data-library": id },
    make("header", {}, heading, about), strip.element, state, failure, items, age, progress,
    make("div", { class: "actions" }, buildButton, cancelButton, turnButton), diff.element, more);
  progress.hidden = true;

  card.show = (report) => {
    card.isOn = report.enabled;
    setText(heading, report.title);
    const contents = CONTENTS[report.contents] || "Other";
    setText(about, contents === report.title ? "" : contents);
    const isBuilding = Boolean(report.progress);
    const [light, words] = STATES[report.state] || ["idle", report.state];
    const isCancelled = wasCancelled(report) && ["failed", "stale"].includes(report.state);
    const isRenewing = isBuilding && Boolean(report.generation);
    setState(state, isBuilding ? "busy" : isCancelled ? "idle" : light,
      isCancelled ? `Build cancelled. ${report.generation ? "The index from before stays in use." : "There is no index."}` : isRenewing ? "Comparing with the server. The index stays in use." : words);
    showFailure(failure, report.failure);
    showItems(items, report.items);
    const { generation } = report;
    strip.show(report);
    setText(age, generation ? `Confirmed ${ago(live.now() - generation.age_s * 1000)}.` : hintOf(report));
    setText(cost, costOf(report));
    setAttribute(buildButton, "class", ["idle", "failed", "stale"].includes(report.state) ? "main" : "quiet");
    buildButton.hidden = isBuilding || !report.enabled;
    forceButton.disabled = isBuilding || !report.enabled;
    cancelButton.hidden = !isBuilding;
    setText(turnButton, report.enabled ? "Turn off" : "Turn on");
    setAttribute(turnButton, "aria-label", `Turn ${report.enabled ? "off" : "on"}: ${report.title}`);
    if (isBuilding) {
      card.sight(report.progress);
      follow(id, card);
    } else if (!card.hasEnded) {
      progress.hidden = true;
    }
    diff.element.hidden = !generation;
    if (generation) diff.isOf(generation.number);
  };
  /** Shows the progress of a build. */
  card.sight = (sight) => {
    card.hasEnded = false;
    progress.hidden = false;
    showProgress(progress, sight.percent === null ? null : sight.percent / 100, sightOf(sight));
  };
  /** The build ended: its bar stays and shows the result. */
  card.end = (report) => {
    card.hasEnded = true;
    card.show(report);
    const is = wasCancelled(report) ? "cancelled" : report.failure ? "not built" : "complete";
    showProgress(progress, report.failure ? 0 : 1, wasCancelled(report) ? "Cancelled." : report.failure ? `Ended: ${report.failure.text}` :
      `100 %: ${counted(totalOf(report.items), "item")} in ${duration(report.cost.build_ms / 1000)}, `
      + `${counted(report.cost.build_requests, "request")} to the server`);
    context.say(`The index of ${report.title} is ${is}.`);
  };
  return card;
}

/** A few posters or covers from all over a library, asked for once it has an index. */
function makeStrip(context, id) {
  const element = make("div", { class: "strip", "aria-hidden": "true", hidden: true });
  let isAsked = false;
  const load = async (look) => {
    const pictures = await picturesOf(context, id);
    element.hidden = pictures.length === 0;
    element.replaceChildren(...pictures.map(({ title: of, picture }) => {
      const poster = makePoster(look, true);
      poster.title = of;
      showPoster(poster, picture);
      return poster;
    }));
  };
  return {
    element,
    show({ generation, contents }) {
      if (!generation) {
        element.hidden = true;
        isAsked = false;
      } else if (!isAsked) {
        isAsked = true;
        load(contents === "music" ? "square" : "").catch(() => {});
      }
    },
  };
}

/** Whether the last build was cancelled by a person. */
const wasCancelled = ({ failure }) => Boolean(failure) && failure.reason === "cancelled";

function showFailure(element, failure) {
  element.hidden = !failure;
  // A person cancelled it: that is no error.
  setAttribute(element, "class", failure && failure.reason === "cancelled" ? "fine" : "error");
  if (failure) setText(element, `${sentence(failure.text)} ${failure.remedy} (${ago(failure.since_ms)})`);
}

function showItems(list, items) {
  keep(list, Object.entries(items), ([kind]) => kind,
    ([kind]) => make("div", {}, make("dt", {}, kind[0].toUpperCase() + kind.slice(1)), make("dd")),
    (line, [, number]) => setText(line.lastChild, count(number)));
}

const totalOf = (items) => Object.values(items).reduce((sum, number) => sum + number, 0);

function hintOf({ state, contents }) {
  if (state !== "idle") return "";
  return contents === "music" ? "It is built as soon as the server answers."
    : "It is built at the first lookup by path or ID, or now with the button.";
}

function costOf({ id, cost, generation }) {
  const parts = [`ID: ${id}.`];
  if (cost.build_requests > 0) {
    parts.push(`The last build took ${counted(cost.build_requests, "request")} and ${duration(cost.build_ms / 1000)}.`);
  }
  if (cost.following_rounds > 0) {
    parts.push(`The last update of changes took ${counted(cost.following_requests, "request")}.`);
  }
  parts.push(`${counted(cost.requests, "request")} to the server since Greenroom started.`);
  if (generation) parts.push(`Memory: ${bytes(generation.memory_bytes)}.`);
  return parts.join(" ");
}

function sightOf({ phase, percent, items, expected, left_ms, requests, failures }) {
  const said = PHASES[phase] || phase;
  if (phase !== "crawling") return `${said} …`;
  const parts = [percent === null ? said : `${percent} %`, expected > 0
    ? `${count(items)} of ${count(expected)} items` : counted(items, "item"), counted(requests, "request")];
  if (left_ms !== null) parts.push(`about ${duration(left_ms / 1000)} left`);
  if (failures > 0) parts.push(`${counted(failures, "page")} retried`);
  return parts.join(" · ");
}

/** Follows a build until it ends. */
function follow(followed, context, id, card) {
  if (followed.has(id) || followed.size >= MAX_FOLLOWED || context.signal.aborted) return;
  const source = new EventSource(`api/v1/libraries/${encodeURIComponent(id)}/progress`);
  followed.set(id, source);
  const leave = () => {
    source.close();
    followed.delete(id);
  };
  source.addEventListener("progress", (frame) => card.sight(JSON.parse(frame.data)));
  source.addEventListener("end", async () => {
    source.close();
    try {
      card.end(await context.ask("GET", `libraries/${encodeURIComponent(id)}`));
    } catch {
      // The next figures show it.
    }
    followed.delete(id);
  });
  // The figures show builds as well; following starts again with the next ones.
  source.addEventListener("error", leave);
}
