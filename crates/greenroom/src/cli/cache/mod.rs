//! `greenroom cache`: what lies on disk. The gateway that owns the directory is asked; without one the work is done here.

mod keep;
mod list;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use greenroom_cache::Clock;
use greenroom_cache::disk::lock::{self, DirectoryLock, LockError};
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::remote::{Place, Remote};
use super::{FAILED, wait_for};
use greenroom_config::Tree;
use greenroom_config::disk::FOLDER;
use greenroom_config::settings::default_data_dir;
use greenroom_state::ownership;

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
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List answers, what was read last first
    Ls(list::Ls),
    /// Show all that is known of an answer
    Show(list::Show),
    /// Show sizes and counts by server and class
    Stats(list::Stats),
    /// Check every answer against its checksum; exit code 1 if something is damaged
    Verify(keep::Verify),
    /// Give free room back to the disk. Without a gateway the file is written anew, which takes as much room again
    /// while it lasts; beside a running one it goes in small steps
    Vacuum(keep::Vacuum),
    /// Forget answers: through the gateway if one runs, else on disk
    Clear(keep::Clear),
}

/// Whose directory.
#[derive(Debug, Args, Default)]
struct Folder {
    /// Configuration file that names the data directory
    #[arg(long, short, value_name = "FILE", env = "GREENROOM_CONFIG")]
    config: Option<PathBuf>,
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Which answers.
#[derive(Debug, Clone, Args, Default)]
struct Filter {
    /// Only answers of this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Only answers of this class, such as sessions or images
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
}

/// Where state and cache are.
struct Folders {
    data: PathBuf,
    cache: PathBuf,
}

pub(super) fn run(options: &Options) -> u8 {
    let now_ms = Clock::system().now_ms();
    let done = match &options.command {
        Command::Ls(ls) => list::ls(ls, now_ms),
        Command::Show(show) => list::show(show, now_ms),
        Command::Stats(stats) => list::stats(stats, now_ms),
        Command::Verify(verify) => keep::verify(verify, now_ms),
        Command::Vacuum(vacuum) => keep::vacuum(vacuum),
        Command::Clear(clear) => keep::clear(clear, now_ms),
    };
    done.unwrap_or_else(|reason| {
        // What a gateway said against it was printed.
        if !reason.is_empty() {
            eprintln!("greenroom: {reason}");
        }
        FAILED
    })
}

/// Asks the gateway that owns the directory. If there is none, does the work here, while the directory is locked.
fn told<T: DeserializeOwned>(
    folders: &Folders,
    path: &str,
    asked: &impl Serialize,
    alone: impl FnOnce() -> Result<T, String>,
) -> Result<T, String> {
    let Some(holder) = ownership::holder(&folders.data) else {
        let _alone = Alone::enter(folders)?;
        return alone();
    };
    let remote = Remote::of(&holder, &folders.data)?;
    let asked = serde_json::to_value(asked).map_err(|error| error.to_string())?;
    let answer = wait_for(remote.ask(Method::POST, path, Some(&asked))).ok_or_else(String::new)?;
    serde_json::from_value(answer).map_err(|_| format!("{holder} answers as another version does"))
}

/// The directories are ours while this lives.
struct Alone {
    _data: Option<DirectoryLock>,
    cache: Option<DirectoryLock>,
}

impl Alone {
    fn enter(folders: &Folders) -> Result<Self, String> {
        // A directory that is not there is not made for a look.
        let data = folders.data.exists().then(|| ownership::take_now(&folders.data)).transpose()?;
        let mut alone = Self { _data: data, cache: None };
        alone.lock_cache(folders)?;
        Ok(alone)
    }

    fn lock_cache(&mut self, folders: &Folders) -> Result<(), String> {
        if !folders.cache.exists() {
            return Ok(());
        }
        match DirectoryLock::take(&folders.cache, lock::FILE, ownership::PATIENCE) {
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

impl Folder {
    fn folders(&self) -> Result<Folders, String> {
        folders(self.config.as_ref(), self.data_dir.as_ref())
    }
}

fn folders_of(place: &Place) -> Result<Folders, String> {
    folders(place.config.as_ref(), place.data_dir.as_ref())
}

fn folders(config: Option<&PathBuf>, data_dir: Option<&PathBuf>) -> Result<Folders, String> {
    let mut tree = Tree::default();
    if let Some(path) = config {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| format!("{}: cannot be read: {error}", path.display()))?;
        tree.add_toml(&path.display().to_string(), &text);
    }
    tree.add_environment(std::env::vars());
    let mut said = |key: &str| tree.take(key).map(|leaf| PathBuf::from(leaf.text));
    let data = data_dir.cloned().or_else(|| said("data_dir")).unwrap_or_else(default_data_dir);
    let cache = said("disk.dir").unwrap_or_else(|| data.join(FOLDER));
    Ok(Folders { data, cache })
}

/// Bytes in the unit that says it best.
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
