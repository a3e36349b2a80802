//! `greenroom sync`: imports a playlist into a media server through the running gateway.

mod summary;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use clap::{Args, ValueEnum};
use greenroom_library::playlist::{self, Playlist};
use http::Method;
use serde_json::{Value, json};

use super::api_client::{ApiClient, GatewayArgs};
use super::modes::with_gateway;
use super::output::{error_json, print_error};
use super::progress::ProgressLine;
use super::{FAILURE, SUCCESS, USAGE_ERROR, fail, stop_signal};
use crate::cli::sync::summary::{code, summary};

/// Interval between progress requests.
const POLL_INTERVAL: Duration = Duration::from_millis(300);

const EXAMPLES: &str = "\
Examples:
  greenroom sync weekly.jspf --to home                       create it, or finish it
  greenroom sync liked.csv --to home --name Liked --mode replace --account kids --account guests
  greenroom sync road.m3u --to home --dry-run                print what would be done
  greenroom sync --from attic/Road --to home                 copy from another configured server
  curl -s https://example.org/list.json | greenroom sync - --to home --name List
  greenroom sync Playlist1.json --to home --playlist Road    one of the several playlists of a file; without it, all

Exit code 0: complete; 3: rows are missing from the library, or an account cannot see all tracks
(--missing FILE writes them to a file); 4: the server is scanning its files, and the sync runs again by itself
once that has ended; 1: it failed; 2: the command line is wrong.";

/// Arguments.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct SyncArgs {
    /// Playlist file: JSPF, XSPF, ListenBrainz, Spotify or plain JSON, M3U, PLS, CSV, or lines "Artist - Title"; -
    /// reads standard input
    #[arg(value_name = "FILE", required_unless_present = "from", conflicts_with = "from")]
    file: Option<PathBuf>,
    /// Of a file with several playlists, only the one of this name; may be repeated; those of one name are numbered,
    /// such as "Road" and "Road (2)" [default: all]
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    playlist: Vec<String>,
    /// Read a playlist of a configured server instead, by its name or id
    #[arg(long, value_name = "SERVER/PLAYLIST")]
    from: Option<String>,
    /// Server to write to [default: the only one]
    #[arg(long, value_name = "SERVER")]
    to: Option<String>,
    /// Library of the tracks, by key or title [default: the music library]
    #[arg(long, value_name = "LIBRARY")]
    library: Option<String>,
    /// Name on the server [default: the name in the file, else the file's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Change of an existing playlist
    #[arg(long, value_enum, default_value_t = SyncModeArg::Create)]
    mode: SyncModeArg,
    /// Allow a replaced playlist to lose most of its tracks, or any if few rows were found
    #[arg(long)]
    allow_shrink: bool,
    /// Write for this account; may be repeated [default: the owner's]
    #[arg(long, value_name = "ACCOUNT")]
    account: Vec<String>,
    /// Write nothing, print what would be written
    #[arg(long)]
    dry_run: bool,
    /// Matches to accept
    #[arg(long, value_enum, default_value_t = SyncPolicyArg::Strict)]
    policy: SyncPolicyArg,
    /// Search the server for missing tracks, with at most this number of requests
    #[arg(long, value_name = "N", default_value_t = 0)]
    live: u32,
    /// Wait for the library's first index
    #[arg(long)]
    wait: bool,
    /// Print JSON: the run; with several playlists {"runs": […]}, in which a failed one has an "error"
    #[arg(long)]
    json: bool,
    /// Write the rows that are not in the library to this file: CSV, or JSPF where it ends with .json or .jspf; with
    /// several playlists, to one file each, such as missing-2.csv
    #[arg(long, value_name = "FILE")]
    missing: Option<PathBuf>,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Permitted change of a playlist that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SyncModeArg {
    /// Leave it alone, unless an earlier run with the same rows created it
    Create,
    /// Make it contain exactly these tracks in this order
    Replace,
    /// Add missing tracks at its end
    Append,
}

