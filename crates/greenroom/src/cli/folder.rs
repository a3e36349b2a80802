//! `greenroom folder`: lists, scans and marks the files of folders of the running gateway.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use form_urlencoded::Serializer;
use http::Method;
use serde_json::{Value, json};

use super::api_client::{ApiClient, GatewayArgs};
use super::modes::{print_done, with_gateway};
use super::{SUCCESS, fail};
use greenroom_demo::scenario::table::align;
use greenroom_folder::marks::marker_database::{is_database, read_marker_database};

/// Interval at which a waiting `scan` asks for progress.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

/// `greenroom folder`.
#[derive(Debug, Args)]
pub(super) struct FolderArgs {
    #[command(subcommand)]
    command: Option<FolderCommand>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

#[derive(Debug, Subcommand)]
enum FolderCommand {
    /// List the files of a folder
    Ls(ListArgs),
    /// Compare a folder with its tree now, and wait for the result
    Scan {
        /// Name of the folder
        folder: String,
        /// Accept the result, even if most files are gone
        #[arg(long)]
        accept_loss: bool,
    },
    /// Set, unset or undo marks; without paths, a search or a filter the marks are counted
    Marks(MarkArgs),
    /// List files that seem to be duplicates
    Duplicates {
        /// Name of the folder
        folder: String,
    },
    /// List what changed lately, newest first
    Changes {
        /// Name of the folder
        folder: String,
        /// Days back: 1 to 31
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=31))]
        days: u64,
    },
    /// Print all marks of a folder as JSON
    Export {
        /// Name of the folder
        folder: String,
    },
    /// Set the marks of an export, or of a marker file or database of a comic app
    Import {
        /// Name of the folder
        folder: String,
        /// The file
        file: PathBuf,
        /// The mark that a list of paths stands for
        #[arg(long, default_value = "processed")]
        mark: String,
    },
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Name of the folder
    folder: String,
    /// Words that the path, series or title must contain
    search: Vec<String>,
    /// all, marked, unmarked, duplicates, unread, or mark:NAME
    #[arg(long, default_value = "all")]
    filter: String,
    /// name, date, size or series
    #[arg(long, default_value = "name")]
    sort: String,
    /// Reverse the order
    #[arg(long)]
    desc: bool,
    /// The page
    #[arg(long, default_value_t = 1)]
    page: usize,
    /// Files on a page: 10 to 500, or all
    #[arg(long, default_value = "100")]
    per_page: String,
}

#[derive(Debug, Args)]
struct MarkArgs {
    /// Name of the folder
    folder: String,
    /// Set this mark
    #[arg(long, value_name = "MARK", conflicts_with_all = ["unset", "undo"])]
    set: Option<String>,
    /// Remove this mark
    #[arg(long, value_name = "MARK", conflicts_with = "undo")]
    unset: Option<String>,
    /// Undo the last change
    #[arg(long)]
    undo: bool,
    /// On all files of this filter, as for ls
    #[arg(long)]
    filter: Option<String>,
    /// On all files with these words
    #[arg(long)]
    search: Option<String>,
    /// On these files, by their paths in the folder
    paths: Vec<String>,
}

pub(super) fn folder(options: &FolderArgs) -> u8 {
    with_gateway(&options.gateway, async |client| {
        match &options.command {
            None => {
                let folders = client.get("api/v1/folders").await?;
                println!("{}", if options.json { folders.to_string() } else { summary(&folders) });
            }
            Some(FolderCommand::Ls(arguments)) => list(&client, arguments, options.json).await?,
            Some(FolderCommand::Scan { folder, accept_loss }) => {
                scan(&client, folder, *accept_loss, options.json).await?;
            }
            Some(FolderCommand::Marks(arguments)) => marks(&client, arguments, options.json).await?,
            Some(FolderCommand::Duplicates { folder }) => {
                let found = client.get(&format!("api/v1/folders/{folder}/duplicates?limit=500")).await?;
                println!("{}", if options.json { found.to_string() } else { groups(&found) });
            }
            Some(FolderCommand::Changes { folder, days }) => {
                let found = client.get(&format!("api/v1/folders/{folder}/changes?limit=500&days={days}")).await?;
                println!("{}", if options.json { found.to_string() } else { changes(&found) });
            }
            Some(FolderCommand::Export { folder }) => {
                let marks = client.document(&format!("api/v1/folders/{folder}/marks")).await;
                let marks = marks.map_err(|problem| fail(&problem))?;
                println!("{}", String::from_utf8_lossy(&marks));
            }
            Some(FolderCommand::Import { folder, file, mark }) => {
                let marks = read_marks(file).map_err(|problem| fail(&format!("{}: {problem}", file.display())))?;
                let mark = Serializer::new(String::new()).append_pair("mark", mark).finish();
                let path = format!("api/v1/folders/{folder}/marks/import?{mark}");
                let done = client.send(Method::PUT, &path, Some(&marks)).await?;
                print_receipt(&done, options.json);
            }
        }
        Ok(SUCCESS)
    })
}

