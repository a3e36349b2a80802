// The view "Folders": covers, search as one types, marks by hand and by keyboard, what changed, and changes as they happen.

import assert from "node:assert/strict";
import { test } from "node:test";

import { SIZES, axeFindings, logIn, overflow, picture } from "./stage/browser.js";
import { Comics } from "./stage/comics.js";
import { setScene } from "./stage/scene.js";
import { until } from "./stage/waiting.js";

const comics = new Comics();
comics.write("Saga", 1, 12);
comics.write("Lazarus", 1, 4);
const scene = setScene(import.meta.url, {
  servers: {},
  folders: `[[folder]]\nname = "comics"\npath = ${JSON.stringify(comics.folder)}\n`,
  prepare: ({ gateway }) =>
    until(async () => {
      const { state, enriched } = await gateway.api("folders/comics");
      return state === "fresh" && enriched.done === 16;
    }, "the comics are read"),
  finish: () => comics.end(),
});

const files = (page) => page.getByRole("list", { name: "Files" }).getByRole("listitem");
const names = (page) => files(page).locator("b").allTextContents();
const marked = async () => (await scene.gateway.api("folders/comics/files?filter=marked&per_page=all")).files.map(({ name }) => name);

test("covers are shown in natural order, and nothing sticks out on a phone", async () => {
  for (const size of Object.keys(SIZES)) {
    const page = await scene.open({ at: "folders", size, axe: true });
    await logIn(page, scene.gateway);
    await until(async () => (await names(page)).length === 16, "all files are shown");
    assert.deepEqual((await names(page)).slice(3, 7), ["Lazarus 4", "Saga 1", "Saga 2", "Saga 3"]);
    await until(async () => page.locator(".cover img").first().evaluate((image) => image.naturalWidth > 0), "a cover is drawn");
    assert.equal(await overflow(page), 0);
    assert.deepEqual(await axeFindings(page), []);
    await picture(page, `folders-light-${size}`);
    await page.watched.close();
  }
});

test("the list follows what is typed and chosen", async () => {
  const page = await scene.open({ at: "folders" });
  await logIn(page, scene.gateway);
  await page.getByRole("searchbox", { name: "Search" }).fill("saga 1");
  await until(async () => (await names(page)).length === 4, "four issues have a 1");
  await page.getByRole("searchbox", { name: "Search" }).fill("");
  await page.getByRole("combobox", { name: "Sort" }).selectOption("series");
  await page.getByRole("combobox", { name: "Direction" }).selectOption("desc");
  await until(async () => (await names(page))[0] === "Saga 12", "the last of the last series is first");
  await page.watched.close();
});

test("marks are set by keyboard and in bulk, and undone", async () => {
  const page = await scene.open({ at: "folders" });
  await logIn(page, scene.gateway);
  const first = files(page).first();
  await first.focus();
  await page.keyboard.press("m");
  await until(async () => (await marked()).length === 1, "one is marked");
  await page.getByRole("searchbox", { name: "Search" }).fill("saga");
  await until(async () => (await names(page)).length === 12, "the list is narrowed");
  await page.getByRole("button", { name: "Set", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Change" }).click();
  await until(async () => (await marked()).length === 13, "all of the series are marked");
  await page.getByRole("button", { name: "Undo" }).click();
  await until(async () => (await marked()).length === 1, "the last change is undone");
  await page.watched.close();
});

test("what changes on the disk is seen at once, and told as a change of the last week", async () => {
  const page = await scene.open({ at: "folders" });
  await logIn(page, scene.gateway);
  await until(async () => (await names(page)).length === 16, "all files are shown");
  comics.write("Paper Girls", 1, 1);
  await page.getByText("Paper Girls 1").first().waitFor();
  comics.rename("Lazarus/Lazarus 4.cbz", "Lazarus/Lazarus 5.cbz");
  comics.remove("Lazarus/Lazarus 3.cbz");
  await until(async () => (await names(page)).length === 16, "one came and one went");
  await until(async () => (await scene.gateway.api("folders/comics/changes")).counts.renamed === 1, "the rename is recorded");
  await page.getByText("Changed since last week").click();
  await page.getByText("Added: 1 · Removed: 1 · Renamed: 1").waitFor();
  await page.getByText("before: Lazarus/Lazarus 4.cbz").waitFor();
  await page.watched.close();
});
