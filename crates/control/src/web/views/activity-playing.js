// Current sessions, as the servers last reported them.

import { ask } from "../api.js";
import { keep, keepNotes, make, makeButton, makeSection, makeState, setAttribute, setState, setText } from "../dom.js";
import { makePoster, showPoster } from "../posters.js";
import { makeProgress, showProgress } from "../table.js";
import { ago, counted, moment, percent, sentence } from "../words.js";

const STATES = { playing: ["good", "playing"], paused: ["idle", "paused"], buffering: ["busy", "buffering"] };

/** "Playing now"; `show(told, figures)` fills it. */
export function makePlaying(context) {
  const said = make("p", { class: "grow" });
  const again = makeButton("Refresh", "quiet small", () =>
    context.act(again, async () => {
      await ask("POST", "jobs/dashboard/run");
      return { message: "Refreshing." };
    }),
  );
  const late = makeState("slow", "");
  late.hidden = true;
  const list = make("ul", { class: "playing plain" });
  const note = make("div", { class: "stack" });
  const row = make("div", { class: "row after" }, said, again);
  const element = makeSection("Playing now", null, row, late, list, note);
  return {
    element,
    show({ dashboard, servers }, figures) {
      const { sessions } = dashboard;
      const down = new Set(dashboard.servers.filter(({ health }) => health === "offline").map(({ name }) => name));
      for (const server of (figures || {}).servers || []) if (server.outage) down.add(server.name);
      setText(said, sessions.active === null ? "Not known yet."
        : (sessions.active === 0 ? "Nothing is playing" : counted(sessions.active, "session"))
          + ", " + ago(sessions.as_of_ms) + ".");
      late.hidden = !sessions.stale || sessions.as_of_ms === null;
      if (!late.hidden) setText(late.lastChild, lateOf([...down], sessions.as_of_ms));
      keep(list, sessions.list.map((row, at) => ({ ...row, at })), keyOf, makeRow,
        (item, row) => showRow(item, row, down.has(row.server)));
      list.hidden = sessions.list.length === 0;
      // Without a token there is nothing to refresh.
      row.hidden = servers.length > 0 && servers.every(({ state }) => state === "no-token");
      const more = sessions.active - sessions.list.length;
      keepNotes(note, [
        more > 0 && [counted(more, "more session") + ".", "Only the first are shown."],
        ...silences(servers, figures),
      ].filter(Boolean));
    },
  };
}

/** Identifies a row: two users may play the same on the same kind of device. */
const keyOf = ({ server, user, player, title, subtitle, at }) =>
  JSON.stringify([server, user, player, title, subtitle, at]);

function lateOf(down, asOfMs) {
  const who = down.length === 0 ? "A server" : down.join(" and ");
  return who + (down.length > 1 ? " are down" : down.length === 1 ? " is down" : " did not answer")
    + ": as of " + moment(asOfMs) + ".";
}

/** Why a server reports nothing, where the setup is the cause. */
function silences(servers, figures) {
  const modes = new Map(((figures || {}).servers || []).map(({ name, mode }) => [name, mode]));
  return servers.map(({ server, state, remedy }) => {
    if (state === "no-token") {
      return ["Sessions of " + server + " are not known: Greenroom has no token for it.", remedy || ""];
    }
    if (modes.get(server) === "observe" || modes.get(server) === "bypass") {
      const how = modes.get(server) === "observe" ? "in observe mode" : "bypassed";
      return [sentence(server + " is " + how), "Greenroom sends it no requests of its own; change that under Servers."];
    }
    return null;
  }).filter(Boolean);
}

function makeRow() {
  const parts = {
    poster: makePoster("", true),
    title: make("b"),
    subtitle: make("span"),
    who: make("small"),
    state: makeState("idle", ""),
    progress: makeProgress("Position"),
  };
  const item = make("li", { class: "card" }, parts.poster,
    make("div", { class: "grow stack tight" }, make("p", {}, parts.title, parts.subtitle), parts.who,
      make("div", { class: "row" }, parts.state), parts.progress));
  return Object.assign(item, { parts });
}

function showRow({ parts }, row, isDown) {
  if (row.picture) showPoster(parts.poster, row.picture);
  setText(parts.title, row.title || "(no title)");
  setText(parts.subtitle, row.subtitle || "");
  parts.subtitle.hidden = !row.subtitle;
  setText(parts.who, [row.user || "unknown user", row.player, row.server].filter(Boolean).join(" · "));
  const [light, word] = STATES[row.state] || ["idle", row.state || "unknown"];
  setState(parts.state, isDown ? "slow" : light, isDown ? "was " + word + " when " + row.server + " went down" : word);
  parts.progress.hidden = row.progress === null;
  if (row.progress !== null) showProgress(parts.progress, row.progress, percent(row.progress));
  setAttribute(parts.progress.firstChild, "aria-label", "Position in " + (row.subtitle || row.title));
}
