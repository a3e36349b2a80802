// The Redis or Valkey behind memory and disk, and the gateways that share it.

import { make, makeSection, makeState, setState, setText } from "../dom.js";
import { makeShare, makeTable, showShare } from "../table.js";
import { bytes, count, counted, duration, sentence } from "../words.js";

const POLL_MS = 5000;

const STATES = {
  connecting: ["busy", "Connecting"],
  connected: ["good", "Connected"],
  away: ["bad", "Not reachable"],
  taken: ["bad", "Used by another gateway"],
  "other-key": ["bad", "Another cluster key"],
};
/** Begins the sentence on the reason of a state. */
const REASON_STARTS = { taken: "By ", "other-key": "Live with another key: " };

/** The section; it is hidden where no remote store is configured. */
export function sharedStore(context) {
  const state = makeState("idle", "");
  const about = make("p", { class: "fine" });
  const share = makeShare();
  const used = make("p", { class: "fine" });
  const gateways = makeTable(
    "Gateways that share the store",
    [
      { name: "Gateway", kind: "name", value: (one) => [one.name, [one.isThis ? "this one" : "", one.leads ? "leader" : ""].filter(Boolean).join(", ")] },
      { name: "State", isWords: true, value: (one) => one.words },
      { name: "Heard", kind: "count", value: (one) => one.heard, about: "number of the newest invalidation it has heard" },
    ],
    (one) => one.name,
  );
  const card = make("div", { class: "card pad stack" }, make("div", { class: "stack tight" }, state, about),
    make("div", { class: "stack tight" }, share, used));
  gateways.element.classList.add("after");
  const element = makeSection("Remote store", "Redis or Valkey behind memory and disk.", card, gateways.element);
  element.hidden = true;
  context.every(POLL_MS, async () => {
    let store;
    try {
      ({ store } = await context.ask("GET", "cluster"));
    } catch (error) {
      // What is shown stays as it was.
      if (context.signal.aborted) throw error;
      return;
    }
    element.hidden = !store;
    if (!store) return;
    setState(state, ...(STATES[store.state] || ["idle", store.state]));
    setText(about, aboutOf(store));
    share.hidden = !store.max_bytes;
    if (store.max_bytes) showShare(share, store.used_bytes / store.max_bytes);
    setText(used, usedOf(store));
    gateways.element.hidden = !store.shared;
    gateways.show([thisOne(store), ...store.peers.map((peer) => ({ ...peerOf(peer), leads: peer.name === store.leader }))]);
  });
  return element;
}

function aboutOf({ state, reason, kind, product, version, latency_us: latency }) {
  if (state !== "connected") {
    const why = reason ? " " + sentence((REASON_STARTS[state] || "") + reason) : "";
    return "Memory and disk do without it." + why;
  }
  return [`${product} ${version}`, kind === "cluster" ? "Cluster" : "", "answers in " + duration(latency / 1e6)].filter(Boolean).join(" · ") + ".";
}

const usedOf = ({ used_bytes: used, max_bytes: max, total_keys: keys, hits, misses, written }) =>
  [bytes(used) + (max ? " of " + bytes(max) : " in use, no limit"), keys === null ? "" : counted(keys, "key"), counted(hits, "hit"),
    counted(misses, "miss", "misses"), count(written) + " written"].filter(Boolean).join(" · ") + ".";

const thisOne = ({ gateway, heard, trusted, leader }) => ({
  name: gateway, heard, isThis: true, leads: gateway === leader, words: trusted ? "up, serves its cache" : "up, sends every request to the server",
});

const peerOf = ({ name, heard, live }) => ({ name, heard, words: live ? "up" : "down" });
