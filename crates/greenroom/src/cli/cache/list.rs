//! `greenroom cache ls|show|stats`: shows the cache's content.

use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::io::Write;

use clap::Args;
use serde_json::{Value, json};

use super::super::duration::duration;
use super::super::{FAILURE, SUCCESS, fail};
use super::{CacheDirArgs, FilterArgs, ask_or_run_offline, size};
use greenroom_demo::scenario::table::align;
use greenroom_proxy::shadow::report::format_thousands;
use greenroom_proxy::stored_responses as stored;
use greenroom_proxy::stored_responses::{
    StoredInvalidation, StoredQuery, StoredResponse, StoredResponses, StoredShowQuery, StoredTotals, path_of, unhex,
};

/// Characters of a key that a list prints; --json prints all of them.
const MAX_KEY_CHARS: usize = 80;

/// `greenroom cache ls`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Only expired entries
    #[arg(long)]
    expired: bool,
    /// Maximum number of entries; 0 for all
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folder: CacheDirArgs,
}

/// `greenroom cache show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// A key as `ls` prints it, or an address or path such as /library/sections
    #[arg(value_name = "KEY|URL")]
    key: String,
    /// Only entries of this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Also print the content; without effect with --json
    #[arg(long)]
    body: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folder: CacheDirArgs,
}

/// `greenroom cache stats`.
#[derive(Debug, Args)]
pub(super) struct StoredStatsArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folder: CacheDirArgs,
}

pub(super) fn ls(options: &ListArgs, now_ms: Timestamp) -> Result<u8, String> {
    let folders = options.folder.folders()?;
    let FilterArgs { server, class } = options.filter.clone();
    let query = StoredQuery { server, class, expired: options.expired, limit: options.limit };
    let StoredResponses { items, more } = ask_or_run_offline(&folders, "api/v1/cache/disk/list", &query, || {
        stored::list(&folders.cache, &query, now_ms)
    })?;
    if options.json {
        println!("{}", json!(items));
        return Ok(SUCCESS);
    }
    let mut lines = vec![["server", "class", "size", "age", "state", "key"].map(str::to_owned).to_vec()];
    lines.extend(items.into_iter().map(|row| {
        let (size, age) = (size(row.bytes), duration(now_ms.millis_since(Timestamp::from_millis(row.stored_ms))));
        vec![row.server, row.class, size, age, row.state, single_line(&row.key)]
    }));
    print!("{}", left_aligned(&lines));
    if more > 0 {
        println!("{} more entries; --limit 0 lists all", format_thousands(more));
    }
    Ok(SUCCESS)
}

pub(super) fn show(options: &ShowArgs, now_ms: Timestamp) -> Result<u8, String> {
    let folders = options.folder.folders()?;
    let (key, server) = (options.key.clone(), options.server.clone());
    let query = StoredShowQuery { what: key, server, body: options.body && !options.json };
    let StoredResponses { items, more } = ask_or_run_offline(&folders, "api/v1/cache/disk/show", &query, || {
        stored::show(&folders.cache, &query, now_ms)
    })?;
    if items.is_empty() {
        let path = path_of(&options.key);
        fail(&format!("no entry is stored for {path}; `greenroom cache ls` lists all"));
        return Ok(FAILURE);
    }
    if options.json {
        println!("{}", json!(items));
        return Ok(SUCCESS);
    }
    for row in &items {
        print_entry(row, now_ms)?;
    }
    if more > 0 {
        println!("{more} more entries match");
    }
    Ok(SUCCESS)
}

