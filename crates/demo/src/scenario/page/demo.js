// The demo's page: the board as it comes, four times a second, and the plug. Everything is set as text.

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const RETRY_MS = 3000;
const WAYS = ["direct", "through"];

let source = null;
let retry = 0;
let shown = null;

// --- Words ---

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setFlag(element, name, isSet) {
  if (isSet) element.dataset[name] = "";
  else delete element.dataset[name];
}

/** A length in milliseconds; none, if nothing was answered yet. */
function milliseconds(ms) {
  if (!ms) return "–";
  if (ms >= 1000) return (ms / 1000).toFixed(1) + " s";
  return (ms >= 10 ? Math.round(ms) : ms) + " ms";
}

/** A length in seconds, as people say it. */
function length(seconds) {
  if (seconds < 120) return number.format(seconds) + " s";
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return minutes + " min";
  const rest = minutes % 60;
  return number.format(Math.floor(minutes / 60)) + " h" + (rest > 0 ? " " + rest + " min" : "");
}

const requests = (count) => number.format(count) + (count === 1 ? " request" : " requests");
const clock = (seconds) => Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0");
const percent = (part, whole) => (whole ? Math.round(100 * part / whole) + " %" : "–");

// --- The race ---

/** What the figures mean in this phase. */
const VERDICTS = {
  "preparing": "The simulated servers are starting.",
  "race": "fewer requests sent to the media servers through Greenroom",
  "outage": "fewer requests sent to the media servers through Greenroom",
  "afterwards": "fewer requests sent to the media servers through Greenroom",
};

function showRace(board) {
  const fewer = board.percent_fewer;
  setText($("percent"), fewer === null ? "–" : Math.abs(fewer) + " %");
  const verdict = fewer === null && board.phase !== "preparing" ? "The apps begin to ask." : VERDICTS[board.phase];
  setText($("verdict"), fewer < 0 ? verdict.replace("fewer", "more") : verdict);
  setText($("phase"), board.words);
  setText($("clock"), clock(board.elapsed_s));
  setText($("length"), "of " + clock(board.length_s));
  $("progress").value = Math.min(1, board.elapsed_s / board.length_s);
}

// --- The columns ---

/** The state of a side, and a sentence. */
function stateOf(way, column, plug) {
  if (!column) return ["idle", "No request yet."];
  if (plug.state === "in") {
    if (way === "direct") return ["well", "Every request is sent to the server."];
    return ["well", `${percent(column.hits, column.answered)} of the responses come from the cache.`];
  }
  const { answered, failed, oldest_s: oldest } = column.dark;
  if (way === "direct") {
    return ["unwell", `Down for ${length(plug.since_s)}: ${number.format(failed)} of ${requests(answered + failed)} failed.`];
  }
  const age = oldest === null ? "" : `, the oldest response ${length(oldest)} old`;
  const without = failed ? ` ${number.format(failed)} needed a server and failed.` : " None failed.";
  return ["kept", `Still answering: ${requests(answered)}${age}.${without}`];
}

const NOTHING = { reached: 0, asked: 0, answered: 0, failed: 0, hits: 0, p50_ms: 0, p95_ms: 0, waited_s: 0, dark: null, recent: "", reached_since: null, apps: [] };
const SHOWN = 120;

/** The last responses as cells: the newest is the last one. */
function showStrip(strip, recent) {
  if (strip.childElementCount !== SHOWN) {
    strip.replaceChildren(...Array.from({ length: SHOWN }, () => document.createElement("span")));
  }
  for (let at = 0; at < SHOWN; at += 1) {
    const source = recent[at] ?? "";
    const cell = strip.children[at];
    if (cell.dataset.source !== source) cell.dataset.source = source;
  }
}

function showColumn(way, board) {
  const [state, says] = stateOf(way, board[way], board.plug);
  const column = board[way] ?? NOTHING;
  $(way).dataset.state = state;
  setText($(way + "-says"), says);
  showStrip($(way + "-strip"), column.recent);
  for (const name of ["reached", "asked", "failed"]) {
    setText($(`${way}-${name}`), number.format(column[name]));
  }
  setText($(way + "-hits"), `${number.format(column.hits)} (${percent(column.hits, column.answered)})`);
  setText($(way + "-p50"), milliseconds(column.p50_ms));
  setText($(way + "-p95"), milliseconds(column.p95_ms));
  setText($(way + "-waited"), length(column.waited_s));
  setFlag($(way + "-failed").parentElement, "some", column.failed > 0);
  const most = Math.max(1, ...WAYS.map((one) => (board[one] ?? NOTHING).reached));
  $(way + "-bar").style.width = (100 * column.reached / most).toFixed(1) + "%";
}

