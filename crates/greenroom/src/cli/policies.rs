//! `greenroom policies` and `greenroom invalidate`: shows and overrides TTL policies of the running gateway, marks
//! entries stale.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Map, Value, json};

use super::DONE;
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
    /// Only of this server
    #[arg(long, global = true, value_name = "NAME")]
    server: Option<String>,
    #[command(flatten)]
    gateway: GatewayArgs,
}

#[derive(Debug, Subcommand)]
enum PoliciesCommand {
    /// Let answers of a class live longer or shorter, from now on and over restarts
    Set(SetPolicyArgs),
    /// Take back what was set
    Reset {
        /// The class; all if it is not said
        class: Option<String>,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true, id = "windows")]
struct SetPolicyArgs {
    /// The class, such as sessions
    class: String,
    /// Answered without asking the server
    #[arg(long, value_name = "SECONDS", group = "windows")]
    fresh_s: Option<u32>,
    /// The same where a live signal is proven
    #[arg(long, value_name = "SECONDS", group = "windows")]
    fresh_with_signal_s: Option<u32>,
    /// Then answered at once while one refresh runs behind
    #[arg(long, value_name = "SECONDS", group = "windows")]
    stale_s: Option<u32>,
    /// Then answered only if the server cannot be asked
    #[arg(long, value_name = "SECONDS", group = "windows")]
    stale_on_error_s: Option<u32>,
}

/// `greenroom invalidate`.
#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "what")]
pub(super) struct InvalidateArgs {
    /// What is kept for this address or path and below it, whatever the query
    #[arg(group = "what")]
    path: Option<String>,
    /// Answers of this class
    #[arg(long, value_name = "CLASS", group = "what")]
    class: Option<String>,
    /// Answers with this tag, as `greenroom why` shows them
    #[arg(long, value_name = "TAG", group = "what")]
    tag: Option<String>,
    /// All answers
    #[arg(long, group = "what")]
    all: bool,
    /// Only of this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    #[command(flatten)]
    gateway: GatewayArgs,
}

pub(super) fn policies(options: &PoliciesArgs) -> u8 {
    const PATH: &str = "api/v1/cache/policies";
    with_gateway(&options.gateway, async |remote| {
        let mut body = Map::new();
        body.extend(options.server.as_ref().map(|server| ("server".to_owned(), json!(server))));
        let done = match &options.command {
            None => {
                let listed = remote.get(PATH).await?;
                println!(
                    "{}",
                    if options.json { listed.to_string() } else { table(&listed, options.server.as_deref()) }
                );
                return Ok(DONE);
            }
            Some(PoliciesCommand::Set(set)) => {
                body.insert("class".to_owned(), json!(set.class));
                for (name, said) in [
                    ("fresh_s", set.fresh_s),
                    ("fresh_with_signal_s", set.fresh_with_signal_s),
                    ("stale_s", set.stale_s),
                    ("stale_on_error_s", set.stale_on_error_s),
                ] {
                    body.extend(said.map(|said| (name.to_owned(), json!(said))));
                }
                remote.ask(Method::PUT, PATH, Some(&Value::Object(body))).await?
            }
            Some(PoliciesCommand::Reset { class }) => {
                body.extend([match class {
                    Some(class) => ("class".to_owned(), json!(class)),
                    None => ("all".to_owned(), json!(true)),
                }]);
                remote.ask(Method::DELETE, PATH, Some(&Value::Object(body))).await?
            }
        };
        print_done(&done, options.json);
        Ok(DONE)
    })
}

pub(super) fn invalidate(options: &InvalidateArgs) -> u8 {
    with_gateway(&options.gateway, async |remote| {
        let mut body = Map::new();
        let words =
            [("server", &options.server), ("path", &options.path), ("class", &options.class), ("tag", &options.tag)];
        body.extend(words.into_iter().filter_map(|(name, word)| Some((name.to_owned(), json!(word.as_ref()?)))));
        if options.all {
            body.insert("all".to_owned(), json!(true));
        }
        let done = remote.ask(Method::POST, "api/v1/cache/invalidate", Some(&Value::Object(body))).await?;
        print_done(&done, false);
        Ok(DONE)
    })
}

/// A line per request type, in seconds; a star marks a TTL override, a plus a configured value.
fn table(listed: &Value, only: Option<&str>) -> String {
    let head = ["class", "fresh", "with signal", "stale", "on error"].map(str::to_owned).to_vec();
    let items = listed["items"].as_array().cloned().unwrap_or_default();
    let chosen = items.iter().filter(|item| only.is_none_or(|only| item["server"] == *only));
    let rows = chosen.map(|item| {
        let word = |name: &str| item[name].as_str().unwrap_or_default();
        let mark = match (item["changed"] == true, item["configured"] == true) {
            (true, _) => " *",
            (false, true) => " +",
            (false, false) => "",
        };
        let mut row = vec![format!("{}/{}{mark}", word("server"), word("class"))];
        let names = ["fresh_s", "fresh_with_signal_s", "stale_s", "stale_on_error_s"];
        row.extend(names.map(|name| item[name].to_string()));
        row
    });
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    format!("{}\nIn seconds; the windows add up. * set while it runs, + configured.", align(&rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_has_a_mark() {
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
