// Earlier runs, and automatic syncs.

import { keep, make, makeButton, makeEmpty, makeState, makeTrouble, setState, setText } from "../dom.js";
import { ago, count, counted, moment, sentence } from "../words.js";
import { stageOf } from "./playlist-run.js";

const RUNS_EVERY_MS = 5000;
const STANDING_EVERY_MS = 10_000;

const STATES = { running: ["busy", "Running"], done: ["good", "Done"], failed: ["bad", "Failed"],
  cancelled: ["idle", "Cancelled"] };

/** The last runs; `open(id)` shows one. `look` asks for them anew. */
export function makeRuns(context, open) {
  const list = make("ul", { class: "card entries", hidden: true });
  const note = make("div");
  const look = context.every(RUNS_EVERY_MS, async () => {
    try {
      const { runs } = await context.ask("GET", "playlists/runs");
      keep(list, runs, ({ run }) => run, (run) => makeRun(context, run, open), (element, run) => element.show(run));
      list.hidden = runs.length === 0;
      note.replaceChildren(...(runs.length > 0 ? []
        : [makeEmpty("None yet.", "Import a playlist above, or run greenroom sync.")]));
    } catch (error) {
      if (error.name !== "AbortError" && list.hidden) note.replaceChildren(makeTrouble(error));
    }
  });
  return { element: make("div", {}, note, list), look };
}

function makeRun(context, { run: id }, open) {
  const name = make("b");
  const state = makeState("idle", "");
  const about = make("small");
  const show = makeButton("Show", "quiet small", () => open(id));
  const cancel = makeButton("Cancel", "quiet small", () => context.act(cancel, async () => {
    await context.ask("POST", `playlists/runs/${encodeURIComponent(id)}/cancel`);
    return { message: "Stops before the next write." };
  }));
  const element = make("li", { "data-run": id }, make("div", {}, name, about), state,
    make("div", { class: "actions" }, show, cancel));
  element.show = (run) => {
    const called = run.name || "(no name)";
    setText(name, called);
    setText(about, [run.server, ago(run.begun_ms), tellOf(run)].filter(Boolean).join(" · "));
    setState(state, ...(STATES[run.state] || ["idle", run.state]));
    show.setAttribute("aria-label", `Show: ${called}`);
    cancel.setAttribute("aria-label", `Cancel: ${called}`);
    cancel.hidden = run.state !== "running";
  };
  return element;
}

function tellOf({ state, counts, progress, error, accounts }) {
  if (state === "running") return stageOf(progress);
  if (error) return sentence(error.message);
  if (!counts) return "";
  const isDry = (accounts || []).some(({ standing, diff }) => standing === "planned" || diff);
  return `${isDry ? "preview: " : ""}${tallyOf(counts)}`;
}

function tallyOf({ rows, bad, found, version, duplicate, ambiguous, missing, not_yet: notYet }) {
  const parts = [`${count(found + version + duplicate)} of ${counted(rows + bad, "row")} found`];
  if (ambiguous > 0) parts.push(`${count(ambiguous)} to review`);
  if (missing > 0) parts.push(`${count(missing)} not found`);
  if (notYet > 0) parts.push(`${count(notYet)} not there yet`);
  if (bad > 0) parts.push(`${count(bad)} not readable`);
  return parts.join(", ");
}

/** The automatic syncs of the configuration. */
export function makeStanding(context) {
  const list = make("ul", { class: "card entries", hidden: true });
  const note = make("div");
  context.every(STANDING_EVERY_MS, async () => {
    try {
      const { standing } = await context.ask("GET", "playlists/standing");
      keep(list, standing, ({ name }) => name, (entry) => makeEntry(context, entry), (element, entry) => element.show(entry));
      list.hidden = standing.length === 0;
      note.replaceChildren(...notesOf(standing));
    } catch (error) {
      if (error.name !== "AbortError" && list.hidden) note.replaceChildren(makeTrouble(error));
    }
  });
  return { element: make("div", {}, note, list) };
}

function notesOf(standing) {
  if (standing.length === 0) {
    return [make("div", { class: "card empty" }, make("p", {}, make("strong", {}, "None."),
      " Greenroom can watch a file or a folder and import changes. In the configuration file:"),
    make("pre", {}, "[playlist.weekly]\nserver = \"home\"\nfile = \"/srv/weekly.jspf\""))];
  }
  return [];
}

function makeEntry(context, { name }) {
  const about = make("small");
  const problems = make("p", { class: "error", hidden: true });
  const lasts = make("ul", { class: "lasts" });
  const run = makeButton("Run now", "quiet small", () => context.act(run, async () => {
    await context.ask("POST", `playlists/standing/${encodeURIComponent(name)}/run`);
    return { message: `${name} runs now.` };
  }), { "aria-label": `Run now: ${name}` });
  const element = make("li", {}, make("div", {}, make("b", {}, name), about, problems, lasts),
    make("div", { class: "actions" }, run));
  element.show = (entry) => {
    setText(about, `from ${entry.from} to ${entry.server}`);
    problems.hidden = entry.problems.length === 0;
    setText(problems, entry.problems.map(sentence).join(" "));
    keep(lasts, entry.playlists, ({ file }) => file || "", () => make("li", { class: "fine" }),
      (line, kept) => setText(line, keptOf(kept)));
  };
  return element;
}

function keptOf({ file, awaits_library: awaits, last, next_ms: nextMs }) {
  const parts = [];
  if (awaits) parts.push("waiting for the first index build");
  if (last) {
    parts.push(last.error ? `failed ${ago(last.at_ms)}: ${last.error.message}`
      : `${last.state} ${ago(last.at_ms)}${last.counts ? `: ${tallyOf(last.counts)}` : ""}`);
  }
  if (last && last.is_changing) parts.push("again once the server has scanned its files");
  if (nextMs) parts.push(`next ${moment(nextMs)}`);
  return `${file ? `${file}: ` : ""}${parts.join("; ") || "not taken yet"}`;
}
