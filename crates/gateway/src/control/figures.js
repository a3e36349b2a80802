// What is shown of the figures. Everything is set as text, never as markup.

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");

/** What a class of questions is about. */
const ABOUT = {
  "activities": "what the server is busy with",
  "sessions": "who plays what now",
  "live-statistics": "statistics that move every few seconds",
  "statistics": "slower statistics",
  "counts": "how many items there are",
  "server": "name, version, settings, devices",
  "identity": "who the server is",
  "sections": "the list of libraries",
  "history": "what was played",
  "recent": "what was added lately",
  "hubs": "suggestions and next up",
  "resume": "on deck, continue watching",
  "lists": "lists over a library",
  "item": "one film, episode, album …",
  "search": "search results",
  "playlists": "playlists and their items",
  "collections": "collections",
  "users": "users and devices",
  "activity-log": "the activity log",
  "images": "posters, covers, stills",
  "assets": "files of the web client",
};

const KINDS = { plex: "Plex", jellyfin: "Jellyfin" };

/** The figures shown last. */
let last = null;

/** Sets a text if it is another. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export const count = (value) => number.format(value);
export const percent = (share) => (share === null ? "–" : number.format(Math.floor(share * 1000) / 10) + " %");
/** The time of day. */
export const time = (ms) => new Date(ms).toLocaleTimeString([], { hour12: false });

function moment(ms, now) {
  const then = new Date(ms);
  const isToday = then.toDateString() === new Date(now).toDateString();
  return isToday ? time(ms) : then.toLocaleDateString([], { day: "numeric", month: "short" }) + ", " + time(ms);
}

function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return (unit === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)) + " " + units[unit];
}

function ago(ms, now) {
  const seconds = Math.max(0, Math.round((now - ms) / 1000));
  if (seconds < 2) return "just now";
  if (seconds < 120) return seconds + " s ago";
  if (seconds < 7200) return Math.round(seconds / 60) + " min ago";
  return "at " + moment(ms, now);
}

/** Keeps one child of `parent` per item, in their order, and lets `update` fill each. Kept children stay as they are. */
export function keep(parent, items, keyOf, make, update) {
  const known = parent.known || (parent.known = new Map());
  const wanted = new Set();
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    wanted.add(key);
    let child = known.get(key);
    if (!child) known.set(key, (child = make(item)));
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
    update(child, item);
  }
  for (const [key, child] of known) {
    if (!wanted.has(key)) {
      child.remove();
      known.delete(key);
    }
  }
}


/** Shows the figures of one moment. */
export function show(figures) {
  last = figures;
  $("figures").hidden = false;
  setText($("version"), "Greenroom " + figures.version);
  showWarnings(figures.warnings);
  showTotals(figures);
  keep($("servers"), figures.servers, (server) => server.name, makeServer, showServer);
  showApps(figures);
  showClasses(figures);
  showLibraries(figures);
  showChoice(figures.servers);
}

function showWarnings(warnings) {
  $("warnings").hidden = warnings.length === 0;
  keep($("warnings"), warnings, (warning) => warning.server + " " + warning.code, () => element("li"),
    (item, warning) => setText(item, (warning.server ? warning.server + ": " : "") + warning.text + " " + warning.remedy));
}

function showTotals(figures) {
  const { asked, saved, reached, own, hit_rate: rate } = figures.totals;
  const share = asked > 0 ? saved / asked : 0;
  const headline = asked === 0
    ? "Ready. No app has asked for anything since " + moment(figures.since_ms, figures.as_of_ms) + "."
    : "Of " + count(asked) + (asked === 1 ? " request" : " requests") + " your apps made, " + count(saved) +
      (saved === 1 ? " was" : " were") + " answered without asking a media server.";
  setText($("headline"), headline);
  $("split").setAttribute("aria-label", percent(share) + " saved");
  $("split-saved").style.width = share * 100 + "%";
  setText($("asked"), count(asked));
  setText($("saved"), count(saved));
  setText($("reached"), count(reached));
  setText($("reached-why"), "requests sent on to a media server" +
    (own > 0 ? "; " + count(own) + " of them our own: refreshes, probes, events" : ""));
  setText($("rate"), percent(rate));
  setText($("since"), "Counted since " + moment(figures.since_ms, figures.as_of_ms) +
    ", as of " + time(figures.as_of_ms) + ".");
}

