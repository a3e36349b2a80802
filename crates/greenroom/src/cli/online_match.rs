//! `greenroom match` against the running gateway: tracks, paths, names, and match overrides.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use http::Method;
use serde_json::{Map, Value, json};

use super::api_client::{ApiClient, GatewayArgs};
use super::modes::with_gateway;
use super::progress::ProgressLine;
use super::{FAILURE, SUCCESS, fail, usage_error};
use greenroom_sync::track_list::TrackList;

/// Largest file of paths, in bytes.
const MAX_PATHS_BYTES: u64 = 64 * 1024 * 1024;
/// Paths per request.
const PATHS_PER_REQUEST: usize = 10_000;

/// Arguments for the running gateway.
#[derive(Debug, Args)]
#[group(id = "online", multiple = true)]
pub(super) struct OnlineMatchArgs {
    /// Tracks to find in the library of the running gateway, each as "Artist - Title", as an id such as
    /// spotify:track:…, or many in a CSV file: title, artist, and if known qid, artists, album, duration_s
    #[arg(value_name = "TRACK", conflicts_with_all = ["paths", "path", "ids"])]
    tracks: Vec<String>,
    /// File with a path on each line; "-" reads standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["path", "ids"])]
    paths: Option<PathBuf>,
    /// Find the item of the file at this path; may be repeated
    #[arg(long, value_name = "PATH", conflicts_with = "ids")]
    path: Vec<String>,
    /// Ignore case in paths
    #[arg(long, conflicts_with_all = ["tracks", "ids"])]
    ignore_case: bool,
    /// Find items with this id, such as imdb://tt0111161; may be repeated
    #[arg(long = "id", value_name = "ID")]
    ids: Vec<String>,
    /// Search the server for tracks that are not in its index, with at most this number of requests
    #[arg(long, value_name = "REQUESTS", requires = "tracks")]
    live: Option<usize>,
    /// Pin: the given track, --path or --id always matches the item with this key
    #[arg(long, value_name = "KEY", conflicts_with_all = ["reject", "paths"])]
    pin: Option<String>,
    /// Reject: the given track, --path or --id never matches the item with this key
    #[arg(long, value_name = "KEY", conflicts_with = "paths")]
    reject: Option<String>,
    /// List all pins, rejections and confirmed matches
    #[arg(long, conflicts_with_all = ["tracks", "paths", "path", "ids", "pin", "reject"])]
    decisions: bool,
    /// Remove the decision with this number; may be repeated
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["tracks", "paths", "path", "ids", "pin", "reject", "decisions"])]
    take_back: Vec<i64>,
    /// Server of the library, where several are configured
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Queries the running gateway.
pub(super) fn run(options: &OnlineMatchArgs, library: Option<&str>, policy: &str, as_json: bool) -> u8 {
    let with_scope = |mut body: Map<String, Value>| -> Value {
        body.extend(library.map(|library| ("library".to_owned(), json!(library))));
        body.extend(options.server.as_ref().map(|server| ("server".to_owned(), json!(server))));
        Value::Object(body)
    };
    let body = |pairs: Value| with_scope(pairs.as_object().cloned().unwrap_or_default());
    let file_paths = match options.paths.as_deref().map(read_paths).transpose() {
        Ok(paths) => paths,
        Err(problem) => return fail(&problem),
    };
    let TrackList { names, tracks, bad_rows } = match TrackList::from_arguments(&options.tracks) {
        Ok(list) => list,
        Err(problem) => return fail(&problem),
    };
    for bad in &bad_rows {
        eprintln!("{bad}");
    }
    with_gateway(&options.gateway, async |client| {
        if let Some(key) = options.pin.as_ref().or(options.reject.as_ref()) {
            let subject = match (tracks.as_slice(), options.path.as_slice(), options.ids.as_slice()) {
                ([track], [], []) => json!({ "track": track }),
                ([], [path], []) => json!({ "path": path }),
                ([], [], [id]) => json!({ "id": id }),
                _ => {
                    return Ok(usage_error("--pin and --reject need exactly one track, --path or --id"));
                }
            };
            let kind = if options.pin.is_some() { "pin" } else { "rejection" };
            let mut query = body(subject);
            (query["kind"], query["key"]) = (json!(kind), json!(key));
            let response = client.send(Method::PUT, "api/v1/match/pins", Some(&query)).await?;
            show(&response, as_json, render_override);
            return Ok(SUCCESS);
        }
        if let Some(paths) = file_paths.or_else(|| Some(options.path.clone()).filter(|paths| !paths.is_empty())) {
            let case = if options.ignore_case { "ignore" } else { "exact" };
            let request = |chunk: &[String]| body(json!({ "case": case, "paths": chunk }));
            return match_paths(&client, &paths, request, as_json).await;
        }
        if !options.ids.is_empty() {
            let query = body(json!({ "ids": options.ids }));
            let response = client.send(Method::POST, "api/v1/match/ids", Some(&query)).await?;
            show(&response, as_json, |response| render_ids(&options.ids, response));
            return Ok(SUCCESS);
        }
        if options.decisions {
            return list(&client, library, as_json).await;
        }
        if !options.take_back.is_empty() {
            let query = json!({ "ids": options.take_back });
            let response = client.send(Method::DELETE, "api/v1/match/pins", Some(&query)).await?;
            show(&response, as_json, |response| format!("{} removed\n", response["gone"]));
            return Ok(SUCCESS);
        }
        if tracks.is_empty() {
            return Ok(usage_error(
                "give tracks, --path, --paths, --id or --decisions; or CSV files with --library, --queries and --output",
            ));
        }
        let mut query = body(json!({ "policy": policy, "tracks": tracks }));
        if let Some(limit) = options.live {
            query["live"] = json!(limit);
        }
        let response = client.send(Method::POST, "api/v1/match/tracks", Some(&query)).await?;
        show(&response, as_json, |response| render_tracks(&names, response));
        Ok(if bad_rows.is_empty() { SUCCESS } else { FAILURE })
    })
}

