// The page's script: who looks, what they may, what they ask for. What it shows is in figures.js.

import { setText, show, time } from "./figures.js";
import { showModes, whenTurned } from "./modes.js";

const $ = (id) => document.getElementById(id);
const RETRY_MS = 5000;
const NOTICE_MS = 8000;

let who = { logged_in: false, may_read: false, may_change: false };
let shownAt = 0;
let source = null;
let retry = 0;
let afterLogin = null;

// --- Talking to the API ---

async function ask(method, path, body) {
  const options = { method, headers: { Accept: "application/json" }, cache: "no-store" };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const response = await fetch("api/v1/" + path, options);
  const answer = await response.json();
  if (!response.ok) {
    const error = new Error([answer.title, answer.detail].filter(Boolean).join(". ") || "The request failed.");
    error.status = response.status;
    throw error;
  }
  return answer;
}

/** Finds out what may be seen, shows it, and keeps it live. */
async function start() {
  stop();
  try {
    who = await ask("GET", "session");
    $("session").hidden = false;
    setText($("session"), who.logged_in ? "Log out" : "Log in");
    $("locked").hidden = who.may_read;
    if (!who.may_read) {
      $("figures").hidden = true;
      shownAt = 0;
      return pulse("locked", "Locked");
    }
    present(await ask("GET", "cache/stats"));
    watch();
  } catch {
    lost();
  }
}

function stop() {
  clearTimeout(retry);
  if (source) source.close();
  source = null;
}

function present(figures) {
  shownAt = figures.as_of_ms;
  show(figures);
  showModes(figures);
  pulse("live", "Live, as of " + time(shownAt));
}

function watch() {
  source = new EventSource("api/v1/events");
  source.addEventListener("figures", (event) => present(JSON.parse(event.data)));
  source.addEventListener("error", () => lost());
}

/** The connection ended: what is shown stays, with its time, and is fetched again soon. */
function lost() {
  stop();
  pulse("lost", shownAt ? "No connection, as of " + time(shownAt) : "No connection");
  retry = setTimeout(start, RETRY_MS);
}

// --- What is going on ---

function pulse(state, text) {
  $("figures").classList.toggle("old", state !== "live");
  $("pulse").dataset.state = state;
  setText($("pulse-text"), text);
}

function notice(text, isBad) {
  const box = $("notice");
  box.className = isBad ? "notice bad" : "notice";
  setText(box, text);
  box.hidden = false;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => { box.hidden = true; }, isBad ? NOTICE_MS * 2 : NOTICE_MS);
}

// --- Changing something ---

/** Does something that needs the token: asks for it first if need be. */
function withToken(work) {
  if (who.may_change) return work();
  afterLogin = work;
  openLogin();
}

async function change(button, path) {
  const server = $("which").value;
  button.disabled = true;
  try {
    const done = await ask("POST", path, server ? { server } : {});
    notice(done.message, false);
    present(await ask("GET", "cache/stats"));
  } catch (error) {
    if (error.status === 401) start();
    notice(error.message, true);
  } finally {
    button.disabled = false;
  }
}

/** Changes how reads are answered, and shows what came of it. */
async function answerReads(method, path, body) {
  try {
    const done = await ask(method, path, body);
    notice(done.message || "Done.", false);
    present(await ask("GET", "cache/stats"));
  } catch (error) {
    if (error.status === 401) start();
    notice(error.message, true);
  }
}

function openLogin() {
  $("login-error").hidden = true;
  $("token").value = "";
  $("login").showModal();
  $("token").focus();
}

async function login(event) {
  event.preventDefault();
  try {
    await ask("POST", "session", { token: $("token").value.trim() });
  } catch (error) {
    setText($("login-error"), error.message);
    $("login-error").hidden = false;
    $("token").select();
    return;
  }
  $("token").value = "";
  const work = afterLogin;
  $("login").close();
  await start();
  if (work) work();
}

async function logout() {
  try {
    await ask("DELETE", "session");
  } catch (error) {
    if (error.status !== 401) notice(error.message, true);
  }
  start();
}

function askToClear() {
  const server = $("which").value;
  setText($("confirm-text"), "No answer kept until now for " + (server || "all servers") +
    " is used any more, and counting begins at zero. The next questions go to the media server again.");
  $("confirm").showModal();
}

whenTurned(
  (server, mode) => withToken(() => answerReads("PUT", "mode", { server, mode })),
  (bypass) => withToken(() => answerReads("DELETE", "bypass", bypass)),
);
$("session").addEventListener("click", () => (who.logged_in ? logout() : openLogin()));
$("unlock").addEventListener("click", openLogin);
$("login-form").addEventListener("submit", login);
$("login-cancel").addEventListener("click", () => $("login").close());
$("login").addEventListener("close", () => { afterLogin = null; });
$("warm").addEventListener("click", () => withToken(() => change($("warm"), "cache/warm")));
$("clear").addEventListener("click", () => withToken(askToClear));
$("confirm-cancel").addEventListener("click", () => $("confirm").close());
$("confirm-form").addEventListener("submit", () => change($("clear"), "cache/clear"));
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    stop();
    if (shownAt) pulse("waiting", "Paused, as of " + time(shownAt));
  } else {
    start();
  }
});

start();
