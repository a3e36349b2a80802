// The import form: playlist, server, name, and mode.

import { make, makeButton, makeEmpty, newId, setText } from "../dom.js";
import { bytes, counted } from "../words.js";
import { sendPlaylist } from "./playlist-run.js";

/** Longest playlist that is read. */
const MAX_BYTES = 16 * 1024 * 1024;
const ACCEPTED = ".jspf,.xspf,.json,.m3u,.m3u8,.pls,.csv,.tsv,.txt,application/json,text/csv,audio/x-mpegurl";

const MODES = [
  ["create", "Leave it unchanged", "Import only if no playlist has this name."],
  ["replace", "Replace it", "Afterwards it holds exactly these tracks, in this order."],
  ["append", "Add to it", "Missing tracks are added at the end."],
];

const POLICIES = [
  ["strict", "this recording only"],
  ["prefer-version-else-any", "another version if this one is not found"],
  ["ids-only", "same ID only"],
];

/** The form; `look(button, wish)` is called with what is to be looked up. */
export function makeForm(context, look) {
  const source = makeSource(context);
  const target = makeTarget(context);
  const name = make("input", { type: "text", maxlength: "200", autocomplete: "off",
    placeholder: "from the playlist" });
  const modes = makeRadios("If the playlist exists", "mode", MODES);
  const policy = make("select", {}, POLICIES.map(([value, text]) => make("option", { value }, text)));
  const live = make("input", { type: "number", min: "0", max: "500", value: "0", inputmode: "numeric" });
  const part = make("input", { type: "number", min: "1", max: "1000", inputmode: "numeric", placeholder: "1" });
  const button = makeButton("Preview", "main", null, { type: "submit" });
  const error = make("p", { class: "error", role: "alert", hidden: true });

  const refuse = (text) => {
    setText(error, text);
    error.hidden = false;
  };
  const submit = (event) => {
    event.preventDefault();
    error.hidden = true;
    const playlist = source.taken();
    if (!playlist) {
      refuse("Choose a file, drop one, or paste a playlist first.");
      return source.focus();
    }
    if (playlist.body.size === 0) return refuse("The playlist is empty.");
    if (playlist.body.size > MAX_BYTES) return refuse("The playlist is longer than 16 MiB.");
    look(button, wishOf(context, playlist, {
      ...target.chosen(),
      // One of several has its own name.
      name: name.value.trim() || (playlist.isPasted || part.value ? "" : nameOf(playlist.name)),
      ...(part.value ? { part: part.value } : {}),
      mode: modes.chosen(),
      policy: policy.value,
      live: live.value || "0",
    }, refuse));
  };
  const element = make("form", { class: "card form", novalidate: true, on: { submit } },
    source.element,
    target.note, make("div", { class: "fields" }, target.element, field("Name", name, "Its name on the server.")),
    modes.element,
    make("details", { class: "more" }, make("summary", {}, "More options"),
      make("div", { class: "fields" }, field("Accepted matches", policy),
        field("Playlist number", part, "If the file holds several playlists."),
        field("Server searches", live, "Maximum number of rows not in the index that are searched on the server."))),
    error, make("div", { class: "actions" }, button,
      make("span", { class: "fine" }, "Nothing is written. You see every row first.")));
  return { element };
}

/** A request: what to send, and how to send it again. */
function wishOf(context, playlist, said, refuse) {
  return {
    send: async (isDry) => {
      try {
        return await sendPlaylist(playlist, { ...said, dry_run: isDry, wait: true, detach: true }, context.signal);
      } catch (error) {
        if (error.name !== "AbortError") refuse(error.message);
        throw error;
      }
    },
    /** The same, where a playlist may lose most of its tracks or may not. */
    meaning: (mayShrink) => wishOf(context, playlist, { ...said, shrink: mayShrink }, refuse),
  };
}

/** The name of a file without its ending. */
const nameOf = (file) => file.replace(/\.[^.]*$/, "").trim();

