// The view "Playlists": a file is dropped, looked up, decided about, written and read back.

import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";

import { logIn } from "./stage/browser.js";
import { csvFile, playlistOf, rowsOf, tracksOf } from "./stage/catalogue.js";
import { computedMs } from "./stage/computed.js";
import { setScene } from "./stage/scene.js";
import { until } from "./stage/waiting.js";

const MARKUP = "<img src=x onerror=alert(1)>";
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "greenroom-standing-"));
const standing = path.join(folder, "weekly.csv");
fs.writeFileSync(standing, "title,artist\r\nNobody Knows This,Nobody\r\n");
let tracks = [];
const scene = setScene(import.meta.url, {
  servers: { home: { tracks: 3000 } },
  accounts: { home: { kim: "plx-kim" } },
  playlists: `[playlist.weekly]\nserver = "home"\nfile = "${standing}"\n`,
  prepare: async ({ servers, gateway }) => {
    tracks = await tracksOf(servers.home, 400);
    await until(async () => (await gateway.api("libraries/home:3")).state === "current", "the music is built");
  },
});

/** The view, logged in. */
async function opened() {
  const page = await scene.open({ at: "playlists" });
  await logIn(page, scene.gateway);
  return page;
}

const choose = (page, file) => page.locator("input[type=file]").setInputFiles(file);
const lookUp = (page) => page.getByRole("button", { name: "Preview", exact: true }).click();
const report = (page, heading) => page.locator(".report").filter({ has: page.getByRole("heading", { name: heading, exact: true }) });
const row = (page, line) => page.locator(`.rows [data-line="${line}"]`);

/** Presses "Import", and confirms it. */
async function write(page) {
  await page.locator(".report").getByRole("button", { name: "Import", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Import", exact: true }).click();
}

test("a file is looked up without writing, then written and read back", async () => {
  const page = await opened();
  const chosen = tracks.slice(0, 30);
  await choose(page, csvFile("Road.csv", [...rowsOf(chosen), ["Nowhere To Be Found", "Nobody", ""]]));
  await lookUp(page);
  await report(page, "Preview: Road").getByText("30 of 31 rows are in the library (96.7 %). 1 not found.").waitFor();
  assert.equal(await playlistOf(scene.servers.home, "Road"), null, "nothing was written");
  await row(page, 32).getByText("Not found").waitFor();
  await write(page);
  await report(page, "Imported: Road").waitFor();
  assert.deepEqual(await playlistOf(scene.servers.home, "Road"), chosen.map(({ title }) => title));
  const [saved] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "as CSV" }).click()]);
  assert.match(fs.readFileSync(await saved.path(), "utf8"), /Nowhere To Be Found/);
  const [jspf] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "as JSPF" }).click()]);
  assert.equal(JSON.parse(fs.readFileSync(await jspf.path(), "utf8")).playlist.track[0].title, "Nowhere To Be Found");
  await page.watched.close();
});

test("a row that is not certain is decided by hand, and that can be undone", async () => {
  const page = await opened();
  const track = tracks[40];
  await choose(page, csvFile("Concert.csv", [[`${track.title} (Live)`, track.grandparentTitle, ""], ...rowsOf(tracks.slice(41, 44))]));
  await lookUp(page);
  const doubtful = row(page, 2);
  await doubtful.getByText("Review").waitFor();
  const take = doubtful.getByRole("button", { name: `Accept: ${track.title} by` }).first();
  await take.click();
  await doubtful.getByText("Accepted").waitFor();
  const pins = async () => (await scene.gateway.api("match/pins")).decisions;
  assert.equal((await pins()).filter(({ kind }) => kind === "pin").length, 1);
  await doubtful.getByRole("button", { name: "Undo: the decision about line 2" }).click();
  await doubtful.getByText("Review").waitFor();
  assert.deepEqual((await pins()).filter(({ kind }) => kind === "pin"), []);
  await take.click();
  await page.getByText("1 decision saved.").waitFor();
  await page.locator(".report").getByRole("button", { name: "Preview again" }).click();
  await page.locator(".verdict").getByText("4 of 4 rows are in the library (100 %).").waitFor();
  await row(page, 2).getByText("pinned by a person").waitFor();
  await page.watched.close();
});

