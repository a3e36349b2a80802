// The demo's own page: a race of both sides in real time, and the plug.

import assert from "node:assert/strict";
import fs from "node:fs";
import { after, afterEach, before, test } from "node:test";

import { axeFindings, openBrowser, openPage, overflow, picture } from "./stage/browser.js";
import { Program } from "./stage/program.js";
import { until } from "./stage/waiting.js";

// The evening after the race is short and small: its table is tested elsewhere.
const EVENING = ["--minutes", "1", "--time-factor", "20", "--films", "250", "--shows", "20", "--tracks", "1000"];
// The race takes a minute and a half; a busy machine starts its servers slowly.
const RACE_ENDS_WITHIN_MS = 180_000;
// The evening follows.
const EVENING_ENDS_WITHIN_MS = 180_000;
// What a visitor waits for at the most, from the start of the program.
const FIRST_RESULT_WITHIN_MS = 60_000;
// So many requests are enough to see which side fails.
const SOME = 30;
// The apps warm up in some seconds; a busy machine may take its time.
const AWAKE_WITHIN_MS = 120_000;

let program;
let browser;
const demo = {};

before(async () => {
  program = new Program("demo", ["demo", "--port", "0", ...EVENING]);
  demo.began = Date.now();
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

/** The race is over, and both sides read on. */
async function raceEnds() {
  await until(async () => (await board()).phase === "afterwards", "the race ends", RACE_ENDS_WITHIN_MS);
}

test("both sides begin at once, and the first result is there within a minute", async () => {
  const page = await open();
  await bothGoOn(page);
  const { direct, through } = await board();
  assert.ok(direct.asked > 0 && through.asked > 0, "both sides ask at the same minute");
  await page.locator("#percent", { hasText: /^\d+ %$/ }).waitFor();
  assert.ok(Date.now() - demo.began < FIRST_RESULT_WITHIN_MS, "the first result takes longer than a minute");
  await page.locator("#through-strip [data-source='c']").first().waitFor();
  assert.equal(await page.locator("#direct-strip [data-source='c']").count(), 0, "no cache answers directly");
  await picture(page, "demo");
  await page.watched.close();
});

test("the plug takes both sides down in the middle of the race, and its time is left out", async () => {
  const page = await open();
  await plug(page).click();
  await page.locator("#plug-says", { hasText: "are down for" }).waitFor();
  await until(async () => (await board()).direct.dark.failed >= 5, "the direct side fails");
  assert.equal((await board()).direct.dark.answered, 0, "without servers no direct request is answered");
  await page.locator("#direct-says", { hasText: /Down for \d+ s: \d+ of/ }).waitFor();
  await page.locator("#through-says", { hasText: "Still answering" }).waitFor();
  await page.locator("#plug-counts", { hasText: "left out of the comparison" }).waitFor();
  await plug(page).click();
  await page.locator("#plug-card[data-state='in']").waitFor();
  await page.watched.close();
});

test("the race ends with an outage of its own, a result, and then the evening's", async () => {
  const page = await open();
  await page.locator("#phase", { hasText: "The media servers are down" }).waitFor({ timeout: RACE_ENDS_WITHIN_MS });
  assert.ok(await plug(page).isDisabled(), "no viewer ends it earlier");
  await raceEnds();
  await page.locator("#result", { hasText: /% fewer.*left out of the other figures/ }).waitFor();
  await bothGoOn(page);
  const { direct, through, percent_fewer: fewer } = await board();
  assert.ok(through.reached < direct.reached && fewer > 0);
  assert.equal(through.playlist.tracks > 0, true, "the playlist is there, whichever viewer pulled the plug");
  assert.equal(await page.locator("#apps tr").count(), 9);
  await page.locator("#evening", { hasText: /In the evening .* % fewer/ }).waitFor({ timeout: EVENING_ENDS_WITHIN_MS });
  await picture(page, "demo-result");
  await page.watched.close();
});

test("when the plug is pulled one side fails and the other answers; put back, both answer", async () => {
  const page = await open();
  await raceEnds();
  await bothGoOn(page);
  const failed = await count(page, "direct-failed");
  for (let round = 1; round <= 2; round += 1) {
    await pull(page);
    await page.locator("#plug-says", { hasText: "are down for" }).waitFor();
    await until(async () => (await count(page, "direct-failed")) >= failed + round * SOME, "the direct side fails");
    await until(async () => (await board()).through.dark.answered >= SOME, "the other side answers");
    const { direct: without, through: kept } = await board();
    assert.deepEqual([without.dark.answered < without.dark.failed, kept.dark.failed], [true, 0]);
    await page.locator("#through-says", { hasText: "None failed." }).waitFor();
    await picture(page, "demo-pulled");
    await plug(page).click();
    await page.locator("#plug-says", { hasText: "came back" }).waitFor();
    const answered = (await board()).direct.answered;
    await until(async () => (await board()).direct.answered >= answered + SOME, "the direct side answers again");
    await bothGoOn(page);
    const { direct, through } = await board();
    assert.ok(through.reached_since < direct.reached_since, `${through.reached_since} of ${direct.reached_since}`);
  }
  await page.watched.close();
});

test("a viewer that connects late or again sees the same", async () => {
  const early = await open();
  await raceEnds();
  await pull(early);
  const late = await open();
  for (const page of [late, early]) {
    await page.reload();
    await page.locator("#plug-says", { hasText: "are down for" }).waitFor();
    assert.equal(await plug(page).textContent(), "Put it back in");
    assert.ok((await count(page, "direct-asked")) > SOME);
  }
  await plug(late).click();
  await early.locator("#plug-says", { hasText: "came back" }).waitFor();
  for (const page of [late, early]) await page.watched.close();
});

test("the plug is reached and moved by keyboard", async () => {
  const page = await open();
  await raceEnds();
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
  await raceEnds();
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

test("another page cannot pull the plug, and Greenroom's own page is below the demo's", async () => {
  await raceEnds();
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ pulled: true });
  assert.equal((await fetch(`${demo.control}/plug`, { method: "POST", headers, body })).status, 403);
  assert.equal((await board()).plug.state, "in");
  const page = await open();
  const own = await page.locator("#greenroom-link").getAttribute("href");
  assert.equal((await fetch(new URL(`${own}healthz`, `${demo.control}/`))).status, 200);
  const command = await page.locator("#greenroom-command").textContent();
  const folder = /^greenroom token show --data-dir (\S+)$/.exec(command)[1];
  assert.ok(fs.existsSync(folder));
  await page.watched.close();
});

test("the race goes on while only Greenroom's own page is open, and nothing there warns of a skew", async () => {
  await raceEnds();
  const before = await board();
  const page = await openPage(browser, { control: `${demo.control}` });
  await page.goto(`${demo.control}/greenroom/`);
  await page.locator("#view h1").waitFor();
  await page.locator("#pulse[data-state='live']").waitFor();
  await until(async () => (await board()).through.asked > before.through.asked + SOME, "the apps go on");
  const { items: warnings } = await (await fetch(`${demo.control}/greenroom/api/v1/warnings`)).json();
  assert.ok(!warnings.some((warning) => warning.code === "clock-skew"), JSON.stringify(warnings));
  // The picture of the README: `make pictures` copies it.
  await picture(page, "page", { fullPage: false });
  await page.watched.close();
});
