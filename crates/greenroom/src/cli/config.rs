//! `greenroom config init|check`.

use std::path::PathBuf;

use super::{ConfigArgs, SUCCESS, USAGE_ERROR, settings};
use greenroom_config::template::TEMPLATE;

#[derive(Debug, clap::Subcommand)]
pub(super) enum ConfigCommand {
    /// Print a commented configuration file
    Init,
    /// Check a configuration file together with the environment, and print every problem with its line
    Check {
        /// Configuration file [default: only the environment]
        #[arg(value_name = "FILE", env = "GREENROOM_CONFIG")]
        file: Option<PathBuf>,
    },
}

pub(super) fn run(command: &ConfigCommand) -> u8 {
    match command {
        ConfigCommand::Init => {
            print!("{TEMPLATE}");
            SUCCESS
        }
        ConfigCommand::Check { file } => {
            match settings(&ConfigArgs { config: file.clone(), ..ConfigArgs::default() }) {
                Ok(settings) => {
                    for server in &settings.servers {
                        println!(
                            "{}: {} at {}, clients at {}",
                            server.name,
                            server.kind.name(),
                            server.origin.authority().map_or("?", |authority| authority.as_str()),
                            server.listen
                        );
                    }
                    let source =
                        file.as_ref().map_or_else(|| "environment".to_owned(), |file| file.display().to_string());
                    println!("{source}: no problems");
                    SUCCESS
                }
                Err(_) => USAGE_ERROR,
            }
        }
    }
}
