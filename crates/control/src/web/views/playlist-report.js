// The report of a run: a summary, each account, each row.

import { make, makeButton, makeEmpty, setText } from "../dom.js";
import { count, counted, duration, percent, sentence } from "../words.js";
import { makeRows } from "./playlist-rows.js";

/**
 * Shows a run that has ended. `steps` are what can be done next: `again(button)` looks once more, `write(button,
 * mayShrink)` writes; null where this page does not know the playlist any more.
 */
export function makeReport(context, run, steps) {
  const { report } = run;
  const heading = make("h2", { tabindex: "-1" });
  const element = make("section", { class: "report", "data-run": run.run, "data-state": run.state }, heading);
  if (!report) {
    const text = run.error ? sentence(run.error.message) : "Cancelled before anything was written.";
    setText(heading, run.state === "cancelled" ? "Cancelled" : "The import failed");
    element.append(makeEmpty(text, steps ? "The form still holds your input." : ""));
    return { element, heading, said: text };
  }
  const said = summaryOf(report);
  setText(heading, titleOf(run));
  const decided = make("p", { class: "decided", role: "status", hidden: true });
  let decisions = 0;
  const rows = makeRows(context, report, (number) => {
    decisions = number;
    decided.hidden = number === 0;
    setText(decided, `${counted(number, "decision")} saved. `
      + (!steps ? "Later runs apply what you decide." : report.dry_run ? "Import applies it; Preview again shows the result first."
        : "Preview again to apply it."));
  });
  element.append(
    make("div", { class: "card summary" }, make("p", { class: "verdict" }, said), makeSplit(report.counts),
      report.warnings.map((warning) => make("p", { class: "warning" }, sentence(warning))),
      make("ul", { class: "accounts" }, report.accounts.map((account) => makeAccount(account, report))),
      decided, steps && makeSteps(context, report, steps, () => decisions), makeDownloads(run),
      make("p", { class: "fine" }, costOf(report, context.figures()))),
    rows.element,
  );
  return { element, heading, said };
}

function titleOf({ report, state }) {
  if (report.dry_run) return `Preview: ${report.name}`;
  if (state === "done") return `Imported: ${report.name}`;
  return state === "cancelled" ? `Cancelled: ${report.name}` : `Partly imported: ${report.name}`;
}

const inLibrary = ({ found, version, duplicate }) => found + version + duplicate;

function summaryOf({ counts, match_rate: rate, encoding }) {
  const parts = [`${count(inLibrary(counts))} of ${counted(counts.rows + counts.bad, "row")} ${counts.rows + counts.bad === 1 ? "is" : "are"} in the library (${percent(rate)}).`];
  if (counts.version > 0) parts.push(`${count(counts.version)} in another version.`);
  if (counts.ambiguous > 0) {
    parts.push(`${count(counts.ambiguous)} to review.`);
  }
  if (counts.missing > 0) parts.push(`${count(counts.missing)} not found.`);
  if (counts.not_yet > 0) parts.push(`${count(counts.not_yet)} not there yet: the server is scanning its files.`);
  if (counts.bad > 0) parts.push(`${counted(counts.bad, "line")} could not be read.`);
  if (!["utf-8", ""].includes(encoding)) parts.push(`The text was read as ${encoding}.`);
  return parts.join(" ");
}

/** The shares as a bar; the sentence above says the same. */
function makeSplit(counts) {
  const parts = [["good", inLibrary(counts)], ["busy", counts.ambiguous + (counts.not_yet || 0)], ["bad", counts.missing + counts.bad]];
  const total = Math.max(1, counts.rows + counts.bad);
  return make("div", { class: "portions", "aria-hidden": "true" }, parts.map(([state, number]) => {
    const part = make("i", { "data-state": state });
    part.style.width = `${(number / total) * 100}%`;
    return part;
  }));
}

const STANDINGS = {
  written: "imported and verified",
  unchanged: "no change",
  planned: "",
  "nothing-found": "no row was found, so nothing changes",
  cancelled: "cancelled; what was written stays",
  failed: "failed",
};

/** Why tracks are kept that would leave. */
const HELD_BACK = {
  shrink: "suspicious: most of the playlist would be removed, or few rows were found.",
  unreadable: "lines that could not be read may be these tracks.",
  changing: "the server is scanning its files.",
};

const ACTIONS = {
  create: "to create it", add: "to add", remove: "to remove", move: "to move", set: "to set all of it",
  delete: "to delete the old list", rename: "to give the new list its name",
};

/** The requests of a plan, such as “3 writes: 1 to create it, 2 to add”. */
function requestsOf({ writes, requests }) {
  const parts = requests.map(({ action, requests: number }) => `${count(number)} ${ACTIONS[action] || action}`);
  return `in ${counted(writes, "write")}: ${parts.join(", ")}`;
}

