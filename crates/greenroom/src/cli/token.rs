//! `greenroom token show|rotate|add|list|revoke|webhook`.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use greenroom_dialect::credential::Secret;

use super::api_client::ApiClient;
use super::{ConfigArgs, SUCCESS, fail, settings, wait_for};
use greenroom_config::settings::default_data_dir;
use greenroom_state::app_tokens;
use greenroom_state::db::StateDb;
use greenroom_state::ownership;
use greenroom_state::secrets::{ControlToken, DataDir};

#[derive(Debug, clap::Subcommand)]
pub(super) enum TokenCommand {
    /// Print the token of the control plane
    Show(TokenArgs),
    /// Create a new token. The old one is rejected at once (within five seconds if the running gateway cannot be reached),
    /// and every logged-in browser is logged out
    Rotate(TokenArgs),
    /// Make a token for an app, which opens only the folders it names, and print it. It is not shown again
    Add(AddTokenArgs),
    /// List the tokens of apps
    List(DataDirArgs),
    /// Delete the token of an app
    Revoke {
        /// Name of the app
        name: String,
        #[command(flatten)]
        data_dir_args: DataDirArgs,
    },
    /// Print the path for Plex webhooks, to be used with the address for clients
    Webhook(DataDirArgs),
}

/// A token of an app.
#[derive(Debug, clap::Args)]
pub(super) struct AddTokenArgs {
    /// Name of the app
    name: String,
    /// Folders it opens
    #[arg(long, value_name = "NAME", value_delimiter = ',', required = true)]
    folders: Vec<String>,
    /// It changes nothing
    #[arg(long)]
    read_only: bool,
    #[command(flatten)]
    data_dir_args: DataDirArgs,
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
        TokenCommand::Add(arguments) => open(&arguments.data_dir_args).map(|dir| add(dir?.path(), arguments)),
        TokenCommand::List(arguments) => return list(arguments),
        TokenCommand::Revoke { name, data_dir_args } => return revoke(name, data_dir_args),
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

fn add(data_dir: &Path, arguments: &AddTokenArgs) -> Result<Secret, String> {
    StateDb::open(data_dir).map_err(|error| error.message)?;
    #[expect(clippy::disallowed_methods, reason = "a command has no clock of its own")]
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let added = app_tokens::add(data_dir, &arguments.name, &arguments.folders, arguments.read_only, now_ms);
    let token = added.map_err(|error| error.message)?;
    present_token(data_dir, &token);
    Ok(token)
}

fn list(arguments: &DataDirArgs) -> u8 {
    let folder = match arguments.folder() {
        Ok(folder) => folder,
        Err(code) => return code,
    };
    match app_tokens::list(&folder) {
        Ok(tokens) => {
            for token in tokens {
                let rights = if token.is_read_only { "reads" } else { "reads and changes" };
                println!("{}: {rights} {}", token.name, token.folders.join(", "));
            }
            SUCCESS
        }
        Err(error) => fail(&error.message),
    }
}

fn revoke(name: &str, arguments: &DataDirArgs) -> u8 {
    let folder = match arguments.folder() {
        Ok(folder) => folder,
        Err(code) => return code,
    };
    match app_tokens::revoke(&folder, name) {
        Ok(true) => {
            println!("The token of {name} is revoked; a running gateway rejects it within five seconds.");
            SUCCESS
        }
        Ok(false) => fail(&format!("no app called {name} has a token")),
        Err(error) => fail(&error.message),
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
