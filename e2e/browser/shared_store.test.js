// The remote store in the view "Settings": its state, the gateways that share it, and that it is away.

import assert from "node:assert/strict";
import { test } from "node:test";

import { SIZES, axeFindings, logIn, overflow, picture } from "./stage/browser.js";
import { Gateway } from "./stage/gateway.js";
import { Redis } from "./stage/redis.js";
import { setScene } from "./stage/scene.js";

const KEY = "ab".repeat(32);
const SHARED = `shared = true\ncluster_key = "${KEY}"`;
const redis = await Redis.start();
const scene = setScene(import.meta.url, { store: redis.lines(SHARED), finish: () => redis.stop() });

const section = (page) => page.getByRole("region", { name: "Remote store" });

test("the store and the gateways that share it are shown, in both sizes and themes", async () => {
  const other = await Gateway.start("shared_store-other", scene.servers, { store: redis.lines(SHARED) });
  try {
    for (const size of Object.keys(SIZES)) {
      for (const scheme of ["light", "dark"]) {
        const page = await scene.open({ at: "settings", size, scheme, axe: true });
        await logIn(page, scene.gateway);
        await section(page).getByText("Connected").waitFor();
        await section(page).getByText("up, serves its cache").waitFor();
        await section(page).getByRole("row").nth(2).getByText("up", { exact: true }).waitFor();
        assert.equal(await overflow(page), 0);
        assert.deepEqual(await axeFindings(page), []);
        await picture(page, `shared-store-${scheme}-${size}`);
        await page.watched.close();
      }
    }
  } finally {
    await other.stop();
  }
});

test("a store that is away is said, and comes back by itself", async () => {
  const page = await scene.open({ at: "settings" });
  await section(page).getByText("Connected").waitFor();
  await redis.kill();
  await section(page).getByText("Not reachable").waitFor();
  await section(page).getByText(/Memory and disk do without it/).waitFor();
  await redis.begin();
  await section(page).getByText("Connected").waitFor();
  await page.watched.close();
});
