//! The command line: what was typed, and which room answers it.

mod backup;
mod build;
mod cache;
mod config;
mod demo;
mod doctor;
mod healthcheck;
mod jobs;
mod log;
mod login;
mod matching;
mod modes;
mod notices;
mod policies;
mod remote;
mod resolving;
mod serve;
mod simulate;
mod status;
mod sync;
mod token;
mod why;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use greenroom_config::{Control, Problem, Settings, Tree};

/// The command did what it was asked to.
const DONE: u8 = 0;
/// It could not; the reason was printed.
const FAILED: u8 = 1;
/// The configuration or the command line is wrong.
const MISUSED: u8 = 2;
/// At the end, threads that read or write files may take so long.
const LAST_WAIT: Duration = Duration::from_secs(2);

#[derive(Debug, Parser)]
#[command(
    name = "greenroom",
    version,
    about = "A caching gateway in front of Plex and Jellyfin, for companion apps",
    after_help = EXAMPLES,
    propagate_version = true
)]
struct Typed {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  greenroom demo                                        see what it does, with simulated servers
  greenroom serve --plex http://192.168.1.10:32400      then point your apps at http://THIS-MACHINE:32500
  greenroom serve --jellyfin http://192.168.1.10:8096   then point your apps at http://THIS-MACHINE:8196
  greenroom login plex                                  a token of the owner, into a file
  greenroom doctor --plex http://192.168.1.10:32400     what is wrong, and what to do about it
  greenroom doctor --wait-for tautulli                  whether an app comes through
  greenroom sync weekly.jspf --to home                  a playlist of elsewhere, onto your server
  greenroom config init > greenroom.toml                a commented configuration file
  greenroom serve --config greenroom.toml";

#[derive(Debug, Subcommand)]
enum Command {
    /// Stand in front of the configured media servers
    Serve(serve::Options),
    /// Show what Greenroom saves: simulated servers, an evening of companion apps, a restart, an outage
    Demo(demo::Options),
    /// Run a simulated media server
    Simulate(simulate::Options),
    /// Find out what is wrong, and what to do about it
    Doctor(Box<doctor::Options>),
    /// Get a token of the media server's owner, by a code that you agree to in a browser
    #[command(subcommand)]
    Login(login::Command),
    /// Write or check a configuration file
    #[command(subcommand)]
    Config(config::Command),
    /// Tell what the cache would have saved while it only observes, or begin and end that
    Observe(modes::Observe),
    /// Make the running gateway a plain proxy, as a whole or in part, until it is taken back
    Bypass(modes::Bypass),
    /// Tell why a read is answered as it is, and whether the server says the same now
    Why(why::Why),
    /// Show the servers of the running gateway, how they do, what is saved and what should be changed
    Status(status::Options),
    /// Show all figures of the running gateway
    Stats(status::Options),
    /// Find out which items of a library are meant: by the running gateway, or from two CSV files and without a server
    Match(Box<matching::Options>),
    /// Ask anew now for what apps read in a rhythm, so that it is fresh when they come
    Warm(modes::Warm),
    /// Use no answer any more that is kept now
    Clear(modes::Clear),
    /// Index libraries now, or show how their indexes do
    Build(build::Options),
    /// Show what the running gateway does by itself, run it now, or end it
    Jobs(jobs::Jobs),
    /// Show how long answers live in the running gateway, or change it
    Policies(policies::Policies),
    /// Let what is kept be asked for anew; until then it stands in if the server cannot be asked
    Invalidate(policies::Invalidate),
    /// Look at what is kept on disk, check it, give room back, forget
    Cache(cache::Options),
    /// Bring a playlist of elsewhere onto a media server, for one user or several
    Sync(Box<sync::Options>),
    /// Try out whether notices come through
    #[command(subcommand)]
    Notices(notices::Command),
    /// Save the state and the keys to a file, also while the gateway runs; not the cache
    Backup(backup::Backup),
    /// Put a backup back, while no gateway runs
    Restore(backup::Restore),
    /// Say by the exit code whether the process with this configuration is alive, for whatever supervises it
    Healthcheck(Serve),
    /// Show or renew the token of the control plane
    #[command(subcommand)]
    Token(token::Command),
    /// Print the description of the API, in the words of OpenAPI 3.1
    Openapi,
}

/// How the configuration is said on the command line. It wins over the environment, which wins over the file.
#[derive(Debug, Args, Default)]
pub(crate) struct Serve {
    /// Configuration file
    #[arg(long, short, value_name = "FILE", env = "GREENROOM_CONFIG")]
    config: Option<PathBuf>,
    /// Address of a Plex server, such as http://192.168.1.10:32400
    #[arg(long, value_name = "URL")]
    plex: Option<String>,
    /// Address of a Jellyfin server, such as http://192.168.1.10:8096
    #[arg(long, value_name = "URL")]
    jellyfin: Option<String>,
    /// File with a token of the server's owner; with it the server's events are followed
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Where clients find the media server [default: 0.0.0.0:32500 for Plex, 0.0.0.0:8196 for Jellyfin]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where state is kept [default: the user's state directory]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where the page, the API and the metrics are found [default: 127.0.0.1:8710]
    #[arg(long, value_name = "ADDRESS:PORT")]
    control: Option<String>,
    /// Answer nothing from the cache, but tell what it would have answered and saved
    #[arg(long)]
    observe: bool,
}

impl Serve {
    /// Where the control plane is, and where its token is kept. Of a configuration without servers only these matter.
    fn control_plane(&self) -> Option<(Control, PathBuf)> {
        let mut tree = self.tree().ok()?;
        if tree.servers().is_empty() {
            add_typed(&mut tree, &Self { plex: Some("http://127.0.0.1".into()), ..Self::default() });
        }
        let read = Settings::read(tree).map_err(|problems| tell(&problems)).ok()?;
        Some((read.control, read.data_dir))
    }

