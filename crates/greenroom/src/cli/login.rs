//! `greenroom login plex|jellyfin`: writes an owner token straight into a file.

use std::fs::DirBuilder;
use std::io::{BufRead, IsTerminal};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use greenroom_dialect::credential::Secret;
use greenroom_dialect::login::LoginDevice;
use greenroom_dialect::login::jellyfin::LoginGrant;
use greenroom_dialect::login::plex::{AccountServer, AddressScope, PinFormat};
use greenroom_dialect::permissions::Permissions;
use greenroom_dialect::request::ServerKind;
use greenroom_dialect::server_identity::ServerIdentity;
use serde_json::json;

use super::output::note;
use super::progress::ProgressLine;
use super::{USAGE_ERROR, block_on, exit_code, fail, token, usage_error};
use greenroom_config::Endpoint;
use greenroom_config::shell_quote::quoted;
use greenroom_config::source::is_server_name;
use greenroom_origin::login::{self, LoginClient, LoginError, jellyfin, plex};
use greenroom_origin::probe_client::ProbeError;
use greenroom_state::secrets;
use greenroom_state::secrets::{DataDir, new_token};

/// Names whose token file would be mistaken for one of Greenroom's own.
const RESERVED_NAMES: [&str; 4] = ["control", "identity", "webhook", "device"];
/// Longest password that is read, in bytes.
const MAX_PASSWORD_BYTES: usize = 1024;

#[derive(Debug, Subcommand)]
pub(super) enum LoginCommand {
    /// Get a token for a Plex server, by confirming in a browser
    Plex(PlexLoginArgs),
    /// Get a token for a Jellyfin server: by Quick Connect, or by name and password
    Jellyfin(JellyfinLoginArgs),
}

#[derive(Debug, Args)]
pub(super) struct PlexLoginArgs {
    /// Show a short code to type at plex.tv/link instead of an address to open
    #[arg(long)]
    short_code: bool,
    /// Your server's address, where the token is then tested [default: the only server of the account]
    #[arg(long, value_name = "URL")]
    server_url: Option<String>,
    /// Address of the account service
    #[arg(long, value_name = "URL", default_value = "https://plex.tv")]
    plex_tv: String,
    #[command(flatten)]
    output: TokenOutputArgs,
}

#[derive(Debug, Args)]
pub(super) struct JellyfinLoginArgs {
    /// Your server's address, such as http://192.168.1.10:8096
    #[arg(long, value_name = "URL")]
    url: String,
    /// Log in by name and password instead of a code; the password is prompted for, or read from standard input
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    #[command(flatten)]
    output: TokenOutputArgs,
}

#[derive(Debug, Args)]
struct TokenOutputArgs {
    /// Name of the server in the configuration [default: plex or jellyfin]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// File for the token [default: NAME.token in the data directory]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print JSON; what is to be done in the browser goes to standard error
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data_dir_args: token::DataDirArgs,
}

/// File that receives the token.
struct TokenTarget {
    name: String,
    file: PathBuf,
    device: LoginDevice,
    as_json: bool,
}

pub(super) fn run(command: &LoginCommand) -> u8 {
    let done = match command {
        LoginCommand::Plex(arguments) => {
            let (Some(account), Some(server)) =
                (address(&arguments.plex_tv), parse_optional_endpoint(arguments.server_url.as_deref()))
            else {
                return USAGE_ERROR;
            };
            arguments.output.target(ServerKind::Plex).map(|target| {
                block_on(async { exit_code(plex_login(arguments, &account, server.as_ref(), &target).await) })
            })
        }
        LoginCommand::Jellyfin(arguments) => {
            let Some(endpoint) = address(&arguments.url) else { return USAGE_ERROR };
            arguments
                .output
                .target(ServerKind::Jellyfin)
                .map(|target| block_on(async { exit_code(jellyfin_login(arguments, &endpoint, &target).await) }))
        }
    };
    done.unwrap_or_else(|code| code)
}

fn explain(error: &LoginError) -> String {
    format!("{error}\n  {}", error.remedy())
}

