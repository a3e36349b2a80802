//! `greenroom build`: starts or cancels index builds and shows their progress.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use http::Method;
use serde_json::{Value, json};

use super::api_client::{ApiClient, GatewayArgs};
use super::modes::with_gateway;
use super::{DONE, FAILED, MISUSED};
use greenroom_demo::scenario::table::align;
use greenroom_proxy::shadow::report::format_thousands;

/// Interval between progress requests.
const PERIOD: Duration = Duration::from_millis(500);

const EXAMPLES: &str = "\
Examples:
  greenroom build                    all libraries that are kept, and wait
  greenroom build Music              the one with this name
  greenroom build home:3 --no-wait   the one with this id; do not wait for it
  greenroom build Music --on         the same where it was turned off
  greenroom build --list             how the indexes do

It ends with 0 when all of them are indexed, with 1 when one is not, with 2 when a name is not known.";

/// What was typed.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BuildArgs {
    /// Ids (home:3) or names of libraries [default: all that are kept]
    #[arg(value_name = "LIBRARY")]
    libraries: Vec<String>,
    /// Only libraries of this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Begin anew where a build was broken off, and believe what the server shows however little it is
    #[arg(long)]
    force: bool,
    /// Turn their indexes on first
    #[arg(long, requires = "libraries")]
    on: bool,
    /// Turn their indexes off, and drop what is kept of them
    #[arg(long, requires = "libraries", conflicts_with_all = ["on", "force", "no_wait", "list"])]
    off: bool,
    /// Do not wait until they are built
    #[arg(long)]
    no_wait: bool,
    /// Only show how the indexes do
    #[arg(long, conflicts_with_all = ["force", "no_wait", "on"])]
    list: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Builds the named libraries.
pub(super) fn run(options: &BuildArgs) -> u8 {
    with_gateway(&options.gateway, async |remote| {
        let shelves = remote.get("api/v1/libraries").await?;
        let named = choose(options, &shelves)?;
        if options.on || options.off {
            for library in &named {
                let said = json!({"enabled": options.on});
                remote.ask(Method::PUT, &path_of(library, ""), Some(&said)).await?;
            }
        }
        if !options.list && !options.off {
            for library in &named {
                let body = json!({"force": options.force});
                let path = path_of(library, "/build");
                remote.ask(Method::POST, &path, Some(&body)).await?;
            }
        }
        if options.list || options.no_wait || options.off {
            let shelves = remote.get("api/v1/libraries").await?;
            show(options, &shelves, &named);
            return Ok(DONE);
        }
        let mut is_done = true;
        for library in &named {
            is_done &= wait(&remote, options, library).await?;
        }
        let shelves = remote.get("api/v1/libraries").await?;
        show(options, &shelves, &named);
        Ok(if is_done { DONE } else { FAILED })
    })
}

/// Selects the libraries.
fn choose(options: &BuildArgs, shelves: &Value) -> Result<Vec<Value>, u8> {
    let all: Vec<&Value> = shelves["libraries"].as_array().into_iter().flatten().collect();
    let of_server =
        |library: &&&Value| options.server.as_ref().is_none_or(|server| library["server"].as_str() == Some(server));
    let all: Vec<&Value> = all.iter().filter(of_server).copied().collect();
    if options.libraries.is_empty() {
        let kept = all.into_iter().filter(|library| options.list || library["enabled"] == true);
        let kept: Vec<Value> = kept.cloned().collect();
        if kept.is_empty() && !options.list {
            eprintln!("greenroom: {}", nothing_to_build(shelves));
            return Err(FAILED);
        }
        return Ok(kept);
    }
    let mut chosen = Vec::new();
    for name in &options.libraries {
        let fits = |library: &&&Value| {
            let title = library["title"].as_str().unwrap_or_default();
            library["id"].as_str() == Some(name) || title.to_lowercase() == name.to_lowercase()
        };
        let mut found: Vec<Value> = all.iter().filter(fits).map(|library| (*library).clone()).collect();
        if found.is_empty() {
            let known: Vec<String> = all.iter().map(|library| named(library)).collect();
            eprintln!("greenroom: no library {name}; there are: {}", known.join(", "));
            return Err(MISUSED);
        }
        chosen.append(&mut found);
    }
    Ok(chosen)
}

