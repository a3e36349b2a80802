// What the buttons of the other views do: each effect is looked up at the API.

import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";

import { logIn } from "./stage/browser.js";
import { freePort } from "./stage/program.js";
import { setScene } from "./stage/scene.js";
import { until } from "./stage/waiting.js";

// A target of notifications.
const noticed = [];
const listener = http.createServer((request, response) => {
  let body = "";
  request.on("data", (part) => (body += part));
  request.on("end", () => {
    noticed.push(body);
    response.end();
  });
});
const port = await freePort();
const scene = setScene(import.meta.url, {
  notices: `[[notice]]\nname = "desk"\nurl = "http://127.0.0.1:${port}/told"\ntemplate = "json"\n`,
  prepare: async ({ gateway }) => {
    await new Promise((resolve) => listener.listen(port, "127.0.0.1", resolve));
    await until(async () => (await gateway.api("libraries/home:3")).state === "current", "the music is built");
    for (let turn = 0; turn < 3; turn += 1) await gateway.app("home", "/library/sections", { product: "Television" });
  },
  finish: () => listener.close(),
});

/** A view, logged in. */
async function opened(at) {
  const page = await scene.open({ at });
  await logIn(page, scene.gateway);
  await page.watched.settled();
  return page;
}

const press = (page, name) => page.getByRole("button", { name, exact: true }).first().click();
const server = async () => (await scene.gateway.api("cache/stats")).servers[0];
/** Whether an app's read comes from the cache. */
const isKept = async () =>
  ((await scene.gateway.app("home", "/library/sections", { product: "Television" })).headers.get("cache-status") ?? "").includes("; hit");

test("reads are observed, bypassed, and answered from the cache again", async () => {
  const page = await opened("servers");
  for (const [name, mode] of [["Observe", "observe"], ["Bypass", "bypass"], ["Cache", "cache"]]) {
    await press(page, name);
    await until(async () => (await server()).mode === mode, `the mode is ${mode}`);
    await page.locator('.switch [aria-pressed="true"]', { hasText: name }).waitFor();
  }
  await page.watched.close();
});

test("a mode is pending until it is confirmed, and no longer if it is refused", async () => {
  const page = await opened("servers");
  let refuse = () => {};
  const isAsked = new Promise((asked) => page.route("**/api/v1/mode", (route) => {
    refuse = () => route.fulfill({ status: 507, json: { title: "The change cannot be saved" } });
    asked();
  }));
  await press(page, "Observe");
  await isAsked;
  await page.locator(".switch [data-pending]", { hasText: "Observe" }).waitFor();
  await page.getByText("Switching to Observe…").waitFor();
  await refuse();
  await page.locator(".switch [data-pending]").waitFor({ state: "detached" });
  await page.locator('.switch [aria-pressed="true"]', { hasText: "Cache" }).waitFor();
  page.watched.expect(/status of 507/);
  await page.watched.close();
});

test("what is bypassed in part is no longer", async () => {
  await scene.gateway.api("bypass", { method: "PUT", body: { app: "Television" } });
  const page = await opened("servers");
  await page.getByRole("button", { name: /^End/ }).click();
  await until(async () => (await scene.gateway.api("bypass")).bypasses.length === 0, "nothing is bypassed");
  await page.getByRole("button", { name: /^End/ }).waitFor({ state: "detached" });
  await page.watched.close();
});

test("the cache is warmed, invalidated, and cleared; the counters go on", async () => {
  const page = await opened("settings");
  await isKept();
  assert.ok(await isKept(), "it is kept");
  await press(page, "Warm");
  await page.locator("#notice").waitFor();
  await press(page, "Invalidate");
  await page.locator("#notice", { hasText: "Invalidated" }).waitFor();
  await scene.servers.home.forget();
  await isKept();
  await until(async () => (await scene.servers.home.reached()).length > 0, "the server is asked again");
  await until(isKept, "it is kept again");
  await press(page, "Clear…");
  await page.getByRole("dialog").getByRole("button", { name: "Clear", exact: true }).click();
  await page.locator("#notice", { hasText: "Cleared" }).waitFor();
  assert.ok((await scene.gateway.api("cache/stats")).totals.asked > 0, "the counters go on");
  assert.equal(await isKept(), false, "the next read asks the server");
  await page.watched.close();
});

test("a TTL policy is changed, and reset", async () => {
  const policy = async () => (await scene.gateway.api("cache/policies")).items.find((one) => one.class === "sections");
  const before = await policy();
  const page = await opened("settings");
  await page.getByRole("button", { name: /sections/ }).click();
  const editor = page.locator("dialog.editor");
  await editor.getByLabel("Fresh, seconds").fill("17");
  await editor.getByRole("button", { name: "Save" }).click();
  await until(async () => (await policy()).fresh_s === 17, "the API tells the new lifetime");
  assert.equal((await policy()).changed, true);
  await page.getByText("17 s *").first().waitFor();
  await page.getByRole("button", { name: /sections/ }).click();
  await editor.getByRole("button", { name: "Reset to default" }).click();
  await until(async () => (await policy()).changed === false, "it is what it was");
  assert.equal((await policy()).fresh_s, before.fresh_s);
  await page.watched.close();
});

