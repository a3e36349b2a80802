// Numbers, times and sizes as text, in the format of the reader's locale.

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
/** A share of one as a percentage, rounded down: 99.99 % is never shown as 100 %. */
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

/** A past time relative to now, such as "5 min ago". */
export function ago(ms, now = live.now()) {
  const seconds = Math.max(0, Math.round((now - ms) / 1000));
  if (seconds < 2) return "just now";
  if (seconds < 120) return seconds + " s ago";
  if (seconds < 7200) return duration(seconds) + " ago";
  return moment(ms, now);
}

/** A duration, such as "2 h 56 min". */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds === 0) return "0 s";
  if (seconds < 0.00005) return "under 0.1 ms";
  if (seconds < 0.01) return upToTenth.format(seconds * 1000) + " ms";
  if (seconds < 1) return count(seconds * 1000) + " ms";
  if (seconds < 10) return upToTenth.format(seconds) + " s";
  if (seconds < 120) return count(seconds) + " s";
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return minutes + " min";
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return withRest(hours + " h", minutes % 60, "min");
  const days = Math.floor(hours / 24);
  return withRest(count(days) + " days", days < 7 ? hours % 24 : 0, "h");
}

/** "2 h 56 min", or "2 h" where nothing is left over. */
const withRest = (whole, rest, unit) => (rest > 0 ? whole + " " + rest + " " + unit : whole);

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

/** Names of the kinds of server. */
export const KINDS = { plex: "Plex", jellyfin: "Jellyfin", http: "HTTP API" };

/** What each request type holds. */
export const CLASSES = {
  activities: "what the server is busy with",
  sessions: "who is playing what",
  "live-statistics": "statistics that change every few seconds",
  statistics: "slower statistics",
  counts: "number of items",
  server: "name, version, settings, devices",
  identity: "the server's identity",
  sections: "the list of libraries",
  history: "playback history",
  recent: "recently added",
  hubs: "suggestions and next up",
  resume: "on deck, continue watching",
  lists: "lists of a library",
  item: "one film, episode, album …",
  search: "search results",
  playlists: "playlists and their items",
  collections: "collections",
  users: "users and devices",
  "activity-log": "the activity log",
  images: "posters, covers, stills",
  assets: "files of the web client",
  writes: "changes, forwarded to the server",
  streams: "media, sockets and unknown paths, passed through",
  refused: "rejected, never forwarded",
};

/** A text with a capital letter and a full stop. */
export function sentence(text) {
  if (!text) return "";
  const whole = text[0].toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(whole) ? whole : whole + ".";
}
