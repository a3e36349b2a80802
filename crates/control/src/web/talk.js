// Messages to the reader, and confirmations.

import { $, setText } from "./dom.js";

const NOTICE_MS = 8000;
/** As long as a screen reader needs to see that something else is there. */
const SAID_MS = 50;

let timer = 0;

/** Says what came of something, for a while. */
export function notice(text, isBad) {
  const box = $("notice");
  box.className = isBad ? "notice bad" : "notice";
  setText(box, text);
  box.hidden = false;
  say(text);
  clearTimeout(timer);
  timer = setTimeout(
    () => {
      box.hidden = true;
    },
    isBad ? NOTICE_MS * 2 : NOTICE_MS,
  );
}

/** Tells a screen reader something that others see; also if it is the same as before. */
export function say(text) {
  setText($("said"), "");
  setTimeout(() => setText($("said"), text), SAID_MS);
}

/** Asks before something that cannot be taken back; whether the answer was yes. */
export function confirm({ title, text, yes }) {
  setText($("confirm-title"), title);
  setText($("confirm-text"), text);
  setText($("confirm-yes"), yes);
  const dialog = $("confirm");
  dialog.returnValue = "";
  dialog.showModal();
  $("confirm-no").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** Listens to the buttons. */
export function begin() {
  $("confirm-no").addEventListener("click", () => $("confirm").close("no"));
  $("confirm-form").addEventListener("submit", (event) => {
    event.preventDefault();
    $("confirm").close("yes");
  });
}
