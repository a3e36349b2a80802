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
  if (minutes < 120) return minutes + " min";
  return number.format(Math.floor(minutes / 60)) + " h " + (minutes % 60) + " min";
}

const requests = (count) => number.format(count) + (count === 1 ? " request" : " requests");

// --- The columns ---

/** Which sides' apps ask in this phase; afterwards, and at no other time, both do. */
const ASKS = {
  "preparing": [],
  "direct-evening": ["direct"],
  "direct-reads-on": ["direct"],
  "direct-outage": ["direct"],
  "through-evening": ["through"],
  "through-restart": ["through"],
  "through-outage": ["through"],
  "afterwards": WAYS,
};

/** How a side does: its state, and a sentence. */
function fares(way, column, { phase, plug }) {
  if (!column) return ["idle", way === "direct" ? "Its evening is about to begin." : "The same evening comes here afterwards."];
  if (!ASKS[phase].includes(way)) return ["idle", "Its evening is over, and the other one is played. Then both go on."];
  if (plug.state === "in") {
    return ["well", way === "direct" ? "Every request goes to the servers." : "What was asked before is answered from memory."];
  }
  const { answered, failed, oldest_s: oldest } = column.dark;
  if (way === "direct") {
    return ["unwell", `Fails since ${plug.since}: ${number.format(failed)} of ${requests(answered + failed)} got no answer.`];
  }
  const age = oldest === null ? "" : `, the oldest ${length(oldest)} old`;
  const without = failed ? ` ${number.format(failed)} needed a server and failed.` : " None failed.";
  return ["kept", `Answering from cache since ${plug.since}: ${number.format(answered)} answers${age}.${without}`];
}

const NOTHING = { reached: 0, asked: 0, answered: 0, failed: 0, p50_ms: 0, p95_ms: 0, waited_s: 0, dark: null, reached_since: null, apps: [] };

function showColumn(way, board) {
  const [state, says] = fares(way, board[way], board);
  const column = board[way] ?? NOTHING;
  $(way).dataset.state = state;
  setText($(way + "-says"), says);
  for (const name of ["reached", "asked", "answered", "failed"]) {
    setText($(`${way}-${name}`), number.format(column[name]));
  }
  setText($(way + "-p50"), milliseconds(column.p50_ms));
  setText($(way + "-p95"), milliseconds(column.p95_ms));
  setText($(way + "-waited"), length(column.waited_s));
  setFlag($(way + "-failed").parentElement, "some", column.failed > 0);
  const most = Math.max(1, ...WAYS.map((one) => (board[one] ?? NOTHING).reached));
  $(way + "-bar").style.width = (100 * column.reached / most).toFixed(1) + "%";
}

// --- The apps ---

const COLUMNS = [
  ["Reached the servers", (app) => number.format(app.reached)],
  ["Failed", (app) => number.format(app.failed)],
  ["Half within", (app) => milliseconds(app.p50_ms)],
  ["95 % within", (app) => milliseconds(app.p95_ms)],
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
  in: (plug) => plug.since ? `Both sides' servers came back at ${plug.since}.` : "Both sides' servers can be reached.",
  pulled: (plug) => `Both sides' servers went away at ${plug.since}.`,
  held: () => "Both sides' servers are gone for a minute, as every evening.",
};

function counts({ phase, plug, direct, through }) {
  if (plug.state === "pulled") return "The apps ask on.";
  if (plug.state === "held") return "This minute is measured: the plug goes back in by itself.";
  if (plug.since === null || phase !== "afterwards") return "Take them away, and see who goes on answering.";
  return `In the ${length(plug.since_s)} since then ${requests(direct.reached_since)} reached them directly, `
    + `${number.format(through.reached_since)} through Greenroom: it comes back without a crowd.`;
}

function showPlug(board) {
  const { plug } = board;
  $("plug-card").dataset.state = plug.state;
  setText($("plug-says"), SAYS[plug.state](plug));
  setText($("plug-counts"), counts(board));
  const waits = plug.is_waited_for;
  setText($("plug"), plug.state === "pulled" ? "Put it back in" : waits ? "The apps are waking up" : "Pull the plug");
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
  shown = board;
  setText($("phase"), board.words);
  setText($("clock"), board.clock);
  const isEvening = board.phase.endsWith("-evening");
  setText($("minute"), isEvening ? `minute ${board.minute + 1} of ${board.minutes}` : "after the evening");
  $("progress").value = Math.min(1, board.minute / board.minutes);
  setText($("pace"), `Time runs ${number.format(board.time_factor)} times faster than yours.`);
  setText($("rounding"), `a millisecond of this machine counts as ${number.format(board.time_factor)} of it.`);
  showPlug(board);
  for (const way of WAYS) showColumn(way, board);
  showApps((board.direct ?? NOTHING).apps, (board.through ?? NOTHING).apps);
  $("outcome").hidden = !board.outcome;
  setText($("outcome"), board.outcome ?? "");
  $("greenroom").hidden = !board.greenroom;
  if (board.greenroom) {
    $("greenroom-link").href = board.greenroom.page;
    setText($("greenroom-link"), board.greenroom.page);
    setText($("greenroom-command"), board.greenroom.token_command);
  }
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
    pulse("lost", shown ? "No connection; as it was at " + shown.clock : "No connection");
    retry = setTimeout(watch, RETRY_MS);
  });
}

$("plug").addEventListener("click", movePlug);
watch();
