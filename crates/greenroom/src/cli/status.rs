//! `greenroom status` and `greenroom stats`: the figures of the running gateway.

use clap::Args;
use serde_json::{Value, json};

use super::DONE;
use super::api_client::GatewayArgs;
use super::modes::with_gateway;
use greenroom_demo::scenario::table::align;
use greenroom_proxy::shadow::report::format_thousands;

/// What was typed.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Servers, their state, hit rates and warnings.
pub(super) fn status(options: &StatusArgs) -> u8 {
    with_gateway(&options.gateway, async |remote| {
        let figures = remote.get("api/v1/cache/stats").await?;
        let warned = remote.get("api/v1/warnings").await?;
        if options.json {
            let short = json!({
                "version": figures["version"], "totals": figures["totals"], "servers": figures["servers"],
                "bypasses": figures["bypasses"], "warnings": warned["items"],
            });
            println!("{short}");
        } else {
            print!("{}{}", servers(&figures), warnings(&warned));
        }
        Ok(DONE)
    })
}

/// All figures, also by request type and app.
pub(super) fn stats(options: &StatusArgs) -> u8 {
    with_gateway(&options.gateway, async |remote| {
        let figures = remote.get("api/v1/cache/stats").await?;
        if options.json {
            println!("{figures}");
        } else {
            print!("{}\n{}\n{}", servers(&figures), classes(&figures), apps(&figures));
        }
        Ok(DONE)
    })
}

fn servers(figures: &Value) -> String {
    let mut rows = vec![words(&["server", "state", "mode", "asked", "saved", "sent on", "own", "waiting"])];
    for server in figures["servers"].as_array().into_iter().flatten() {
        rows.push(vec![
            format!("{} ({})", text(&server["name"]), text(&server["kind"])),
            text(&server["state"]),
            text(&server["mode"]),
            count(&server["asked"]),
            percent(&server["saved"], &server["asked"]),
            count(&server["requests_to_server"]),
            count(&server["own"]),
            count(&server["queue"]["waiting"]),
        ]);
    }
    align(&rows)
}

/// Warnings with their remedies: two lines each, the most urgent first.
fn warnings(warned: &Value) -> String {
    let items = warned["items"].as_array().into_iter().flatten();
    let lines = items.map(|item| {
        let whose = item["server"].as_str().map_or_else(String::new, |name| format!("{name}: "));
        format!("\n{whose}{}\n  {}\n", text(&item["text"]), text(&item["remedy"]))
    });
    lines.collect()
}

fn classes(figures: &Value) -> String {
    let mut rows =
        vec![words(&["class", "fresh", "stale", "joined", "loaded", "from before", "failed", "kept KiB", "own"])];
    for class in figures["classes"].as_array().into_iter().flatten() {
        let own = class["refreshes"].as_u64().unwrap_or_default()
            + class["warm_loads"].as_u64().unwrap_or_default()
            + class["ahead_loads"].as_u64().unwrap_or_default();
        rows.push(vec![
            format!("{}: {}", text(&class["server"]), text(&class["class"])),
            count(&class["hits"]),
            count(&class["stale"]),
            count(&class["joined"]),
            count(&class["loaded"]),
            count(&class["stale_on_error"]),
            count(&class["failed"]),
            format_thousands(class["bytes"].as_u64().unwrap_or_default() / 1024),
            format_thousands(own),
        ]);
    }
    align(&rows)
}

fn apps(figures: &Value) -> String {
    let mut rows = vec![words(&["app", "asked", "saved", "sent on", "failed"])];
    for app in figures["apps"].as_array().into_iter().flatten() {
        rows.push(vec![
            format!("{}: {}", text(&app["server"]), text(&app["name"])),
            count(&app["asked"]),
            percent(&app["saved"], &app["asked"]),
            count(&app["reached"]),
            count(&app["failed"]),
        ]);
    }
    align(&rows)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn count(value: &Value) -> String {
    format_thousands(value.as_u64().unwrap_or_default())
}

fn percent(part: &Value, whole: &Value) -> String {
    match (part.as_u64(), whole.as_u64()) {
        (Some(part), Some(whole)) if whole > 0 => format!("{:.0} %", part as f64 / whole as f64 * 100.0),
        _ => "–".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_line() {
        let figures = json!({"servers": [{"name": "home", "kind": "plex", "state": "well", "mode": "observe",
            "asked": 2000, "saved": 500, "requests_to_server": 1500, "own": 3, "queue": {"waiting": 0}}]});
        let printed = servers(&figures);
        let line: Vec<&str> = printed.lines().nth(1).expect("a line").split_whitespace().collect();
        assert_eq!(line, ["home", "(plex)", "well", "observe", "2,000", "25", "%", "1,500", "3", "0"]);
        assert!(servers(&json!({})).starts_with("server"), "none is a heading alone");
    }

    #[test]
    fn what_stood_in_for_a_server_that_was_down_has_a_column_of_its_own() {
        let figures = json!({"classes": [{"server": "home", "class": "sections", "hits": 1, "stale": 2,
            "joined": 3, "loaded": 4, "stale_on_error": 50, "failed": 6, "bytes": 7168, "refreshes": 8,
            "warm_loads": 0, "ahead_loads": 0}]});
        let printed = classes(&figures);
        assert!(printed.lines().next().is_some_and(|heading| heading.contains("loaded  from before")));
        let line: Vec<&str> = printed.lines().nth(1).expect("a line").split_whitespace().collect();
        assert_eq!(line, ["home:", "sections", "1", "2", "3", "4", "50", "6", "7", "8"]);
    }
}