/** The address to give to an app. Who listens everywhere is found where this page was found. */
function addressOf(server) {
  const colon = server.listen.lastIndexOf(":");
  const host = server.listen.slice(0, colon);
  const everywhere = host === "0.0.0.0" || host === "[::]";
  return "http" + (server.encrypted ? "s" : "") + "://" + (everywhere ? location.hostname : host) + server.listen.slice(colon);
}

const LOOPBACK = /^(localhost|127\.[0-9.]+|\[::1\])$/;

function hintOf(server) {
  const host = server.listen.slice(0, server.listen.lastIndexOf(":"));
  if (LOOPBACK.test(host)) return "Only apps on this machine reach it.";
  if (LOOPBACK.test(location.hostname)) return "From other machines: this machine's own address, same port.";
  return "";
}

const COUNTS = [
  ["requests_to_server", "Sent on", "requests sent to it"],
  ["own", "Our own", "of these, no app waited for"],
  ["in_flight", "Under way", "it works on now"],
];
const MORE_COUNTS = [
  ["writes", "Writes", "changes passed on"],
  ["streams", "Streams", "passed through: media, sockets, the unknown"],
  ["unauthorised", "No token", "asked without one where it is needed"],
  ["refused", "Refused", "requests that make no sense"],
  ["offline", "Refused while down", "not kept, or a change"],
];

/** Who holds the server's places and who waits for one: "3 of 8 busy, 12 waiting (2 interactive, 10 bulk)". */
function queueNow({ places, busy, waiting, ranks }) {
  const who = ranks.filter((rank) => rank.waiting > 0).map((rank) => count(rank.waiting) + " " + rank.rank);
  return busy + " of " + places + " busy, " +
    (waiting === 0 ? "nobody waiting" : count(waiting) + " waiting (" + who.join(", ") + ")");
}

/** What became of those who had to wait, as far as it was counted. */
function queueSoFar({ ranks }) {
  const sum = (pick) => ranks.reduce((total, rank) => total + pick(rank), 0);
  const waited = sum((rank) => rank.waited);
  const refused = sum((rank) => rank.refused);
  const inVain = sum((rank) => rank.waited_in_vain);
  if (waited + refused === 0) return "nobody has had to wait";
  const each = sum((rank) => rank.waited_ms) / Math.max(1, waited) / 1000;
  return count(waited) + " had to wait, " + each.toFixed(each < 10 ? 1 : 0) + " s on average" +
    (inVain > 0 ? "; " + count(inVain) + " in vain" : "") +
    (refused > 0 ? "; " + count(refused) + " refused because too many waited" : "");
}

function makeServer(server) {
  const card = element("article", "card server");
  card.dataset.server = server.name;
  const parts = { light: element("span", "light"), kind: element("span", "kind"), says: element("p", "says") };
  const head = element("header");
  head.append(parts.light, element("h3", "", server.name), parts.kind);
  parts.mood = element("b");
  parts.more = document.createTextNode("");
  parts.says.append(parts.mood, parts.more);
  const point = element("div", "point");
  const line = element("div");
  const address = element("code", "", addressOf(server));
  line.append(address);
  if (navigator.clipboard) line.append(copyButton(server));
  point.append(document.createTextNode("Point your apps at"), line);
  if (hintOf(server)) point.append(document.createTextNode(hintOf(server)));
  const details = element("details");
  details.append(element("summary", "", "More figures"), makeCounts(MORE_COUNTS, parts));
  const queue = element("p", "fine");
  queue.append(element("b", "", "Queue"), document.createTextNode(": "), (parts.queue = element("span")));
  queue.title = "One class of reads may hold half of the places at the most, and a quarter is left to writes: what hangs cannot stop the rest.";
  parts.queue_so_far = element("p", "fine");
  parts.prefetch = element("p", "fine");
  parts.prefetch.title = "What an app is likely to ask next is loaded when its answer has left, if nobody waits for the server.";
  details.append(parts.queue_so_far, parts.prefetch);
  card.append(head, parts.says, point, makeCounts(COUNTS, parts), queue, details);
  card.parts = parts;
  return card;
}

