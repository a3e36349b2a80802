//! The command line: parses the arguments and runs the command's module.

mod api_client;
mod api_problem;
mod backup;
mod build;
mod cache;
mod cluster;
mod completions;
mod config;
mod config_option;
mod demo;
mod doctor;
mod duration;
mod folder;
mod healthcheck;
mod import;
mod jobs;
mod log;
mod login;
mod matching;
mod modes;
mod notices;
mod online_match;
mod open_file_limit;
mod output;
mod policies;
mod progress;
mod serve;
mod simulate;
mod status;
mod sync;
mod token;
mod why;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use greenroom_config::{ConfigSource, ControlSettings, Settings};
use output::{OutputFormat, print_config_errors, print_error, print_remarks};

/// Exit code: the command succeeded.
const SUCCESS: u8 = 0;
/// Exit code: it failed, and the reason was printed.
const FAILURE: u8 = 1;
/// Exit code: the configuration or the command line is wrong.
const USAGE_ERROR: u8 = 2;
/// Max wait at the end of a command for threads that are blocked on a disk.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

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
  greenroom login plex                                  get the owner's token, into a file
  greenroom doctor --plex http://192.168.1.10:32400     find problems and their remedies
  greenroom doctor --wait-for tautulli                  check that an app's requests arrive
  greenroom sync weekly.jspf --to home                  write a playlist to your server
  greenroom config init > greenroom.toml                a commented configuration file
  greenroom serve --config greenroom.toml";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway in front of the configured media servers
    Serve(serve::ServeArgs),
    /// Show what Greenroom saves: a race and an evening of companion apps on simulated servers, with an outage
    Demo(demo::DemoArgs),
    /// Run a simulated server
    Simulate(simulate::SimulateArgs),
    /// Find problems and their remedies
    Doctor(Box<doctor::DoctorArgs>),
    /// Get a token of the media server's owner, by confirming a code in a browser
    #[command(subcommand)]
    Login(login::LoginCommand),
    /// Write or check a configuration file
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Show what the cache would have saved in observe mode, or start and end that mode
    Observe(modes::ObserveArgs),
    /// Bypass the cache of the running gateway, for everything or in part, until it is turned off
    Bypass(modes::BypassArgs),
    /// Explain how a read is answered, and compare that with the server's current response
    Why(why::WhyArgs),
    /// Show the servers of the running gateway, their states and hit rates, and warnings
    Status(status::StatusArgs),
    /// Show all statistics of the running gateway
    Stats(status::StatusArgs),
    /// Match tracks, paths or ids to the items of a library: in the running gateway, or between two CSV files
    Match(Box<matching::MatchArgs>),
    /// Refresh now what apps read at regular intervals, so that it is fresh at their next read
    Warm(modes::WarmArgs),
    /// Delete cached responses, for instance of one class: they are never served again
    Clear(modes::ClearArgs),
    /// Build library indexes now, or show their states
    Build(build::BuildArgs),
    /// List the jobs of the running gateway, run one now, or cancel it
    Jobs(jobs::JobsArgs),
    /// Show or change for how long the running gateway uses cached responses
    Policies(policies::PoliciesArgs),
    /// Load cached responses again at their next read; the old ones are served only while the server is down
    Invalidate(policies::InvalidateArgs),
    /// List, check, compact and delete the cache on disk
    Cache(cache::CacheArgs),
    /// Copy the entries of another cache's store into a cache for apps of the running gateway
    Import(import::ImportArgs),
    /// List, scan and mark the files of a folder
    Folder(folder::FolderArgs),
    /// Write a playlist from elsewhere to a media server, for one user or several
    Sync(Box<sync::SyncArgs>),
    /// Test the notification targets
    #[command(subcommand)]
    Notices(notices::NoticesCommand),
    /// Make the key that gateways share, or show the remote store and the gateways that share it
    #[command(subcommand)]
    Cluster(cluster::ClusterCommand),
    /// Save state and keys, but not the cache, to a file; also while the gateway runs
    Backup(backup::BackupArgs),
    /// Restore a backup, while no gateway runs
    Restore(backup::RestoreArgs),
    /// Report by exit code whether the gateway with this configuration is alive, for its supervisor
    Healthcheck(healthcheck::HealthcheckArgs),
    /// Show or renew the token of the page, make tokens for apps and for webhooks
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Print the OpenAPI 3.1 description of the API
    Openapi,
    /// Print a script that lets a shell complete commands and options
    Completions(completions::CompletionsArgs),
    /// Write a man page for each command to a folder
    Man(completions::ManArgs),
}

