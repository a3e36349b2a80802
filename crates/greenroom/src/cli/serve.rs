//! `greenroom serve`.

use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::io::IsTerminal;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use greenroom_cache::Clock;
use greenroom_dialect::permissions::Permissions;
use greenroom_dialect::server_identity::ServerIdentity;

use super::{ConfigArgs, SUCCESS, block_on, doctor, fail, log, open_file_limit, settings, stop_signal};
use crate::app::Process;
use crate::takeover;
use crate::takeover::InheritedListeners;
use greenroom_config::{CacheMode, ConfigError, Endpoint, Settings, TokenSetup};
use greenroom_doctor::checks::directory;
use greenroom_doctor::find_problem;
use greenroom_origin::identify;
use greenroom_origin::identify::IdentifyResult;
use greenroom_origin::login;
use greenroom_origin::probe_client::ProbeTrust;
use greenroom_proxy::server::Server;
use greenroom_state::ownership;
use greenroom_state::secrets::KEY_FILE;

/// Time for final writes of a replaced process, after its last request.
const FINAL_WRITE_TIME: Duration = Duration::from_secs(60);

/// `greenroom serve`.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    serve: ConfigArgs,
    /// Replace the gateway that runs on the same data directory, without a failed request: for upgrades
    #[arg(long)]
    take_over: bool,
}

pub(super) fn run(options: &ServeArgs) -> u8 {
    let settings = match settings(&options.serve) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let log = log::init();
    open_file_limit::raise();
    let data_dir = settings.data_dir.clone();
    if let Some(problem) = directory::find_problem(&data_dir) {
        let is_unusable = !data_dir.join(KEY_FILE).exists();
        let code = fail(&problem.sentence());
        if is_unusable {
            return code;
        }
    }
    let (sockets, patience) = match inherited_listeners(&settings, options.take_over) {
        Ok(inherited) => inherited,
        Err(reason) => return fail(&reason),
    };
    let is_taking_over = !sockets.is_empty();
    block_on(async {
        let mut stop = pin!(stop_signal());
        let result = tokio::select! {
            () = stop.as_mut() => {
                log.print(&format!("stopped before it began to serve{}", restart_hint(is_taking_over)));
                return SUCCESS;
            }
            result = Process::take_over(settings, Clock::system(), sockets, patience) => result,
        };
        let process = match result {
            Ok(process) => process,
            Err(reason) => return fail(&reason),
        };
        let is_stopped = tokio::select! {
            () = stop => true,
            () = process.wait_until_taken_over() => false,
            () = async {
                print_startup(&process, &data_dir).await;
                process.watch_anonymous_access();
                if let Some(file) = options.serve.config.clone() {
                    let arguments = options.serve.clone();
                    process.watch_routes(file, move || {
                        let problem = |_| vec![unreadable_config(&arguments)];
                        Settings::read(arguments.config_source().map_err(problem)?)
                    });
                }
                std::future::pending::<()>().await;
            } => true,
        };
        let reason = if is_stopped { "stopping" } else { "another process takes over" };
        log.print(&format!("{reason}; finishing in-flight requests"));
        for (server, _) in &process.servers {
            if let Some(report) = server.shadow_report() {
                println!("{}: {}", server.name(), report.verdict);
            }
        }
        let ended = if is_stopped { process.stop().await } else { process.drain_and_stop().await };
        if ended {
            SUCCESS
        } else {
            log.print("some requests did not end in time and were cut off");
            SUCCESS
        }
    })
}

/// The configuration file cannot be read.
fn unreadable_config(arguments: &ConfigArgs) -> ConfigError {
    let place = arguments.config.as_ref().map_or_else(String::new, |file| file.display().to_string());
    ConfigError { place, message: "cannot be read".into() }
}

/// Consequence of stopping a process before it began to serve.
fn restart_hint(is_taking_over: bool) -> &'static str {
    if is_taking_over {
        "; the gateway that it was to replace ends too, so nothing listens now: start a gateway again"
    } else {
        ""
    }
}

/// Listening sockets of the process being replaced, if there is one, and the time it may take to end.
fn inherited_listeners(settings: &Settings, take_over: bool) -> Result<(InheritedListeners, Duration), String> {
    let Some(holder) = ownership::holder(&settings.data_dir).filter(|_| take_over) else {
        return Ok((InheritedListeners::default(), ownership::PATIENCE));
    };
    // Files that cannot be read are found while the other process still serves.
    let certificates = settings.servers.iter().filter_map(|server| server.certificate.as_ref());
    let of_apis = settings.http_apis.iter().filter_map(|server| server.certificate.as_ref());
    for files in certificates.chain(of_apis).chain(settings.control.certificate.as_ref()) {
        files.read()?;
    }
    let (sockets, patience) = takeover::request_takeover(&settings.data_dir)?;
    eprintln!("greenroom: taking over from {holder}; new connections wait until it has written its state");
    Ok((sockets, patience + FINAL_WRITE_TIME))
}

