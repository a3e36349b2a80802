//! `greenroom token show|rotate|webhook`.

use std::path::PathBuf;

use greenroom_upstream::credential::Secret;

use super::{DONE, FAILED, Serve, settings};
use crate::config::settings::default_data_dir;
use crate::keys::{ControlToken, DataDir};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print the token of the control plane
    Show(Place),
    /// Make a new one; from then on the old one is worth nothing, and whoever is logged in is logged out
    Rotate(Place),
    /// Print the path that Plex webhooks are to be sent to, on the address clients use
    Webhook(Place),
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
    let text = |token: ControlToken| token.secret.expose().to_owned();
    let token = match command {
        Command::Show(place) => open(place).map(|dir| dir.and_then(|dir| dir.control_token().map(text))),
        Command::Rotate(place) => {
            open(place).map(|dir| dir.and_then(|dir| dir.rotate_control_token().map(text)))
        }
        Command::Webhook(place) => {
            open(place).map(|dir| dir.and_then(|dir| dir.webhook_secret().map(|secret| hook_path(&secret))))
        }
    };
    match token {
        Ok(Ok(text)) => {
            println!("{text}");
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
    format!("{}{}", crate::proxy::hook::PREFIX, secret.expose())
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
