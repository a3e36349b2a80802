//! `greenroom doctor`: finds problems and their remedies, waits for an app's first request, compares direct with
//! proxied responses.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use greenroom_cache::Clock;

use super::{ConfigArgs, DONE, FAILED, MISUSED, block_on, settings};
use crate::doctor::compare::{ComparisonError, ProxyComparison};
use crate::doctor::wait_for::{AppWaiter, WaitEvent, WaitOutcome};
use crate::doctor::{control, run_checks};
use greenroom_config::Endpoint;
use greenroom_config::Settings;
use greenroom_origin::probe_client::{ProbeClient, ProbeTrust};
use greenroom_state::secrets;
use greenroom_state::secrets::DataDir;

/// Timeout of one request.
const PATIENCE: Duration = Duration::from_secs(6);
/// Timeout of one read while comparing: some lists are slow.
const READ_PATIENCE: Duration = Duration::from_secs(60);
/// Largest response that is read.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// What was typed.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    serve: ConfigArgs,
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

pub(super) fn run(options: &DoctorArgs) -> u8 {
    if let Some(app) = &options.wait_for {
        return block_on(wait_for(options, app));
    }
    let mut settings = match settings(&options.serve) {
        Ok(settings) => settings,
        Err(code) => {
            if options.serve.config_source().is_ok_and(|tree| tree.servers().is_empty()) {
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
    if options.compare { block_on(compare(options, &settings)) } else { block_on(check(options, &settings)) }
}

async fn check(options: &DoctorArgs, settings: &Settings) -> u8 {
    let enquirer = ProbeClient::new(ProbeTrust::system(), Clock::system(), PATIENCE, MAX_BYTES);
    let report = run_checks(settings, &enquirer, |subject| progress(&format!("looking at {subject}"))).await;
    end_progress();
    let text = if options.json { report.json() + "\n" } else { report.render() };
    print_report(options, &text, report.has_no_problems())
}

async fn compare(options: &DoctorArgs, settings: &Settings) -> u8 {
    let asking = |trust| ProbeClient::new(trust, Clock::system(), READ_PATIENCE, MAX_BYTES);
    let (mut text, mut is_well, mut reports) = (String::new(), true, serde_json::Map::new());
    if options.through.is_some() && settings.servers.len() > 1 {
        eprintln!("greenroom: --through works with one server; say which with --server NAME");
        return MISUSED;
    }
    for server in &settings.servers {
        let Some(through) = proxied_endpoint(options, server) else { return MISUSED };
        let direct = Endpoint::from_server(server);
        // The certificate of our own listener is known only where this configuration says where it listens.
        let shown = server.certificate.as_ref().filter(|_| options.through.is_none());
        let two = ProxyComparison {
            direct_client: &asking(ProbeTrust::for_server(server)),
            proxied_client: &asking(control::trust_own_certificate(shown)),
            kind: server.kind,
            direct: &direct,
            proxied: &through,
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
                is_well &= tally.is_clean();
                text += &tally.render(&server.name);
                let report = serde_json::json!({
                    "well": tally.is_clean(),
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
    print_report(options, &text, is_well)
}

fn proxied_endpoint(options: &DoctorArgs, server: &greenroom_config::ServerSettings) -> Option<Endpoint> {
    let configured = || {
        let scheme = if server.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{}", control::local_address(server.listen), server.base_path)
    };
    let url = options.through.clone().unwrap_or_else(configured);
    let place = Endpoint::parse(&url);
    if place.is_none() {
        eprintln!("greenroom: --through looks like http://ADDRESS:PORT");
    }
    place
}

fn explained(failed: &ComparisonError, direct: &Endpoint, through: &Endpoint) -> String {
    match failed {
        ComparisonError::Direct(silence) => {
            format!("the server at {} does not answer: {silence}\n  -> try `greenroom doctor`", direct.url())
        }
        ComparisonError::Proxied(silence) => format!(
            "no Greenroom answers at {}: {silence}\n  -> start it with the same configuration, or say where it is with \
             --through",
            through.url()
        ),
    }
}

async fn wait_for(options: &DoctorArgs, app: &str) -> u8 {
    // The running process knows its servers; only the control plane's address and token are needed here.
    let Some((settings, data_dir)) = options.serve.control_plane() else { return MISUSED };
    let Some(place) = control::endpoint(settings.listen, settings.certificate.is_some()) else {
        return MISUSED;
    };
    let token = DataDir::control_token_in(&data_dir);
    let trust = control::trust_own_certificate(settings.certificate.as_ref());
    let enquirer = ProbeClient::new(trust, Clock::system(), PATIENCE, MAX_BYTES);
    let waiting = AppWaiter {
        probe_client: &enquirer,
        endpoint: &place,
        token: token.as_ref(),
        app,
        timeout: Duration::from_secs(options.timeout),
        clock: Clock::system(),
    };
    let mut events = Vec::new();
    let tell = |event: &WaitEvent, after_ms: u64| {
        end_progress();
        if !options.json {
            println!("after {} s: {}", after_ms.div_ceil(1_000), event.sentence());
        }
        events.push(serde_json::json!({ "after_ms": after_ms, "what": event }));
    };
    let outcome = waiting.run(tell, |left_s| progress(&format!("waiting for {app}; {left_s} s left"))).await;
    end_progress();
    let text = if options.json {
        serde_json::json!({ "outcome": outcome.name(), "well": outcome.is_well(), "events": events }).to_string() + "\n"
    } else {
        outcome.sentence(app, &place) + "\n"
    };
    if matches!(outcome, WaitOutcome::Unavailable(_)) && !options.json {
        eprint!("greenroom: {text}");
        return FAILED;
    }
    print_report(options, &text, outcome.is_well())
}

fn print_report(options: &DoctorArgs, text: &str, is_well: bool) -> u8 {
    print!("{text}");
    if let Some(file) = &options.output
        && let Err(error) = std::fs::write(file, text)
    {
        eprintln!("greenroom: {}", secrets::explain(file, &error));
        return FAILED;
    }
    if is_well { DONE } else { FAILED }
}

/// Overwrites one progress line on a terminal.
fn progress(line: &str) {
    let mut errors = std::io::stderr();
    if errors.is_terminal() {
        // A line that cannot be shown is no reason to end.
        drop(write!(errors, "\r\x1b[K{line}"));
        drop(errors.flush());
    }
}

fn end_progress() {
    progress("");
}
