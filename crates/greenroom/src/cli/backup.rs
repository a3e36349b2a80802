//! `greenroom backup` and `greenroom restore`.

use std::path::PathBuf;

use clap::Args;
use greenroom_cache::Clock;

use super::api_client::ApiClient;
use super::token::DataDirArgs;
use super::{DONE, FAILED, wait_for};
use greenroom_state::backup;
use greenroom_state::backup::{BackupContents, RestoreReport};
use greenroom_state::ownership;
use greenroom_state::secrets::KEY_FILE;

const BACKUP_EXAMPLES: &str = "\
Examples:
  greenroom backup /mnt/nas/greenroom.backup     replaces the backup that lies there
  greenroom backup /mnt/nas                      a new file in that folder, named by the time
  greenroom backup --data-dir /var/lib/greenroom /mnt/nas

The gateway may go on running. The file holds secrets: tokens of your media servers, the control token, and the key
without which proofs and cache are worthless. Keep it where only you can read it. The cache is not in it.";

const RESTORE_EXAMPLES: &str = "\
Examples:
  greenroom restore /mnt/nas/greenroom.backup
  greenroom restore --data-dir /var/lib/greenroom /mnt/nas/greenroom.backup

Stop the gateway first. The backup is checked before anything is touched, and what is replaced is kept in a folder
beside it. Proofs of tokens are not restored: each token is asked for once more.";

/// `greenroom backup`.
#[derive(Debug, Args)]
#[command(after_help = BACKUP_EXAMPLES)]
pub(super) struct BackupArgs {
    /// The file to write, or a folder to put one in
    #[arg(value_name = "FILE|DIR")]
    to: PathBuf,
    #[command(flatten)]
    data_dir_args: DataDirArgs,
}

/// `greenroom restore`.
#[derive(Debug, Args)]
#[command(after_help = RESTORE_EXAMPLES)]
pub(super) struct RestoreArgs {
    /// The backup
    #[arg(value_name = "FILE")]
    from: PathBuf,
    #[command(flatten)]
    data_dir_args: DataDirArgs,
}

pub(super) fn backup(options: &BackupArgs) -> u8 {
    let folder = match options.data_dir_args.folder() {
        Ok(folder) => folder,
        Err(code) => return code,
    };
    let now_ms = Clock::system().now_ms();
    let saved = match ownership::holder(&folder) {
        Some(holder) => ApiClient::for_lock_holder(&holder, &folder).and_then(|remote| {
            let made = wait_for(remote.post_for_document("api/v1/backup"));
            made.map_or(Err(String::new()), |bytes| backup::save_bytes(&bytes, &options.to, now_ms))
        }),
        None if !folder.exists() => backup::save(&folder, &options.to, now_ms),
        None => ownership::try_lock_data_dir(&folder).and_then(|_lock| backup::save(&folder, &options.to, now_ms)),
    };
    match saved {
        Ok(saved) => {
            println!("saved to {}: {}", saved.file.display(), parts(&saved));
            println!("it holds secrets (tokens and keys): keep it where only you can read it; the cache is not in it");
            DONE
        }
        Err(reason) => failed(&reason),
    }
}

pub(super) fn restore(options: &RestoreArgs) -> u8 {
    let folder = match options.data_dir_args.folder() {
        Ok(folder) => folder,
        Err(code) => return code,
    };
    match backup::restore(&folder, &options.from, Clock::system().now_ms()) {
        Ok(restored) => {
            print_restored(&restored, &folder.display().to_string());
            DONE
        }
        Err(reason) => failed(&reason),
    }
}

fn print_restored(restored: &RestoreReport, folder: &str) {
    println!("restored to {folder}: {}", parts(&restored.contents));
    if let Some(replaced) = &restored.replaced {
        println!("what was there before is kept in {}; remove it when all is well", replaced.display());
    }
    if restored.has_other_key {
        println!(
            "{KEY_FILE} is another than before: what the cache on disk holds cannot be used; \
             `greenroom cache clear` gives its room back"
        );
    }
    if !restored.contents.files.iter().any(|name| name == KEY_FILE) {
        println!("the backup has no {KEY_FILE}: a new one is made, and what the cache holds cannot be used");
    }
}

fn parts(contents: &BackupContents) -> String {
    let state = contents.has_state.then_some(greenroom_state::db::FILE);
    state.into_iter().chain(contents.files.iter().map(String::as_str)).collect::<Vec<_>>().join(", ")
}

fn failed(reason: &str) -> u8 {
    // The gateway's problem was printed.
    if !reason.is_empty() {
        eprintln!("greenroom: {reason}");
    }
    FAILED
}
