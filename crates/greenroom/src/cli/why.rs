//! `greenroom why URL`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use http::Method;
use serde_json::{Value, json};

use super::DONE;
use super::api_client::{GatewayArgs, read_token};
use super::modes::with_gateway;

/// What was typed.
#[derive(Debug, Args)]
pub(super) struct WhyArgs {
    /// Address or path as an app asks for it, such as /library/sections; a token in it says who asks
    url: String,
    /// File with the token of who asks [default: the one in the address, else the configured one]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A header the app sends, as "name: value"; may be repeated
    #[arg(long = "header", short = 'H', value_name = "HEADER")]
    headers: Vec<String>,
    /// The server it is for, where several are configured and the address names none
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
    with_gateway(&options.gateway, async |remote| {
        let told = remote.ask(Method::POST, "api/v1/why", Some(&body)).await?;
        if options.json {
            println!("{told}");
        } else {
            print!("{}", render(&told));
        }
        Ok(DONE)
    })
}

/// The explanation, a line per field.
fn render(told: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines = vec![
        ("asked", format!("{} of {}", text(&told["asked"]), text(&told["server"]))),
        ("answer", text(&told["sentence"])),
    ];
    let class = text(&told["class"]);
    if !class.is_empty() {
        lines.push(("class", class));
    }
    let asker = &told["identity"];
    if asker.is_object() {
        let seen = if asker["known"] == true { "seen before" } else { "never seen" };
        let signal = if asker["live_signal"] == true { "; a live signal tells what changes for it" } else { "" };
        let proof = text(&asker["proof"]);
        lines.push(("token", format!("{}, {seen}; the server's yes {proof}{signal}", text(&asker["token"]))));
    }
    let key = &told["key"];
    if key.is_object() {
        lines.push(("kept under", text(&key["text"])));
        lines.push(("", format!("in partition {}, as {}", text(&key["partition"]), text(&key["representation"]))));
    }
    lines.extend(entry_lines(&told["entry"], told["kind"] == "read"));
    let invalidation = &told["invalidation"];
    if invalidation.is_object() {
        let effect = match invalidation["effect"].as_str() {
            Some("none") => "what is kept is from after it",
            Some("marked") => "what is kept may only stand in for a failure",
            _ => "what is kept is not used any more",
        };
        let ago = seconds(&invalidation["ago_ms"]);
        lines.push(("invalidated", format!("{ago} ago: {}; {effect}", text(&invalidation["by"]))));
    }
    let says = &told["server_says"];
    if says.is_object() {
        let word = match says["word"].as_str() {
            Some("same") => "the same",
            Some("different") => "something else",
            Some("nothing-kept") => "an answer; nothing is kept to compare it with",
            _ => "nothing",
        };
        let detail = says["detail"].as_str().map_or_else(String::new, |detail| format!(": {detail}"));
        let status = says["status"].as_u64().map_or_else(String::new, |status| format!(" (status {status})"));
        lines.push(("server says", format!("{word}{detail}{status}, after {} ms", says["took_ms"])));
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
        return if is_read { vec![("kept", "nothing".to_owned())] } else { Vec::new() };
    }
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let warm = if entry["warm"] == true { ", kept warm" } else { "" };
    let kept = format!(
        "{} bytes in {}, {} old, loaded because {}{warm}",
        entry["bytes"],
        text("tier"),
        seconds(&entry["age_ms"]),
        text("loaded_because")
    );
    let left = format!(
        "fresh {}, stale {}, if the server fails {}",
        left(&entry["fresh_left_ms"]),
        left(&entry["stale_left_ms"]),
        left(&entry["stale_on_error_left_ms"])
    );
    let tags: Vec<&str> = entry["tags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let more = tags.len().saturating_sub(MAX_TAGS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let shown: Vec<&str> = tags.iter().take(MAX_TAGS).copied().collect();
    vec![("kept", kept), ("left", left), ("tags", format!("{}{more}", shown.join(", ")))]
}

/// Tags that are printed; --json prints all of them.
const MAX_TAGS: usize = 12;

fn seconds(ms: &Value) -> String {
    duration(ms.as_u64().unwrap_or_default())
}

fn left(ms: &Value) -> String {
    match ms.as_i64() {
        Some(ms) if ms > 0 => format!("for {}", duration(ms.unsigned_abs())),
        _ => "over".to_owned(),
    }
}

/// A duration in a readable unit.
pub(super) fn duration(ms: u64) -> String {
    match ms / 1000 {
        0..10 => format!("{:.1} s", ms as f64 / 1000.0),
        s @ 10..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_has_the_unit_that_says_it_best() {
        for (ms, text) in [(40, "0.0 s"), (1_500, "1.5 s"), (60_000, "60 s"), (600_000, "10 min"), (86_400_000, "24 h")]
        {
            assert_eq!(duration(ms), text);
        }
        assert_eq!(duration(30 * 86_400_000), "30 days");
    }

    #[test]
    fn all_that_was_told_is_printed() {
        let told = json!({
            "server": "home", "asked": "/x", "kind": "read", "class": "lists", "outcome": "hit",
            "sentence": "What is kept is answered.",
            "identity": {"token": "given", "known": true, "proof": "holds", "live_signal": false},
            "key": {"partition": "abc", "text": "/x json", "representation": "json"},
            "entry": {"bytes": 10, "tier": "memory", "age_ms": 2000, "loaded_because": "absent",
                "fresh_left_ms": 58_000, "stale_left_ms": -1, "stale_on_error_left_ms": 86_000_000,
                "warm": false, "tags": ["items", "section:1"]},
            "invalidation": {"at_ms": 1, "ago_ms": 90_000, "by": "the tag items was", "effect": "none"},
            "server_says": {"word": "different", "status": 200, "detail": "at /a/0", "took_ms": 12},
        });
        let text = render(&told);
        for part in [
            "asked        /x of home",
            "class        lists",
            "given, seen before; the server's yes holds",
            "10 bytes in memory, 2.0 s old, loaded because absent",
            "fresh for 58 s, stale over, if the server fails for 23 h",
            "items, section:1",
            "90 s ago: the tag items was; what is kept is from after it",
            "something else: at /a/0 (status 200), after 12 ms",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }
}
