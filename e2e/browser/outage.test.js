// What the page shows while a server is down, while Greenroom itself is gone, and when they are back.

import assert from "node:assert/strict";
import { test } from "node:test";

import { goTo } from "./stage/browser.js";
import { setScene } from "./stage/scene.js";
import { until } from "./stage/waiting.js";

const scene = setScene(import.meta.url);

/** Whether the gateway takes its server for down. */
const isDown = async () => {
  // A question that is not kept makes it notice.
  await scene.gateway.app("home", `/library/sections?unknown=${Math.random()}`).catch(() => {});
  const { servers } = await scene.gateway.api("cache/stats");
  return servers[0].outage !== null && servers[0].outage !== undefined && servers[0].breaker !== "closed";
};

test("an outage is shown on every page that looks, and that it is over", async () => {
  const overview = await scene.open();
  const servers = await scene.open({ at: "servers" });
  await scene.gateway.app("home", "/library/sections");
  for (const page of [overview, servers]) await page.getByText(/^Up\.$/).first().waitFor();
  await scene.servers.home.fail("down", { path_prefix: "/" });
  await until(isDown, "the gateway notices");
  for (const page of [overview, servers]) await page.getByText(/^Down since/).first().waitFor();
  const { warnings } = await scene.gateway.api("cache/stats");
  assert.deepEqual([warnings[0].code, warnings[0].severity], ["server-down", "urgent"], "an outage comes first");
  await overview.locator("#warnings-badge", { hasText: "1" }).waitFor();
  await scene.servers.home.heal();
  for (const page of [overview, servers]) {
    await page.getByText(/^Up\.$/).first().waitFor();
    assert.equal(await page.getByText(/^Down since/).count(), 0);
    await page.watched.close();
  }
});

test("while Greenroom is gone the page says so and keeps what it shows; then it goes on by itself", async () => {
  const page = await scene.open();
  await page.getByText(/^Live/).first().waitFor();
  const heading = await page.locator("#view h1").textContent();
  await scene.gateway.program.kill();
  await page.locator("#pulse", { hasText: "No connection" }).waitFor();
  assert.equal(await page.locator("#view h1").textContent(), heading);
  await scene.gateway.begin();
  await page.locator('#pulse[data-state="live"]').waitFor();
  page.watched.expect(/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/);
  await goTo(page, "libraries");
  await page.watched.close();
});

test("after a restart of Greenroom new requests are shown above those of before", async () => {
  const page = await scene.open({ at: "log" });
  for (let turn = 0; turn < 3; turn += 1) await scene.gateway.app("home", "/library/sections");
  await page.locator(".decisions li").nth(2).waitFor();
  const before = await page.locator(".decisions li").count();
  await scene.gateway.program.kill();
  await page.locator("#pulse", { hasText: "No connection" }).waitFor();
  await scene.gateway.begin();
  await page.locator('#pulse[data-state="live"]').waitFor();
  await scene.gateway.app("home", `/hubs?after=${Math.random()}`);
  await page.locator(".decisions li", { hasText: "hubs" }).first().waitFor();
  assert.match(await page.locator(".decisions li").first().textContent(), /hubs/);
  assert.ok((await page.locator(".decisions li").count()) > before);
  page.watched.expect(/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/);
  await page.watched.close();
});
