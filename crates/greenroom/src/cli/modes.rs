//! `greenroom observe`, `greenroom bypass`, `greenroom clear`: change how the running gateway answers reads.

use clap::{Args, ValueEnum};
use http::Method;
use serde_json::{Map, Value, json};

use super::api_client::{ApiClient, GatewayArgs};
use super::{DONE, FAILED, block_on};
use greenroom_demo::scenario::table::align;
use greenroom_proxy::shadow::report::format_thousands;

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SwitchState {
    /// From now on.
    On,
    /// No longer.
    Off,
}

/// `greenroom observe`.
#[derive(Debug, Args)]
pub(super) struct ObserveArgs {
    /// Begin to observe, or end it and answer from the cache; without it the verdict so far is printed
    turn: Option<SwitchState>,
    /// Only this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// `greenroom bypass`.
#[derive(Debug, Args)]
pub(super) struct BypassArgs {
    /// Begin or end it; without it what is bypassed is printed
    turn: Option<SwitchState>,
    /// Only reads of this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Only reads of this class, such as sessions or images
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// Only reads of this app, as the page names it
    #[arg(long, value_name = "APP")]
    app: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// `greenroom clear`.
#[derive(Debug, Args)]
pub(super) struct ClearArgs {
    /// Only answers of this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Only answers of this class
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// Only answers with this tag, as `greenroom why` shows them
    #[arg(long, value_name = "TAG", conflicts_with = "class")]
    tag: Option<String>,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// `greenroom warm`.
#[derive(Debug, Args)]
pub(super) struct WarmArgs {
    /// Only answers of this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Runs a command against the gateway; its failure is already printed.
pub(super) fn with_gateway<F>(place: &GatewayArgs, work: impl FnOnce(ApiClient) -> F) -> u8
where
    F: Future<Output = Result<u8, u8>>,
{
    let remote = match ApiClient::connect(place) {
        Ok(remote) => remote,
        Err(code) => return code,
    };
    block_on(async { work(remote).await.unwrap_or_else(|code| code) })
}

pub(super) fn observe(options: &ObserveArgs) -> u8 {
    with_gateway(&options.gateway, async |remote| {
        if let Some(turn) = options.turn {
            let mode = if turn == SwitchState::On { "observe" } else { "cache" };
            let mut body = given_options([("server", &options.server)]);
            body.insert("mode".to_owned(), json!(mode));
            let done = remote.ask(Method::PUT, "api/v1/mode", Some(&Value::Object(body))).await?;
            print_done(&done, options.json);
            return Ok(DONE);
        }
        let mut servers = remote.get("api/v1/observe").await?;
        if let (Some(only), Some(list)) = (&options.server, servers.as_array_mut()) {
            list.retain(|server| server["server"] == **only);
            if list.is_empty() {
                eprintln!("greenroom: no server is called {only}");
                return Ok(FAILED);
            }
        }
        if options.json {
            println!("{servers}");
        } else {
            for server in servers.as_array().into_iter().flatten() {
                println!("{}", render(server));
            }
        }
        Ok(DONE)
    })
}

pub(super) fn bypass(options: &BypassArgs) -> u8 {
    with_gateway(&options.gateway, async |remote| {
        let what = given_options([("server", &options.server), ("class", &options.class), ("app", &options.app)]);
        let listed = match options.turn {
            None => remote.get("api/v1/bypass").await?,
            Some(turn) => {
                let method = if turn == SwitchState::On { Method::PUT } else { Method::DELETE };
                remote.ask(method, "api/v1/bypass", Some(&Value::Object(what))).await?
            }
        };
        if options.json {
            println!("{listed}");
        } else {
            println!("{}", render_bypasses(&listed));
        }
        Ok(DONE)
    })
}

pub(super) fn clear(options: &ClearArgs) -> u8 {
    with_gateway(&options.gateway, async |remote| {
        let what = given_options([("server", &options.server), ("class", &options.class), ("tag", &options.tag)]);
        let done = remote.ask(Method::POST, "api/v1/cache/clear", Some(&Value::Object(what))).await?;
        print_done(&done, false);
        Ok(DONE)
    })
}

pub(super) fn warm(options: &WarmArgs) -> u8 {
    with_gateway(&options.gateway, async |remote| {
        let which = Value::Object(given_options([("server", &options.server)]));
        let done = remote.ask(Method::POST, "api/v1/cache/warm", Some(&which)).await?;
        print_done(&done, options.json);
        Ok(DONE)
    })
}

/// Given options by name.
fn given_options<const N: usize>(words: [(&str, &Option<String>); N]) -> Map<String, Value> {
    let said = words.into_iter().filter_map(|(name, word)| Some((name.to_owned(), json!(word.as_ref()?))));
    said.collect()
}

pub(super) fn print_done(done: &Value, as_json: bool) {
    if as_json {
        println!("{done}");
    } else {
        println!("{}", done["message"].as_str().unwrap_or("Done."));
    }
}

/// Active bypasses, a line each.
fn render_bypasses(listed: &Value) -> String {
    let list = listed["bypasses"].as_array().cloned().unwrap_or_default();
    let line = |bypass: &Value| {
        let part = |name: &str| bypass[name].as_str().map(|word| format!("{name} {word}"));
        let parts: Vec<String> = ["server", "class", "app"].into_iter().filter_map(part).collect();
        let what = if parts.is_empty() { "everything".to_owned() } else { parts.join(", ") };
        format!("bypassed: {what}")
    };
    if list.is_empty() {
        "nothing is bypassed".to_owned()
    } else {
        list.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Observe result of one server, and the rows it is made from.
fn render(server: &Value) -> String {
    let name = server["server"].as_str().unwrap_or_default();
    let mode = server["mode"].as_str().unwrap_or_default();
    let report = &server["report"];
    let Some(verdict) = report["verdict"].as_str() else {
        return format!("{name}: was not observed; `greenroom observe on` begins (it is in mode {mode} now)\n");
    };
    let ended = if mode == "observe" { "" } else { " (ended)" };
    let mut text = format!("{name}: {verdict}.{ended}\n");
    for (title, key) in [("class", "classes"), ("app", "apps")] {
        let rows = report[key].as_array().cloned().unwrap_or_default();
        if !rows.is_empty() {
            text.push('\n');
            text.push_str(&table(title, &rows));
        }
    }
    text
}

fn table(title: &str, rows: &[Value]) -> String {
    let count =
        |row: &Value, names: &[&str]| format_thousands(names.iter().filter_map(|name| row[*name].as_u64()).sum());
    let heading = [title, "asked", "saved", "would reach", "of these own", "a little behind", "differed"];
    let mut lines = vec![heading.map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(|row| {
        vec![
            row["name"].as_str().unwrap_or_default().to_owned(),
            count(row, &["asked"]),
            format!("{:.0} %", row["saved_percent"].as_f64().unwrap_or_default()),
            count(row, &["reached"]),
            count(row, &["own"]),
            count(row, &["moved", "changed", "right_ended"]),
            count(row, &["differed"]),
        ]
    }));
    align(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_bypassed_is_told_in_words() {
        assert_eq!(render_bypasses(&json!({"bypasses": []})), "nothing is bypassed");
        let some = json!({"bypasses": [{}, {"server": "home", "class": "images"}]});
        assert_eq!(render_bypasses(&some), "bypassed: everything\nbypassed: server home, class images");
    }

    #[test]
    fn a_verdict_comes_with_its_rows() {
        let row = json!({"name": "lists", "asked": 1200, "saved_percent": 75.0, "reached": 300, "own": 2,
            "moved": 1, "changed": 2, "right_ended": 0, "differed": 4});
        let server = json!({"server": "home", "mode": "observe",
            "report": {"verdict": "Would have saved 75 % of 1,200 requests", "classes": [row], "apps": []}});
        let text = render(&server);
        assert!(text.starts_with("home: Would have saved 75 % of 1,200 requests.\n\nclass"), "{text}");
        let last: Vec<&str> = text.lines().last().expect("a row").split_whitespace().collect();
        assert_eq!(last, ["lists", "1,200", "75", "%", "300", "2", "3", "4"]);
        let never = json!({"server": "home", "mode": "cache", "report": null});
        assert!(render(&never).contains("was not observed"));
    }
}
