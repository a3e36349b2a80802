//! `greenroom serve`.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;

use greenroom_cache::Clock;

use super::{DONE, FAILED, Serve, block_on, log, settings, told_to_stop};
use crate::greeting::{self, Greeting};
use crate::mode::Mode;
use crate::process::Process;
use crate::server::Server;

pub(super) fn run(serve: &Serve) -> u8 {
    let settings = match settings(serve) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    log::begin();
    block_on(async {
        let told = pin!(told_to_stop());
        let process = match Process::start(settings, Clock::system()).await {
            Ok(process) => process,
            Err(reason) => {
                eprintln!("greenroom: {reason}");
                return FAILED;
            }
        };
        tokio::select! {
            () = told => {}
            () = async {
                announce(&process).await;
                process.watch_openness();
                std::future::pending::<()>().await;
            } => {}
        }
        eprintln!("greenroom: stopping; requests under way may end");
        for (server, _) in &process.servers {
            if let Some(report) = server.observed() {
                println!("{}: {}", server.name(), report.verdict);
            }
        }
        if process.stop().await {
            DONE
        } else {
            eprintln!("greenroom: some requests did not end in time and were cut off");
            DONE
        }
    })
}

/// The lines a user reads first.
async fn announce(process: &Process) {
    for (server, address) in &process.servers {
        println!("{}", describe(server).await);
        let scheme = if server.settings.shown.is_some() { "https" } else { "http" };
        println!(
            "  point your apps at {scheme}://{}{}",
            reachable(*address),
            server.settings.listen_base_path
        );
        if server.mode() == Mode::Observe {
            println!(
                "  observing: the server answers everything; `greenroom observe` tells what would be saved"
            );
        }
        if server.settings.token.is_none() {
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
    let kind = server.settings.kind.name();
    let at = server.origin.authority();
    let began_ms = server.clock.now_ms();
    match greeting::greet(server).await {
        Greeting::Found { name: own, version } => {
            let own = own.map(|own| format!(" \"{own}\"")).unwrap_or_default();
            let took_ms = server.clock.now_ms().saturating_sub(began_ms);
            format!("{name}: found {kind}{own} {version} at {at} in {took_ms} ms")
        }
        Greeting::Emby { version } => {
            format!(
                "{name}: what answers at {at} is Emby {version}, which is not supported yet; its apps are told so"
            )
        }
        Greeting::Foreign => {
            format!("{name}: what answers at {at} is not a {kind} server; check kind and url")
        }
        Greeting::Troubled(status) => {
            format!(
                "{name}: {kind} at {at} answers {status}: it is starting or in trouble; it will be asked again"
            )
        }
        Greeting::Distrusted(reason) => format!("{name}: {kind} at {at} is not asked: {reason}"),
        Greeting::Silent(reason) => {
            format!("{name}: {kind} at {at} does not answer ({reason}); it will be asked again")
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
