//! `greenroom status` and `greenroom stats`: the figures of the running gateway.

use clap::Args;
use serde_json::{Value, json};

use super::SUCCESS;
use super::api_client::GatewayArgs;
use super::duration::duration;
use super::modes::with_gateway;
use super::output::WARNING_STYLE;
use greenroom_cache::{Clock, Timestamp};
use greenroom_demo::scenario::table::align;
use greenroom_proxy::shadow::report::format_thousands;

/// Arguments.
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
        let today = client.get("api/v1/statistics/today").await?;
        if options.json {
            let summary = json!({
                "version": stats["version"], "totals": stats["totals"], "servers": stats["servers"],
                "today": today, "bypasses": stats["bypasses"], "warnings": warnings_["items"],
                "libraries": libraries["libraries"],
            });
            println!("{summary}");
        } else {
            let (servers, changing) = (servers(&stats, Clock::system().now()), changing(&libraries));
            anstream::print!("{}{servers}{changing}{}", of_today(&today), warnings(&warnings_));
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
            let today = client.get("api/v1/statistics/today").await?;
            print!(
                "{}{}\n{}\n{}",
                of_today(&today),
                servers(&stats, Clock::system().now()),
                classes(&stats),
                apps(&stats)
            );
        }
        Ok(SUCCESS)
    })
}

/// A server's state as shown to people: up, down for how long, or unknown.
fn state_of(server: &Value, now_ms: Timestamp) -> String {
    match (server["state"].as_str(), server["outage"]["since_ms"].as_u64()) {
        (Some("well"), _) => "up".to_owned(),
        (Some("unwell"), None) => "down".to_owned(),
        (Some("unwell"), Some(since_ms)) => {
            format!("down for {}", duration(now_ms.as_millis().saturating_sub(since_ms)))
        }
        _ => text(&server["state"]),
    }
}

/// The day so far in a line, as the page's overview begins, and an empty one.
fn of_today(today: &Value) -> String {
    if number(&today["asked"]) == 0 {
        return "today: no requests of apps yet\n\n".to_owned();
    }
    let hit_rate = today["hit_rate"].as_f64().map_or_else(|| "–".to_owned(), tenths_of_percent);
    let [asked, saved, reached, own] = ["asked", "saved", "reached", "own"].map(|name| count(&today[name]));
    format!(
        "today: hit rate {hit_rate} of cacheable reads; {asked} requests, {saved} served from cache, {reached} sent to server, \
         plus {own} background refreshes\n\n"
    )
}

/// A share as the page writes it: rounded down, because 99.99 % is not 100 %.
fn tenths_of_percent(share: f64) -> String {
    let text = format!("{:.1}", (share * 1000.0).floor() / 10.0);
    format!("{} %", text.trim_end_matches(".0"))
}

/// A row for each server since the start. Requests for apps and background refreshes are apart, as on the page.
fn servers(stats: &Value, now_ms: Timestamp) -> String {
    let mut rows = vec![cells(&[
        "server",
        "state",
        "mode",
        "requests",
        "from cache",
        "sent to server",
        "background refreshes",
        "waiting",
    ])];
    for server in stats["servers"].as_array().into_iter().flatten() {
        rows.push(vec![
            format!("{} ({})", text(&server["name"]), text(&server["kind"])),
            state_of(server, now_ms),
            text(&server["mode"]),
            count(&server["asked"]),
            percent(&server["saved"], &server["asked"]),
            format_thousands(number(&server["requests_to_server"]).saturating_sub(number(&server["own"]))),
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

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn count(value: &Value) -> String {
    format_thousands(number(value))
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
        let output = servers(&stats, Timestamp::from_millis(0));
        let line: Vec<&str> = output.lines().nth(1).expect("find a line").split_whitespace().collect();
        assert_eq!(line, ["home", "(plex)", "up", "observe", "2,000", "25", "%", "1,497", "3", "0"]);
        let down =
            json!({"servers": [{"name": "home", "kind": "plex", "state": "unwell", "outage": {"since_ms": 1_000}}]});
        assert!(servers(&down, Timestamp::from_millis(301_000)).contains("down for 5 min"));
        assert!(
            servers(&json!({}), Timestamp::from_millis(0)).starts_with("server"),
            "without servers only the heading is printed"
        );
    }

    #[test]
    fn the_hit_rate_of_the_day_is_printed_as_the_page_shows_it() {
        let today = json!({"hit_rate": 0.99995, "asked": 64_000, "saved": 22, "reached": 31, "own": 3});
        assert_eq!(
            of_today(&today),
            "today: hit rate 99.9 % of cacheable reads; 64,000 requests, 22 served from cache, 31 sent to server, plus 3 \
             background refreshes\n\n"
        );
        assert!(of_today(&json!({"hit_rate": 1.0, "asked": 3})).starts_with("today: hit rate 100 % of"));
        assert!(of_today(&json!({"hit_rate": null, "asked": 3})).starts_with("today: hit rate – of"));
        assert_eq!(of_today(&json!({"hit_rate": null, "asked": 0})), "today: no requests of apps yet\n\n");
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
