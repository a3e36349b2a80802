//! `greenroom cache`: what lies on disk, with or without a gateway that runs.

mod keep;
mod list;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use greenroom_cache::Clock;
use greenroom_cache::disk::inspect::{Inspection, Listed};

use super::FAILED;
use super::remote::Place;
use crate::config::Tree;
use crate::config::disk::FOLDER;
use crate::config::settings::default_data_dir;

const EXAMPLES: &str = "\
Examples:
  greenroom cache ls --server home --class lists     what is kept, what was read last comes first
  greenroom cache show /library/sections             all that is known of an answer, but not its content
  greenroom cache stats --json                       sizes and counts by server and class
  greenroom cache verify --repair                    check every answer, take out what is damaged
  greenroom cache vacuum                             give free room back to the disk
  greenroom cache clear --class images               forget answers, in the running gateway too

All of them work whether the gateway runs or not. Exit code 0: done; 1: damage was found, or it cannot be done;
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
#[derive(Debug, Args, Default)]
struct Filter {
    /// Only answers of this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Only answers of this class, such as sessions or images
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
}

impl Filter {
    fn fits(&self, row: &Listed) -> bool {
        self.server.as_deref().is_none_or(|server| row.key.namespace() == server)
            && self.class.as_deref().is_none_or(|class| class_of(row) == class)
    }
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
        eprintln!("greenroom: {reason}");
        FAILED
    })
}

impl Folder {
    fn folders(&self) -> Result<Folders, String> {
        folders(self.config.as_ref(), self.data_dir.as_ref())
    }

    /// Opens the store; that there is none is said.
    fn open(&self) -> Result<Inspection, String> {
        open(&self.folders()?)
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

fn open(folders: &Folders) -> Result<Inspection, String> {
    Inspection::open(&folders.cache)?.ok_or_else(|| {
        format!("{}: nothing is kept there; --data-dir names another place", folders.cache.display())
    })
}

/// The class of an answer, as its tags say.
fn class_of(row: &Listed) -> &str {
    row.tags.iter().find_map(|tag| tag.as_str().strip_prefix("class:")).unwrap_or_default()
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
