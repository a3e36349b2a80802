// CPU time of a page, whatever else runs on this machine.

/** What the page's thread spends on `action`, in milliseconds of its own. */
export async function computedMs(page, action) {
  const client = await page.context().newCDPSession(page);
  await client.send("Performance.enable", { timeDomain: "threadTicks" });
  const spent = async () => {
    const { metrics } = await client.send("Performance.getMetrics");
    return 1000 * metrics.find(({ name }) => name === "TaskDuration").value;
  };
  const before = await spent();
  await action();
  const computed = (await spent()) - before;
  await client.detach();
  return computed;
}