test("all rows of one kind are accepted at once, and that is undone", async () => {
  const page = await opened();
  const live = tracks.slice(300, 306).map((track) => [`${track.title} (Live)`, track.grandparentTitle, ""]);
  await choose(page, csvFile("Festival.csv", [...live, ...rowsOf(tracks.slice(310, 312))]));
  await lookUp(page);
  const pins = async () => (await scene.gateway.api("match/pins")).decisions.filter(({ kind }) => kind === "pin").length;
  const before = await pins();
  await page.locator(".bulk").getByText("studio version, not live").first().waitFor();
  await page.getByRole("button", { name: /^Accept all \d+: studio version, not live/ }).first().click();
  await page.getByRole("button", { name: /^Undo: \d+ rows accepted together/ }).waitFor();
  const accepted = (await pins()) - before;
  assert.ok(accepted > 1 && accepted <= live.length, `${accepted}`);
  await row(page, 2).getByText("Accepted").waitFor();
  await page.getByRole("button", { name: /^Undo: \d+ rows accepted together/ }).click();
  await until(async () => (await pins()) === before, "none is left");
  await row(page, 2).getByText("Review", { exact: true }).waitFor();
  await page.watched.close();
});

test("what a row never is, it never is", async () => {
  const page = await opened();
  const track = tracks[50];
  await choose(page, csvFile("Never.csv", [[`${track.title} (Live)`, track.grandparentTitle, ""]]));
  await lookUp(page);
  await row(page, 2).getByRole("button", { name: `Reject: ${track.title} by` }).first().click();
  await row(page, 2).getByText("Rejected").waitFor();
  const { decisions } = await scene.gateway.api("match/pins?kind=rejection");
  assert.equal(decisions.length, 1);
  await row(page, 2).getByRole("button", { name: /^Undo/ }).click();
  await row(page, 2).getByRole("button", { name: `Reject: ${track.title} by` }).first().waitFor();
  await page.watched.close();
});

test("a missing row is found under another name", async () => {
  const page = await opened();
  const track = tracks[60];
  await choose(page, csvFile("Other.csv", [["Quite Another Name", "Nobody At All", ""]]));
  await lookUp(page);
  await row(page, 2).getByText("Search by another name").click();
  await row(page, 2).getByLabel("Title to search for instead, line 2").fill(track.title);
  await row(page, 2).getByLabel("Artist to search for instead, line 2").fill(track.grandparentTitle);
  await row(page, 2).getByRole("button", { name: "Search", exact: true }).click();
  await row(page, 2).getByRole("button", { name: `Accept: ${track.title} by` }).first().click();
  await row(page, 2).getByText("Accepted").waitFor();
  await page.locator(".report").getByRole("button", { name: "Preview again" }).click();
  await page.locator(".verdict").getByText("1 of 1 row is in the library (100 %).").waitFor();
  await page.watched.close();
});

test("titles that hold markup are shown as text", async () => {
  const page = await opened();
  await choose(page, csvFile(`${MARKUP}.csv`, [[MARKUP, "<script>alert(1)</script>", "<b>Bold</b>"]]));
  await page.getByRole("textbox", { name: "Name" }).fill(MARKUP);
  await lookUp(page);
  await report(page, `Preview: ${MARKUP}`).waitFor();
  await row(page, 2).getByText(MARKUP, { exact: true }).waitFor();
  await page.locator(".entries").getByText(MARKUP, { exact: true }).first().waitFor();
  assert.equal(await page.locator("#view img, #view script").count(), 0);
  await page.watched.close();
});

test("a file that is no playlist is told so, and nothing that was filled in is lost", async () => {
  const page = await opened();
  await choose(page, { name: "photo.png", mimeType: "image/png", buffer: Buffer.from([137, 80, 78, 71, 0, 1, 2, 3]) });
  await page.getByRole("textbox", { name: "Name" }).fill("Kept");
  await page.getByLabel("Replace it").check();
  await lookUp(page);
  await page.locator(".form [role=alert]").waitFor();
  assert.ok((await page.locator(".form [role=alert]").textContent()).length > 20, "it says what is wrong");
  assert.equal(await page.getByRole("textbox", { name: "Name" }).inputValue(), "Kept");
  assert.equal(await page.getByLabel("Replace it").isChecked(), true);
  page.watched.expect(/status of 4\d\d/);
  await choose(page, csvFile("Good.csv", rowsOf(tracks.slice(0, 3))));
  await lookUp(page);
  await report(page, "Preview: Kept").waitFor();
  await page.watched.close();
});

test("a playlist that would lose most of its tracks keeps them until it is said to be meant", async () => {
  const page = await opened();
  await page.getByLabel("Replace it").check();
  await choose(page, csvFile("Shrink.csv", rowsOf(tracks.slice(100, 130))));
  await lookUp(page);
  await write(page);
  await report(page, "Imported: Shrink").waitFor();
  await choose(page, csvFile("Shrink.csv", rowsOf(tracks.slice(100, 105))));
  await lookUp(page);
  await page.locator(".report").getByText("25 tracks would be removed and are held back").waitFor();
  await write(page);
  await report(page, "Imported: Shrink").waitFor();
  assert.equal((await playlistOf(scene.servers.home, "Shrink")).length, 30, "they are kept");
  await lookUp(page);
  await page.getByLabel(/^Remove 25 tracks/).check();
  await write(page);
  await report(page, "Imported: Shrink").waitFor();
  assert.equal((await playlistOf(scene.servers.home, "Shrink")).length, 5);
  await page.watched.close();
});

