// Scheduled work of Greenroom: when it runs, how it went, run it now, cancel it.

import { ask } from "../api.js";
import { make, makeButton, makeSection, makeState, makeTrouble, setState, setText } from "../dom.js";
import * as live from "../live.js";
import { makeProgress, makeTable, showProgress } from "../table.js";
import { ago, count, counted, duration, moment } from "../words.js";

export const title = "Jobs";

const POLL_MS = 2000;

const STATES = { waiting: ["busy", "Waiting for a free slot"], running: ["busy", "Running"] };
/** The outcome of the last run. A cancelled run is no failure: a person wanted it. */
const OUTCOMES = {
  done: ["good", "Done"],
  failed: ["bad", "Failed"],
  cancelled: ["idle", "Cancelled"],
  "caught-up": ["good", "Caught up after a missed run"],
};

export function render(root, context) {
  const about = make("p", { class: "lead" }, "Scheduled work of Greenroom.");
  const jobs = makeJobs("Jobs", context, () => again());
  const builds = makeJobs("Index builds", context, () => again());
  const ofLibraries = makeSection("Index builds", "Each reads a whole library and compares it with its index.", builds.element);
  const parts = [about, jobs.element, ofLibraries];
  root.append(...parts);
  let again = () => {};
  const refresh = async () => {
    try {
      const told = await context.ask("GET", "jobs");
      if (!jobs.element.isConnected) root.replaceChildren(...parts);
      const building = told.jobs.filter((job) => isIndex(job) && job.state === "running").length;
      const running = told.jobs.filter((job) => !isIndex(job) && job.state === "running").length;
      setText(
        about,
        counted(running, "job") + " running (at most " + count(told.at_once) + " at once), " +
          counted(building, "index build") + " running.",
      );
      jobs.show(told.jobs.filter((job) => !isIndex(job)));
      const indexes = told.jobs.filter(isIndex);
      builds.show(indexes);
      ofLibraries.hidden = indexes.length === 0;
    } catch (error) {
      if (!context.signal.aborted) root.replaceChildren(makeTrouble(error));
    }
  };
  again = context.every(POLL_MS, refresh);
}

const INDEX = "library:";
const isIndex = ({ id }) => id.startsWith(INDEX);

function makeJobs(caption, context, again) {
  return makeTable(
    caption,
    [
      { name: "Job", kind: "name", value: (job) => [job.title, isIndex(job) ? "" : job.what] },
      { name: "State", isWords: true, isBare: true, kind: "element", value: makeStatus, update: showStatus },
      { name: "Last run", value: ({ last }) => (last ? ago(last.ended_ms) : "never") },
      { name: "Took", value: ({ last }) => (last ? duration(last.duration_ms / 1000) : "–") },
      { name: "Schedule", value: (job) => (job.every_s ? "every " + duration(job.every_s) : "on demand") },
      { name: "Next run", value: (job) => (job.next_ms && job.state === "idle" ? nextOf(job.next_ms) : "–") },
      { name: "Actions", isBare: true, kind: "element", value: (job) => makeActions(job, context, again), update: showActions },
    ],
    (job) => job.id,
  );
}

function makeStatus(job) {
  const parts = { state: makeState("idle", ""), message: make("small"), progress: makeProgress("Progress: " + job.title) };
  return Object.assign(make("div", { class: "job" }, parts.state, parts.progress, parts.message), { parts });
}

function showStatus({ parts }, job) {
  const [light, word] = STATES[job.state] || (job.last && OUTCOMES[job.last.outcome]) || ["idle", "Not run yet"];
  setState(parts.state, light, word);
  setText(parts.message, job.state === "idle" && job.last ? job.last.message || "" : "");
  parts.progress.hidden = !job.progress;
  if (!job.progress) return;
  const { done, total } = job.progress;
  showProgress(parts.progress, total ? done / total : null, total ? count(done) + " of " + count(total) : count(done) + " done");
}

function makeActions(job, context, again) {
  const button = (text, look, verb) => {
    const made = makeButton(
      text,
      look,
      () => context.act(made, () => ask("POST", "jobs/" + encodeURIComponent(job.id) + "/" + verb), again),
      { "aria-label": text + ": " + job.title },
    );
    return made;
  };
  const parts = { run: button("Run now", "quiet small", "run"), cancel: button("Cancel", "danger small", "cancel") };
  return Object.assign(make("div", {}, parts.run, parts.cancel), { parts });
}

function showActions({ parts }, job) {
  const isUnderWay = job.state !== "idle";
  parts.run.hidden = isUnderWay;
  parts.cancel.hidden = !(isUnderWay && job.may_cancel);
}

function nextOf(ms) {
  const seconds = Math.round((ms - live.now()) / 1000);
  return seconds <= 1 ? "now" : seconds < 7200 ? "in " + duration(seconds) : moment(ms);
}
