//! `greenroom why URL`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use http::Method;
use serde_json::{Value, json};

use super::SUCCESS;
use super::api_client::{GatewayArgs, read_token};
use super::duration::duration;
use super::modes::with_gateway;

/// Arguments.
#[derive(Debug, Args)]
pub(super) struct WhyArgs {
    /// Address or path as an app requests it, such as /library/sections; it may contain the app's token
    url: String,
    /// File with the app's token [default: the one in the address, else the configured one]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A header of the app, as "name: value"; may be repeated
    #[arg(long = "header", short = 'H', value_name = "HEADER")]
    headers: Vec<String>,
    /// Server, where several are configured and the address names none
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

pub(super) fn run(options: &WhyArgs) -> u8 {
    let token = match options.token_file.as_deref().map(read_token).transpose() {
        Ok(token) => token,
        Err(code) => return code,
    };
    let mut body = json!({ "url": options.url, "headers": options.headers });
    if let Some(token) = &token {
        body["token"] = json!(token.expose());
    }
    if let Some(server) = &options.server {
        body["server"] = json!(server);
    }
    with_gateway(&options.gateway, async |client| {
        let response = client.send(Method::POST, "api/v1/why", Some(&body)).await?;
        if options.json {
            println!("{response}");
        } else {
            print!("{}", render(&response));
        }
        Ok(SUCCESS)
    })
}

/// The explanation, a line per field.
fn render(response: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines = vec![
        ("request", format!("{} to {}", text(&response["asked"]), text(&response["server"]))),
        ("result", text(&response["sentence"])),
    ];
    let class = text(&response["class"]);
    if !class.is_empty() {
        lines.push(("request type", class));
    }
    let identity = &response["identity"];
    if identity.is_object() {
        let known = if identity["known"] == true { "seen before" } else { "never seen" };
        let signal = if identity["live_signal"] == true { "; a live event stream reports its changes" } else { "" };
        let grant = text(&identity["proof"]);
        lines.push(("token", format!("{}, {known}; grant {grant}{signal}", text(&identity["token"]))));
    }
    let key = &response["key"];
    if key.is_object() {
        lines.push(("key", text(&key["text"])));
        lines.push(("", format!("in partition {}, as {}", text(&key["partition"]), text(&key["representation"]))));
    }
    lines.extend(entry_lines(&response["entry"], response["kind"] == "read"));
    let invalidation = &response["invalidation"];
    if invalidation.is_object() {
        let effect = match invalidation["effect"].as_str() {
            Some("none") => "the entry is newer",
            Some("marked") => "the entry is served only if a load fails",
            _ => "the entry is not served again",
        };
        let age = format_ms(&invalidation["ago_ms"]);
        lines.push(("invalidated", format!("{age} ago: {}; {effect}", text(&invalidation["by"]))));
    }
    let comparison = &response["server_says"];
    if comparison.is_object() {
        let result = match comparison["word"].as_str() {
            Some("same") => "the same",
            Some("different") => "a different response",
            Some("nothing-kept") => "a response; no entry to compare it with",
            _ => "no response",
        };
        let detail = comparison["detail"].as_str().map_or_else(String::new, |detail| format!(": {detail}"));
        let status = comparison["status"].as_u64().map_or_else(String::new, |status| format!(" (status {status})"));
        lines.push(("server says", format!("{result}{detail}{status}, after {} ms", comparison["took_ms"])));
    }
    let mut out = String::new();
    for (name, line) in lines {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{name:<12} {line}");
    }
    out
}

fn entry_lines(entry: &Value, is_read: bool) -> Vec<(&'static str, String)> {
    if !entry.is_object() {
        return if is_read { vec![("entry", "none".to_owned())] } else { Vec::new() };
    }
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let warm = if entry["warm"] == true { ", kept warm" } else { "" };
    let stored = format!(
        "{} bytes in {}, {} old, loaded because {}{warm}",
        entry["bytes"],
        text("tier"),
        format_ms(&entry["age_ms"]),
        text("loaded_because")
    );
    let remaining = format!(
        "fresh {}, stale {}, on error {}",
        remaining(&entry["fresh_left_ms"]),
        remaining(&entry["stale_left_ms"]),
        remaining(&entry["stale_on_error_left_ms"])
    );
    let tags: Vec<&str> = entry["tags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let more = tags.len().saturating_sub(MAX_TAGS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let printed: Vec<&str> = tags.iter().take(MAX_TAGS).copied().collect();
    vec![("entry", stored), ("left", remaining), ("tags", format!("{}{more}", printed.join(", ")))]
}

/// Tags that are printed; --json prints all of them.
const MAX_TAGS: usize = 12;

fn format_ms(ms: &Value) -> String {
    duration(ms.as_u64().unwrap_or_default())
}

fn remaining(ms: &Value) -> String {
    match ms.as_i64() {
        Some(ms) if ms > 0 => format!("for {}", duration(ms.unsigned_abs())),
        _ => "over".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_explanation_is_printed() {
        let response = json!({
            "server": "home", "asked": "/x", "kind": "read", "class": "lists", "outcome": "hit",
            "sentence": "The cached response is served.",
            "identity": {"token": "given", "known": true, "proof": "holds", "live_signal": false},
            "key": {"partition": "abc", "text": "/x json", "representation": "json"},
            "entry": {"bytes": 10, "tier": "memory", "age_ms": 2000, "loaded_because": "absent",
                "fresh_left_ms": 58_000, "stale_left_ms": -1, "stale_on_error_left_ms": 86_000_000,
                "warm": false, "tags": ["items", "section:1"]},
            "invalidation": {"at_ms": 1, "ago_ms": 90_000, "by": "the tag items was invalidated", "effect": "none"},
            "server_says": {"word": "different", "status": 200, "detail": "at a[0]", "took_ms": 12},
        });
        let text = render(&response);
        for part in [
            "request      /x to home",
            "request type lists",
            "given, seen before; grant holds",
            "10 bytes in memory, 2 s old, loaded because absent",
            "fresh for 58 s, stale over, on error for 23 h 53 min",
            "items, section:1",
            "90 s ago: the tag items was invalidated; the entry is newer",
            "a different response: at a[0] (status 200), after 12 ms",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }
}
