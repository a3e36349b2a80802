// A simulated media server, or a simulated HTTP API.

import { Program, freePort } from "./program.js";

// Where a server says that it is there, without a token.
const GREETING = { plex: "/identity", jellyfin: "/System/Info/Public", http: "/__simulator/requests" };
/** Olga's token on a simulated Plex: it opens only a simulated library. */
export const OWNER = "plx-owner-a";

/** `greenroom simulate KIND`: what a gateway stands in front of. */
export class Server {
  static async start(name, { kind = "plex", films = 60, shows = 6, tracks = 600 } = {}) {
    const server = new Server();
    server.kind = kind;
    const port = await freePort();
    server.url = `http://127.0.0.1:${port}`;
    const size = ["--films", films, "--shows", shows, "--tracks", tracks].map(String);
    const listen = ["--listen", `127.0.0.1:${port}`, "--latency", "none"];
    server.program = new Program(`${name}-${kind}`, ["simulate", kind, ...listen, ...size]);
    await server.program.answers(server.url + GREETING[kind]);
    return server;
  }

  /** A token of its owner; null where there is no owner. */
  async ownerToken() {
    if (this.kind === "plex") return OWNER;
    if (this.kind === "http") return null;
    const headers = {
      "Content-Type": "application/json",
      Authorization: 'MediaBrowser Client="Desk", Device="desk", DeviceId="desk", Version="1"',
    };
    const body = JSON.stringify({ Username: "olga", Pw: "" });
    const response = await fetch(`${this.url}/Users/AuthenticateByName`, { method: "POST", headers, body });
    return (await response.json()).AccessToken;
  }

  /** From now on it fails like this; `path_prefix` and `times` may bound it. */
  async fail(fault, more = {}) {
    await this.#told("PUT", "faults", { fault, ...more });
  }

  /** All is well again. */
  async heal() {
    await this.#told("DELETE", "faults");
  }

  /** Counts requests from nothing again. */
  async forget() {
    await this.#told("DELETE", "ledger");
  }

  /** The requests that have reached it since the last `forget`. */
  async reached() {
    return (await fetch(`${this.url}/__simulator/requests`)).json();
  }

  /** What its owner asks for, past any gateway. */
  async asOwner(path, method = "GET") {
    const headers = { "X-Plex-Token": OWNER, Accept: "application/json" };
    const response = await fetch(this.url + path, { method, headers });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
    const text = await response.text();
    return text.startsWith("{") ? JSON.parse(text) : text;
  }

  async #told(method, page, body) {
    const response = await fetch(`${this.url}/__simulator/${page}`, { method, body: body && JSON.stringify(body) });
    if (!response.ok) throw new Error(`the simulator refuses ${page}: ${response.status}`);
  }

  stop() {
    return this.program.stop();
  }
}
