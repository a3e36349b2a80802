//! Inspects the disk tier for the API and for commands without a running process: lists, single responses, totals,
//! checks. Uses its own connection, in the process that owns the directory.

pub mod dto;

use greenroom_cache::Timestamp;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use greenroom_cache::disk::inspect::{CoveringInvalidation, EntrySummary, Inspection, StoreDamage};
use greenroom_cache::{Partition, Scope, Tag};

use crate::response::parse_head;
pub use dto::{
    StoredClassTotals, StoredDamage, StoredInvalidation, StoredQuery, StoredResponse, StoredResponses, StoredShowQuery,
    StoredTotals, StoredVacuumResult, StoredVerifyQuery, StoredVerifyResult,
};

/// Max responses to show.
const MAX_SHOWN: usize = 20;

/// Paths of state and cache.
#[derive(Debug, Clone)]
pub struct StorePaths {
    /// The data directory.
    pub data: PathBuf,
    /// The directory of the disk tier, if there is one.
    pub cache: Option<PathBuf>,
}

/// Opens the disk tier in a directory, which must exist.
///
/// # Errors
/// A message in one line.
pub fn open(cache_dir: &Path) -> Result<Inspection, String> {
    Inspection::open(cache_dir)?.ok_or_else(|| {
        format!("{}: no disk tier in this directory; use --data-dir to name another", cache_dir.display())
    })
}

/// Lists responses.
///
/// # Errors
/// A message in one line.
pub fn list(cache_dir: &Path, query: &StoredQuery, now_ms: Timestamp) -> Result<StoredResponses, String> {
    let store = open(cache_dir)?;
    let mut rows = Vec::new();
    store.for_each_entry(|row| {
        if matches(&row, query.server.as_deref(), query.class.as_deref())
            && (!query.expired || is_expired(&row, now_ms))
        {
            rows.push(row);
        }
        ControlFlow::Continue(())
    })?;
    rows.sort_by_key(|row| std::cmp::Reverse(row.used_ms));
    let total = rows.len();
    if query.limit > 0 {
        rows.truncate(query.limit);
    }
    let more = (total - rows.len()) as u64;
    Ok(StoredResponses { items: rows.iter().map(|row| response(row, now_ms)).collect(), more })
}

/// Shows responses with all details.
///
/// # Errors
/// A message in one line.
pub fn show(cache_dir: &Path, query: &StoredShowQuery, now_ms: Timestamp) -> Result<StoredResponses, String> {
    let store = open(cache_dir)?;
    let path = path_of(&query.what);
    let (mut rows, mut more) = (Vec::new(), 0);
    store.for_each_entry(|row| {
        let is_match =
            [row.key.encoded(), row.key.text()].contains(&query.what.as_str()) || path_of(row.key.text()) == path;
        if is_match && matches(&row, query.server.as_deref(), None) {
            if rows.len() < MAX_SHOWN { rows.push(row) } else { more += 1 }
        }
        ControlFlow::Continue(())
    })?;
    let mut items = Vec::new();
    for row in &rows {
        let value = store.value(row)?;
        let content_type = value.as_ref().map(|value| parse_head(&value.meta).1);
        let content_type =
            content_type.and_then(|headers| Some(headers.get("content-type")?.to_str().ok()?.to_owned()));
        let body = value.as_ref().filter(|_| query.body).map(|value| HEXLOWER.encode(&value.body));
        items.push(StoredResponse {
            markers: Some(store.covering_invalidations(row)?.iter().map(to_stored_invalidation).collect()),
            content_type,
            is_whole: Some(value.is_some()),
            body_hex: body,
            ..response(row, now_ms)
        });
    }
    Ok(StoredResponses { items, more })
}

/// Counts everything.
///
/// # Errors
/// A message in one line.
pub fn totals(cache_dir: &Path, now_ms: Timestamp) -> Result<StoredTotals, String> {
    let store = open(cache_dir)?;
    let totals = store.totals()?;
    let mut classes: BTreeMap<(String, String), [u64; 4]> = BTreeMap::new();
    store.for_each_entry(|row| {
        let name = (row.key.namespace().to_owned(), class_of(&row).to_owned());
        let [count, bytes, expired, files] = classes.entry(name).or_default();
        *count += 1;
        *bytes += row.size;
        *expired += u64::from(is_expired(&row, now_ms));
        *files += u64::from(row.has_file);
        ControlFlow::Continue(())
    })?;
    let sum = |at: usize| classes.values().map(|row| row[at]).sum::<u64>();
    Ok(StoredTotals {
        dir: cache_dir.display().to_string(),
        answers: sum(0),
        bytes: sum(1),
        expired: sum(2),
        files: sum(3),
        database_bytes: totals.database_bytes,
        free_bytes: totals.free_bytes,
        log_bytes: totals.log_bytes,
        markers: totals.markers,
        classes: classes
            .into_iter()
            .map(|((server, class), [answers, bytes, expired, files])| StoredClassTotals {
                server,
                class,
                answers,
                bytes,
                expired,
                files,
            })
            .collect(),
    })
}

