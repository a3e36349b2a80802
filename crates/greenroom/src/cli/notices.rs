//! `greenroom notices test`.

use http::Method;
use serde_json::json;

use super::remote::{self, Remote};
use super::{DONE, FAILED, block_on};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Let the running gateway send a message for trying out, and tell whether it was taken
    Test(Test),
}

#[derive(Debug, clap::Args)]
pub(super) struct Test {
    /// Only to the target of this name
    name: Option<String>,
    /// Print what the gateway answers as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: remote::Place,
}

pub(super) fn run(command: &Command) -> u8 {
    let Command::Test(test) = command;
    block_on(async {
        let remote = match Remote::find(&test.place) {
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
