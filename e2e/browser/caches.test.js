// The view "Caches": what apps have stored, how full each cache is, and removing one.

import assert from "node:assert/strict";
import { test } from "node:test";

import { logIn } from "./stage/browser.js";
import { setScene } from "./stage/scene.js";

const scene = setScene(import.meta.url);

const row = (page, name) => page.getByRole("table", { name: "Caches for apps" }).getByRole("row", { name });

test("without a cache it says how an app gets one", async () => {
  const page = await scene.open({ at: "caches" });
  await page.getByText("No app has a cache yet.").waitFor();
  await page.getByText(/greenroom token add NAME --caches CACHE/).waitFor();
  await page.watched.close();
});

test("a cache is shown while it fills, and removed only after a question", async () => {
  const token = scene.gateway.cacheToken("worker", "worker", "matches");
  const page = await scene.open({ at: "caches" });
  await logIn(page, scene.gateway);
  for (const key of ["one", "two"]) await scene.gateway.store(token, "worker", key, key.repeat(1000));
  await scene.gateway.store(token, "matches", "one", "1");
  await row(page, "worker").getByRole("cell", { name: "2", exact: true }).first().waitFor();
  await page.getByText(/^2 caches for apps, /).waitFor();
  await row(page, "worker").getByRole("button", { name: "Remove the cache worker" }).click();
  const dialog = page.getByRole("dialog", { name: "Remove the cache worker?" });
  await dialog.getByText(/Everything that its apps have stored in it is lost/).waitFor();
  await page.keyboard.press("Escape");
  assert.equal((await scene.gateway.api("caches")).caches.length, 2, "it was thought better of");
  await row(page, "worker").getByRole("button", { name: "Remove the cache worker" }).click();
  await dialog.getByRole("button", { name: "Remove" }).click();
  await row(page, "worker").waitFor({ state: "detached" });
  await page.getByText(/^1 cache for apps, /).waitFor();
  assert.deepEqual((await scene.gateway.api("caches")).caches.map(({ name }) => name), ["matches"]);
  await page.watched.close();
});
