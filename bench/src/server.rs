//! The compared servers, each a child process in front of the same origin.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;

/// Time that a server may take to open its port.
const START: Duration = Duration::from_secs(20);

/// Greenroom spot-checks up to six responses a minute. A round may touch two minutes.
const SPOT_CHECKS: u64 = 12;

/// A running server.
pub(crate) struct BenchServer {
    /// Name in the tables.
    pub(crate) name: &'static str,
    /// Listening port.
    pub(crate) port: u16,
    /// Own requests it may send to the origin during a round.
    pub(crate) background_requests: u64,
    child: Child,
}

impl BenchServer {
    /// Its first process, the parent of the others.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Starts a program, and waits until its port answers.
    pub(crate) async fn start(name: &'static str, port: u16, command: &mut Command) -> Result<Self, String> {
        Self::start_within(START, name, port, command).await
    }

    /// The same for a program that may take this long.
    pub(crate) async fn start_within(
        start: Duration,
        name: &'static str,
        port: u16,
        command: &mut Command,
    ) -> Result<Self, String> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let child = child.map_err(|error| format!("{name} does not start: {error}"))?;
        let mut peer = Self { name, port, background_requests: 0, child };
        let opened = async {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(start, opened).await {
            Ok(()) => Ok(peer),
            Err(_) => Err(format!("{name} does not answer; it says {:?}", peer.child.try_wait())),
        }
    }
}

impl Drop for BenchServer {
    fn drop(&mut self) {
        // SIGTERM, so that it ends its own children.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        // An error means that it has ended already.
        let _ = self.child.wait();
    }
}

/// A port that is free at the moment.
pub(crate) fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    listener.local_addr().map(|address| address.port()).map_err(|error| error.to_string())
}

/// Starts this program in another role, `origin` or `bare`.
pub(crate) async fn start_role(role: &'static str) -> Result<BenchServer, String> {
    let port = free_port()?;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    BenchServer::start(role, port, Command::new(program).args([role, &port.to_string()])).await
}

/// No spot checks.
pub(crate) const QUIET: &str = "[statistics]\nspot_check_one_in = 0\n";

/// The gateway as users run it: everything on, except that responses and grants outlive the run. `program` is another
/// build than the one beside this program, `more` are further tables of the configuration.
pub(crate) async fn greenroom(
    name: &'static str,
    program: Option<&str>,
    origin: u16,
    folder: &Path,
    more: &str,
) -> Result<BenchServer, String> {
    let port = free_port()?;
    let file = greenroom_configuration(name, port, origin, folder, more)?;
    start_greenroom(name, program, port, &file).await
}

/// The gateway in front of the origin as a server of any HTTP API, whose responses live as long and belong to the token.
pub(crate) async fn greenroom_for_http(name: &'static str, origin: u16, folder: &Path) -> Result<BenchServer, String> {
    let (port, control, folder_text) = (free_port()?, free_port()?, folder.display());
    let text = format!(
        r#"data_dir = "{folder_text}/{name}"
[control]
listen = "127.0.0.1:{control}"
[[server]]
name = "bench"
kind = "http"
url = "http://127.0.0.1:{origin}"
listen = "127.0.0.1:{port}"
credential_headers = ["x-plex-token"]
[[server.route]]
path = "/library/sections/{{section}}/all"
fresh_s = 3600
"#
    );
    let file = write(folder, &format!("{name}.toml"), &text)?;
    start_greenroom(name, None, port, &file).await
}

async fn start_greenroom(
    name: &'static str,
    program: Option<&str>,
    port: u16,
    file: &Path,
) -> Result<BenchServer, String> {
    let program = program.map_or_else(own_program, |program| Ok(program.into()))?;
    let mut command = Command::new(program);
    command.arg("serve").arg("--config").arg(file).stderr(Stdio::null());
    let mut peer = BenchServer::start(name, port, &mut command).await?;
    peer.background_requests = SPOT_CHECKS;
    Ok(peer)
}

