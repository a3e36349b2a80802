// A chart of requests over time with the hit rate, and the same numbers as a table for those who do not see it.

import { make, makeButton, newId, setText } from "./dom.js";
import { makeTable } from "./table.js";
import { count, date, minute, percent } from "./words.js";

const HEIGHT = 190;
const EDGE = { top: 14, right: 44, bottom: 24, left: 48 };
const DAY_MS = 86400000;
/** Counts of a step. */
const COUNTS = ["asked", "reached", "saved", "hits", "reads"];

/** Sums points into steps of equal length, including empty ones. */
export function inSteps(points, fromMs, untilMs, stepMs) {
  const steps = [];
  for (let at = fromMs; at < untilMs; at += stepMs) steps.push({ at_ms: at, asked: 0, reached: 0, saved: 0, hits: 0, reads: 0 });
  for (const point of points) {
    const step = steps[Math.floor((point.at_ms - fromMs) / stepMs)];
    if (!step) continue;
    for (const key of COUNTS) step[key] += point[key] || 0;
  }
  return steps;
}

/** The steps from the first that holds a request; at least `least` of them, so that a young chart is no single point. */
export function sinceFirst(steps, least) {
  const first = steps.findIndex((step) => step.asked + step.reached > 0);
  return steps.slice(Math.max(0, Math.min(first < 0 ? 0 : first, steps.length - least)));
}

/** The share of cacheable reads served from the cache; null where there were none. */
export const hitRate = ({ hits, reads }) => (reads > 0 ? hits / reads : null);

/** A number at or above `value` that is easy to read on an axis. */
export function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(4, value)));
  return [1, 2, 4, 5, 10].map((factor) => factor * power).find((nice) => nice >= Math.max(4, value));
}

/** A chart of requests and of those sent to a server; `show(steps, stepText)` draws it. */
export function makeChart(title) {
  const titleId = newId("chart");
  const svg = shape("svg", { role: "img", "aria-labelledby": titleId + " " + titleId + "-about" });
  const readout = make("p", { class: "readout fine" });
  const unit = make("span", { class: "fine" });
  const key = (name, text) => make("span", { class: "key" }, make("i", { class: name }), text);
  const table = makeTable(
    title,
    [
      { name: "From", kind: "name", value: (step) => stamp(step.at_ms, true) },
      { name: "Requests", kind: "count", value: (step) => step.asked },
      { name: "Sent to server", kind: "count", value: (step) => step.reached },
      { name: "Served from cache", kind: "count", value: (step) => step.saved },
      { name: "Hit rate", value: (step) => percent(hitRate(step)) },
    ],
    (step) => step.at_ms,
  );
  table.element.hidden = true;
  const toggle = makeButton(
    "Show as table",
    "quiet small",
    () => {
      table.element.hidden = !table.element.hidden;
      toggle.setAttribute("aria-expanded", String(!table.element.hidden));
      setText(toggle, table.element.hidden ? "Show as table" : "Hide table");
      if (!table.element.hidden) table.show(drawn.steps);
    },
    { "aria-expanded": "false" },
  );
  const element = make(
    "figure",
    { class: "chart" },
    make(
      "div",
      { class: "row apart" },
      make("figcaption", { class: "row" }, key("asked", "Requests"), key("reached", "Sent to server"), key("rate", "Hit rate"), unit),
      toggle,
    ),
    svg,
    readout,
    table.element,
  );
  let drawn = { steps: [], stepText: "" };
  let shownWidth = 0;

  const draw = () => {
    shownWidth = Math.max(240, element.clientWidth);
    drawInto(svg, { ...drawn, title, titleId, width: shownWidth });
    if (!table.element.hidden) table.show(drawn.steps);
  };
  const at = (event) => {
    const { steps, stepText } = drawn;
    const box = svg.getBoundingClientRect();
    const share = (event.clientX - box.left - EDGE.left) / (shownWidth - EDGE.left - EDGE.right);
    const step = steps[Math.min(steps.length - 1, Math.max(0, Math.floor(share * steps.length)))];
    if (step) setText(readout, stamp(step.at_ms, true) + ", " + stepText + ": " + inWords(step));
  };
  svg.addEventListener("pointermove", at);
  svg.addEventListener("pointerleave", () => setText(readout, drawn.summary || ""));
  new ResizeObserver(() => {
    if (Math.abs(element.clientWidth - shownWidth) > 1 && drawn.steps.length) draw();
  }).observe(element);

  return {
    element,
    show(steps, stepText) {
      const total = Object.fromEntries(COUNTS.map((key) => [key, steps.reduce((sum, step) => sum + step[key], 0)]));
      const summary = (steps.length ? "Since " + stamp(steps[0].at_ms, true) + ": " : "") + inWords(total);
      drawn = { steps, stepText, summary };
      setText(unit, "per " + stepText);
      if (!svg.matches(":hover")) setText(readout, summary);
      draw();
    },
  };
}

const inWords = (step) =>
  count(step.asked) + " requests, " + count(step.reached) + " sent to a server, " + count(step.saved) + " served from cache" +
  (step.reads > 0 ? ", hit rate " + percent(hitRate(step)) : "");

function stamp(ms, isWhole) {
  const here = new Date(ms);
  const isMidnight = here.getHours() === 0 && here.getMinutes() === 0;
  if (isWhole) return date(ms) + ", " + minute(ms);
  return isMidnight ? date(ms) : minute(ms);
}