test("what another lifetime would have saved is told beside the lifetimes, and taken by a button", async () => {
  const policy = async () => (await scene.gateway.api("cache/policies")).items.find((one) => one.class === "hubs");
  const page = await opened("settings");
  const option = { fresh_s: 90, reached: 3, saved_share: 0.31, added_age_s: 4, text: "hubs 60 → 90 s would save 31 % at +4 s age" };
  let options = [{ ...option, saved_share: 0 }];
  await page.route("**/api/v1/statistics/what-if?*", (route) => route.fulfill({ json: { options, window: "fresh_s" } }));
  await page.getByRole("button", { name: /hubs/ }).click();
  const editor = page.locator("dialog.editor");
  await editor.getByText("No other value would have saved or cost a request.").waitFor();
  await editor.getByRole("button", { name: "Cancel" }).click();
  options = [option];
  await page.getByRole("button", { name: /hubs/ }).click();
  await editor.getByText("would save 31 % at +4 s age.").waitFor();
  await editor.getByRole("button", { name: "Use 90 s" }).click();
  await until(async () => (await policy()).fresh_s === 90, "the API tells the new lifetime");
  await scene.gateway.api("cache/policies", { method: "DELETE", body: { server: "home", class: "hubs" } });
  await page.watched.close();
});

test("a job is run, and one that runs is cancelled", async () => {
  const job = async (id) => (await scene.gateway.api("jobs")).jobs.find((one) => one.id === id);
  const page = await opened("jobs");
  const { id, title } = (await scene.gateway.api("jobs")).jobs.find((one) => one.state === "idle" && one.id === "library:home:1")
    ?? (await scene.gateway.api("jobs")).jobs.find((one) => one.state === "idle");
  const started = (await job(id)).last?.started_ms ?? 0;
  await scene.servers.home.fail("hang");
  await page.getByRole("button", { name: `Run now: ${title}` }).first().click();
  const cancel = page.getByRole("button", { name: `Cancel: ${title}` });
  await cancel.first().click();
  await until(async () => {
    const { state, last } = await job(id);
    return state === "idle" && last?.outcome === "cancelled" && last.started_ms > started;
  }, "it was cancelled");
  await scene.servers.home.heal();
  await page.getByRole("button", { name: `Run now: ${title}` }).first().click();
  await until(async () => (await job(id)).last?.outcome === "done", "it ran to its end");
  await page.watched.close();
});

test("spot checks are turned off and on", async () => {
  const enabled = async () => (await scene.gateway.api("statistics/spot-checks")).enabled;
  const page = await opened("statistics");
  assert.equal(await enabled(), true);
  await press(page, "Turn off");
  await until(async () => !(await enabled()), "they are off");
  await press(page, "Turn on");
  await until(enabled, "they are on");
  await page.watched.close();
});

test("statistics are told by app, class, server and user", async () => {
  const page = await opened("statistics");
  for (const [name, row] of [["App", "Television"], ["Request type", "sections"], ["Server", "home"]]) {
    await press(page, name);
    await page.locator("tbody th", { hasText: row }).first().waitFor();
  }
  await press(page, "User");
  await page.locator("tbody th").first().waitFor();
  await page.watched.close();
});

test("requests are shown as they come, held, and filtered", async () => {
  const page = await opened("log");
  const lines = page.locator(".decisions > li");
  await scene.gateway.app("home", "/library/sections", { product: "Wristwatch" });
  await lines.filter({ hasText: "Wristwatch" }).first().waitFor();
  await press(page, "Pause");
  await scene.gateway.app("home", "/library/sections", { product: "Projector" });
  const goOn = page.getByRole("button", { name: /^Resume, \d+ newer$/ });
  await goOn.waitFor();
  assert.equal(await lines.filter({ hasText: "Projector" }).count(), 0);
  await goOn.click();
  await lines.filter({ hasText: "Projector" }).first().waitFor();
  await page.locator("label", { hasText: /^App/ }).locator("select").selectOption("Projector");
  await lines.filter({ hasText: "Wristwatch" }).first().waitFor({ state: "detached" });
  assert.ok(!(await page.locator("#view").innerText()).includes("plx-owner-a"), "no token is shown");
  await page.watched.close();
});

test("a warning's button does what it says", async () => {
  await scene.gateway.api("libraries/home:3", { method: "PUT", body: { enabled: false } });
  await scene.gateway.api("playlists/sync", {
    method: "POST", body: { server: "home", name: "Lost", source: [{ title: "A", artist: "B" }] },
  }).catch(() => {});
  const page = await opened("warnings");
  await page.locator("#view .warnings").getByRole("button").first().click();
  await until(async () => (await scene.gateway.api("libraries/home:3")).enabled, "the library is on again");
  await page.watched.close();
});

test("a notice is sent to see whether it arrives", async () => {
  const page = await opened("settings");
  const byName = page.getByLabel("Name of the target");
  if (await byName.isVisible()) await byName.fill("desk");
  await page.getByRole("button", { name: /^Send a test/ }).first().click();
  await until(() => noticed.length > 0, "it arrives");
  await page.watched.close();
});