/** Where the playlist comes from: a file that is dropped or chosen, or text that is pasted. */
function makeSource(context) {
  const input = make("input", { type: "file", class: "unseen", accept: ACCEPTED });
  const strong = make("strong", {}, "Drop a playlist here, or choose a file");
  const small = make("small", {}, "JSPF, XSPF, M3U, PLS, CSV, JSON or lines “Artist - Title” · up to 20,000 rows");
  const drop = make("label", { class: "drop" }, input, strong, small);
  const text = make("textarea", { rows: "6", spellcheck: "false", id: newId("paste") });
  const paste = make("details", { class: "more" }, make("summary", {}, "Or paste it"),
    make("label", { for: text.id }, "The playlist, in any of these formats"), text,
    make("p", { class: "fine" }, "For instance a first line “title,artist” and a line for each track."));
  let file = null;

  const take = (one) => {
    if (!one) return;
    file = one;
    setText(strong, one.name);
    setText(small, `${bytes(one.size)} · choose or drop another file instead`);
    drop.classList.add("taken");
  };
  input.addEventListener("change", () => take(input.files[0]));
  // A file dropped beside it must not replace the page, with all that was filled in.
  const whole = { signal: context.signal };
  addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.toggle("over", drop.contains(event.target));
  }, whole);
  addEventListener("dragleave", () => drop.classList.remove("over"), whole);
  addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length > 0) take(event.dataTransfer.files[0]);
  }, whole);
  text.addEventListener("input", () => {
    const lines = text.value.split("\n").filter((line) => line.trim() !== "").length;
    drop.hidden = lines > 0;
    setText(paste.firstChild, lines > 0 ? `Pasted: ${counted(lines, "line")}` : "Or paste it");
  });

  const taken = () => {
    if (text.value.trim() !== "") return { body: new Blob([text.value]), name: "pasted", isPasted: true };
    return file && { body: file, name: file.name, isPasted: false };
  };
  return { element: make("div", { class: "source" }, drop, paste), taken, focus: () => input.focus() };
}

/** Which server, library and accounts. */
function makeTarget(context) {
  const server = make("select", {});
  const library = make("select", {});
  const accounts = make("fieldset", { class: "ticks" }, make("legend", {}, "Users"));
  const serverField = field("Server", server);
  const libraryField = field("Library", library);
  const note = make("div", { class: "note" });
  let servers = [];
  let libraries = [];

  const fill = () => {
    const own = libraries.filter((one) => one.server === server.value && one.contents === "music");
    library.replaceChildren(...own.map(({ id, title }) => make("option", { value: id }, title)));
    libraryField.hidden = own.length < 2;
    const { accounts: names = [] } = servers.find((one) => one.server === server.value) || {};
    accounts.hidden = names.length === 0;
    accounts.replaceChildren(accounts.firstChild, ...names.map((name) =>
      make("label", {}, make("input", { type: "checkbox", value: name }), make("span", {}, name))),
    make("p", { class: "fine" }, "None selected: the owner of the configured token."));
  };
  server.addEventListener("change", fill);
  context.ask("GET", "libraries").then((known) => {
    ({ servers, libraries } = known);
    const able = servers.filter(({ server: name }) =>
      libraries.some((one) => one.server === name && one.contents === "music"));
    server.replaceChildren(...(able.length > 0 ? able : servers).map(({ server: name }) =>
      make("option", { value: name }, name)));
    serverField.hidden = servers.length < 2;
    if (able.length === 0) {
      note.append(makeEmpty("No music library is known yet.", "See ",
        make("a", { href: "#/libraries" }, "Libraries"), "."));
    }
    fill();
  }).catch((error) => error.name !== "AbortError" && note.append(make("p", { class: "error" }, error.message)));

  const ticked = () => [...accounts.querySelectorAll("input:checked")].map(({ value }) => value).join(",");
  return {
    note,
    element: make("div", { class: "target" }, serverField, libraryField, accounts),
    chosen: () => ({ server: server.value, library: library.value, accounts: ticked() }),
  };
}

/** A field with its label and a word about it. */
function field(label, input, about) {
  const id = newId("field");
  input.id = id;
  if (about) input.setAttribute("aria-describedby", `${id}-about`);
  return make("div", { class: "entry" }, make("label", { for: id }, label), input,
    about && make("p", { class: "fine", id: `${id}-about` }, about));
}

function makeRadios(label, name, options) {
  const radios = options.map(([value, text, about], index) => make("label", {},
    make("input", { type: "radio", name, value, checked: index === 0 }),
    make("span", {}, make("b", {}, text), make("small", {}, about))));
  const element = make("fieldset", { class: "radios" }, make("legend", {}, label), radios);
  return { element, chosen: () => element.querySelector("input:checked").value };
}
