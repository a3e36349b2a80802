//! `greenroom token show|rotate|webhook`.

use std::path::{Path, PathBuf};

use greenroom_dialect::credential::Secret;

use super::api_client::ApiClient;
use super::{ConfigArgs, SUCCESS, fail, settings, wait_for};
use greenroom_config::settings::default_data_dir;
use greenroom_state::ownership;
use greenroom_state::secrets::{ControlToken, DataDir};

#[derive(Debug, clap::Subcommand)]
pub(super) enum TokenCommand {
    /// Print the token of the control plane
    Show(TokenArgs),
    /// Create a new token. The old one is rejected at once (within five seconds if the running gateway cannot be reached),
    /// and every logged-in browser is logged out
    Rotate(TokenArgs),
    /// Print the path for Plex webhooks, to be used with the address for clients
    Webhook(DataDirArgs),
}

/// Which token.
#[derive(Debug, clap::Args)]
pub(super) struct TokenArgs {
    #[command(flatten)]
    data_dir_args: DataDirArgs,
    /// The read-only token, for dashboards and scrapers: it changes nothing and opens no page
    #[arg(long)]
    read_only: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct DataDirArgs {
    /// Configuration file that names the data directory
    #[arg(long, short, value_name = "FILE", env = "GREENROOM_CONFIG")]
    config: Option<PathBuf>,
    /// Data directory
    #[arg(long, value_name = "DIR", env = "GREENROOM_DATA_DIR")]
    data_dir: Option<PathBuf>,
}

pub(super) fn run(command: &TokenCommand) -> u8 {
    let secret = |token: ControlToken| token.secret;
    let token = match command {
        TokenCommand::Show(arguments) => open(&arguments.data_dir_args).map(|dir| {
            let dir = dir?;
            if arguments.read_only { dir.read_token() } else { dir.control_token().map(secret) }
        }),
        TokenCommand::Rotate(arguments) => open(&arguments.data_dir_args).map(|dir| {
            let dir = dir?;
            let token =
                if arguments.read_only { dir.rotate_read_token() } else { dir.rotate_control_token().map(secret) }?;
            present_token(dir.path(), &token);
            Ok(token)
        }),
        TokenCommand::Webhook(arguments) => {
            open(arguments).map(|dir| dir?.webhook_secret().map(|secret| Secret::new(webhook_path(&secret))))
        }
    };
    match token {
        Ok(Ok(text)) => {
            println!("{}", text.expose());
            SUCCESS
        }
        Ok(Err(reason)) => fail(&reason),
        Err(code) => code,
    }
}

/// Lets the gateway that runs on the directory, if any, reload its tokens now.
fn present_token(data_dir: &Path, token: &Secret) {
    let Some(client) =
        ownership::holder(data_dir).and_then(|holder| ApiClient::for_lock_holder(&holder, data_dir).ok())
    else {
        return;
    };
    wait_for(async {
        client.present_token(token).await;
        Ok(())
    });
}

fn webhook_path(secret: &Secret) -> String {
    format!("{}{}", greenroom_proxy::stream::webhook::PREFIX, secret.expose())
}

fn open(arguments: &DataDirArgs) -> Result<Result<DataDir, String>, u8> {
    Ok(DataDir::open(&arguments.folder()?))
}

impl DataDirArgs {
    /// Data directory. Prints configuration errors.
    pub(super) fn folder(&self) -> Result<PathBuf, u8> {
        match (&self.data_dir, &self.config) {
            (Some(dir), _) => Ok(dir.clone()),
            (None, Some(file)) => settings(&ConfigArgs { config: Some(file.clone()), ..ConfigArgs::default() })
                .map(|settings| settings.data_dir),
            (None, None) => Ok(default_data_dir()),
        }
    }
}
