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
  // It is built by itself at the start; if that was quicker than we are, once more.
  if (!(await music.locator("progress").isVisible())) await music.getByRole("button", { name: "Build now: Music" }).click();
  const shares = new Set();
  let isPictured = false;
  await until(async () => {
    const share = await music.locator("progress").evaluate((bar) => (bar.hasAttribute("value") ? bar.value : null));
    shares.add(share);
    if (share > 0.3 && share < 1 && !isPictured) {
      isPictured = true;
      await picture(page, "build-light-desk");
    }
    return (await music.getByText(/^100 %: 100[,.\s]?000 items/).count()) > 0;
  }, "the bar says a hundred percent", PATIENCE_MS);
  const seen = [...shares].filter((share) => share > 0 && share < 1);
  t.diagnostic(`seen on the way: ${seen.length} different shares`);
  assert.ok(seen.length >= 3, `it is seen to move: ${seen}`);
  assert.equal((await scene.gateway.api("libraries/home:3")).items.tracks, TRACKS);
  await page.watched.close();
});
