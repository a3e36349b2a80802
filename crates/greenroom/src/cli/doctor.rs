//! `greenroom doctor`: what is wrong and what to do; whether an app came through; whether both ways say the same.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use greenroom_cache::Clock;

use super::{DONE, FAILED, MISUSED, Serve, block_on, settings};
use crate::doctor::compare::{Failed, TwoWays};
use crate::doctor::wait::{Event, Outcome, Waiting};
use crate::doctor::{control, examine};
use greenroom_config::Place;
use greenroom_config::Settings;
use greenroom_origin::probe_client::{Enquirer, Trust};
use greenroom_state::secrets;
use greenroom_state::secrets::DataDir;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(6);
/// How long one answer may take while two ways are compared: some lists are slow.
const READ_PATIENCE: Duration = Duration::from_secs(60);
/// Longest answer that is read.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// What was typed.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    serve: Serve,
    /// Wait until this app's first request arrives at the running Greenroom
    #[arg(long, value_name = "APP", conflicts_with = "compare")]
    wait_for: Option<String>,
    /// How long to wait for it, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// Read what the server has directly and through the running Greenroom, and compare
    #[arg(long)]
    compare: bool,
    /// Of several servers, only this one
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Where the running Greenroom stands in for that server; if it shows a certificate, by the name that is for [default: its configured address]
    #[arg(long, value_name = "URL", requires = "compare")]
    through: Option<String>,
    /// How many reads to compare at most
    #[arg(long, value_name = "N", default_value_t = 260, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    endpoints: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write the report to this file as well
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(options: &Options) -> u8 {
    if let Some(app) = &options.wait_for {
        return block_on(wait_for(options, app));
    }
    let mut settings = match settings(&options.serve) {
        Ok(settings) => settings,
        Err(code) => {
            if options.serve.tree().is_ok_and(|tree| tree.servers().is_empty()) {
                eprintln!("greenroom: give doctor the same options, variables or file as serve");
            }
            return code;
        }
    };
    if let Some(name) = &options.server {
        settings.servers.retain(|server| server.name == *name);
        if settings.servers.is_empty() {
            eprintln!("greenroom: no server is called \"{name}\"");
            return MISUSED;
        }
    }
    if options.compare { block_on(compare(options, &settings)) } else { block_on(look(options, &settings)) }
}

async fn look(options: &Options, settings: &Settings) -> u8 {
    let enquirer = Enquirer::new(Trust::system(), Clock::system(), PATIENCE, MAX_BYTES);
    let report = examine(settings, &enquirer, |subject| progress(&format!("looking at {subject}"))).await;
    end_progress();
    let text = if options.json { report.json() + "\n" } else { report.render() };
    shown(options, &text, report.is_well())
}

async fn compare(options: &Options, settings: &Settings) -> u8 {
    let asking = |trust| Enquirer::new(trust, Clock::system(), READ_PATIENCE, MAX_BYTES);
    let (mut text, mut is_well, mut reports) = (String::new(), true, serde_json::Map::new());
    if options.through.is_some() && settings.servers.len() > 1 {
        eprintln!("greenroom: --through works with one server; say which with --server NAME");
        return MISUSED;
    }
    for server in &settings.servers {
        let Some(through) = through(options, server) else { return MISUSED };
        let direct = Place::of(server);
        // What our own listener shows is known only where this configuration says where it listens.
        let shown = server.shown.as_ref().filter(|_| options.through.is_none());
        let two = TwoWays {
            enquirer: &asking(Trust::of_server(server)),
            enquirer_through: &asking(control::trust(shown)),
            kind: server.kind,
            direct: &direct,
            through: &through,
            token: server.token.as_ref(),
            clock: Clock::system(),
        };
        if server.token.is_none() {
            eprintln!(
                "{}: no token configured, so only what is public is read; get one with `greenroom login {}`",
                server.name,
                server.kind.name()
            );
        }
        let compared = two
            .compare(options.endpoints as usize, |done, planned| {
                progress(&format!("{}: {done} of {planned} compared", server.name));
            })
            .await;
        end_progress();
        match compared {
            Ok(tally) => {
                is_well &= tally.is_well();
                text += &tally.render(&server.name);
                let report = serde_json::json!({
                    "well": tally.is_well(),
                    "total": tally.total(),
                    "report": tally,
                });
                reports.insert(server.name.clone(), report);
            }
            Err(failed) => {
                eprintln!("greenroom: {}", explained(&failed, &direct, &through));
                is_well = false;
            }
        }
    }
    let text = if options.json { serde_json::Value::Object(reports).to_string() + "\n" } else { text };
    shown(options, &text, is_well)
}

