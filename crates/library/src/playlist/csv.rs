//! Tables: cells between commas, semicolons or tabs, some of them in quotes.
//!
//! Read by hand and not with a library for CSV: those take all that follows a quote that is never closed as one cell, and
//! end at bytes that are no UTF-8, where here one line is bad and told by its number.

use super::columns::Columns;
use super::text::{Line, Text};
use super::{Fault, Format, Playlist, Unreadable, format};

/// What may stand between cells.
const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];
/// A quoted cell may hold ends of lines, but no more than this many: a quote that is never closed must not take all the
/// rows behind it along.
const MAX_LINES_OF_A_ROW: usize = 20;

/// What stands between the cells of a heading: that which gives it most.
pub(super) fn delimiter(heading: &str) -> char {
    let count = |delimiter: &char| cells(heading, *delimiter).len();
    // Of equals the first: `max_by_key` takes the last.
    DELIMITERS.iter().rev().copied().max_by_key(count).unwrap_or(',')
}

/// The cells of one row.
pub(super) fn cells(row: &str, delimiter: char) -> Vec<String> {
    scan(row, delimiter).0
}

/// The cells of one row, and whether a quote of it is not closed.
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

/// Reads one.
pub(super) fn read(text: &Text<'_>, delimiter: char) -> Result<Playlist, Unreadable> {
    let mut playlist = Playlist::new(Format::Csv(delimiter));
    let mut lines = text.lines();
    let heading = loop {
        match lines.next() {
            Some((_, line)) if line.lossy().trim().is_empty() => {}
            Some((number, line)) => break line.utf8().ok_or(Unreadable::Encoding(number))?,
            None => return Err(Unreadable::Nothing),
        }
    };
    let heading = cells(heading, delimiter);
    let columns = Columns::of(&heading);
    if !columns.are_enough() {
        return Err(Unreadable::Columns(format::shown(&heading)));
    }
    while let Some((number, line)) = lines.next() {
        let Some(first) = line.utf8() else {
            playlist.take(number, Err(Fault::Encoding))?;
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
        playlist.take(number, whole.ok_or(Fault::OpenQuote).and_then(|cells| columns.row(&cells)))?;
    }
    Ok(playlist)
}

/// The rest of a quoted cell may stand on the next lines: the cells, and how many lines those are. If its end is
/// nowhere near, the row alone is bad.
fn closed<'a>(
    first: &str,
    ahead: impl Iterator<Item = (u32, Line<'a>)>,
    delimiter: char,
) -> (Option<Vec<String>>, usize) {
    let mut whole = first.to_owned();
    for (taken, (_, line)) in (1..MAX_LINES_OF_A_ROW).zip(ahead) {
        let Some(next) = line.utf8() else { break };
        whole.push('\n');
        whole.push_str(next);
        if let (cells, false) = scan(&whole, delimiter) {
            return (Some(cells), taken);
        }
    }
    (None, 0)
}
