// Every view, by day and by night, on a desk and on a phone: it opens, complains of nothing, fits, and axe finds nothing.

import assert from "node:assert/strict";
import { test } from "node:test";

import { SIZES, VIEWS, axeFindings, goTo, logIn, overflow, picture } from "./stage/browser.js";
import { csvFile, rowsOf, tracksOf } from "./stage/catalogue.js";
import { Comics } from "./stage/comics.js";
import { Redis } from "./stage/redis.js";
import { setScene } from "./stage/scene.js";
import { until } from "./stage/waiting.js";

const MARKUP = "<img src=x onerror=alert(1)>";
const comics = new Comics();
comics.write("Saga", 1, 9);
const redis = await Redis.start();
const scene = setScene(import.meta.url, {
  servers: { home: {}, attic: { kind: "jellyfin" }, metadata: { kind: "http" } },
  folders: `[[folder]]\nname = "comics"\npath = ${JSON.stringify(comics.folder)}\n`,
  store: redis.lines(),
  finish: async () => {
    comics.end();
    await redis.stop();
  },
  prepare: async ({ servers, gateway }) => {
    const token = gateway.cacheToken("worker", "worker");
    await gateway.store(token, "worker", "show/1", "a value");
    await until(async () => (await gateway.api("libraries/home:3")).state === "current", "the music is built");
    // An app by an evil name, and one that asks the same again and again.
    for (const product of [MARKUP, "Television", "Television"]) {
      for (const path of ["/library/sections", "/library/onDeck", "/hubs"]) await gateway.app("home", path, { product });
    }
    const rows = rowsOf(await tracksOf(servers.home, 40));
    rows.push([MARKUP, "Nobody", ""], [`${rows[0][0]} (Live)`, rows[0][1], ""]);
    const { buffer } = csvFile("", rows);
    await fetch(`${gateway.control}/api/v1/playlists/sync?server=home&name=Weekly&dry_run=true`, {
      method: "POST", body: buffer, headers: { Authorization: `Bearer ${gateway.token}` },
    });
  },
});

for (const scheme of ["light", "dark"]) {
  for (const size of Object.keys(SIZES)) {
    test(`every view is well: ${scheme}, ${size}`, async (t) => {
      const page = await scene.open({ scheme, size, axe: true });
      await logIn(page, scene.gateway);
      for (const view of VIEWS) {
        await t.test(view || "overview", async () => {
          await goTo(page, view);
          await page.watched.settled();
          if (view === "playlists") {
            await page.getByRole("button", { name: "Show: Weekly" }).click();
            await page.locator(".rows > li").first().waitFor();
          }
          await picture(page, `${view || "overview"}-${scheme}-${size}`);
          assert.equal(await overflow(page), 0, "nothing sticks out to the side");
          assert.deepEqual(await axeFindings(page), []);
          assert.equal(await page.locator("#view img[src='x']").count(), 0, "markup stays text");
        });
      }
      await page.watched.close();
    });
  }
}

test("the overview fits one screen of a desk, and three of a phone", async () => {
  for (const [size, screens] of [["desk", 1], ["phone", 3]]) {
    const page = await scene.open({ size });
    await page.getByRole("table", { name: "Top apps by cache hits, last 24 hours" }).locator("tbody tr").first().waitFor();
    await page.watched.settled();
    const height = await page.evaluate(() => document.documentElement.scrollHeight);
    assert.ok(height <= screens * SIZES[size].height, `${size}: ${height} px`);
    const cut = await page.locator(".top-apps .scroll").evaluate((box) => box.scrollWidth - box.clientWidth);
    assert.equal(cut, 0, `${size}: no column is cut off`);
    for (const name of ["Hit rate", "Requests", "Served from cache", "Sent to server", "Net saved", "Time saved"]) {
      await page.locator(".tiles dt", { hasText: name }).first().waitFor();
    }
    await page.watched.close();
  }
});

for (const scheme of ["light", "dark"]) {
  test(`every dialog is well: ${scheme}`, async () => {
    const page = await scene.open({ scheme, size: "phone", axe: true });
    await page.locator("#session").click();
    await page.getByRole("dialog", { name: "Log in" }).waitFor();
    assert.deepEqual(await axeFindings(page), []);
    await picture(page, `dialog-login-${scheme}-phone`);
    await page.keyboard.press("Escape");
    await logIn(page, scene.gateway);
    await goTo(page, "libraries");
    await page.getByRole("button", { name: "Turn off: Music" }).first().click();
    await page.getByRole("dialog", { name: "Turn Music off?" }).waitFor();
    assert.deepEqual(await axeFindings(page), []);
    await page.keyboard.press("Escape");
    assert.equal((await scene.gateway.api("libraries/home:3")).enabled, true, "it was thought better of");
    await goTo(page, "settings");
    await page.getByRole("button", { name: /sections/ }).first().click();
    await page.locator("dialog.editor").waitFor();
    await page.watched.settled();
    assert.deepEqual(await axeFindings(page), []);
    await picture(page, `dialog-lifetimes-${scheme}-phone`);
    await page.watched.close();
  });
}

test("every view works under the strict policy", async () => {
  const page = await scene.open();
  await logIn(page, scene.gateway);
  for (const view of VIEWS) {
    await goTo(page, view);
    assert.match(await page.title(), /Greenroom/);
  }
  await page.watched.close();
});

test("a view whose answers do not come is shown all the same, and says so", async () => {
  const page = await scene.open();
  let answer = () => {};
  await page.route("**/api/v1/cache/policies", (route) => new Promise((resolve) => (answer = () => resolve(route.continue()))));
  await goTo(page, "settings");
  await page.getByText("Loading…").waitFor();
  await page.getByRole("heading", { name: "Notifications" }).waitFor();
  answer();
  await page.getByRole("table", { name: "TTL policies" }).waitFor();
  await page.watched.close();
});

test("times say in which zone they are", async () => {
  const page = await scene.open();
  const zone = await page.evaluate(() => Intl.DateTimeFormat().resolvedOptions().timeZone);
  await page.getByText(`Times are in this browser's zone: ${zone}.`).waitFor();
  await page.watched.close();
});

test("the menu leads to every view with the keyboard, and the focus goes along", async () => {
  const page = await scene.open();
  await page.locator("#view h1").waitFor();
  await page.keyboard.press("Tab");
  assert.match(await page.evaluate(() => document.activeElement.textContent), /Skip/);
  for (const view of VIEWS.slice(1)) {
    const link = page.locator(`nav a[data-view="${view}"]`);
    await link.focus();
    await page.keyboard.press("Enter");
    const name = (await link.textContent()).trim().split(/\s/)[0];
    await page.locator("#view h1", { hasText: name }).waitFor();
    await until(() => page.evaluate(() => document.activeElement.tagName === "H1"), "the heading has the focus");
  }
  await page.watched.close();
});

test("an app's name that holds markup is text", async () => {
  const page = await scene.open();
  await page.locator("#view").getByText(/img src/).first().waitFor();
  assert.equal(await page.locator("#view img[src='x']").count(), 0);
  await page.watched.close();
});
