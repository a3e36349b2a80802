//! `greenroom cache`: entries on disk. The gateway that owns the directory does the work; without one it is done here.

pub(super) mod apps;
mod list;
mod maintenance;

use greenroom_cache::Timestamp;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use greenroom_cache::Clock;
use greenroom_cache::disk::lock::{self, DirectoryLock, LockError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::api_client::{ApiClient, GatewayArgs};
use super::{fail, load_config, wait_for};
use greenroom_config::disk::FOLDER;
use greenroom_config::settings::default_data_dir;
use greenroom_state::ownership;
use greenroom_state::ownership::Ownership;

const EXAMPLES: &str = "\
Examples:
  greenroom cache ls --server home --class lists     list entries, last read first
  greenroom cache show /library/sections             show all about an entry except its content
  greenroom cache stats --json                       show sizes and counts by server and class
  greenroom cache verify --repair                    check every entry, remove damaged ones
  greenroom cache vacuum                             return free space to the disk
  greenroom cache clear --class images               delete entries, also in the running gateway
  greenroom cache apps                               list the caches for apps
  greenroom cache apps invalidate worker --tag tv    remove the entries of a cache for apps that have a tag

Each command asks the gateway that runs on the data directory. Without one, it opens the directory itself, but for apps.
Exit code 0: success; 1: damage was found, or the command failed; 2: the command line is wrong.";

/// `greenroom cache`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CacheArgs {
    #[command(subcommand)]
    command: CacheCommand,
}

#[derive(Debug, Subcommand)]
enum CacheCommand {
    /// List entries, last read first
    Ls(list::ListArgs),
    /// Show all about an entry
    Show(list::ShowArgs),
    /// Show sizes and counts by server and class
    Stats(list::StoredStatsArgs),
    /// Check every entry against its checksum; exit code 1 if one is damaged
    Verify(maintenance::VerifyArgs),
    /// Return free space to the disk. Without a gateway the file is rewritten, which temporarily takes as much space
    /// again; a running gateway does it in small steps
    Vacuum(maintenance::VacuumArgs),
    /// Delete entries: through the gateway if one runs, else on disk
    Clear(maintenance::ClearStoredArgs),
    /// List, invalidate or remove the caches for apps of the running gateway
    Apps(apps::AppCachesArgs),
}

/// Whose directory.
#[derive(Debug, Args, Default)]
struct CacheDirArgs {
    /// Configuration file that names the data directory
    #[arg(long, short, value_name = "FILE", env = "GREENROOM_CONFIG")]
    config: Option<PathBuf>,
    /// Data directory
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Filter of the entries.
#[derive(Debug, Clone, Args, Default)]
struct FilterArgs {
    /// Only entries of this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Only entries of this class, such as sessions or images
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
}

/// Directories of state and cache.
struct DataDirs {
    data: PathBuf,
    cache: PathBuf,
}

pub(super) fn run(options: &CacheArgs) -> u8 {
    let now_ms = Clock::system().now_ms();
    let result = match &options.command {
        CacheCommand::Ls(ls) => list::ls(ls, Timestamp::from_millis(now_ms)),
        CacheCommand::Show(show) => list::show(show, Timestamp::from_millis(now_ms)),
        CacheCommand::Stats(stats) => list::stats(stats, Timestamp::from_millis(now_ms)),
        CacheCommand::Verify(verify) => maintenance::verify(verify, Timestamp::from_millis(now_ms)),
        CacheCommand::Vacuum(vacuum) => maintenance::vacuum(vacuum),
        CacheCommand::Clear(clear) => maintenance::clear(clear, Timestamp::from_millis(now_ms)),
        CacheCommand::Apps(apps) => return apps::run(apps),
    };
    result.unwrap_or_else(|reason| fail(&reason))
}

/// Asks the gateway that owns the directory. Without one, locks the directory and does the work here.
fn ask_or_run_offline<T: DeserializeOwned>(
    folders: &DataDirs,
    path: &str,
    query: &impl Serialize,
    offline: impl FnOnce() -> Result<T, String>,
) -> Result<T, String> {
    let Some(holder) = ownership::holder(&folders.data) else {
        let _lock = ExclusiveLock::acquire(folders)?;
        return offline();
    };
    let client = ApiClient::for_lock_holder(&holder, &folders.data)?;
    let query = serde_json::to_value(query).map_err(|error| error.to_string())?;
    let response = wait_for(client.run_long(path, &query)).ok_or_else(String::new)?;
    serde_json::from_value(response)
        .map_err(|_| format!("{holder} runs another version of Greenroom; use the program of that version"))
}

/// Holds the directories' locks while it lives.
struct ExclusiveLock {
    _data: Option<Ownership>,
    cache: Option<DirectoryLock>,
}

impl ExclusiveLock {
    fn acquire(folders: &DataDirs) -> Result<Self, String> {
        // A directory that does not exist is not created for reading.
        let data = folders.data.exists().then(|| ownership::try_lock_data_dir(&folders.data)).transpose()?;
        let mut offline = Self { _data: data, cache: None };
        offline.lock_cache(folders)?;
        Ok(offline)
    }

    fn lock_cache(&mut self, folders: &DataDirs) -> Result<(), String> {
        if !folders.cache.exists() {
            return Ok(());
        }
        match DirectoryLock::acquire(&folders.cache, lock::FILE, ownership::PATIENCE) {
            Ok(lock) => self.cache = Some(lock),
            Err(LockError::Held(holder)) => {
                return Err(format!("{} is in use by {holder}; stop it first", folders.cache.display()));
            }
            // Where nothing can be locked nothing can be written either; reading does no harm.
            Err(LockError::Failed(_)) => {}
        }
        Ok(())
    }
}

impl CacheDirArgs {
    fn folders(&self) -> Result<DataDirs, String> {
        folders(self.config.as_ref(), self.data_dir.as_ref())
    }
}

fn folders_of(arguments: &GatewayArgs) -> Result<DataDirs, String> {
    folders(arguments.config.as_ref(), arguments.data_dir.as_ref())
}

fn folders(config: Option<&PathBuf>, data_dir: Option<&PathBuf>) -> Result<DataDirs, String> {
    let mut config = load_config(config.map(PathBuf::as_path))?;
    let mut value = |key: &str| config.take(key).map(|setting| PathBuf::from(setting.text));
    let data = data_dir.cloned().or_else(|| value("data_dir")).unwrap_or_else(default_data_dir);
    let cache = value("disk.dir").unwrap_or_else(|| data.join(FOLDER));
    Ok(DataDirs { data, cache })
}

/// Bytes in a readable unit.
fn size(bytes: u64) -> String {
    let mut scaled = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if scaled < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{scaled:.1} {unit}") };
        }
        scaled /= 1024.0;
    }
    format!("{scaled:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_printed_in_a_fitting_unit() {
        for (bytes, text) in
            [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB"), (1 << 41, "2.0 TiB")]
        {
            assert_eq!(size(bytes), text);
        }
    }
}