/// Looks up paths page by page and prints their items.
async fn match_paths(
    client: &ApiClient,
    paths: &[String],
    request: impl Fn(&[String]) -> Value,
    as_json: bool,
) -> Result<u8, u8> {
    let mut pages = ResponsePages::new("paths");
    let line = ProgressLine::new();
    for (done, chunk) in paths.chunks(PATHS_PER_REQUEST).enumerate() {
        line.show_share((done * PATHS_PER_REQUEST) as u64, paths.len() as u64, "paths");
        let response = client.send(Method::POST, "api/v1/match/paths", Some(&request(chunk))).await?;
        line.clear();
        if as_json {
            pages.add(response);
        } else {
            print!("{}", render_paths(chunk, &Value::from(pages.merge_rest(response))));
        }
    }
    if as_json {
        println!("{}", pages.document());
    } else {
        print!("{}", render_counts(&pages.rest));
    }
    Ok(SUCCESS)
}

async fn list(client: &ApiClient, library: Option<&str>, as_json: bool) -> Result<u8, u8> {
    let mut after = 0;
    let mut pages = ResponsePages::new("decisions");
    loop {
        let mut path = format!("api/v1/match/pins?after={after}");
        if let Some(library) = library {
            path.extend(["&library=", &form_urlencoded::byte_serialize(library.as_bytes()).collect::<String>()]);
        }
        let response = client.get(&path).await?;
        let next = response["next"].as_i64();
        if as_json {
            pages.add(response);
        } else {
            let lines = response["decisions"].as_array().into_iter().flatten().map(render_override);
            print!("{}", lines.collect::<String>());
        }
        match next {
            Some(next) => after = next,
            None => break,
        }
    }
    if as_json {
        println!("{}", pages.document());
    }
    Ok(SUCCESS)
}