fn print_entry(row: &StoredResponse, now_ms: Timestamp) -> Result<(), String> {
    let left = |until_ms: Timestamp| match until_ms {
        Timestamp::MAX => "unlimited".to_owned(),
        until_ms if until_ms > now_ms => format!("for {}", duration(millis(until_ms - now_ms))),
        _ => "over".to_owned(),
    };
    let age = |at_ms: Timestamp| format!("{} ago", duration(now_ms.millis_since(at_ms)));
    let storage = match (row.in_file, row.compressed) {
        (true, true) => "in a file, compressed",
        (true, false) => "in a file",
        (false, true) => "in the database, compressed",
        (false, false) => "in the database",
    };
    println!("key        {}", row.key);
    println!("server     {}, in partition {}", row.server, row.partition);
    println!("class      {}", row.class);
    let kind = row.content_type.as_deref().unwrap_or("unknown type");
    println!("content    {} bytes of {kind}, {storage}", format_thousands(row.length));
    println!(
        "stored     {}; requested {}",
        age(Timestamp::from_millis(row.stored_ms)),
        age(Timestamp::from_millis(row.created_ms))
    );
    println!("read       {} (exact to the hour)", age(Timestamp::from_millis(row.used_ms)));
    println!(
        "left       fresh {}, stale {}, on error {}",
        left(Timestamp::from_millis(row.fresh_until_ms)),
        left(Timestamp::from_millis(row.stale_until_ms)),
        left(Timestamp::from_millis(row.stale_on_error_until_ms))
    );
    println!("tags       {}", row.tags.join(", "));
    match row.markers.iter().flatten().find(|marker| marker.is_newer) {
        Some(StoredInvalidation { by, purges: true, .. }) => {
            println!("invalid    purged by {by}: it is never served again");
        }
        Some(StoredInvalidation { by, .. }) => {
            println!("invalid    by {by}: it is served only if a load fails");
        }
        None => println!("invalid    no"),
    }
    if row.is_whole == Some(false) {
        println!("damaged    its content differs from what was written; `greenroom cache verify --repair` removes it");
    }
    if let Some(body) = row.body_hex.as_deref().and_then(unhex) {
        println!();
        let mut out = std::io::stdout().lock();
        out.write_all(&body).and_then(|()| out.write_all(b"\n")).map_err(|error| error.to_string())?;
    }
    println!();
    Ok(())
}

pub(super) fn stats(options: &StoredStatsArgs, now_ms: Timestamp) -> Result<u8, String> {
    let folders = options.folder.folders()?;
    let totals: StoredTotals = ask_or_run_offline(&folders, "api/v1/cache/disk/stats", &Value::Null, || {
        stored::totals(&folders.cache, now_ms)
    })?;
    if options.json {
        println!("{}", json!(totals));
        return Ok(SUCCESS);
    }
    println!(
        "{}: {} entries, {}; database {} ({} of it free), its log {}; {} invalidations",
        totals.dir,
        format_thousands(totals.answers),
        size(totals.bytes),
        size(totals.database_bytes),
        size(totals.free_bytes),
        size(totals.log_bytes),
        format_thousands(totals.markers)
    );
    let mut rows = vec![["class", "entries", "expired", "in files", "size"].map(str::to_owned).to_vec()];
    rows.extend(totals.classes.iter().map(|class| {
        let name = format!("{}: {}", class.server, class.class);
        vec![
            name,
            format_thousands(class.answers),
            format_thousands(class.expired),
            format_thousands(class.files),
            size(class.bytes),
        ]
    }));
    print!("{}", align(&rows));
    Ok(SUCCESS)
}

fn single_line(text: &str) -> String {
    let plain = |character: char| if character.is_control() { ' ' } else { character };
    let mut short: String = text.chars().take(MAX_KEY_CHARS).map(plain).collect();
    if text.chars().count() > MAX_KEY_CHARS {
        short.push('…');
    }
    short
}

/// Rows as lines, with columns as wide as needed.
fn left_aligned(rows: &[Vec<String>]) -> String {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_a_list_is_a_single_short_line() {
        assert_eq!(single_line("/a\nb"), "/a b");
        assert_eq!(single_line(&"x".repeat(200)).chars().count(), MAX_KEY_CHARS + 1);
    }
}
