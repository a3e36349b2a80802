// TTL policies, the cache and where it is stored, and notifications.

import { ask, query } from "../api.js";
import {
  fillChoice,
  make,
  makeButton,
  makeChoice,
  makeCopy,
  makeEmpty,
  makeLoading,
  makeSection,
  makeState,
  makeTrouble,
  newId,
  setText,
} from "../dom.js";
import { makeShare, makeTable, showShare } from "../table.js";
import { CLASSES, bytes, counted, duration } from "../words.js";
import { sharedStore } from "./shared-store.js";

export const title = "Settings";

const LIFETIMES = [
  ["fresh_s", "Fresh", "served without a request to the server"],
  ["fresh_with_signal_s", "Fresh with events", "the same, while the server's events are received"],
  ["stale_s", "Stale", "after that: served at once and refreshed in the background"],
  ["stale_on_error_s", "While down", "served while the server does not answer"],
];

/** A year. */
const MOST_S = 31536000;

export function render(root, context) {
  root.append(lifetimes(context), care(context), storage(context), sharedStore(context), notices(context));
}

const textOf = (seconds) =>
  seconds === null || seconds === undefined ? "–" : seconds === 0 ? "never" : duration(seconds);

// --- TTL policies ---

function lifetimes(context) {
  const place = make("div", {}, makeLoading());
  const filters = make("div", { class: "row filters" });
  const dialog = makeEditor(context, () => again());
  let items = [];
  let server = "";

  const column = ([key, name, about]) => ({
    name,
    about,
    value: (item) => textOf(item[key]) + (item[key] === item.default[key] ? "" : " *"),
  });
  const table = makeTable(
    "TTL policies",
    [
      { name: "Request type", kind: "name", value: (item) => [item.class, CLASSES[item.class] || ""] },
      ...LIFETIMES.map(column),
      {
        name: "Set by",
        isWords: true,
        value: (item) => (item.changed ? "this page" : item.configured ? "configuration" : "default"),
        about:
          "a change made on this page survives a restart and overrides the configuration file; * marks values that differ from the default",
      },
      {
        name: "Change",
        isBare: true,
        kind: "element",
        value: (item) =>
          makeButton(
            "Change…",
            "quiet small",
            () => dialog.open(items.find((now) => keyOf(now) === keyOf(item)) || item),
            { "aria-label": "Change the TTL policy of " + item.class + " on " + item.server },
          ),
      },
    ],
    keyOf,
  );

  const show = () => {
    const servers = [...new Set(items.map((item) => item.server))];
    if (!servers.includes(server)) server = servers[0] || "";
    if (servers.length > 1 && !filters.firstChild)
      filters.append(
        makeChoice(
          "Server",
          servers.map((name) => [name, name]),
          server,
          (name) => {
            server = name;
            show();
          },
        ),
      );
    table.show(items.filter((item) => item.server === server));
    place.replaceChildren(
      items.length > 0
        ? table.element
        : makeEmpty("No TTL policies yet.", "They are listed when a media server is configured."),
    );
  };
  const again = context.every(60000, async () => {
    try {
      items = (await context.ask("GET", "cache/policies")).items;
      show();
    } catch (error) {
      if (!context.signal.aborted) place.replaceChildren(makeTrouble(error));
    }
  });
  return makeSection(
    "TTL policies",
    "How long cached responses are served, by request type. Longer saves more requests, shorter is fresher. Content that the server reports as changed is always loaded again.",
    filters,
    place,
    dialog.element,
  );
}

const keyOf = (item) => item.server + "/" + item.class;