/// Matches that count as found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SyncPolicyArg {
    /// Only this recording
    Strict,
    /// Another version of the same song, if this one is missing
    PreferVersionElseAny,
    /// Only items with the same external id
    IdsOnly,
}

/// Runs a sync.
pub(super) fn run(options: &SyncArgs) -> u8 {
    let inputs = match read_inputs(options) {
        Ok(inputs) => inputs,
        Err((code, error)) => {
            return print_error(&error, code);
        }
    };
    with_gateway(&options.gateway, async |client| {
        let several = inputs.len() > 1;
        let mut codes = Vec::with_capacity(inputs.len());
        let mut runs = Vec::new();
        for (number, input) in (1..).zip(inputs) {
            let name = input.name.clone();
            let missing = options.missing.as_deref().map(|path| missing_path(path, several.then_some(number)));
            let (run, code) = match sync(&client, input.source).await {
                Ok(run) => finish(&client, options, run, missing.as_deref()).await,
                Err(problem) if options.json && several => (failed_run(name.as_deref(), &problem), FAILURE),
                Err(problem) => (Value::Null, fail(&problem)),
            };
            // The others do not depend on a playlist that failed.
            codes.push(code);
            runs.extend(options.json.then_some(run));
        }
        if options.json {
            print_runs(runs, several);
        }
        // A failure outweighs missing rows.
        let has_failed = codes.contains(&FAILURE);
        Ok(if has_failed { FAILURE } else { codes.into_iter().max().unwrap_or(SUCCESS) })
    })
}

/// Starts a sync and waits for its end.
async fn sync(client: &ApiClient, source: InputSource) -> Result<Value, String> {
    let (path, body) = match source {
        InputSource::Request(request) => {
            ("api/v1/playlists/sync".to_owned(), ("application/json", Bytes::from(request.to_string())))
        }
        InputSource::File(path, bytes) => (path, ("application/octet-stream", bytes)),
        InputSource::Unreadable(problem) => return Err(problem),
    };
    let run = client.request(Method::POST, &path, Some(body)).await?;
    follow(client, run).await
}

/// The document of a playlist whose sync failed, among those of others.
fn failed_run(name: Option<&str>, problem: &str) -> Value {
    let mut document = error_json(problem, FAILURE);
    document["name"] = json!(name);
    document
}

/// Prints the runs as one JSON document.
fn print_runs(mut runs: Vec<Value>, several: bool) {
    if several {
        println!("{}", json!({ "runs": runs }));
    } else if let Some(run) = runs.pop().filter(|run| !run.is_null()) {
        // Otherwise its error is printed.
        println!("{run}");
    }
}

/// The file of missing rows; with several playlists each has one.
fn missing_path(path: &Path, number: Option<u32>) -> PathBuf {
    let Some(number) = number else { return path.to_owned() };
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|extension| format!(".{}", extension.to_string_lossy())).unwrap_or_default();
    path.with_file_name(format!("{stem}-{number}{extension}"))
}

/// Input of a sync.
struct SyncInput {
    /// Name on the server, if it is known before the request.
    name: Option<String>,
    source: InputSource,
}

/// Input to send.
enum InputSource {
    Request(Value),
    File(String, Bytes),
    /// Nothing: no row can be read.
    Unreadable(String),
}

