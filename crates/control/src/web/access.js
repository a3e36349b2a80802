// Log-in and permissions.

import { ask } from "./api.js";
import { $, setText } from "./dom.js";
import { notice } from "./talk.js";

/** What the reader may. */
export let who = { logged_in: false, may_read: false, may_change: false };

let changed = async () => {};
let afterLogin = null;

/** Finds out what the reader may. */
export async function look() {
  who = await ask("GET", "session");
  $("session").hidden = false;
  setText($("session"), who.logged_in ? "Log out" : "Log in");
  return who;
}

/** Does something that needs the token: asks for it first if need be. */
export function withToken(work) {
  if (who.may_change) return work();
  afterLogin = work;
  openLogin();
}

/**
 * Does something that changes the server, by the press of a button: with the token, the button at rest meanwhile, and
 * says what came of it. `work` asks the API and returns its answer; `done` is told the answer.
 */
export function act(button, work, done = () => {}) {
  return withToken(async () => {
    setAtRest(button, true);
    try {
      const answer = await work();
      notice((answer && answer.message) || "Done.", Boolean(answer && answer.success === false));
      await done(answer);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 401) changed();
      notice(error.message, true);
    } finally {
      setAtRest(button, false);
    }
  });
}

/** A button at rest keeps the focus, and does nothing. */
function setAtRest(button, isAtRest) {
  if (!button) return;
  if (isAtRest) button.setAttribute("aria-busy", "true");
  else button.removeAttribute("aria-busy");
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
  const work = afterLogin;
  $("token").value = "";
  $("login").close();
  await changed();
  if (work) work();
}

async function logout() {
  try {
    await ask("DELETE", "session");
  } catch (error) {
    if (error.status !== 401) notice(error.message, true);
  }
  changed();
}

/** Listens to the buttons; `whenChanged` is called when what the reader may has changed. */
export function begin(whenChanged) {
  changed = whenChanged;
  $("session").addEventListener("click", () => (who.logged_in ? logout() : openLogin()));
  $("unlock").addEventListener("click", openLogin);
  $("login-form").addEventListener("submit", login);
  $("login-cancel").addEventListener("click", () => $("login").close());
  $("login").addEventListener("close", () => {
    afterLogin = null;
  });
  // A button that is at rest does nothing.
  document.addEventListener(
    "click",
    (event) => {
      if (!event.target.closest("button[aria-busy]")) return;
      event.stopPropagation();
      // One that sends a form would send it again.
      event.preventDefault();
    },
    { capture: true },
  );
}