/** The editor of one request type's TTL policy, with what other values would have saved. */
function makeEditor(context, done) {
  const heading = make("h2", { id: newId("editor") });
  const about = make("p");
  const fields = LIFETIMES.map(([key, name, why]) => {
    const id = newId(key);
    const input = make("input", {
      id,
      type: "number",
      min: "0",
      max: String(MOST_S),
      step: "1",
      inputmode: "numeric",
      "aria-describedby": id + "-why",
    });
    const usual = make("span");
    return {
      key,
      input,
      usual,
      row: make(
        "div",
        { class: "field" },
        make("label", { for: id }, name + ", seconds"),
        input,
        make("p", { class: "fine", id: id + "-why" }, why + ". ", usual),
      ),
    };
  });
  const whatIf = make("div", { class: "what-if" });
  const error = make("p", { class: "error", role: "alert", hidden: true });
  const cancel = makeButton("Cancel", "quiet", () => dialog.close());
  const reset = makeButton("Reset to default", "danger", () => send(reset, "DELETE", {}));
  const save = make("button", { type: "submit", class: "main" }, "Save");
  const dialog = make(
    "dialog",
    { "aria-labelledby": heading.id, class: "editor" },
    make(
      "form",
      {
        method: "dialog",
        novalidate: true,
        on: {
          submit: (event) => {
            event.preventDefault();
            saveAll();
          },
        },
      },
      heading,
      about,
      fields.map((field) => field.row),
      whatIf,
      error,
      make("div", { class: "buttons" }, reset, cancel, save),
    ),
  );
  let item = null;

  function send(button, method, changed) {
    const body = { server: item.server, class: item.class, ...changed };
    dialog.close();
    context.act(button, () => ask(method, "cache/policies", body), done);
  }

  function saveAll() {
    const changed = {};
    for (const { key, input } of fields) {
      const value = input.validity.badInput ? NaN : input.value.trim() === "" ? null : Number(input.value);
      if (value !== null && !(Number.isInteger(value) && value >= 0 && value <= MOST_S)) {
        setText(error, "Enter a whole number of seconds, at most a year (31536000).");
        error.hidden = false;
        return input.focus();
      }
      if (value !== item[key]) changed[key] = value;
    }
    if (Object.keys(changed).length === 0) return dialog.close();
    send(save, "PUT", changed);
  }

  async function showWhatIf() {
    whatIf.replaceChildren(make("p", { class: "fine" }, "Working out what other values would have saved…"));
    const asked = item;
    try {
      const { options, window: played } = await context.ask(
        "GET",
        "statistics/what-if" + query({ server: item.server, class: item.class }),
      );
      if (asked !== item) return;
      const line = (option) => {
        const button = makeButton("Use " + duration(option.fresh_s), "quiet small", () =>
          send(button, "PUT", { [played]: option.fresh_s }),
        );
        return make("li", { class: "row apart" }, make("span", { class: "grow" }, option.text + "."), button);
      };
      whatIf.replaceChildren(
        make("h3", {}, "From recent requests"),
        options.length === 0
          ? make("p", { class: "fine" }, "Too few requests to say what another value would save.")
          : options.every((option) => option.saved_share === 0)
            ? make("p", { class: "fine" }, "No other value would have saved or cost a request.")
            : make("ul", { class: "lines" }, options.map(line)),
      );
    } catch (failure) {
      if (asked === item && !context.signal.aborted)
        whatIf.replaceChildren(
          make("p", { class: "fine" }, "What other values would have saved is not known: " + failure.message),
        );
    }
  }

  return {
    element: dialog,
    open(policy) {
      item = policy;
      error.hidden = true;
      setText(heading, policy.class + " on " + policy.server);
      setText(
        about,
        (CLASSES[policy.class] ? "Holds " + CLASSES[policy.class] + ". " : "") +
          (policy.user_state ? "Cached for every user separately. " : "") +
          (policy.warm ? "Kept warm: refreshed before apps request it." : ""),
      );
      for (const { key, input, usual } of fields) {
        input.value = policy[key] ?? "";
        setText(usual, "Default: " + textOf(policy.default[key]) + ".");
      }
      reset.hidden = !policy.changed;
      dialog.showModal();
      fields[0].input.focus();
      showWhatIf();
    },
  };
}

// --- The cache ---

