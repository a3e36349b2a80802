//! `greenroom match` against the running gateway: tracks, paths, names, and match overrides.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use http::Method;
use serde_json::{Map, Value, json};

use super::api_client::{ApiClient, GatewayArgs};
use super::modes::with_gateway;
use super::{DONE, FAILED, MISUSED};

/// Largest file of paths, in bytes.
const MAX_PATHS_BYTES: u64 = 64 * 1024 * 1024;
/// Paths per request.
const PATHS_AT_ONCE: usize = 10_000;

/// What is asked of the running gateway.
#[derive(Debug, Args)]
#[group(id = "online", multiple = true)]
pub(super) struct OnlineMatchArgs {
    /// Tracks to look for in the library of the running gateway, each as "Artist - Title", or by an id such as
    /// spotify:track:…
    #[arg(value_name = "TRACK", conflicts_with_all = ["paths", "path", "ids"])]
    tracks: Vec<String>,
    /// File with a path on each line; "-" reads them from the standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["path", "ids"])]
    paths: Option<PathBuf>,
    /// Look for the item of the file at this path; may be repeated
    #[arg(long, value_name = "PATH", conflicts_with = "ids")]
    path: Vec<String>,
    /// Spellings of a path that differ by case only are the same
    #[arg(long, conflicts_with_all = ["tracks", "ids"])]
    ignore_case: bool,
    /// Look for items with this id, such as imdb://tt0111161; may be repeated
    #[arg(long = "id", value_name = "ID")]
    ids: Vec<String>,
    /// Search the server for tracks that are not in its index, with so many requests at most
    #[arg(long, value_name = "REQUESTS", requires = "tracks")]
    live: Option<usize>,
    /// It is this item: from now on the one track, --path or --id that is named is always the item with this key
    #[arg(long, value_name = "KEY", conflicts_with_all = ["reject", "paths"])]
    pin: Option<String>,
    /// It is never this item: from now on the one track, --path or --id that is named is never the item with this key
    #[arg(long, value_name = "KEY", conflicts_with = "paths")]
    reject: Option<String>,
    /// List what was decided
    #[arg(long, conflicts_with_all = ["tracks", "paths", "path", "ids", "pin", "reject"])]
    decisions: bool,
    /// Take back the decision with this number; may be repeated
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["tracks", "paths", "path", "ids", "pin", "reject", "decisions"])]
    take_back: Vec<i64>,
    /// The server whose library is asked, where several are configured
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Queries the running gateway.
pub(super) fn run(options: &OnlineMatchArgs, library: Option<&str>, policy: &str, as_json: bool) -> u8 {
    let where_to = |mut body: Map<String, Value>| -> Value {
        body.extend(library.map(|library| ("library".to_owned(), json!(library))));
        body.extend(options.server.as_ref().map(|server| ("server".to_owned(), json!(server))));
        Value::Object(body)
    };
    let body = |pairs: Value| where_to(pairs.as_object().cloned().unwrap_or_default());
    let read = match options.paths.as_deref().map(read_paths).transpose() {
        Ok(paths) => paths,
        Err(problem) => return failed(&problem),
    };
    let tracks: Vec<Value> = options.tracks.iter().map(|text| track(text)).collect();
    with_gateway(&options.gateway, async |remote| {
        if let Some(key) = options.pin.as_ref().or(options.reject.as_ref()) {
            let about = match (tracks.as_slice(), options.path.as_slice(), options.ids.as_slice()) {
                ([track], [], []) => json!({ "track": track }),
                ([], [path], []) => json!({ "path": path }),
                ([], [], [id]) => json!({ "id": id }),
                _ => {
                    eprintln!("greenroom: name the one track, --path or --id that it is about");
                    return Ok(MISUSED);
                }
            };
            let kind = if options.pin.is_some() { "pin" } else { "rejection" };
            let mut asked = body(about);
            (asked["kind"], asked["key"]) = (json!(kind), json!(key));
            let told = remote.ask(Method::PUT, "api/v1/match/pins", Some(&asked)).await?;
            show(&told, as_json, render_override);
            return Ok(DONE);
        }
        if let Some(paths) = read.or_else(|| Some(options.path.clone()).filter(|paths| !paths.is_empty())) {
            let case = if options.ignore_case { "ignore" } else { "exact" };
            let request = |some: &[String]| body(json!({ "case": case, "paths": some }));
            return match_paths(&remote, &paths, request, as_json).await;
        }
        if !options.ids.is_empty() {
            let asked = body(json!({ "ids": options.ids }));
            let told = remote.ask(Method::POST, "api/v1/match/ids", Some(&asked)).await?;
            show(&told, as_json, |told| render_ids(&options.ids, told));
            return Ok(DONE);
        }
        if options.decisions {
            return list(&remote, library, as_json).await;
        }
        if !options.take_back.is_empty() {
            let asked = json!({ "ids": options.take_back });
            let told = remote.ask(Method::DELETE, "api/v1/match/pins", Some(&asked)).await?;
            show(&told, as_json, |told| format!("{} taken back\n", told["gone"]));
            return Ok(DONE);
        }
        if tracks.is_empty() {
            eprintln!(
                "greenroom: name tracks, --path, --paths, --id or --decisions; or two CSV files: --library, --queries, --output"
            );
            return Ok(MISUSED);
        }
        let mut asked = body(json!({ "policy": policy, "tracks": tracks }));
        if let Some(most) = options.live {
            asked["live"] = json!(most);
        }
        let told = remote.ask(Method::POST, "api/v1/match/tracks", Some(&asked)).await?;
        show(&told, as_json, |told| render_tracks(&options.tracks, told));
        Ok(DONE)
    })
}

