// What Greenroom does by itself: when, how it went, run it now, cancel it.

import { ask } from "../api.js";
import { keep, make, makeButton, makeSection, makeState, makeTrouble, setState, setText } from "../dom.js";
import * as live from "../live.js";
import { makeProgress, showProgress } from "../table.js";
import { ago, count, counted, duration, moment } from "../words.js";

export const title = "Jobs";

const POLL_MS = 2000;

const STATES = { idle: ["idle", "Idle"], waiting: ["busy", "Waits for a place"], running: ["busy", "Running"] };
const OUTCOMES = {
  done: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
  "caught-up": "Caught up after it was missed",
};

export function render(root, context) {
  const about = make("p", { class: "lead" }, "Work that Greenroom does by itself.");
  const list = make("ul", { class: "stack plain" });
  const indexes = make("ul", { class: "stack plain" });
  const ofLibraries = makeSection(
    "Indexes of libraries",
    "Each is read whole and compared, when its schedule or a doubt says so.",
    indexes,
  );
  const parts = [about, list, ofLibraries];
  root.append(...parts);
  let again = () => {};
  const refresh = async () => {
    try {
      const told = await context.ask("GET", "jobs");
      if (!list.isConnected) root.replaceChildren(...parts);
      setText(
        about,
        "Work that Greenroom does by itself. At most " +
          counted(told.at_once, "job runs", "jobs run") +
          " at once, never two of one kind; " +
          count(told.running) +
          " now.",
      );
      const show = (shelf, jobs) =>
        keep(
          shelf,
          jobs,
          (job) => job.id,
          (job) => makeJob(job, context, () => again()),
          showJob,
        );
      show(
        list,
        told.jobs.filter((job) => !isIndex(job)),
      );
      show(indexes, told.jobs.filter(isIndex));
      ofLibraries.hidden = !indexes.firstChild;
    } catch (error) {
      if (!context.signal.aborted) root.replaceChildren(makeTrouble(error));
    }
  };
  again = context.every(POLL_MS, refresh);
}

const INDEX = "library:";
const isIndex = ({ id }) => id.startsWith(INDEX);

function makeJob(job, context, again) {
  const parts = {
    state: makeState("idle", ""),
    when: make("p", { class: "fine" }),
    last: make("p", { class: "fine" }),
    progress: makeProgress("Progress of " + job.title),
  };
  const button = (text, look, verb) => {
    const made = makeButton(
      text,
      look,
      () => context.act(made, () => ask("POST", "jobs/" + encodeURIComponent(job.id) + "/" + verb), again),
      { "aria-label": text + ": " + job.title },
    );
    return made;
  };
  parts.run = button("Run now", "quiet small", "run");
  parts.cancel = button("Cancel", "danger small", "cancel");
  const card = make(
    "li",
    { class: "card pad job" },
    make(
      "div",
      { class: "stack tight grow" },
      make("div", { class: "row" }, make(isIndex(job) ? "h3" : "h2", {}, job.title), parts.state),
      make("p", {}, job.what),
      parts.progress,
      parts.when,
      parts.last,
    ),
    make("div", { class: "row" }, parts.run, parts.cancel),
  );
  return Object.assign(card, { parts });
}

function showJob({ parts }, job) {
  setState(parts.state, ...(STATES[job.state] || ["idle", job.state]));
  const isUnderWay = job.state !== "idle";
  parts.run.hidden = isUnderWay;
  parts.cancel.hidden = !(isUnderWay && job.may_cancel);
  parts.progress.hidden = !job.progress;
  if (job.progress) {
    const { done, total } = job.progress;
    showProgress(
      parts.progress,
      total ? done / total : null,
      total ? count(done) + " of " + count(total) : count(done) + " done",
    );
  }
  const often = job.every_s ? "Every " + duration(job.every_s) : "When it is asked for";
  setText(parts.when, often + (job.next_ms && !isUnderWay ? "; next " + nextOf(job.next_ms) : "") + ".");
  setText(parts.last, job.last ? lastOf(job.last) : "It has not run yet.");
  parts.last.classList.toggle("error", Boolean(job.last && job.last.outcome === "failed"));
}

function nextOf(ms) {
  const seconds = Math.round((ms - live.now()) / 1000);
  return seconds <= 1 ? "now" : seconds < 7200 ? "in " + duration(seconds) : "at " + moment(ms);
}

function lastOf({ ended_ms: ended, duration_ms: took, outcome, message }) {
  return (
    (OUTCOMES[outcome] || outcome) +
    " " +
    ago(ended) +
    ", took " +
    duration(took / 1000) +
    (message ? ": " + message : "") +
    (/[.!?]$/.test(message || "") ? "" : ".")
  );
}