/// Several responses that become one JSON document. It is printed once all are there, because an error of a later one
/// is a document of its own.
struct ResponsePages {
    /// The list that continues from response to response.
    list: &'static str,
    elements: Vec<Value>,
    /// Other fields: counts are summed, otherwise the last response wins.
    rest: Map<String, Value>,
}

impl ResponsePages {
    /// Fields that each response counts by itself.
    const COUNTS: [&str; 4] = ["high", "low", "none", "unknown"];

    fn new(list: &'static str) -> Self {
        Self { list, elements: Vec::new(), rest: Map::new() }
    }

    /// Merges all fields of a response but its list, which is returned.
    fn merge_rest(&mut self, response: Value) -> Vec<Value> {
        let Value::Object(mut response) = response else { return Vec::new() };
        let list = response.remove(self.list).unwrap_or_default();
        for (name, value) in response {
            let before = self.rest.get(&name).and_then(Value::as_u64).unwrap_or(0);
            let is_count = Self::COUNTS.contains(&name.as_str());
            let value = if is_count { json!(before.saturating_add(value.as_u64().unwrap_or(0))) } else { value };
            self.rest.insert(name, value);
        }
        if let Value::Array(elements) = list { elements } else { Vec::new() }
    }

    fn add(&mut self, response: Value) {
        let elements = self.merge_rest(response);
        self.elements.extend(elements);
    }

    fn document(self) -> Value {
        let mut document = self.rest;
        document.insert(self.list.to_owned(), Value::Array(self.elements));
        Value::Object(document)
    }
}

fn show(response: &Value, as_json: bool, render: impl FnOnce(&Value) -> String) {
    if as_json {
        println!("{response}");
    } else {
        print!("{}", render(response));
    }
}

