// A curve of two counts over time. Who does not see it has the same figures in a table.

import { make, makeButton, newId, setText } from "./dom.js";
import { makeTable } from "./table.js";
import { count, date, minute } from "./words.js";

const HEIGHT = 200;
const EDGE = { top: 12, right: 8, bottom: 24, left: 54 };
const DAY_MS = 86400000;

/** Sums points into steps of the same length, so that hours in which nothing happened are there too. */
export function inSteps(points, fromMs, untilMs, stepMs) {
  const steps = [];
  for (let at = fromMs; at < untilMs; at += stepMs) steps.push({ at_ms: at, asked: 0, reached: 0, saved: 0 });
  for (const point of points) {
    const step = steps[Math.floor((point.at_ms - fromMs) / stepMs)];
    if (!step) continue;
    for (const key of ["asked", "reached", "saved"]) step[key] += point[key];
  }
  return steps;
}

/** A number at or above `value` that is easy to read on an axis. */
export function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(4, value)));
  return [1, 2, 4, 5, 10].map((factor) => factor * power).find((nice) => nice >= Math.max(4, value));
}

/** A chart of asked against reached; `show(steps, stepText)` draws it. */
export function makeChart(title) {
  const titleId = newId("chart");
  const svg = shape("svg", { role: "img", "aria-labelledby": titleId + " " + titleId + "-about" });
  const readout = make("p", { class: "readout fine" });
  const key = (name, text) => make("span", { class: "key" }, make("i", { class: name }), text);
  const table = makeTable(
    title,
    [
      { name: "From", kind: "name", value: (step) => stamp(step.at_ms, true) },
      { name: "Asked", kind: "count", value: (step) => step.asked },
      { name: "Reached", kind: "count", value: (step) => step.reached },
      { name: "Saved", kind: "count", value: (step) => step.saved },
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
      setText(toggle, table.element.hidden ? "Show as table" : "Hide the table");
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
      make("figcaption", { class: "row" }, key("asked", "asked by apps"), key("reached", "reached a server")),
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
      const sum = (key) => steps.reduce((total, step) => total + step[key], 0);
      const summary = "In all: " + inWords({ asked: sum("asked"), reached: sum("reached"), saved: sum("saved") });
      drawn = { steps, stepText, summary };
      if (!svg.matches(":hover")) setText(readout, summary);
      draw();
    },
  };
}

const inWords = ({ asked, reached, saved }) =>
  count(asked) + " asked, " + count(reached) + " reached, " + count(saved) + " saved";

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
  const y = (value) => EDGE.top + inner.height * (1 - value / most);
  const line = (key, from, until) =>
    steps
      .slice(from, until)
      .map((step, index) => (index ? "L" : "M") + x(from + index).toFixed(1) + " " + y(step[key]).toFixed(1))
      .join("");
  // The last step is not over: what leads to it is only hinted at.
  const over = steps.length - 1;
  const area = (key) => line(key, 0, over) + "L" + x(over - 1).toFixed(1) + " " + y(0) + "L" + x(0) + " " + y(0) + "Z";
  const parts = [
    shape("title", { id: titleId }, title),
    shape(
      "desc",
      { id: titleId + "-about" },
      (summary || "") + ". Counted per " + stepText + "; the last is not over yet.",
    ),
  ];
  for (const part of [0, 0.5, 1]) {
    parts.push(
      shape("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(most * part), y2: y(most * part) }),
    );
    parts.push(
      shape(
        "text",
        { class: "tick", x: EDGE.left - 8, y: y(most * part) + 4, "text-anchor": "end" },
        count(most * part),
      ),
    );
  }
  for (const at of ticks(steps, width)) {
    const share = (at - steps[0].at_ms) / (steps[steps.length - 1].at_ms - steps[0].at_ms);
    parts.push(
      shape(
        "text",
        { class: "tick", x: EDGE.left + share * inner.width, y: HEIGHT - 6, "text-anchor": "middle" },
        stamp(at, false),
      ),
    );
  }
  if (steps.length > 1) {
    for (const key of ["asked", "reached"]) parts.push(shape("path", { class: key + " area", d: area(key) }));
    for (const key of ["asked", "reached"]) {
      parts.push(
        shape("path", { class: key + " line", d: line(key, 0, over) }),
        shape("path", { class: key + " line open", d: line(key, Math.max(0, over - 1)) }),
      );
    }
  }
  svg.setAttribute("viewBox", "0 0 " + width + " " + HEIGHT);
  svg.replaceChildren(...parts);
}

const HOURS = [1 / 6, 1, 3, 6, 12, 24, 48, 168];

/** Where the time is written: at whole hours or days of the reader, as many as there is room for. */
function ticks(steps, width) {
  if (steps.length < 2) return [];
  const [from, until] = [steps[0].at_ms, steps[steps.length - 1].at_ms];
  const room = Math.max(2, Math.floor(width / 90));
  const every = 3600000 * (HOURS.find((hours) => (until - from) / (hours * 3600000) <= room) || 168);
  const zone = new Date(until).getTimezoneOffset() * 60000;
  const ticks = [];
  for (let at = Math.ceil((from - zone) / every) * every + zone; at < until; at += every) ticks.push(at);
  const edge = (until - from) * 0.03;
  return ticks.filter((at) => at - from > edge && until - at > edge);
}

/** What a range of statistics is drawn in: how far back, in which steps, and what a step is called. */
export const RANGES = {
  hour: { name: "Last hour", backMs: 3600000, stepMs: 60000, step: "minute" },
  day: { name: "Last 24 hours", backMs: DAY_MS, stepMs: 600000, step: "10 minutes" },
  week: { name: "Last 7 days", backMs: 7 * DAY_MS, stepMs: 2 * 3600000, step: "2 hours" },
  month: { name: "Last 30 days", backMs: 30 * DAY_MS, stepMs: DAY_MS, step: "day" },
  year: { name: "Last 52 weeks", backMs: 364 * DAY_MS, stepMs: 7 * DAY_MS, step: "week" },
};

/** The steps of a range that ends now, from what the API tells. */
export function stepsOf(range, series, now) {
  const { backMs, stepMs } = RANGES[range];
  const toldMs = series.step_s * 1000;
  const untilMs = Math.ceil(now / toldMs) * toldMs;
  // A step is made of whole points, or some steps would have more of them than others.
  return inSteps(series.points, untilMs - backMs, untilMs, Math.ceil(stepMs / toldMs) * toldMs);
}
