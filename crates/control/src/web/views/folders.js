// Folders of files: covers as a grid or a list, search as one types, marks, duplicates, progress of a scan.

import { ask, query } from "../api.js";
import { keep, make, makeButton, makeEmpty, makeTrouble, setAttribute, setText } from "../dom.js";
import { ago, bytes, count, counted } from "../words.js";

export const title = "Folders";

const PER_PAGE = 60;
const TYPING_MS = 200;
const STATES = {
  fresh: "Up to date",
  confirming: "From before the restart; being compared",
  rebuilding: "Being compared",
  suspicious: "Suspicious (held back): the last scan is not used",
};

export async function render(root, context) {
  let folders;
  try {
    ({ folders } = await context.ask("GET", "folders"));
  } catch (error) {
    if (!context.signal.aborted) root.append(makeTrouble(error));
    return;
  }
  if (folders.length === 0) {
    root.append(makeEmpty("No folder is configured.", "Add a [[folder]] to the configuration; docs/folders.md explains it."));
    return;
  }
  const name = context.path[0] || folders[0].name;
  if (folders.length > 1) root.append(makeTabs(folders, name));
  const report = folders.find((folder) => folder.name === name);
  if (report) openFolder(root, context, report);
  else root.append(makeEmpty("No folder has this name.", "Choose one of the list."));
}

function makeTabs(folders, name) {
  const link = (folder) =>
    make("a", { href: "#/folders/" + folder.name, "aria-current": folder.name === name && "page" }, folder.name);
  return make("p", { class: "chips" }, folders.map(link));
}

