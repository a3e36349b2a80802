// Playlists made from what a simulated Plex holds.

/** Its first tracks, as its owner sees them. */
export async function tracksOf(server, number) {
  const answer = await server.asOwner(`/library/sections/3/all?type=10&X-Plex-Container-Start=0&X-Plex-Container-Size=${number * 3}`);
  const seen = new Set();
  // One of each name: which of several is meant would not be certain.
  const isNew = ({ title }) => !seen.has(title) && seen.add(title);
  return answer.MediaContainer.Metadata.filter(isNew).slice(0, number);
}

/** Rows as a CSV file that a browser can choose. */
export function csvFile(name, rows) {
  const quoted = (cell) => `"${String(cell ?? "").replaceAll('"', '""')}"`;
  const lines = [["title", "artist", "album"], ...rows].map((row) => row.map(quoted).join(","));
  return { name, mimeType: "text/csv", buffer: Buffer.from(lines.join("\r\n")) };
}

/** Tracks as rows. */
export const rowsOf = (tracks) => tracks.map((track) => [track.title, track.grandparentTitle, track.parentTitle]);

/** The titles in the playlist of this name, as this token's owner sees it; null if there is none. */
export async function playlistOf(server, name, token = "plx-owner-a") {
  const read = async (path) => {
    const headers = { "X-Plex-Token": token, Accept: "application/json" };
    return (await (await fetch(server.url + path, { headers })).json()).MediaContainer.Metadata ?? [];
  };
  const found = (await read("/playlists")).find(({ title }) => title === name);
  return found ? (await read(`/playlists/${found.ratingKey}/items`)).map(({ title }) => title) : null;
}