/// Marks to import: an export, a list of paths, or the comic app's database.
fn read_marks(file: &Path) -> Result<Value, String> {
    let bytes = std::fs::read(file).map_err(|error| format!("cannot be read: {error}"))?;
    if is_database(&bytes) {
        let export = read_marker_database(file)?;
        return serde_json::to_value(export).map_err(|error| error.to_string());
    }
    serde_json::from_slice(&bytes).map_err(|error| format!("is neither JSON nor a database: {error}"))
}

async fn list(client: &ApiClient, arguments: &ListArgs, is_json: bool) -> Result<(), u8> {
    let mut query = Serializer::new(String::new());
    query
        .append_pair("filter", &arguments.filter)
        .append_pair("sort", &arguments.sort)
        .append_pair("direction", if arguments.desc { "desc" } else { "asc" })
        .append_pair("page", &arguments.page.to_string())
        .append_pair("per_page", &arguments.per_page)
        .append_pair("search", &arguments.search.join(" "));
    let page = client.get(&format!("api/v1/folders/{}/files?{}", arguments.folder, query.finish())).await?;
    if is_json {
        println!("{page}");
        return Ok(());
    }
    for file in page["files"].as_array().into_iter().flatten() {
        let marks: Vec<&str> = file["marks"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let marks = if marks.is_empty() { String::new() } else { format!("  [{}]", marks.join(", ")) };
        println!("{}{marks}", text(&file["path"]));
    }
    match page["message"].as_str() {
        Some(message) => eprintln!("{message}"),
        None => eprintln!(
            "page {} of {}, {} files, {}; metadata of {} of {}",
            page["page"],
            page["total_pages"],
            page["total_files"],
            text(&page["state"]),
            page["enriched"]["done"],
            page["enriched"]["of"]
        ),
    }
    Ok(())
}

async fn scan(client: &ApiClient, folder: &str, accept_loss: bool, is_json: bool) -> Result<(), u8> {
    let path = format!("api/v1/folders/{folder}");
    let count = |report: &Value| {
        let counters = &report["counters"];
        ["scans", "suspicious_scans", "cancelled"].iter().filter_map(|name| counters[*name].as_u64()).sum::<u64>()
    };
    let before = client.get(&path).await?;
    let begun =
        client.send(Method::POST, &format!("{path}/scan"), Some(&json!({ "accept_loss": accept_loss }))).await?;
    // One that was running had begun before, and another follows it.
    let wanted = count(&before) + if begun["was_running"] == true { 2 } else { 1 };
    loop {
        let report = client.get(&path).await?;
        if count(&report) >= wanted && report["progress"].is_null() {
            println!("{}", if is_json { report.to_string() } else { summary(&json!({ "folders": [report] })) });
            return Ok(());
        }
        tokio::time::sleep(PROGRESS_INTERVAL).await;
    }
}

async fn marks(client: &ApiClient, arguments: &MarkArgs, is_json: bool) -> Result<(), u8> {
    let path = format!("api/v1/folders/{}", arguments.folder);
    let change = arguments.set.as_ref().map(|mark| (mark, "set"));
    let change = change.or_else(|| arguments.unset.as_ref().map(|mark| (mark, "unset")));
    let done = match change {
        _ if arguments.undo => client.send(Method::POST, &format!("{path}/marks/undo"), None).await?,
        Some((mark, action)) => {
            let mut body = json!({ "mark": mark, "action": action });
            if arguments.filter.is_some() || arguments.search.is_some() {
                body["filter"] = json!(arguments.filter);
                body["search"] = json!(arguments.search);
            } else {
                body["paths"] = json!(arguments.paths);
            }
            client.send(Method::POST, &format!("{path}/marks"), Some(&body)).await?
        }
        None => {
            let page = client.get(&format!("{path}/files?per_page=10")).await?;
            let counts = &page["counts"]["marks"];
            if is_json {
                println!("{counts}");
            } else {
                counts.as_object().into_iter().flatten().for_each(|(mark, count)| println!("{mark}: {count}"));
            }
            return Ok(());
        }
    };
    print_receipt(&done, is_json);
    Ok(())
}

fn print_receipt(done: &Value, is_json: bool) {
    if is_json {
        print_done(done, true);
        return;
    }
    println!("{} changed, {} were so before, {} not found.", done["changed"], done["unchanged"], done["missing"]);
    for path in done["missing_paths"].as_array().into_iter().flatten() {
        eprintln!("not found: {}", text(path));
    }
}

fn summary(listed: &Value) -> String {
    let heading = ["folder", "state", "files", "metadata", "age", "watch", "problem"].map(str::to_owned).to_vec();
    let rows = listed["folders"].as_array().cloned().unwrap_or_default();
    let rows = rows.iter().map(|folder| {
        let age = folder["age_ms"].as_u64().map_or_else(String::new, |ms| format!("{} s", ms / 1000));
        let enriched = format!("{} of {}", folder["enriched"]["done"], folder["enriched"]["of"]);
        let files = folder["files"].to_string();
        let problem = text(&folder["problem"]);
        vec![text(&folder["name"]), text(&folder["state"]), files, enriched, age, text(&folder["watch"]), problem]
    });
    align(&std::iter::once(heading).chain(rows).collect::<Vec<_>>())
}

fn groups(found: &Value) -> String {
    let mut lines = Vec::new();
    for group in found["groups"].as_array().into_iter().flatten() {
        lines.push(format!("{}:", text(&group["reason"])));
        let files = group["files"].as_array().map_or(&[][..], Vec::as_slice);
        lines.extend(files.iter().map(|file| format!("  {}", text(&file["path"]))));
        let more = group["total_files"].as_u64().unwrap_or(0).saturating_sub(files.len() as u64);
        if more > 0 {
            lines.push(format!("  and {more} more"));
        }
    }
    lines.push(format!("{} groups", found["total"]));
    lines.join("\n")
}

fn changes(found: &Value) -> String {
    let mut lines = Vec::new();
    for change in found["changes"].as_array().into_iter().flatten() {
        let at = change["at_ms"].as_i64().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        let at = at.map_or_else(String::new, |at| {
            at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
        });
        let from = change["previous_path"].as_str().map(|_| format!("{} -> ", text(&change["previous_path"])));
        let (kind, from) = (text(&change["kind"]), from.unwrap_or_default());
        lines.push(format!("{at}  {kind:<9} {from}{}", text(&change["path"])));
    }
    let counts = &found["counts"];
    let [added, removed] = [&counts["added"], &counts["removed"]];
    let [renamed, rewritten] = [&counts["renamed"], &counts["rewritten"]];
    lines.push(format!("{added} added, {removed} removed, {renamed} renamed, {rewritten} rewritten"));
    lines.join("\n")
}

/// A text for the terminal: control characters, which a file's name may hold, are escaped.
fn text(value: &Value) -> String {
    let mut shown = String::new();
    for character in value.as_str().unwrap_or_default().chars() {
        if character.is_control() || is_direction(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Whether a character reverses the text behind it.
fn is_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_folder_is_printed_on_a_line_and_each_group_with_its_files() {
        let folders = json!({"folders": [{"name": "comics", "state": "fresh", "files": 7, "age_ms": 2500,
            "enriched": {"done": 3, "of": 7}, "watch": "events"}]});
        let table = summary(&folders);
        for words in ["comics", "fresh", "3 of 7", "2 s", "events"] {
            assert!(table.contains(words), "{words} in {table}");
        }
        let found =
            json!({"total": 1, "groups": [{"reason": "same-content", "files": [{"path": "a"}, {"path": "b"}]}]});
        assert_eq!(groups(&found), "same-content:\n  a\n  b\n1 groups");
        let found =
            json!({"total": 1, "groups": [{"reason": "same-issue", "total_files": 9, "files": [{"path": "a"}]}]});
        assert_eq!(groups(&found), "same-issue:\n  a\n  and 8 more\n1 groups");
    }

    #[test]
    fn changes_are_printed_on_a_line_each_and_counted() {
        let found = json!({"changes": [{"at_ms": 0, "kind": "renamed", "path": "b", "previous_path": "a"}],
            "counts": {"added": 0, "removed": 0, "renamed": 1, "rewritten": 0}});
        let shown = changes(&found);
        assert!(shown.contains("  renamed   a -> b\n0 added, 0 removed, 1 renamed, 0 rewritten"), "{shown}");
    }

    #[test]
    fn names_of_files_give_the_terminal_no_orders() {
        let shown = text(&json!("a\u{1b}]0;title\u{7}\nÉmile\u{202e}gpj"));
        assert_eq!(shown, r"a\u{1b}]0;title\u{7}\nÉmile\u{202e}gpj");
    }
}
