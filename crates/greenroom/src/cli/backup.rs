//! `greenroom backup` and `greenroom restore`.

use greenroom_cache::Timestamp;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use greenroom_cache::Clock;
use serde_json::json;

use super::api_client::ApiClient;
use super::token::DataDirArgs;
use super::{SUCCESS, fail, wait_for};
use greenroom_state::backup;
use greenroom_state::backup::{BackupContents, RestoreReport};
use greenroom_state::ownership;
use greenroom_state::secrets::KEY_FILE;

const BACKUP_EXAMPLES: &str = "\
Examples:
  greenroom backup /mnt/nas/greenroom.backup     replace this backup
  greenroom backup - > greenroom.backup          write to standard output, as out of a container
  greenroom backup /mnt/nas                      create a file in this folder, named by the time
  greenroom backup --data-dir /var/lib/greenroom /mnt/nas

The gateway can keep running. The file contains secrets: tokens of your media servers, the control token, and the key
that grants and the cache depend on. Keep it where only you can read it. The cache is not included.";

const RESTORE_EXAMPLES: &str = "\
Examples:
  greenroom restore /mnt/nas/greenroom.backup
  greenroom restore --data-dir /var/lib/greenroom /mnt/nas/greenroom.backup

Stop the gateway first. The backup is checked before anything is changed. Replaced files are moved to a folder in
the data directory. Grants are not restored: the media server is asked about each token once more.";

/// `greenroom backup`.
#[derive(Debug, Args)]
#[command(after_help = BACKUP_EXAMPLES)]
pub(super) struct BackupArgs {
    /// File to write, or folder for a new file; "-": standard output
    #[arg(value_name = "FILE|DIR")]
    to: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data_dir_args: DataDirArgs,
}

/// `greenroom restore`.
#[derive(Debug, Args)]
#[command(after_help = RESTORE_EXAMPLES)]
pub(super) struct RestoreArgs {
    /// Backup file; "-": standard input
    #[arg(value_name = "FILE")]
    from: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data_dir_args: DataDirArgs,
}

pub(super) fn backup(options: &BackupArgs) -> u8 {
    let folder = match options.data_dir_args.folder() {
        Ok(folder) => folder,
        Err(code) => return code,
    };
    let now_ms = Clock::system().now_ms();
    if is_standard_stream(&options.to) {
        return backup_to_stdout(&folder, Timestamp::from_millis(now_ms));
    }
    let result = match ownership::holder(&folder) {
        Some(holder) => ApiClient::for_lock_holder(&holder, &folder).and_then(|client| {
            let response = wait_for(client.post_for_document("api/v1/backup"));
            response.map_or(Err(String::new()), |bytes| {
                backup::save_bytes(&bytes, &options.to, Timestamp::from_millis(now_ms))
            })
        }),
        None if !folder.exists() => backup::save(&folder, &options.to, Timestamp::from_millis(now_ms)),
        None => ownership::try_lock_data_dir(&folder)
            .and_then(|_lock| backup::save(&folder, &options.to, Timestamp::from_millis(now_ms))),
    };
    match result {
        Ok(result) if options.json => {
            let state = result.has_state.then_some(greenroom_state::db::FILE);
            let files: Vec<&str> = state.into_iter().chain(result.files.iter().map(String::as_str)).collect();
            println!("{}", json!({ "file": result.file, "files": files }));
            SUCCESS
        }
        Ok(result) => {
            println!("saved to {}: {}", result.file.display(), file_list(&result));
            println!(
                "it contains secrets (tokens and keys): keep it where only you can read it; the cache is not included"
            );
            SUCCESS
        }
        Err(reason) => fail(&reason),
    }
}

/// Writes a backup to standard output, and nothing else.
fn backup_to_stdout(folder: &Path, now_ms: Timestamp) -> u8 {
    if io::stdout().is_terminal() {
        return fail("a backup is no text for a terminal; write it to a file: greenroom backup - > greenroom.backup");
    }
    let result = match ownership::holder(folder) {
        Some(holder) => ApiClient::for_lock_holder(&holder, folder).and_then(|client| {
            let response = wait_for(client.post_for_document("api/v1/backup"));
            response.map(|bytes| bytes.to_vec()).ok_or_else(String::new)
        }),
        None if !folder.exists() => backup::bytes(folder, now_ms),
        None => ownership::try_lock_data_dir(folder).and_then(|_lock| backup::bytes(folder, now_ms)),
    };
    let written = result.and_then(|bytes| {
        let mut out = io::stdout().lock();
        out.write_all(&bytes).and_then(|()| out.flush()).map_err(|error| format!("standard output: {error}"))
    });
    match written {
        Ok(()) => SUCCESS,
        Err(reason) => fail(&reason),
    }
}

fn is_standard_stream(path: &Path) -> bool {
    path.as_os_str() == "-"
}

pub(super) fn restore(options: &RestoreArgs) -> u8 {
    let folder = match options.data_dir_args.folder() {
        Ok(folder) => folder,
        Err(code) => return code,
    };
    let now_ms = Clock::system().now_ms();
    let result = if is_standard_stream(&options.from) {
        backup::restore_from(&folder, &mut io::stdin().lock(), Timestamp::from_millis(now_ms))
    } else {
        backup::restore(&folder, &options.from, Timestamp::from_millis(now_ms))
    };
    match result {
        Ok(restored) if options.json => {
            let document = json!({
                "folder": folder, "files": restored.contents.files, "state": restored.contents.has_state,
                "replaced": restored.replaced, "has_other_key": restored.has_other_key,
            });
            println!("{document}");
            SUCCESS
        }
        Ok(restored) => {
            print_restored(&restored, &folder.display().to_string());
            SUCCESS
        }
        Err(reason) => fail(&reason),
    }
}

fn print_restored(restored: &RestoreReport, folder: &str) {
    println!("restored to {folder}: {}", file_list(&restored.contents));
    if let Some(replaced) = &restored.replaced {
        println!("the previous files are in {}; delete that folder when everything works", replaced.display());
    }
    if restored.has_other_key {
        println!(
            "{KEY_FILE} differs from the previous one, so the cache on disk cannot be used; \
             `greenroom cache clear` frees its space"
        );
    }
    if !restored.contents.files.iter().any(|name| name == KEY_FILE) {
        println!("the backup contains no {KEY_FILE}: a new one will be created, and the cache on disk cannot be used");
    }
}

fn file_list(contents: &BackupContents) -> String {
    let state = contents.has_state.then_some(greenroom_state::db::FILE);
    state.into_iter().chain(contents.files.iter().map(String::as_str)).collect::<Vec<_>>().join(", ")
}
