//! `greenroom build`: starts or cancels index builds and shows their progress.

use std::time::Duration;

use clap::Args;
use http::Method;
use serde_json::{Value, json};

use super::api_client::{ApiClient, GatewayArgs};
use super::duration::duration;
use super::modes::with_gateway;
use super::progress::ProgressLine;
use super::{FAILURE, SUCCESS, fail, usage_error};
use greenroom_demo::scenario::table::align;
use greenroom_proxy::shadow::report::format_thousands;

/// Interval between progress requests.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

const EXAMPLES: &str = "\
Examples:
  greenroom build                    build all indexes that are on, and wait
  greenroom build Music              build the index of one library, by name
  greenroom build home:3 --no-wait   by id, without waiting
  greenroom build Music --on         turn the index on first
  greenroom build --list             show the states of the indexes

Exit code 0: all are indexed; 1: one is not; 2: a name is unknown.";

/// Arguments.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BuildArgs {
    /// Ids (home:3) or names of libraries [default: all whose index is on]
    #[arg(value_name = "LIBRARY")]
    libraries: Vec<String>,
    /// Only libraries of this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Restart an interrupted build, and accept its result even if the library shrank
    #[arg(long)]
    force: bool,
    /// Turn their indexes on first
    #[arg(long, requires = "libraries")]
    on: bool,
    /// Turn their indexes off and delete them
    #[arg(long, requires = "libraries", conflicts_with_all = ["on", "force", "no_wait", "list"])]
    off: bool,
    /// Do not wait for the builds
    #[arg(long)]
    no_wait: bool,
    /// Only show the states of the indexes
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
    with_gateway(&options.gateway, async |client| {
        let listing = client.get("api/v1/libraries").await?;
        let selected = select_libraries(options, &listing)?;
        if options.on || options.off {
            for library in &selected {
                let body = json!({"enabled": options.on});
                client.send(Method::PUT, &path_of(library, ""), Some(&body)).await?;
            }
        }
        if !options.list && !options.off {
            for library in &selected {
                let body = json!({"force": options.force});
                let path = path_of(library, "/build");
                client.send(Method::POST, &path, Some(&body)).await?;
            }
        }
        if options.list || options.no_wait || options.off {
            let listing = client.get("api/v1/libraries").await?;
            print_libraries(options, &listing, &selected);
            return Ok(SUCCESS);
        }
        let mut is_done = true;
        for library in &selected {
            is_done &= wait(&client, library).await?;
        }
        let listing = client.get("api/v1/libraries").await?;
        print_libraries(options, &listing, &selected);
        Ok(if is_done { SUCCESS } else { FAILURE })
    })
}

/// Selects the libraries.
fn select_libraries(options: &BuildArgs, listing: &Value) -> Result<Vec<Value>, u8> {
    let all: Vec<&Value> = listing["libraries"].as_array().into_iter().flatten().collect();
    let of_server =
        |library: &&&Value| options.server.as_ref().is_none_or(|server| library["server"].as_str() == Some(server));
    let all: Vec<&Value> = all.iter().filter(of_server).copied().collect();
    if options.libraries.is_empty() {
        let enabled = all.into_iter().filter(|library| options.list || library["enabled"] == true);
        let enabled: Vec<Value> = enabled.cloned().collect();
        if enabled.is_empty() && !options.list {
            return Err(fail(&nothing_to_build(listing)));
        }
        return Ok(enabled);
    }
    let mut selected = Vec::new();
    for name in &options.libraries {
        let is_wanted = |library: &&&Value| {
            let title = library["title"].as_str().unwrap_or_default();
            library["id"].as_str() == Some(name) || title.to_lowercase() == name.to_lowercase()
        };
        let mut found: Vec<Value> = all.iter().filter(is_wanted).map(|library| (*library).clone()).collect();
        if found.is_empty() {
            let known: Vec<String> = all.iter().map(|library| label(library)).collect();
            return Err(usage_error(&format!("no library is called {name}; the libraries are: {}", known.join(", "))));
        }
        selected.append(&mut found);
    }
    Ok(selected)
}

/// Says why there is nothing to build.
fn nothing_to_build(listing: &Value) -> String {
    let reasons = listing["servers"].as_array().into_iter().flatten().filter_map(|server| {
        let (name, remedy) = (server["server"].as_str()?, server["remedy"].as_str()?);
        Some(format!("{name}: {remedy}"))
    });
    let reasons: Vec<String> = reasons.collect();
    if reasons.is_empty() {
        "no library index is on".to_owned()
    } else {
        format!("no library index is on. {}", reasons.join(" "))
    }
}

