// Debian's Chromium with eyes on it: whatever it complains of fails the test.

import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";

import { chromium } from "playwright-core";

import { LOGS } from "./program.js";
import { PATIENCE_MS, until } from "./waiting.js";

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PATHS = [process.env.GREENROOM_CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** The views, by what comes behind `#/`. */
export const VIEWS = ["", "activity", "servers", "libraries", "folders", "caches", "playlists", "statistics", "jobs", "warnings", "settings", "log"];
/** A desk and a phone. */
export const SIZES = { desk: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };

/** One Chromium for the tests of a file. */
export async function openBrowser() {
  const executablePath = PATHS.find((candidate) => candidate && fs.existsSync(candidate));
  if (!executablePath) throw new Error("missing: Chromium; on Debian: apt-get install chromium");
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

/**
 * A page of its own in `browser`, at the gateway's control plane, watched from its first request on.
 *
 * `complaints` holds what went wrong; `expect(pattern)` takes out what a test means to provoke.
 */
export async function openPage(browser, gateway, { size = "desk", scheme = "light", axe = false, at = "" } = {}) {
  const context = await browser.newContext({
    viewport: SIZES[size],
    colorScheme: scheme,
    reducedMotion: "reduce",
    bypassCSP: axe,
    acceptDownloads: true,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const complaints = [];
  const requests = [];
  const underWay = new Set();
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") {
      complaints.push(`console: ${message.text()} (${message.location().url})`);
    }
  });
  page.on("pageerror", (error) => complaints.push(`uncaught: ${error.stack ?? error}`));
  page.on("request", (request) => {
    requests.push(request.url());
    // What is told by the server goes on for ever.
    if (request.resourceType() !== "eventsource") underWay.add(request);
    const url = new URL(request.url());
    if (url.protocol.startsWith("http") && url.origin !== gateway.control) {
      complaints.push(`a request to a foreign host: ${request.url()}`);
    }
  });
  for (const end of ["requestfinished", "requestfailed"]) page.on(end, (request) => underWay.delete(request));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (violation) => {
      console.error(`policy violated: ${violation.violatedDirective} by ${violation.blockedURI}`);
    });
  });
  page.watched = {
    complaints,
    requests,
    expect: (pattern) => {
      const left = complaints.filter((complaint) => !pattern.test(complaint));
      complaints.splice(0, complaints.length, ...left);
    },
    /** Waits until everything that was asked for is there, and the figures are live. */
    settled: async () => {
      await page.locator("#pulse[data-state='live']").waitFor();
      await until(() => underWay.size === 0, "all that was asked for is there");
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    },
    /** Closes the page; fails if it complained of anything. */
    close: async () => {
      await context.close();
      // While the page is worked on, some of what it asks for may not be built yet.
      if (process.env.GREENROOM_PAGE) page.watched.expect(/status of 404/);
      if (complaints.length) throw new Error(`the page complains:\n${complaints.join("\n")}`);
    },
  };
  if (process.env.GREENROOM_PAGE) await serveFrom(process.env.GREENROOM_PAGE, context, gateway);
  await page.goto(`${gateway.control}/#/${at}`);
  return page;
}

/** While the page is worked on: its files from a folder, under the headers of the built ones. */
async function serveFrom(folder, context, { control }) {
  const types = { ".js": "text/javascript", ".css": "text/css", ".html": "text/html; charset=utf-8", ".svg": "image/svg+xml" };
  await context.route((url) => url.origin === control && !url.pathname.startsWith("/api/"), async (route) => {
    const asked = new URL(route.request().url()).pathname;
    const file = path.join(folder, asked === "/" ? "index.html" : asked);
    if (!fs.existsSync(file)) return route.continue();
    const headers = (await route.fetch({ url: `${control}/` })).headers();
    return route.fulfill({ path: file, headers: { ...headers, "content-type": types[path.extname(file)] } });
  });
}

/** Logs in as a person does: by the form. */
export async function logIn(page, gateway) {
  const field = page.getByLabel(/token/i).first();
  if (!(await field.isVisible())) await page.getByRole("button", { name: /log in/i }).first().click();
  await field.fill(gateway.token);
  await field.press("Enter");
  await page.getByRole("button", { name: /log out/i }).waitFor();
}

/** Goes to a view and waits until it is there. */
export async function goTo(page, view) {
  await page.evaluate((hash) => (location.hash = hash), `#/${view}`);
  await page.locator(`nav a[data-view="${view || "overview"}"][aria-current="page"]`).waitFor({ state: "attached" });
  await page.locator("#view h1").waitFor();
  await page.locator("#view .arriving").waitFor({ state: "detached" });
}

/** What axe finds wrong with the page as it stands. The page must have been opened with `axe`. */
export async function axeFindings(page) {
  await page.evaluate(AXE);
  const findings = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const told = ({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3).map((node) => node.html).join(" | ")}`;
  return findings.violations.map(told);
}

/** How much wider the page is than the window. */
export function overflow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

/** A picture for people who look at pictures, of the whole page or of its first screen. */
export async function picture(page, name, { fullPage = true } = {}) {
  fs.mkdirSync(LOGS, { recursive: true });
  await page.screenshot({ path: path.join(LOGS, `${name}.png`), fullPage });
}