    /// Everything that was said: in the file, in the environment, on the command line.
    fn tree(&self) -> Result<Tree, u8> {
        let mut tree = Tree::default();
        if let Some(path) = &self.config {
            match std::fs::read_to_string(path) {
                Ok(text) => tree.add_toml(&path.display().to_string(), &text),
                Err(error) => {
                    eprintln!("{}: cannot be read: {error}", path.display());
                    return Err(MISUSED);
                }
            }
        }
        tree.add_environment(std::env::vars());
        add_typed(&mut tree, self);
        Ok(tree)
    }
}

fn tell(problems: &[Problem]) {
    for problem in problems {
        eprintln!("{problem}");
    }
}

/// Runs the program: the whole of it, from arguments to exit code.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let typed = match Typed::try_parse_from(arguments) {
        Ok(typed) => typed,
        Err(message) => {
            drop(message.print());
            return ExitCode::from(if message.use_stderr() { MISUSED } else { DONE });
        }
    };
    let code = match typed.command {
        Command::Serve(serve) => serve::run(&serve),
        Command::Demo(options) => demo::run(&options),
        Command::Simulate(options) => simulate::run(&options),
        Command::Doctor(options) => doctor::run(&options),
        Command::Login(command) => login::run(&command),
        Command::Config(command) => config::run(&command),
        Command::Healthcheck(serve) => healthcheck::run(&serve),
        Command::Cache(options) => cache::run(&options),
        Command::Backup(options) => backup::backup(&options),
        Command::Restore(options) => backup::restore(&options),
        Command::Sync(options) => sync::run(&options),
        Command::Notices(command) => notices::run(&command),
        Command::Token(command) => token::run(&command),
        Command::Openapi => {
            println!("{}", greenroom_control::description());
            DONE
        }
        Command::Observe(options) => modes::observe(&options),
        Command::Bypass(options) => modes::bypass(&options),
        Command::Why(options) => why::run(&options),
        Command::Status(options) => status::status(&options),
        Command::Stats(options) => status::stats(&options),
        Command::Match(options) => matching::run(&options),
        Command::Warm(options) => modes::warm(&options),
        Command::Clear(options) => modes::clear(&options),
        Command::Build(options) => build::run(&options),
        Command::Policies(options) => policies::policies(&options),
        Command::Invalidate(options) => policies::invalidate(&options),
        Command::Jobs(options) => jobs::jobs(&options),
    };
    ExitCode::from(code)
}

/// Reads the configuration from everywhere it may be said. Problems are printed, all of them.
fn settings(serve: &Serve) -> Result<Settings, u8> {
    Settings::read(serve.tree()?).map_err(|problems| {
        tell(&problems);
        MISUSED
    })
}

fn add_typed(tree: &mut Tree, serve: &Serve) {
    let typed = [(&serve.plex, "plex"), (&serve.jellyfin, "jellyfin")];
    let named: Vec<&str> = typed.iter().filter(|(url, _)| url.is_some()).map(|(_, kind)| *kind).collect();
    for (url, kind) in typed {
        if let Some(url) = url {
            let place = format!("--{kind}");
            tree.add_server(kind, &place);
            tree.set(&format!("server.{kind}.kind"), kind.to_owned(), place.clone());
            tree.set(&format!("server.{kind}.url"), url.clone(), place);
        }
    }
    let mut for_the_one_server =
        |key: &str, flag: &str, value: Option<String>| match (value, named.as_slice()) {
            (None, _) => {}
            (Some(value), [one]) => tree.set(&format!("server.{one}.{key}"), value, flag.to_owned()),
            (Some(_), _) => tree.problem(
                flag.to_owned(),
                "works with exactly one of --plex and --jellyfin; use a configuration file for more servers"
                    .into(),
            ),
        };
    let text = |path: &PathBuf| path.display().to_string();
    for_the_one_server("token_file", "--token-file", serve.token_file.as_ref().map(text));
    for_the_one_server("listen", "--listen", serve.listen.clone());
    if let Some(dir) = &serve.data_dir {
        tree.set("data_dir", text(dir), "--data-dir".into());
    }
    if let Some(control) = &serve.control {
        tree.set("control.listen", control.clone(), "--control".into());
    }
    if serve.observe {
        for (name, _) in tree.servers() {
            tree.set(&format!("server.{name}.mode"), "observe".to_owned(), "--observe".into());
        }
    }
}

/// A runtime for the commands that need one.
fn block_on<F: Future<Output = u8>>(work: F) -> u8 {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(work);
            // A thread that waits for a disk that does not answer is not waited for.
            runtime.shutdown_timeout(LAST_WAIT);
            code
        }
        Err(error) => {
            eprintln!("no threads can be had: {error}");
            FAILED
        }
    }
}

/// Waits for something outside of a runtime. What goes wrong is printed.
fn wait_for<T>(work: impl Future<Output = Result<T, u8>>) -> Option<T> {
    let mut done = None;
    block_on(async {
        done = work.await.ok();
        DONE
    });
    done
}

/// Ends when the process is told to stop. It listens from the moment it is called, not only once it is waited for.
fn told_to_stop() -> impl Future<Output = ()> {
    let terminate = listen_for(SignalKind::terminate());
    let interrupt = listen_for(SignalKind::interrupt());
    async {
        tokio::select! {
            () = terminate => {}
            () = interrupt => {}
        }
    }
}

fn listen_for(kind: SignalKind) -> impl Future<Output = ()> {
    let signal = signal(kind);
    async {
        match signal {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    }
}
