//! `greenroom cache ls|show|stats`: what lies there.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::ControlFlow;

use clap::Args;
use greenroom_cache::Horizons;
use greenroom_cache::disk::inspect::{Covering, Inspection, Listed};
use greenroom_cache::{Partition, Scope};
use serde_json::{Value, json};

use super::super::why::duration;
use super::super::{DONE, FAILED};
use super::{Filter, Folder, class_of, size};
use crate::demo::table::align;
use crate::observe::report::grouped;
use crate::proxy::answer::head_of;

/// Letters of a key that are printed in a list; all of them with --json.
const MAX_LETTERS: usize = 80;
/// Answers that `show` shows at most.
const MAX_SHOWN: usize = 20;

/// `greenroom cache ls`.
#[derive(Debug, Args)]
pub(super) struct Ls {
    #[command(flatten)]
    filter: Filter,
    /// Only answers that are too old to be given without asking the server
    #[arg(long)]
    expired: bool,
    /// So many at most; 0 for all
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folder: Folder,
}

/// `greenroom cache show`.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The key as `ls` prints it, or an address or path such as /library/sections
    #[arg(value_name = "KEY|URL")]
    what: String,
    /// Only answers of this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Print the content too; with --json it is left out
    #[arg(long)]
    body: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folder: Folder,
}

/// `greenroom cache stats`.
#[derive(Debug, Args)]
pub(super) struct Stats {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folder: Folder,
}

pub(super) fn ls(options: &Ls, now_ms: u64) -> Result<u8, String> {
    let store = options.folder.open()?;
    let mut rows = Vec::new();
    store.each(|row| {
        if options.filter.fits(&row) && (!options.expired || is_expired(&row.horizons, now_ms)) {
            rows.push(row);
        }
        ControlFlow::Continue(())
    })?;
    rows.sort_by_key(|row| std::cmp::Reverse(row.used_ms));
    let found = rows.len();
    if options.limit > 0 {
        rows.truncate(options.limit);
    }
    if options.json {
        println!("{}", Value::Array(rows.iter().map(|row| as_json(row, now_ms)).collect()));
        return Ok(DONE);
    }
    let mut lines = vec![["server", "class", "size", "age", "is", "key"].map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(|row| {
        vec![
            row.key.namespace().to_owned(),
            class_of(row).to_owned(),
            size(row.size),
            duration(now_ms.saturating_sub(row.stored_ms)),
            state(&row.horizons, now_ms).to_owned(),
            shortened(row.key.text()),
        ]
    }));
    print!("{}", left_aligned(&lines));
    if rows.len() < found {
        println!("{} more; --limit 0 shows all", grouped((found - rows.len()) as u64));
    }
    Ok(DONE)
}

pub(super) fn show(options: &Show, now_ms: u64) -> Result<u8, String> {
    let store = options.folder.open()?;
    let wanted = path_of(&options.what);
    let (mut rows, mut more) = (Vec::new(), 0);
    store.each(|row| {
        let is_servers = options.server.as_deref().is_none_or(|server| row.key.namespace() == server);
        let is_it = [row.key.whole(), row.key.text()].contains(&options.what.as_str())
            || path_of(row.key.text()) == wanted;
        if is_servers && is_it {
            if rows.len() < MAX_SHOWN { rows.push(row) } else { more += 1 }
        }
        ControlFlow::Continue(())
    })?;
    if rows.is_empty() {
        eprintln!("greenroom: nothing is kept for {wanted}; `greenroom cache ls` lists what is");
        return Ok(FAILED);
    }
    let mut all = Vec::new();
    for row in &rows {
        if options.json {
            let mut told = as_json(row, now_ms);
            told["markers"] = store.covering(row)?.iter().map(marker_as_json).collect();
            all.push(told);
        } else {
            tell(&store, row, options.body, now_ms)?;
        }
    }
    if options.json {
        println!("{}", Value::Array(all));
    } else if more > 0 {
        println!("{more} more answer to it");
    }
    Ok(DONE)
}

fn tell(store: &Inspection, row: &Listed, with_body: bool, now_ms: u64) -> Result<(), String> {
    let value = store.value(row)?;
    let tags: Vec<&str> = row.tags.iter().map(|tag| tag.as_str()).collect();
    let left = |until_ms: u64| match until_ms {
        u64::MAX => "for good".to_owned(),
        until_ms if until_ms > now_ms => format!("for {}", duration(until_ms - now_ms)),
        _ => "over".to_owned(),
    };
    let ago = |at_ms: u64| format!("{} ago", duration(now_ms.saturating_sub(at_ms)));
    let Horizons { fresh_until_ms, stale_until_ms, error_until_ms, .. } = row.horizons;
    let form = match (row.has_file, row.compressed) {
        (true, true) => "in a file, compressed",
        (true, false) => "in a file",
        (false, true) => "in the database, compressed",
        (false, false) => "in the database",
    };
    println!("key        {}", row.key.text());
    println!("server     {}, in partition {}", row.key.namespace(), row.key.partition().as_str());
    println!("class      {}", class_of(row));
    let kind = value.as_ref().map(|value| head_of(&value.meta).1);
    let kind = kind.and_then(|headers| Some(headers.get("content-type")?.to_str().ok()?.to_owned()));
    println!(
        "content    {} bytes of {}, {form}",
        grouped(row.length),
        kind.as_deref().unwrap_or("unknown type")
    );
    println!("stored     {}; asked for {}", ago(row.stored_ms), ago(row.created_ms));
    println!("read       {} (exact to the hour)", ago(row.used_ms));
    println!(
        "left       fresh {}, stale {}, if the server fails {}",
        left(fresh_until_ms),
        left(stale_until_ms),
        left(error_until_ms)
    );
    println!("tags       {}", tags.join(", "));
    let covering = store.covering(row)?;
    match covering.iter().find(|marker| marker.is_newer) {
        Some(marker) if marker.purges => {
            println!("invalid    purged by {}: it is not used any more", spelled(marker))
        }
        Some(marker) => println!("invalid    by {}: it may only stand in for a failure", spelled(marker)),
        None => println!("invalid    no"),
    }
    match value {
        None => println!(
            "damaged    its content is not what was written; `greenroom cache verify --repair` takes it out"
        ),
        Some(value) if with_body => {
            println!();
            let mut out = std::io::stdout().lock();
            out.write_all(&value.body)
                .and_then(|()| out.write_all(b"\n"))
                .map_err(|error| error.to_string())?;
        }
        Some(_) => {}
    }
    println!();
    Ok(())
}