/// Prints the lines that a user reads first.
async fn print_startup(process: &Process, data_dir: &Path) {
    for (server, address) in &process.servers {
        let settings = &server.origin.settings;
        let started_ms = server.origin.clock.now();
        let result = identify::identify(&server.origin).await;
        println!("{}: {}", server.name(), describe(server, &result, started_ms, data_dir).await);
        let scheme = if settings.certificate.is_some() { "https" } else { "http" };
        // With a base path that is wrong, this address would be wrong as well.
        if !is_other_server(&result) || settings.base_path.is_empty() {
            println!("  point your apps at {scheme}://{}{}", typable_address(*address), settings.listen_base_path);
        }
        if server.mode() == CacheMode::Observe {
            println!("  observe mode: the server answers everything; `greenroom observe` shows what would be saved");
        }
        if is_token_rejected(server, &result).await {
            server.origin.record_own_token(false);
            let kind = settings.kind.name();
            println!("  the server rejects the configured token: nothing is warmed and no library is indexed");
            println!("  -> get a new one: greenroom login {kind}");
        }
        if settings.token.is_none() && !is_other_server(&result) {
            println!("  no owner token configured: changes made on the server itself are noticed later");
            let setup = TokenSetup::new(settings, data_dir);
            println!("  -> {}\n  -> then {}: {}", setup.command, setup.place, setup.setting);
        }
    }
    for (server, address) in &process.apis {
        let authority = server.settings.origin.authority().map_or("?", |authority| authority.as_str());
        let scheme = if server.settings.certificate.is_some() { "https" } else { "http" };
        println!("{}: HTTP API at {authority}, with {} routes", server.name(), server.settings.routes.len());
        println!("  point your apps at {scheme}://{}", typable_address(*address));
    }
    let control = process.control;
    println!("page: {}", process.page.replacen(&control.to_string(), &typable_address(control), 1));
    if process.token.is_new && std::io::stdout().is_terminal() {
        println!("control token (`greenroom token show` repeats it): {}", process.token.secret.expose());
    } else if process.token.is_new {
        // What is no terminal may be a log that others read.
        println!("control token: created; show it with: greenroom token show --data-dir {}", data_dir.display());
    }
}

/// Says which server was found, or what is wrong and what to type.
async fn describe(server: &Arc<Server>, result: &IdentifyResult, started_ms: Timestamp, data_dir: &Path) -> String {
    let settings = &server.origin.settings;
    let kind = settings.kind.name();
    let authority = server.origin.client.authority();
    if let IdentifyResult::Answered(ServerIdentity::Expected(found)) = result {
        let server_name = found.name.as_ref().map(|server_name| format!(" \"{server_name}\"")).unwrap_or_default();
        let took_ms = server.origin.clock.now().duration_since(started_ms);
        return format!("found {kind}{server_name} {} at {authority} in {} ms", found.version, millis(took_ms));
    }
    let problem = find_problem(settings, &doctor::probe_client(), data_dir).await;
    // A server that came up meanwhile has no problem left.
    let text =
        problem.map_or_else(|| format!("{kind} at {authority} did not answer at first"), |found| found.sentence());
    if is_other_server(result) { text } else { format!("{text}\n  Greenroom keeps trying") }
}

/// Whether the server that was found rejects the configured token.
async fn is_token_rejected(server: &Server, result: &IdentifyResult) -> bool {
    let settings = &server.origin.settings;
    let (IdentifyResult::Answered(ServerIdentity::Expected(_)), Some(token)) = (result, &settings.token) else {
        return false;
    };
    let probe_client = doctor::probe_client().with_trust(ProbeTrust::for_server(settings));
    let endpoint = Endpoint::from_server(settings);
    login::permissions(&probe_client, settings.kind, &endpoint, token).await == Ok(Permissions::Refused)
}

/// Whether something else answers than the configured server. A server that is starting may still become it.
fn is_other_server(result: &IdentifyResult) -> bool {
    matches!(
        result,
        IdentifyResult::Answered(
            ServerIdentity::OtherKind(_)
                | ServerIdentity::Emby { .. }
                | ServerIdentity::EncryptionRequired
                | ServerIdentity::Unrecognized(_)
        )
    )
}

/// Typable address: a wildcard address becomes this machine's.
fn typable_address(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => format!("THIS-MACHINE:{}", address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => format!("THIS-MACHINE:{}", address.port()),
        _ => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_all_interfaces_is_shown_as_one_that_can_be_typed() {
        let shown = |address: &str| typable_address(address.parse().expect("an address"));
        assert_eq!(shown("0.0.0.0:8710"), "THIS-MACHINE:8710");
        assert_eq!(shown("[::]:8710"), "THIS-MACHINE:8710");
        assert_eq!(shown("127.0.0.1:8710"), "127.0.0.1:8710");
        assert_eq!(shown("[::1]:8710"), "[::1]:8710");
    }
}