/// Settings given on the command line. They override the environment, which overrides the configuration file.
#[derive(Debug, Clone, Args, Default)]
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
    /// File with a token of the server's owner, which is needed to receive the server's events
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Address and port for clients [default: 0.0.0.0:32500 for Plex, 0.0.0.0:8196 for Jellyfin]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Data directory [default: the user's state directory]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Address and port of the page, the API and the metrics [default: 127.0.0.1:8710]
    #[arg(long, value_name = "ADDRESS:PORT")]
    control: Option<String>,
    /// Start in observe mode: the servers answer everything, and Greenroom reports what the cache would have saved
    #[arg(long)]
    observe: bool,
}

impl ConfigArgs {
    /// Settings of the control plane, and the data directory, where its token is. Works without a configured server,
    /// because commands that only talk to a running gateway need none. `None` if there is a problem, which is printed.
    fn control_plane(&self) -> Option<(ControlSettings, PathBuf)> {
        let mut config = self.config_source().ok()?;
        if config.servers().is_empty() {
            add_arguments(&mut config, &Self { plex: Some("http://127.0.0.1".into()), ..Self::default() });
        }
        let settings = Settings::read(config).map_err(|errors| print_config_errors(&errors)).ok()?;
        Some((settings.control, settings.data_dir))
    }

    /// The configuration from file, environment and command line, not validated yet.
    fn config_source(&self) -> Result<ConfigSource, u8> {
        let mut config = load_config(self.config.as_deref()).map_err(|reason| usage_error(&reason))?;
        add_arguments(&mut config, self);
        Ok(config)
    }
}

/// The configuration from the file, if one is given, and the environment.
fn load_config(file: Option<&Path>) -> Result<ConfigSource, String> {
    let mut config = ConfigSource::default();
    if let Some(path) = file {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| format!("{}: cannot be read: {error}", path.display()))?;
        config.add_toml(&path.display().to_string(), &text);
    }
    config.add_environment(std::env::vars());
    Ok(config)
}

/// Prints why a command failed. An empty reason was printed before. Returns the exit code.
fn fail(reason: &str) -> u8 {
    if reason.is_empty() { FAILURE } else { print_error(reason, FAILURE) }
}

/// Prints what is wrong with the command line or the configuration. Returns the exit code.
fn usage_error(reason: &str) -> u8 {
    print_error(reason, USAGE_ERROR)
}

/// Exit code of a command, whose failure is printed.
fn exit_code(result: Result<(), String>) -> u8 {
    result.map_or_else(|reason| fail(&reason), |()| SUCCESS)
}