function copyButton(server) {
  const button = element("button", "quiet small", "Copy");
  button.type = "button";
  button.setAttribute("aria-label", "Copy the address for " + server.name);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(addressOf(server));
      setText(button, "Copied");
    } catch {
      setText(button, "Not allowed");
    }
    setTimeout(() => setText(button, "Copy"), 2000);
  });
  return button;
}

function makeCounts(counts, parts) {
  const list = element("dl", "counts");
  for (const [key, name, why] of counts) {
    const row = element("div");
    const term = element("dt", "", name);
    term.append(element("small", "", why));
    row.append(term, (parts[key] = element("dd")));
    list.append(row);
  }
  return list;
}

/** What is said of a server that is down. */
function outageOf(outage, now) {
  const seconds = Math.max(0, Math.ceil((outage.next_try_ms - now) / 1000));
  const next = seconds > 0 ? "next try in " + seconds + " s." : "trying again now.";
  return ["Down since " + moment(outage.since_ms, now), ", answering from cache; " + next];
}

/** What was loaded ahead, and what became of it. */
function prefetchOf(server) {
  const { prefetch } = server;
  if (!prefetch.enabled) return "off";
  const classes = last.classes.filter((of) => of.server === server.name);
  const sum = (name) => classes.reduce((all, of) => all + of[name], 0);
  const most = prefetch.skipped.filter((of) => of.count > 0 && of.reason !== "kept").sort((one, other) => other.count - one.count)[0];
  return count(prefetch.started) + " loads started, " + count(sum("ahead_useful")) + " of their answers read, " +
    count(sum("ahead_useless")) + " let go unread, " + count(prefetch.failed) + " failed" +
    (most ? "; left out: " + count(most.count) + " (" + most.reason + ")" : "");
}

function showServer(card, server) {
  const { parts } = card;
  const now = last.as_of_ms;
  parts.light.dataset.state = parts.mood.dataset.state = server.outage ? "unwell" : server.state;
  const kind = KINDS[server.kind] || server.kind;
  setText(parts.kind, server.version ? kind + " " + server.version.split("-")[0] : kind);
  parts.kind.title = server.version || "";
  const heard = server.last_answer_ms ? ", last answer " + ago(server.last_answer_ms, now) + "." : ".";
  const [mood, more] = server.outage ? outageOf(server.outage, now) : {
    well: ["Well", heard],
    unwell: ["Not answering", heard + (server.last_answer_ms ? " Kept answers are served meanwhile." : "")],
    unknown: ["Not heard of yet", ". It is asked when an app asks."],
  }[server.state];
  setText(parts.mood, mood);
  const title = server.title && server.title !== server.name ? " It calls itself “" + server.title + "”." : "";
  const all = more + (server.remark ? " " + server.remark : "") + title;
  if (parts.more.data !== all) parts.more.data = all;
  setText(parts.queue, queueNow(server.queue));
  setText(parts.queue_so_far, "Queue: " + queueSoFar(server.queue) + ".");
  setText(parts.prefetch, "Prefetch: " + prefetchOf(server) + ".");
  for (const [key] of COUNTS.concat(MORE_COUNTS)) setText(parts[key], count(server[key]));
}

function showApps(figures) {
  const { apps, servers } = figures;
  $("apps-empty").hidden = apps.length > 0;
  $("apps-card").hidden = apps.length === 0;
  if (apps.length === 0) {
    keep($("apps-addresses"), servers, (server) => server.name, () => element("li"), (item, server) =>
      setText(item, addressOf(server) + " for " + (KINDS[server.kind] || server.kind) + " (" + server.name + ")"));
  }
  const several = servers.length > 1;
  keep($("apps"), apps, (app) => JSON.stringify([app.server, app.name]), () => makeRow(["Saved share", "Asked", "Saved", "Reached", "Failed"]),
    (row, app) => {
      showName(row, app.name, several ? app.server : "");
      showShare(row.cells[1], app.asked > 0 ? app.saved / app.asked : null, "saved");
      [app.asked, app.saved, app.reached].forEach((value, index) => showCount(row.cells[index + 2], value));
      showCount(row.cells[5], app.failed, true);
      row.cells[4].title = app.waited_ms + app.waiting > 0
        ? "waited " + count(Math.round(app.waited_ms / 1000)) + " s for places in the queue; " + count(app.waiting) + " wait now" : "";
    });
}

