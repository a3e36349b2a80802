// The gateway in front of one or more servers, its directory and its control plane.

import fs from "node:fs";
import os from "node:os";
import path from "node:path";

import { Program, freePort, printed } from "./program.js";
import { OWNER } from "./server.js";

/** `greenroom serve`. */
export class Gateway {
  /**
   * @param name what its logs are called
   * @param servers by the name the configuration gives them
   * @param more `withToken`: servers are read with their owners' tokens; `accounts`: tokens of others, by server and
   *   account; `host`: where the control plane listens; `control`, `playlists`, `notices`, `history`, `folders`, `store`: lines of the configuration
   */
  static async start(name, servers, { withToken = true, host = "127.0.0.1", control = "", playlists = "", notices = "", history = "", folders = "", store = "", accounts = {} } = {}) {
    const gateway = new Gateway();
    gateway.name = name;
    gateway.directory = fs.mkdtempSync(path.join(os.tmpdir(), "greenroom-browser-"));
    gateway.controlPort = await freePort();
    gateway.control = `http://127.0.0.1:${gateway.controlPort}`;
    gateway.urls = {};
    let text = `data_dir = ${JSON.stringify(path.join(gateway.directory, "data"))}\n`;
    text += `[control]\nlisten = "${host}:${gateway.controlPort}"\n${control}\n`;
    for (const [called, server] of Object.entries(servers)) {
      const port = await freePort();
      gateway.urls[called] = `http://127.0.0.1:${port}`;
      text += `[[server]]\nname = "${called}"\nkind = "${server.kind}"\nurl = "${server.url}"\n`;
      text += `listen = "127.0.0.1:${port}"\n`;
      const token = withToken && (await server.ownerToken());
      if (token) text += `token_file = "${gateway.#written(`${called}.token`, token)}"\n`;
      for (const [account, token] of Object.entries(accounts[called] ?? {})) {
        text += `[server.accounts.${account}]\ntoken_file = "${gateway.#written(`${account}.token`, token)}"\n`;
      }
    }
    text += playlists + notices + history + folders + store;
    gateway.configuration = gateway.#written("greenroom.toml", text);
    await gateway.begin();
    return gateway;
  }

  /** Starts the process, also once more on the same directory. */
  async begin() {
    this.program = new Program(`${this.name}-gateway`, ["serve", "--config", this.configuration]);
    await this.program.answers(`${this.control}/healthz`);
  }

  /** The token that changes need, as its owner asks for it. */
  get token() {
    return printed("token", "show", "--data-dir", path.join(this.directory, "data"));
  }

  /** What the API says, asked past the page; throws if it refuses. */
  async api(path, { method = "GET", body } = {}) {
    const headers = { Authorization: `Bearer ${(this.known ??= this.token)}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const response = await fetch(`${this.control}/api/v1/${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : text;
  }

  /** An app asks a server through the gateway. */
  async app(called, path, { product = "Browsing App", token = OWNER } = {}) {
    const headers = { "X-Plex-Token": token, "X-Plex-Product": product, "X-Plex-Client-Identifier": product };
    return fetch(this.urls[called] + path, { headers: { ...headers, Accept: "application/json" } });
  }

  /** A token for an app that may use these caches. */
  cacheToken(app, ...caches) {
    return printed("token", "add", app, "--caches", caches.join(","), "--data-dir", path.join(this.directory, "data")).split("\n").at(-1).trim();
  }

  /** An app stores a value in a cache of its own. */
  async store(token, cache, key, value) {
    const url = `${this.control}/api/v1/caches/${cache}/entries/${encodeURIComponent(key)}`;
    const response = await fetch(url, { method: "PUT", headers: { Authorization: `Bearer ${token}` }, body: value });
    if (response.status !== 204) throw new Error(`PUT ${url}: ${response.status} ${await response.text()}`);
  }

  async stop() {
    try {
      await this.program.stop();
    } finally {
      fs.rmSync(this.directory, { recursive: true, force: true });
    }
  }

  #written(name, text) {
    const file = path.join(this.directory, name);
    fs.writeFileSync(file, text, { mode: 0o600 });
    return file;
  }
}