/// Looks up paths page by page and prints their items.
async fn match_paths(
    remote: &ApiClient,
    paths: &[String],
    request: impl Fn(&[String]) -> Value,
    as_json: bool,
) -> Result<u8, u8> {
    let mut pages = JsonPageWriter::new("paths");
    for some in paths.chunks(PATHS_AT_ONCE) {
        let told = remote.ask(Method::POST, "api/v1/match/paths", Some(&request(some))).await?;
        print!("{}", if as_json { pages.next(told) } else { render_paths(some, &pages.merge_rest(told)) });
    }
    print!("{}", if as_json { pages.end() } else { render_sums(&pages.rest) });
    Ok(DONE)
}

async fn list(remote: &ApiClient, library: Option<&str>, as_json: bool) -> Result<u8, u8> {
    let mut after = 0;
    let mut pages = JsonPageWriter::new("decisions");
    loop {
        let mut path = format!("api/v1/match/pins?after={after}");
        if let Some(library) = library {
            path.extend(["&library=", &form_urlencoded::byte_serialize(library.as_bytes()).collect::<String>()]);
        }
        let told = remote.get(&path).await?;
        let next = told["next"].as_i64();
        if as_json {
            print!("{}", pages.next(told));
        } else {
            let lines = told["decisions"].as_array().into_iter().flatten().map(render_override);
            print!("{}", lines.collect::<String>());
        }
        match next {
            Some(next) => after = next,
            None => break,
        }
    }
    if as_json {
        print!("{}", pages.end());
    }
    Ok(DONE)
}

/// Writes several responses as one JSON document, as they arrive.
struct JsonPageWriter {
    /// The list that continues from response to response.
    list: &'static str,
    is_first: bool,
    has_elements: bool,
    /// Other fields: counts are summed, otherwise the last response wins.
    rest: Map<String, Value>,
}

impl JsonPageWriter {
    /// Fields that each response counts by itself.
    const COUNTS: [&str; 4] = ["high", "low", "none", "unknown"];

    fn new(list: &'static str) -> Self {
        Self { list, is_first: true, has_elements: false, rest: Map::new() }
    }

    /// Merges all fields of a response but its list, which is returned.
    fn merge_rest(&mut self, told: Value) -> Value {
        let Value::Object(mut told) = told else { return Value::Null };
        let list = told.remove(self.list).unwrap_or_default();
        for (name, value) in told {
            let before = self.rest.get(&name).and_then(Value::as_u64).unwrap_or(0);
            let is_count = Self::COUNTS.contains(&name.as_str());
            let value = if is_count { json!(before.saturating_add(value.as_u64().unwrap_or(0))) } else { value };
            self.rest.insert(name, value);
        }
        list
    }

