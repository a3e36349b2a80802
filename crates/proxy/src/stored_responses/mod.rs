//! What is stored on disk, gathered for the API and for commands that work alone: lists, single responses, totals, checks.
//! It reads through a connection of its own, for the process that owns the directory.

pub mod words;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use greenroom_cache::disk::inspect::{Covering, Damage, Inspection, Listed};
use greenroom_cache::{Partition, Scope, Tag};

use crate::response::head_of;
pub use words::{
    ClassTotals, Damaged, Marker, Query, Response, Responses, ShowQuery, Totals, Vacuumed, Verified,
    VerifyQuery,
};

/// Responses that are shown at most.
const MAX_SHOWN: usize = 20;

/// Where state and cache are.
#[derive(Debug, Clone)]
pub struct Place {
    /// The data directory.
    pub data: PathBuf,
    /// The directory of the disk tier, if there is one.
    pub cache: Option<PathBuf>,
}

/// Opens the store in a directory; that there is none is said.
///
/// # Errors
/// One line that says what is wrong.
pub fn open(cache_dir: &Path) -> Result<Inspection, String> {
    Inspection::open(cache_dir)?.ok_or_else(|| {
        format!("{}: nothing is kept there; --data-dir names another place", cache_dir.display())
    })
}

/// Lists responses.
///
/// # Errors
/// One line that says what is wrong.
pub fn list(cache_dir: &Path, query: &Query, now_ms: u64) -> Result<Responses, String> {
    let store = open(cache_dir)?;
    let mut rows = Vec::new();
    store.each(|row| {
        if fits(&row, query.server.as_deref(), query.class.as_deref())
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
    Ok(Responses { items: rows.iter().map(|row| response(row, now_ms)).collect(), more })
}

/// Shows all that is known of responses.
///
/// # Errors
/// One line that says what is wrong.
pub fn show(cache_dir: &Path, query: &ShowQuery, now_ms: u64) -> Result<Responses, String> {
    let store = open(cache_dir)?;
    let wanted = path_of(&query.what);
    let (mut rows, mut more) = (Vec::new(), 0);
    store.each(|row| {
        let is_it = [row.key.whole(), row.key.text()].contains(&query.what.as_str())
            || path_of(row.key.text()) == wanted;
        if is_it && fits(&row, query.server.as_deref(), None) {
            if rows.len() < MAX_SHOWN { rows.push(row) } else { more += 1 }
        }
        ControlFlow::Continue(())
    })?;
    let mut items = Vec::new();
    for row in &rows {
        let value = store.value(row)?;
        let kind = value.as_ref().map(|value| head_of(&value.meta).1);
        let kind = kind.and_then(|headers| Some(headers.get("content-type")?.to_str().ok()?.to_owned()));
        let body = value.as_ref().filter(|_| query.body).map(|value| hex(&value.body));
        items.push(Response {
            markers: Some(store.covering(row)?.iter().map(marker).collect()),
            content_type: kind,
            is_whole: Some(value.is_some()),
            body_hex: body,
            ..response(row, now_ms)
        });
    }
    Ok(Responses { items, more })
}

/// Counts everything.
///
/// # Errors
/// One line that says what is wrong.
pub fn totals(cache_dir: &Path, now_ms: u64) -> Result<Totals, String> {
    let store = open(cache_dir)?;
    let totals = store.totals()?;
    let mut classes: BTreeMap<(String, String), [u64; 4]> = BTreeMap::new();
    store.each(|row| {
        let name = (row.key.namespace().to_owned(), class_of(&row).to_owned());
        let [count, bytes, expired, files] = classes.entry(name).or_default();
        *count += 1;
        *bytes += row.size;
        *expired += u64::from(is_expired(&row, now_ms));
        *files += u64::from(row.has_file);
        ControlFlow::Continue(())
    })?;
    let sum = |at: usize| classes.values().map(|row| row[at]).sum::<u64>();
    Ok(Totals {
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
            .map(|((server, class), [answers, bytes, expired, files])| ClassTotals {
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

/// Checks every response, beside a running cache (`others`) or without one. `progress` hears how many of how many are
/// done.
///
/// # Errors
/// One line that says what is wrong.
pub fn verify(
    cache_dir: &Path,
    query: &VerifyQuery,
    others: bool,
    now_ms: u64,
    progress: impl FnMut(u64, u64),
) -> Result<Verified, String> {
    let found = open(cache_dir)?.verify(query.repair, others, now_ms, progress)?;
    Ok(Verified {
        answers: found.rows,
        bytes: found.bytes,
        damage: found.damage.into_iter().map(damaged).collect(),
        orphans: found.orphans,
        repaired: found.repaired,
    })
}

/// Gives free room back, beside a running cache (`others`) or without one.
///
/// # Errors
/// One line that says what is in the way.
pub fn vacuum(cache_dir: &Path, others: bool) -> Result<Vacuumed, String> {
    let room = open(cache_dir)?.vacuum(others)?;
    Ok(Vacuumed { before_bytes: room.before_bytes, after_bytes: room.after_bytes })
}

/// The class of a response, as its tags say.
pub fn class_of(row: &Listed) -> &str {
    row.tags.iter().find_map(|tag| tag.as_str().strip_prefix("class:")).unwrap_or_default()
}

/// Whether it is one of this server and this class.
pub fn fits(row: &Listed, server: Option<&str>, class: Option<&str>) -> bool {
    server.is_none_or(|server| row.key.namespace() == server)
        && class.is_none_or(|class| class_of(row) == class)
}

/// The path in an address or a key, whatever is asked of it.
pub fn path_of(text: &str) -> &str {
    let path = text.split_once("://").map_or(text, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    path.split(['?', ' ']).next().unwrap_or(path)
}

/// The bytes that hexadecimal digits stand for.
pub fn unhex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn is_expired(row: &Listed, now_ms: u64) -> bool {
    row.horizons.fresh_until_ms.max(row.horizons.stale_until_ms) <= now_ms
}

fn state(row: &Listed, now_ms: u64) -> &'static str {
    if now_ms < row.horizons.fresh_until_ms {
        "fresh"
    } else if now_ms < row.horizons.stale_until_ms {
        "stale"
    } else if now_ms < row.horizons.error_until_ms {
        "for outages"
    } else {
        "over"
    }
}

fn response(row: &Listed, now_ms: u64) -> Response {
    Response {
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
        fresh_until_ms: row.horizons.fresh_until_ms,
        stale_until_ms: row.horizons.stale_until_ms,
        stale_on_error_until_ms: row.horizons.error_until_ms,
        state: state(row, now_ms).to_owned(),
        markers: None,
        content_type: None,
        is_whole: None,
        body_hex: None,
    }
}

fn marker(covering: &Covering) -> Marker {
    Marker { by: spelled(covering), purges: covering.purges, is_newer: covering.is_newer }
}

fn damaged(damage: Damage) -> Damaged {
    let of = |what: &str, key, message| Damaged { what: what.to_owned(), key, message };
    match damage {
        Damage::Torn(key) => of("torn", Some(key), None),
        Damage::NoBody(key) => of("no-body", Some(key), None),
        Damage::Database(word) => of("database", None, Some(word)),
    }
}

fn spelled(marker: &Covering) -> String {
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
