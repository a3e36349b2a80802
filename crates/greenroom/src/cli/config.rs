//! `greenroom config init|check`.

use std::path::PathBuf;

use greenroom_config::Endpoint;
use serde_json::{Value, json};

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
        /// The same
        #[arg(long, short, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: &ConfigCommand) -> u8 {
    match command {
        ConfigCommand::Init => {
            print!("{TEMPLATE}");
            SUCCESS
        }
        ConfigCommand::Check { file, config, json } => {
            let file = config.as_ref().or(file.as_ref());
            match settings(&ConfigArgs { config: file.cloned(), ..ConfigArgs::default() }) {
                Ok(settings) if *json => {
                    let servers = settings.servers.iter().map(|server| {
                        let url = Endpoint::from_server(server).url();
                        json!({"name": server.name, "kind": server.kind.name(), "url": url, "listen": server.listen})
                    });
                    let apis = settings.http_apis.iter().map(|server| {
                        let origin = server.origin.to_string();
                        let url = format!("{}{}", origin.trim_end_matches('/'), server.base_path);
                        json!({"name": server.name, "kind": "http", "url": url, "listen": server.listen})
                    });
                    let servers: Vec<Value> = servers.chain(apis).collect();
                    let remarks = settings.remarks.iter();
                    let remarks = remarks.map(|remark| json!({"place": remark.place, "message": remark.message}));
                    let remarks: Vec<Value> = remarks.collect();
                    println!("{}", json!({ "valid": true, "servers": servers, "remarks": remarks }));
                    SUCCESS
                }
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
                    for server in &settings.http_apis {
                        let authority = server.origin.authority().map_or("?", |authority| authority.as_str());
                        let routes = server.routes.len();
                        println!("{}: http at {authority}, {routes} routes, clients at {}", server.name, server.listen);
                    }
                    let source = file.map_or_else(|| "environment".to_owned(), |file| file.display().to_string());
                    println!("{source}: no problems");
                    SUCCESS
                }
                Err(_) => USAGE_ERROR,
            }
        }
    }
}
