//! `greenroom completions` and `greenroom man`: what packages install beside the program, made from its command line.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use greenroom_state::secrets;

use super::{Cli, SUCCESS, exit_code};

const EXAMPLES: &str = "\
Examples:
  greenroom completions bash > /etc/bash_completion.d/greenroom
  greenroom completions zsh > /usr/local/share/zsh/site-functions/_greenroom
  greenroom completions fish > ~/.config/fish/completions/greenroom.fish

The Debian package installs them, and the man pages.";

/// Name of the program.
const PROGRAM: &str = "greenroom";

/// `greenroom completions`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CompletionsArgs {
    /// Shell
    #[arg(value_enum)]
    shell: Shell,
}

/// `greenroom man`.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Folder for the pages, which is created
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(super) fn print_completions(options: &CompletionsArgs) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), PROGRAM, &mut script);
    // An error means that the reader closed the pipe and does not want the rest.
    let _ = std::io::stdout().write_all(&script);
    SUCCESS
}

pub(super) fn write_man_pages(options: &ManArgs) -> u8 {
    exit_code(write_pages(&options.folder))
}

/// Writes the page of the program, and one of each command: `greenroom-cache-ls.1`.
fn write_pages(folder: &Path) -> Result<(), String> {
    let program = Cli::command().disable_help_subcommand(true);
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(program, folder))
        .map_err(|error| secrets::explain(folder, &error))
}
