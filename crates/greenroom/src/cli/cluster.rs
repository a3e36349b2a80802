//! `greenroom cluster key|status`.

use serde_json::Value;

use super::SUCCESS;
use super::api_client::GatewayArgs;
use super::modes::with_gateway;
use greenroom_demo::scenario::table::align;
use greenroom_state::secrets;

#[derive(Debug, clap::Subcommand)]
pub(super) enum ClusterCommand {
    /// Print a new key for gateways that share a remote store: give it to each as store.redis.cluster_key_file
    Key(ClusterKeyArgs),
    /// Show the remote store of the running gateway, and the gateways that share it
    Status(ClusterStatusArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct ClusterKeyArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ClusterStatusArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

pub(super) fn run(command: &ClusterCommand) -> u8 {
    match command {
        ClusterCommand::Key(options) => {
            let key = new_key();
            println!("{}", if options.json { serde_json::json!({ "key": key }).to_string() } else { key });
            SUCCESS
        }
        ClusterCommand::Status(options) => with_gateway(&options.gateway, async |client| {
            let status = client.get("api/v1/cluster").await?;
            println!("{}", if options.json { status.to_string() } else { describe(&status) });
            Ok(SUCCESS)
        }),
    }
}

/// 32 random bytes in hexadecimal digits.
fn new_key() -> String {
    data_encoding::HEXLOWER.encode(&secrets::random::<32>())
}

fn describe(status: &Value) -> String {
    if status["enabled"] != true {
        return "No remote store is configured: see the table store.redis.".into();
    }
    let status = &status["store"];
    let text = |key: &str| status[key].as_str().unwrap_or_default().to_owned();
    let reason = status["reason"].as_str().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let mut rows = vec![
        vec!["store".to_owned(), format!("{}{reason}, {} {}", text("state"), text("kind"), text("version"))],
        vec!["keys".to_owned(), status["total_keys"].to_string()],
        vec!["latency".to_owned(), format!("{} µs", status["latency_us"])],
        vec!["this gateway".to_owned(), format!("{}, heard {}", text("gateway"), status["heard"])],
    ];
    if status["shared"] == true {
        let trusted = if status["trusted"] == true { "serves its cache" } else { "asks the server for everything" };
        rows.push(vec!["its cache".to_owned(), trusted.to_owned()]);
        let leader = status["leader"].as_str().unwrap_or("none");
        rows.push(vec!["leader".to_owned(), format!("{leader} (scheduled playlists, notifications about servers)")]);
    }
    for peer in status["peers"].as_array().into_iter().flatten() {
        let state = if peer["live"] == true { "live" } else { "gone" };
        let name = peer["name"].as_str().unwrap_or_default();
        rows.push(vec!["other gateway".to_owned(), format!("{name}, {state}, heard {}", peer["heard"])]);
    }
    align(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_64_digits_and_each_is_another() {
        let keys = [new_key(), new_key()];
        assert!(keys.iter().all(|key| key.len() == 64 && key.chars().all(|digit| digit.is_ascii_hexdigit())));
        assert_ne!(keys[0], keys[1]);
    }

    #[test]
    fn every_gateway_is_shown() {
        let status = serde_json::json!({
            "state": "connected", "kind": "single", "version": "7.0.15", "shared": true,
            "trusted": true, "gateway": "den:8710", "heard": 3, "leader": "attic:8710", "latency_us": 90, "total_keys": 5,
            "peers": [{"name": "attic:8710", "heard": 3, "live": true}, {"name": "old:8710", "heard": 1, "live": false}],
        });
        let shown = describe(&serde_json::json!({ "enabled": true, "store": status }));
        assert!(shown.contains("den:8710, heard 3") && shown.contains("attic:8710, live"), "{shown}");
        assert!(shown.contains("attic:8710 (scheduled playlists"), "{shown}");
        assert!(shown.contains("old:8710, gone") && shown.contains("serves its cache"), "{shown}");
    }
}
