//! The command line: parses the arguments and runs the command's module.

mod api_client;
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
mod online_match;
mod policies;
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

use greenroom_config::{ConfigError, ConfigSource, ControlSettings, Settings};

/// Exit code: the command succeeded.
const DONE: u8 = 0;
/// Exit code: it failed, and the reason was printed.
const FAILED: u8 = 1;
/// Exit code: the configuration or the command line is wrong.
const MISUSED: u8 = 2;
/// Max wait at the end of a command for threads that are blocked on a disk.
const LAST_WAIT: Duration = Duration::from_secs(2);

#[derive(Debug, Parser)]
#[command(
    name = "greenroom",
    version,
    about = "A caching gateway in front of Plex and Jellyfin, for companion apps",
    after_help = EXAMPLES,
    propagate_version = true
)]
struct Cli {
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
    Serve(serve::ServeArgs),
    /// Show what Greenroom saves: simulated servers, an evening of companion apps, a restart, an outage
    Demo(demo::DemoArgs),
    /// Run a simulated media server
    Simulate(simulate::SimulateArgs),
    /// Find out what is wrong, and what to do about it
    Doctor(Box<doctor::DoctorArgs>),
    /// Get a token of the media server's owner, by a code that you agree to in a browser
    #[command(subcommand)]
    Login(login::LoginCommand),
    /// Write or check a configuration file
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Tell what the cache would have saved while it only observes, or begin and end that
    Observe(modes::ObserveArgs),
    /// Make the running gateway a plain proxy, as a whole or in part, until it is taken back
    Bypass(modes::BypassArgs),
    /// Tell why a read is answered as it is, and whether the server says the same now
    Why(why::WhyArgs),
    /// Show the servers of the running gateway, how they do, what is saved and what should be changed
    Status(status::StatusArgs),
    /// Show all figures of the running gateway
    Stats(status::StatusArgs),
    /// Find out which items of a library are meant: by the running gateway, or from two CSV files and without a server
    Match(Box<matching::MatchArgs>),
    /// Ask anew now for what apps read in a rhythm, so that it is fresh when they come
    Warm(modes::WarmArgs),
    /// Use no answer any more that is kept now
    Clear(modes::ClearArgs),
    /// Index libraries now, or show how their indexes do
    Build(build::BuildArgs),
    /// Show what the running gateway does by itself, run it now, or end it
    Jobs(jobs::JobsArgs),
    /// Show how long answers live in the running gateway, or change it
    Policies(policies::PoliciesArgs),
    /// Let what is kept be asked for anew; until then it stands in if the server cannot be asked
    Invalidate(policies::InvalidateArgs),
    /// Look at what is kept on disk, check it, give room back, forget
    Cache(cache::CacheArgs),
    /// Bring a playlist of elsewhere onto a media server, for one user or several
    Sync(Box<sync::SyncArgs>),
    /// Try out whether notices come through
    #[command(subcommand)]
    Notices(notices::NoticesCommand),
    /// Save the state and the keys to a file, also while the gateway runs; not the cache
    Backup(backup::BackupArgs),
    /// Put a backup back, while no gateway runs
    Restore(backup::RestoreArgs),
    /// Say by the exit code whether the process with this configuration is alive, for whatever supervises it
    Healthcheck(ConfigArgs),
    /// Show or renew the token of the control plane
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Print the description of the API, in the words of OpenAPI 3.1
    Openapi,
}

/// Settings given on the command line. They override the environment, which overrides the configuration file.
#[derive(Debug, Args, Default)]
pub(crate) struct ConfigArgs {
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

impl ConfigArgs {
    /// Settings of the control plane, and the data directory, where its token is. Works without a configured server,
    /// because commands that only talk to a running gateway need none. `None` if there is a problem, which is printed.
    fn control_plane(&self) -> Option<(ControlSettings, PathBuf)> {
        let mut tree = self.config_source().ok()?;
        if tree.servers().is_empty() {
            add_arguments(&mut tree, &Self { plex: Some("http://127.0.0.1".into()), ..Self::default() });
        }
        let read = Settings::read(tree).map_err(|problems| print_problems(&problems)).ok()?;
        Some((read.control, read.data_dir))
    }

    /// The configuration from file, environment and command line, not validated yet.
    fn config_source(&self) -> Result<ConfigSource, u8> {
        let mut tree = ConfigSource::default();
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
        add_arguments(&mut tree, self);
        Ok(tree)
    }
}

fn print_problems(problems: &[ConfigError]) {
    for problem in problems {
        eprintln!("{problem}");
    }
}

/// Runs the program, from arguments to exit code.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let typed = match Cli::try_parse_from(arguments) {
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

/// Reads and validates the configuration. Prints every problem and every remark.
fn settings(serve: &ConfigArgs) -> Result<Settings, u8> {
    let settings = Settings::read(serve.config_source()?).map_err(|problems| {
        print_problems(&problems);
        MISUSED
    })?;
    print_problems(&settings.remarks);
    Ok(settings)
}

fn add_arguments(tree: &mut ConfigSource, serve: &ConfigArgs) {
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
    let mut for_the_one_server = |key: &str, flag: &str, value: Option<String>| match (value, named.as_slice()) {
        (None, _) => {}
        (Some(value), [one]) => tree.set(&format!("server.{one}.{key}"), value, flag.to_owned()),
        (Some(_), _) => tree.problem(
            flag.to_owned(),
            "works with exactly one of --plex and --jellyfin; use a configuration file for more servers".into(),
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

/// Runs a command's future on a new runtime. Returns its exit code.
fn block_on<F: Future<Output = u8>>(work: F) -> u8 {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(work);
            // A thread may be blocked forever on a disk that does not answer.
            runtime.shutdown_timeout(LAST_WAIT);
            code
        }
        Err(error) => {
            eprintln!("no threads can be had: {error}");
            FAILED
        }
    }
}

/// Runs a future on a new runtime and returns its value; `None` if it failed. The future prints the reason itself.
fn wait_for<T>(work: impl Future<Output = Result<T, u8>>) -> Option<T> {
    let mut done = None;
    block_on(async {
        done = work.await.ok();
        DONE
    });
    done
}

/// A future that completes on SIGTERM or SIGINT. Signals count from the call on, even before it is awaited.
fn stop_signal() -> impl Future<Output = ()> {
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
