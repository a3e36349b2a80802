// A comic app's page over our paths, with a stand-in for its backend. `GREENROOM_COMIC_PAGE` names the file of the app's own
// page, which is served as it is; without it a page of ours asks for the same.

import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";

import { ComicBackend } from "./stage/comic_backend.js";
import { Comics } from "./stage/comics.js";
import { printed } from "./stage/program.js";
import { setScene } from "./stage/scene.js";
import { PATIENCE_MS, until } from "./stage/waiting.js";

const OURS = path.join(import.meta.dirname, "stage/comic_page.html");

const comics = new Comics();
comics.write("Saga", 1, 12);
comics.write("Lazarus", 1, 4);
const markers = fs.mkdtempSync(path.join(os.tmpdir(), "greenroom-markers-"));
const backend = new ComicBackend({ page: process.env.GREENROOM_COMIC_PAGE ?? OURS, root: comics.folder, markers });
const scene = setScene(import.meta.url, {
  servers: {},
  folders: `[[folder]]\nname = "comics"\npath = ${JSON.stringify(comics.folder)}\ncompat = true\nmarker_dir = ${JSON.stringify(markers)}\n`,
  prepare: async ({ gateway }) => {
    const dataDir = path.join(gateway.directory, "data");
    const token = printed("token", "add", "comic-page", "--folders", "comics", "--read-only", "--data-dir", dataDir);
    await backend.start(gateway, token.split("\n").at(-1).trim());
  },
  finish: async () => {
    await backend.stop();
    comics.end();
    fs.rmSync(markers, { recursive: true, force: true });
  },
});

const files = (page) => page.locator("#fileList .file-item");
/** What is shown of each file: its badges and its name. */
const lines = async (page) => (await files(page).locator(".file-name").allTextContents()).map((line) => line.replace(/\s+/g, " ").trim());
const refresh = (page) => page.evaluate(() => window.refreshFiles());

async function choose(page, kind, word) {
  await page.locator(`#header${kind}Toggle`).click();
  await page.locator(`#header${kind}Menu [data-${kind.toLowerCase()}="${word}"]`).click();
}

/** The page in a browser; fails if it broke. */
async function open(t) {
  const context = await scene.browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("dialog", (dialog) => dialog.accept());
  const broken = [];
  page.on("pageerror", (error) => broken.push(String(error)));
  t.after(async () => {
    await context.close();
    assert.deepEqual(broken, []);
  });
  await page.goto(backend.url);
  await until(async () => (await lines(page)).length === 16, "all files are listed");
  return page;
}

test("the app's page lists, searches and sorts what the gateway knows", async (t) => {
  const page = await open(t);
  assert.ok((await lines(page)).every((line) => line.startsWith("⚠️")), "nothing is marked");
  await page.locator("#headerSearchInput").fill("saga 1");
  await until(async () => (await lines(page)).length === 4, "four issues have a 1");
  await page.locator("#headerSearchInput").fill("");
  await until(async () => (await lines(page)).length === 16, "the search is over");
  const later = new Date(Date.now() + 3_600_000);
  fs.utimesSync(path.join(comics.folder, "Saga/Saga 7.cbz"), later, later);
  const byDate = async () => JSON.parse(await (await fetch(`${backend.url}/api/files?sort=date&per_page=100`)).text());
  await until(async () => (await byDate()).files.at(-1).name === "Saga 7.cbz", "the change is seen");
  await choose(page, "Sort", "date");
  await until(async () => (await lines(page)).at(-1).endsWith("Saga 7.cbz"), "the newest is last");
  assert.ok(backend.asked.some((asked) => asked.includes("sort=date")));
});

test("what the app's backend marks is marked on its page at once, can be filtered, and is unmarked again", async (t) => {
  const page = await open(t);
  const saga3 = files(page).filter({ hasText: "Saga 3.cbz" });
  await saga3.locator("input[type=checkbox]").check();
  await page.locator("#processSelectedBtn").click();
  await until(async () => (await lines(page)).some((line) => line === "✅ Saga 3.cbz"), "it is marked");
  assert.equal((await lines(page)).length, 16, "the list is never empty");
  await page.reload();
  await until(async () => (await lines(page)).length === 16, "all files are listed");
  await choose(page, "Filter", "marked");
  await until(async () => (await lines(page)).join() === "✅ Saga 3.cbz", "one is marked");
  backend.mark(["Saga/Saga 3.cbz"], false);
  await choose(page, "Filter", "unmarked");
  await until(async () => {
    await refresh(page);
    return (await lines(page)).length === 16;
  }, "none is marked");
});

test("a file that is renamed on the disk has its new name and its mark on the page that is open", async (t) => {
  const page = await open(t);
  backend.mark(["Lazarus/Lazarus 2.cbz"], true);
  comics.rename("Lazarus/Lazarus 2.cbz", "Lazarus/Lazarus Two.cbz");
  await until(async () => {
    await refresh(page);
    return (await lines(page)).includes("✅ Lazarus Two.cbz");
  }, "the new name is listed with its mark");
  assert.equal((await lines(page)).length, 16);
});
