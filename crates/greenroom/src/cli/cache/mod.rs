//! `greenroom cache`: entries on disk. The gateway that owns the directory does the work; without one it is done here.

mod list;
mod maintenance;

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use greenroom_cache::Clock;
use greenroom_cache::disk::lock::{self, DirectoryLock, LockError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::api_client::{ApiClient, GatewayArgs};
use super::{FAILED, wait_for};
use greenroom_config::ConfigSource;
use greenroom_config::disk::FOLDER;
use greenroom_config::settings::default_data_dir;
use greenroom_state::ownership;
use greenroom_state::ownership::Ownership;

const EXAMPLES: &str = "\
Examples:
  greenroom cache ls --server home --class lists     what is kept, what was read last comes first
  greenroom cache show /library/sections             all that is known of an answer, but not its content
  greenroom cache stats --json                       sizes and counts by server and class
  greenroom cache verify --repair                    check every answer, take out what is damaged
  greenroom cache vacuum                             give free room back to the disk
  greenroom cache clear --class images               forget answers, in the running gateway too

All of them ask the gateway that runs on the data directory, or work alone if none does. Exit code 0: done; 1: damage was found, or it cannot be done;
2: the command line is wrong.";

/// `greenroom cache`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CacheArgs {
    #[command(subcommand)]
    command: CacheCommand,
}

#[derive(Debug, Subcommand)]
enum CacheCommand {
    /// List answers, what was read last first
    Ls(list::ListArgs),
    /// Show all that is known of an answer
    Show(list::ShowArgs),
    /// Show sizes and counts by server and class
    Stats(list::StoredStatsArgs),
    /// Check every answer against its checksum; exit code 1 if something is damaged
    Verify(maintenance::VerifyArgs),
    /// Give free room back to the disk. Without a gateway the file is written anew, which takes as much room again
    /// while it lasts; beside a running one it goes in small steps
    Vacuum(maintenance::VacuumArgs),
    /// Forget answers: through the gateway if one runs, else on disk
    Clear(maintenance::ClearStoredArgs),
}

/// Whose directory.
#[derive(Debug, Args, Default)]
struct CacheDirArgs {
    /// Configuration file that names the data directory
    #[arg(long, short, value_name = "FILE", env = "GREENROOM_CONFIG")]
    config: Option<PathBuf>,
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Which answers.
#[derive(Debug, Clone, Args, Default)]
struct FilterArgs {
    /// Only answers of this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Only answers of this class, such as sessions or images
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
    let done = match &options.command {
        CacheCommand::Ls(ls) => list::ls(ls, now_ms),
        CacheCommand::Show(show) => list::show(show, now_ms),
        CacheCommand::Stats(stats) => list::stats(stats, now_ms),
        CacheCommand::Verify(verify) => maintenance::verify(verify, now_ms),
        CacheCommand::Vacuum(vacuum) => maintenance::vacuum(vacuum),
        CacheCommand::Clear(clear) => maintenance::clear(clear, now_ms),
    };
    done.unwrap_or_else(|reason| {
        // The gateway's problem was printed.
        if !reason.is_empty() {
            eprintln!("greenroom: {reason}");
        }
        FAILED
    })
}

/// Asks the gateway that owns the directory. Without one, locks the directory and does the work here.
fn ask_or_run_offline<T: DeserializeOwned>(
    folders: &DataDirs,
    path: &str,
    asked: &impl Serialize,
    alone: impl FnOnce() -> Result<T, String>,
) -> Result<T, String> {
    let Some(holder) = ownership::holder(&folders.data) else {
        let _alone = ExclusiveLock::acquire(folders)?;
        return alone();
    };
    let remote = ApiClient::for_lock_holder(&holder, &folders.data)?;
    let asked = serde_json::to_value(asked).map_err(|error| error.to_string())?;
    let is_at_a_terminal = std::io::stderr().is_terminal();
    let answer = wait_for(remote.work(path, &asked, is_at_a_terminal)).ok_or_else(String::new)?;
    serde_json::from_value(answer).map_err(|_| format!("{holder} answers as another version does"))
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
        let mut alone = Self { _data: data, cache: None };
        alone.lock_cache(folders)?;
        Ok(alone)
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

fn folders_of(place: &GatewayArgs) -> Result<DataDirs, String> {
    folders(place.config.as_ref(), place.data_dir.as_ref())
}

fn folders(config: Option<&PathBuf>, data_dir: Option<&PathBuf>) -> Result<DataDirs, String> {
    let mut tree = ConfigSource::default();
    if let Some(path) = config {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| format!("{}: cannot be read: {error}", path.display()))?;
        tree.add_toml(&path.display().to_string(), &text);
    }
    tree.add_environment(std::env::vars());
    let mut said = |key: &str| tree.take(key).map(|leaf| PathBuf::from(leaf.text));
    let data = data_dir.cloned().or_else(|| said("data_dir")).unwrap_or_else(default_data_dir);
    let cache = said("disk.dir").unwrap_or_else(|| data.join(FOLDER));
    Ok(DataDirs { data, cache })
}

/// Bytes in a readable unit.
fn size(bytes: u64) -> String {
    let mut amount = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if amount < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{amount:.1} {unit}") };
        }
        amount /= 1024.0;
    }
    format!("{amount:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_the_unit_that_says_it_best() {
        for (bytes, text) in
            [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB"), (1 << 41, "2.0 TiB")]
        {
            assert_eq!(size(bytes), text);
        }
    }
}
