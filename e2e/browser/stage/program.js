// The built program as a child process: started, waited for by state, stopped by its id.

import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";

import { until } from "./waiting.js";

const FOLDER = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), "../../..");
const BINARY = process.env.GREENROOM_BINARY ?? path.join(FOLDER, "target/debug/greenroom");
/** Where logs and pictures go. */
export const LOGS = path.join(process.env.GREENROOM_E2E_LOGS ?? path.join(FOLDER, "target/e2e"), "browser");
// A program that is told to stop has this long.
const STOPS_WITHIN_MS = 15_000;

/** A port of the loopback address that no process listens on. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** Our environment without what the program would take for its own configuration. */
function ownEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("GREENROOM_")));
}

/** What the program prints when it is run to its end. */
export function printed(...words) {
  const run = spawnSync(BINARY, words, { env: ownEnvironment(), encoding: "utf8" });
  if (run.status !== 0) throw new Error(`${words[0]} ended with ${run.status}: ${run.stderr}`);
  return run.stdout.trim();
}

/** One run of the program, with its output kept in a file. */
export class Program {
  constructor(name, words) {
    fs.mkdirSync(LOGS, { recursive: true });
    this.name = name;
    this.logPath = path.join(LOGS, `${name}.log`);
    const log = fs.openSync(this.logPath, "a");
    this.child = spawn(BINARY, words, { env: ownEnvironment(), stdio: ["ignore", log, log] });
    fs.closeSync(log);
    this.ended = new Promise((resolve, reject) => {
      this.child.on("exit", (code, signal) => resolve(code ?? signal));
      this.child.on("error", reject);
    });
    this.hasEnded = false;
    this.ended.then(() => (this.hasEnded = true), () => (this.hasEnded = true));
  }

  /** What it has written so far. */
  log() {
    return fs.readFileSync(this.logPath, "utf8");
  }

  /** Waits until `url` answers 200; if it never does, the program is ended and said to have failed. */
  async answers(url) {
    try {
      await until(async () => {
        if (this.hasEnded) throw new Error(`${this.name} ended:\n${this.log().slice(-4000)}`);
        return fetch(url).then((response) => response.status === 200, () => false);
      }, `${this.name} answers ${url}`);
    } catch (error) {
      this.child.kill("SIGKILL");
      throw error;
    }
  }

  /** Ends it at once, as a power cut would. */
  async kill() {
    this.child.kill("SIGKILL");
    await this.ended;
  }

  /** Tells it to stop and waits for its end. */
  async stop() {
    if (this.hasEnded) return;
    this.child.kill("SIGTERM");
    const patience = setTimeout(() => this.child.kill("SIGKILL"), STOPS_WITHIN_MS);
    const code = await this.ended;
    clearTimeout(patience);
    if (code !== 0) throw new Error(`${this.name} ended with ${code}:\n${this.log().slice(-4000)}`);
    if (this.log().includes("panicked")) throw new Error(`${this.name} panicked:\n${this.log().slice(-4000)}`);
  }
}
