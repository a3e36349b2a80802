//! `greenroom serve`.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use greenroom_cache::Clock;
use greenroom_dialect::server_identity::ServerIdentity;
use http::uri::Authority;

use super::{ConfigArgs, DONE, FAILED, block_on, log, settings, stop_signal};
use crate::app::Process;
use crate::takeover;
use crate::takeover::InheritedListeners;
use greenroom_config::{CacheMode, Settings};
use greenroom_origin::identify;
use greenroom_origin::identify::IdentifyResult;
use greenroom_proxy::server::Server;
use greenroom_state::ownership;

/// Time for final writes of a replaced process, after its last request.
const LAST_WRITES: Duration = Duration::from_secs(60);

/// `greenroom serve`.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    serve: ConfigArgs,
    /// Take the place of the gateway that runs on the same data directory, without failing a request: for upgrades
    #[arg(long)]
    take_over: bool,
}

pub(super) fn run(options: &ServeArgs) -> u8 {
    let settings = match settings(&options.serve) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    log::init();
    let (sockets, patience) = match inherited_listeners(&settings, options.take_over) {
        Ok(place) => place,
        Err(reason) => {
            eprintln!("greenroom: {reason}");
            return FAILED;
        }
    };
    let is_taking_over = !sockets.is_empty();
    block_on(async {
        let mut told = pin!(stop_signal());
        let started = tokio::select! {
            () = told.as_mut() => {
                eprintln!("greenroom: stopped before it began to serve{}", left_behind(is_taking_over));
                return DONE;
            }
            started = Process::take_over(settings, Clock::system(), sockets, patience) => started,
        };
        let process = match started {
            Ok(process) => process,
            Err(reason) => {
                eprintln!("greenroom: {reason}");
                return FAILED;
            }
        };
        let is_told = tokio::select! {
            () = told => true,
            () = process.wait_until_taken_over() => false,
            () = async {
                print_startup(&process).await;
                process.watch_anonymous_access();
                std::future::pending::<()>().await;
            } => true,
        };
        let why = if is_told { "stopping" } else { "another process takes over" };
        eprintln!("greenroom: {why}; requests under way may end");
        for (server, _) in &process.servers {
            if let Some(report) = server.shadow_report() {
                println!("{}: {}", server.name(), report.verdict);
            }
        }
        let ended = if is_told { process.stop().await } else { process.drain_and_stop().await };
        if ended {
            DONE
        } else {
            eprintln!("greenroom: some requests did not end in time and were cut off");
            DONE
        }
    })
}

/// Consequence of stopping a process before it began to serve.
fn left_behind(is_taking_over: bool) -> &'static str {
    if is_taking_over {
        "; the gateway that it was to replace ends too, and nothing listens from now on: start one again"
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
    let shown = settings.servers.iter().filter_map(|server| server.certificate.as_ref());
    for files in shown.chain(settings.control.certificate.as_ref()) {
        drop(files.read()?);
    }
    let (sockets, patience) = takeover::request_takeover(&settings.data_dir)?;
    eprintln!("greenroom: taking over from {holder}; connections wait until it has written what is left");
    Ok((sockets, patience + LAST_WRITES))
}

/// Prints the lines that a user reads first.
async fn print_startup(process: &Process) {
    for (server, address) in &process.servers {
        println!("{}", describe(server).await);
        let scheme = if server.origin.settings.certificate.is_some() { "https" } else { "http" };
        println!("  point your apps at {scheme}://{}{}", reachable(*address), server.origin.settings.listen_base_path);
        if server.mode() == CacheMode::Observe {
            println!("  observing: the server answers everything; `greenroom observe` tells what would be saved");
        }
        if server.origin.settings.token.is_none() {
            println!("  no owner's token configured: changes made on the server itself are noticed later");
        }
    }
    println!("page: {}", process.page);
    if process.token.is_new {
        println!("control token (shown once, `greenroom token show` repeats it): {}", process.token.secret.expose());
    }
}

async fn describe(server: &Arc<Server>) -> String {
    let name = server.name();
    let kind = server.origin.settings.kind.name();
    let at = server.origin.client.authority();
    let began_ms = server.origin.clock.now_ms();
    match identify::identify(&server.origin).await {
        IdentifyResult::Answered(ServerIdentity::Expected(found)) => {
            let own = found.name.map(|own| format!(" \"{own}\"")).unwrap_or_default();
            let took_ms = server.origin.clock.now_ms().saturating_sub(began_ms);
            format!("{name}: found {kind}{own} {} at {at} in {took_ms} ms", found.version)
        }
        IdentifyResult::Answered(identity) => format!("{name}: {}", not_expected(kind, at, &identity)),
        IdentifyResult::CertificateRejected(reason) => {
            format!("{name}: {kind} at {at} is not asked: {reason}")
        }
        IdentifyResult::NoResponse(reason) => {
            format!("{name}: {kind} at {at} does not answer ({reason}); it will be asked again")
        }
    }
}

/// Says which server answers at `at` instead of the configured one.
fn not_expected(kind: &str, at: &Authority, identity: &ServerIdentity) -> String {
    match identity {
        ServerIdentity::Emby { version } => {
            format!("what answers at {at} is Emby {version}, which is not supported yet; its apps are told so")
        }
        ServerIdentity::Starting { status } | ServerIdentity::Failing { status } => {
            format!("{kind} at {at} answers {status}: it is starting or in trouble; it will be asked again")
        }
        ServerIdentity::EncryptionRequired => {
            format!("what answers at {at} takes only encrypted requests: url must begin with https://")
        }
        ServerIdentity::Expected(_) | ServerIdentity::OtherKind(_) | ServerIdentity::Unrecognized(_) => {
            format!("what answers at {at} is not a {kind} server; check kind and url: {identity}")
        }
    }
}

/// Typable address: a wildcard address becomes this machine's.
fn reachable(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => format!("THIS-MACHINE:{}", address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => format!("THIS-MACHINE:{}", address.port()),
        _ => address.to_string(),
    }
}
