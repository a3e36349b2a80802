// The demo's own page: two columns that count, and the plug.

import assert from "node:assert/strict";
import fs from "node:fs";
import { after, afterEach, before, test } from "node:test";

import { axeFindings, openBrowser, openPage, overflow, picture } from "./stage/browser.js";
import { Program } from "./stage/program.js";
import { until } from "./stage/waiting.js";

// A short evening with small libraries, fast enough for a test. The clock of Greenroom runs as fast as the evening: at
// this factor its five minutes of proof for a token are 50 s, longer than a busy machine stops.
const EVENING = ["--minutes", "2", "--time-factor", "6", "--films", "250", "--shows", "20", "--tracks", "1000"];
const EVENINGS_END_WITHIN_MS = 240_000;
// So many requests are enough to see who fails.
const SOME = 40;
// The apps wake up in some seconds; a busy machine may take its time.
const AWAKE_WITHIN_MS = 120_000;

let program;
let browser;
const demo = {};

before(async () => {
  program = new Program("demo", ["demo", ...EVENING]);
  const before = program.log().length;
  const printed = () => /pull the plug: (http:\S+)\//.exec(program.log().slice(before));
  demo.control = (await until(printed, "the demo says where its page is"))[1];
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await program?.stop();
});

// A test that failed with the plug in its hand must not fail the others.
afterEach(async () => {
  if ((await board()).plug.state !== "pulled") return;
  const page = await open();
  await plug(page).click();
  await page.locator("#plug-card[data-state='in']").waitFor();
  await page.watched.close();
});

const open = async (how) => {
  const page = await openPage(browser, demo, how);
  await page.locator("#pulse[data-state='live']").waitFor();
  return page;
};
const board = async () => (await fetch(`${demo.control}/board`)).json();
const count = async (page, id) => Number((await page.locator(`#${id}`).textContent()).replaceAll(",", ""));
const plug = (page) => page.locator("#plug");

/** Waits until the apps have asked what they ask all the time, and pulls the plug. */
async function pull(page) {
  await page.locator("#plug[aria-disabled='false']", { hasText: "Pull the plug" }).waitFor({ timeout: AWAKE_WITHIN_MS });
  await plug(page).click();
}

/** Waits until this many more requests were asked on both sides, and the page shows it. */
async function bothGoOn(page, more = SOME) {
  for (const side of ["direct", "through"]) {
    const from = await count(page, `${side}-asked`);
    await until(async () => (await count(page, `${side}-asked`)) >= from + more, `the ${side} column counts`);
  }
}

/** Both evenings are over, and both sides read on. */
async function evenings() {
  await until(async () => (await board()).phase === "afterwards", "the evenings end", EVENINGS_END_WITHIN_MS);
}

test("one column fills after the other, and then both go on", async () => {
  const page = await open();
  assert.ok((await board()).phase !== "afterwards", "the page is there from the beginning");
  await until(async () => (await count(page, "direct-reached")) > SOME, "the direct column counts");
  await page.locator("#through-says", { hasText: "comes here afterwards" }).waitFor();
  await page.locator("#phase", { hasText: "and the apps ask Greenroom" }).waitFor({ timeout: EVENINGS_END_WITHIN_MS });
  await until(async () => (await count(page, "through-asked")) > SOME, "the other column counts");
  await evenings();
  await page.locator("#outcome", { hasText: /% fewer/ }).waitFor();
  await bothGoOn(page);
  const { direct, through } = await board();
  assert.ok(through.reached < direct.reached);
  assert.equal(await page.locator("#apps tr").count(), 9);
  await picture(page, "demo");
  await page.watched.close();
});

