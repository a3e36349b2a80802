//! `greenroom notices test`.

use http::Method;
use serde_json::json;

use super::api_client::GatewayArgs;
use super::modes::with_gateway;
use super::{FAILURE, SUCCESS};

#[derive(Debug, clap::Subcommand)]
pub(super) enum NoticesCommand {
    /// Let the running gateway send a test message, and report whether the targets accepted it
    Test(TestNoticeArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct TestNoticeArgs {
    /// Only to the target with this name
    name: Option<String>,
    /// Print the gateway's response as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

pub(super) fn run(command: &NoticesCommand) -> u8 {
    let NoticesCommand::Test(test) = command;
    with_gateway(&test.gateway, async |client| {
        let body = json!({"target": test.name});
        let response = client.send(Method::POST, "api/v1/notices/test", Some(&body)).await?;
        if test.json {
            println!("{response}");
        } else {
            for target in response["targets"].as_array().into_iter().flatten() {
                let name = target["target"].as_str().unwrap_or_default();
                match target["reason"].as_str() {
                    None => println!("{name}: accepted"),
                    Some(reason) => println!("{name}: {reason}"),
                }
            }
        }
        Ok(if response["success"] == true { SUCCESS } else { FAILURE })
    })
}
