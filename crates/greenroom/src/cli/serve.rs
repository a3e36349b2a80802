//! `greenroom serve`.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use greenroom_cache::Clock;
use greenroom_dialect::server_identity::ServerIdentity;
use http::uri::Authority;

use super::{DONE, FAILED, Serve, block_on, log, settings, told_to_stop};
use crate::app::Process;
use crate::takeover;
use crate::takeover::Sockets;
use greenroom_config::{Mode, Settings};
use greenroom_origin::identify;
use greenroom_origin::identify::Greeting;
use greenroom_proxy::server::Server;
use greenroom_state::ownership;

/// How long a process that leaves may write what is left, after its last request.
const LAST_WRITES: Duration = Duration::from_secs(60);

/// `greenroom serve`.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    serve: Serve,
    /// Take the place of the gateway that runs on the same data directory, without failing a request: for upgrades
    #[arg(long)]
    take_over: bool,
}

pub(super) fn run(options: &Options) -> u8 {
    let settings = match settings(&options.serve) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    log::begin();
    let (sockets, patience) = match place(&settings, options.take_over) {
        Ok(place) => place,
        Err(reason) => {
            eprintln!("greenroom: {reason}");
            return FAILED;
        }
    };
    block_on(async {
        let told = pin!(told_to_stop());
        let process = match Process::take_over(settings, Clock::system(), sockets, patience).await {
            Ok(process) => process,
            Err(reason) => {
                eprintln!("greenroom: {reason}");
                return FAILED;
            }
        };
        let is_told = tokio::select! {
            () = told => true,
            () = process.is_taken_over() => false,
            () = async {
                announce(&process).await;
                process.watch_openness();
                std::future::pending::<()>().await;
            } => true,
        };
        let why = if is_told { "stopping" } else { "another process takes over" };
        eprintln!("greenroom: {why}; requests under way may end");
        for (server, _) in &process.servers {
            if let Some(report) = server.observed() {
                println!("{}: {}", server.name(), report.verdict);
            }
        }
        let ended = if is_told { process.stop().await } else { process.leave().await };
        if ended {
            DONE
        } else {
            eprintln!("greenroom: some requests did not end in time and were cut off");
            DONE
        }
    })
}

/// The listening sockets of the process that is to be replaced, if there is one, and how long it may take to end.
fn place(settings: &Settings, take_over: bool) -> Result<(Sockets, Duration), String> {
    let Some(holder) = ownership::holder(&settings.data_dir).filter(|_| take_over) else {
        return Ok((Sockets::default(), ownership::PATIENCE));
    };
    // What cannot be read is found while the other process still serves.
    let shown = settings.servers.iter().filter_map(|server| server.shown.as_ref());
    for files in shown.chain(settings.control.shown.as_ref()) {
        drop(files.read()?);
    }
    let (sockets, patience) = takeover::ask(&settings.data_dir)?;
    eprintln!("greenroom: taking over from {holder}; connections wait until it has written what is left");
    Ok((sockets, patience + LAST_WRITES))
}

/// The lines a user reads first.
async fn announce(process: &Process) {
    for (server, address) in &process.servers {
        println!("{}", describe(server).await);
        let scheme = if server.origin.settings.shown.is_some() { "https" } else { "http" };
        println!(
            "  point your apps at {scheme}://{}{}",
            reachable(*address),
            server.origin.settings.listen_base_path
        );
        if server.mode() == Mode::Observe {
            println!(
                "  observing: the server answers everything; `greenroom observe` tells what would be saved"
            );
        }
        if server.origin.settings.token.is_none() {
            println!("  no owner's token configured: changes made on the server itself are noticed later");
        }
    }
    println!("page: {}", process.page);
    if process.token.is_new {
        println!(
            "control token (shown once, `greenroom token show` repeats it): {}",
            process.token.secret.expose()
        );
    }
}

async fn describe(server: &Arc<Server>) -> String {
    let name = server.name();
    let kind = server.origin.settings.kind.name();
    let at = server.origin.client.authority();
    let began_ms = server.origin.clock.now_ms();
    match identify::greet(&server.origin).await {
        Greeting::Answered(ServerIdentity::Expected(found)) => {
            let own = found.name.map(|own| format!(" \"{own}\"")).unwrap_or_default();
            let took_ms = server.origin.clock.now_ms().saturating_sub(began_ms);
            format!("{name}: found {kind}{own} {} at {at} in {took_ms} ms", found.version)
        }
        Greeting::Answered(identity) => format!("{name}: {}", not_expected(kind, at, &identity)),
        Greeting::Distrusted(reason) => format!("{name}: {kind} at {at} is not asked: {reason}"),
        Greeting::Silent(reason) => {
            format!("{name}: {kind} at {at} does not answer ({reason}); it will be asked again")
        }
    }
}

/// What answers at `at` instead of the server that was configured.
fn not_expected(kind: &str, at: &Authority, identity: &ServerIdentity) -> String {
    match identity {
        ServerIdentity::Emby { version } => format!(
            "what answers at {at} is Emby {version}, which is not supported yet; its apps are told so"
        ),
        ServerIdentity::Starting { status } | ServerIdentity::Failing { status } => {
            format!("{kind} at {at} answers {status}: it is starting or in trouble; it will be asked again")
        }
        ServerIdentity::WantsEncryption => {
            format!("what answers at {at} takes only encrypted requests: url must begin with https://")
        }
        ServerIdentity::Expected(_) | ServerIdentity::OtherKind(_) | ServerIdentity::SomethingElse(_) => {
            format!("what answers at {at} is not a {kind} server; check kind and url: {identity}")
        }
    }
}

/// An address that a person can type: "everywhere" is this machine.
fn reachable(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => format!("THIS-MACHINE:{}", address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => format!("THIS-MACHINE:{}", address.port()),
        _ => address.to_string(),
    }
}
