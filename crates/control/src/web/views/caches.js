// Caches for apps: how full they are, what they are asked, and how to empty or remove one.

import { make, makeButton, makeEmpty, makeTrouble, setText } from "../dom.js";
import { makeShare, makeTable, showShare } from "../table.js";
import { bytes, counted } from "../words.js";

export const title = "Caches";

const POLL_MS = 5000;
const SHOWN = 500;

export function render(root, context) {
  const lead = make("p", { class: "lead", role: "status" });
  const empty = makeEmpty(
    "No app has a cache yet.",
    "Any program can store values here: greenroom token add NAME --caches CACHE makes its token; docs/caches.md explains the rest.",
  );
  const table = makeTable("Caches for apps", makeColumns(context, () => again()), (cache) => cache.name);
  const trouble = make("div");
  // Until the first answer there is nothing to say, not even that there is nothing.
  lead.hidden = empty.hidden = table.element.hidden = true;
  root.append(trouble, lead, empty, table.element);
  let again = () => {};
  const refresh = async () => {
    try {
      const { caches } = await context.ask("GET", "caches");
      const total = caches.reduce((sum, cache) => sum + cache.bytes, 0);
      const more = caches.length > SHOWN ? "; the first " + counted(SHOWN, "cache") + " are shown" : "";
      setText(lead, counted(caches.length, "cache") + " for apps, " + bytes(total) + more);
      lead.hidden = table.element.hidden = caches.length === 0;
      empty.hidden = caches.length > 0;
      table.show(caches.slice(0, SHOWN));
      trouble.replaceChildren();
    } catch (error) {
      if (!context.signal.aborted) trouble.replaceChildren(makeTrouble(error));
    }
  };
  again = context.every(POLL_MS, refresh);
}

function makeColumns(context, again) {
  const counts = (name) => (cache) => cache.counts[name];
  return [
    { name: "Cache", kind: "name", value: (cache) => [cache.name, cache.pending ? counted(cache.pending, "write") + " waiting" : ""] },
    { name: "Entries", kind: "count", value: (cache) => cache.entries },
    {
      name: "Full",
      about: "bytes of its entries, of what it may have",
      kind: "element",
      value: () => make("div", {}, makeShare(), make("small")),
      update: (box, cache) => {
        showShare(box.firstChild, cache.bytes / cache.max_bytes);
        setText(box.lastChild, bytes(cache.bytes) + " of " + bytes(cache.max_bytes));
      },
    },
    { name: "Hits", about: "lookups that found a fresh entry, since the start", kind: "count", value: counts("hits") },
    { name: "Stale", about: "lookups that found an expired entry that may still be used", kind: "count", value: counts("stale") },
    { name: "Misses", about: "lookups that found nothing", kind: "count", value: counts("misses") },
    { name: "Stored", kind: "count", value: counts("stored") },
    { name: "Evicted", about: "removed because the cache was full", kind: "count", value: counts("evicted") },
    { name: "Failed", about: "calls that failed, and deferred writes that were lost", kind: "bad", value: (cache) => cache.counts.failed + cache.counts.lost },
    {
      name: "Remove",
      kind: "element",
      isBare: true,
      value: (cache) => {
        const name = { "aria-label": "Remove: " + cache.name };
        const button = makeButton("Remove", "quiet small", () => remove(button, cache.name, context, again), name);
        return button;
      },
      update: () => {},
    },
  ];
}

async function remove(button, name, context, again) {
  const sure = await context.confirm({
    title: "Remove the cache " + name + "?",
    text: "Everything that its apps have stored in it is lost. An app makes it again when it stores something.",
    yes: "Remove",
  });
  if (!sure) return;
  const path = "caches/" + encodeURIComponent(name);
  await context.act(button, () => context.ask("DELETE", path), ({ removed }) => {
    context.say(counted(removed, "entry", "entries") + " removed");
    again();
  });
}
