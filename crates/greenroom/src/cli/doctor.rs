//! `greenroom doctor`: finds problems and their remedies, waits for an app's first request, compares direct with
//! proxied responses.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use greenroom_cache::Clock;

use super::progress::ProgressLine;
use super::{ConfigArgs, FAILURE, SUCCESS, USAGE_ERROR, block_on, fail, settings, usage_error};
use greenroom_config::Endpoint;
use greenroom_config::Settings;
use greenroom_config::local_address::local_address;
use greenroom_doctor::compare::{ComparisonError, ProxyComparison};
use greenroom_doctor::wait_for::{AppWaiter, WaitEvent, WaitOutcome};
use greenroom_doctor::{control, run_checks};
use greenroom_origin::probe_client::{ProbeClient, ProbeTrust};
use greenroom_state::secrets;
use greenroom_state::secrets::DataDir;

/// Timeout of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(6);
/// Timeout of one read while comparing: some lists are slow.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Largest response that is read.
const MAX_RESPONSE_BYTES: usize = 64 * 1024 * 1024;

/// Arguments.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    serve: ConfigArgs,
    /// Wait for this app's first request to the running gateway
    #[arg(long, value_name = "APP", conflicts_with = "compare")]
    wait_for: Option<String>,
    /// Maximum wait, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// Compare responses of the server itself with those through the running gateway
    #[arg(long)]
    compare: bool,
    /// Only this server
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Address of that server on the running gateway; for a gateway with a certificate, with the certificate's name
    /// [default: its configured address]
    #[arg(long, value_name = "URL", requires = "compare")]
    through: Option<String>,
    /// Maximum number of reads to compare
    #[arg(long, value_name = "N", default_value_t = 260, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    endpoints: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Also write the report to this file
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
        settings.http_apis.retain(|server| server.name == *name);
        if settings.servers.is_empty() && (settings.http_apis.is_empty() || options.compare) {
            return usage_error(&format!("no server is called \"{name}\""));
        }
    }
    if options.compare { block_on(compare(options, &settings)) } else { block_on(check(options, &settings)) }
}

/// The client of the checks.
pub(super) fn probe_client() -> ProbeClient {
    ProbeClient::new(ProbeTrust::system(), Clock::system(), REQUEST_TIMEOUT, MAX_RESPONSE_BYTES)
}

async fn check(options: &DoctorArgs, settings: &Settings) -> u8 {
    let probe_client = probe_client();
    let line = ProgressLine::new();
    let report = run_checks(settings, &probe_client, |subject| line.show_step(&format!("checking {subject}"))).await;
    drop(line);
    let text = if options.json { report.json() + "\n" } else { report.render() };
    print_report(options, &text, report.has_no_problems())
}

async fn compare(options: &DoctorArgs, settings: &Settings) -> u8 {
    let client_with = |trust| ProbeClient::new(trust, Clock::system(), READ_TIMEOUT, MAX_RESPONSE_BYTES);
    let (mut text, mut is_well, mut reports) = (String::new(), true, serde_json::Map::new());
    if options.through.is_some() && settings.servers.len() > 1 {
        return usage_error("--through works with one server; choose it with --server NAME");
    }
    for server in &settings.servers {
        let Some(through) = proxied_endpoint(options, server) else { return USAGE_ERROR };
        let direct = Endpoint::from_server(server);
        // The certificate of our own listener is known only where this configuration says where it listens.
        let own_certificate = server.certificate.as_ref().filter(|_| options.through.is_none());
        let comparison = ProxyComparison {
            direct_client: &client_with(ProbeTrust::for_server(server)),
            proxied_client: &client_with(control::trust_own_certificate(own_certificate)),
            kind: server.kind,
            direct: &direct,
            proxied: &through,
            token: server.token.as_ref(),
            clock: Clock::system(),
        };
        if server.token.is_none() {
            eprintln!(
                "{}: no token is configured, so only public responses are compared; get one with `greenroom login {}`",
                server.name,
                server.kind.name()
            );
        }
        let line = ProgressLine::new();
        let result = comparison
            .compare(options.endpoints as usize, |done, planned| {
                let message = format!("{}: {done} of {planned} compared", server.name);
                line.show_share(done as u64, planned as u64, &message);
            })
            .await;
        drop(line);
        match result {
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
            Err(error) => {
                let reason = explain(&error, &direct, &through);
                reports.insert(server.name.clone(), serde_json::json!({ "well": false, "error": reason }));
                if !options.json {
                    fail(&reason);
                }
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
        format!("{scheme}://{}{}", local_address(server.listen), server.base_path)
    };
    let url = options.through.clone().unwrap_or_else(configured);
    let endpoint = Endpoint::parse(&url);
    if endpoint.is_none() {
        usage_error("--through must look like http://ADDRESS:PORT");
    }
    endpoint
}

fn explain(error: &ComparisonError, direct: &Endpoint, through: &Endpoint) -> String {
    match error {
        ComparisonError::Direct(error) => {
            format!("the server at {} does not answer: {error}\n  -> try `greenroom doctor`", direct.url())
        }
        ComparisonError::Proxied(error) => format!(
            "no Greenroom answers at {}: {error}\n  -> start it with the same configuration, or give its address with \
             --through",
            through.url()
        ),
    }
}

async fn wait_for(options: &DoctorArgs, app: &str) -> u8 {
    // The running process knows its servers; only the control plane's address and token are needed here.
    let Some((settings, data_dir)) = options.serve.control_plane() else { return USAGE_ERROR };
    let Some(endpoint) = control::endpoint(settings.listen, settings.certificate.is_some()) else {
        return USAGE_ERROR;
    };
    let token = DataDir::control_token_in(&data_dir);
    let trust = control::trust_own_certificate(settings.certificate.as_ref());
    let probe_client = ProbeClient::new(trust, Clock::system(), REQUEST_TIMEOUT, MAX_RESPONSE_BYTES);
    let waiter = AppWaiter {
        probe_client: &probe_client,
        endpoint: &endpoint,
        token: token.as_ref(),
        app,
        timeout: Duration::from_secs(options.timeout),
        clock: Clock::system(),
    };
    let mut events = Vec::new();
    let line = ProgressLine::new();
    let report_event = |event: &WaitEvent, after_ms: u64| {
        line.clear();
        if !options.json {
            println!("after {} s: {}", after_ms.div_ceil(1_000), event.sentence());
        }
        events.push(serde_json::json!({ "after_ms": after_ms, "what": event }));
    };
    let outcome =
        waiter.run(report_event, |left_s| line.show_step(&format!("waiting for {app}; {left_s} s left"))).await;
    line.clear();
    let text = if options.json {
        serde_json::json!({ "outcome": outcome.name(), "well": outcome.is_well(), "events": events }).to_string() + "\n"
    } else {
        outcome.sentence(app, &endpoint) + "\n"
    };
    if matches!(outcome, WaitOutcome::Unavailable(_)) && !options.json {
        return fail(text.trim_end());
    }
    print_report(options, &text, outcome.is_well())
}

fn print_report(options: &DoctorArgs, text: &str, is_well: bool) -> u8 {
    anstream::print!("{text}");
    let text = anstream::adapter::strip_str(text).to_string();
    if let Some(file) = &options.output
        && let Err(error) = std::fs::write(file, &text)
    {
        eprintln!("greenroom: {}", secrets::explain(file, &error));
        return FAILURE;
    }
    if is_well { SUCCESS } else { FAILURE }
}
