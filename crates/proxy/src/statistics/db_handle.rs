//! Where the book stands: opened when it is needed, opened anew when another file lies at its place, and replaced by one
//! in memory where the file is nothing that can be written to. Everything here blocks.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::record::minute_bucket::Page;
use crate::server::Server;
use crate::statistics::db::Book;
use greenroom_state::error::Failing;
use greenroom_state::warnings::{Warning, Warnings};

/// What is kept in memory where there is no file, at most.
const MEMORY_BYTES: u64 = 8 * 1024 * 1024;
/// While nothing is counted, what is too old is taken out this often.
const IDLE_SWEEP_MS: u64 = 3_600_000;
/// The word for what is wrong with it.
const UNWRITTEN: &str = "statistics-unwritten";

/// The book, or how it is to be had.
#[derive(Debug)]
pub(super) struct Shelf {
    /// Where the file is; none: in memory.
    dir: Option<PathBuf>,
    max_bytes: u64,
    book: Option<Book>,
    /// Whether what earlier processes kept was taken up.
    pub(super) is_restored: bool,
    /// What books that were closed since had dropped.
    dropped_before: u64,
    /// What the engine had counted of refreshes when it was asked last: useful and useless, by server and class.
    pub(super) refreshes: HashMap<(String, &'static str), (u64, u64)>,
    /// When pages were written last, or what is too old was taken out.
    written_ms: u64,
    warnings: Arc<Warnings>,
}

impl Shelf {
    /// Nothing is opened yet.
    pub(super) fn new(dir: Option<PathBuf>, max_bytes: u64, warnings: Arc<Warnings>) -> Self {
        Self {
            dir,
            max_bytes,
            book: None,
            is_restored: false,
            dropped_before: 0,
            written_ms: 0,
            refreshes: HashMap::new(),
            warnings,
        }
    }

    /// The book, opened if need be.
    pub(super) fn book(&mut self) -> Result<&mut Book, Failing> {
        let book = match self.book.take().filter(Book::is_in_place) {
            Some(book) => book,
            None => self.open()?,
        };
        Ok(self.book.insert(book))
    }

    fn open(&mut self) -> Result<Book, Failing> {
        let Some(dir) = &self.dir else { return Book::in_memory(self.max_bytes.min(MEMORY_BYTES)) };
        match Book::open(dir, self.max_bytes) {
            Ok(book) => Ok(book),
            Err(failing) if failing.trouble.is_final() => {
                self.warn(&failing, "Until then they are counted in memory, and forgotten by a restart.");
                self.dir = None;
                Book::in_memory(self.max_bytes.min(MEMORY_BYTES))
            }
            Err(failing) => Err(failing),
        }
    }

    /// Writes the pages, all or none; how many rows there were.
    pub(super) fn write(
        &mut self,
        taken: &[(Arc<Server>, Vec<Arc<Page>>)],
        now_ms: u64,
    ) -> Result<usize, Failing> {
        let pages: Vec<(&str, &Page)> = taken
            .iter()
            .flat_map(|(server, pages)| pages.iter().map(|page| (server.name(), &**page)))
            .collect();
        // What is too old goes with what is written. While nothing is counted, once an hour will do.
        let is_idle = pages.is_empty() && now_ms.saturating_sub(self.written_ms) < IDLE_SWEEP_MS;
        let outcome = self.book().and_then(|book| if is_idle { Ok(0) } else { book.write(&pages, now_ms) });
        if outcome.is_ok() && !is_idle {
            self.written_ms = now_ms;
        }
        match &outcome {
            Ok(_) if self.dir.is_some() => self.warnings.lower(UNWRITTEN),
            Ok(_) => {}
            Err(failing) => self.give_up(failing),
        }
        outcome
    }

    /// The file could not be used: next time it is opened anew.
    pub(super) fn give_up(&mut self, failing: &Failing) {
        self.warn(failing, "They wait in memory; it is tried again by itself.");
        if let Some(book) = self.book.take() {
            self.dropped_before += book.dropped();
        }
    }

    /// Rows that went although they were not too old.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped_before + self.book.as_ref().map_or(0, Book::dropped)
    }

    fn warn(&self, failing: &Failing, meanwhile: &str) {
        let warning = Warning::notice(
            UNWRITTEN,
            format!("Statistics cannot be written to state.db. {meanwhile}"),
            "Look whether the disk is full, or the data directory read-only or state.db damaged.",
        )
        .urgent();
        if self.warnings.raise(warning) {
            tracing::warn!(reason = failing.message, "statistics cannot be written to state.db");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::time_series::{DAY_MS, MINUTE_MS, Step};
    use super::*;
    use greenroom_state::db::{Book as StateBook, FILE};

    const NOW_MS: u64 = 1_700_000_000_000 / DAY_MS * DAY_MS;

    #[test]
    fn while_nothing_is_counted_what_is_too_old_goes_once_an_hour_and_nothing_else_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        drop(StateBook::open(folder.path()).expect("it can be made"));
        let mut shelf = Shelf::new(Some(folder.path().to_owned()), 1 << 30, Arc::default());
        let mut write = |minute: u64, is_busy: bool| {
            let now_ms = NOW_MS + minute * MINUTE_MS;
            let mut page = Page::new(now_ms);
            page.note_own(1);
            if is_busy {
                shelf.book().and_then(|book| book.write(&[("home", &page)], now_ms)).expect("it is written");
            } else {
                shelf.write(&[], now_ms).expect("there is nothing to write");
            }
        };
        (0..180).for_each(|minute| write(minute, true));
        let other = rusqlite::Connection::open(folder.path().join(FILE)).expect("it opens");
        let version = || -> i64 {
            other.pragma_query_value(None, "data_version", |row| row.get(0)).expect("it is told")
        };
        // From here on a minute grows too old with each that passes.
        let old = Step::Minute.kept() + 2;
        // In steps that are no leap of the clock.
        (180..old).step_by(600).for_each(|minute| write(minute, false));
        let mut changes = 0;
        for minute in old..old + 120 {
            let before = version();
            write(minute, false);
            changes += u32::from(version() != before);
        }
        assert_eq!(changes, 2, "two idle hours");
    }
}