pub(super) fn stats(options: &Stats, now_ms: u64) -> Result<u8, String> {
    let folders = options.folder.folders()?;
    let store = super::open(&folders)?;
    let totals = store.totals()?;
    let mut classes: BTreeMap<(String, String), [u64; 4]> = BTreeMap::new();
    store.each(|row| {
        let name = (row.key.namespace().to_owned(), class_of(&row).to_owned());
        let [count, bytes, expired, files] = classes.entry(name).or_default();
        *count += 1;
        *bytes += row.size;
        *expired += u64::from(is_expired(&row.horizons, now_ms));
        *files += u64::from(row.has_file);
        ControlFlow::Continue(())
    })?;
    let sum = |at: usize| classes.values().map(|row| row[at]).sum::<u64>();
    if options.json {
        let classes: Vec<Value> = classes
            .iter()
            .map(|((server, class), [count, bytes, expired, files])| {
                json!({"server": server, "class": class, "answers": count, "bytes": bytes, "expired": expired,
                    "files": files})
            })
            .collect();
        let told = json!({
            "dir": folders.cache, "answers": sum(0), "bytes": sum(1), "expired": sum(2), "files": sum(3),
            "database_bytes": totals.database_bytes, "free_bytes": totals.free_bytes,
            "log_bytes": totals.log_bytes, "markers": totals.markers, "classes": classes,
        });
        println!("{told}");
        return Ok(DONE);
    }
    println!(
        "{}: {} answers, {}; the database takes {} ({} of it free), its log {}; {} markers",
        folders.cache.display(),
        grouped(sum(0)),
        size(sum(1)),
        size(totals.database_bytes),
        size(totals.free_bytes),
        size(totals.log_bytes),
        grouped(totals.markers)
    );
    let mut rows = vec![["class", "answers", "expired", "in files", "size"].map(str::to_owned).to_vec()];
    rows.extend(classes.iter().map(|((server, class), [count, bytes, expired, files])| {
        let name = format!("{server}: {class}");
        vec![name, grouped(*count), grouped(*expired), grouped(*files), size(*bytes)]
    }));
    print!("{}", align(&rows));
    Ok(DONE)
}

fn is_expired(horizons: &Horizons, now_ms: u64) -> bool {
    horizons.fresh_until_ms.max(horizons.stale_until_ms) <= now_ms
}

fn state(horizons: &Horizons, now_ms: u64) -> &'static str {
    if now_ms < horizons.fresh_until_ms {
        "fresh"
    } else if now_ms < horizons.stale_until_ms {
        "stale"
    } else if now_ms < horizons.error_until_ms {
        "for outages"
    } else {
        "over"
    }
}

fn as_json(row: &Listed, now_ms: u64) -> Value {
    json!({
        "key": row.key.text(), "server": row.key.namespace(), "partition": row.key.partition().as_str(),
        "class": class_of(row), "tags": row.tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>(),
        "length": row.length, "bytes": row.size, "in_file": row.has_file, "compressed": row.compressed,
        "created_ms": row.created_ms, "stored_ms": row.stored_ms, "used_ms": row.used_ms,
        "fresh_until_ms": row.horizons.fresh_until_ms, "stale_until_ms": row.horizons.stale_until_ms,
        "stale_on_error_until_ms": row.horizons.error_until_ms, "state": state(&row.horizons, now_ms),
    })
}

fn marker_as_json(marker: &Covering) -> Value {
    json!({"by": spelled(marker), "purges": marker.purges, "is_newer": marker.is_newer})
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

/// The path in an address or a key, whatever is asked of it.
fn path_of(text: &str) -> &str {
    let path = text.split_once("://").map_or(text, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    path.split(['?', ' ']).next().unwrap_or(path)
}

fn shortened(text: &str) -> String {
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    let mut short: String = text.chars().take(MAX_LETTERS).map(plain).collect();
    if text.chars().count() > MAX_LETTERS {
        short.push('…');
    }
    short
}

/// Rows of words as lines, each column as wide as it has to be.
fn left_aligned(rows: &[Vec<String>]) -> String {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
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
    fn a_key_in_a_list_is_one_line() {
        assert_eq!(shortened("/a\nb"), "/a b");
        assert_eq!(shortened(&"x".repeat(200)).chars().count(), MAX_LETTERS + 1);
    }
}
