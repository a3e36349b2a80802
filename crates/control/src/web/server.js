// A media server in words.

import { make, makeCopy } from "./dom.js";
import { ago, count, moment } from "./words.js";

const LOOPBACK = /^(localhost|127\.[0-9.]+|\[::1\])$/;

function hostOf(server) {
  return server.listen.slice(0, server.listen.lastIndexOf(":"));
}

/** The address to give to an app. Who listens everywhere is found where this page was found. */
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

/** Who reaches that address, where not everybody does. */
export function hintOf(server) {
  if (LOOPBACK.test(hostOf(server))) {
    const port = server.listen.slice(hostOf(server).length + 1);
    return "Only apps on this machine reach it. For others set listen = \"0.0.0.0:" + port + "\" in the configuration.";
  }
  if (LOOPBACK.test(location.hostname)) return "From other machines: this machine's own address, same port.";
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

/** Where apps take the address; fetched when somebody wants to know. */
export function makePlaces(server) {
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

/** How a server does: "good", "slow", "bad" or "idle". */
export function stateOf(server) {
  if (server.outage || server.state === "unwell") return "bad";
  if (server.health === "slow") return "slow";
  return server.state === "well" ? "good" : "idle";
}

const MODES = {
  cache: "",
  observe: " It is only observed: every request goes to it.",
  bypass: " It is bypassed: every request goes to it.",
};

const WHY = {
  unreachable: "it cannot be reached",
  unwilling: "it says that it is starting or overloaded",
  silent: "it takes requests and does not answer",
};

/** How a server does, in one sentence or two: the first word, and the rest. */
export function sentenceOf(server, now) {
  const heard = server.last_answer_ms ? " Last answer " + ago(server.last_answer_ms, now) + "." : "";
  const why = server.remark ? " " + server.remark : "";
  const mode = MODES[server.mode] || "";
  if (server.outage) {
    const since = "Down since " + moment(server.outage.since_ms, now);
    const kept = server.mode === "bypass" ? "" : " Apps are answered from what is kept.";
    const cause = WHY[server.outage.why];
    return [since + (cause ? ": " + cause + "." : "."), (cause ? "" : why) + kept + " " + nextTry(server.outage, now)];
  }
  if (server.state === "unwell") {
    return [
      "Not answering.",
      why + heard + (server.mode === "bypass" ? mode : " Apps are answered from what is kept."),
    ];
  }
  if (server.state === "unknown") return ["Not heard of yet.", why + " It is asked when an app asks." + mode];
  return [server.health === "slow" ? "Slow." : "Online.", heard + why + mode];
}

function nextTry(outage, now) {
  const seconds = Math.max(0, Math.ceil((outage.next_try_ms - now) / 1000));
  return seconds > 0 ? "Next try in " + seconds + " s." : "Trying again now.";
}

/** Who holds the server's places and who waits for one: "3 of 8 busy, 12 waiting (2 interactive, 10 bulk)". */
export function queueNow({ places, busy, waiting, ranks }) {
  const who = ranks.filter((rank) => rank.waiting > 0).map((rank) => count(rank.waiting) + " " + rank.rank);
  return (
    busy +
    " of " +
    places +
    " busy, " +
    (waiting === 0 ? "nobody waiting" : count(waiting) + " waiting (" + who.join(", ") + ")")
  );
}

/** What became of those who had to wait. */
export function queueSoFar({ ranks }) {
  const sum = (pick) => ranks.reduce((total, rank) => total + pick(rank), 0);
  const waited = sum((rank) => rank.waited);
  const refused = sum((rank) => rank.refused);
  const inVain = sum((rank) => rank.waited_in_vain);
  if (waited + refused === 0) return "nobody has had to wait";
  const each = sum((rank) => rank.waited_ms) / Math.max(1, waited) / 1000;
  return (
    count(waited) +
    " had to wait, " +
    each.toFixed(each < 10 ? 1 : 0) +
    " s on average" +
    (inVain > 0 ? "; " + count(inVain) + " in vain" : "") +
    (refused > 0 ? "; " + count(refused) + " refused because too many waited" : "")
  );
}