    /// Next part of the document.
    fn next(&mut self, told: Value) -> String {
        let list = self.merge_rest(told);
        let mut out = String::new();
        for element in list.as_array().into_iter().flatten() {
            // Writing to a String cannot fail.
            let _ = write!(out, "{}{element}", if self.has_elements { "," } else { "" });
            self.has_elements = true;
        }
        let is_first = std::mem::take(&mut self.is_first);
        if is_first { format!("{{\"{}\":[{out}", self.list) } else { out }
    }

    /// End of the document.
    fn end(self) -> String {
        let head = if self.is_first { format!("{{\"{}\":[", self.list) } else { String::new() };
        let mut out = format!("{head}]");
        for (name, value) in self.rest {
            // Writing to a String cannot fail.
            let _ = write!(out, ",{}:{value}", json!(name));
        }
        out + "}\n"
    }
}

fn show(told: &Value, as_json: bool, render: impl FnOnce(&Value) -> String) {
    if as_json {
        println!("{told}");
    } else {
        print!("{}", render(told));
    }
}

/// A typed track: `Artist - Title`, or an id.
fn track(text: &str) -> Value {
    if greenroom_library::external_id::canonical(text).is_some() {
        return json!({ "ids": [text] });
    }
    match text.split_once(" - ") {
        Some((artist, title)) => json!({ "artist": artist.trim(), "title": title.trim() }),
        None => json!({ "title": text.trim() }),
    }
}

fn read_paths(from: &Path) -> Result<Vec<String>, String> {
    let mut bytes = Vec::new();
    let source: Box<dyn std::io::Read> = if from == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        let file = std::fs::File::open(from);
        Box::new(file.map_err(|error| format!("{}: cannot be read: {error}", from.display()))?)
    };
    let most = source.take(MAX_PATHS_BYTES + 1).read_to_end(&mut bytes);
    most.map_err(|error| format!("{}: cannot be read: {error}", from.display()))?;
    if bytes.len() as u64 > MAX_PATHS_BYTES {
        return Err(format!("{}: it is longer than a list of paths is", from.display()));
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
}