test("it is written for the account that is ticked", async () => {
  const page = await opened();
  await page.getByLabel("kim").check();
  await choose(page, csvFile("Kims.csv", rowsOf(tracks.slice(150, 155))));
  await lookUp(page);
  await page.locator(".accounts").getByText("kim").waitFor();
  await write(page);
  await report(page, "Imported: Kims").waitFor();
  assert.equal((await playlistOf(scene.servers.home, "Kims", "plx-kim")).length, 5);
  assert.equal(await playlistOf(scene.servers.home, "Kims"), null, "the owner has none");
  await page.watched.close();
});

test("two thousand rows stay usable", async () => {
  const page = await opened();
  const rows = Array.from({ length: 2000 }, (_, index) =>
    index % 4 === 3 ? [`Unheard Of ${index}`, `Nobody ${index}`, ""] : rowsOf([tracks[index % tracks.length]])[0]);
  await choose(page, csvFile("Long.csv", rows));
  await lookUp(page);
  await page.locator(".verdict").getByText(/of 2[,.\s]?000 rows are in the library/).waitFor();
  assert.equal(await page.locator(".rows > li").count(), 100);
  await page.getByRole("button", { name: "Next rows" }).click();
  await page.getByText(/Rows 101 to 200 of/).waitFor();
  const computed = await computedMs(page, () => page.evaluate(() => {
    document.querySelector('[data-filter="missing"]').click();
    document.body.offsetHeight;
  }));
  assert.ok(computed > 0 && computed < 500, `another filter takes ${computed} ms`);
  await page.getByText(/Rows 1 to 100 of 500/).waitFor();
  await page.watched.close();
});

test("a file that is dropped is taken, also beside the place for it", async () => {
  const page = await opened();
  const { name, buffer } = csvFile("Dropped.csv", rowsOf(tracks.slice(0, 4)));
  const data = await page.evaluateHandle(({ name, text }) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([text], name, { type: "text/csv" }));
    return transfer;
  }, { name, text: buffer.toString() });
  await page.locator(".drop").waitFor();
  await page.locator("footer").dispatchEvent("drop", { dataTransfer: data });
  await page.locator(".drop").getByText("Dropped.csv").waitFor();
  await lookUp(page);
  await report(page, "Preview: Dropped").waitFor();
  await page.watched.close();
});

test("all of it is done with the keyboard alone", async () => {
  const page = await opened();
  const to = async (name) => {
    for (let step = 0; step < 80; step += 1) {
      await page.keyboard.press("Tab");
      const focused = await page.evaluate(() => {
        const element = document.activeElement;
        const label = element.labels?.[0]?.textContent ?? "";
        return `${element.textContent || ""} ${element.getAttribute("aria-label") || ""} ${label}`;
      });
      if (focused.includes(name)) return;
    }
    throw new Error(`no way to ${name} with the keyboard`);
  };
  await to("Or paste it");
  await page.keyboard.press("Enter");
  await to("The playlist, in any of these formats");
  await page.keyboard.insertText(csvFile("", rowsOf(tracks.slice(200, 206))).buffer.toString());
  await to("Name");
  await page.keyboard.type("By Hand");
  await to("Preview");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Preview: By Hand" }).waitFor();
  await until(() => page.evaluate(() => document.activeElement.textContent.startsWith("Preview:")),
    "the focus is led to what came of it");
  await to("Import");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Imported: By Hand", exact: true }).waitFor();
  assert.equal((await playlistOf(scene.servers.home, "By Hand")).length, 6);
  await page.watched.close();
});

test("an earlier run is shown again, and what stands in the configuration is run now", async () => {
  const page = await opened();
  await page.getByRole("button", { name: "Show: By Hand" }).first().click();
  await report(page, /By Hand$/).waitFor();
  const entry = page.locator(".entries > li", { hasText: "from /" });
  await entry.getByText(/0 of 1 row found/).waitFor();
  const last = async () => (await scene.gateway.api("playlists/standing")).standing[0].playlists[0].last.at_ms;
  const before = await last();
  await entry.getByRole("button", { name: "Run now: weekly" }).click();
  await until(async () => (await last()) > before, "it was taken once more");
  await page.watched.close();
  fs.rmSync(folder, { recursive: true, force: true });
});