fn read_inputs(options: &SyncArgs) -> Result<Vec<SyncInput>, (u8, String)> {
    let name_of = |value: &dyn ValueName| value.value_name();
    let mut query: Vec<(&str, String)> =
        vec![("mode", name_of(&options.mode)), ("policy", name_of(&options.policy)), ("detach", "true".into())];
    query.extend(options.to.clone().map(|to| ("server", to)));
    query.extend(options.library.clone().map(|library| ("library", library)));
    for (name, is_set) in [("dry_run", options.dry_run), ("wait", options.wait), ("shrink", options.allow_shrink)] {
        query.extend(is_set.then(|| (name, "true".to_owned())));
    }
    if options.live > 0 {
        query.push(("live", options.live.to_string()));
    }
    if let Some(from) = &options.from {
        let (server, playlist) = from
            .split_once('/')
            .filter(|(server, playlist)| !server.is_empty() && !playlist.is_empty())
            .ok_or((USAGE_ERROR, "--from must look like SERVER/PLAYLIST, such as attic/Weekly".to_owned()))?;
        let mut request = json!({
            "source": {"server": server, "playlist": playlist}, "mode": name_of(&options.mode), "accounts": options.account,
            "policy": name_of(&options.policy), "dry_run": options.dry_run, "live": options.live, "wait": options.wait,
            "shrink": options.allow_shrink, "detach": true,
        });
        for (key, value) in [("server", &options.to), ("library", &options.library), ("name", &options.name)] {
            if let Some(value) = value {
                request[key] = json!(value);
            }
        }
        return Ok(vec![SyncInput { name: options.name.clone(), source: InputSource::Request(request) }]);
    }
    let path = options.file.as_deref().unwrap_or(Path::new("-"));
    let bytes = read(path).map_err(|error| (FAILURE, error))?;
    let source = path.display().to_string();
    let hint = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut all =
        playlist::read_all(&bytes, &hint).map_err(|unreadable| (FAILURE, format!("{source}: {unreadable}")))?;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).filter(|stem| stem != "-");
    playlist::set_unique_names(&mut all, stem.as_deref());
    query.push(("hint", hint));
    if !options.account.is_empty() {
        query.push(("accounts", options.account.join(",")));
    }
    let bytes = Bytes::from(bytes);
    let input = |(part, name): (usize, String)| {
        if let Some(unreadable) = all.get(part - 1).and_then(Playlist::only_bad_rows) {
            let problem = format!("{source}: {name}: {unreadable}");
            return SyncInput { name: Some(name), source: InputSource::Unreadable(problem) };
        }
        let own = [("name", name.clone()), ("part", part.to_string())];
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query.iter().chain(&own)).finish();
        let source = InputSource::File(format!("api/v1/playlists/sync?{query}"), bytes.clone());
        SyncInput { name: Some(name), source }
    };
    Ok(chosen(options, &all)?.into_iter().map(input).collect())
}

/// Positions from 1 and names of the playlists of a file that are asked for.
fn chosen(options: &SyncArgs, all: &[Playlist]) -> Result<Vec<(usize, String)>, (u8, String)> {
    let own_names: Vec<&str> = all.iter().map(|playlist| playlist.name.as_deref().unwrap_or_default()).collect();
    if let Some(unknown) = options.playlist.iter().find(|name| !own_names.contains(&name.as_str())) {
        let known = own_names.join(", ");
        return Err((USAGE_ERROR, format!("the file has no playlist {unknown:?}; its playlists are: {known}")));
    }
    let is_chosen = |name: &str| options.playlist.is_empty() || options.playlist.iter().any(|wanted| wanted == name);
    let parts: Vec<(usize, &str)> = (1..).zip(own_names).filter(|(_, name)| is_chosen(name)).collect();
    if parts.len() > 1 && options.name.is_some() {
        let message = format!("--name fits one playlist, and the file has {}: choose one with --playlist", parts.len());
        return Err((USAGE_ERROR, message));
    }
    let named = |(part, own): (usize, &str)| {
        let own = Some(own.to_owned()).filter(|own| !own.is_empty());
        let name = options.name.clone().or(own);
        let name = name.ok_or((USAGE_ERROR, "give the playlist a name with --name".to_owned()))?;
        Ok((part, name))
    };
    parts.into_iter().map(named).collect()
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
    let source = path.display();
    let too_long = || format!("{source}: {}", playlist::PlaylistParseError::TooLong);
    let cannot = |error: std::io::Error| format!("{source}: cannot be read: {error}");
    let limit = playlist::MAX_BYTES as u64;
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().take(limit + 1).read_to_end(&mut bytes).map_err(cannot)?;
    } else {
        let file = File::open(path).map_err(cannot)?;
        let metadata = file.metadata().map_err(cannot)?;
        if metadata.is_dir() {
            return Err(format!(
                "{source}: is a folder; give a single file (the configuration can name a folder to watch)"
            ));
        }
        if metadata.len() > limit {
            return Err(too_long());
        }
        file.take(limit + 1).read_to_end(&mut bytes).map_err(cannot)?;
    }
    if bytes.len() > playlist::MAX_BYTES { Err(too_long()) } else { Ok(bytes) }
}

