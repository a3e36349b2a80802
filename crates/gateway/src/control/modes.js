// How reads are answered: the switch of each server, what is bypassed, and what observing tells.

import { count, element, keep, makeRow, percent, setText, showCount, showName, showShare } from "./figures.js";

const $ = (id) => document.getElementById(id);

const MODES = [
  ["cache", "Cache", "Reads are answered from the cache where that is allowed."],
  ["observe", "Observe", "The server answers everything; the cache only watches, and tells what it would have saved."],
  ["bypass", "Bypass", "The server answers everything, as without Greenroom. Also after a restart."],
];

let turn = () => {};
let lift = () => {};

/** Says what happens when somebody turns a switch, or ends a bypass. */
export function whenTurned(turnTo, endBypass) {
  turn = turnTo;
  lift = endBypass;
}

/** Shows how reads are answered at one moment. */
export function showModes(figures) {
  for (const server of figures.servers) {
    const card = [...$("servers").children].find((child) => child.dataset.server === server.name);
    if (card) showSwitch(card, server);
  }
  showBypasses(figures.bypasses);
  showObserved(figures.servers.filter((server) => server.observed));
}

function showSwitch(card, server) {
  if (!card.modes) {
    card.modes = makeSwitch(server.name);
    card.querySelector(".point").after(card.modes.box);
  }
  for (const [mode, button] of card.modes.buttons) {
    const isOn = mode === server.mode;
    if (button.getAttribute("aria-pressed") !== String(isOn)) button.setAttribute("aria-pressed", String(isOn));
  }
  setText(card.modes.about, MODES.find(([mode]) => mode === server.mode)[2]);
  const verdict = server.mode === "observe" && server.observed ? server.observed.verdict + "." : "";
  setText(card.modes.verdict, verdict);
  card.modes.verdict.hidden = !verdict;
}

function makeSwitch(name) {
  const box = element("div", "mode");
  const group = element("div", "switch");
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", "How reads of " + name + " are answered");
  const buttons = new Map();
  for (const [mode, label] of MODES) {
    const button = element("button", "", label);
    button.type = "button";
    button.addEventListener("click", () => turn(name, mode));
    buttons.set(mode, button);
    group.append(button);
  }
  const about = element("p", "fine");
  const verdict = element("p", "verdict");
  box.append(group, about, verdict);
  return { box, buttons, about, verdict };
}

/** What is bypassed in part; whole servers show it on their switch. */
function showBypasses(bypasses) {
  const parts = bypasses.filter((bypass) => bypass.class || bypass.app || !bypass.server);
  $("bypasses").hidden = parts.length === 0;
  keep($("bypasses"), parts, (bypass) => JSON.stringify(bypass), makeBypass, () => {});
}

function makeBypass(bypass) {
  const words = ["server", "class", "app"].filter((word) => bypass[word]).map((word) => word + " " + bypass[word]);
  const line = element("li");
  const button = element("button", "quiet small", "End");
  button.type = "button";
  button.setAttribute("aria-label", "End bypassing " + (words.join(", ") || "everything"));
  button.addEventListener("click", () => lift(bypass));
  line.append(element("span", "", "Bypassed: " + (words.join(", ") || "everything") + "."), button);
  return line;
}

const COLUMNS = ["Would save", "Asked", "Would reach", "Our own", "Behind", "Differed"];

function showObserved(servers) {
  $("observed-section").hidden = servers.length === 0;
  keep($("observed"), servers, (server) => server.name, makeObserved, (card, server) => {
    const { observed } = server;
    setText(card.parts.title, server.name + (server.mode === "observe" ? "" : ", when it was observed last"));
    setText(card.parts.verdict, observed.verdict + ".");
    showRows(card.parts.classes, observed.classes);
    showRows(card.parts.apps, observed.apps);
  });
}

function makeObserved() {
  const card = element("article", "card observed");
  const parts = { title: element("h3"), verdict: element("p", "verdict") };
  card.append(parts.title, parts.verdict);
  for (const [key, name] of [["classes", "Class"], ["apps", "App"]]) {
    const table = element("table");
    const head = element("tr");
    [name, ...COLUMNS].forEach((text, index) => {
      const cell = element("th", index === 1 ? "broad" : "", text);
      cell.scope = "col";
      head.append(cell);
    });
    const heading = element("thead");
    heading.append(head);
    parts[key] = element("tbody");
    table.append(heading, parts[key]);
    card.append(table);
  }
  card.parts = parts;
  return card;
}

function showRows(body, rows) {
  keep(body, rows, (row) => row.name, () => makeRow(COLUMNS), (line, row) => {
    showName(line, row.name, "");
    showShare(line.cells[1], Math.max(0, row.saved_percent / 100), "would be saved");
    if (row.saved_percent < 0) setText(line.cells[1].firstChild.lastChild, "− " + percent(-row.saved_percent / 100));
    showCount(line.cells[2], row.asked);
    showCount(line.cells[3], row.reached);
    showCount(line.cells[4], row.own);
    showCount(line.cells[5], row.moved + row.changed + row.right_ended);
    line.cells[5].title = count(row.moved) + " move by themselves, " + count(row.changed) +
      " changed on the server within the allowed age, " + count(row.right_ended) + " were refused by then";
    showCount(line.cells[6], row.differed, true);
  });
}
