// The view "Activity": who plays, what there is, thirty days, and what was played; also while a server is down.

import assert from "node:assert/strict";
import { test } from "node:test";

import { SIZES, axeFindings, goTo, logIn, overflow, picture } from "./stage/browser.js";
import { setScene } from "./stage/scene.js";
import { until } from "./stage/waiting.js";

const MARKUP = "<img src=x onerror=alert(1)>";
const scene = setScene(import.meta.url, {
  servers: { home: {}, attic: { kind: "jellyfin" } },
  prepare: async ({ servers, gateway }) => {
    await until(async () => (await gateway.api("libraries/home:3")).state === "current", "the music is built");
    for (let turn = 0; turn < 3; turn += 1) await gateway.app("home", "/hubs", { product: "Television" });
    await play(servers.home, gateway, "playing");
    await until(async () => (await gateway.api("dashboard")).sessions.active === 1, "a session plays");
    // A sync may be under way.
    await until(async () => (await gateway.api("history")).total > 0, "something was played");
  },
});

/** An app reports what its owner does with an episode, to Greenroom. */
async function play(server, gateway, state) {
  const path = "/library/sections/2/all?type=4&X-Plex-Container-Start=0&X-Plex-Container-Size=1";
  const [episode] = (await server.asOwner(path)).MediaContainer.Metadata;
  const about = { ratingKey: episode.ratingKey, key: episode.key, state, time: 300_000, duration: episode.duration };
  const headers = { "X-Plex-Token": "plx-owner-a", "X-Plex-Client-Identifier": "telly", "X-Plex-Product": "Player", "X-Plex-Device-Name": MARKUP };
  const answer = await fetch(`${gateway.urls.home}/:/timeline?${new URLSearchParams(about)}`, { headers });
  assert.equal(answer.status, 200);
  // What follows the figures would be told a minute later.
  await gateway.api("jobs/dashboard/run", { method: "POST" });
  return episode;
}

/** The view, logged in. */
async function opened(how = {}) {
  const page = await scene.open({ at: "activity", ...how });
  await logIn(page, scene.gateway);
  await page.locator(".playing li, .playing[hidden]").first().waitFor({ state: "attached" });
  await page.watched.settled();
  return page;
}

const rows = (page) => page.getByRole("table", { name: "Playbacks, newest first" }).locator("tbody tr");

test("who plays is shown with what, on what and how far, and with a picture", async () => {
  const page = await opened();
  const [playing] = (await scene.gateway.api("dashboard")).sessions.list;
  const card = page.locator(".playing li");
  assert.equal(await card.count(), 1);
  const text = await card.innerText();
  for (const part of [playing.title, playing.subtitle, playing.user, MARKUP, "home", "playing"]) {
    assert.ok(text.includes(part), `${part}: ${text}`);
  }
  assert.match(text, /\d %/);
  assert.equal(await page.locator("#view img[src='x']").count(), 0, "a player's name is text");
  const image = card.locator("img");
  await until(() => image.evaluate((img) => img.complete && img.naturalWidth > 0), "the picture is there");
  assert.ok(!(await image.getAttribute("src")).includes("plx-owner-a"), "its address holds no token");
  await page.watched.close();
});

for (const scheme of ["light", "dark"]) {
  for (const size of Object.keys(SIZES)) {
    test(`it fits, and axe finds nothing: ${scheme}, ${size}`, async () => {
      const page = await opened({ scheme, size, axe: true });
      await rows(page).first().waitFor();
      assert.equal(await overflow(page), 0);
      assert.deepEqual(await axeFindings(page), []);
      await picture(page, `activity-playing-${scheme}-${size}`);
      await page.watched.close();
    });
  }
}

test("what there is and what apps asked is what the API says", async () => {
  const page = await opened();
  const { libraries, traffic, top_apps: apps } = await scene.gateway.api("dashboard");
  const tile = async (name) => (await page.locator("#view .tiles > div", { hasText: name }).first().locator("dd").first().innerText()).replace(/\D/g, "");
  for (const [name, key] of [["Films", "films"], ["Episodes", "episodes"], ["Tracks", "tracks"]]) {
    assert.equal(await tile(name), String(libraries[key]), name);
  }
  assert.equal(await tile("Requests"), String(traffic.asked));
  assert.equal(await tile("Sent to server"), String(traffic.reached - traffic.own));
  const table = page.getByRole("table", { name: "Top apps by cache hits" });
  await table.getByText("Television").waitFor();
  assert.equal(await table.locator("tbody tr").count(), apps.length);
  const servers = page.getByRole("table", { name: "Library totals, by server" });
  assert.equal(await servers.locator("tbody tr").count(), 2);
  await page.watched.close();
});

