//! Labels of rows, limited per kind and server. When the limit is reached and a new one comes, the one unused for
//! longest is evicted and its rows are added to those of the others: sums stay the same.

use greenroom_cache::Timestamp;
use std::collections::HashMap;

use rusqlite::{Connection, params};

use greenroom_dialect::token_shape::looks_like_token;
use greenroom_origin::client_apps::{MAX_APPS, OTHERS, STRANGERS};
use greenroom_origin::client_name::UNKNOWN;
use greenroom_request_log::minute_bucket::{MAX_USERS, RowKind};
use greenroom_state::error::StateError;

/// Max evictions per transaction, because each scans all rows. Further new labels count as the others until the next
/// one.
const MAX_LEAVING: usize = 10;

/// Server, kind and name.
type LabelKey = (String, u8, String);

/// Ids of labels.
#[derive(Debug, Default)]
pub(crate) struct LabelTable {
    ids: HashMap<LabelKey, i64>,
    /// Last use of each label, as far as needed: in this transaction, and, after an eviction in it, in all rows.
    seen_ms: HashMap<i64, u64>,
    left: usize,
}

/// The id assigned to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LabelAssignment {
    /// Id of its label, or of the others.
    pub(crate) id: i64,
    /// Rows to merge first: from one id into another.
    pub(crate) merged: Option<(i64, i64)>,
}

impl LabelTable {
    /// Reads all labels before a write: another process may have added or evicted some.
    pub(crate) fn read(&mut self, db: &Connection) -> Result<(), StateError> {
        self.ids.clear();
        self.seen_ms.clear();
        self.left = 0;
        let mut select = db.prepare_cached("SELECT id, server, by_what, name FROM statistics_name")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            self.ids.insert((row.get(1)?, row.get(2)?, row.get(3)?), row.get(0)?);
        }
        Ok(())
    }

    /// Id of a label counted at this moment.
    pub(crate) fn assign(
        &mut self,
        db: &Connection,
        (server, by, name): (&str, RowKind, &str),
        at_ms: Timestamp,
    ) -> Result<LabelAssignment, StateError> {
        let key = (server.to_owned(), by as u8, name.to_owned());
        let known = self.ids.get(&key).copied();
        let mut merged = None;
        let id = match known {
            Some(id) => id,
            None if is_for_all(name) || !self.is_full(server, by) => self.insert(db, key)?,
            None if self.left >= MAX_LEAVING => self.insert(db, others(server, by))?,
            None => {
                let others = self.insert(db, others(server, by))?;
                merged = self.evict_oldest(db, (server, by))?.map(|oldest| (oldest, others));
                self.insert(db, key)?
            }
        };
        let seen_ms = self.seen_ms.entry(id).or_default();
        *seen_ms = at_ms.max(Timestamp::from_millis(*seen_ms)).as_millis();
        Ok(LabelAssignment { id, merged })
    }

    /// Gives the rows of apps whose name may be a token to the app without a name. Returns from which id to which the
    /// rows must be merged. Only earlier versions stored such names.
    pub(crate) fn hide_tokens(&mut self, db: &Connection) -> Result<Vec<(i64, i64)>, StateError> {
        let hidden: Vec<LabelKey> = self.ids.keys().filter(|key| may_be_token(key)).cloned().collect();
        let mut merged = Vec::new();
        for key in hidden {
            let unknown = self.insert(db, (key.0.clone(), key.1, UNKNOWN.to_owned()))?;
            merged.extend(self.ids.remove(&key).map(|id| (id, unknown)));
        }
        // Only now, so that none of the ids is given to another label.
        for (id, _) in &merged {
            db.prepare_cached("DELETE FROM statistics_name WHERE id = ?1")?.execute([id])?;
        }
        Ok(merged)
    }

    /// Whether the name of an app may be a token.
    pub(crate) fn has_tokens(&self) -> bool {
        self.ids.keys().any(may_be_token)
    }

    /// Whether the limit of this kind is reached.
    fn is_full(&self, server: &str, by: RowKind) -> bool {
        let max = if by == RowKind::App { MAX_APPS } else { MAX_USERS };
        self.own_names(server, by).count() >= max
    }

    fn own_names<'a>(&'a self, server: &'a str, by: RowKind) -> impl Iterator<Item = (&'a LabelKey, i64)> {
        let is_selected = move |(of, kind, name): &LabelKey| of == server && *kind == by as u8 && !is_for_all(name);
        self.ids.iter().filter(move |(key, _)| is_selected(key)).map(|(key, id)| (key, *id))
    }

    /// Reads the last use of each label, also by another process. Scans all rows.
    fn read_seen(&mut self, db: &Connection) -> Result<(), StateError> {
        let mut select = db.prepare_cached("SELECT name, max(at_ms) FROM statistics_row GROUP BY name")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let seen_ms = self.seen_ms.entry(row.get(0)?).or_default();
            *seen_ms = row.get::<_, i64>(1)?.max(0).cast_unsigned().max(*seen_ms);
        }
        Ok(())
    }

    /// Evicts the label unused for longest; returns its id.
    fn evict_oldest(&mut self, db: &Connection, (server, by): (&str, RowKind)) -> Result<Option<i64>, StateError> {
        if self.left == 0 {
            self.read_seen(db)?;
        }
        let seen_ms = |id: i64| self.seen_ms.get(&id).copied().unwrap_or_default();
        let oldest = self.own_names(server, by).min_by_key(|(key, id)| (seen_ms(*id), *key));
        let Some((key, id)) = oldest.map(|(key, id)| (key.clone(), id)) else { return Ok(None) };
        db.prepare_cached("DELETE FROM statistics_name WHERE id = ?1")?.execute([id])?;
        self.ids.remove(&key);
        self.seen_ms.remove(&id);
        self.left += 1;
        Ok(Some(id))
    }

    fn insert(&mut self, db: &Connection, key: LabelKey) -> Result<i64, StateError> {
        if let Some(id) = self.ids.get(&key) {
            return Ok(*id);
        }
        let insert = "INSERT INTO statistics_name (server, by_what, name) VALUES (?1, ?2, ?3) RETURNING id";
        let id = db.prepare_cached(insert)?.query_row(params![key.0, key.1, key.2], |row| row.get(0))?;
        self.ids.insert(key, id);
        Ok(id)
    }
}

