//! `greenroom policies` and `greenroom invalidate`: shows and overrides TTL policies of the running gateway, marks
//! entries stale.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Value, json};

use super::SUCCESS;
use super::api_client::GatewayArgs;
use super::modes::{print_done, with_gateway};
use greenroom_demo::scenario::table::align;

/// `greenroom policies`.
#[derive(Debug, Args)]
pub(super) struct PoliciesArgs {
    #[command(subcommand)]
    command: Option<PoliciesCommand>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    /// Only this server
    #[arg(long, global = true, value_name = "NAME")]
    server: Option<String>,
    #[command(flatten)]
    gateway: GatewayArgs,
}

#[derive(Debug, Subcommand)]
enum PoliciesCommand {
    /// Change the times of a class, from now on and after restarts
    Set(SetPolicyArgs),
    /// Undo such changes
    Reset {
        /// The class [default: all]
        class: Option<String>,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true, id = "windows")]
struct SetPolicyArgs {
    /// The class, such as sessions
    class: String,
    /// Fresh: served without asking the server
    #[arg(long, value_name = "SECONDS", group = "windows")]
    fresh_s: Option<u32>,
    /// Fresh, while a live event stream is connected
    #[arg(long, value_name = "SECONDS", group = "windows")]
    fresh_with_signal_s: Option<u32>,
    /// Then stale: served at once, with a background refresh
    #[arg(long, value_name = "SECONDS", group = "windows")]
    stale_s: Option<u32>,
    /// Then expired: served only if the load fails
    #[arg(long, value_name = "SECONDS", group = "windows")]
    stale_on_error_s: Option<u32>,
}

/// `greenroom invalidate`.
#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "what")]
pub(super) struct InvalidateArgs {
    /// Cached responses for this address or path and everything below it, whatever their query
    #[arg(group = "what")]
    path: Option<String>,
    /// Cached responses of this class
    #[arg(long, value_name = "CLASS", group = "what")]
    class: Option<String>,
    /// Cached responses with this tag, as `greenroom why` prints it
    #[arg(long, value_name = "TAG", group = "what")]
    tag: Option<String>,
    /// All cached responses
    #[arg(long, group = "what")]
    all: bool,
    /// Only this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

pub(super) fn policies(options: &PoliciesArgs) -> u8 {
    const PATH: &str = "api/v1/cache/policies";
    with_gateway(&options.gateway, async |client| {
        let mut body = Map::new();
        body.extend(options.server.as_ref().map(|server| ("server".to_owned(), json!(server))));
        let response = match &options.command {
            None => {
                let listed = client.get(PATH).await?;
                println!(
                    "{}",
                    if options.json { listed.to_string() } else { table(&listed, options.server.as_deref()) }
                );
                return Ok(SUCCESS);
            }
            Some(PoliciesCommand::Set(set)) => {
                body.insert("class".to_owned(), json!(set.class));
                for (name, value) in [
                    ("fresh_s", set.fresh_s),
                    ("fresh_with_signal_s", set.fresh_with_signal_s),
                    ("stale_s", set.stale_s),
                    ("stale_on_error_s", set.stale_on_error_s),
                ] {
                    body.extend(value.map(|value| (name.to_owned(), json!(value))));
                }
                client.send(Method::PUT, PATH, Some(&Value::Object(body))).await?
            }
            Some(PoliciesCommand::Reset { class }) => {
                body.extend([match class {
                    Some(class) => ("class".to_owned(), json!(class)),
                    None => ("all".to_owned(), json!(true)),
                }]);
                client.send(Method::DELETE, PATH, Some(&Value::Object(body))).await?
            }
        };
        print_done(&response, options.json);
        Ok(SUCCESS)
    })
}

pub(super) fn invalidate(options: &InvalidateArgs) -> u8 {
    with_gateway(&options.gateway, async |client| {
        let mut body = Map::new();
        let filters =
            [("server", &options.server), ("path", &options.path), ("class", &options.class), ("tag", &options.tag)];
        body.extend(filters.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?)))));
        if options.all {
            body.insert("all".to_owned(), json!(true));
        }
        let response = client.send(Method::POST, "api/v1/cache/invalidate", Some(&Value::Object(body))).await?;
        print_done(&response, options.json);
        Ok(SUCCESS)
    })
}

/// A line per request type, in seconds; a star marks a TTL override, a plus a configured value.
fn table(listed: &Value, server: Option<&str>) -> String {
    let heading = ["class", "fresh", "with events", "stale", "on error"].map(str::to_owned).to_vec();
    let items = listed["items"].as_array().cloned().unwrap_or_default();
    let selected = items.iter().filter(|item| server.is_none_or(|server| item["server"] == *server));
    let rows = selected.map(|item| {
        let text = |name: &str| item[name].as_str().unwrap_or_default();
        let marker = match (item["changed"] == true, item["configured"] == true) {
            (true, _) => " *",
            (false, true) => " +",
            (false, false) => "",
        };
        let mut row = vec![format!("{}/{}{marker}", text("server"), text("class"))];
        let names = ["fresh_s", "fresh_with_signal_s", "stale_s", "stale_on_error_s"];
        row.extend(names.map(|name| item[name].to_string()));
        row
    });
    let rows: Vec<Vec<String>> = std::iter::once(heading).chain(rows).collect();
    format!("{}\nIn seconds; the times add up. * changed at run time, + configured.", align(&rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_or_configured_policy_is_marked() {
        let item = |class: &str, changed, configured| {
            json!({"server": "home", "class": class, "fresh_s": 15, "fresh_with_signal_s": 15, "stale_s": 10,
                   "stale_on_error_s": 86400, "changed": changed, "configured": configured})
        };
        let listed = json!({"items": [item("sessions", true, false), item("lists", false, true)]});
        let text = table(&listed, Some("home"));
        assert!(text.contains("home/sessions *") && text.contains("home/lists +"), "{text}");
        assert!(!table(&listed, Some("attic")).contains("home/"));
    }
}