function showClasses(figures) {
  const asked = (of) => of.hits + of.stale + of.misses;
  const classes = figures.classes.filter((of) => asked(of) + of.bytes + of.warm_loads + of.ahead_loads > 0);
  classes.sort((one, other) => asked(other) - asked(one) || (one.class < other.class ? -1 : 1));
  $("classes-empty").hidden = classes.length > 0;
  $("classes-card").hidden = classes.length === 0;
  const { memory, disk } = figures;
  setText($("memory"), count(memory.entries) + (memory.entries === 1 ? " answer" : " answers") + " in " +
    bytes(memory.bytes) + " of " + bytes(memory.max_bytes) + " memory" + (disk ? ", and " + bytes(disk.bytes) + " on disk." : "."));
  const several = figures.servers.length > 1;
  const names = ["At once", "Fresh", "Stale", "Joined", "Loaded", "Failed", "Kept", "Our own"];
  keep($("classes"), classes, (of) => JSON.stringify([of.server, of.class]), () => makeRow(names), (row, of) => {
    showName(row, of.class, (several ? of.server + ": " : "") + (ABOUT[of.class] || ""));
    showShare(row.cells[1], of.hit_rate, "answered at once");
    [of.hits, of.stale, of.joined, of.loaded].forEach((value, index) => showCount(row.cells[index + 2], value));
    showCount(row.cells[6], of.failed, true);
    setText(row.cells[7], bytes(of.bytes));
    const own = of.refreshes + of.warm_loads + of.ahead_loads;
    showCount(row.cells[8], own);
    row.cells[8].title = count(of.refreshes_useful + of.ahead_useful) + " were read, " + count(of.refreshes_useless + of.ahead_useless) + " were not";
  });
}

function showLibraries(figures) {
  const { libraries, as_of_ms: now } = figures;
  $("libraries-section").hidden = libraries.length === 0;
  const several = figures.servers.length > 1;
  keep($("libraries"), libraries, (library) => library.id, () => makeRow(["State", "Items", "Confirmed", "Requests"]),
    (row, library) => {
      showName(row, library.title, (several ? library.server + ": " : "") + library.contents);
      const { progress, failure, generation } = library;
      const building = progress && progress.phase === "crawling" && progress.percent !== null ? ", " + progress.percent + " %" : "";
      setText(row.cells[1], library.state + (progress ? " (" + progress.phase + building + ")" : ""));
      row.cells[1].title = failure ? failure.text + ". " + failure.remedy : "";
      showCount(row.cells[2], generation ? generation.items : 0);
      setText(row.cells[3], generation ? ago(now - generation.age_s * 1000, now) : "–");
      showCount(row.cells[4], library.cost.requests);
    });
}

export function makeRow(names) {
  const row = element("tr");
  row.setAttribute("role", "row");
  const head = element("th");
  head.scope = "row";
  head.setAttribute("role", "rowheader");
  head.append(document.createTextNode(""), element("small"));
  row.append(head);
  names.forEach((name, index) => {
    const cell = element("td", index === 0 ? "broad" : "");
    cell.dataset.name = name;
    cell.setAttribute("role", "cell");
    row.append(cell);
  });
  return row;
}

export function showName(row, name, under) {
  const [text, small] = row.cells[0].childNodes;
  if (text.data !== name) text.data = name;
  setText(small, under);
  small.hidden = !under;
}

export function showShare(cell, share, word) {
  if (!cell.firstChild) {
    const box = element("div", "share");
    const track = element("span");
    track.append(element("i"));
    box.append(track, element("em"));
    box.setAttribute("role", "img");
    cell.append(box);
  }
  const box = cell.firstChild;
  box.setAttribute("aria-label", percent(share) + " " + word);
  box.firstChild.firstChild.style.width = (share || 0) * 100 + "%";
  setText(box.lastChild, percent(share));
}

export function showCount(cell, value, isBad) {
  setText(cell, count(value));
  cell.className = value === 0 ? "none" : isBad ? "bad-count" : "";
}

function showChoice(servers) {
  $("which-label").hidden = servers.length < 2;
  const choices = [{ name: "", text: "all servers" }].concat(servers.map(({ name }) => ({ name, text: name })));
  keep($("which"), choices, (choice) => choice.name, ({ name, text }) => {
    const option = element("option", "", text);
    option.value = name;
    return option;
  }, () => {});
}