/// Runs the program, from arguments to exit code.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.collect();
    let format = OutputFormat::from_arguments(&arguments);
    format.set();
    let cli = match Cli::try_parse_from(config_option::move_to_end(arguments)) {
        Ok(cli) => cli,
        Err(message) if message.use_stderr() && format == OutputFormat::Json => {
            let text = message.render().to_string();
            let fact = text.split("\n\nUsage:").next().unwrap_or_default().trim_start_matches("error: ").trim();
            return ExitCode::from(usage_error(fact));
        }
        Err(message) => {
            let _ = message.print(); // The terminal is gone.
            return ExitCode::from(if message.use_stderr() { USAGE_ERROR } else { SUCCESS });
        }
    };
    let code = match cli.command {
        Command::Serve(options) => serve::run(&options),
        Command::Demo(options) => demo::run(&options),
        Command::Simulate(options) => simulate::run(&options),
        Command::Doctor(options) => doctor::run(&options),
        Command::Login(command) => login::run(&command),
        Command::Config(command) => config::run(&command),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments),
        Command::Cache(options) => cache::run(&options),
        Command::Import(options) => import::run(&options),
        Command::Backup(options) => backup::backup(&options),
        Command::Restore(options) => backup::restore(&options),
        Command::Sync(options) => sync::run(&options),
        Command::Notices(command) => notices::run(&command),
        Command::Token(command) => token::run(&command),
        Command::Openapi => {
            println!("{}", greenroom_api::description());
            SUCCESS
        }
        Command::Completions(options) => completions::print_completions(&options),
        Command::Man(options) => completions::write_man_pages(&options),
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
        Command::Cluster(command) => cluster::run(&command),
        Command::Folder(options) => folder::folder(&options),
    };
    ExitCode::from(code)
}

/// Reads and validates the configuration. Prints every problem and every remark.
fn settings(arguments: &ConfigArgs) -> Result<Settings, u8> {
    let settings = Settings::read(arguments.config_source()?).map_err(|errors| print_config_errors(&errors))?;
    print_remarks(&settings.remarks);
    Ok(settings)
}

fn add_arguments(config: &mut ConfigSource, arguments: &ConfigArgs) {
    let cli = [(&arguments.plex, "plex"), (&arguments.jellyfin, "jellyfin")];
    let named: Vec<&str> = cli.iter().filter(|(url, _)| url.is_some()).map(|(_, kind)| *kind).collect();
    for (url, kind) in cli {
        if let Some(url) = url {
            let source = format!("--{kind}");
            config.add_server(kind, &source);
            config.set(&format!("server.{kind}.kind"), kind.to_owned(), source.clone());
            config.set(&format!("server.{kind}.url"), url.clone(), source);
        }
    }
    let mut set_for_single_server = |key: &str, flag: &str, value: Option<String>| match (value, named.as_slice()) {
        (None, _) => {}
        (Some(value), [one]) => config.set(&format!("server.{one}.{key}"), value, flag.to_owned()),
        (Some(_), _) => config.problem(
            flag.to_owned(),
            "works with exactly one of --plex and --jellyfin; use a configuration file for more servers".into(),
        ),
    };
    let text = |path: &PathBuf| path.display().to_string();
    set_for_single_server("token_file", "--token-file", arguments.token_file.as_ref().map(text));
    set_for_single_server("listen", "--listen", arguments.listen.clone());
    if let Some(dir) = &arguments.data_dir {
        config.set("data_dir", text(dir), "--data-dir".into());
    }
    if let Some(control) = &arguments.control {
        config.set("control.listen", control.clone(), "--control".into());
    }
    if arguments.observe {
        for (name, _) in config.servers().into_iter().filter(|(name, _)| !config.is_http_api(name)).collect::<Vec<_>>()
        {
            config.set(&format!("server.{name}.mode"), "observe".to_owned(), "--observe".into());
        }
    }
}

/// Runs a command's future on a new runtime. Returns its exit code.
fn block_on<F: Future<Output = u8>>(work: F) -> u8 {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(work);
            // A thread may be blocked forever on a disk that does not answer.
            runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
            code
        }
        Err(error) => fail(&format!("cannot start threads: {error}")),
    }
}

/// Runs a future on a new runtime and returns its value; `None` if it failed. The future prints the reason itself.
fn wait_for<T>(work: impl Future<Output = Result<T, u8>>) -> Option<T> {
    let mut value = None;
    block_on(async {
        value = work.await.ok();
        SUCCESS
    });
    value
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

#[cfg(test)]
mod tests;