fn failed(problem: &str) -> u8 {
    eprintln!("greenroom: {problem}");
    FAILED
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn words(value: &Value) -> String {
    value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(", ")
}

/// An item in a few words.
fn named(item: &Value) -> String {
    let artist = text(&item["artist"]);
    let title = text(&item["title"]);
    let name = if artist.is_empty() { title.to_owned() } else { format!("{artist} - {title}") };
    format!("{} {name}", text(&item["key"]))
}

fn render_tracks(asked: &[String], told: &Value) -> String {
    let mut out = String::new();
    for (asked, track) in asked.iter().zip(told["tracks"].as_array().into_iter().flatten()) {
        let line = match text(&track["decision"]) {
            "accept" => format!("{} ({})", named(&track["item"]), track["score"]),
            "review" => format!("perhaps {}: {}", named(&track["candidates"][0]), text(&track["why"])),
            _ => "not there".to_owned(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{asked}\n  {}, by {}: {line}", text(&track["decision"]), text(&track["source"]));
    }
    let _ = writeln!(out, "library {}, {} s old", text(&told["library"]), told["age_s"]);
    out
}

fn render_paths(asked: &[String], paths: &Value) -> String {
    let mut out = String::new();
    for (asked, path) in asked.iter().zip(paths.as_array().into_iter().flatten()) {
        let best = path["items"].as_array().and_then(|items| items.first()).unwrap_or(&path["candidates"][0]);
        let item = if best.is_object() { named(best) } else { "-".to_owned() };
        let _ = writeln!(out, "{:<4} {item}  {asked}  [{}]", text(&path["confidence"]), words(&path["reasons"]));
    }
    out
}

/// Counts by confidence, and what may still change them.
fn render_sums(told: &Map<String, Value>) -> String {
    let count = |name: &str| told.get(name).and_then(Value::as_u64).unwrap_or(0);
    let mut out = format!("{} high, {} low, {} none", count("high"), count("low"), count("none"));
    let awaited: Vec<String> = told
        .get("unindexed")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|library| format!("{} ({})", text(&library["title"]), text(&library["state"])))
        .collect();
    // Writing to a String cannot fail.
    if !awaited.is_empty() {
        let _ = write!(out, ", {} unknown: not indexed yet: {}", count("unknown"), awaited.join(", "));
    }
    out + "\n"
}

fn render_ids(asked: &[String], told: &Value) -> String {
    let mut out = String::new();
    for (asked, id) in asked.iter().zip(told["ids"].as_array().into_iter().flatten()) {
        let items: Vec<String> = id["items"].as_array().into_iter().flatten().map(named).collect();
        let found = if items.is_empty() { "not there".to_owned() } else { items.join("; ") };
        let _ = writeln!(out, "{asked}: {found}");
    }
    out
}

fn render_override(ruling: &Value) -> String {
    let track = &ruling["track"];
    let ids = words(&track["ids"]);
    let name = [text(&track["artist"]), text(&track["title"]), text(&track["path"]), &ids];
    let name: Vec<&str> = name.into_iter().filter(|part| !part.is_empty()).collect();
    let is = if ruling["kind"] == "rejection" { "is never" } else { "is" };
    format!(
        "{} {}: {} {is} {} {} in {}\n",
        ruling["id"],
        text(&ruling["kind"]),
        name.join(" - "),
        text(&ruling["key"]),
        text(&ruling["item"]["title"]),
        text(&ruling["library"])
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_is_typed_as_artist_and_title_or_as_an_id() {
        assert_eq!(track("Jay-Z - 99 Problems - Live"), json!({"artist": "Jay-Z", "title": "99 Problems - Live"}));
        assert_eq!(track("Creep"), json!({"title": "Creep"}));
        assert_eq!(track("USUM71703861"), json!({"ids": ["USUM71703861"]}));
    }

    #[test]
    fn what_was_found_is_printed_a_line_each() {
        let told = json!({"library": "home:3", "age_s": 60, "tracks": [
            {"decision": "accept", "source": "index", "score": 1.03, "item": {"key": "7", "artist": "A", "title": "T"}},
            {"decision": "review", "source": "index", "why": "only as live version in the library",
             "candidates": [{"key": "8", "artist": "A", "title": "U"}]},
            {"decision": "reject", "source": "miss"},
        ]});
        let asked = ["A - T", "A - U", "A - V"].map(str::to_owned);
        let out = render_tracks(&asked, &told);
        for part in
            ["accept, by index: 7 A - T (1.03)", "perhaps 8 A - U: only as live version", "reject, by miss: not there"]
        {
            assert!(out.contains(part), "{part} is missing in\n{out}");
        }
        let paths = json!([{"confidence": "HIGH", "items": [{"key": "9", "title": "F"}], "reasons": ["suffix=2"]}]);
        let out = render_paths(&["/a/b".to_owned()], &paths);
        assert!(out.contains("HIGH 9 F  /a/b  [suffix=2]"), "{out}");
    }

    #[test]
    fn several_answers_are_one_document() {
        let mut pages = JsonPageWriter::new("paths");
        let waiting = json!([{"title": "Films", "state": "building"}]);
        let mut out = pages.next(json!({"high": 1, "none": 0, "paths": [1, 2], "unindexed": waiting}));
        out += &pages.next(json!({"high": 0, "none": 3, "paths": [], "unindexed": waiting}));
        out += &pages.next(json!({"high": 2, "none": 0, "unknown": 1, "paths": [3], "unindexed": waiting}));
        assert!(render_sums(&pages.rest).contains("1 unknown: not indexed yet: Films (building)"));
        out += &pages.end();
        let read: Value = serde_json::from_str(&out).expect("one document");
        let whole = json!({"high": 3, "none": 3, "unknown": 1, "paths": [1, 2, 3], "unindexed": waiting});
        assert_eq!(read, whole);
        let empty: Value = serde_json::from_str(&JsonPageWriter::new("paths").end()).expect("also of nothing");
        assert_eq!(empty, json!({"paths": []}));
    }
}
