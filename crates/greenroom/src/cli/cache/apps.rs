//! `greenroom cache apps`: the caches for apps of the running gateway.

use clap::{Args, Subcommand};
use form_urlencoded::Serializer;
use greenroom_demo::scenario::table::align;
use http::Method;
use serde_json::{Value, json};

use super::super::SUCCESS;
use super::super::api_client::{ApiClient, GatewayArgs};
use super::super::modes::with_gateway;
use greenroom_config::source::is_server_name;

/// `greenroom cache apps`.
#[derive(Debug, Args)]
pub(super) struct AppCachesArgs {
    #[command(subcommand)]
    command: Option<AppCachesCommand>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

#[derive(Debug, Subcommand)]
enum AppCachesCommand {
    /// List the keys of a cache
    Keys {
        /// Name of the cache
        #[arg(value_parser = cache_name)]
        cache: String,
        /// Only keys that begin with this
        #[arg(default_value = "")]
        prefix: String,
    },
    /// Remove entries; loads of them that are under way are not stored
    Invalidate(InvalidateArgs),
    /// Remove a cache with everything in it
    Remove {
        /// Name of the cache
        #[arg(value_parser = cache_name)]
        cache: String,
    },
}

#[derive(Debug, Args)]
struct InvalidateArgs {
    /// Name of the cache
    #[arg(value_parser = cache_name)]
    cache: String,
    #[command(flatten)]
    scope: ScopeArgs,
}

/// Scope to invalidate.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct ScopeArgs {
    /// One key
    #[arg(long)]
    key: Option<String>,
    /// All keys that begin with this
    #[arg(long)]
    prefix: Option<String>,
    /// All entries with this tag
    #[arg(long)]
    tag: Option<String>,
    /// Everything
    #[arg(long)]
    all: bool,
}

/// The name of a cache for apps, as a value of the command line.
pub(in crate::cli) fn cache_name(text: &str) -> Result<String, String> {
    let rule = "use lower-case letters, digits and \"-\", 40 at most";
    if is_server_name(text) { Ok(text.to_owned()) } else { Err(format!("it cannot be the name of a cache: {rule}")) }
}

pub(super) fn run(options: &AppCachesArgs) -> u8 {
    with_gateway(&options.gateway, async |client| {
        match &options.command {
            None => {
                let caches = client.get("api/v1/caches").await?;
                println!("{}", if options.json { caches.to_string() } else { summary(&caches) });
            }
            Some(AppCachesCommand::Keys { cache, prefix }) => keys(&client, cache, prefix, options.json).await?,
            Some(AppCachesCommand::Invalidate(arguments)) => {
                let InvalidateArgs { cache, scope: ScopeArgs { key, prefix, tag, all } } = arguments;
                let scope = match (key, prefix, tag) {
                    (Some(key), ..) => json!({ "key": key }),
                    (_, Some(prefix), _) => json!({ "prefix": prefix }),
                    (.., Some(tag)) => json!({ "tag": tag }),
                    _ => json!({ "all": all }),
                };
                let path = format!("api/v1/caches/{cache}/invalidate");
                print_removed(&client.send(Method::POST, &path, Some(&scope)).await?, options.json);
            }
            Some(AppCachesCommand::Remove { cache }) => {
                let path = format!("api/v1/caches/{cache}");
                print_removed(&client.send(Method::DELETE, &path, None).await?, options.json);
            }
        }
        Ok(SUCCESS)
    })
}

async fn keys(client: &ApiClient, cache: &str, prefix: &str, is_json: bool) -> Result<(), u8> {
    let mut cursor: Option<String> = None;
    loop {
        let mut query = Serializer::new(String::new());
        query.append_pair("prefix", prefix).append_pair("limit", "1000");
        if let Some(cursor) = &cursor {
            query.append_pair("cursor", cursor);
        }
        let page = client.get(&format!("api/v1/caches/{cache}/entries?{}", query.finish())).await?;
        for entry in page["entries"].as_array().into_iter().flatten() {
            // A key may hold anything, such as what moves a terminal's cursor.
            let plain = entry["key"].as_str().unwrap_or_default().escape_debug().to_string();
            println!("{}", if is_json { entry.to_string() } else { plain });
        }
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return Ok(());
        }
    }
}

fn print_removed(answer: &Value, is_json: bool) {
    match answer["removed"].as_u64() {
        Some(removed) if !is_json => println!("{removed} entries removed"),
        _ => println!("{answer}"),
    }
}

/// The caches, a line each.
fn summary(caches: &Value) -> String {
    let head = ["cache", "entries", "bytes", "of", "hits", "stale", "misses", "stored", "evicted"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for cache in caches["caches"].as_array().into_iter().flatten() {
        let counts = &cache["counts"];
        let mut row = vec![cache["name"].as_str().unwrap_or_default().to_owned()];
        row.extend(["entries", "bytes", "max_bytes"].map(|name| cache[name].to_string()));
        row.extend(["hits", "stale", "misses", "stored", "evicted"].map(|name| counts[name].to_string()));
        rows.push(row);
    }
    if rows.len() == 1 {
        return "no app has a cache yet; `greenroom token add NAME --caches CACHE` lets one in".to_owned();
    }
    align(&rows)
}