test("the watch history is paged, searched, and narrowed to a server and a time", async () => {
  const page = await opened();
  const { total, items } = await scene.gateway.api("history?limit=500");
  await rows(page).first().waitFor();
  const said = page.locator("#view [role='status']");
  const whole = new Intl.NumberFormat("en-US").format(total);
  assert.equal(await said.innerText(), `1 to 25 of ${whole} playbacks`);
  assert.match(await rows(page).first().innerText(), new RegExp(items[0].title.replace(/[^\w ]/g, ".")));
  await page.getByRole("button", { name: "Newer" }).click({ force: true });
  assert.equal(await said.innerText(), `1 to 25 of ${whole} playbacks`, "there is nothing newer");
  await page.getByRole("button", { name: "Older" }).click();
  await until(async () => (await said.innerText()).startsWith("26 to 50"), "the next page");
  await page.getByRole("button", { name: "Newer" }).click();
  await until(async () => (await said.innerText()).startsWith("1 to 25"), "the page before");
  const wanted = items[7];
  await page.getByLabel("Search").fill(wanted.title.toUpperCase());
  const found = await scene.gateway.api(`history?${new URLSearchParams({ search: wanted.title })}`);
  assert.ok(found.total > 0 && found.total < total, `${found.total}`);
  await until(async () => (await said.innerText()).includes(`of ${found.total} `), "only what fits");
  await page.getByLabel("Search").fill("nothing is called so");
  await page.getByText("No matches.").waitFor();
  await page.getByLabel("Search").fill("");
  await page.locator(".filters select").nth(1).selectOption("attic");
  const { total: ofAttic } = await scene.gateway.api("history?server=attic");
  await until(async () => (await said.innerText()).endsWith(`of ${new Intl.NumberFormat("en-US").format(ofAttic)} playbacks`), "only of that server");
  await page.getByLabel("Ended in").selectOption("1");
  await page.getByText("No matches.").waitFor();
  await page.watched.close();
});

test("the pages are turned by keyboard, and the focus stays where it was", async () => {
  const page = await opened();
  await page.getByLabel("Ended in").selectOption("");
  const { total } = await scene.gateway.api("history?limit=1");
  await page.getByLabel("Search").focus();
  // In one piece: letters that come slowly are searched for one after the other.
  await page.keyboard.insertText("the");
  const said = page.locator("#view [role='status']");
  const found = (await scene.gateway.api("history?search=the&limit=1")).total;
  assert.ok(found > 25 && found < total, `${found} of ${total}`);
  const first = `1 to 25 of ${new Intl.NumberFormat("en-US").format(found)} `;
  await until(async () => (await said.innerText()).startsWith(first), "only what fits");
  const older = page.getByRole("button", { name: "Older" });
  await older.focus();
  for (let from = 26; from <= found; from += 25) {
    await page.keyboard.press("Enter");
    await until(async () => (await said.innerText()).startsWith(`${new Intl.NumberFormat("en-US").format(from)} to`), `rows from ${from} on`);
  }
  assert.equal(await older.getAttribute("aria-disabled"), "true", "there is nothing older");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Older");
  await page.watched.close();
});

test("“Sync now” mirrors what was played since, and says what came of it", async () => {
  const page = await opened();
  const before = (await scene.gateway.api("history")).total;
  const [film] = (await scene.servers.home.asOwner("/library/sections/1/all?type=1&X-Plex-Container-Start=0&X-Plex-Container-Size=1")).MediaContainer.Metadata;
  await scene.gateway.app("home", `/:/scrobble?identifier=com.plexapp.plugins.library&key=${film.ratingKey}`);
  await page.getByRole("button", { name: "Sync now" }).click();
  await page.locator("#notice", { hasText: "1 new playback." }).waitFor();
  assert.equal((await scene.gateway.api("history")).total, before + 1);
  await until(async () => (await rows(page).first().innerText()).includes(film.title), "it is shown first");
  await page.watched.close();
});

test("an outage is marked on who plays, and what was said stays with its time", async () => {
  const page = await opened();
  await scene.servers.home.fail("down", { path_prefix: "/" });
  const isDown = async () => {
    await scene.gateway.app("home", `/library/sections?unknown=${Math.random()}`).catch(() => {});
    return Boolean((await scene.gateway.api("cache/stats")).servers.find(({ name }) => name === "home").outage);
  };
  await until(isDown, "the gateway notices");
  await scene.gateway.api("jobs/dashboard/run", { method: "POST" });
  await page.getByText(/home is down: as of \d/).waitFor();
  await page.locator(".playing li", { hasText: "was playing when home went down" }).waitFor();
  await picture(page, "activity-down-light-desk");
  await scene.servers.home.heal();
  const isBack = async () => !(await scene.gateway.api("cache/stats")).servers.some(({ outage }) => outage);
  await until(isBack, "it is back");
  await page.getByRole("button", { name: "Refresh" }).click();
  await page.getByText(/home is down: as/).waitFor({ state: "hidden" });
  assert.equal(await page.getByText("was playing when home went down").count(), 0);
  await page.watched.close();
});

test("“Refresh” does not wait for the minute to be over", async () => {
  const page = await opened();
  await page.locator(".playing li").first().waitFor();
  await play(scene.servers.home, scene.gateway, "stopped");
  await page.getByRole("button", { name: "Refresh" }).click();
  await page.locator("#notice", { hasText: "Refreshing" }).waitFor();
  await page.getByText(/Nothing is playing/).waitFor();
  assert.equal(await page.locator(".playing li").count(), 0);
  await goTo(page, "");
  await page.watched.close();
});
