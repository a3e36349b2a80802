// What a warning offers: it says what goes before anything goes, and leads to where a person can do more.

import assert from "node:assert/strict";
import { test } from "node:test";

import { axeFindings, logIn } from "./stage/browser.js";
import { setScene } from "./stage/scene.js";

const MARKUP = "<img src=x onerror=alert(1)>";
const scene = setScene(import.meta.url);
const FULL = {
  id: "disk-nearly-full", server: null, code: "disk-nearly-full", severity: "urgent", text: "Little room is left.", remedy: "Make room.",
  action: { label: "Clear the cache…", method: "POST", path: "cache/clear", body: {}, takes: `About 700 MiB go. ${MARKUP}` },
};

/** A page with these warnings on it: a disk that is full is nothing to make for a test. */
async function warned(warnings, how) {
  const page = await scene.open({ at: "warnings", ...how });
  await logIn(page, scene.gateway);
  await page.evaluate(async (all) => {
    const [{ makeWarnings }, { confirm }, { act }] = await Promise.all(["/warning.js", "/talk.js", "/access.js"].map((path) => import(path)));
    const list = makeWarnings({ confirm, act });
    document.querySelector("#view .body").append(list.element);
    list.show(all);
  }, warnings);
  return page;
}

const isKept = async () =>
  ((await scene.gateway.app("home", "/library/sections")).headers.get("cache-status") ?? "").includes("; hit");

test("what takes something away asks first, and is thought better of", async () => {
  const page = await warned([FULL], { axe: true });
  await isKept();
  assert.ok(await isKept(), "it is kept");
  const button = page.getByRole("button", { name: "Clear the cache…" });
  const dialog = page.getByRole("dialog", { name: "Clear the cache?" });
  await button.click();
  await dialog.getByText("About 700 MiB go.").waitFor();
  assert.equal(await dialog.locator("img").count(), 0, "what it says is text");
  assert.deepEqual(await axeFindings(page), []);
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  assert.ok(await isKept(), "nothing went");
  await button.click();
  await dialog.getByRole("button", { name: "Clear the cache" }).click();
  await page.locator("#notice", { hasText: "Cleared the cache" }).waitFor();
  assert.equal(await isKept(), false, "the next read asks the server");
  await page.watched.close();
});

for (const [code, name, heading] of [
  ["memory-too-small", "Request types", "Statistics"],
  ["disk-nearly-full", "Libraries", "Libraries"],
  ["token-rejected", "Servers", "Servers"],
]) {
  test(`where the program can do nothing, a link leads to where a person can: ${code}`, async () => {
    const page = await warned([{ ...FULL, id: code, code, action: null }]);
    await page.locator("#view .warnings").getByRole("link", { name }).click();
    await page.locator("#view h1", { hasText: heading }).waitFor();
    await page.watched.close();
  });
}
