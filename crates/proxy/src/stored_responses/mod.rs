//! Inspects the disk tier for the API and for commands without a running process: lists, single responses, totals,
//! checks. Uses its own connection, in the process that owns the directory.

pub mod dto;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

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
    Inspection::open(cache_dir)?
        .ok_or_else(|| format!("{}: nothing is kept there; --data-dir names another place", cache_dir.display()))
}

/// Lists responses.
///
/// # Errors
/// A message in one line.
pub fn list(cache_dir: &Path, query: &StoredQuery, now_ms: u64) -> Result<StoredResponses, String> {
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
    let found = rows.len();
    if query.limit > 0 {
        rows.truncate(query.limit);
    }
    let more = (found - rows.len()) as u64;
    Ok(StoredResponses { items: rows.iter().map(|row| response(row, now_ms)).collect(), more })
}

/// Shows responses with all details.
///
/// # Errors
/// A message in one line.
pub fn show(cache_dir: &Path, query: &StoredShowQuery, now_ms: u64) -> Result<StoredResponses, String> {
    let store = open(cache_dir)?;
    let wanted = path_of(&query.what);
    let (mut rows, mut more) = (Vec::new(), 0);
    store.for_each_entry(|row| {
        let is_it =
            [row.key.encoded(), row.key.text()].contains(&query.what.as_str()) || path_of(row.key.text()) == wanted;
        if is_it && matches(&row, query.server.as_deref(), None) {
            if rows.len() < MAX_SHOWN { rows.push(row) } else { more += 1 }
        }
        ControlFlow::Continue(())
    })?;
    let mut items = Vec::new();
    for row in &rows {
        let value = store.value(row)?;
        let kind = value.as_ref().map(|value| parse_head(&value.meta).1);
        let kind = kind.and_then(|headers| Some(headers.get("content-type")?.to_str().ok()?.to_owned()));
        let body = value.as_ref().filter(|_| query.body).map(|value| hex(&value.body));
        items.push(StoredResponse {
            markers: Some(store.covering_invalidations(row)?.iter().map(marker).collect()),
            content_type: kind,
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
pub fn totals(cache_dir: &Path, now_ms: u64) -> Result<StoredTotals, String> {
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

/// Checks every response, beside a running cache (`others`) or without one. `progress` gets the number done and the
/// total.
///
/// # Errors
/// A message in one line.
pub fn verify(
    cache_dir: &Path,
    query: &StoredVerifyQuery,
    others: bool,
    now_ms: u64,
    progress: impl FnMut(u64, u64),
) -> Result<StoredVerifyResult, String> {
    let found = open(cache_dir)?.verify(query.repair, others, now_ms, progress)?;
    Ok(StoredVerifyResult {
        answers: found.rows,
        bytes: found.bytes,
        damage: found.damage.into_iter().map(damaged).collect(),
        orphans: found.orphans,
        repaired: found.repaired,
    })
}

/// Returns free space to the file system, beside a running cache (`others`) or without one.
///
/// # Errors
/// A message in one line.
pub fn vacuum(cache_dir: &Path, others: bool) -> Result<StoredVacuumResult, String> {
    let room = open(cache_dir)?.vacuum(others)?;
    Ok(StoredVacuumResult { before_bytes: room.before_bytes, after_bytes: room.after_bytes })
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
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn is_expired(row: &EntrySummary, now_ms: u64) -> bool {
    row.deadlines.fresh_until_ms.max(row.deadlines.stale_until_ms) <= now_ms
}

fn state(row: &EntrySummary, now_ms: u64) -> &'static str {
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

fn response(row: &EntrySummary, now_ms: u64) -> StoredResponse {
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
        created_ms: row.created_ms,
        stored_ms: row.stored_ms,
        used_ms: row.used_ms,
        fresh_until_ms: row.deadlines.fresh_until_ms,
        stale_until_ms: row.deadlines.stale_until_ms,
        stale_on_error_until_ms: row.deadlines.error_until_ms,
        state: state(row, now_ms).to_owned(),
        markers: None,
        content_type: None,
        is_whole: None,
        body_hex: None,
    }
}

fn marker(covering: &CoveringInvalidation) -> StoredInvalidation {
    StoredInvalidation { by: spelled(covering), purges: covering.purges, is_newer: covering.is_newer }
}

fn damaged(damage: StoreDamage) -> StoredDamage {
    let of = |what: &str, key, message| StoredDamage { what: what.to_owned(), key, message };
    match damage {
        StoreDamage::CorruptRow(key) => of("torn", Some(key), None),
        StoreDamage::MissingBody(key) => of("no-body", Some(key), None),
        StoreDamage::Database(word) => of("database", None, Some(word)),
    }
}

fn spelled(marker: &CoveringInvalidation) -> String {
    let of = |partition: &Option<Partition>| match partition {
        Some(partition) => format!(" of partition {}", partition.as_str()),
        None => String::new(),
    };
    match &marker.scope {
        Scope::All => "everything".to_owned(),
        Scope::Namespace(server) => format!("all of {server}"),
        Scope::Partition { partition, .. } => format!("all of partition {}", partition.as_str()),
        Scope::Key(_) => "this key".to_owned(),
        Scope::Tag { tag, partition, .. } => format!("tag {}{}", tag.as_str(), of(partition)),
        Scope::Prefix { prefix, partition, .. } => format!("path {prefix}{}", of(partition)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_in_whatever_is_typed() {
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
    fn bytes_come_back_from_their_digits() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        assert_eq!(unhex("zz"), None);
    }
}
