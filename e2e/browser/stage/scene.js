// What the tests of one file share: servers, a gateway before them, a browser.

import { after, before } from "node:test";
import path from "node:path";

import { openBrowser, openPage } from "./browser.js";
import { Gateway } from "./gateway.js";
import { Server } from "./server.js";

/**
 * Sets the scene for a file of tests.
 *
 * @param file the file's own address
 * @param servers by name, how each is simulated
 * @param prepare what is to be so before the first test; `finish` what is to end after the last
 * @param more how the gateway is set up
 */
export function setScene(file, { servers = { home: {} }, prepare = () => {}, finish = () => {}, ...more } = {}) {
  const name = path.basename(new URL(file).pathname, ".test.js");
  const scene = { name, servers: {}, open: (how) => openPage(scene.browser, scene.gateway, how) };
  before(async () => {
    for (const [called, how] of Object.entries(servers)) {
      scene.servers[called] = await Server.start(`${name}-${called}`, how);
    }
    scene.gateway = await Gateway.start(name, scene.servers, more);
    scene.browser = await openBrowser();
    await prepare(scene);
  });
  after(async () => {
    await scene.browser?.close();
    await scene.gateway?.stop();
    for (const server of Object.values(scene.servers)) await server.stop();
    await finish();
  });
  return scene;
}