/// Waits until a build has ended. Returns whether the library is indexed.
async fn wait(client: &ApiClient, library: &Value) -> Result<bool, u8> {
    let line = ProgressLine::new();
    let path = path_of(library, "/progress");
    loop {
        let progress = client.get(&path).await?;
        let is_building = progress["phase"] != "idle" || progress["asked"] == true;
        let message = format!("{}: {}", label(library), progress_line(&progress));
        match progress["percent"].as_u64() {
            Some(percent) => line.show_share(percent, 100, &message),
            None => line.show_step(&message),
        }
        if !is_building {
            line.clear();
            let state = progress["state"].as_str().unwrap_or_default();
            if let Some(failure) = progress["failure"].as_str() {
                eprintln!("{}: {failure}", label(library));
            }
            return Ok(state == "current");
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Progress of a build in one line.
fn progress_line(progress: &Value) -> String {
    let number = |name: &str| progress[name].as_u64().unwrap_or_default();
    let phase = progress["phase"].as_str().unwrap_or_default();
    let mut line = phase.replace('-', " ");
    if progress["percent"].is_u64() {
        let (items, expected) = (format_thousands(number("items")), format_thousands(number("expected")));
        line = format!("{line}, {items} of {expected}");
    }
    if let Some(left_ms) = progress["left_ms"].as_u64().filter(|_| phase == "crawling") {
        line = format!("{line}, {} s left", left_ms.div_ceil(1000));
    }
    line + &format!(", {} requests", format_thousands(number("requests")))
}

fn print_libraries(options: &BuildArgs, listing: &Value, selected: &[Value]) {
    let is_selected = |library: &&Value| selected.iter().any(|one| one["id"] == library["id"]);
    let libraries = listing["libraries"].as_array().into_iter().flatten().filter(is_selected);
    if options.json {
        let libraries: Vec<&Value> = libraries.collect();
        println!("{}", json!({"libraries": libraries, "servers": listing["servers"]}));
        return;
    }
    let headings = ["library", "name", "state", "items", "age", "requests", "failure"];
    let mut rows = vec![headings.map(str::to_owned).to_vec()];
    for library in libraries {
        let generation = &library["generation"];
        let age_s = generation["age_s"].as_u64();
        rows.push(vec![
            library["id"].as_str().unwrap_or_default().to_owned(),
            library["title"].as_str().unwrap_or_default().to_owned(),
            state(library),
            generation["items"].as_u64().map_or_else(|| "–".to_owned(), format_thousands),
            age_s.map_or_else(|| "–".to_owned(), |age_s| duration(age_s * 1000)),
            format_thousands(library["cost"]["build_requests"].as_u64().unwrap_or_default()),
            library["failure"]["text"].as_str().unwrap_or_default().to_owned(),
        ]);
    }
    print!("{}", align(&rows));
    for server in listing["servers"].as_array().into_iter().flatten() {
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

fn label(library: &Value) -> String {
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
    use super::super::USAGE_ERROR;
    use super::*;

    fn listing() -> Value {
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
        let selected = select_libraries(&options(libraries, server), &listing())?;
        Ok(selected.iter().map(|library| library["id"].as_str().expect("an id is text").to_owned()).collect())
    }

    #[test]
    fn libraries_are_chosen_by_id_or_name_and_without_either_all_enabled_ones() {
        assert_eq!(ids(&[], None), Ok(vec!["home:3".into(), "den:a b".into()]));
        assert_eq!(ids(&[], Some("den")), Ok(vec!["den:a b".into()]));
        assert_eq!(ids(&["home:1"], None), Ok(vec!["home:1".into()]));
        assert_eq!(ids(&["MUSIC"], None), Ok(vec!["home:3".into(), "den:a b".into()]));
        assert_eq!(ids(&["Muzak"], None), Err(USAGE_ERROR));
        assert_eq!(ids(&[], Some("attic")), Err(FAILURE));
        assert!(nothing_to_build(&listing()).contains("Give it a token."));
    }

    #[test]
    fn a_line_shows_the_progress_of_a_build() {
        let progress = json!({"phase": "crawling", "percent": 25, "items": 2500, "expected": 10000, "left_ms": 4100, "requests": 5});
        assert_eq!(progress_line(&progress), "crawling, 2,500 of 10,000, 5 s left, 5 requests");
        assert_eq!(progress_line(&json!({"phase": "catching-up", "requests": 9})), "catching up, 9 requests");
    }

    #[test]
    fn the_state_of_a_library_includes_the_progress_of_its_build() {
        let shown = |library: Value| state(&library);
        assert_eq!(shown(json!({"state": "current"})), "current");
        assert_eq!(shown(json!({"state": "building", "progress": {"percent": null}})), "building");
        assert_eq!(shown(json!({"state": "building", "progress": {"percent": 7}})), "building, 7 %");
        assert_eq!(shown(json!({"state": "stale", "progress": {"percent": 7}})), "stale; building, 7 %");
    }

    #[test]
    fn an_id_is_escaped_in_a_path() {
        assert_eq!(path_of(&listing()["libraries"][2], "/build"), "api/v1/libraries/den%3Aa%20b/build");
    }
}