async fn plex_login(
    arguments: &PlexLoginArgs,
    account: &Endpoint,
    server_endpoint: Option<&Endpoint>,
    target: &TokenTarget,
) -> Result<(), String> {
    let client = LoginClient::new(target.device.clone());
    let format = if arguments.short_code { PinFormat::ShortCode } else { PinFormat::Link };
    let pin = plex::begin(&client, account, format).await.map_err(|error| explain(&error))?;
    match format {
        PinFormat::ShortCode => note!("open {} and type this code: {}", pin.address, pin.code),
        PinFormat::Link => note!(
            "open this address in a browser, log in as the owner of the server, and confirm:\n  {}\n(code: {})",
            pin.address,
            pin.code
        ),
    }
    let line = ProgressLine::new();
    let result = plex::wait(&client, account, &pin, |left_s| count_down(&line, left_s)).await;
    drop(line);
    let account_token = result.map_err(|error| explain(&error))?;
    let servers = match plex::servers(&client, account, &account_token).await {
        Ok(servers) => servers,
        Err(error) => {
            eprintln!("the account's servers cannot be listed: {error}");
            Vec::new()
        }
    };
    let server = match server_endpoint {
        Some(endpoint) => {
            let identity = plex::identity(&client, endpoint).await;
            warn_of_other_server(endpoint, identity.as_ref());
            let found = identity.as_ref().and_then(ServerIdentity::expected);
            plex::at(&servers, endpoint, found.and_then(|found| found.id.as_deref()))
        }
        None => plex::only_owned(&servers),
    };
    let is_account_token = server.is_none_or(|server| server.token.is_none());
    let token = server.and_then(|server| server.token.clone()).unwrap_or(account_token);
    target.write(&token)?;
    show_servers(&servers);
    if is_account_token {
        note!("{}", account_token_warning(server_endpoint));
    }
    let url = server_endpoint.map(Endpoint::url).or_else(|| server.and_then(plex::url_of));
    if let Some(endpoint) = server_endpoint {
        let permissions = login::permissions(&client.probe_client, ServerKind::Plex, endpoint, &token).await;
        note!("{}", describe_permissions(endpoint, &permissions));
    } else if server.is_some_and(|server| !server.owned) {
        note!("you do not own this server, so its events cannot be received; everything else works");
    }
    target.print_next_steps(ServerKind::Plex, url.as_deref());
    Ok(())
}

/// Warns if another kind of server than a Plex answers at `endpoint`. The token is good all the same.
fn warn_of_other_server(endpoint: &Endpoint, identity: Option<&ServerIdentity>) {
    if let Some(
        identity @ (ServerIdentity::OtherKind(_) | ServerIdentity::Emby { .. } | ServerIdentity::Unrecognized(_)),
    ) = identity
    {
        eprintln!("{} is not a Plex server: {identity}", endpoint.url());
    }
}

async fn jellyfin_login(
    arguments: &JellyfinLoginArgs,
    endpoint: &Endpoint,
    target: &TokenTarget,
) -> Result<(), String> {
    let client = LoginClient::new(target.device.clone());
    jellyfin::verify_server(&client, endpoint).await.map_err(|error| explain(&error))?;
    let grant = match &arguments.user {
        Some(name) => by_name(&client, endpoint, name).await?,
        None => match jellyfin::begin(&client, endpoint).await {
            Ok(code) => {
                note!(
                    "open {} in a browser, log in as an administrator, choose \"Quick Connect\" in your user's menu, \
                     and type this code: {}",
                    endpoint.url(),
                    code.code
                );
                let line = ProgressLine::new();
                let result = jellyfin::wait(&client, endpoint, &code, |left_s| count_down(&line, left_s)).await;
                drop(line);
                result.map_err(|error| explain(&error))?
            }
            Err(LoginError::CodesOff) if std::io::stdin().is_terminal() => {
                note!("{}: log in with name and password instead", LoginError::CodesOff);
                let name = prompt("user: ")?;
                by_name(&client, endpoint, &name).await?
            }
            Err(error) => return Err(explain(&error)),
        },
    };
    target.write(&grant.token)?;
    note!("logged in as {}", grant.user);
    if !grant.admin {
        note!("this user is not an administrator: changes by other users are noticed later; everything else works");
    }
    target.print_next_steps(ServerKind::Jellyfin, Some(&endpoint.url()));
    Ok(())
}

async fn by_name(client: &LoginClient, endpoint: &Endpoint, name: &str) -> Result<LoginGrant, String> {
    let password = password(name)?;
    jellyfin::by_name(client, endpoint, name, &password).await.map_err(|error| explain(&error))
}

/// Warning where no token for a single server was available.
fn account_token_warning(server_endpoint: Option<&Endpoint>) -> String {
    let reason = match server_endpoint {
        Some(endpoint) => format!("none of the account's servers is known to be at {}", endpoint.url()),
        None => "the account does not have exactly one server; choose one with --server-url URL".into(),
    };
    format!("{reason}\n  the token is the account's own: it gives access to the account and all its servers")
}

/// Describes the result of testing a token at the server.
fn describe_permissions(endpoint: &Endpoint, permissions: &Result<Permissions, ProbeError>) -> String {
    let url = endpoint.url();
    match permissions {
        Ok(Permissions::Owner | Permissions::App) => format!("{url} accepts the token, with the owner's rights"),
        Ok(Permissions::Member | Permissions::Key) => {
            format!("{url} accepts the token, without the owner's rights, so its events cannot be received")
        }
        Ok(Permissions::Refused) => {
            format!("{url} rejects the token; check that this server is linked to the account")
        }
        Ok(Permissions::Unclear(status)) => format!("{url} responds with status {status}; try `greenroom doctor`"),
        Err(error) => format!("{url} does not answer: {error}; try `greenroom doctor`"),
    }
}

