//! What was counted, read out: what is kept and what waits to be, put together.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Statistics;
use crate::record::counts::Counts;
use crate::record::minute_bucket::{By, Page};
use crate::statistics::db::{Range, Row};
use crate::statistics::db_handle::Shelf;
use crate::statistics::report;
use crate::statistics::report::{Curve, Grouping, Line, Span, Sums, Table};
use greenroom_state::error::Failing;
use greenroom_state::file_lane::FileLane;

impl Statistics {
    /// Where its files are read and written.
    pub fn lane(&self) -> &FileLane {
        &self.lane
    }

    /// What was counted in a span of time, the busiest first.
    ///
    /// # Errors
    /// If what is kept cannot be read.
    pub async fn rows(
        self: &Arc<Self>,
        grouping: Grouping,
        only: Option<String>,
        span: Span,
    ) -> Result<Table, String> {
        let own = Arc::clone(self);
        let read = move || own.read(grouping, only.as_deref(), span).map_err(|failing| failing.message);
        self.lane.run(read).await.map_err(|undone| undone.to_string())?
    }

    fn read(&self, grouping: Grouping, only: Option<&str>, span: Span) -> Result<Table, Failing> {
        let mut shelf = self.shelf.lock();
        let now_ms = self.clock.now_ms();
        self.settle(&mut shelf, now_ms);
        let range = span.rows(now_ms);
        let own_rows = self.gather(&mut shelf, By::Own, only, &range)?;
        let mut rows = self.gather(&mut shelf, grouping.by(), only, &range)?;
        if grouping == Grouping::Server {
            for row in &mut rows {
                row.name.clone_from(&row.server);
            }
            rows = together(rows);
        }
        let mut own = Counts::default();
        for row in &own_rows {
            own.merge(&row.counts);
        }
        let mut rows: Vec<Line> = rows.into_iter().map(|row| Line::of(row, grouping)).collect();
        let busiest = |one: &Line| (Reverse(one.sums.asked), one.server.clone(), one.name.clone());
        rows.sort_by_cached_key(busiest);
        Ok(Table { by: grouping, since_ms: range.since_ms, until_ms: now_ms, rows, own: Sums::of(&own) })
    }

    /// What was counted of every class of every server in a span of time.
    ///
    /// # Errors
    /// If what is kept cannot be read.
    pub async fn counted(self: &Arc<Self>, span: Span) -> Result<Vec<Row>, String> {
        let own = Arc::clone(self);
        let read = move || {
            let range = span.rows(own.clock.now_ms());
            own.gather(&mut own.shelf.lock(), By::Class, None, &range)
        };
        let rows = self.lane.run(read).await;
        rows.map_err(|undone| undone.to_string())?.map_err(|failing| failing.message)
    }

    /// What is kept of a range, and what waits to be.
    fn gather(
        &self,
        shelf: &mut Shelf,
        by: By,
        only: Option<&str>,
        range: &Range,
    ) -> Result<Vec<Row>, Failing> {
        let mut rows = shelf.book()?.rows(only, by, range)?;
        for server in self.chosen(only) {
            let is_meant = |page: &Arc<Page>| page.minute_ms >= range.since_ms;
            for page in server.record.ledger.pages().iter().filter(|page| is_meant(page)) {
                rows.extend(page.rows(by).into_iter().map(|(name, counts)| Row {
                    server: server.name().to_owned(),
                    name,
                    counts: counts.clone(),
                }));
            }
        }
        Ok(together(rows))
    }

    /// A curve of what was asked, at one server or at all.
    pub fn series(&self, only: Option<&str>, span: Span) -> Curve {
        let now_ms = self.clock.now_ms();
        let (step, each_ms, since_ms) = span.curve(now_ms);
        let points: Vec<_> =
            self.chosen(only).flat_map(|server| server.record.ledger.points(step, since_ms)).collect();
        report::curve(&points, (each_ms, since_ms), now_ms)
    }
}

/// Rows of one server and name put together.
fn together(rows: Vec<Row>) -> Vec<Row> {
    let mut sums: BTreeMap<(String, String), Counts> = BTreeMap::new();
    for row in rows {
        sums.entry((row.server, row.name)).or_default().merge(&row.counts);
    }
    sums.into_iter().map(|((server, name), counts)| Row { server, name, counts }).collect()
}
