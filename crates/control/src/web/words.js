// Figures in words: numbers, times and sizes as the reader's own country writes them.

import * as live from "./live.js";

const whole = new Intl.NumberFormat();
const tenth = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const upToTenth = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const shortClock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const dayOfYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

/** A whole number. */
export const count = (value) => whole.format(Math.round(value));
/** A number with its noun: "1 request", "12 requests". */
export const counted = (value, noun, nouns = noun + "s") => count(value) + " " + (value === 1 ? noun : nouns);
/** A share of one, rounded down: what is not whole is never shown as whole. */
export const percent = (share) =>
  share === null || share === undefined ? "–" : upToTenth.format(Math.floor(share * 1000) / 10) + " %";
/** The time of day, with seconds. */
export const time = (ms) => clock.format(ms);
/** The time of day. */
export const minute = (ms) => shortClock.format(ms);
/** A day. */
export const date = (ms) => day.format(ms);

/** Where the reader's clock is: all times are told by it. */
export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** A time of day, with its day if that is not today, and with its year if that is not this year. */
export function moment(ms, now = live.now()) {
  const [then, today] = [new Date(ms), new Date(now)];
  if (then.toDateString() === today.toDateString()) return minute(ms);
  const named = then.getFullYear() === today.getFullYear() ? date(ms) : dayOfYear.format(ms);
  return named + ", " + minute(ms);
}

/** How long ago. */
export function ago(ms, now = live.now()) {
  const seconds = Math.max(0, Math.round((now - ms) / 1000));
  if (seconds < 2) return "just now";
  if (seconds < 120) return seconds + " s ago";
  if (seconds < 7200) return Math.round(seconds / 60) + " min ago";
  return moment(ms, now);
}

/** How long, in the unit that fits. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds === 0) return "0 s";
  if (seconds < 0.00005) return "under 0.1 ms";
  if (seconds < 0.01) return upToTenth.format(seconds * 1000) + " ms";
  if (seconds < 1) return count(seconds * 1000) + " ms";
  if (seconds < 10) return upToTenth.format(seconds) + " s";
  if (seconds < 120) return count(seconds) + " s";
  if (seconds < 7200) return count(seconds / 60) + " min";
  if (seconds < 172800) return upToTenth.format(seconds / 3600) + " h";
  return count(seconds / 86400) + " days";
}

/** A size in memory or on disk. */
export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return (unit === 0 || value >= 100 ? count(value) : tenth.format(value)) + " " + units[unit];
}

/** What kinds of server are called. */
export const KINDS = { plex: "Plex", jellyfin: "Jellyfin" };

/** What a class of questions is about. */
export const CLASSES = {
  activities: "what the server is busy with",
  sessions: "who plays what now",
  "live-statistics": "statistics that move every few seconds",
  statistics: "slower statistics",
  counts: "how many items there are",
  server: "name, version, settings, devices",
  identity: "who the server is",
  sections: "the list of libraries",
  history: "what was played",
  recent: "what was added lately",
  hubs: "suggestions and next up",
  resume: "on deck, continue watching",
  lists: "lists over a library",
  item: "one film, episode, album …",
  search: "search results",
  playlists: "playlists and their items",
  collections: "collections",
  users: "users and devices",
  "activity-log": "the activity log",
  images: "posters, covers, stills",
  assets: "files of the web client",
  writes: "changes, passed on to the server",
  streams: "media, sockets and what is unknown, passed through",
  refused: "what is not forwarded at all",
};

/** A text with a capital letter and a full stop. */
export function sentence(text) {
  if (!text) return "";
  const whole = text[0].toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(whole) ? whole : whole + ".";
}
