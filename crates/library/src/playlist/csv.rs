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
    let mut scanner = RowScanner::new(delimiter);
    scanner.scan(row);
    scanner.finish()
}

/// Splits one row into cells, line by line.
struct RowScanner {
    delimiter: char,
    cells: Vec<String>,
    /// The cell that is not complete yet.
    cell: String,
    /// Whether the cell has anything but blanks.
    has_text: bool,
    /// Whether a quote is open.
    is_quoted: bool,
}

impl RowScanner {
    fn new(delimiter: char) -> Self {
        Self { delimiter, cells: Vec::new(), cell: String::new(), has_text: false, is_quoted: false }
    }

    /// Scans the first line of the row.
    fn scan(&mut self, line: &str) {
        #[cfg(test)]
        SCANNED_BYTES.with(|count| count.set(count.get() + line.len()));
        let mut letters = line.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '"' if self.is_quoted && letters.peek() == Some(&'"') => {
                    letters.next();
                    self.push('"');
                }
                '"' if self.is_quoted => self.is_quoted = false,
                '"' if !self.has_text => {
                    self.cell.clear();
                    self.is_quoted = true;
                }
                _ if letter == self.delimiter && !self.is_quoted => {
                    self.cells.push(std::mem::take(&mut self.cell));
                    self.has_text = false;
                }
                _ => self.push(letter),
            }
        }
    }

    /// Scans the next line, which continues a quoted cell.
    fn scan_next(&mut self, line: &str) {
        self.push('\n');
        self.scan(line);
    }

    fn push(&mut self, letter: char) {
        self.has_text |= !letter.is_whitespace();
        self.cell.push(letter);
    }

    fn finish(mut self) -> Vec<String> {
        self.cells.push(self.cell);
        self.cells
    }
}

#[cfg(test)]
thread_local! {
    /// Bytes that the scanners of this thread have scanned.
    static SCANNED_BYTES: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
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
        let mut scanner = RowScanner::new(delimiter);
        scanner.scan(first);
        let (whole, taken) = close_quote(scanner, lines.clone());
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
        // Beside named playlists, a bad row without a name is no playlist of its own.
        if self.collection.len() > 1
            && let Some(at) = self.positions.get("")
        {
            self.unassigned.extend(self.collection.drop_if_bad(*at));
            self.unassigned.sort_by_key(|bad| bad.line);
        }
        Ok(self.collection.finish(&self.unassigned))
    }
}

/// Completes a row whose quote is open from the next lines: returns the cells and the number of lines used. If the
/// closing quote is too far away, the row alone is bad.
fn close_quote<'a>(
    mut scanner: RowScanner,
    mut ahead: impl Iterator<Item = (u32, TextLine<'a>)>,
) -> (Option<Vec<String>>, usize) {
    let mut taken = 0;
    while scanner.is_quoted {
        taken += 1;
        let next = if taken < MAX_ROW_LINES { ahead.next().and_then(|(_, line)| line.utf8()) } else { None };
        let Some(next) = next else { return (None, 0) };
        scanner.scan_next(next);
    }
    (Some(scanner.finish()), taken)
}

#[cfg(test)]
mod tests {
    use super::super::{MAX_ROWS, read_all};
    use super::{MAX_ROW_LINES, SCANNED_BYTES};

    /// Bytes scanned for a table with these rows.
    fn scanned_bytes(rows: &str) -> usize {
        SCANNED_BYTES.with(|count| count.set(0));
        let _ = read_all(format!("title,artist\n{rows}").as_bytes(), "x.csv"); // It may have no row.
        SCANNED_BYTES.with(std::cell::Cell::get)
    }

    #[test]
    fn rows_whose_quotes_never_close_are_scanned_once_for_each_row_that_may_begin_there() {
        for (lines, length) in [(100, 100), (1_000, 1_000), (MAX_ROWS / 20, 1_500)] {
            let rows = format!("x\",\"{}\n", "y".repeat(length)).repeat(lines);
            let scanned = scanned_bytes(&rows);
            assert!(scanned <= (MAX_ROW_LINES + 1) * (rows.len() + 100), "{scanned} of {} bytes", rows.len());
        }
    }

    #[test]
    fn a_row_of_several_lines_is_scanned_once() {
        let row = format!("\"{}\",A\n", format!("{}\n", "y".repeat(100)).repeat(MAX_ROW_LINES - 1));
        let rows = row.repeat(50);
        let scanned = scanned_bytes(&rows);
        // The heading is scanned once for each separator.
        assert!(scanned <= rows.len() + 100, "{scanned} of {} bytes", rows.len());
    }
}
