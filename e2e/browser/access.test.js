// Who may look and who may change: logging in and out, wrong tokens, and other machines.

import assert from "node:assert/strict";
import os from "node:os";
import { test } from "node:test";

import { openPage } from "./stage/browser.js";
import { Gateway } from "./stage/gateway.js";
import { setScene } from "./stage/scene.js";

const scene = setScene(import.meta.url);

const logInButton = (page) => page.locator("#session");
const dialog = (page) => page.getByRole("dialog", { name: "Log in" });

test("a person logs in, and out again", async () => {
  const page = await scene.open();
  await logInButton(page).click();
  await page.getByLabel("Control token").fill(scene.gateway.token);
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("button", { name: "Log in", exact: true }).waitFor();
  const { logged_in: isIn } = await page.evaluate(async () => (await fetch("api/v1/session")).json());
  assert.equal(isIn, false);
  await page.watched.close();
});

test("the token stays nowhere in the page", async () => {
  const page = await scene.open();
  await logInButton(page).click();
  await page.getByLabel("Control token").fill(scene.gateway.token);
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Log out" }).waitFor();
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie,
    document.documentElement.outerHTML, [...document.querySelectorAll("input")].map(({ value }) => value)]));
  assert.ok(!kept.includes(scene.gateway.token));
  assert.deepEqual(page.watched.requests.filter((url) => url.includes(scene.gateway.token)), []);
  await page.watched.close();
});

test("a session that has ended asks for the token again", async () => {
  const page = await scene.open({ at: "libraries" });
  await logInButton(page).click();
  await page.getByLabel("Control token").fill(scene.gateway.token);
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Log out" }).waitFor();
  await page.context().clearCookies();
  await page.locator('[data-library="home:1"]').getByRole("button", { name: "Build now: Films" }).click();
  await page.getByRole("button", { name: "Log in", exact: true }).waitFor();
  page.watched.expect(/status of 401/);
  await page.watched.close();
});

test("from another address nothing but the bare page is seen before the log-in", async (t) => {
  const own = Object.values(os.networkInterfaces()).flat().find(({ family, internal }) => family === "IPv4" && !internal);
  if (!own) return t.skip("this machine has no address but its own");
  const gateway = await Gateway.start("access-beyond", scene.servers, { host: "0.0.0.0" });
  const beyond = { control: `http://${own.address}:${gateway.controlPort}`, token: gateway.token };
  try {
    const page = await openPage(scene.browser, beyond);
    await page.getByRole("heading", { name: "Log in" }).waitFor();
    const bodies = await page.evaluate(async () => Promise.all(
      ["summary", "cache/stats", "servers", "libraries", "playlists/runs", "events", "statistics", "decisions", "jobs",
        "warnings", "dashboard", "history"].map(async (path) => (await fetch(`api/v1/${path}`)).status)));
    assert.deepEqual([...new Set(bodies)].filter((status) => status !== 401), [], "each is refused");
    page.watched.expect(/status of 401/);
    await page.getByRole("button", { name: "Log in" }).first().click();
    await page.getByLabel("Control token").fill(beyond.token);
    await page.keyboard.press("Enter");
    await page.locator("#view h1", { hasText: "Overview" }).waitFor();
    await page.watched.close();
  } finally {
    await gateway.stop();
  }
});

test("a wrong token is told, and too many are slowed down", async () => {
  const page = await scene.open();
  await logInButton(page).click();
  const told = [];
  for (let guess = 0; guess < 12; guess += 1) {
    await page.getByLabel("Control token").fill(`wrong ${guess}`);
    const [answer] = await Promise.all([
      page.waitForResponse((response) => response.request().method() === "POST"), page.keyboard.press("Enter"),
    ]);
    told.push(answer.status());
    await page.locator("#login-error").waitFor();
  }
  assert.deepEqual(told.slice(0, 10), Array(10).fill(401));
  assert.deepEqual(told.slice(10), [429, 429]);
  assert.ok((await page.locator("#login-error").textContent()).length > 10);
  assert.ok(await dialog(page).isVisible(), "it may be tried again");
  page.watched.expect(/status of (401|429)/);
  await page.watched.close();
});
