// A new installation: nothing has asked yet, and each view says what to do next.

import assert from "node:assert/strict";
import { test } from "node:test";

import { VIEWS, goTo, logIn } from "./stage/browser.js";
import { setScene } from "./stage/scene.js";

const scene = setScene(import.meta.url, { withToken: false });

test("it waits for the first app, with the address to copy", async () => {
  const page = await scene.open();
  await page.getByText(/waiting for your first app/i).first().waitFor();
  await page.locator("#view").getByText(scene.gateway.urls.home.replace("http://", ""), { exact: false }).first().waitFor();
  await page.watched.close();
});

test("the address is copied, with the clipboard and without", async () => {
  for (const hasClipboard of [true, false]) {
    const page = await scene.open();
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    const button = page.getByRole("button", { name: "Copy the address for home" }).first();
    await button.waitFor();
    await page.evaluate(async (has) => {
      await navigator.clipboard.writeText("nothing");
      if (!has) Object.defineProperty(navigator, "clipboard", { value: undefined, configurable: true });
    }, hasClipboard);
    await button.click();
    await page.getByRole("button", { name: "Copy the address for home" }).filter({ hasText: "Copied" }).first().waitFor();
    await page.evaluate(() => delete navigator.clipboard);
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(copied, scene.gateway.urls.home);
    await page.watched.close();
  }
});

test("a server without a token says how it gets one", async () => {
  const page = await scene.open({ at: "libraries" });
  await page.getByText("Greenroom has no token for this server").waitFor();
  await page.getByText(/greenroom login/).first().waitFor();
  await goTo(page, "playlists");
  await page.getByText("No music library is known yet").waitFor();
  await page.watched.close();
});

test("who plays and what was played is not known without a token, and it is said how to get one", async () => {
  const page = await scene.open({ at: "activity" });
  await page.getByText("Sessions of home are not known: Greenroom has no token for it.").waitFor();
  await page.getByText("The history of home is not known: Greenroom has no token for it.").waitFor();
  await page.getByText(/greenroom login/).first().waitFor();
  for (const name of ["Refresh", "Sync now"]) {
    await page.getByRole("button", { name }).waitFor({ state: "hidden" });
  }
  await page.getByText("No requests in the last 30 days.").waitFor();
  await page.watched.close();
});

test("a test message without a target shows the lines to add", async () => {
  const page = await scene.open({ at: "settings" });
  await logIn(page, scene.gateway);
  await page.getByRole("button", { name: "Send a test" }).click();
  await page.locator("#notice", { hasText: "No target is configured." }).waitFor();
  await page.getByText("[[notice]]").waitFor();
  await page.getByRole("button", { name: "Copy the lines for the configuration" }).waitFor();
  page.watched.expect(/status of 404/);
  await page.watched.close();
});

test("no view is empty", async () => {
  const page = await scene.open();
  for (const view of VIEWS) {
    await goTo(page, view);
    const text = await page.locator("#view").innerText();
    assert.ok(text.length > 40, `${view || "overview"}: ${text}`);
  }
  await page.watched.close();
});
