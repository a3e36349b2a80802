// A media server as text.

import { make, makeCopy } from "./dom.js";
import { ago, count, moment } from "./words.js";

const LOOPBACK = /^(localhost|127\.[0-9.]+|\[::1\])$/;

function hostOf(server) {
  return server.listen.slice(0, server.listen.lastIndexOf(":"));
}

/** The address to give to an app. A listener on all addresses is reached by the host name of this page. */
export function addressOf(server) {
  const host = hostOf(server);
  const everywhere = host === "0.0.0.0" || host === "[::]";
  return (
    "http" +
    (server.encrypted ? "s" : "") +
    "://" +
    (everywhere ? location.hostname : host) +
    server.listen.slice(host.length)
  );
}

/** A hint where only some machines reach that address. */
export function hintOf(server) {
  if (LOOPBACK.test(hostOf(server))) {
    const port = server.listen.slice(hostOf(server).length + 1);
    return "Only apps on this machine can reach it. For others set listen = \"0.0.0.0:" + port + "\" in the configuration.";
  }
  if (LOOPBACK.test(location.hostname)) return "From other machines use this machine's address and the same port.";
  return "";
}

/** The address with a button that copies it. */
export function makeAddress(server) {
  const address = addressOf(server);
  return make(
    "div",
    { class: "address" },
    make(
      "div",
      { class: "row apart" },
      make("code", {}, address),
      makeCopy(address, "Copy the address for " + server.name),
    ),
    hintOf(server) && make("p", { class: "fine" }, hintOf(server)),
  );
}

/** Where each app takes the address; loaded when it is opened. Nothing for an API that any app may speak. */
export function makePlaces(server) {
  if (server.kind === "http") return null;
  const list = make("dl", { class: "places" });
  const details = make("details", {}, make("summary", {}, "Where to enter it, by app"), list);
  details.addEventListener("toggle", async () => {
    if (list.firstChild) return;
    const { placesFor } = await import("./places.js");
    list.replaceChildren(
      ...placesFor(server.kind, addressOf(server)).map(([app, where]) =>
        make("div", {}, make("dt", {}, app), make("dd", {}, where)),
      ),
    );
  });
  return details;
}

/** State of a server for its light: "good", "slow", "bad" or "idle". */
export function stateOf(server) {
  if (server.outage || server.state === "unwell") return "bad";
  if (server.health === "slow") return "slow";
  return server.state === "well" ? "good" : "idle";
}

const MODES = {
  cache: "",
  observe: " Observe mode: it answers every request.",
  bypass: " Bypassed: it answers every request.",
};

const CAUSES = {
  unreachable: "it cannot be reached",
  unwilling: "it reports that it is starting or overloaded",
  silent: "it accepts requests and does not answer",
};

/** The state of a server in a sentence or two: the first word, and the rest. */
export function sentenceOf(server, now) {
  const heard = server.last_answer_ms ? " Last response " + ago(server.last_answer_ms, now) + "." : "";
  const remark = server.remark ? " " + server.remark : "";
  const mode = MODES[server.mode] || "";
  const cached = server.mode === "cache" ? " Apps get cached responses." : " Requests of apps fail." + mode;
  if (server.outage) {
    const cause = CAUSES[server.outage.why];
    const since = "Down since " + moment(server.outage.since_ms, now) + (cause ? ": " + cause + "." : ".");
    return [since, (cause ? "" : remark) + cached + " " + nextTry(server.outage, now)];
  }
  if (server.state === "unwell") return ["Down.", remark + heard + cached];
  if (server.state === "unknown") return ["Not contacted yet.", remark + " The first request of an app contacts it." + mode];
  return [server.health === "slow" ? "Slow." : "Up.", heard + remark + mode];
}

function nextTry(outage, now) {
  const seconds = Math.max(0, Math.ceil((outage.next_try_ms - now) / 1000));
  return seconds > 0 ? "Next try in " + seconds + " s." : "Trying again now.";
}

/** The queue now: "3 of 8 in flight, 12 waiting (2 interactive, 10 bulk)". */
export function queueNow({ places, busy, waiting, ranks }) {
  const parts = ranks.filter((rank) => rank.waiting > 0).map((rank) => count(rank.waiting) + " " + rank.rank);
  return (
    busy +
    " of " +
    places +
    " in flight, " +
    (waiting === 0 ? "none waiting" : count(waiting) + " waiting" + (parts.length ? " (" + parts.join(", ") + ")" : ""))
  );
}

/** Requests that had to wait since counting began. */
export function queueSoFar({ ranks }) {
  const sum = (pick) => ranks.reduce((total, rank) => total + pick(rank), 0);
  const waited = sum((rank) => rank.waited);
  const refused = sum((rank) => rank.refused);
  const inVain = sum((rank) => rank.waited_in_vain);
  if (waited + refused === 0) return "no request had to wait";
  const each = sum((rank) => rank.waited_ms) / Math.max(1, waited) / 1000;
  return (
    count(waited) +
    " had to wait, " +
    each.toFixed(each < 10 ? 1 : 0) +
    " s on average" +
    (inVain > 0 ? "; " + count(inVain) + " timed out" : "") +
    (refused > 0 ? "; " + count(refused) + " rejected because the queue was full" : "")
  );
}
