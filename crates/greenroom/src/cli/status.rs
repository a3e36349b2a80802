//! `greenroom status` and `greenroom stats`: the figures of the running gateway.

use clap::Args;
use serde_json::{Value, json};

use super::SUCCESS;
use super::api_client::GatewayArgs;
use super::modes::with_gateway;
use super::output::WARNING_STYLE;
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
    with_gateway(&options.gateway, async |client| {
        let stats = client.get("api/v1/cache/stats").await?;
        let warnings_ = client.get("api/v1/warnings").await?;
        let libraries = client.get("api/v1/libraries").await?;
        if options.json {
            let summary = json!({
                "version": stats["version"], "totals": stats["totals"], "servers": stats["servers"],
                "bypasses": stats["bypasses"], "warnings": warnings_["items"],
                "libraries": libraries["libraries"],
            });
            println!("{summary}");
        } else {
            anstream::print!("{}{}{}", servers(&stats), changing(&libraries), warnings(&warnings_));
        }
        Ok(SUCCESS)
    })
}

/// All statistics, also by request type and app.
pub(super) fn stats(options: &StatusArgs) -> u8 {
    with_gateway(&options.gateway, async |client| {
        let stats = client.get("api/v1/cache/stats").await?;
        if options.json {
            println!("{stats}");
        } else {
            print!("{}\n{}\n{}", servers(&stats), classes(&stats), apps(&stats));
        }
        Ok(SUCCESS)
    })
}

/// A server's state as shown to people: up, down or unknown.
fn state_name(state: &Value) -> String {
    match state.as_str() {
        Some("well") => "up".to_owned(),
        Some("unwell") => "down".to_owned(),
        _ => text(state),
    }
}

fn servers(stats: &Value) -> String {
    let mut rows =
        vec![cells(&["server", "state", "mode", "requests", "from cache", "sent to server", "own", "waiting"])];
    for server in stats["servers"].as_array().into_iter().flatten() {
        rows.push(vec![
            format!("{} ({})", text(&server["name"]), text(&server["kind"])),
            state_name(&server["state"]),
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

/// Libraries that the server scans, or of which it announced changes that the index lacks.
fn changing(libraries: &Value) -> String {
    let scanned = libraries["libraries"].as_array().into_iter().flatten().filter(|one| one["state"] == "changing");
    let line = |one: &Value| {
        format!(
            "{} ({}) is changing: the server scans its files, or announced changes follow\n",
            text(&one["title"]),
            text(&one["id"])
        )
    };
    scanned.map(line).collect()
}

/// Warnings with their remedies: two lines each, the most urgent first.
fn warnings(warnings_: &Value) -> String {
    let items = warnings_["items"].as_array().into_iter().flatten();
    let lines = items.map(|item| {
        let server = item["server"].as_str().map_or_else(String::new, |name| format!("{name}: "));
        let text_ = text(&item["text"]);
        format!("\n{WARNING_STYLE}{server}{text_}{WARNING_STYLE:#}\n  {}\n", text(&item["remedy"]))
    });
    lines.collect()
}

fn classes(stats: &Value) -> String {
    let mut rows =
        vec![cells(&["request type", "hits", "stale", "joined", "loaded", "on error", "failed", "KiB", "own"])];
    for class in stats["classes"].as_array().into_iter().flatten() {
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

fn apps(stats: &Value) -> String {
    let mut rows = vec![cells(&["app", "requests", "from cache", "sent to server", "failed"])];
    for app in stats["apps"].as_array().into_iter().flatten() {
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

fn cells(cells: &[&str]) -> Vec<String> {
    cells.iter().map(ToString::to_string).collect()
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
    fn each_server_is_printed_on_a_line() {
        let stats = json!({"servers": [{"name": "home", "kind": "plex", "state": "well", "mode": "observe",
            "asked": 2000, "saved": 500, "requests_to_server": 1500, "own": 3, "queue": {"waiting": 0}}]});
        let output = servers(&stats);
        let line: Vec<&str> = output.lines().nth(1).expect("find a line").split_whitespace().collect();
        assert_eq!(line, ["home", "(plex)", "up", "observe", "2,000", "25", "%", "1,500", "3", "0"]);
        assert!(servers(&json!({})).starts_with("server"), "without servers only the heading is printed");
    }

    #[test]
    fn responses_served_on_error_have_their_own_column() {
        let stats = json!({"classes": [{"server": "home", "class": "sections", "hits": 1, "stale": 2,
            "joined": 3, "loaded": 4, "stale_on_error": 50, "failed": 6, "bytes": 7168, "refreshes": 8,
            "warm_loads": 0, "ahead_loads": 0}]});
        let output = classes(&stats);
        assert!(output.lines().next().is_some_and(|heading| heading.contains("loaded  on error")));
        let line: Vec<&str> = output.lines().nth(1).expect("find a line").split_whitespace().collect();
        assert_eq!(line, ["home:", "sections", "1", "2", "3", "4", "50", "6", "7", "8"]);
    }
}
