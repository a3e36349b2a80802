//! `greenroom token show|rotate|add|list|revoke|webhook`.

use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use greenroom_dialect::credential::Secret;
use serde_json::{Value, json};

use super::api_client::ApiClient;
use super::cache::apps::cache_name;
use super::output::print_outcome;
use super::{ConfigArgs, SUCCESS, fail, settings, wait_for};
use greenroom_config::settings::default_data_dir;
use greenroom_state::app_tokens::{self, AppAccess};
use greenroom_state::db::StateDb;
use greenroom_state::ownership;
use greenroom_state::secrets::{DataDir, is_ours};

#[derive(Debug, clap::Subcommand)]
pub(super) enum TokenCommand {
    /// Print the token of the control plane
    Show(TokenArgs),
    /// Create a new token. The old one is rejected at once (within five seconds if the running gateway cannot be
    /// reached), and every logged-in browser is logged out
    Rotate(TokenArgs),
    /// Make a token for an app, which opens only the folders and caches it names, and print it. It is not shown again
    Add(AddTokenArgs),
    /// List the tokens of apps
    List(ListTokensArgs),
    /// Delete the token of an app
    Revoke(RevokeTokenArgs),
    /// Print the path for Plex webhooks, to be used with the address for clients
    Webhook(WebhookArgs),
}

