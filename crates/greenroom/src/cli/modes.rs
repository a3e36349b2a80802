//! `greenroom observe`, `greenroom bypass`, `greenroom clear`: change how the running gateway answers reads.

use clap::{Args, ValueEnum};
use http::Method;
use serde_json::{Map, Value, json};

use super::api_client::{ApiClient, GatewayArgs};
use super::{SUCCESS, block_on, fail};
use greenroom_demo::scenario::table::align;
use greenroom_proxy::shadow::report::format_thousands;

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SwitchState {
    /// Start it.
    On,
    /// End it.
    Off,
}

/// `greenroom observe`.
#[derive(Debug, Args)]
pub(super) struct ObserveArgs {
    /// Start observe mode, or end it and use the cache; without it, the report so far is printed
    state: Option<SwitchState>,
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
    /// Start or end a bypass; without it, active bypasses are listed
    state: Option<SwitchState>,
    /// Only reads of this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Only reads of this class, such as sessions or images; `greenroom policies` lists them
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
    /// Only cached responses of this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Only cached responses of this class
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// Only cached responses with this tag, as `greenroom why` prints it
    #[arg(long, value_name = "TAG", conflicts_with = "class")]
    tag: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// `greenroom warm`.
#[derive(Debug, Args)]
pub(super) struct WarmArgs {
    /// Only cached responses of this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Runs a command against the gateway; its failure is already printed.
pub(super) fn with_gateway<F>(arguments: &GatewayArgs, command: impl FnOnce(ApiClient) -> F) -> u8
where
    F: Future<Output = Result<u8, u8>>,
{
    let client = match ApiClient::connect(arguments) {
        Ok(client) => client,
        Err(code) => return code,
    };
    block_on(async { command(client).await.unwrap_or_else(|code| code) })
}

pub(super) fn observe(options: &ObserveArgs) -> u8 {
    with_gateway(&options.gateway, async |client| {
        if let Some(state) = options.state {
            let mode = if state == SwitchState::On { "observe" } else { "cache" };
            let mut body = option_fields([("server", &options.server)]);
            body.insert("mode".to_owned(), json!(mode));
            let response = client.send(Method::PUT, "api/v1/mode", Some(&Value::Object(body))).await?;
            print_done(&response, options.json);
            return Ok(SUCCESS);
        }
        let mut servers = client.get("api/v1/observe").await?;
        if let (Some(name), Some(list)) = (&options.server, servers.as_array_mut()) {
            list.retain(|server| server["server"] == **name);
            if list.is_empty() {
                return Ok(fail(&format!("no server is called {name}")));
            }
        }
        if options.json {
            println!("{servers}");
        } else {
            for server in servers.as_array().into_iter().flatten() {
                println!("{}", render(server));
            }
        }
        Ok(SUCCESS)
    })
}

pub(super) fn bypass(options: &BypassArgs) -> u8 {
    with_gateway(&options.gateway, async |client| {
        let body = option_fields([("server", &options.server), ("class", &options.class), ("app", &options.app)]);
        let listed = match options.state {
            None => client.get("api/v1/bypass").await?,
            Some(state) => {
                let method = if state == SwitchState::On { Method::PUT } else { Method::DELETE };
                client.send(method, "api/v1/bypass", Some(&Value::Object(body))).await?
            }
        };
        if options.json {
            println!("{listed}");
        } else {
            println!("{}", render_bypasses(&listed));
        }
        Ok(SUCCESS)
    })
}

pub(super) fn clear(options: &ClearArgs) -> u8 {
    with_gateway(&options.gateway, async |client| {
        let body = option_fields([("server", &options.server), ("class", &options.class), ("tag", &options.tag)]);
        let response = client.send(Method::POST, "api/v1/cache/clear", Some(&Value::Object(body))).await?;
        print_done(&response, options.json);
        Ok(SUCCESS)
    })
}

pub(super) fn warm(options: &WarmArgs) -> u8 {
    with_gateway(&options.gateway, async |client| {
        let body = Value::Object(option_fields([("server", &options.server)]));
        let response = client.send(Method::POST, "api/v1/cache/warm", Some(&body)).await?;
        print_done(&response, options.json);
        Ok(SUCCESS)
    })
}

/// Given options by name.
fn option_fields<const N: usize>(options: [(&str, &Option<String>); N]) -> Map<String, Value> {
    let fields = options.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?))));
    fields.collect()
}

pub(super) fn print_done(response: &Value, as_json: bool) {
    if as_json {
        println!("{response}");
    } else {
        println!("{}", response["message"].as_str().unwrap_or("Done."));
    }
}

/// Active bypasses, a line each.
fn render_bypasses(listed: &Value) -> String {
    let list = listed["bypasses"].as_array().cloned().unwrap_or_default();
    let line = |bypass: &Value| {
        let field = |(key, name): (&str, &str)| bypass[key].as_str().map(|value| format!("{name} {value}"));
        let fields = [("server", "server"), ("class", "request type"), ("app", "app")];
        let parts: Vec<String> = fields.into_iter().filter_map(field).collect();
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
        return format!("{name}: not observed yet; start with `greenroom observe on` (mode now: {mode})\n");
    };
    let ended = if mode == "observe" { "" } else { " (ended)" };
    let mut text = format!("{name}: {verdict}.{ended}\n");
    for (title, key) in [("request type", "classes"), ("app", "apps")] {
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
    let heading = [title, "requests", "saving", "sent to server", "own", "behind", "differed"];
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
    fn active_bypasses_are_printed_in_words() {
        assert_eq!(render_bypasses(&json!({"bypasses": []})), "nothing is bypassed");
        let some = json!({"bypasses": [{}, {"server": "home", "class": "images"}]});
        assert_eq!(render_bypasses(&some), "bypassed: everything\nbypassed: server home, request type images");
    }

    #[test]
    fn a_report_is_printed_with_its_rows() {
        let row = json!({"name": "lists", "asked": 1200, "saved_percent": 75.0, "reached": 300, "own": 2,
            "moved": 1, "changed": 2, "right_ended": 0, "differed": 4});
        let server = json!({"server": "home", "mode": "observe",
            "report": {"verdict": "Would have saved 75 % of 1,200 requests", "classes": [row], "apps": []}});
        let text = render(&server);
        assert!(text.starts_with("home: Would have saved 75 % of 1,200 requests.\n\nrequest type"), "{text}");
        let last: Vec<&str> = text.lines().last().expect("find a row").split_whitespace().collect();
        assert_eq!(last, ["lists", "1,200", "75", "%", "300", "2", "3", "4"]);
        let never = json!({"server": "home", "mode": "cache", "report": null});
        assert!(render(&never).contains("not observed yet"));
    }
}