function care(context) {
  const wanted = { server: "", class: "" };
  const server = makeChoice("Server", [], "", (value) => {
    wanted.server = value;
  });
  const kind = makeChoice("Request type", [], "", (value) => {
    wanted.class = value;
    warm.disabled = value !== "";
  });
  context.on("figures", ({ servers, classes }) => {
    const kinds = [...new Set(classes.map((of) => of.class))].sort();
    server.hidden = servers.length < 2;
    kind.hidden = kinds.length === 0;
    fillChoice(server, [["", "all servers"], ...servers.map(({ name }) => [name, name])], wanted.server);
    fillChoice(kind, [["", "all request types"], ...kinds.map((name) => [name, name])], wanted.class);
  });
  const about = () =>
    (wanted.class ? "All cached responses of type " + wanted.class : "All cached responses") + (wanted.server ? " of " + wanted.server : "");
  const body = () => Object.fromEntries(Object.entries(wanted).filter(([, value]) => value));
  const scope = () => (wanted.class ? body() : { ...body(), all: true });

  const warm = makeButton("Warm", "main", () =>
    context.act(warm, () => ask("POST", "cache/warm", wanted.server ? { server: wanted.server } : {})),
  );
  const stale = makeButton("Invalidate", "quiet", () =>
    context.act(stale, () => ask("POST", "cache/invalidate", scope())),
  );
  const clear = makeButton("Clear…", "danger", () =>
    context.withToken(async () => {
      const yes = await context.confirm({
        title: "Clear the cache?",
        text:
          about() + " will be discarded. The next requests go to the media server again. Statistics stay.",
        yes: "Clear",
      });
      if (yes) context.act(clear, () => ask("POST", "cache/clear", body()));
    }),
  );
  const line = (button, text) => make("div", { class: "deed" }, button, make("p", {}, text));
  return makeSection(
    "Cache",
    null,
    make(
      "div",
      { class: "card pad stack" },
      make(
        "div",
        { class: "row filters" },
        server,
        kind,
      ),
      line(
        warm,
        "Loads now what apps request regularly, so that the next request is served from the cache. For a whole server.",
      ),
      line(stale, "Loads content again at the next request. Until then cached responses are served only while the server is down."),
      line(
        clear,
        "All cached responses are discarded. Nothing is lost on the media server; the next requests take as long as without Greenroom.",
      ),
    ),
  );
}

// --- Notifications ---

function notices(context) {
  const outcome = make("ul", { class: "lines" });
  const line = ({ target, delivered, reason }) =>
    make(
      "li",
      { class: "row" },
      makeState(delivered ? "good" : "bad", target),
      make("span", { class: "fine" }, delivered ? "delivered" : reason || "not delivered"),
    );
  const test = makeButton("Send a test", "quiet", () =>
    context.act(
      test,
      async () => {
        try {
          return await ask("POST", "notices/test", {});
        } catch (error) {
          if (error.status !== 404) throw error;
          return { message: "No target is configured.", targets: [] };
        }
      },
      ({ targets }) => {
        outcome.replaceChildren(...(targets || []).map(line));
        snippet.hidden = (targets || []).length > 0;
      },
    ),
  );
  const snippet = make("div", { hidden: true }, make("p", {}, "To send messages, add a target to the configuration file and restart Greenroom:"),
    make("pre", {}, make("code", {}, SNIPPET)), makeCopy(SNIPPET, "Copy the lines for the configuration"));
  return makeSection(
    "Notifications",
    "A message when a server goes down or comes up, an index build fails, a library shrinks, a token is rejected, or the disk cannot be used.",
    make(
      "div",
      { class: "card pad stack" },
      make(
        "div",
        { class: "deed" },
        test,
        make("p", {}, "Sends a test message to every configured target and shows which of them accepted it."),
      ),
      outcome,
      snippet,
    ),
  );
}

/** An example target, as the configuration takes it. */
const SNIPPET = `[[notice]]
name = "phone"
url = "https:${"//"}ntfy.sh/your-topic"
template = "ntfy"`;

// --- Storage ---

function storage(context) {
  const bars = { memory: makeShare(), disk: makeShare() };
  const texts = { memory: make("p", { class: "fine" }), disk: make("p", { class: "fine" }) };
  const box = (name, key) => make("div", {}, make("h3", {}, name), bars[key], texts[key]);
  const element = makeSection("Storage", null, make("div", { class: "card pad halves" }, box("Memory", "memory"), box("Disk", "disk")));
  context.on("figures", ({ memory, disk }) => {
    showShare(bars.memory, memory.max_bytes ? memory.bytes / memory.max_bytes : null);
    setText(texts.memory, counted(memory.entries, "cached response") + ", " + bytes(memory.bytes) + " of " + bytes(memory.max_bytes)
      + ". When it is full, the least recently used go first.");
    bars.disk.hidden = !disk || !disk.max_bytes;
    if (disk && disk.max_bytes) showShare(bars.disk, disk.bytes / disk.max_bytes);
    setText(texts.disk, disk ? bytes(disk.bytes) + (disk.max_bytes ? " of " + bytes(disk.max_bytes) : "") + ". Survives a restart."
      : "No disk cache: after a restart the first requests go to the server again.");
  });
  return element;
}
