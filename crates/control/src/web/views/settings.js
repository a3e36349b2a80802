// How long answers are kept, what is kept now, and whether notices arrive.

import { ask, query } from "../api.js";
import {
  fillChoice,
  make,
  makeButton,
  makeChoice,
  makeEmpty,
  makeLoading,
  makeSection,
  makeState,
  makeTrouble,
  newId,
  setText,
} from "../dom.js";
import { makeTable } from "../table.js";
import { CLASSES, duration } from "../words.js";

export const title = "Settings";

const LIFETIMES = [
  ["fresh_s", "Fresh", "answered at once, without asking the server"],
  ["fresh_with_signal_s", "Fresh with events", "the same, while the server tells by itself when something changes"],
  ["stale_s", "Stale", "after that: answered at once a little older, and refreshed behind"],
  ["stale_on_error_s", "While down", "how long an answer may be used while the server does not answer"],
];

/** A year. */
const MOST_S = 31536000;

export function render(root, context) {
  root.append(lifetimes(context), care(context), notices(context));
}

const textOf = (seconds) =>
  seconds === null || seconds === undefined ? "–" : seconds === 0 ? "never" : duration(seconds);

// --- Lifetimes ---

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
    "Lifetimes",
    [
      { name: "Kind of question", kind: "name", value: (item) => [item.class, CLASSES[item.class] || ""] },
      ...LIFETIMES.map(column),
      {
        name: "Set by",
        isWords: true,
        value: (item) => (item.changed ? "you, here" : item.configured ? "the file" : "Greenroom"),
        about:
          "“you, here” is kept over restarts and goes before the configuration file; * marks what is not as Greenroom has it by itself",
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
            { "aria-label": "Change how long " + item.class + " of " + item.server + " is kept" },
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
        : makeEmpty("No lifetimes yet.", "They are listed when a media server is configured."),
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
    "Lifetimes",
    "How long an answer is used before the server is asked again. Longer saves more requests, shorter is newer. What the server announces as changed is never used any longer, whatever is said here.",
    filters,
    place,
    dialog.element,
  );
}

const keyOf = (item) => item.server + "/" + item.class;

/** Where one class's lifetimes are changed, with what longer ones would have saved. */
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
  const reset = makeButton("Reset", "danger", () => send(reset, "DELETE", {}));
  const save = make("button", { type: "submit", class: "main" }, "Keep these");
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
        setText(error, "A time is a whole number of seconds, at most a year.");
        error.hidden = false;
        return input.focus();
      }
      if (value !== item[key]) changed[key] = value;
    }
    if (Object.keys(changed).length === 0) return dialog.close();
    send(save, "PUT", changed);
  }

  async function showWhatIf() {
    whatIf.replaceChildren(make("p", { class: "fine" }, "What other lifetimes would have saved is being worked out…"));
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
        make("h3", {}, "From what was asked here lately"),
        options.length === 0
          ? make("p", { class: "fine" }, "Too little was asked to say what another lifetime would save.")
          : options.every((option) => option.saved_share === 0)
            ? make("p", { class: "fine" }, "No other lifetime would have saved or cost a request.")
            : make("ul", { class: "lines" }, options.map(line)),
      );
    } catch (failure) {
      if (asked === item && !context.signal.aborted)
        whatIf.replaceChildren(
          make("p", { class: "fine" }, "What other lifetimes would have saved cannot be told: " + failure.message),
        );
    }
  }

  return {
    element: dialog,
    open(policy) {
      item = policy;
      error.hidden = true;
      setText(heading, policy.class + " of " + policy.server);
      setText(
        about,
        (CLASSES[policy.class] ? "About " + CLASSES[policy.class] + ". " : "") +
          (policy.user_state ? "These answers are kept apart for every user. " : "") +
          (policy.warm ? "They are kept warm: refreshed before an app asks." : ""),
      );
      for (const { key, input, usual } of fields) {
        input.value = policy[key] ?? "";
        setText(usual, "By itself Greenroom has " + textOf(policy.default[key]) + ".");
      }
      reset.hidden = !policy.changed;
      dialog.showModal();
      fields[0].input.focus();
      showWhatIf();
    },
  };
}

// --- What is kept now ---

function care(context) {
  const wanted = { server: "", class: "" };
  const server = makeChoice("Server", [], "", (value) => {
    wanted.server = value;
  });
  const kind = makeChoice("Kind of question", [], "", (value) => {
    wanted.class = value;
    warm.disabled = value !== "";
  });
  context.on("figures", ({ servers, classes }) => {
    const kinds = [...new Set(classes.map((of) => of.class))].sort();
    server.hidden = servers.length < 2;
    kind.hidden = kinds.length === 0;
    fillChoice(server, [["", "all servers"], ...servers.map(({ name }) => [name, name])], wanted.server);
    fillChoice(kind, [["", "all kinds"], ...kinds.map((name) => [name, name])], wanted.class);
  });
  const about = () =>
    (wanted.class ? "answers of class " + wanted.class : "all answers") + (wanted.server ? " of " + wanted.server : "");
  const body = () => Object.fromEntries(Object.entries(wanted).filter(([, value]) => value));
  const scope = () => (wanted.class ? body() : { ...body(), all: true });

  const warm = makeButton("Warm", "main", () =>
    context.act(warm, () => ask("POST", "cache/warm", wanted.server ? { server: wanted.server } : {})),
  );
  const stale = makeButton("Mark as stale", "quiet", () =>
    context.act(stale, () => ask("POST", "cache/invalidate", scope())),
  );
  const clear = makeButton("Clear…", "danger", () =>
    context.withToken(async () => {
      const yes = await context.confirm({
        title: "Clear the cache?",
        text:
          "Nothing kept until now of " +
          about() +
          " is used any more" +
          (wanted.class ? "." : ", and counting begins at zero.") +
          " The next questions go to the media server again.",
        yes: "Clear",
      });
      if (yes) context.act(clear, () => ask("POST", "cache/clear", body()));
    }),
  );
  const line = (button, text) => make("div", { class: "deed" }, button, make("p", {}, text));
  return makeSection(
    "What is kept",
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
        "Refreshes now what apps asked for lately and what is to stay warm, so that the next question is answered at once. For a whole server.",
      ),
      line(stale, "What is kept is asked for anew, and is used only while the server cannot be asked."),
      line(
        clear,
        "Uses none of the kept answers any more. Nothing is lost on the media server; the next questions take as long as without Greenroom.",
      ),
    ),
  );
}

// --- Notices ---

function notices(context) {
  const outcome = make("ul", { class: "lines" });
  const line = ({ target, delivered, reason }) =>
    make(
      "li",
      { class: "row" },
      makeState(delivered ? "good" : "bad", target),
      make("span", { class: "fine" }, delivered ? "took it" : reason || "did not take it"),
    );
  const test = makeButton("Send a test", "quiet", () =>
    context.act(
      test,
      () => ask("POST", "notices/test", {}),
      ({ targets }) => outcome.replaceChildren(...(targets || []).map(line)),
    ),
  );
  return makeSection(
    "Notices",
    "A message when a server goes down or comes back, a build fails, a library shrinks, a token is rejected, or the disk cannot be used. Where it is sent is in the configuration file.",
    make(
      "div",
      { class: "card pad stack" },
      make(
        "div",
        { class: "deed" },
        test,
        make("p", {}, "Sends one message to every target in the configuration file, and says which of them took it."),
      ),
      outcome,
    ),
  );
}