function shape(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawInto(svg, { steps, stepText, summary, title, titleId, width }) {
  const inner = { width: width - EDGE.left - EDGE.right, height: HEIGHT - EDGE.top - EDGE.bottom };
  const most = roundUp(Math.max(0, ...steps.map((step) => Math.max(step.asked, step.reached))));
  const x = (index) => EDGE.left + (steps.length < 2 ? 0 : index / (steps.length - 1)) * inner.width;
  const y = (share) => EDGE.top + inner.height * (1 - share);
  const parts = [
    shape("title", { id: titleId }, title),
    shape("desc", { id: titleId + "-about" }, (summary || "") + ". Counted per " + stepText + "; the last is not over yet."),
    ...axes(width, most, y),
    ...timeAxis(steps, width, inner.width),
  ];
  // A line of only one step is none.
  if (steps.length > 1) parts.push(...lines(steps, x, y, most));
  svg.setAttribute("viewBox", "0 0 " + width + " " + HEIGHT);
  svg.replaceChildren(...parts);
}

/** The grid with requests at the left and the hit rate at the right. */
function axes(width, most, y) {
  const label = (at, share, anchor, text) => shape("text", { class: "tick", x: at, y: y(share) + 4, "text-anchor": anchor }, text);
  return [0, 0.5, 1].flatMap((share) => [
    shape("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(share), y2: y(share) }),
    label(EDGE.left - 8, share, "end", count(most * share)),
    label(width - EDGE.right + 8, share, "start", share * 100 + " %"),
  ]);
}

function timeAxis(steps, width, innerWidth) {
  return ticks(steps, width).map((at) => {
    const share = (at - steps[0].at_ms) / (steps[steps.length - 1].at_ms - steps[0].at_ms);
    const place = { class: "tick", x: EDGE.left + share * innerWidth, y: HEIGHT - 6, "text-anchor": "middle" };
    return shape("text", place, stamp(at, false));
  });
}

function lines(steps, x, y, most) {
  // The last step is not over: the line to it is only faint.
  const over = steps.length - 1;
  const path = (key, from, until) =>
    steps
      .slice(from, until)
      .map((step, index) => (index ? "L" : "M") + x(from + index).toFixed(1) + " " + y(step[key] / most).toFixed(1))
      .join("");
  const area = (key) => path(key, 0, over) + "L" + x(over - 1).toFixed(1) + " " + y(0) + "L" + x(0) + " " + y(0) + "Z";
  const keys = ["asked", "reached"];
  return [
    ...keys.map((key) => shape("path", { class: key + " area", d: area(key) })),
    ...keys.flatMap((key) => [
      shape("path", { class: key + " line", d: path(key, 0, over) }),
      shape("path", { class: key + " line open", d: path(key, Math.max(0, over - 1)) }),
    ]),
    shape("path", { class: "rate line", d: ratePath(steps, x, y) }),
  ];
}

/** The hit rate, with gaps where nothing could be served from the cache; a step between two gaps is a dot. */
function ratePath(steps, x, y) {
  let isOpen = false;
  const parts = steps.map((step, index) => {
    const rate = hitRate(step);
    const at = x(index).toFixed(1) + " " + y(rate ?? 0).toFixed(1);
    const isAlone = rate !== null && !isOpen && (index + 1 >= steps.length || hitRate(steps[index + 1]) === null);
    const part = rate === null ? "" : isAlone ? "M" + at + "h0.1" : (isOpen ? "L" : "M") + at;
    isOpen = rate !== null;
    return part;
  });
  return parts.join("");
}

const HOURS = [1 / 12, 1 / 6, 0.5, 1, 3, 6, 12, 24, 48, 168];

/** Times of the axis labels: whole hours or days of the reader, as many as fit. */
function ticks(steps, width) {
  if (steps.length < 2) return [];
  const [from, until] = [steps[0].at_ms, steps[steps.length - 1].at_ms];
  const fitting = Math.max(2, Math.floor(width / 90));
  const every = 3600000 * (HOURS.find((hours) => (until - from) / (hours * 3600000) <= fitting) || 168);
  const zone = new Date(until).getTimezoneOffset() * 60000;
  const ticks = [];
  for (let at = Math.ceil((from - zone) / every) * every + zone; at < until; at += every) ticks.push(at);
  const edge = (until - from) * 0.03;
  return ticks.filter((at) => at - from > edge && until - at > edge);
}

/** How a time range is drawn: its length, its steps, and the name of a step. */
export const RANGES = {
  hour: { name: "Last hour", backMs: 3600000, stepMs: 60000, step: "minute" },
  day: { name: "Last 24 hours", backMs: DAY_MS, stepMs: 600000, step: "10 minutes" },
  week: { name: "Last 7 days", backMs: 7 * DAY_MS, stepMs: 2 * 3600000, step: "2 hours" },
  month: { name: "Last 30 days", backMs: 30 * DAY_MS, stepMs: DAY_MS, step: "day" },
  year: { name: "Last 52 weeks", backMs: 364 * DAY_MS, stepMs: 7 * DAY_MS, step: "week" },
};

/** The steps of a range that ends now, from the API's response. */
export function stepsOf(range, series, now) {
  const { backMs, stepMs } = RANGES[range];
  const pointMs = series.step_s * 1000;
  const untilMs = Math.ceil(now / pointMs) * pointMs;
  // A step is made of whole points, or some steps would have more of them than others.
  return inSteps(series.points, untilMs - backMs, untilMs, Math.ceil(stepMs / pointMs) * pointMs);
}
