// What the page makes of figures before it shows them: steps of a curve, sentences, lists, addresses of views.

import assert from "node:assert/strict";
import { test } from "node:test";

import { setScene } from "./stage/scene.js";

let page;
setScene(import.meta.url, { prepare: async (scene) => { page = await scene.open(); } });

/** Calls a function of one of the page's modules, in the page. */
function call(module, name, ...given) {
  return page.evaluate(async ([from, called, values]) => (await import(from))[called](...values), [module, name, given]);
}

test("a curve has a step for every time, and no figure is lost or told twice", async () => {
  const points = [0, 10, 59, 60, 179].map((at) => ({ at_ms: 1000 + at, asked: 2, reached: 1, saved: 1, hits: 1, reads: 2 }));
  const steps = await call("./chart.js", "inSteps", points, 1000, 1240, 60);
  assert.deepEqual(steps.map((step) => [step.at_ms, step.asked, step.reached]), [[1000, 6, 3], [1060, 2, 1], [1120, 2, 1], [1180, 0, 0]]);
  const outside = await call("./chart.js", "inSteps", [{ at_ms: 999, asked: 1, reached: 0, saved: 0 }, { at_ms: 1240, asked: 1, reached: 0, saved: 0 }], 1000, 1240, 60);
  assert.equal(outside.reduce((sum, step) => sum + step.asked, 0), 0);
});

test("a chart begins where its data begin, and has a hit rate where there were cacheable reads", async () => {
  const step = (asked, hits = 0, reads = 0) => ({ asked, reached: 0, saved: 0, hits, reads });
  const young = await call("./chart.js", "sinceFirst", [step(0), step(0), step(0), step(3), step(4)], 2);
  assert.deepEqual(young.map(({ asked }) => asked), [3, 4]);
  const younger = await call("./chart.js", "sinceFirst", [step(0), step(0), step(4)], 2);
  assert.equal(younger.length, 2, "a single point is no curve");
  assert.equal((await call("./chart.js", "sinceFirst", [step(0), step(0)], 1)).length, 2, "without data the whole range is shown");
  assert.equal(await call("./chart.js", "hitRate", step(5, 3, 4)), 0.75);
  assert.equal(await call("./chart.js", "hitRate", step(5)), null);
});

test("every range of a curve ends with the step that is now", async () => {
  const now = 1700000000000;
  for (const [range, stepS] of [["hour", 60], ["day", 600], ["week", 3600], ["month", 86400], ["year", 86400]]) {
    const latest = Math.floor(now / stepS / 1000) * stepS * 1000;
    const series = { step_s: stepS, points: [{ at_ms: latest, asked: 7, reached: 3, saved: 4 }] };
    const steps = await call("./chart.js", "stepsOf", range, series, now);
    assert.equal(steps.at(-1).asked, 7, range);
    const even = new Set(steps.map((step, at) => (at > 0 ? step.at_ms - steps[at - 1].at_ms : null)).slice(1));
    assert.ok(even.size === 1 && [...even][0] % (stepS * 1000) === 0, `${range}: steps of whole points`);
    assert.ok(steps.length > 20 && steps.length <= 150, `${range}: ${steps.length} steps`);
  }
});

test("an axis ends at a number that is easy to read and not too far above", async () => {
  for (const value of [0, 1, 4, 5, 13, 99, 100, 101, 4000, 52345]) {
    const end = await call("./chart.js", "roundUp", value);
    assert.ok(end >= value && end <= Math.max(4, value * 2.5), `${value}: ${end}`);
  }
});

test("a server is told in a sentence: how it does, why, and who answers meanwhile", async () => {
  const now = 1700000000000;
  const well = { state: "well", mode: "cache", outage: null, remark: null, last_answer_ms: now - 5000 };
  const say = async (server) => (await call("./server.js", "sentenceOf", { ...well, ...server }, now)).join("");
  assert.equal(await say({}), "Up. Last response 5 s ago.");
  assert.match(await say({ mode: "observe" }), /Observe mode/);
  assert.match(await say({ state: "unknown", last_answer_ms: null }), /^Not contacted yet\./);
  const outage = { since_ms: now - 60000, next_try_ms: now + 7000, why: "unreachable" };
  assert.match(await say({ outage }), /^Down since .*: it cannot be reached\. Apps get cached responses\. Next try in 7 s\.$/);
  for (const mode of ["bypass", "observe"]) {
    const failing = await say({ outage: { ...outage, why: null }, mode });
    assert.ok(!failing.includes("cached responses") && !failing.includes("null"), failing);
    assert.match(failing, /Requests of apps fail\./);
  }
});

test("log entries are shown once, the newest first, and no more than there is room for", async () => {
  const numbered = (numbers) => numbers.map((number) => ({ number }));
  const merged = await call("./decision.js", "merged", numbered([7, 6, 5]), numbered([9, 8, 7]), 4);
  assert.deepEqual(merged.map(({ number }) => number), [9, 8, 7, 6]);
});

test("what is not whole is never shown as whole", async () => {
  assert.equal(await call("./words.js", "percent", 0.99999), "99.9 %");
  assert.equal(await call("./words.js", "percent", 1), "100 %");
  assert.equal(await call("./words.js", "percent", null), "–");
  assert.equal(await call("./words.js", "duration", 0.0042), "4.2 ms");
  assert.equal(await call("./words.js", "duration", 5400), "1 h 30 min");
  assert.equal(await call("./words.js", "duration", 10560), "2 h 56 min");
  assert.equal(await call("./words.js", "duration", 7199), "2 h");
  assert.equal(await call("./words.js", "duration", 172800), "2 days");
  assert.equal(await call("./words.js", "bytes", 1024 * 1024), "1.0 MiB");
});

test("an address behind # leads to a view, or nowhere", async () => {
  const where = (hash) => page.evaluate(async (given) => {
    const parsed = (await import("./router.js")).parse(given);
    return parsed && [parsed.name, parsed.path, parsed.query.get("class")];
  }, hash);
  assert.deepEqual(await where(""), ["overview", [], null]);
  assert.deepEqual(await where("#/libraries/home%3A3"), ["libraries", ["home:3"], null]);
  assert.deepEqual(await where("#/log?class=sessions"), ["log", [], "sessions"]);
  assert.deepEqual(await where("#/%E0%A4%A"), ["%E0%A4%A", [], null]);
  assert.equal(await where("#main"), null);
});

test("a moment bears its day if that is not today, and its year if that is not this year", async () => {
  const now = new Date(2026, 5, 15, 12).getTime();
  const told = (ms) => call("./words.js", "moment", ms, now);
  assert.ok(!/2026|Jun/.test(await told(now - 60000)));
  const earlier = await told(new Date(2026, 2, 1, 9).getTime());
  assert.ok(earlier.includes("Mar") && !earlier.includes("2026"), earlier);
  assert.match(await told(new Date(2025, 11, 31, 23).getTime()), /2025/);
});

test("what takes no time to speak of is not told as none", async () => {
  assert.equal(await call("./words.js", "duration", 0), "0 s");
  assert.equal(await call("./words.js", "duration", 0.00002), "under 0.1 ms");
  assert.equal(await call("./words.js", "duration", 0.0004), "0.4 ms");
});
