// A server of any HTTP API on the page: its address, its figures, its modes, and an outage.

import assert from "node:assert/strict";
import { test } from "node:test";

import { logIn } from "./stage/browser.js";
import { setScene } from "./stage/scene.js";
import { until } from "./stage/waiting.js";

const scene = setScene(import.meta.url, { servers: { metadata: { kind: "http" } } });

const card = (page) => page.locator('[data-server="metadata"]');
const read = (path) => fetch(scene.gateway.urls.metadata + path, { headers: { "User-Agent": "Collector/1.0" } });
const isDown = async () => {
  await read(`/3/movie/${Math.floor(Math.random() * 1e9)}?api_key=x`).catch(() => {});
  return (await scene.gateway.api("cache/stats")).servers[0].outage !== null;
};

test("it has a card with its address and figures, and its apps are counted", async () => {
  const page = await scene.open({ at: "servers" });
  await card(page).getByText("HTTP API").waitFor();
  await card(page).getByText(scene.gateway.urls.metadata.replace("http://", ""), { exact: false }).first().waitFor();
  for (let time = 0; time < 3; time += 1) await (await read("/ws/2/artist/5b11f4ce-a62d-471e-81fc-a69a8278c7da?fmt=json")).text();
  await card(page).getByText(/^Up\.$/).waitFor();
  await page.goto(`${scene.gateway.control}/#/statistics?by=app`);
  await page.getByRole("row", { name: /Collector/ }).first().waitFor();
  await page.watched.close();
});

test("its mode is switched, and the switch shows where it goes", async () => {
  const page = await scene.open({ at: "servers" });
  await logIn(page, scene.gateway);
  const modes = card(page).getByRole("group", { name: "Cache mode of metadata" });
  for (const [name, mode] of [["Bypass", "bypass"], ["Cache", "cache"]]) {
    await modes.getByRole("button", { name }).click();
    await modes.locator('button[aria-pressed="true"]', { hasText: name }).waitFor();
    assert.equal((await scene.gateway.api("cache/stats")).servers[0].mode, mode);
  }
  await page.watched.close();
});

test("an outage of it is said like that of a media server", async () => {
  const page = await scene.open();
  await scene.servers.metadata.fail("down", { path_prefix: "/" });
  await until(isDown, "the gateway notices");
  await page.getByText(/^Down since/).first().waitFor();
  await page.locator("#warnings-badge", { hasText: "1" }).waitFor();
  await scene.servers.metadata.heal();
  await page.getByText(/^Up\.$/).first().waitFor();
  await page.watched.close();
});
