// The view "Libraries": what Greenroom keeps a complete list of, how each list does, and building it.

import {
  keep, make, makeButton, makeEmpty, makeSection, makeState, makeTrouble, setAttribute, setState, setText,
} from "../dom.js";
import * as live from "../live.js";
import { makeProgress, showProgress } from "../table.js";
import { ago, bytes, count, counted, duration, sentence } from "../words.js";
import { makeDiff } from "./library-diff.js";

export const title = "Libraries";

/** How often it is asked which servers have libraries. */
const SERVERS_EVERY_MS = 10_000;
/** Builds that are followed closely at a time: a browser has few connections. The others move every two seconds. */
const MAX_FOLLOWED = 2;

const STATES = {
  off: ["idle", "Off. Nothing is kept of it."],
  idle: ["idle", "Not built yet."],
  building: ["busy", "Being built for the first time."],
  current: ["good", "Up to date."],
  changing: ["busy", "The server is scanning its files. Tracks may bear the names of their files until that has ended."],
  unconfirmed: ["busy", "Kept from an earlier run. The server has not confirmed yet that it still holds."],
  stale: ["bad", "May be older than what the server has."],
  failed: ["bad", "Nothing is kept."],
};

const PHASES = {
  idle: "Begins soon",
  waiting: "Waits until the server answers",
  crawling: "Reading",
  "catching-up": "Reading again what changed meanwhile",
  indexing: "Making it searchable",
  saving: "Writing it to disk",
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
    make("p", { class: "lead" }, "Greenroom keeps a complete list of these libraries, so that playlists, paths and "
      + "ids are found without asking the server."),
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
  const age = make("p", { class: "fine" });
  const progress = makeProgress(`How far ${name} is`);
  const cost = make("p", { class: "fine" });
  const path = `libraries/${encodeURIComponent(id)}`;
  const build = (force) => async () => context.ask("POST", `${path}/build`, { force });
  const begun = () => follow(id, card);

  const buildButton = makeButton("Build now", "main", () => context.act(buildButton, build(false), begun),
    { "aria-label": `Build now: ${name}` });
  const cancelButton = makeButton("Cancel", "quiet", () =>
    context.act(cancelButton, () => context.ask("POST", `${path}/cancel`)), { "aria-label": `Cancel: building ${name}` });
  const turnButton = makeButton("Turn off", "quiet", () => turn());
  const forceButton = makeButton("Build anew, and believe it", "quiet small", () =>
    context.act(forceButton, build(true), begun), { "aria-label": `Build anew, and believe it: ${name}` });

  const turn = async () => {
    const enabled = !card.isOn;
    const sure = enabled || await context.confirm({
      title: `Turn ${name} off?`,
      text: "Greenroom forgets its list and builds no new one, also after a restart. Playlists cannot be written into it.",
      yes: "Turn it off",
    });
    if (!sure) return;
    context.act(turnButton, async () => {
      const report = await context.ask("PUT", path, { enabled });
      return { report, message: enabled ? `${name} is on.` : `${name} is off.` };
    }, ({ report }) => card.show(report));
  };

  const diff = makeDiff(() => context.ask("GET", path));
  const more = make("details", { class: "more" }, make("summary", {}, "More"), cost,
    make("p", { class: "fine" }, "If the server has fewer items than it should, the list is not believed at once. This ",
      "begins anew and believes whatever comes:"), forceButton);
  const card = make("article", { class: "card library", "data-library": id },
    make("header", {}, heading, about), state, failure, items, age, progress,
    make("div", { class: "actions" }, buildButton, cancelButton, turnButton), diff.element, more);
  progress.hidden = true;

  card.show = (report) => {
    card.isOn = report.enabled;
    setText(heading, report.title);
    const contents = CONTENTS[report.contents] || "Other";
    setText(about, contents === report.title ? "" : contents);
    const isBuilding = Boolean(report.progress);
    const [light, words] = STATES[report.state] || ["idle", report.state];
    const isRenewing = isBuilding && Boolean(report.generation);
    setState(state, isBuilding ? "busy" : light,
      isRenewing ? "Being compared with the server. What is kept stays in use." : words);
    showFailure(failure, report.failure);
    showItems(items, report.items);
    const { generation } = report;
    setText(age, generation ? `As the server had it ${ago(live.now() - generation.age_s * 1000)}.` : hintOf(report));
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
  /** How far a build is, as often as it is told. */
  card.sight = (sight) => {
    card.hasEnded = false;
    progress.hidden = false;
    showProgress(progress, sight.percent === null ? null : sight.percent / 100, sightOf(sight));
  };
  /** The build ended: its bar stays, so that who looked away sees what came of it. */
  card.end = (report) => {
    card.hasEnded = true;
    card.show(report);
    const is = report.failure ? "ended without a result" : "complete";
    showProgress(progress, report.failure ? 0 : 1, report.failure ? `Ended: ${report.failure.text}` :
      `100 %: ${counted(totalOf(report.items), "item")} in ${duration(report.cost.build_ms / 1000)}, `
      + `${counted(report.cost.build_requests, "request")} to the server`);
    context.say(`The list of ${report.title} is ${is}.`);
  };
  return card;
}

function showFailure(element, failure) {
  element.hidden = !failure;
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
    : "It is built when something of it is first looked up by path or id, or now if you like.";
}

function costOf({ id, cost, generation }) {
  const parts = [`Commands and apps call it ${id}.`];
  if (cost.build_requests > 0) {
    parts.push(`The last build took ${counted(cost.build_requests, "request")} and ${duration(cost.build_ms / 1000)}.`);
  }
  if (cost.following_rounds > 0) {
    parts.push(`Following changes took ${counted(cost.following_requests, "request")} the last time.`);
  }
  parts.push(`${counted(cost.requests, "request")} to the server since Greenroom started.`);
  if (generation) parts.push(`It takes ${bytes(generation.memory_bytes)} of memory.`);
  return parts.join(" ");
}

function sightOf({ phase, percent, items, expected, left_ms, requests, failures }) {
  const said = PHASES[phase] || phase;
  if (phase !== "crawling") return `${said} …`;
  const parts = [percent === null ? said : `${percent} %`, expected > 0
    ? `${count(items)} of ${count(expected)} items` : counted(items, "item"), counted(requests, "request")];
  if (left_ms !== null) parts.push(`about ${duration(left_ms / 1000)} left`);
  if (failures > 0) parts.push(`${counted(failures, "page")} asked for again`);
  return parts.join(" · ");
}

/** Hears of a build until it ends. */
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
      // The next figures tell.
    }
    followed.delete(id);
  });
  // The figures tell of builds as well: whoever cannot hear begins again with the next ones.
  source.addEventListener("error", leave);
}