fn may_be_token((_, by, name): &LabelKey) -> bool {
    *by == RowKind::App as u8 && looks_like_token(name)
}

/// Labels that stand for several apps or users are never evicted.
fn is_for_all(name: &str) -> bool {
    name == OTHERS || name == STRANGERS
}

fn others(server: &str, by: RowKind) -> LabelKey {
    (server.to_owned(), by as u8, OTHERS.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use greenroom_dialect::credential::Credential;
    use http::HeaderMap;

    use super::super::tests::{NOW_MS, decision, folder, newest, request_count};
    use super::*;
    use crate::db::{StatisticsDb, TimeRange};
    use greenroom_origin::client_apps::{ClientApp, ClientApps};
    use greenroom_request_log::counts::RequestCounter;
    use greenroom_request_log::time_series::{DAY_MS, MINUTE_MS, TimeStep};
    use greenroom_request_log::{CacheResult, RequestRecorder};

    /// Requests of each label of a kind, by day.
    fn by_name(db: &StatisticsDb, by: RowKind) -> BTreeMap<String, u64> {
        let range = TimeRange { step: TimeStep::Day, since_ms: Timestamp::UNIX_EPOCH, until_ms: Timestamp::MAX };
        let rows = db.rows(None, by, &range).expect("readable counts");
        rows.into_iter().map(|row| (row.name, row.counts.get(RequestCounter::Asked))).collect()
    }

    #[test]
    fn above_the_limit_the_label_unused_for_longest_counts_as_others() {
        let folder = folder();
        let mut db = StatisticsDb::open(folder.path(), 1 << 30).expect("opened");
        let write = |db: &mut StatisticsDb, minute: u64, number: u32| {
            let recorder = RequestRecorder::default();
            let app = Arc::new(ClientApp::new(format!("app{number}"), 1));
            recorder.record(decision(
                Timestamp::from_millis(NOW_MS + minute * MINUTE_MS),
                &app,
                number,
                CacheResult::Hit,
            ));
            db.write(&[("home", &newest(&recorder))], Timestamp::from_millis(NOW_MS + minute * MINUTE_MS))
                .expect("written");
        };
        // As many users as the limit, each with its own app (limit 100); then two earlier ones return.
        for number in 0..500 {
            write(&mut db, u64::from(number), number);
        }
        write(&mut db, 500, 400);
        write(&mut db, 501, 0);
        for number in 1_000..1_003 {
            write(&mut db, 502 + u64::from(number - 1_000), number);
        }
        let (apps, users) = (by_name(&db, RowKind::App), by_name(&db, RowKind::User));
        assert_eq!((apps.len(), users.len()), (101, 501));
        assert_eq!((apps.values().sum::<u64>(), users.values().sum::<u64>()), (505, 505), "nothing is lost");
        let counts = ["app0", "app400", "app1000", "app1002"].map(|name| apps.get(name).copied());
        assert_eq!(counts, [Some(1), Some(2), Some(1), Some(1)], "recently used labels are kept: {apps:?}");
        assert_eq!((apps.get("app401"), users.get("00000001")), (None, None), "unused labels are evicted");
        assert_eq!((users.get("00000000"), users.get("others")), (Some(&2), Some(&3)));
        for (step, since_ms) in [(TimeStep::Minute, NOW_MS), (TimeStep::Hour, NOW_MS), (TimeStep::Day, NOW_MS)] {
            assert_eq!(
                request_count(&db, step, Timestamp::from_millis(since_ms), Timestamp::from_millis(NOW_MS + DAY_MS)),
                505,
                "{step:?}"
            );
        }
        let bytes = db.bytes();
        drop(db);
        let reopened = StatisticsDb::open(folder.path(), 1 << 30).expect("opened");
        assert_eq!(by_name(&reopened, RowKind::App), apps);
        assert!(reopened.bytes().abs_diff(bytes) < bytes / 50, "estimated {bytes}, actually {}", reopened.bytes());
    }

    #[test]
    fn labels_written_by_another_process_are_read_and_count_as_used() {
        let folder = folder();
        let open = || StatisticsDb::open(folder.path(), 1 << 30).expect("opened");
        let (mut one, mut other) = (open(), open());
        let write = |db: &mut StatisticsDb, minute: u64, name: &str| {
            let recorder = RequestRecorder::default();
            let app = Arc::new(ClientApp::new(name.to_owned(), 1));
            recorder.record(decision(Timestamp::from_millis(NOW_MS + minute * MINUTE_MS), &app, 1, CacheResult::Hit));
            db.write(&[("home", &newest(&recorder))], Timestamp::from_millis(NOW_MS + minute * MINUTE_MS))
                .expect("written");
        };
        for number in 0..99 {
            write(&mut one, number, &format!("app{number}"));
        }
        write(&mut other, 200, "new");
        write(&mut other, 201, "app0");
        assert_eq!(by_name(&one, RowKind::App).get("new"), Some(&1), "before its own next write");
        write(&mut one, 202, "newest");
        let stored = by_name(&one, RowKind::App);
        let counts = ["new", "app0", "newest", "app1", "others"].map(|name| stored.get(name).copied());
        assert_eq!(counts, [Some(1), Some(2), Some(1), None, Some(1)], "{stored:?}");
        // A freed id goes to the next label.
        write(&mut other, 203, "newer");
        assert_eq!(by_name(&one, RowKind::App), by_name(&open(), RowKind::App));
    }

    #[test]
    fn a_name_stored_earlier_that_may_be_a_token_is_hidden() {
        let folder = folder();
        let mut db = StatisticsDb::open(folder.path(), 1 << 30).expect("opened");
        for name in ["Kometa", "0123456789abcdef0123456789abcdef", "x7Kd2mPq9Lw4Rt6Yz1Vb"] {
            let recorder = RequestRecorder::default();
            let app = Arc::new(ClientApp::new(name.to_owned(), 1));
            recorder.record(decision(Timestamp::from_millis(NOW_MS), &app, 1, CacheResult::Hit));
            let bucket = newest(&recorder);
            db.write(&[("home", &bucket), ("away", &bucket)], Timestamp::from_millis(NOW_MS)).expect("written");
        }
        drop(db);
        for _ in 0..2 {
            let db = StatisticsDb::open(folder.path(), 1 << 30).expect("opened");
            let range = TimeRange { step: TimeStep::Day, since_ms: Timestamp::UNIX_EPOCH, until_ms: Timestamp::MAX };
            let rows = db.rows(Some("home"), RowKind::App, &range).expect("readable counts");
            let counts: BTreeMap<String, u64> =
                rows.into_iter().map(|row| (row.name, row.counts.get(RequestCounter::Asked))).collect();
            assert_eq!(counts.into_iter().collect::<Vec<_>>(), [("Kometa".into(), 1), ("unknown".into(), 2)]);
        }
    }

    #[test]
    fn apps_that_were_never_authorised_share_one_label() {
        let (apps, recorder) = (ClientApps::default(), RequestRecorder::default());
        let of = |name: String| {
            let credential = Credential { product: Some(name), ..Credential::default() };
            apps.get_or_insert(&credential, &HeaderMap::new(), false, Timestamp::from_millis(NOW_MS))
        };
        let kometa = of("Kometa".to_owned());
        for number in 0..1_000 {
            recorder.record(decision(
                Timestamp::from_millis(NOW_MS),
                &of(format!("app{number}")),
                1,
                CacheResult::Refused,
            ));
        }
        recorder.record(decision(Timestamp::from_millis(NOW_MS), &kometa, 1, CacheResult::Loaded));
        apps.mark_authorized(&kometa, None);
        let mut db = StatisticsDb::in_memory(1 << 30).expect("a database in memory");
        db.write(&[("home", &newest(&recorder))], Timestamp::from_millis(NOW_MS)).expect("written");
        let counts = by_name(&db, RowKind::App);
        assert_eq!(counts.into_iter().collect::<Vec<_>>(), [("Kometa".into(), 1), ("strangers".into(), 1_000)]);
    }
}
