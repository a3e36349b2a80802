//! `greenroom config init|check`.

use std::path::PathBuf;

use super::{DONE, MISUSED, Serve, settings};
use greenroom_config::template::TEMPLATE;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print a commented configuration file
    Init,
    /// Check a configuration file together with the environment, and print every problem with its place
    Check {
        /// The file [default: the environment alone]
        #[arg(value_name = "FILE", env = "GREENROOM_CONFIG")]
        file: Option<PathBuf>,
    },
}

pub(super) fn run(command: &Command) -> u8 {
    match command {
        Command::Init => {
            print!("{TEMPLATE}");
            DONE
        }
        Command::Check { file } => match settings(&Serve { config: file.clone(), ..Serve::default() }) {
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
                let place =
                    file.as_ref().map_or_else(|| "environment".to_owned(), |file| file.display().to_string());
                println!("{place}: no problems");
                DONE
            }
            Err(_) => MISUSED,
        },
    }
}