/** Tracks that leave if that is allowed. */
const allowable = (account) => (account.held_back_reason === "shrink" ? account.held_back : 0);

/** What is done, or would be, for one account. */
function makeAccount(account, report) {
  const verb = report.dry_run ? "would" : "did";
  const parts = [];
  if (account.is_new) parts.push(report.dry_run ? "a new playlist" : "a new playlist");
  if (account.added > 0) parts.push(`${counted(account.added, "track")} ${verb === "would" ? "to add" : "added"}`);
  if (account.removed > 0) parts.push(`${count(account.removed)} ${verb === "would" ? "to remove" : "removed"}`);
  if (account.diff && account.diff.reorder) parts.push("the order changes");
  if (account.already > 0) parts.push(`${count(account.already)} there already`);
  if (account.diff && account.diff.writes > 0) parts.push(requestsOf(account.diff));
  const standing = STANDINGS[account.standing];
  if (standing) parts.unshift(standing);
  return make("li", {}, make("b", {}, account.account || "Owner"), make("span", {}, sentence(parts.join(", "))),
    account.error && make("span", { class: "error" }, sentence(account.error.message)),
    account.held_back > 0 && make("span", { class: "warning" },
      `${counted(account.held_back, "track")} would be removed and ${account.held_back === 1 ? "is" : "are"} held back: `
      + (HELD_BACK[account.held_back_reason] || HELD_BACK.shrink)),
    account.not_visible.length > 0 && make("details", { class: "more" },
      make("summary", {}, `${counted(account.not_visible.length, "track")} this account cannot see`),
      make("ul", {}, account.not_visible.map((label) => make("li", {}, label)))));
}

/** What can be done next. */
function makeSteps(context, report, { again, write }, decisionsOf) {
  const held = report.accounts.reduce((sum, account) => sum + allowable(account), 0);
  const shrink = make("input", { type: "checkbox" });
  const allow = held > 0 && make("label", { class: "tick" }, shrink,
    make("span", {}, `Remove ${counted(held, "track")}: this list is meant to be shorter`));
  const writeButton = makeButton("Import", "main", async () => {
    const whom = report.accounts.map(({ account }) => account || "the owner").join(", ");
    const sure = await context.confirm({
      title: `Import “${report.name}”?`,
      text: `On ${report.server}, for ${whom}. ${planOf(report, shrink.checked, decisionsOf())}`,
      yes: "Import",
    });
    if (sure) write(writeButton, shrink.checked);
  });
  const againButton = makeButton("Preview again", "quiet", () => again(againButton));
  const canWrite = report.dry_run && report.accounts.some((account) => account.standing === "planned" || allowable(account) > 0);
  return make("div", { class: "actions" }, canWrite && allow, canWrite && writeButton, againButton);
}

function planOf({ accounts, counts }, mayShrink, decisions) {
  const added = accounts.reduce((sum, account) => sum + account.added, 0);
  const removed = accounts.reduce((sum, account) => sum + account.removed + (mayShrink ? allowable(account) : 0), 0);
  const left = counts.ambiguous + counts.missing + (counts.not_yet || 0);
  const parts = [`${counted(added, "track")} added, ${count(removed)} removed.`];
  if (left > 0) parts.push(`${counted(left, "row")} left out: not found, or to review.`);
  if (decisions > 0) parts.push(`${counted(decisions, "decision")} made since ${decisions === 1 ? "applies" : "apply"} as well.`);
  return parts.join(" ");
}

function makeDownloads({ run, report }) {
  const left = report.counts.missing + report.counts.ambiguous;
  if (left === 0) return null;
  const path = `api/v1/playlists/runs/${encodeURIComponent(run)}/missing`;
  return make("p", { class: "downloads" }, `${counted(left, "row")} not found or to review: `,
    make("a", { href: `${path}?format=csv`, download: `${report.name} missing.csv` }, "as CSV"), " · ",
    make("a", { href: `${path}?format=json`, download: `${report.name} missing.jspf` }, "as JSPF"));
}

const costOf = (report, figures) =>
  `Matched with ${libraryOf(report.library, figures)}, ${duration(report.library_age_s)} old. Took `
  + `${duration(report.took_ms / 1000)}, ${counted(report.reads, "read")} and ${counted(report.writes, "write")}.`;

/** The name of a library; its id if it is not known any more. */
function libraryOf(id, figures) {
  const library = ((figures || {}).libraries || []).find((known) => known.id === id);
  return library ? `${library.title} on ${library.server}` : id;
}