/// A token of an app.
#[derive(Debug, clap::Args)]
pub(super) struct AddTokenArgs {
    /// Name of the app
    name: String,
    /// Folders it opens
    #[arg(long, value_name = "NAME", value_delimiter = ',', required_unless_present = "caches")]
    folders: Vec<String>,
    /// Caches it opens; one that is not there yet is made on first use
    #[arg(long, alias = "cache", value_name = "NAME", value_delimiter = ',', value_parser = cache_name)]
    caches: Vec<String>,
    /// It changes nothing
    #[arg(long)]
    read_only: bool,
    #[command(flatten)]
    data_dir_args: DataDirArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Place of the tokens of apps.
#[derive(Debug, clap::Args)]
pub(super) struct ListTokensArgs {
    #[command(flatten)]
    data_dir_args: DataDirArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A token of an app that is to be deleted.
#[derive(Debug, clap::Args)]
pub(super) struct RevokeTokenArgs {
    /// Name of the app
    name: String,
    #[command(flatten)]
    data_dir_args: DataDirArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The token.
#[derive(Debug, clap::Args)]
pub(super) struct TokenArgs {
    #[command(flatten)]
    data_dir_args: DataDirArgs,
    /// The read-only token, for dashboards and scrapers: it changes nothing and opens no page
    #[arg(long)]
    read_only: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
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

/// Place of the path for webhooks.
#[derive(Debug, clap::Args)]
pub(super) struct WebhookArgs {
    #[command(flatten)]
    data_dir_args: DataDirArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &TokenCommand) -> u8 {
    let result = match command {
        TokenCommand::Show(arguments) => {
            arguments.data_dir_args.data_dir().map(|dir| dir.and_then(|dir| show(&dir, arguments.read_only)))
        }
        TokenCommand::Rotate(arguments) => {
            arguments.data_dir_args.data_dir().map(|dir| dir.and_then(|dir| rotate(&dir, arguments.read_only)))
        }
        TokenCommand::Add(arguments) => arguments.data_dir_args.folder().map(|folder| add(&folder, arguments)),
        TokenCommand::List(arguments) => return list(arguments),
        TokenCommand::Revoke(arguments) => return revoke(arguments),
        TokenCommand::Webhook(arguments) => arguments.data_dir_args.data_dir().map(|dir| {
            let secret = dir.and_then(|dir| dir.webhook_secret())?;
            Ok(Secret::new(webhook_path(&secret)))
        }),
    };
    match result {
        Ok(Ok(text)) => {
            let (name, as_json) = match command {
                TokenCommand::Show(arguments) | TokenCommand::Rotate(arguments) => ("token", arguments.json),
                TokenCommand::Webhook(arguments) => ("path", arguments.json),
                TokenCommand::Add(arguments) => ("token", arguments.json),
                TokenCommand::List(arguments) => ("tokens", arguments.json),
                TokenCommand::Revoke(arguments) => ("revoked", arguments.json),
            };
            print_outcome(text.expose(), &json!({ (name): text.expose() }), as_json);
            SUCCESS
        }
        Ok(Err(reason)) => fail(&reason),
        Err(code) => code,
    }
}

/// The stored token. The control token is created by the gateway, the read-only one when it is first shown.
fn show(dir: &DataDir, is_read_only: bool) -> Result<Secret, String> {
    if is_read_only {
        return dir.read_token();
    }
    dir.stored_control_token().ok_or_else(|| {
        format!(
            "no valid control token in {}: `greenroom serve` creates it at its first start, `greenroom token rotate` \
             replaces a damaged one",
            dir.path().display()
        )
    })
}

fn rotate(dir: &DataDir, is_read_only: bool) -> Result<Secret, String> {
    let token = if is_read_only { dir.rotate_read_token()? } else { dir.rotate_control_token()?.secret };
    present_token(dir.path(), &token);
    Ok(token)
}

fn add(data_dir: &Path, arguments: &AddTokenArgs) -> Result<Secret, String> {
    StateDb::open(data_dir).map_err(|error| error.message)?;
    #[expect(clippy::disallowed_methods, reason = "a command has no clock of its own")]
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now_ms = millis(now);
    let (folders, caches) = (arguments.folders.clone(), arguments.caches.clone());
    let access = AppAccess { folders, caches, is_read_only: arguments.read_only };
    let added = app_tokens::add(data_dir, &arguments.name, &access, Timestamp::from_millis(now_ms));
    let token = added.map_err(|error| error.message)?;
    present_token(data_dir, &token);
    Ok(token)
}

fn list(arguments: &ListTokensArgs) -> u8 {
    let folder = match arguments.data_dir_args.folder() {
        Ok(folder) => folder,
        Err(code) => return code,
    };
    match app_tokens::list(&folder) {
        Ok(tokens) => {
            let rights = |is_read_only| if is_read_only { "reads" } else { "reads and changes" };
            let line = |token: &app_tokens::AppToken| {
                let AppAccess { folders, caches, is_read_only } = &token.access;
                let opened =
                    [("folders", folders), ("caches", caches)].into_iter().filter(|(_, names)| !names.is_empty());
                let opened: Vec<_> = opened.map(|(kind, names)| format!("{kind} {}", names.join(", "))).collect();
                format!("{}: {} {}", token.name, rights(*is_read_only), opened.join("; "))
            };
            let row = |token: &app_tokens::AppToken| {
                let AppAccess { folders, caches, is_read_only } = &token.access;
                json!({ "name": token.name, "folders": folders, "caches": caches, "read_only": is_read_only })
            };
            let lines: Vec<String> = tokens.iter().map(line).collect();
            let rows: Vec<Value> = tokens.iter().map(row).collect();
            print_outcome(&lines.join("\n"), &json!({ "tokens": rows }), arguments.json);
            SUCCESS
        }
        Err(error) => fail(&error.message),
    }
}

fn revoke(arguments: &RevokeTokenArgs) -> u8 {
    let name = &arguments.name;
    let folder = match arguments.data_dir_args.folder() {
        Ok(folder) => folder,
        Err(code) => return code,
    };
    match app_tokens::revoke(&folder, name) {
        Ok(true) => {
            let text = format!("The token of {name} is revoked; a running gateway rejects it within five seconds.");
            print_outcome(&text, &json!({ "revoked": name }), arguments.json);
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

impl DataDirArgs {
    /// The data directory of a gateway that has run. The inner error says that there is none; configuration errors are
    /// printed.
    fn data_dir(&self) -> Result<Result<DataDir, String>, u8> {
        let folder = self.folder()?;
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let has_data = entries.into_iter().any(|entry| entry.file_name().to_str().is_some_and(is_ours));
        if !has_data {
            return Ok(Err(format!(
                "no Greenroom data in {}; name the gateway's data directory with --data-dir or its configuration file with \
                 --config, as the user it runs as",
                folder.display()
            )));
        }
        Ok(DataDir::open(&folder))
    }

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
