//! Exports rows as CSV with a heading or as JSPF. This module's parsers read both back unchanged.

use serde_json::{Value, json};

use super::PlaylistRow;

/// Heading of an exported table.
pub const HEADING: [&str; 8] = ["line", "title", "artist", "artists", "album", "duration_s", "ids", "path"];

/// Formats rows as a table.
pub fn csv<'a>(rows: impl IntoIterator<Item = &'a PlaylistRow>) -> String {
    let mut out = line(&HEADING);
    for row in rows {
        out.push_str(&line(&cells(row)));
    }
    out
}

/// Formats the rows of several playlists as a table with a further column, `playlist`.
pub fn csv_of_playlists<'a>(playlists: impl IntoIterator<Item = (&'a str, &'a [PlaylistRow])>) -> String {
    let mut out = HEADING.join(",") + ",playlist\r\n";
    for (name, rows) in playlists {
        for row in rows {
            let mut cells = cells(row).to_vec();
            cells.push(name.to_owned());
            out.push_str(&line(&cells));
        }
    }
    out
}

fn cells(row: &PlaylistRow) -> [String; HEADING.len()] {
    [
        row.line.to_string(),
        row.title.clone(),
        row.artist.clone(),
        row.artists.join(";"),
        row.album.clone(),
        row.duration_s.map(|seconds| seconds.to_string()).unwrap_or_default(),
        row.ids.join(";"),
        row.path.clone().unwrap_or_default(),
    ]
}

/// Formats one line of a table.
pub fn line(cells: &[impl AsRef<str>]) -> String {
    let mut out = cells.iter().map(|cell| quoted(cell.as_ref())).collect::<Vec<_>>().join(",");
    out.push_str("\r\n");
    out
}

/// A cell, quoted if necessary. A leading blank keeps spreadsheets from reading the cell as a formula; the
/// parsers here remove it.
fn quoted(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@']);
    let guarded = if is_formula { format!(" {cell}") } else { cell.to_owned() };
    let is_plain = !is_formula && !guarded.contains([',', '"', '\n', '\r', ';', '\t', '|']);
    let is_tight = guarded.trim() == guarded;
    if is_plain && is_tight { guarded } else { format!("\"{}\"", guarded.replace('"', "\"\"")) }
}

/// Formats rows as JSPF.
pub fn jspf<'a>(name: &str, rows: impl IntoIterator<Item = &'a PlaylistRow>) -> Value {
    let track = |row: &PlaylistRow| {
        let mut track = json!({
            "title": row.title,
            "creator": row.artist,
            "album": row.album,
            "identifier": row.ids,
        });
        if !row.artists.is_empty() {
            track["artists"] = json!(row.artists);
        }
        if let Some(seconds) = row.duration_s {
            track["duration"] = json!(u64::from(seconds) * 1000);
        }
        if let Some(path) = &row.path {
            track["location"] = json!([path]);
        }
        track
    };
    json!({"playlist": {"title": name, "track": rows.into_iter().map(track).collect::<Vec<_>>()}})
}
