// Elements. Whatever comes from outside is set as text, never as markup.

/** The element of the document with this id. */
export const $ = (id) => document.getElementById(id);

/**
 * Makes an element. Attributes that are null, undefined or false are left out; `on` holds listeners by event;
 * children are elements or text, those that are null or false are left out.
 */
export function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "on") for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** A button that does something: `look` is "main", "quiet" or "danger". */
export function makeButton(text, look, press, attributes = {}) {
  return make("button", { type: "button", class: look, on: { click: press }, ...attributes }, text);
}

/** Sets a text if it is another, so that readers and selections are left in peace. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets an attribute if it is another; null removes it. */
export function setAttribute(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/**
 * Keeps one child of `parent` per item, in their order, and lets `update` fill each. Kept children stay as they are, and
 * keep the focus; it goes from one that goes to the one after it, or to the heading of the view.
 */
export function keep(parent, items, keyOf, makeOne, update = () => {}) {
  const known = parent.known || (parent.known = new Map());
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const staying = new Set(items.map(keyOf));
  let next = null;
  for (const [key, child] of known) {
    if (staying.has(key)) continue;
    if (child.contains(focused)) next = nextOf(child, known, staying);
    child.remove();
    known.delete(key);
  }
  const wanted = new Set();
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    if (wanted.has(key)) continue;
    wanted.add(key);
    let child = known.get(key);
    if (!child) known.set(key, (child = makeOne(item)));
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
    update(child, item);
  }
  if (focused && !parent.contains(document.activeElement)) giveFocus(parent.contains(focused) ? focused : next);
}

/** The next child after this one that stays, or the one before it. */
function nextOf(child, known, staying) {
  const stays = new Set([...known].filter(([key]) => staying.has(key)).map(([, other]) => other));
  const all = [...child.parentElement.children];
  const at = all.indexOf(child);
  return all.slice(at + 1).concat(all.slice(0, at).reverse()).find((other) => stays.has(other));
}

/** Gives the focus to an element, or to the first in it that takes it, or to the heading of the view. */
function giveFocus(element) {
  const able = "a[href], button, input, select, textarea, summary, [tabindex]";
  const within = element && (element.matches(able) ? element : element.querySelector(able));
  const takes = within || $("view").querySelector("h1");
  if (takes) takes.focus({ preventScroll: true });
}

let lastId = 0;

/** An id that no other element has. */
export const newId = (word) => word + "-" + (lastId += 1);

/** A section with a heading of its own, and a word about it. */
export function makeSection(title, about, ...children) {
  const id = newId("section");
  return make(
    "section",
    { "aria-labelledby": id },
    make("h2", { id }, title),
    about && make("p", { class: "lead" }, about),
    ...children,
  );
}

/** A card that says that there is nothing yet, and what to do next. */
export function makeEmpty(strong, ...more) {
  return make("div", { class: "card empty" }, make("p", {}, make("strong", {}, strong), " ", ...more));
}

/** Keeps a card for each of these, pairs of what is so and what to do next. */
export function keepNotes(place, notes) {
  keep(place, notes, ([what, next]) => what + next, ([what, next]) => makeEmpty(what, next));
}

/** A card in the place of what is on its way. */
export const makeLoading = () => make("div", { class: "card empty" }, make("p", {}, "Loading…"));

/** A card that says why something cannot be shown. */
export function makeTrouble(error) {
  return error.status === 404
    ? makeEmpty("Not available.", "This Greenroom has no " + error.path.split("?")[0] + ".")
    : makeEmpty("This cannot be shown.", error.message);
}

/** Copies a text. Pages that were not fetched encrypted have no clipboard but the one of a selection. */
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = make("textarea", { class: "unseen", readonly: "", "aria-hidden": "true" });
  field.value = text;
  const focused = document.activeElement;
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  focused?.focus();
  if (!isCopied) throw new Error("not copied");
}

/** A button that copies a text. */
export function makeCopy(text, label) {
  const button = makeButton(
    "Copy",
    "quiet small",
    async () => {
      try {
        await copy(text);
        setText(button, "Copied");
      } catch {
        setText(button, "Not allowed");
      }
      setTimeout(() => setText(button, "Copy"), 2000);
    },
    { "aria-label": label },
  );
  return button;
}

/** A choice: `options` are pairs of value and text. */
export function makeChoice(label, options, chosen, change) {
  const select = make(
    "select",
    { on: { change: () => change(select.value) } },
  );
  const choice = make("label", { class: "choice" }, make("span", {}, label), select);
  fillChoice(choice, options, chosen);
  return choice;
}

/** Changes what is offered by what `makeChoice` made; where it is the same, nothing moves. What is not offered any more stays chosen. */
export function fillChoice(choice, options, chosen) {
  const select = choice.lastChild;
  const gone = !chosen || options.some(([value]) => value === chosen) ? [] : [[chosen, chosen]];
  const wanted = options.concat(gone);
  const isSame = ([value], index) => select.options[index] && select.options[index].value === value;
  if (select.options.length === wanted.length && wanted.every(isSame)) return;
  select.replaceChildren(
    ...wanted.map(([value, text]) => make("option", { value, selected: value === chosen }, text)),
  );
}

/** A dot with a word: the colour is never alone. `state` is "good", "bad", "busy" or "idle". */
export function makeState(state, text) {
  return make("span", { class: "state", "data-state": state }, make("i", { class: "light" }), make("span", {}, text));
}

/** Changes what `makeState` made. */
export function setState(element, state, text) {
  setAttribute(element, "data-state", state);
  setText(element.lastChild, text);
}