fn through(options: &Options, server: &greenroom_config::Server) -> Option<Place> {
    let configured = || {
        let scheme = if server.shown.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{}", control::nearby(server.listen), server.base_path)
    };
    let url = options.through.clone().unwrap_or_else(configured);
    let place = Place::parse(&url);
    if place.is_none() {
        eprintln!("greenroom: --through looks like http://ADDRESS:PORT");
    }
    place
}

fn explained(failed: &Failed, direct: &Place, through: &Place) -> String {
    match failed {
        Failed::Direct(silence) => {
            format!("the server at {} does not answer: {silence}\n  -> try `greenroom doctor`", direct.url())
        }
        Failed::Through(silence) => format!(
            "no Greenroom answers at {}: {silence}\n  -> start it with the same configuration, or say where it is with \
             --through",
            through.url()
        ),
    }
}

async fn wait_for(options: &Options, app: &str) -> u8 {
    // The running process knows its servers; only the control plane's address and token are needed here.
    let Some((settings, data_dir)) = options.serve.control_plane() else { return MISUSED };
    let Some(place) = control::place(settings.listen, settings.shown.is_some()) else { return MISUSED };
    let token = DataDir::control_token_in(&data_dir);
    let trust = control::trust(settings.shown.as_ref());
    let enquirer = Enquirer::new(trust, Clock::system(), PATIENCE, MAX_BYTES);
    let waiting = Waiting {
        enquirer: &enquirer,
        place: &place,
        token: token.as_ref(),
        app,
        patience: Duration::from_secs(options.timeout),
        clock: Clock::system(),
    };
    let mut events = Vec::new();
    let tell = |event: &Event, after_ms: u64| {
        end_progress();
        if !options.json {
            println!("after {} s: {}", after_ms.div_ceil(1_000), event.sentence());
        }
        events.push(serde_json::json!({ "after_ms": after_ms, "what": event }));
    };
    let outcome = waiting.run(tell, |left_s| progress(&format!("waiting for {app}; {left_s} s left"))).await;
    end_progress();
    let text = if options.json {
        serde_json::json!({ "outcome": outcome.name(), "well": outcome.is_well(), "events": events })
            .to_string()
            + "\n"
    } else {
        outcome.sentence(app, &place) + "\n"
    };
    if matches!(outcome, Outcome::Untold(_)) && !options.json {
        eprint!("greenroom: {text}");
        return FAILED;
    }
    shown(options, &text, outcome.is_well())
}

fn shown(options: &Options, text: &str, is_well: bool) -> u8 {
    print!("{text}");
    if let Some(file) = &options.output
        && let Err(error) = std::fs::write(file, text)
    {
        eprintln!("greenroom: {}", secrets::explain(file, &error));
        return FAILED;
    }
    if is_well { DONE } else { FAILED }
}

/// One line that is written over, if somebody looks.
fn progress(line: &str) {
    let mut errors = std::io::stderr();
    if errors.is_terminal() {
        // A line that cannot be shown is not worth ending for.
        drop(write!(errors, "\r\x1b[K{line}"));
        drop(errors.flush());
    }
}

fn end_progress() {
    progress("");
}