fn read_paths(file: &Path) -> Result<Vec<String>, String> {
    let mut bytes = Vec::new();
    let source: Box<dyn std::io::Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        let opened = std::fs::File::open(file);
        Box::new(opened.map_err(|error| format!("{}: cannot be read: {error}", file.display()))?)
    };
    let read = source.take(MAX_PATHS_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("{}: cannot be read: {error}", file.display()))?;
    if bytes.len() as u64 > MAX_PATHS_BYTES {
        return Err(format!("{}: a list of paths may not be longer than 64 MiB", file.display()));
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn joined(value: &Value) -> String {
    value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(", ")
}

/// An item in a few words.
fn item_name(item: &Value) -> String {
    let artist = text(&item["artist"]);
    let title = text(&item["title"]);
    let name = if artist.is_empty() { title.to_owned() } else { format!("{artist} - {title}") };
    format!("{} {name}", text(&item["key"]))
}

/// The first file of an item, after a separator.
fn file_name(item: &Value) -> String {
    item["files"][0].as_str().map(|file| format!("  {file}")).unwrap_or_default()
}

fn render_tracks(query: &[String], response: &Value) -> String {
    let mut out = String::new();
    for (query, track) in query.iter().zip(response["tracks"].as_array().into_iter().flatten()) {
        let line = match text(&track["decision"]) {
            "accept" => format!("{} ({})", item_name(&track["item"]), track["score"]),
            "review" => format!("perhaps {}: {}", item_name(&track["candidates"][0]), text(&track["why"])),
            _ => "not found".to_owned(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{query}\n  {}, by {}: {line}", text(&track["decision"]), text(&track["source"]));
        for candidate in track["candidates"].as_array().into_iter().flatten() {
            let (score, why) = (&candidate["score"], text(&candidate["why"]));
            let _ = writeln!(out, "    {} ({score}): {why}{}", item_name(candidate), file_name(candidate));
        }
    }
    let _ = writeln!(out, "library {}, {} s old", text(&response["library"]), response["age_s"]);
    out
}

fn render_paths(query: &[String], paths: &Value) -> String {
    let mut out = String::new();
    for (query, path) in query.iter().zip(paths.as_array().into_iter().flatten()) {
        let best = path["items"].as_array().and_then(|items| items.first()).unwrap_or(&path["candidates"][0]);
        let item = if best.is_object() { item_name(best) } else { "-".to_owned() };
        let _ = writeln!(out, "{:<4} {item}  {query}  [{}]", text(&path["confidence"]), joined(&path["reasons"]));
    }
    out
}

/// Counts by confidence, and what may still change them.
fn render_counts(response: &Map<String, Value>) -> String {
    let count = |name: &str| response.get(name).and_then(Value::as_u64).unwrap_or(0);
    let mut out = format!("{} high, {} low, {} none", count("high"), count("low"), count("none"));
    let unindexed: Vec<String> = response
        .get("unindexed")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|library| format!("{} ({})", text(&library["title"]), text(&library["state"])))
        .collect();
    // Writing to a String cannot fail.
    if !unindexed.is_empty() {
        let _ = write!(out, ", {} unknown: not indexed yet: {}", count("unknown"), unindexed.join(", "));
    }
    out + "\n"
}

fn render_ids(query: &[String], response: &Value) -> String {
    let mut out = String::new();
    for (query, id) in query.iter().zip(response["ids"].as_array().into_iter().flatten()) {
        let items: Vec<String> = id["items"].as_array().into_iter().flatten().map(item_name).collect();
        let found = if items.is_empty() { "not found".to_owned() } else { items.join("; ") };
        let _ = writeln!(out, "{query}: {found}");
    }
    out
}

fn render_override(match_override: &Value) -> String {
    let track = &match_override["track"];
    let ids = joined(&track["ids"]);
    let name = [text(&track["artist"]), text(&track["title"]), text(&track["path"]), &ids];
    let name: Vec<&str> = name.into_iter().filter(|part| !part.is_empty()).collect();
    let verb = if match_override["kind"] == "rejection" { "is never" } else { "is" };
    format!(
        "{} {}: {} {verb} {} {} in {}\n",
        match_override["id"],
        text(&match_override["kind"]),
        name.join(" - "),
        text(&match_override["key"]),
        text(&match_override["item"]["title"]),
        text(&match_override["library"])
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_result_is_printed_on_a_line() {
        let response = json!({"library": "home:3", "age_s": 60, "tracks": [
            {"decision": "accept", "source": "index", "score": 1.03, "item": {"key": "7", "artist": "A", "title": "T"}},
            {"decision": "review", "source": "index", "why": "only as live version in the library",
             "candidates": [{"key": "8", "artist": "A", "title": "U"}]},
            {"decision": "reject", "source": "miss"},
        ]});
        let query = ["A - T", "A - U", "A - V"].map(str::to_owned);
        let out = render_tracks(&query, &response);
        for part in
            ["accept, by index: 7 A - T (1.03)", "perhaps 8 A - U: only as live version", "reject, by miss: not found"]
        {
            assert!(out.contains(part), "{part} is missing in\n{out}");
        }
        let paths = json!([{"confidence": "HIGH", "items": [{"key": "9", "title": "F"}], "reasons": ["suffix=2"]}]);
        let out = render_paths(&["/a/b".to_owned()], &paths);
        assert!(out.contains("HIGH 9 F  /a/b  [suffix=2]"), "{out}");
    }

    #[test]
    fn several_responses_become_one_json_document() {
        let mut pages = ResponsePages::new("paths");
        let waiting = json!([{"title": "Films", "state": "building"}]);
        pages.add(json!({"high": 1, "none": 0, "paths": [1, 2], "unindexed": waiting}));
        pages.add(json!({"high": 0, "none": 3, "paths": [], "unindexed": waiting}));
        pages.add(json!({"high": 2, "none": 0, "unknown": 1, "paths": [3], "unindexed": waiting}));
        assert!(render_counts(&pages.rest).contains("1 unknown: not indexed yet: Films (building)"));
        let whole = json!({"high": 3, "none": 3, "unknown": 1, "paths": [1, 2, 3], "unindexed": waiting});
        assert_eq!(pages.document(), whole);
        assert_eq!(ResponsePages::new("paths").document(), json!({"paths": []}));
    }
}
