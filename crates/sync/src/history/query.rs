//! Queries of the playback history.

use greenroom_cache::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};

use super::item_details;
use super::playback::{Playback, PlaybackDetails};
use super::store::HistoryStore;
use greenroom_state::codec::{signed, unsigned};
use greenroom_state::error::StateError;

/// Selects playbacks; absent filters match any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Playbacks of these servers; none if empty.
    pub servers: Vec<String>,
    /// Playbacks of this user, by name or by the server's id.
    pub user: Option<String>,
    /// Playbacks whose title or user name contains this text; ASCII letters match in either case.
    pub search: Option<String>,
    /// Playbacks that ended since then, in milliseconds.
    pub since_ms: Option<Timestamp>,
    /// Number of newest rows skipped.
    pub offset: u64,
    /// Max rows returned.
    pub limit: u64,
    /// True to skip counting: `total` is then zero.
    pub skips_total: bool,
}

/// A page of the playback history.
#[derive(Debug, Clone, Default)]
pub struct HistoryPage {
    /// Number of matching playbacks.
    pub total: u64,
    /// The playbacks of the page, newest first.
    pub playbacks: Vec<Playback>,
}

impl HistoryStore {
    /// Reads a page, newest first.
    pub(super) fn page(&self, query: &HistoryQuery) -> Result<HistoryPage, StateError> {
        let placeholders = vec!["?"; query.servers.len()].join(",");
        // The plus makes SQLite use the time index, which is already sorted, however many servers there are.
        let mut condition = format!("+played.server IN ({placeholders})");
        let mut values: Vec<Value> = query.servers.iter().map(|name| Value::Text(name.clone())).collect();
        if let Some(user) = &query.user {
            condition += " AND (played.user = ? OR played_user.name = ?)";
            values.extend([Value::Text(user.clone()), Value::Text(user.clone())]);
        }
        if let Some(search) = &query.search {
            condition += " AND (title || char(10) || coalesce(parent_title, '') || char(10) ||
                 coalesce(grandparent_title, '') || char(10) || coalesce(played_user.name, played.user))
                 LIKE ? ESCAPE '\\'";
            values.push(Value::Text(like_pattern(search)));
        }
        if let Some(since_ms) = query.since_ms {
            condition += " AND played.at_s >= ?";
            values.push(Value::Integer(signed(since_ms.as_millis().div_ceil(1000))));
        }
        let from = "FROM played LEFT JOIN played_user
             ON played_user.server = played.server AND played_user.id = played.user";
        let db = self.db.lock();
        let total: i64 = if query.skips_total {
            0
        } else {
            let count = format!("SELECT count(*) {from} WHERE {condition}");
            db.prepare_cached(&count)?.query_row(params_from_iter(&values), |row| row.get(0))?
        };
        // Reads the index backwards: nothing is sorted.
        let mut select = db.prepare_cached(&format!(
            "SELECT played.server, played.id, at_s, played.user, item_key, kind, title, parent_title,
             grandparent_title, place, parent_place, coalesce(played.year, played_item.year),
             coalesce(played.duration_ms, played_item.duration_ms), thumb, player, played_user.name, {}
             {from} {} WHERE {condition} ORDER BY at_s DESC, played.server DESC, played.id DESC LIMIT ? OFFSET ?",
            item_details::COLUMNS,
            item_details::JOINS,
        ))?;
        values.extend([Value::Integer(signed(query.limit)), Value::Integer(signed(query.offset))]);
        let playbacks = select.query_map(params_from_iter(&values), read)?;
        Ok(HistoryPage { total: unsigned(total), playbacks: playbacks.collect::<Result<_, _>>()? })
    }
}

/// A LIKE pattern for texts that contain this one.
fn like_pattern(text: &str) -> String {
    let escaped = text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
    format!("%{escaped}%")
}

fn read(row: &Row<'_>) -> Result<Playback, rusqlite::Error> {
    let number = |at: usize| row.get::<_, Option<i64>>(at).map(|number| number.map(unsigned));
    let (user_id, own_title): (String, String) = (row.get(3)?, row.get(6)?);
    let grandparent_title: Option<String> = row.get(8)?;
    let (title, subtitle) = match &grandparent_title {
        Some(parent_title) => (parent_title.clone(), Some(own_title.clone())),
        None => (own_title.clone(), None),
    };
    Ok(Playback {
        server: row.get(0)?,
        id: row.get(1)?,
        at_ms: unsigned(row.get(2)?).saturating_mul(1000),
        user: row.get::<_, Option<String>>(15)?.unwrap_or_else(|| user_id.clone()),
        title,
        subtitle,
        kind: row.get(5)?,
        player: row.get(14)?,
        duration_s: number(12)?.map(|duration_ms| duration_ms / 1000),
        picture: None,
        details: PlaybackDetails {
            user_id,
            item_key: row.get(4)?,
            own_title,
            grandparent_title,
            index: number(9)?,
            parent_index: number(10)?,
            year: number(11)?,
            thumb: row.get(13)?,
            item: item_details::from_row(row, 16)?,
        },
    })
}
