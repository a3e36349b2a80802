// Views by the part of the address behind "#": each is a module of its own, fetched when it is opened.

import { act, withToken } from "./access.js";
import { ask } from "./api.js";
import { $, make, makeEmpty } from "./dom.js";
import * as live from "./live.js";
import { confirm, notice, say } from "./talk.js";

const VIEWS = {
  overview: () => import("./views/overview.js"),
  activity: () => import("./views/activity.js"),
  servers: () => import("./views/servers.js"),
  libraries: () => import("./views/libraries.js"),
  caches: () => import("./views/caches.js"),
  folders: () => import("./views/folders.js"),
  playlists: () => import("./views/playlists.js"),
  statistics: () => import("./views/statistics.js"),
  log: () => import("./views/log.js"),
  jobs: () => import("./views/jobs.js"),
  warnings: () => import("./views/warnings.js"),
  settings: () => import("./views/settings.js"),
};

/** A view that waits for its first answers is shown after this at the latest. */
const ARRIVES_MS = 600;

let shown = null;

/** "#/libraries/home%3A3?tab=diff" as name, path and query; null if it leads to no view. */
export function parse(hash) {
  if (hash !== "" && !hash.startsWith("#/")) return null;
  const [path, query] = hash.slice(2).split("?");
  const [name, ...rest] = path.split("/").filter(Boolean).map(decoded);
  return { name: name || "overview", path: rest, query: new URLSearchParams(query) };
}

/** What is no encoded text is taken as it is: it leads nowhere. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Opens the view that the address names. `isNavigation`: the reader went there, and the focus goes along. */
export async function open(isNavigation) {
  const wanted = parse(location.hash);
  if (!wanted) return;
  close();
  const turn = (shown = { stop: new AbortController(), teardown: null });
  mark(wanted.name);
  let view;
  try {
    const load = Object.hasOwn(VIEWS, wanted.name) ? VIEWS[wanted.name] : null;
    view = load ? await load() : NOWHERE;
  } catch {
    view = UNREACHABLE;
  }
  if (shown !== turn) return;
  const heading = make("h1", { tabindex: "-1" }, view.title);
  const body = make("div", { class: "body" });
  $("view").replaceChildren(heading, body);
  document.title = view.title + " · Greenroom";
  if (isNavigation) {
    heading.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  const hold = arriving(body);
  if (!live.figures) hold(new Promise((heard) => live.on("figures", heard, turn.stop.signal)));
  const left = view.render(body, contextOf(wanted, turn.stop.signal, hold));
  // A view that asks before it draws gives a promise, and nothing to end.
  turn.teardown = typeof left === "function" ? left : null;
  hold(Promise.resolve());
}

/**
 * Keeps a view's body unseen until its first answers are there: else everything would move as they come. Returns what
 * holds it for one of them.
 */
function arriving(body) {
  let waiting = 0;
  const show = () => body.classList.remove("arriving");
  body.classList.add("arriving");
  setTimeout(show, ARRIVES_MS);
  return (promise) => {
    waiting += 1;
    const came = () => {
      waiting -= 1;
      // Whoever was waited for may ask on.
      setTimeout(() => waiting === 0 && show());
    };
    promise.then(came, came);
    return promise;
  };
}

/** Ends the view that is shown. */
export function close() {
  if (!shown) return;
  shown.stop.abort();
  if (shown.teardown) shown.teardown();
  shown = null;
  $("view").replaceChildren();
}

/** Whether a view is shown. */
export const isOpen = () => shown !== null;

/** What a view may use. Whatever it begins with `signal` ends when another view is opened. */
function contextOf({ path, query }, signal, hold) {
  return {
    path,
    query,
    signal,
    /** Asks the API: `ask("GET", "jobs")`. Throws a `Refusal` with `status` and `message`. */
    ask: (method, path, body) => hold(ask(method, path, body, method === "GET" ? signal : undefined)),
    /** Listens to "figures" (at once and every 2 s), "decisions", or "open" (a new connection). */
    on: (event, listener) => live.on(event, listener, signal),
    /** Does something now and every so often; returns a function that does it once more. */
    every: (periodMs, work) => live.every(periodMs, work, signal),
    figures: () => live.figures,
    act,
    withToken,
    confirm,
    notice,
    say,
  };
}

function mark(name) {
  for (const link of $("nav").querySelectorAll("a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

const NOWHERE = {
  title: "Page not found",
  render: (root) => root.append(makeEmpty("No view has this address.", "Choose one in the menu.")),
};

const UNREACHABLE = {
  title: "View not loaded",
  render: (root) =>
    root.append(makeEmpty("Greenroom does not answer.", "Open the view again to retry.")),
};