/// The build of the gateway beside this program.
pub(crate) fn own_program() -> Result<PathBuf, String> {
    std::env::current_exe().map(|own| own.with_file_name("greenroom")).map_err(|error| error.to_string())
}

/// A configuration file of the gateway.
pub(crate) fn greenroom_configuration(
    name: &str,
    port: u16,
    origin: u16,
    folder: &Path,
    more: &str,
) -> Result<PathBuf, String> {
    let control = free_port()?;
    let folder_text = folder.display();
    let text = format!(
        r#"data_dir = "{folder_text}/{name}"
[control]
listen = "127.0.0.1:{control}"
{more}
[[server]]
name = "bench"
kind = "plex"
url = "http://127.0.0.1:{origin}"
listen = "127.0.0.1:{port}"
auth_ttl_s = 3600
[server.lifetimes.lists]
fresh_s = 3600
[server.lifetimes.item]
fresh_s = 3600
"#
    );
    write(folder, &format!("{name}.toml"), &text)
}

/// nginx as Debian configures it, without access log. The second port is the same with `proxy_cache_lock`.
///
/// Only `tcp_nopush` stays off: with it, responses of 64 KiB wait 40 ms each for the client's acknowledgement here.
pub(crate) async fn nginx(
    name: &'static str,
    origin: u16,
    folder: &Path,
    extra: &str,
) -> Result<(BenchServer, u16), String> {
    let (port, locked) = (free_port()?, free_port()?);
    let folder = folder.join(name.replace([' ', '+'], ""));
    let at = folder.display();
    let server = |port: u16, lock: &str| {
        format!(
            "server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://origin; proxy_http_version 1.1;
              proxy_set_header Connection \"\"; proxy_cache kept; proxy_cache_valid 200 1h;
              proxy_ignore_headers Cache-Control; proxy_cache_lock {lock}; }} }}"
        )
    };
    let file = write(
        &folder,
        "nginx.conf",
        &format!(
            "user root; worker_processes auto; pid {at}/pid; error_log {at}/error.log; daemon off;
             events {{ worker_connections 768; }}
             http {{ sendfile on; access_log off; keepalive_requests 1000000000; gzip on;
               proxy_cache_path {at}/cache keys_zone=kept:10m; proxy_temp_path {at}/temp;
               client_body_temp_path {at}/body; fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi;
               scgi_temp_path {at}/scgi; {extra}
               upstream origin {{ server 127.0.0.1:{origin}; keepalive 16; }}
               {} {} }}",
            server(port, "off"),
            server(locked, "on"),
        ),
    )?;
    let mut command = Command::new(program("nginx"));
    let peer = BenchServer::start(name, port, command.arg("-c").arg(file).arg("-p").arg(&folder).stderr(Stdio::null()));
    Ok((peer.await?, locked))
}

/// Varnish with its defaults, in memory.
pub(crate) async fn varnish(origin: u16, folder: &Path) -> Result<BenchServer, String> {
    let port = free_port()?;
    let file = write(
        folder,
        "bench.vcl",
        &format!(
            "vcl 4.1;
             backend default {{ .host = \"127.0.0.1\"; .port = \"{origin}\"; }}
             sub vcl_backend_response {{ set beresp.ttl = 1h; return (deliver); }}"
        ),
    )?;
    let mut command = Command::new(program("varnishd"));
    command.arg("-F").arg("-f").arg(file).args(["-a", &format!("127.0.0.1:{port}")]);
    command.args(["-s", "malloc,256m", "-j", "none", "-T", "none", "-p", "timeout_idle=75"]);
    command.arg("-n").arg(folder.join("varnish")).stderr(Stdio::null());
    BenchServer::start("Varnish", port, &mut command).await
}

/// Finds a program also in folders that Debian keeps out of an ordinary user's path.
fn program(name: &str) -> PathBuf {
    let usual = Path::new("/usr/sbin").join(name);
    if usual.exists() { usual } else { name.into() }
}

/// Writes a configuration file of a server.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf, String> {
    let file = folder.join(name);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&file, text))
        .map(|()| file)
        .map_err(|error| format!("{}: {error}", folder.display()))
}