// --- The apps ---

const COLUMNS = [
  ["Sent to server", (app) => number.format(app.reached)],
  ["Failed", (app) => number.format(app.failed)],
  ["Median", (app) => milliseconds(app.p50_ms)],
  ["p95", (app) => milliseconds(app.p95_ms)],
];

function row(name) {
  const row = document.createElement("tr");
  const heading = document.createElement("th");
  heading.scope = "row";
  heading.textContent = name;
  row.append(heading);
  for (const [label] of COLUMNS) {
    const cell = document.createElement("td");
    cell.dataset.label = label;
    row.append(cell);
  }
  return row;
}

function showApps(direct, through) {
  const body = $("apps");
  if (body.rows.length !== direct.length) body.replaceChildren(...direct.map((app) => row(app.name)));
  direct.forEach((one, at) => {
    const other = through[at];
    const side = (app, text) => (app?.asked ? text(app) : "–");
    COLUMNS.forEach(([label, text], column) => {
      const cell = body.rows[at].cells[column + 1];
      setText(cell, one.asked || other?.asked ? `${side(one, text)} → ${side(other, text)}` : "–");
      if (label === "Failed") setFlag(cell, "some", one.failed + (other?.failed ?? 0) > 0);
    });
  });
}

// --- The plug ---

const SAYS = {
  in: (plug) => plug.since_s === null ? "Both sides' servers are up." : `Both sides' servers came back ${length(plug.since_s)} ago.`,
  pulled: (plug) => `Both sides' servers are down for ${length(plug.since_s)}.`,
  held: (plug) => `Both sides' servers are down for ${length(plug.since_s)}; they come back by themselves.`,
};

function counts({ plug, direct, through }) {
  if (plug.since_s === null || !direct) return "Take them down, and see which side still answers.";
  const left = `The ${length(plug.downtime_s)} without servers are left out of the comparison.`;
  if (plug.state !== "in") return left;
  return `Since then ${requests(direct.reached_since)} sent to the servers directly, `
    + `${number.format(through.reached_since)} through Greenroom. ${left}`;
}

function showPlug(board) {
  const { plug } = board;
  $("plug-card").dataset.state = plug.state;
  setText($("plug-says"), SAYS[plug.state](plug));
  setText($("plug-counts"), counts(board));
  const waits = plug.is_waited_for;
  setText($("plug"), plug.state === "pulled" ? "Put it back in" : waits ? "The apps are warming up" : "Pull the plug");
  $("plug").disabled = plug.state === "held";
  // Not disabled: whoever is there by keyboard stays there.
  $("plug").setAttribute("aria-disabled", String(waits));
}

async function movePlug() {
  if (shown.plug.is_waited_for) return;
  const pulled = shown.plug.state === "in";
  const headers = { "Content-Type": "application/json", "X-Demo-Token": document.querySelector("meta[name=demo-token]").content };
  let problem = "";
  try {
    const response = await fetch("plug", { method: "POST", headers, body: JSON.stringify({ pulled }) });
    const answer = await response.json();
    if (response.ok) show(answer);
    else problem = answer.title;
  } catch {
    problem = "The demo does not answer: has it ended?";
  }
  $("plug-error").hidden = !problem;
  setText($("plug-error"), problem);
}

// --- The board ---

function show(board) {
  // Another demo has taken the place of the one that this page belongs to.
  if (shown && shown.run !== board.run) {
    location.reload();
    return;
  }
  shown = board;
  showRace(board);
  showPlug(board);
  for (const way of WAYS) showColumn(way, board);
  showApps((board.direct ?? NOTHING).apps, (board.through ?? NOTHING).apps);
  $("outcome").hidden = !board.result;
  setText($("result"), board.result ?? "");
  $("evening").hidden = !board.evening;
  setText($("evening"), board.evening ?? "");
  $("greenroom").hidden = !board.token_command;
  setText($("greenroom-command"), board.token_command ?? "");
}

function pulse(state, text) {
  $("pulse").dataset.state = state;
  setText($("pulse-text"), text);
}

function watch() {
  clearTimeout(retry);
  source = new EventSource("events");
  source.addEventListener("board", (event) => {
    show(JSON.parse(event.data));
    pulse("live", "Live");
  });
  source.addEventListener("error", () => {
    source.close();
    $("plug").disabled = true;
    pulse("lost", shown ? "No connection; as it was at " + clock(shown.elapsed_s) : "No connection");
    retry = setTimeout(watch, RETRY_MS);
  });
}

$("plug").addEventListener("click", movePlug);
watch();
