//! Tracks to find, as given on the command line: each as text, or many in a CSV file that is named among them.

use std::path::Path;

use serde_json::{Value, json};

use crate::track_table::{TrackFields, TrackTable, TrackTableError, TrackTableRow};

/// Column that names a row; without it the row's number does.
const KEY: &str = "qid";

/// Tracks to find, each with its name in the report.
#[derive(Debug, Default, PartialEq)]
pub struct TrackList {
    /// Names, in order.
    pub names: Vec<String>,
    /// The tracks as the API takes them, in the same order.
    pub tracks: Vec<Value>,
    /// Rows that cannot be read, each as a sentence.
    pub bad_rows: Vec<String>,
}

impl TrackList {
    /// The tracks of arguments. One that names a CSV file stands for the rows of that file.
    ///
    /// # Errors
    /// A file cannot be read, or lacks a column; the message names it.
    pub fn from_arguments(arguments: &[String]) -> Result<Self, String> {
        let mut list = Self::default();
        for argument in arguments {
            if is_table(Path::new(argument)) {
                list.add_rows(Path::new(argument)).map_err(|error| format!("{argument}: {error}"))?;
            } else {
                list.names.push(argument.clone());
                list.tracks.push(typed(argument));
            }
        }
        Ok(list)
    }

    fn add_rows(&mut self, path: &Path) -> Result<(), TrackTableError> {
        let mut table = TrackTable::open_numbered(path, KEY)?;
        while let Some(row) = table.next_row()? {
            match row {
                TrackTableRow::Good(fields) => {
                    self.names.push(format!("{} {} - {}", fields.key, fields.artist, fields.title));
                    self.tracks.push(as_json(&fields));
                }
                TrackTableRow::Bad { line, reason, .. } => {
                    self.bad_rows.push(format!("{}: line {line}: {reason}", path.display()));
                }
            }
        }
        Ok(())
    }
}

/// Whether an argument names a table of tracks rather than a track.
fn is_table(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv"))
        && (path.is_file() || path.components().count() > 1)
}

fn as_json(fields: &TrackFields) -> Value {
    let mut track = json!({"title": fields.title, "artist": fields.artist});
    if !fields.artists_joined.is_empty() {
        track["artists"] = json!(fields.artists());
    }
    if !fields.album.is_empty() {
        track["album"] = json!(fields.album);
    }
    if let Some(seconds) = fields.duration_s {
        track["duration_s"] = json!(seconds);
    }
    track
}

/// A typed track: `Artist - Title`, or an id.
fn typed(text: &str) -> Value {
    if greenroom_library::external_id::canonical(text).is_some() {
        return json!({ "ids": [text] });
    }
    match text.split_once(" - ") {
        Some((artist, title)) => json!({ "artist": artist.trim(), "title": title.trim() }),
        None => json!({ "title": text.trim() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(arguments: &[&str]) -> Result<TrackList, String> {
        TrackList::from_arguments(&arguments.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_track_is_given_as_artist_and_title_or_as_an_id() {
        assert_eq!(typed("Jay-Z - 99 Problems - Live"), json!({"artist": "Jay-Z", "title": "99 Problems - Live"}));
        assert_eq!(typed("Creep"), json!({"title": "Creep"}));
        assert_eq!(typed("USUM71703861"), json!({"ids": ["USUM71703861"]}));
    }

    #[test]
    fn a_csv_file_among_the_tracks_stands_for_its_rows_and_row_numbers_for_a_missing_qid() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("it is written");
            path.to_string_lossy().into_owned()
        };
        let plain = file("plain.csv", "title,artist,duration_s\nOur Way,Someone,200\n\nLast,Other,\n");
        let named = file("named.csv", "qid,title,artist,album\nQ7,One,Two,Three\nshort\n");
        let all = list(&["A - B", &plain, &named]).expect("all can be read");
        assert_eq!(all.names, ["A - B", "1 Someone - Our Way", "2 Other - Last", "Q7 Two - One"]);
        assert_eq!(all.tracks[1], json!({"title": "Our Way", "artist": "Someone", "duration_s": 200}));
        assert_eq!(all.tracks[3], json!({"title": "One", "artist": "Two", "album": "Three"}));
        assert_eq!(all.bad_rows.len(), 1);
        assert!(all.bad_rows[0].ends_with("named.csv: line 3: has too few columns"), "{:?}", all.bad_rows);
    }

    #[test]
    fn a_missing_file_and_one_without_titles_are_told_and_a_title_like_a_file_is_a_title() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.csv");
        let name = path.to_string_lossy().into_owned();
        assert!(list(&[&name]).expect_err("it is missing").contains("cannot be read"));
        std::fs::write(&path, "name,year\na,1\n").expect("it is written");
        assert!(list(&[&name]).expect_err("it has no titles").contains("lacks the column title, artist"));
        assert_eq!(list(&["no such.csv"]).expect("a title").tracks, [json!({"title": "no such.csv"})]);
    }
}
