// One run: sending the playlist, and following the run to its end.

import { Refusal, query } from "../api.js";
import { make, makeButton } from "../dom.js";
import { makeProgress, showProgress } from "../table.js";
import { counted, duration, sentence } from "../words.js";

/** Polling interval where events do not arrive. */
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
    throw new Refusal(path, 0, { title: "Not sent",
      detail: "Greenroom does not answer, or the file has changed: choose it again." });
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refusal(path, response.status, { detail: sentence(answer.detail || answer.title) });
  return answer;
}

/** Follows a run until it ends; `close` stops that. */
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
        return end({ run: id, state: "failed", error: { message: "Greenroom was restarted. Preview again." } });
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
  const progress = makeProgress("Progress of the run");
  const cancel = makeButton("Cancel", "quiet", () => context.act(cancel, async () => {
    await context.ask("POST", `playlists/runs/${encodeURIComponent(id)}/cancel`);
    return { message: "Stops before the next write. What was written stays." };
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

/** The stage of a run as text. */
export function stageOf({ stage, done, total, account, percent, left_ms: leftMs }) {
  switch (stage) {
    case "queued": return "Starting";
    case "waiting-for-library": {
      const left = leftMs === null ? "" : `, about ${duration(leftMs / 1000)} left`;
      return `Waiting for the index build${percent === null ? "" : `: ${percent} %`}${left}`;
    }
    case "reading-source": return "Reading the playlist";
    case "resolving": return `Matched ${done} of ${counted(total, "row")}`;
    case "writing": return `Importing${account ? ` for ${account}` : ""}: ${done} of ${counted(total, "track")}`;
    default: return "Finishing";
  }
}
