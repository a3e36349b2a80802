// The view "Libraries": every button does what it says, and a build is followed to its end.

import assert from "node:assert/strict";
import { test } from "node:test";

import { logIn } from "./stage/browser.js";
import { setScene } from "./stage/scene.js";
import { until } from "./stage/waiting.js";

const MARKUP = "<img src=x onerror=alert(1)> & <b>Bold</b>";
const scene = setScene(import.meta.url, { servers: { home: { films: 6000, shows: 4, tracks: 2000 } } });

const card = (page, library) => page.locator(`[data-library="${library}"]`);
const reported = (library) => scene.gateway.api(`libraries/${library}`);
const isCurrent = (library) => async () => (await reported(library)).state === "current";

test("a build is followed to a hundred percent", async () => {
  const { home } = scene.servers;
  await until(isCurrent("home:3"), "the music is built by itself");
  const page = await scene.open({ at: "libraries" });
  await logIn(page, scene.gateway);
  const films = card(page, "home:1");
  await films.getByText("Not built yet.").waitFor();
  await home.fail({ slow: 150 });
  await films.getByRole("button", { name: "Build now: Films" }).click();
  const bar = films.locator("progress");
  const shares = new Set();
  await until(async () => {
    shares.add(await bar.evaluate((element) => (element.hasAttribute("value") ? element.value : null)));
    return (await films.getByText(/^100 %: 6[,.\s]?000 items in/).count()) > 0;
  }, "the bar says a hundred percent");
  await home.heal();
  const between = [...shares].filter((share) => share !== null && share > 0 && share < 1);
  assert.ok(between.length >= 2, `it is seen to move: ${[...shares]}`);
  assert.equal((await reported("home:1")).items.films, 6000);
  await films.getByText("Up to date.").waitFor();
  await page.watched.close();
});

test("a build is cancelled, and nothing of it is kept", async () => {
  const page = await scene.open({ at: "libraries" });
  await logIn(page, scene.gateway);
  const shows = card(page, "home:2");
  await scene.servers.home.fail("hang");
  await shows.getByRole("button", { name: "Build now: Shows" }).click();
  await shows.getByRole("button", { name: "Cancel: building Shows" }).click();
  await until(async () => (await reported("home:2")).builds.cancelled === 1, "the API says that it was cancelled");
  await scene.servers.home.heal();
  assert.equal((await reported("home:2")).generation, undefined);
  await shows.getByText("Build cancelled. There is no index.").waitFor();
  assert.equal(await shows.locator(".error:not([hidden]), [data-state='bad']").count(), 0, "what a person cancelled is no error");
  await shows.getByRole("button", { name: "Build now: Shows" }).waitFor();
  await page.watched.close();
});

test("a library is turned off and on again", async () => {
  const page = await scene.open({ at: "libraries" });
  await logIn(page, scene.gateway);
  const shows = card(page, "home:2");
  await shows.getByRole("button", { name: "Turn off: Shows" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  assert.equal((await reported("home:2")).enabled, true, "it was thought better of");
  await shows.getByRole("button", { name: "Turn off: Shows" }).click();
  await page.getByRole("button", { name: "Turn off", exact: true }).click();
  await shows.getByText("Off. It has no index.").waitFor();
  assert.equal((await reported("home:2")).enabled, false);
  await shows.getByRole("button", { name: "Turn on: Shows" }).click();
  await shows.getByRole("button", { name: "Turn off: Shows" }).waitFor();
  assert.equal((await reported("home:2")).enabled, true);
  await page.watched.close();
});

test("what changed is told by name, and a title that holds markup is text", async () => {
  const { home } = scene.servers;
  const page = await scene.open({ at: "libraries" });
  await logIn(page, scene.gateway);
  const music = card(page, "home:3");
  const [track] = (await home.asOwner("/library/sections/3/all?type=10&X-Plex-Container-Start=0&X-Plex-Container-Size=1"))
    .MediaContainer.Metadata;
  const before = (await reported("home:3")).generation.number;
  await home.asOwner(`/library/metadata/${track.ratingKey}?title.value=${encodeURIComponent(MARKUP)}`, "PUT");
  await music.getByText("More", { exact: true }).click();
  await music.getByRole("button", { name: /^Force rebuild.*Music/ }).click();
  await until(async () => (await reported("home:3")).generation.number !== before, "there is a newer list");
  await music.getByText("Last changes").click();
  await music.getByText("Renamed or edited (1)").waitFor();
  await music.getByText(MARKUP, { exact: true }).waitFor();
  await music.getByText(`title: ${track.title} → ${MARKUP}`).waitFor();
  assert.equal(await page.locator("#view img[src='x']").count(), 0);
  await music.locator(".strip img").first().evaluate((image) => image.decode());
  await page.watched.close();
});

test("without logging in the buttons ask for the token first", async () => {
  const page = await scene.open({ at: "libraries" });
  await card(page, "home:1").getByRole("button", { name: "Build now: Films" }).click();
  await page.getByRole("dialog", { name: "Log in" }).waitFor();
  await page.getByLabel("Control token").fill(scene.gateway.token);
  const before = (await reported("home:1")).builds.done;
  await page.keyboard.press("Enter");
  await until(async () => (await reported("home:1")).builds.done === before + 1, "the press that asked for it counts");
  await page.watched.close();
});
