//! `greenroom sync`: imports a playlist into a media server through the running gateway.

mod summary;

use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use greenroom_library::playlist;
use http::Method;
use serde_json::{Value, json};

use super::api_client::{ApiClient, GatewayArgs};
use super::modes::with_gateway;
use super::{FAILED, MISUSED, stop_signal};
use crate::cli::sync::summary::{code, summary};

/// Interval between progress requests.
const PERIOD: Duration = Duration::from_millis(300);

const EXAMPLES: &str = "\
Examples:
  greenroom sync weekly.jspf --to home                       make it, or finish it
  greenroom sync liked.csv --to home --name Liked --mode replace --account kids --account guests
  greenroom sync road.m3u --to home --dry-run                tell what would be done
  greenroom sync --from attic/Road --to home                 a playlist of another configured server
  curl -s https://example.org/list.json | greenroom sync - --to home --name List

It ends with 0 when all is there, with 3 when rows are missing from the library or an account cannot have them all
(--missing FILE writes them down), with 1 when it failed, with 2 when something was typed wrongly.";

/// What was typed.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word somebody may say")]
pub(super) struct SyncArgs {
    /// The playlist: JSPF, ListenBrainz or plain JSON, M3U, CSV; - reads it from standard input
    #[arg(value_name = "FILE", required_unless_present = "from", conflicts_with = "from")]
    file: Option<PathBuf>,
    /// A playlist of a configured server, by its name or id
    #[arg(long, value_name = "SERVER/PLAYLIST")]
    from: Option<String>,
    /// The server it is written to [default: the only one]
    #[arg(long, value_name = "SERVER")]
    to: Option<String>,
    /// The library its tracks are from, by key or title [default: the music library]
    #[arg(long, value_name = "LIBRARY")]
    library: Option<String>,
    /// What it is called there [default: what it calls itself, else the file's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What may happen to one that is there
    #[arg(long, value_enum, default_value_t = SyncModeArg::Create)]
    mode: SyncModeArg,
    /// Let a replaced playlist lose most of its tracks, or lose any where few rows were found
    #[arg(long)]
    allow_shrink: bool,
    /// For this account; may be said several times [default: the owner's token]
    #[arg(long, value_name = "ACCOUNT")]
    account: Vec<String>,
    /// Write nothing, tell what would be written
    #[arg(long)]
    dry_run: bool,
    /// What may count as found
    #[arg(long, value_enum, default_value_t = SyncPolicyArg::Strict)]
    policy: SyncPolicyArg,
    /// Search the server for what is not found, with so many requests at most
    #[arg(long, value_name = "N", default_value_t = 0)]
    live: u32,
    /// Wait while the library is read for the first time
    #[arg(long)]
    wait: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write the rows that are not in the library to this file: CSV, or JSPF where it ends with .json or .jspf
    #[arg(long, value_name = "FILE")]
    missing: Option<PathBuf>,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// What may happen to a playlist that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SyncModeArg {
    /// It is left alone, unless it was begun from the same rows
    Create,
    /// It holds exactly these tracks in this order
    Replace,
    /// What is missing is added at its end
    Append,
}

/// What may count as found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SyncPolicyArg {
    /// Only this recording
    Strict,
    /// Another version of the same song, if this one is not there
    PreferVersionElseAny,
    /// Only what is named by the same id
    IdsOnly,
}

/// Runs a sync.
pub(super) fn run(options: &SyncArgs) -> u8 {
    let prepared = match prepare(options) {
        Ok(prepared) => prepared,
        Err((code, problem)) => {
            eprintln!("greenroom: {problem}");
            return code;
        }
    };
    with_gateway(&options.gateway, async |remote| {
        let begun = match prepared {
            SyncInput::Request(wish) => remote.ask(Method::POST, "api/v1/playlists/sync", Some(&wish)).await?,
            SyncInput::File(path, bytes) => remote.upload(&path, "application/octet-stream", bytes).await?,
        };
        let ended = follow(&remote, options, begun).await?;
        finish(&remote, options, &ended).await
    })
}

/// Input of a sync.
enum SyncInput {
    Request(Value),
    File(String, Vec<u8>),
}

fn prepare(options: &SyncArgs) -> Result<SyncInput, (u8, String)> {
    let word = |value: &dyn ValueName| value.value_name();
    let mut said: Vec<(&str, String)> =
        vec![("mode", word(&options.mode)), ("policy", word(&options.policy)), ("detach", "true".into())];
    said.extend(options.to.clone().map(|to| ("server", to)));
    said.extend(options.library.clone().map(|library| ("library", library)));
    for (name, is_said) in [("dry_run", options.dry_run), ("wait", options.wait), ("shrink", options.allow_shrink)] {
        said.extend(is_said.then(|| (name, "true".to_owned())));
    }
    if options.live > 0 {
        said.push(("live", options.live.to_string()));
    }
    if let Some(from) = &options.from {
        let (server, list) = from
            .split_once('/')
            .filter(|(server, list)| !server.is_empty() && !list.is_empty())
            .ok_or((MISUSED, "--from must look like SERVER/PLAYLIST, such as attic/Weekly".to_owned()))?;
        let mut wish = json!({
            "source": {"server": server, "playlist": list}, "mode": word(&options.mode), "accounts": options.account,
            "policy": word(&options.policy), "dry_run": options.dry_run, "live": options.live, "wait": options.wait,
            "shrink": options.allow_shrink, "detach": true,
        });
        for (key, value) in [("server", &options.to), ("library", &options.library), ("name", &options.name)] {
            if let Some(value) = value {
                wish[key] = json!(value);
            }
        }
        return Ok(SyncInput::Request(wish));
    }
    let path = options.file.as_deref().unwrap_or(Path::new("-"));
    let bytes = read(path).map_err(|problem| (FAILED, problem))?;
    let shown = path.display().to_string();
    let hint = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let read = playlist::read(&bytes, &hint).map_err(|unreadable| (FAILED, format!("{shown}: {unreadable}")))?;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).filter(|stem| stem != "-");
    let name = options.name.clone().or(read.name).or(stem);
    let name = name.ok_or((MISUSED, "--name: say what the playlist is to be called".to_owned()))?;
    said.push(("name", name));
    said.push(("hint", hint));
    if !options.account.is_empty() {
        said.push(("accounts", options.account.join(",")));
    }
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(said).finish();
    Ok(SyncInput::File(format!("api/v1/playlists/sync?{query}"), bytes))
}