/// Checks every response, beside a running cache (`is_cache_running`) or without one. `progress` gets the number done and the
/// total.
///
/// # Errors
/// A message in one line.
pub fn verify(
    cache_dir: &Path,
    query: &StoredVerifyQuery,
    is_cache_running: bool,
    now_ms: Timestamp,
    progress: impl FnMut(u64, u64),
) -> Result<StoredVerifyResult, String> {
    let result = open(cache_dir)?.verify(query.repair, is_cache_running, now_ms, progress)?;
    Ok(StoredVerifyResult {
        answers: result.rows,
        bytes: result.bytes,
        damage: result.damage.into_iter().map(to_stored_damage).collect(),
        orphans: result.orphans,
        repaired: result.repaired,
    })
}

/// Returns free space to the file system, beside a running cache (`is_cache_running`) or without one.
///
/// # Errors
/// A message in one line.
pub fn vacuum(cache_dir: &Path, is_cache_running: bool) -> Result<StoredVacuumResult, String> {
    let result = open(cache_dir)?.vacuum(is_cache_running)?;
    Ok(StoredVacuumResult { before_bytes: result.before_bytes, after_bytes: result.after_bytes })
}

/// Class of a response, according to its tags.
pub fn class_of(row: &EntrySummary) -> &str {
    row.tags.iter().find_map(|tag| tag.as_str().strip_prefix("class:")).unwrap_or_default()
}

/// Whether it has this server and this class.
pub fn matches(row: &EntrySummary, server: Option<&str>, class: Option<&str>) -> bool {
    server.is_none_or(|server| row.key.namespace() == server) && class.is_none_or(|class| class_of(row) == class)
}

/// Path of a URL or a key, without the query.
pub fn path_of(text: &str) -> &str {
    let path = text.split_once("://").map_or(text, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    path.split(['?', ' ']).next().unwrap_or(path)
}

/// Parses hexadecimal digits.
pub fn unhex(digits: &str) -> Option<Vec<u8>> {
    HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()
}

fn is_expired(row: &EntrySummary, now_ms: Timestamp) -> bool {
    row.deadlines.fresh_until_ms.max(row.deadlines.stale_until_ms) <= now_ms
}

fn state(row: &EntrySummary, now_ms: Timestamp) -> &'static str {
    if now_ms < row.deadlines.fresh_until_ms {
        "fresh"
    } else if now_ms < row.deadlines.stale_until_ms {
        "stale"
    } else if now_ms < row.deadlines.error_until_ms {
        "for outages"
    } else {
        "over"
    }
}

fn response(row: &EntrySummary, now_ms: Timestamp) -> StoredResponse {
    StoredResponse {
        key: row.key.text().to_owned(),
        server: row.key.namespace().to_owned(),
        partition: row.key.partition().as_str().to_owned(),
        class: class_of(row).to_owned(),
        tags: row.tags.iter().map(|tag| Tag::as_str(tag).to_owned()).collect(),
        length: row.length,
        bytes: row.size,
        in_file: row.has_file,
        compressed: row.compressed,
        created_ms: row.created_ms.as_millis(),
        stored_ms: row.stored_ms.as_millis(),
        used_ms: row.used_ms.as_millis(),
        fresh_until_ms: row.deadlines.fresh_until_ms.as_millis(),
        stale_until_ms: row.deadlines.stale_until_ms.as_millis(),
        stale_on_error_until_ms: row.deadlines.error_until_ms.as_millis(),
        state: state(row, now_ms).to_owned(),
        markers: None,
        content_type: None,
        is_whole: None,
        body_hex: None,
    }
}

fn to_stored_invalidation(covering: &CoveringInvalidation) -> StoredInvalidation {
    StoredInvalidation { by: scope_text(covering), purges: covering.purges, is_newer: covering.is_newer }
}

fn to_stored_damage(damage: StoreDamage) -> StoredDamage {
    let partition_text = |what: &str, key, message| StoredDamage { what: what.to_owned(), key, message };
    match damage {
        StoreDamage::CorruptRow(key) => partition_text("torn", Some(key), None),
        StoreDamage::MissingBody(key) => partition_text("no-body", Some(key), None),
        StoreDamage::Database(message) => partition_text("database", None, Some(message)),
    }
}

fn scope_text(covering: &CoveringInvalidation) -> String {
    let partition_text = |partition: &Option<Partition>| match partition {
        Some(partition) => format!(" of partition {}", partition.as_str()),
        None => String::new(),
    };
    match &covering.scope {
        Scope::All => "everything".to_owned(),
        Scope::Namespace(server) => format!("all of {server}"),
        Scope::Partition { partition, .. } => format!("all of partition {}", partition.as_str()),
        Scope::Key(_) => "this key".to_owned(),
        Scope::Tag { tag, partition, .. } => format!("tag {}{}", tag.as_str(), partition_text(partition)),
        Scope::Prefix { prefix, partition, .. } => format!("path {prefix}{}", partition_text(partition)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_extracted_from_urls_and_keys() {
        for text in [
            "/library/sections",
            "/library/sections?X-Plex-Token=secret",
            "http://192.168.1.10:32500/library/sections?a=b",
            "/library/sections json",
        ] {
            assert_eq!(path_of(text), "/library/sections");
        }
        assert_eq!(path_of("http://nas"), "/");
    }

    #[test]
    fn hexadecimal_digits_round_trip() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(unhex(&HEXLOWER.encode(&bytes)), Some(bytes));
        assert_eq!(unhex("zz"), None);
    }
}