fn show_servers(servers: &[AccountServer]) {
    if servers.is_empty() {
        return;
    }
    note!("servers of the account:");
    for server in servers {
        let owner = if server.owned { "yours" } else { "shared with you" };
        note!("  {} {} ({owner})", server.name, server.version);
        for address in &server.addresses {
            let location = match address.scope {
                AddressScope::Home => "at home",
                AddressScope::Public => "from outside",
                AddressScope::Relay => "by relay, slowly",
            };
            note!("    {}:{}  {location}; encrypted: {}", address.host, address.port, address.url);
        }
    }
}

impl TokenOutputArgs {
    fn target(&self, kind: ServerKind) -> Result<TokenTarget, u8> {
        let name = self.name.clone().unwrap_or_else(|| kind.name().to_owned());
        if !is_server_name(&name) || RESERVED_NAMES.contains(&name.as_str()) {
            return Err(usage_error(&format!(
                "--name must be up to 40 lower-case letters, digits and \"-\", and none of {}",
                RESERVED_NAMES.join(", ")
            )));
        }
        let folder = self.data_dir_args.folder()?;
        let data_dir = DataDir::open(&folder);
        let file = match (&self.output, &data_dir) {
            (Some(file), _) => file.clone(),
            (None, Ok(dir)) => dir.path().join(format!("{name}.token")),
            (None, Err(reason)) => {
                return Err(fail(&format!("{reason}\n  or choose the token file with --output FILE")));
            }
        };
        if let Err(reason) = secrets::may_hold_server_token(&file) {
            return Err(usage_error(&reason));
        }
        let device = LoginDevice {
            identifier: new_token(),
            name: format!("Greenroom on {}", machine_name()),
            version: env!("CARGO_PKG_VERSION").into(),
        };
        Ok(TokenTarget { name, file, device, as_json: self.json })
    }
}

impl TokenTarget {
    fn write(&self, token: &Secret) -> Result<(), String> {
        if let Some(folder) = self.file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            let created = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            created.map_err(|error| secrets::explain(folder, &error))?;
        }
        secrets::write(&self.file, token.expose().as_bytes()).map_err(|error| secrets::explain(&self.file, &error))
    }

    /// Prints how to use the token.
    fn print_next_steps(&self, kind: ServerKind, url: Option<&str>) {
        let file = std::path::absolute(&self.file).unwrap_or_else(|_| self.file.clone());
        let (kind, path) = (kind.name(), file.display());
        if self.as_json {
            println!("{}", json!({ "name": self.name, "kind": kind, "url": url, "token_file": file }));
            return;
        }
        note!("the token is in {path}; only this user may read it");
        note!("\nin the configuration file:\n");
        note!("[[server]]\nname       = \"{}\"\nkind       = \"{kind}\"", self.name);
        note!("url        = \"{}\"", url.unwrap_or("http://ADDRESS:32400"));
        note!("token_file = {}", toml::Value::from(file.to_string_lossy().as_ref()));
        note!("\nor without one:\n");
        let (url, file) = (quoted(url.unwrap_or("http://ADDRESS:32400")), file.to_string_lossy());
        note!("greenroom serve --{kind} {url} --token-file {}", quoted(&file));
    }
}

/// The machine's name, reduced to what a header may contain.
fn machine_name() -> String {
    let hostname = std::fs::read_to_string(Path::new("/proc/sys/kernel/hostname")).unwrap_or_default();
    let plain: String = hostname.trim().chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    if plain.is_empty() { "this machine".to_owned() } else { plain }
}

fn address(text: &str) -> Option<Endpoint> {
    let endpoint = Endpoint::parse(text);
    if endpoint.is_none() {
        usage_error("an address must look like http://ADDRESS:PORT or https://NAME/BASE");
    }
    endpoint
}

/// `Some(None)` for empty input, `None` for an invalid address.
#[expect(clippy::option_option, reason = "no address and an invalid address are two things")]
fn parse_optional_endpoint(text: Option<&str>) -> Option<Option<Endpoint>> {
    match text {
        None => Some(None),
        Some(text) => address(text).map(Some),
    }
}

fn prompt(label: &str) -> Result<String, String> {
    eprint!("{label}");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| format!("standard input cannot be read: {error}"))?;
    Ok(line.trim().to_owned())
}

/// Reads the password from the terminal without echo, else the first line of standard input.
fn password(name: &str) -> Result<Secret, String> {
    let read = if std::io::stdin().is_terminal() {
        rpassword::prompt_password(format!("password of {name}: ")).map_err(|error| error.to_string())
    } else {
        prompt("")
    };
    let text = read?;
    if text.len() > MAX_PASSWORD_BYTES {
        return Err(format!("the password is longer than {MAX_PASSWORD_BYTES} bytes"));
    }
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

/// Shows the code's remaining time.
fn count_down(line: &ProgressLine, left_s: u64) {
    line.show_step(&format!("waiting; the code is valid for {left_s} s"));
}
