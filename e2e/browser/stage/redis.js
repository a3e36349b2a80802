// A Redis of a test's own, on a free port.

import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";

import { freePort } from "./program.js";
import { until } from "./waiting.js";

/** `redis-server`, which keeps nothing on disk. */
export class Redis {
  static async start() {
    const redis = new Redis();
    redis.port = await freePort();
    redis.folder = fs.mkdtempSync(path.join(os.tmpdir(), "greenroom-redis-"));
    await redis.begin();
    return redis;
  }

  /** Starts the process, also once more on the same port. */
  async begin() {
    const words = ["--port", String(this.port), "--bind", "127.0.0.1", "--save", "", "--dir", this.folder,
      "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"];
    this.child = spawn("redis-server", words, { stdio: "ignore" });
    this.ended = new Promise((resolve, reject) => {
      this.child.on("exit", resolve);
      this.child.on("error", () => reject(new Error("missing: redis-server; on Debian: apt-get install redis-server")));
    });
    await Promise.race([this.ended, until(() => this.#listens(), "Redis listens")]);
  }

  /** The lines of a configuration that name it; `more` are further ones. */
  lines(more = "") {
    return `[store.redis]\nurl = "redis://127.0.0.1:${this.port}"\n${more}\n`;
  }

  /** Kills it, as a crash does. */
  async kill() {
    this.child.kill("SIGKILL");
    await this.ended;
  }

  async stop() {
    await this.kill();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  #listens() {
    return new Promise((resolve) => {
      const probe = net.connect(this.port, "127.0.0.1");
      probe.on("connect", () => resolve(true) || probe.destroy());
      probe.on("error", () => resolve(false));
    });
  }
}
