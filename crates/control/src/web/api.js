// Questions to the API of this very server.

/** An answer that is not what was asked for. */
export class Refusal extends Error {
  constructor(path, status, problem) {
    super([problem.title, problem.detail].filter(Boolean).join(". ") || "The request failed (" + status + ").");
    this.path = path;
    this.status = status;
  }
}

/** Asks; the answer as JSON, or a `Refusal`. */
export async function ask(method, path, body, signal) {
  const options = { method, headers: { Accept: "application/json" }, cache: "no-store", signal };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch("api/v1/" + path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(path, 0, { title: "Greenroom does not answer" });
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refusal(path, response.status, answer);
  return answer;
}

/** A query from what is set of these. */
export function query(values) {
  const set = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return set.length === 0 ? "" : "?" + new URLSearchParams(set);
}
