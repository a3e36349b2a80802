// The view "Caches": what apps have stored, how full and how useful their caches are, and removing one.

import assert from "node:assert/strict";
import { test } from "node:test";

import { SIZES, axeFindings, goTo, logIn, overflow, picture } from "./stage/browser.js";
import { setScene } from "./stage/scene.js";
import { until } from "./stage/waiting.js";

const scene = setScene(import.meta.url, { servers: { home: { films: 5, shows: 1, tracks: 10 } } });
const MANY = 510;

/** Stores a value as an app does. */
async function store(cache, key, value = "v", query = "") {
  const url = `${scene.gateway.control}/api/v1/caches/${cache}/entries/${encodeURIComponent(key)}${query}`;
  const headers = { Authorization: `Bearer ${scene.gateway.token}` };
  const response = await fetch(url, { method: "PUT", headers, body: value });
  assert.ok(response.ok, `${cache}/${key}: ${response.status}`);
}

/** Looks a value up as an app does. */
async function look(cache, key) {
  const url = `${scene.gateway.control}/api/v1/caches/${cache}/entries/${encodeURIComponent(key)}`;
  return (await fetch(url, { headers: { Authorization: `Bearer ${scene.gateway.token}` } })).status;
}

const names = async () => (await scene.gateway.api("caches")).caches.map(({ name }) => name);
const row = (page, cache) => page.getByRole("table", { name: "Caches for apps" }).getByRole("row").filter({ hasText: cache });
/** The figures of a row by the names of their columns. */
const figures = (page, cache) =>
  row(page, cache).evaluate((line) => Object.fromEntries([...line.querySelectorAll("td")].map((cell) => [cell.dataset.name, cell.textContent.trim()])));

/** The view, logged in. */
async function opened(how = {}) {
  const page = await scene.open({ at: "caches", ...how });
  await logIn(page, scene.gateway);
  await page.watched.settled();
  return page;
}

test("without a cache the view says how an app gets one", async () => {
  const page = await opened();
  await page.getByText("No app has a cache yet.").waitFor();
  await page.getByText("greenroom token add NAME --caches CACHE").waitFor();
  assert.equal(await page.getByRole("table").count(), 0);
  await page.watched.close();
});

test("entries, hits, stale answers and misses of a cache are shown, and follow what its apps do", async () => {
  await store("worker", "show/1", "x".repeat(3000));
  await store("worker", "show/2", "y", "?ttl_ms=0&stale_ms=3600000");
  assert.deepEqual([await look("worker", "show/1"), await look("worker", "show/2"), await look("worker", "none")], [200, 200, 404]);
  const page = await opened();
  const told = await figures(page, "worker");
  assert.deepEqual([told.Entries, told.Hits, told.Stale, told.Misses, told.Stored, told.Evicted, told.Failed], ["2", "1", "1", "1", "2", "0", "0"]);
  assert.match(told.Full, /3\.[12] KiB of 256 MiB/);
  await page.getByText(/1 cache for apps, 3\.[12] KiB/).waitFor();
  await store("worker", "show/3");
  await store("kodi", "menu");
  await until(async () => (await figures(page, "worker")).Entries === "3", "the view follows");
  await page.getByText(/^2 caches for apps/).waitFor();
  await page.watched.close();
});

for (const scheme of ["light", "dark"]) {
  for (const size of Object.keys(SIZES)) {
    test(`the view is well: ${scheme}, ${size}`, async () => {
      const page = await opened({ scheme, size, axe: true });
      await row(page, "worker").waitFor();
      await picture(page, `caches-${scheme}-${size}`);
      assert.equal(await overflow(page), 0, "nothing sticks out to the side");
      assert.deepEqual(await axeFindings(page), []);
      await page.watched.close();
    });
  }
}

test("a cache is removed once that is confirmed, and not before", async () => {
  const page = await opened();
  const remove = page.getByRole("button", { name: "Remove: worker" });
  await remove.focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Remove the cache worker?" });
  await dialog.waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  assert.deepEqual(await names(), ["kodi", "worker"], "it was thought better of");
  await remove.click();
  await dialog.getByRole("button", { name: "Remove", exact: true }).click();
  await page.getByText("3 entries removed").waitFor();
  await row(page, "worker").waitFor({ state: "detached" });
  assert.deepEqual(await names(), ["kodi"]);
  assert.equal(await look("worker", "show/1"), 404);
  await page.watched.close();
});

test("an answer that does not come is said so, and nothing else; then the view goes on", async () => {
  const page = await scene.open({ at: "activity" });
  let isRefused = true;
  await page.route("**/api/v1/caches", (route) =>
    isRefused ? route.fulfill({ status: 503, json: { title: "No", detail: "The store is away.", code: "store-unavailable" } }) : route.continue());
  await goTo(page, "caches");
  await page.getByText("This cannot be shown.").waitFor();
  assert.equal(await page.getByText("No app has a cache yet.").isVisible(), false, "that is not known");
  isRefused = false;
  await row(page, "kodi").waitFor();
  await page.getByText("This cannot be shown.").waitFor({ state: "detached" });
  page.watched.expect(/status of 503/);
  await page.watched.close();
});

test("of very many caches the first five hundred are shown, and that is said", async () => {
  const numbers = [...Array(MANY).keys()].map((number) => `many-${String(number).padStart(4, "0")}`);
  const { token } = scene.gateway;
  for (const name of numbers) {
    const url = `${scene.gateway.control}/api/v1/caches/${name}/entries/k?defer=1`;
    assert.ok((await fetch(url, { method: "PUT", headers: { Authorization: `Bearer ${token}` }, body: "v" })).ok, name);
  }
  const page = await opened();
  await page.getByText("511 caches for apps").waitFor();
  await page.getByText("the first 500 caches are shown").waitFor();
  assert.equal(await page.getByRole("table", { name: "Caches for apps" }).getByRole("row").count(), 501, "with the heads of the columns");
  await page.watched.close();
});
