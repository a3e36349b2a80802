//! Queries: combine stored and pending counts.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Statistics;
use crate::db::{StatisticsDbRow, TimeRange};
use crate::db_handle::LazyDb;
use crate::report;
use crate::report::{Curve, StatisticsGrouping, StatisticsRow, StatisticsTable, Sums, TimeSpan};
use greenroom_request_log::counts::RequestCounts;
use greenroom_request_log::minute_bucket::{MinuteBucket, RowKind};
use greenroom_state::error::StateError;
use greenroom_state::file_work_queue::FileWorkQueue;

impl Statistics {
    /// Queue for work on the files.
    pub fn lane(&self) -> &FileWorkQueue {
        &self.lane
    }

    /// Counts of a time span, busiest first.
    ///
    /// # Errors
    /// If the stored counts cannot be read.
    pub async fn rows(
        self: &Arc<Self>,
        grouping: StatisticsGrouping,
        only: Option<String>,
        span: TimeSpan,
    ) -> Result<StatisticsTable, String> {
        let own = Arc::clone(self);
        let read = move || own.read(grouping, only.as_deref(), span).map_err(|error| error.message);
        self.lane.run(read).await.map_err(|error| error.to_string())?
    }

    fn read(
        &self,
        grouping: StatisticsGrouping,
        only: Option<&str>,
        span: TimeSpan,
    ) -> Result<StatisticsTable, StateError> {
        let mut handle = self.db.lock();
        let now_ms = self.clock.now();
        self.collect_external(&mut handle, now_ms);
        let range = span.rows(now_ms);
        let own_rows = self.collect(&mut handle, RowKind::Own, only, &range)?;
        let mut rows = self.collect(&mut handle, grouping.row_kind(), only, &range)?;
        if grouping == StatisticsGrouping::Server {
            for row in &mut rows {
                row.name.clone_from(&row.server);
            }
            rows = merge_by_name(rows);
        }
        let mut own = RequestCounts::default();
        for row in &own_rows {
            own.merge(&row.counts);
        }
        let mut rows: Vec<StatisticsRow> = rows.into_iter().map(|row| StatisticsRow::from_row(row, grouping)).collect();
        let busiest = |one: &StatisticsRow| (Reverse(one.sums.asked), one.server.clone(), one.name.clone());
        rows.sort_by_cached_key(busiest);
        Ok(StatisticsTable {
            by: grouping,
            since_ms: range.since_ms.as_millis(),
            until_ms: now_ms.as_millis(),
            rows,
            own: Sums::from_counts(&own),
        })
    }

    /// Counts of every class of every server in a time span.
    ///
    /// # Errors
    /// If the stored counts cannot be read.
    pub async fn class_rows(self: &Arc<Self>, span: TimeSpan) -> Result<Vec<StatisticsDbRow>, String> {
        let own = Arc::clone(self);
        let read = move || {
            let range = span.rows(own.clock.now());
            own.collect(&mut own.db.lock(), RowKind::Class, None, &range)
        };
        let rows = self.lane.run(read).await;
        rows.map_err(|error| error.to_string())?.map_err(|error| error.message)
    }

    /// Stored and pending counts of a range.
    fn collect(
        &self,
        handle: &mut LazyDb,
        by: RowKind,
        only: Option<&str>,
        range: &TimeRange,
    ) -> Result<Vec<StatisticsDbRow>, StateError> {
        let mut rows = handle.db()?.rows(only, by, range)?;
        for server in self.selected(only) {
            let is_in_range = |bucket: &Arc<MinuteBucket>| bucket.minute_ms >= range.since_ms;
            for bucket in server.recorder().unwritten_buckets().iter().filter(|bucket| is_in_range(bucket)) {
                rows.extend(bucket.rows(by).into_iter().map(|(name, counts)| StatisticsDbRow {
                    server: server.name().to_owned(),
                    name,
                    counts: counts.clone(),
                }));
            }
        }
        Ok(merge_by_name(rows))
    }

    /// Curve of requests, of one server or of all.
    pub fn series(&self, only: Option<&str>, span: TimeSpan) -> Curve {
        let now_ms = self.clock.now();
        let (step, each_ms, since_ms) = span.curve(now_ms);
        let points: Vec<_> = self.selected(only).flat_map(|server| server.recorder().points(step, since_ms)).collect();
        report::curve(&points, (each_ms, since_ms), now_ms)
    }
}

/// Merges rows with the same server and name.
fn merge_by_name(rows: Vec<StatisticsDbRow>) -> Vec<StatisticsDbRow> {
    let mut sums: BTreeMap<(String, String), RequestCounts> = BTreeMap::new();
    for row in rows {
        sums.entry((row.server, row.name)).or_default().merge(&row.counts);
    }
    sums.into_iter().map(|((server, name), counts)| StatisticsDbRow { server, name, counts }).collect()
}
