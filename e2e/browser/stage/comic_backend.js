// What stands where a comic app's backend does: it serves the app's page, keeps its preferences, does its jobs, and writes
// its marker files. The list is the gateway's, by the lines of a reverse proxy in docs/folders.md.

import fs from "node:fs";
import http from "node:http";
import path from "node:path";

/** Paths that the reverse proxy sends to the gateway. */
const OF_THE_LIST = ["/api/files", "/api/cache/stats", "/api/cache/prewarm"];

/** A backend with the markers in `markers` and the page in the file `page`. */
export class ComicBackend {
  constructor({ page, root, markers }) {
    Object.assign(this, { page, root, markers, preferences: {}, processed: new Set(), asked: [], jobs: 0, job: null });
    this.server = http.createServer((request, response) => this.#answer(request, response));
  }

  /** Begins to serve, with the list of `gateway`, read with an app's `token`. */
  async start(gateway, token) {
    Object.assign(this, { gateway, token });
    await new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
  }

  /** Marks files as processed or not, as the backend does: in its file. */
  mark(paths, isProcessed) {
    for (const file of paths) this.processed[isProcessed ? "add" : "delete"](path.join(this.root, file));
    const text = JSON.stringify({ files: [...this.processed].sort() }, null, 2);
    fs.writeFileSync(path.join(this.markers, "processed_files.json.tmp"), text);
    fs.renameSync(path.join(this.markers, "processed_files.json.tmp"), path.join(this.markers, "processed_files.json"));
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }

  async #answer(request, response) {
    const url = new URL(request.url, this.url);
    let text = "";
    for await (const part of request) text += part;
    if (OF_THE_LIST.includes(url.pathname)) {
      this.asked.push(url.pathname + url.search);
      const headers = { Authorization: `Bearer ${this.token}` };
      const answer = await fetch(this.gateway.control + request.url, { method: request.method, headers });
      response.writeHead(answer.status, { "Content-Type": "application/json" }).end(await answer.text());
    } else if (url.pathname === "/") {
      response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(fs.readFileSync(this.page));
    } else {
      const found = this.#own(request.method, url.pathname, text ? JSON.parse(text) : {});
      response.writeHead(found ? 200 : 404, { "Content-Type": "application/json" }).end(JSON.stringify(found ?? {}));
    }
  }

  #own(method, asked, body) {
    if (asked === "/favicon.ico") return {};
    if (asked === "/api/version") return { version: "1.0" };
    if (asked === "/api/preferences") return method === "POST" ? Object.assign(this.preferences, body) : this.preferences;
    if (asked === "/api/active-job") {
      if (method !== "GET") this.job = method === "POST" ? body : null;
      return this.job ?? { job_id: null };
    }
    if (asked === "/api/jobs/process-selected") {
      this.mark(body.files, true);
      this.done = body.files.map((item) => ({ item, success: true }));
      return { job_id: String(++this.jobs), total_items: body.files.length };
    }
    if (asked === `/api/jobs/${this.jobs}`) {
      const count = this.done.length;
      return { status: "completed", processed_items: count, total_items: count, results: this.done };
    }
    return null;
  }
}
