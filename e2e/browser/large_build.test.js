// A library of a hundred thousand tracks, followed from the first page to a hundred percent.

import assert from "node:assert/strict";
import { test } from "node:test";

import { logIn, picture } from "./stage/browser.js";
import { setScene } from "./stage/scene.js";
import { until } from "./stage/waiting.js";

const TRACKS = 100_000;
const PATIENCE_MS = 180_000;

const scene = setScene(import.meta.url, { servers: { home: { films: 4, shows: 2, tracks: TRACKS } } });

test("a build of a hundred thousand tracks is followed live", async (t) => {
  const page = await scene.open({ at: "libraries" });
  await logIn(page, scene.gateway);
  const music = page.locator('[data-library="home:3"]');
  await music.waitFor();
  // The page itself notes what it shows: who looks now and then may be late.
  await page.evaluate(() => {
    globalThis.shares = new Set();
    const look = () => {
      const bar = document.querySelector('[data-library="home:3"] progress');
      if (bar?.hasAttribute("value")) globalThis.shares.add(bar.value);
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
    look();
  });
  const onTheWay = async () => (await page.evaluate(() => [...globalThis.shares])).filter((share) => share > 0 && share < 1);
  const again = music.getByRole("button", { name: "Build now: Music" });
  let isPictured = false;
  await until(async () => {
    const share = await music.locator("progress").evaluate((bar) => (bar.hasAttribute("value") ? bar.value : null));
    if (share > 0.3 && share < 1 && !isPictured) {
      isPictured = true;
      await picture(page, "build-light-desk");
    }
    if ((await music.getByText(/^100 %: 100[,.\s]?000 items/).count()) === 0) return false;
    if ((await onTheWay()).length >= 3) return true;
    // It is built by itself at the start; if that was quicker than we are, once more.
    if (await again.isVisible()) await again.click();
    return false;
  }, "the bar moves, and says a hundred percent", PATIENCE_MS);
  t.diagnostic(`seen on the way: ${(await onTheWay()).length} different shares`);
  assert.equal((await scene.gateway.api("libraries/home:3")).items.tracks, TRACKS);
  await page.watched.close();
});
