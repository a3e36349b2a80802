//! Parses tables: cells separated by commas, semicolons or tabs, some of them in quotes.
//!
//! Written by hand, because CSV libraries read everything after an unclosed quote as one cell and stop at
//! bytes that are no UTF-8. Here only the affected line is bad, and reported with its number.

use std::collections::HashMap;

use super::collection::PlaylistCollection;
use super::columns::Columns;
use super::text::{DecodedText, TextLine};
use super::{MAX_ROWS, Playlist, PlaylistFormat, PlaylistParseError, PlaylistRow, PlaylistRowError, RowErrorKind};
use super::{combined_title, format};

/// Possible separators.
const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];
/// Max lines of a quoted cell, so that an unclosed quote does not swallow all rows after it.
const MAX_ROW_LINES: usize = 20;

/// The separator that splits the heading into the most cells.
pub(super) fn delimiter(heading: &str) -> char {
    let count = |delimiter: &char| cells(heading, *delimiter).len();
    // Of equals the first: `max_by_key` returns the last.
    DELIMITERS.iter().rev().copied().max_by_key(count).unwrap_or(',')
}

/// The cells of one row.
pub(super) fn cells(row: &str, delimiter: char) -> Vec<String> {
    scan(row, delimiter).0
}

/// The cells of one row, and whether it has an unclosed quote.
fn scan(row: &str, delimiter: char) -> (Vec<String>, bool) {
    let mut cells = Vec::new();
    let mut cell = String::new();
    let mut quoted = false;
    let mut letters = row.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if cell.trim().is_empty() => {
                cell.clear();
                quoted = true;
            }
            _ if letter == delimiter && !quoted => cells.push(std::mem::take(&mut cell)),
            _ => cell.push(letter),
        }
    }
    cells.push(cell);
    (cells, quoted)
}

/// Parses a table. With a column for the playlist's name, it may hold several.
pub(super) fn read(text: &DecodedText<'_>, delimiter: char) -> Result<Vec<Playlist>, PlaylistParseError> {
    let mut lines = text.lines();
    let heading = loop {
        match lines.next() {
            Some((_, line)) if line.lossy().trim().is_empty() => {}
            Some((number, line)) => break line.utf8().ok_or(PlaylistParseError::Encoding(number))?,
            None => return Err(PlaylistParseError::Empty),
        }
    };
    let heading = cells(heading, delimiter);
    let columns = Columns::from_header(&heading);
    if !columns.has_required_columns() {
        return Err(PlaylistParseError::Columns(format::shown(&heading)));
    }
    let mut table = TableReadState::new(delimiter);
    while let Some((number, line)) = lines.next() {
        let Some(first) = line.utf8() else {
            table.add_unassigned(number, RowErrorKind::Encoding)?;
            continue;
        };
        if first.trim().is_empty() {
            continue;
        }
        let (whole, taken) = match scan(first, delimiter) {
            (whole, false) => (Some(whole), 0),
            (_, true) => closed(first, lines.clone(), delimiter),
        };
        lines.by_ref().take(taken).for_each(drop);
        match whole {
            Some(cells) => table.add(columns.playlist_name(&cells), number, columns.row(&cells))?,
            None => table.add_unassigned(number, RowErrorKind::OpenQuote)?,
        }
    }
    table.finish()
}

/// The playlists of a table by name.
struct TableReadState {
    collection: PlaylistCollection,
    positions: HashMap<String, usize>,
    /// Bad rows of which it is not known to which playlist they belong.
    unassigned: Vec<PlaylistRowError>,
}

impl TableReadState {
    fn new(delimiter: char) -> Self {
        let collection = PlaylistCollection::new(PlaylistFormat::Csv(delimiter));
        Self { collection, positions: HashMap::new(), unassigned: Vec::new() }
    }

    fn add(
        &mut self,
        name: Option<&str>,
        line: u32,
        row: Result<PlaylistRow, RowErrorKind>,
    ) -> Result<(), PlaylistParseError> {
        let name = name.map(combined_title::clean).unwrap_or_default();
        let known = self.positions.get(&name).copied();
        let at = if let Some(at) = known {
            at
        } else {
            let at = self.collection.begin(Some(name.clone()).filter(|name| !name.is_empty()))?;
            self.positions.insert(name, at);
            at
        };
        self.collection.push_result(at, line, row)
    }

    fn add_unassigned(&mut self, line: u32, kind: RowErrorKind) -> Result<(), PlaylistParseError> {
        if self.unassigned.len() >= MAX_ROWS {
            return Err(PlaylistParseError::TooManyRows);
        }
        self.unassigned.push(PlaylistRowError { line, kind });
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Playlist>, PlaylistParseError> {
        if self.collection.len() == 0 {
            self.collection.begin(None)?;
        }
        Ok(self.collection.finish(&self.unassigned))
    }
}

/// Completes a quoted cell from the next lines: returns the cells and the number of lines used. If the
/// closing quote is too far away, the row alone is bad.
fn closed<'a>(
    first: &str,
    ahead: impl Iterator<Item = (u32, TextLine<'a>)>,
    delimiter: char,
) -> (Option<Vec<String>>, usize) {
    let mut whole = first.to_owned();
    for (taken, (_, line)) in (1..MAX_ROW_LINES).zip(ahead) {
        let Some(next) = line.utf8() else { break };
        whole.push('\n');
        whole.push_str(next);
        if let (cells, false) = scan(&whole, delimiter) {
            return (Some(cells), taken);
        }
    }
    (None, 0)
}