test("when the plug is pulled one side fails and the other answers; put back, both answer", async () => {
  const page = await open();
  await evenings();
  await bothGoOn(page);
  const failed = await count(page, "direct-failed");
  for (let round = 1; round <= 2; round += 1) {
    await pull(page);
    await page.locator("#plug-says", { hasText: "went away at" }).waitFor();
    await page.locator("#direct-says", { hasText: "Fails since" }).waitFor();
    await page.locator("#through-says", { hasText: "Answering from cache since" }).waitFor();
    await until(async () => (await count(page, "direct-failed")) >= failed + round * SOME, "the direct side fails");
    await until(async () => (await board()).through.dark.answered >= SOME, "the other side answers");
    const { direct: without, through: kept } = await board();
    const failures = kept.apps.filter((app) => app.failed).map((app) => `${app.name}: ${app.failed}`);
    assert.deepEqual([without.dark.answered < without.dark.failed, failures, kept.dark.failed], [true, [], 0]);
    await page.locator("#through-says", { hasText: "None failed." }).waitFor();
    await picture(page, "demo-pulled");
    await plug(page).click();
    await page.locator("#plug-says", { hasText: "came back at" }).waitFor();
    const answered = await count(page, "direct-answered");
    await until(async () => (await count(page, "direct-answered")) >= answered + SOME, "the direct side answers again");
    await bothGoOn(page);
    await page.locator("#plug-counts", { hasText: "without a crowd" }).waitFor();
    const { direct, through } = await board();
    assert.ok(through.reached_since < direct.reached_since, `${through.reached_since} of ${direct.reached_since}`);
    assert.equal(through.failed, 0, "nothing failed through Greenroom, now or ever");
  }
  await page.watched.close();
});

test("whoever comes late or comes again sees the same", async () => {
  const early = await open();
  await evenings();
  await pull(early);
  const late = await open();
  for (const page of [late, early]) {
    await page.reload();
    await page.locator("#plug-says", { hasText: "went away at" }).waitFor();
    assert.equal(await plug(page).textContent(), "Put it back in");
    assert.ok((await count(page, "direct-asked")) > SOME);
  }
  await plug(late).click();
  await early.locator("#plug-says", { hasText: "came back at" }).waitFor();
  for (const page of [late, early]) await page.watched.close();
});

test("the plug is reached and moved by keyboard", async () => {
  const page = await open();
  await evenings();
  await page.locator("#plug[aria-disabled='false']").waitFor({ timeout: AWAKE_WITHIN_MS });
  await until(async () => {
    await page.keyboard.press("Tab");
    return plug(page).evaluate((button) => button === document.activeElement);
  }, "the plug has the focus");
  for (const [key, state] of [["Enter", "pulled"], ["Space", "in"]]) {
    await page.keyboard.press(key);
    await page.locator(`#plug-card[data-state="${state}"]`).waitFor();
    assert.ok(await plug(page).evaluate((button) => button === document.activeElement), "the focus stays");
  }
  await page.watched.close();
});

test("it is accessible and fits, by day and by night, at a desk and on a phone", async () => {
  await evenings();
  for (const size of ["desk", "phone"]) {
    for (const scheme of ["light", "dark"]) {
      const page = await open({ axe: true, size, scheme });
      for (const [state, move] of [["pulled", pull], ["in", (page) => plug(page).click()]]) {
        await move(page);
        await page.locator(`#plug-card[data-state="${state}"]`).waitFor();
        await bothGoOn(page, 1);
        assert.deepEqual(await axeFindings(page), [], `${size}, ${scheme}, ${state}`);
        assert.equal(await overflow(page), 0, `${size}, ${scheme}, ${state}`);
        await picture(page, `demo-${size}-${scheme}-${state}`);
      }
      await page.watched.close();
    }
  }
});

test("another page cannot pull the plug, and the way to Greenroom's own page is there", async () => {
  await evenings();
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ pulled: true });
  assert.equal((await fetch(`${demo.control}/plug`, { method: "POST", headers, body })).status, 403);
  assert.equal((await board()).plug.state, "in");
  const page = await open();
  const own = await page.locator("#greenroom-link").getAttribute("href");
  assert.equal((await fetch(`${own}healthz`)).status, 200);
  const command = await page.locator("#greenroom-command").textContent();
  const folder = /^greenroom token show --data-dir (\S+)$/.exec(command)[1];
  assert.ok(fs.existsSync(folder));
  await page.watched.close();
});