/// Says why there is nothing to build.
fn nothing_to_build(shelves: &Value) -> String {
    let why = shelves["servers"].as_array().into_iter().flatten().filter_map(|server| {
        let (name, remedy) = (server["server"].as_str()?, server["remedy"].as_str()?);
        Some(format!("{name}: {remedy}"))
    });
    let why: Vec<String> = why.collect();
    if why.is_empty() { "no library is kept".to_owned() } else { format!("no library is kept. {}", why.join(" ")) }
}

/// Waits until a build has ended. Returns whether the library is indexed.
async fn wait(remote: &ApiClient, options: &BuildArgs, library: &Value) -> Result<bool, u8> {
    let shows = std::io::stderr().is_terminal() && !options.json;
    let path = path_of(library, "/progress");
    loop {
        let sight = remote.get(&path).await?;
        let is_building = sight["phase"] != "idle" || sight["asked"] == true;
        if shows {
            eprint!("\r\x1b[K{}: {}", named(library), progress_line(&sight));
            drop(std::io::stderr().flush());
        }
        if !is_building {
            if shows {
                eprint!("\r\x1b[K");
            }
            let state = sight["state"].as_str().unwrap_or_default();
            if let Some(failure) = sight["failure"].as_str() {
                eprintln!("{}: {failure}", named(library));
            }
            return Ok(state == "current");
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// Progress of a build in one line.
fn progress_line(sight: &Value) -> String {
    let number = |name: &str| sight[name].as_u64().unwrap_or_default();
    let phase = sight["phase"].as_str().unwrap_or_default();
    let mut line = phase.replace('-', " ");
    if let Some(percent) = sight["percent"].as_u64() {
        let (items, expected) = (format_thousands(number("items")), format_thousands(number("expected")));
        line = format!("{line}, {percent} % ({items} of {expected})");
    }
    if let Some(left_ms) = sight["left_ms"].as_u64().filter(|_| phase == "crawling") {
        line = format!("{line}, {} s left", left_ms.div_ceil(1000));
    }
    line + &format!(", {} requests", format_thousands(number("requests")))
}

fn show(options: &BuildArgs, shelves: &Value, named: &[Value]) {
    let is_named = |library: &&Value| named.iter().any(|one| one["id"] == library["id"]);
    let libraries = shelves["libraries"].as_array().into_iter().flatten().filter(is_named);
    if options.json {
        let libraries: Vec<&Value> = libraries.collect();
        println!("{}", json!({"libraries": libraries, "servers": shelves["servers"]}));
        return;
    }
    let heads = ["library", "name", "state", "items", "age", "requests", "why"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for library in libraries {
        let generation = &library["generation"];
        let age_s = generation["age_s"].as_u64();
        rows.push(vec![
            library["id"].as_str().unwrap_or_default().to_owned(),
            library["title"].as_str().unwrap_or_default().to_owned(),
            state(library),
            generation["items"].as_u64().map_or_else(|| "–".to_owned(), format_thousands),
            age_s.map_or_else(|| "–".to_owned(), |age_s| format!("{} min", age_s / 60)),
            format_thousands(library["cost"]["build_requests"].as_u64().unwrap_or_default()),
            library["failure"]["text"].as_str().unwrap_or_default().to_owned(),
        ]);
    }
    print!("{}", align(&rows));
    for server in shelves["servers"].as_array().into_iter().flatten() {
        if let (Some(name), Some(remedy)) = (server["server"].as_str(), server["remedy"].as_str()) {
            println!("{name}: {remedy}");
        }
    }
}

/// State of a library, with the progress of its build if one runs.
fn state(library: &Value) -> String {
    let state = library["state"].as_str().unwrap_or_default();
    match library["progress"]["percent"].as_u64() {
        Some(percent) if state == "building" => format!("building, {percent} %"),
        Some(percent) => format!("{state}; building, {percent} %"),
        None => state.to_owned(),
    }
}

fn named(library: &Value) -> String {
    let text = |name: &str| library[name].as_str().unwrap_or_default();
    format!("{} ({})", text("title"), text("id"))
}

/// Escapes ids only where a path requires it.
fn path_of(library: &Value, rest: &str) -> String {
    let id = library["id"].as_str().unwrap_or_default();
    let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
    format!("api/v1/libraries/{}{rest}", id.replace('+', "%20"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelves() -> Value {
        json!({"libraries": [
            {"id": "home:3", "server": "home", "title": "Music", "enabled": true},
            {"id": "home:1", "server": "home", "title": "Films", "enabled": false},
            {"id": "den:a b", "server": "den", "title": "music", "enabled": true},
        ], "servers": [{"server": "attic", "state": "no-token", "remedy": "Give it a token."}]})
    }

    fn options(libraries: &[&str], server: Option<&str>) -> BuildArgs {
        BuildArgs {
            libraries: libraries.iter().map(ToString::to_string).collect(),
            server: server.map(str::to_owned),
            force: false,
            on: false,
            off: false,
            no_wait: false,
            list: false,
            json: false,
            gateway: GatewayArgs::default(),
        }
    }

    fn ids(libraries: &[&str], server: Option<&str>) -> Result<Vec<String>, u8> {
        let chosen = choose(&options(libraries, server), &shelves())?;
        Ok(chosen.iter().map(|library| library["id"].as_str().expect("an id").to_owned()).collect())
    }

    #[test]
    fn libraries_are_named_by_id_or_name_and_else_all_that_are_kept_are_meant() {
        assert_eq!(ids(&[], None), Ok(vec!["home:3".into(), "den:a b".into()]));
        assert_eq!(ids(&[], Some("den")), Ok(vec!["den:a b".into()]));
        assert_eq!(ids(&["home:1"], None), Ok(vec!["home:1".into()]));
        assert_eq!(ids(&["MUSIC"], None), Ok(vec!["home:3".into(), "den:a b".into()]));
        assert_eq!(ids(&["Muzak"], None), Err(MISUSED));
        assert_eq!(ids(&[], Some("attic")), Err(FAILED));
        assert!(nothing_to_build(&shelves()).contains("Give it a token."));
    }

    #[test]
    fn a_line_says_how_far_it_is() {
        let sight = json!({"phase": "crawling", "percent": 25, "items": 2500, "expected": 10000, "left_ms": 4100, "requests": 5});
        assert_eq!(progress_line(&sight), "crawling, 25 % (2,500 of 10,000), 5 s left, 5 requests");
        assert_eq!(progress_line(&json!({"phase": "catching-up", "requests": 9})), "catching up, 9 requests");
    }

    #[test]
    fn a_library_that_is_being_built_says_how_far_that_is() {
        let shown = |library: Value| state(&library);
        assert_eq!(shown(json!({"state": "current"})), "current");
        assert_eq!(shown(json!({"state": "building", "progress": {"percent": null}})), "building");
        assert_eq!(shown(json!({"state": "building", "progress": {"percent": 7}})), "building, 7 %");
        assert_eq!(shown(json!({"state": "stale", "progress": {"percent": 7}})), "stale; building, 7 %");
    }

    #[test]
    fn an_id_with_odd_letters_fits_into_a_path() {
        assert_eq!(path_of(&shelves()["libraries"][2], "/build"), "api/v1/libraries/den%3Aa%20b/build");
    }
}