function openFolder(root, context, report) {
  const base = "folders/" + encodeURIComponent(report.name);
  const wanted = { search: "", filter: "all", sort: "name", direction: "asc", page: 1 };
  const state = make("p", { class: "lead", role: "status" });
  const problem = make("p", { class: "warning" });
  const shelf = make("ul", { class: "covers", "aria-label": "Files" });
  const pages = make("p", { class: "actions" });
  const chosen = new Set();
  const main = report.marks[0];
  let shown = null;
  let loads = 0;

  /** Loads the list; of several loads at a time only the last one is shown. */
  const load = async () => {
    const turn = ++loads;
    const asked = { ...wanted, per_page: PER_PAGE };
    try {
      const page = await ask("GET", base + "/files" + query(asked), undefined, context.signal);
      if (context.signal.aborted || turn !== loads) return;
      shown = page.files ? { files: page.total_files, filter: asked.filter, search: asked.search } : null;
      show(page);
    } catch (error) {
      if (error.name !== "AbortError" && turn === loads) setText(state, error.message);
    }
  };

  const show = (page) => {
    if (!page.files) {
      setText(state, page.message);
      return;
    }
    showState(page);
    wanted.page = page.page;
    keep(shelf, page.files, (file) => file.id, makeFile, showFile);
    showPages(page);
    for (const option of filters.options) {
      const number = option.value.startsWith("mark:") ? page.counts.marks[option.value.slice(5)] : page.counts[option.value];
      setText(option, option.dataset.word + (number === undefined ? "" : " (" + count(number) + ")"));
    }
  };

  const showState = (page) => {
    const parts = [counted(page.total_files, "file"), STATES[page.state] || page.state, "compared " + ago(Date.now() - page.age_ms)];
    if (page.progress) parts.push("a scan has found " + counted(page.progress.files, "file"));
    const { done, of, is_on: isOn } = page.enriched;
    if (isOn && done < of) parts.push("metadata of " + count(done) + " of " + count(of));
    setText(state, parts.join(" · "));
  };

  const makeFile = (file) => {
    const box = make("input", { type: "checkbox", "aria-label": "Select " + file.name });
    box.addEventListener("change", () => choose(file.path, box.checked));
    const picture = make("div", { class: "cover" });
    const words = make("div", { class: "words" }, make("b"), make("small"), make("p", { class: "marks" }));
    const item = make("li", { class: "card", tabindex: "0" }, box, picture, words);
    item.addEventListener("keydown", (event) => press(event, item));
    return item;
  };

  const showFile = (item, file) => {
    item.file = file;
    const [box, picture, words] = item.children;
    box.checked = chosen.has(file.path);
    const link = file.cover ? file.cover.replace(/^\//, "") : null;
    if (picture.dataset.link !== String(link)) {
      picture.dataset.link = String(link);
      const image = link && make("img", { src: link, alt: "", loading: "lazy", decoding: "async" });
      picture.replaceChildren(image || make("span", {}, file.format));
    }
    setText(words.children[0], nameOf(file));
    setText(words.children[1], aboutOf(file));
    setText(words.children[2], file.marks.join(", "));
    setAttribute(item, "title", file.path);
  };

  const choose = (path, isChosen) => {
    if (isChosen) chosen.add(path);
    else chosen.delete(path);
    setText(number, chosen.size ? counted(chosen.size, "file") + " selected" : "All files shown by search and filter");
  };

  /** Arrows move, the space bar selects, M sets or removes the main mark. */
  const press = (event, item) => {
    const step = { ArrowRight: item.nextElementSibling, ArrowLeft: item.previousElementSibling }[event.key];
    if (step) step.focus();
    else if (event.key === " " && event.target === item) {
      item.firstChild.checked = !item.firstChild.checked;
      choose(item.file.path, item.firstChild.checked);
    } else if (event.key.toLowerCase() === "m" && event.target === item) {
      const action = item.file.marks.includes(main) ? "unset" : "set";
      change(null, { mark: main, action, paths: [item.file.path] });
    } else return;
    event.preventDefault();
  };

  const change = (button, body) =>
    context.act(button, () => context.ask("POST", base + "/marks", body), async (answer) => {
      context.say(counted(answer.changed, "file") + " changed");
      await load();
    });

  const changeChosen = async (button, action) => {
    const body = { mark: marks.value, action };
    if (chosen.size) body.paths = [...chosen];
    else {
      if (!shown) return;
      // What the list showed, also if the search changes meanwhile.
      const { files, filter, search } = shown;
      Object.assign(body, { filter, search });
      const sure = await context.confirm({
        title: "Change " + counted(files, "file") + "?",
        text: "All files that search and filter show. This can be undone.",
        yes: "Change",
      });
      if (!sure) return;
    }
    await change(button, body);
  };

  const showPages = (page) => {
    const to = (number, text) =>
      makeButton(text, "quiet", () => {
        wanted.page = number;
        load();
        shelf.focus();
      });
    const parts = [];
    pages.hidden = page.total_pages <= 1;
    if (page.page > 1) parts.push(to(page.page - 1, "Previous"));
    parts.push(make("span", {}, "Page " + count(page.page) + " of " + count(page.total_pages)));
    if (page.page < page.total_pages) parts.push(to(page.page + 1, "Next"));
    pages.replaceChildren(...parts);
  };

  const from = (key) => (event) => {
    Object.assign(wanted, { [key]: event.target.value, page: 1 });
    load();
  };
  let typing;
  const search = make("input", { type: "search", placeholder: "Search", "aria-label": "Search", maxlength: "200" });
  search.addEventListener("input", (event) => {
    clearTimeout(typing);
    typing = setTimeout(() => from("search")(event), TYPING_MS);
  });
  const filters = makeChoice("Filter", filtersOf(report), from("filter"));
  const sorts = makeChoice("Sort", [["name", "Name"], ["date", "Date"], ["size", "Size"], ["series", "Series"]], from("sort"));
  const directions = makeChoice("Direction", [["asc", "Ascending"], ["desc", "Descending"]], from("direction"));
  const marks = makeChoice("Mark", report.marks.map((mark) => [mark, mark]), () => {});
  const number = make("span", {}, "All files shown by search and filter");
  const looks = makeButton("As a list", "quiet", () => {
    const isList = shelf.classList.toggle("listed");
    setText(looks, isList ? "As a grid" : "As a list");
  });
  const set = makeButton("Set", "quiet", () => changeChosen(set, "set"));
  const unset = makeButton("Remove", "quiet", () => changeChosen(unset, "unset"));
  const undo = makeButton("Undo", "quiet", () => context.act(undo, () => context.ask("POST", base + "/marks/undo"), load));
  const scan = makeButton("Scan now", "quiet", () => context.act(scan, () => context.ask("POST", base + "/scan")));
  const tools = make("div", { class: "card tools" },
    make("div", { class: "search" }, search, filters, sorts, directions, looks, scan),
    make("div", { class: "search" }, marks, set, unset, undo, number));
  root.append(state, problem, tools, shelf, pages, makeChanges(base, context), makeDuplicates(base, context));
  load();
  follow(base, context, (now) => {
    problem.hidden = !now.problem;
    setText(problem, now.problem || "");
    load();
  });
}

function filtersOf(report) {
  const plain = [["all", "All"], ["marked", "With " + report.marks[0]], ["unmarked", "Without " + report.marks[0]],
    ["duplicates", "Duplicates"], ["unread", "Metadata not read"]];
  return plain.concat(report.marks.map((mark) => ["mark:" + mark, mark]));
}

function makeChoice(label, values, changed) {
  const options = values.map(([value, word]) => make("option", { value, "data-word": word }, word));
  return make("select", { "aria-label": label, on: { change: changed } }, options);
}

function nameOf({ comic, name }) {
  if (!comic || !comic.series) return name;
  return comic.series + (comic.number ? " " + comic.number : "") + (comic.title ? ": " + comic.title : "");
}

function aboutOf(file) {
  const parts = [bytes(file.size)];
  if (file.pages !== undefined) parts.push(counted(file.pages, "page"));
  if (file.comic && file.comic.year) parts.push(String(file.comic.year));
  if (file.metadata === "unreadable" || file.metadata === "unsupported") parts.push(file.problem || file.metadata);
  return parts.join(" · ");
}

/** Hears of changes; the list is loaded again at each. */
function follow(base, context, changed) {
  const source = new EventSource("api/v1/" + base + "/events");
  source.addEventListener("folder", (frame) => changed(JSON.parse(frame.data)));
  context.signal.addEventListener("abort", () => source.close());
}

/** Opens as details whose list is loaded when it is opened. */
function makeLoadedList(heading, load) {
  const list = make("ul", { class: "rows" });
  const details = make("details", { class: "card more" }, make("summary", {}, heading), list);
  details.addEventListener("toggle", async () => {
    if (!details.open) return;
    try {
      const rows = await load();
      list.replaceChildren(...(rows.length ? rows : [make("li", {}, "None.")]));
    } catch (error) {
      if (error.name !== "AbortError") list.replaceChildren(make("li", {}, error.message));
    }
  });
  return details;
}

/** What changed since last week, newest first. */
function makeChanges(base, context) {
  const kinds = { added: "Added", removed: "Removed", renamed: "Renamed", rewritten: "Content changed" };
  return makeLoadedList("Changed since last week", async () => {
    const found = await context.ask("GET", base + "/changes?limit=500");
    const sums = Object.keys(kinds).filter((kind) => found.counts[kind]);
    const summary = sums.map((kind) => kinds[kind] + ": " + count(found.counts[kind])).join(" · ");
    const rows = found.changes.map((change) =>
      make("li", {},
        make("small", {}, kinds[change.kind] + " " + ago(change.at_ms)),
        make("b", {}, change.path),
        change.previous_path && make("small", {}, "before: " + change.previous_path)));
    return summary ? [make("li", {}, summary), ...rows] : rows;
  });
}

/** Files that seem to be duplicates, side by side, loaded when they are opened. */
function makeDuplicates(base, context) {
  return makeLoadedList("Possible duplicates", async () => {
    const found = await context.ask("GET", base + "/duplicates?limit=100");
    const words = { "same-content": "The same content", "same-issue": "The same series and number" };
    const side = (file) =>
      make("div", { class: "item" },
        file.cover && make("img", { src: file.cover.replace(/^\//, ""), alt: "", loading: "lazy", width: "80" }),
        make("b", {}, file.path), make("small", {}, aboutOf(file)));
    const more = (group) => group.total_files > group.files.length && " (" + counted(group.total_files, "file") + ")";
    return found.groups.map((group) =>
      make("li", {}, make("small", {}, words[group.reason], more(group)), group.files.map(side)));
  });
}