/// Name of a value as typed.
trait ValueName {
    fn value_name(&self) -> String;
}

impl<T: ValueEnum> ValueName for T {
    fn value_name(&self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Reads a file, unless it is larger than a playlist may be.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let too_long = || format!("{shown}: {}", playlist::PlaylistParseError::TooLong);
    let cannot = |error: std::io::Error| format!("{shown}: cannot be read: {error}");
    let most = playlist::MAX_BYTES as u64;
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().take(most + 1).read_to_end(&mut bytes).map_err(cannot)?;
    } else {
        let file = File::open(path).map_err(cannot)?;
        let about = file.metadata().map_err(cannot)?;
        if about.is_dir() {
            return Err(format!("{shown}: is a folder; give one file (folders are watched by configuration)"));
        }
        if about.len() > most {
            return Err(too_long());
        }
        file.take(most + 1).read_to_end(&mut bytes).map_err(cannot)?;
    }
    if bytes.len() > playlist::MAX_BYTES { Err(too_long()) } else { Ok(bytes) }
}

/// Polls the run until it has ended. An interrupt cancels it and prints what was done.
async fn follow(remote: &ApiClient, options: &SyncArgs, begun: Value) -> Result<Value, u8> {
    let shows = std::io::stderr().is_terminal() && !options.json;
    let id = begun["run"].as_str().unwrap_or_default().to_owned();
    let path = format!("api/v1/playlists/runs/{id}");
    let mut told = begun;
    let mut stop = std::pin::pin!(stop_signal());
    let mut is_cancelled = false;
    while told["state"] == "running" {
        if shows {
            eprint!("\r\x1b[K{}", progress(&told["progress"]));
            drop(std::io::stderr().flush());
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = stop.as_mut(), if !is_cancelled => {
                is_cancelled = true;
                remote.ask(Method::POST, &format!("{path}/cancel"), None).await?;
            }
        }
        told = remote.get(&path).await?;
    }
    if shows {
        eprint!("\r\x1b[K");
    }
    Ok(told)
}

fn progress(told: &Value) -> String {
    let (done, total) = (told["done"].as_u64().unwrap_or(0), told["total"].as_u64().unwrap_or(0));
    match told["stage"].as_str().unwrap_or_default() {
        "waiting-for-library" => match told["percent"].as_u64() {
            Some(percent) => format!("waiting for the library: {percent} % is read"),
            None => "waiting for the library".to_owned(),
        },
        "reading-source" => "reading the playlist it comes from".to_owned(),
        "resolving" => format!("looking for tracks: {done} of {total}"),
        "writing" => {
            let whose = told["account"].as_str().map(|account| format!(" for {account}")).unwrap_or_default();
            format!("writing{whose}: {done} of {total}")
        }
        other => other.to_owned(),
    }
}

async fn finish(remote: &ApiClient, options: &SyncArgs, ended: &Value) -> Result<u8, u8> {
    if options.json {
        println!("{ended}");
    }
    let report = &ended["report"];
    if !report.is_object() {
        let why = ended["error"]["message"].as_str().unwrap_or("it was cancelled before anything was written");
        eprintln!("greenroom: {why}");
        return Ok(FAILED);
    }
    if !options.json {
        print!("{}", summary(report));
    }
    if let Some(path) = &options.missing {
        let ending = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
        let is_json = ending.is_some_and(|ending| ending == "json" || ending == "jspf");
        let format = if is_json { "json" } else { "csv" };
        let id = ended["run"].as_str().unwrap_or_default();
        let document = remote.document(&format!("api/v1/playlists/runs/{id}/missing?format={format}")).await?;
        if let Err(error) = std::fs::write(path, &document) {
            eprintln!("greenroom: {}: cannot be written: {error}", path.display());
            return Ok(FAILED);
        }
    }
    Ok(code(report))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_too_long_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("huge.csv");
        // A sparse file takes no space.
        File::create(&path).and_then(|file| file.set_len(1 << 30)).expect("it can be made");
        let problem = read(&path).expect_err("it is too long");
        assert!(problem.contains("longer than 16 MiB"), "{problem}");
        assert!(read(folder.path()).expect_err("a folder").contains("is a folder"));
    }
}
