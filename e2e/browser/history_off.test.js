// The history is switched off.

import assert from "node:assert/strict";
import { test } from "node:test";

import { setScene } from "./stage/scene.js";

const scene = setScene(import.meta.url, { history: "[history]\nmax_rows = 0\n" });

test("a history that is turned off says where to turn it on", async () => {
  const page = await scene.open({ at: "activity" });
  await page.getByText(/The playback history is disabled.*history\.max_rows/).waitFor();
  assert.equal(await page.getByRole("table", { name: "Playbacks, newest first" }).count(), 0);
  assert.equal(await page.getByRole("button", { name: "Sync now" }).count(), 0);
  // The browser tells of every answer that is none.
  page.watched.expect(/status of 503/);
  await page.watched.close();
});
