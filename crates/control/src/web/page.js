// The frame of the page: what is shown of the connection, and which view is open.

import * as access from "./access.js";
import { ask } from "./api.js";
import { $, setText } from "./dom.js";
import * as live from "./live.js";
import * as router from "./router.js";
import * as talk from "./talk.js";
import { urgent } from "./warning.js";
import { counted, time, zone } from "./words.js";

const forever = new AbortController().signal;

/** How many warnings were shown last. */
let warned = null;

/** Finds out what may be seen, shows it, and keeps it live. */
async function start() {
  live.close();
  try {
    const who = await access.look();
    $("locked").hidden = who.may_read;
    if (!who.may_read) {
      router.close();
      live.forget();
      return pulse("locked", "Locked");
    }
    if (!router.isOpen()) router.open(false);
    live.open(lost, start);
    // Where too many pages are open already, this is all there is until one is closed.
    live.tell("figures", await ask("GET", "cache/stats"));
  } catch {
    lost();
    live.later(start);
  }
}

/** The connection ended: what is shown stays, with its time. */
function lost() {
  pulse("lost", "No connection");
}

function pulse(state, text) {
  const { figures } = live;
  const isNews = $("pulse").dataset.state !== state;
  $("view").classList.toggle("old", state === "lost" || state === "waiting");
  $("pulse").dataset.state = state;
  setText($("pulse-text"), text);
  setText($("pulse-time"), figures ? (state === "live" ? "" : "as of ") + time(figures.as_of_ms) : "");
  if (isNews && (state === "lost" || state === "live")) talk.say(text);
}

function show(figures) {
  pulse("live", "Live");
  setText($("version"), "Greenroom " + figures.version);
  const warnings = urgent(figures.warnings).length;
  if (warned !== null && warnings > warned) talk.say(counted(warnings, "warning") + " now");
  warned = warnings;
  badge("warnings-badge", warnings, "warning that needs action", "warnings that need action");
  badge("jobs-badge", figures.jobs_running || 0, "running job");
}

function badge(id, value, noun, nouns) {
  $(id).hidden = value === 0;
  setText($(id), String(value));
  $(id).title = counted(value, noun, nouns);
}

function turnMenu(isOpen) {
  $("menu").setAttribute("aria-expanded", String(isOpen));
  $("nav").classList.toggle("open", isOpen);
}

setText($("zone"), zone ? "Times are in this browser's zone: " + zone + "." : "");
talk.begin();
access.begin(start);
live.on("figures", show, forever);
$("menu").addEventListener("click", () => turnMenu($("menu").getAttribute("aria-expanded") !== "true"));
$("nav").addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  turnMenu(false);
  $("menu").focus();
});
$("skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("main").focus();
});
addEventListener("hashchange", () => {
  turnMenu(false);
  if (access.who.may_read) router.open(true);
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) return start();
  live.close();
  if (live.figures) pulse("waiting", "Paused");
});

start();
