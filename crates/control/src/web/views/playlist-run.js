// One run: begun with a playlist, followed to its end.

import { Refusal, query } from "../api.js";
import { make, makeButton } from "../dom.js";
import { makeProgress, showProgress } from "../table.js";
import { counted, duration, sentence } from "../words.js";

/** Where a run cannot be heard, it is asked for as often. */
const LOOK_EVERY_MS = 2000;

/** Sends a playlist as it is: what its bytes mean is found out by the server. Returns the run. */
export async function sendPlaylist({ body, name }, said, signal) {
  const path = "playlists/sync";
  const words = Object.entries({ ...said, hint: name }).filter(([, value]) => value !== false);
  let response;
  try {
    response = await fetch(`api/v1/${path}${query(Object.fromEntries(words))}`, {
      method: "POST",
      headers: { Accept: "application/json", "Content-Type": "application/octet-stream" },
      body,
      cache: "no-store",
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(path, 0, { title: "It could not be sent",
      detail: "Greenroom does not answer, or the file was changed meanwhile: choose it again." });
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refusal(path, response.status, { detail: sentence(answer.detail || answer.title) });
  return answer;
}

/** Hears of a run until it ends; `close` ends hearing. */
export function followRun(context, id, show, ended) {
  const path = `playlists/runs/${encodeURIComponent(id)}`;
  const source = new EventSource(`api/v1/${path}`);
  let timer = 0;
  let isOver = false;
  const close = () => {
    isOver = true;
    source.close();
    clearTimeout(timer);
  };
  const end = (run) => {
    if (isOver) return;
    close();
    ended(run);
  };
  const look = async () => {
    try {
      const run = await context.ask("GET", path);
      if (run.state !== "running") return end(run);
      show(run);
    } catch (error) {
      if (error.status === 404) {
        return end({ run: id, state: "failed", error: { message: "Greenroom was restarted meanwhile. Look it up again." } });
      }
    }
    if (!isOver) timer = setTimeout(look, LOOK_EVERY_MS);
  };
  source.addEventListener("progress", (frame) => show(JSON.parse(frame.data)));
  source.addEventListener("ended", (frame) => end(JSON.parse(frame.data)));
  source.addEventListener("error", () => {
    if (isOver) return;
    source.close();
    look();
  });
  return { close };
}

/** A run that is under way. */
export function makeUnderway(context, id) {
  const progress = makeProgress("How far it is");
  const cancel = makeButton("Cancel", "quiet", () => context.act(cancel, async () => {
    await context.ask("POST", `playlists/runs/${encodeURIComponent(id)}/cancel`);
    return { message: "It stops before the next write. What was written stays." };
  }));
  const element = make("div", { class: "card underway" }, progress, cancel);
  const show = (run) => showProgress(progress, shareOf(run.progress), stageOf(run.progress));
  show({ progress: { stage: "queued" } });
  return { element, show };
}

function shareOf({ done, total, percent }) {
  if (total > 0) return Math.min(1, done / total);
  return typeof percent === "number" ? percent / 100 : null;
}

/** How far a run is, in words. */
export function stageOf({ stage, done, total, account, percent, left_ms: leftMs }) {
  switch (stage) {
    case "queued": return "Begins soon";
    case "waiting-for-library": {
      const left = leftMs === null ? "" : `, about ${duration(leftMs / 1000)} left`;
      return `Waits for the library to be read whole${percent === null ? "" : `: ${percent} %`}${left}`;
    }
    case "reading-source": return "Reads the playlist it comes from";
    case "resolving": return `Looked up ${done} of ${counted(total, "row")}`;
    case "writing": return `Writes${account ? ` for ${account}` : ""}: ${done} of ${counted(total, "track")}`;
    default: return "Ends";
  }
}