/// Polls the run until it has ended. An interrupt cancels it and prints what was done.
async fn follow(client: &ApiClient, mut run: Value) -> Result<Value, String> {
    let line = ProgressLine::new();
    let id = run["run"].as_str().unwrap_or_default().to_owned();
    let path = format!("api/v1/playlists/runs/{id}");
    let mut stop = std::pin::pin!(stop_signal());
    let mut is_cancelled = false;
    while run["state"] == "running" {
        let message = progress(&run["progress"]);
        match (run["progress"]["done"].as_u64(), run["progress"]["total"].as_u64()) {
            (Some(done), Some(total)) if total > 0 => line.show_share(done, total, &message),
            _ => line.show_step(&message),
        }
        tokio::select! {
            () = tokio::time::sleep(POLL_INTERVAL) => {}
            () = stop.as_mut(), if !is_cancelled => {
                is_cancelled = true;
                client.request(Method::POST, &format!("{path}/cancel"), None).await?;
            }
        }
        run = client.request(Method::GET, &path, None).await?;
    }
    Ok(run)
}

fn progress(progress: &Value) -> String {
    let (done, total) = (progress["done"].as_u64().unwrap_or(0), progress["total"].as_u64().unwrap_or(0));
    match progress["stage"].as_str().unwrap_or_default() {
        "waiting-for-library" => match progress["percent"].as_u64() {
            Some(percent) => format!("waiting for the library index: {percent} %"),
            None => "waiting for the library index".to_owned(),
        },
        "reading-source" => "reading the source playlist".to_owned(),
        "resolving" => format!("matching tracks: {done} of {total}"),
        "writing" => {
            let account = progress["account"].as_str().map(|account| format!(" for {account}")).unwrap_or_default();
            format!("writing{account}: {done} of {total}")
        }
        other => other.to_owned(),
    }
}

/// Prints the result of a run as text, and writes its missing rows. Returns the run and the exit code.
async fn finish(client: &ApiClient, options: &SyncArgs, run: Value, missing: Option<&Path>) -> (Value, u8) {
    let report = &run["report"];
    if !report.is_object() {
        let reason = run["error"]["message"].as_str().unwrap_or("it was cancelled before anything was written");
        // The JSON of the run has it.
        let code = if options.json { FAILURE } else { fail(reason) };
        return (run, code);
    }
    if !options.json {
        print!("{}", summary(report));
    }
    let mut code = code(report);
    if let Some(path) = missing
        && let Err(problem) = write_missing(client, &run, path).await
    {
        // Standard output may be for the run's JSON.
        eprintln!("greenroom: {problem}");
        code = FAILURE;
    }
    (run, code)
}

/// Writes the rows that were not found to a file.
async fn write_missing(client: &ApiClient, run: &Value, path: &Path) -> Result<(), String> {
    let extension = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
    let is_json = extension.is_some_and(|extension| extension == "json" || extension == "jspf");
    let format = if is_json { "json" } else { "csv" };
    let id = run["run"].as_str().unwrap_or_default();
    let document = client.document(&format!("api/v1/playlists/runs/{id}/missing?format={format}")).await?;
    std::fs::write(path, &document).map_err(|error| format!("{}: cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_too_long_is_not_read() {
        let folder = tempfile::tempdir().expect("create a temporary folder");
        let path = folder.path().join("huge.csv");
        // A sparse file takes no space.
        File::create(&path).and_then(|file| file.set_len(1 << 30)).expect("create the file");
        let error = read(&path).expect_err("the file is too long");
        assert!(error.contains("longer than 16 MiB"), "{error}");
        assert!(read(folder.path()).expect_err("a folder cannot be read").contains("is a folder"));
    }
}
