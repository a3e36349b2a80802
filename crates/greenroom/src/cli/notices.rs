//! `greenroom notices test`.

use http::Method;
use serde_json::json;

use super::api_client::{self, ApiClient};
use super::{DONE, FAILED, block_on};

#[derive(Debug, clap::Subcommand)]
pub(super) enum NoticesCommand {
    /// Let the running gateway send a message for trying out, and tell whether it was taken
    Test(TestNoticeArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct TestNoticeArgs {
    /// Only to the target of this name
    name: Option<String>,
    /// Print what the gateway answers as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: api_client::GatewayArgs,
}

pub(super) fn run(command: &NoticesCommand) -> u8 {
    let NoticesCommand::Test(test) = command;
    block_on(async {
        let remote = match ApiClient::connect(&test.gateway) {
            Ok(remote) => remote,
            Err(code) => return code,
        };
        let body = json!({"target": test.name});
        let tried = match remote.ask(Method::POST, "api/v1/notices/test", Some(&body)).await {
            Ok(tried) => tried,
            Err(code) => return code,
        };
        if test.json {
            println!("{tried}");
        } else {
            for target in tried["targets"].as_array().into_iter().flatten() {
                let name = target["target"].as_str().unwrap_or_default();
                match target["reason"].as_str() {
                    None => println!("{name}: it was taken"),
                    Some(reason) => println!("{name}: {reason}"),
                }
            }
        }
        if tried["success"] == true { DONE } else { FAILED }
    })
}
