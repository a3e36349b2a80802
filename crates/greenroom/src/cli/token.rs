//! `greenroom token show|rotate|webhook`.

use std::path::PathBuf;

use greenroom_dialect::credential::Secret;

use super::{DONE, FAILED, Serve, settings};
use greenroom_config::settings::default_data_dir;
use greenroom_state::secrets::{ControlToken, DataDir};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print the token of the control plane
    Show(Which),
    /// Make a new one; within five seconds the old one is worth nothing, and whoever is logged in is logged out
    Rotate(Which),
    /// Print the path that Plex webhooks are to be sent to, on the address clients use
    Webhook(Place),
}

/// Which token.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    #[command(flatten)]
    place: Place,
    /// The one that only reads: for dashboards and whatever scrapes. It changes nothing and opens no page
    #[arg(long)]
    read_only: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// Configuration file that names the data directory
    #[arg(long, short, value_name = "FILE", env = "GREENROOM_CONFIG")]
    config: Option<PathBuf>,
    /// The data directory
    #[arg(long, value_name = "DIR", env = "GREENROOM_DATA_DIR")]
    data_dir: Option<PathBuf>,
}

pub(super) fn run(command: &Command) -> u8 {
    let secret = |token: ControlToken| token.secret;
    let token = match command {
        Command::Show(which) => open(&which.place).map(|dir| {
            let dir = dir?;
            if which.read_only { dir.read_token() } else { dir.control_token().map(secret) }
        }),
        Command::Rotate(which) => open(&which.place).map(|dir| {
            let dir = dir?;
            if which.read_only { dir.rotate_read_token() } else { dir.rotate_control_token().map(secret) }
        }),
        Command::Webhook(place) => {
            open(place).map(|dir| dir?.webhook_secret().map(|secret| Secret::new(hook_path(&secret))))
        }
    };
    match token {
        Ok(Ok(text)) => {
            println!("{}", text.expose());
            DONE
        }
        Ok(Err(reason)) => {
            eprintln!("greenroom: {reason}");
            FAILED
        }
        Err(code) => code,
    }
}

fn hook_path(secret: &Secret) -> String {
    format!("{}{}", greenroom_proxy::stream::webhook::PREFIX, secret.expose())
}

fn open(place: &Place) -> Result<Result<DataDir, String>, u8> {
    Ok(DataDir::open(&place.folder()?))
}

impl Place {
    /// The data directory. A configuration that is wrong was told of.
    pub(super) fn folder(&self) -> Result<PathBuf, u8> {
        match (&self.data_dir, &self.config) {
            (Some(dir), _) => Ok(dir.clone()),
            (None, Some(file)) => settings(&Serve { config: Some(file.clone()), ..Serve::default() })
                .map(|settings| settings.data_dir),
            (None, None) => Ok(default_data_dir()),
        }
    }
}
