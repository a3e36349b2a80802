//! `greenroom login plex|jellyfin`: writes an owner token straight into a file.

use std::fs::DirBuilder;
use std::io::{BufRead, IsTerminal, Write};
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

use super::{DONE, FAILED, MISUSED, block_on, token};
use crate::shell_quote::quoted;
use greenroom_config::Endpoint;
use greenroom_config::source::is_server_name;
use greenroom_origin::login::{self, LoginClient, LoginError, jellyfin, plex};
use greenroom_origin::probe_client::ProbeError;
use greenroom_state::secrets;
use greenroom_state::secrets::{DataDir, new_token};

/// Names whose token file would be mistaken for one of Greenroom's own.
const RESERVED: [&str; 4] = ["control", "identity", "webhook", "device"];
/// Longest password that is read, in bytes.
const MAX_PASSWORD: usize = 1024;

#[derive(Debug, Subcommand)]
pub(super) enum LoginCommand {
    /// Get a token for a Plex server: open an address in a browser, agree, done
    Plex(PlexLoginArgs),
    /// Get a token for a Jellyfin server: by Quick Connect, or by name and password
    Jellyfin(JellyfinLoginArgs),
}

#[derive(Debug, Args)]
pub(super) struct PlexLoginArgs {
    /// Show a short code to type at plex.tv/link instead of an address to open
    #[arg(long)]
    short_code: bool,
    /// Your server's address; then the token is tried there [default: the only server of the account]
    #[arg(long, value_name = "URL")]
    server_url: Option<String>,
    /// The account service
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
    /// Log in by name and password instead of a code; the password is asked for, or read from standard input
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    #[command(flatten)]
    output: TokenOutputArgs,
}

#[derive(Debug, Args)]
struct TokenOutputArgs {
    /// What the server is called in the configuration [default: plex or jellyfin]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where the token is written [default: NAME.token in the data directory]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    data_dir_args: token::DataDirArgs,
}

/// File that receives the token.
struct TokenTarget {
    name: String,
    file: PathBuf,
    device: LoginDevice,
}

pub(super) fn run(command: &LoginCommand) -> u8 {
    let done = match command {
        LoginCommand::Plex(typed) => {
            let (Some(account), Some(server)) = (address(&typed.plex_tv), optional(typed.server_url.as_deref())) else {
                return MISUSED;
            };
            typed.output.target(ServerKind::Plex).map(|target| {
                block_on(async { exit_code(plex_login(typed, &account, server.as_ref(), &target).await) })
            })
        }
        LoginCommand::Jellyfin(typed) => {
            let Some(place) = address(&typed.url) else { return MISUSED };
            typed
                .output
                .target(ServerKind::Jellyfin)
                .map(|target| block_on(async { exit_code(jellyfin_login(typed, &place, &target).await) }))
        }
    };
    done.unwrap_or_else(|code| code)
}

fn exit_code(outcome: Result<(), String>) -> u8 {
    match outcome {
        Ok(()) => DONE,
        Err(reason) => {
            eprintln!("greenroom: {reason}");
            FAILED
        }
    }
}

fn explained(trouble: &LoginError) -> String {
    format!("{trouble}\n  {}", trouble.remedy())
}

async fn plex_login(
    typed: &PlexLoginArgs,
    account: &Endpoint,
    wanted: Option<&Endpoint>,
    target: &TokenTarget,
) -> Result<(), String> {
    let desk = LoginClient::new(target.device.clone());
    let form = if typed.short_code { PinFormat::ShortCode } else { PinFormat::Link };
    let begun = plex::begin(&desk, account, form).await.map_err(|trouble| explained(&trouble))?;
    match form {
        PinFormat::ShortCode => println!("open {} and type this code: {}", begun.address, begun.code),
        PinFormat::Link => println!(
            "open this address in a browser, log in as the owner of the server, and agree:\n  {}\n(code: {})",
            begun.address, begun.code
        ),
    }
    let agreed = plex::wait(&desk, account, &begun, count_down).await;
    end_count_down();
    let account_token = agreed.map_err(|trouble| explained(&trouble))?;
    let servers = match plex::servers(&desk, account, &account_token).await {
        Ok(servers) => servers,
        Err(trouble) => {
            eprintln!("the servers of the account are not told: {trouble}");
            Vec::new()
        }
    };
    let server = match wanted {
        Some(place) => {
            let identity = plex::identity(&desk, place).await;
            warn_of_another(place, identity.as_ref());
            let found = identity.as_ref().and_then(ServerIdentity::expected);
            plex::at(&servers, place, found.and_then(|found| found.id.as_deref()))
        }
        None => plex::only_owned(&servers),
    };
    let is_of_account = server.is_none_or(|server| server.token.is_none());
    let token = server.and_then(|server| server.token.clone()).unwrap_or(account_token);
    target.write(&token)?;
    show_servers(&servers);
    if is_of_account {
        println!("{}", account_token_warning(wanted));
    }
    let url = wanted.map(Endpoint::url).or_else(|| server.and_then(plex::url_of));
    if let Some(place) = wanted {
        let rights = login::permissions(&desk.probe_client, ServerKind::Plex, place, &token).await;
        println!("{}", describe_permissions(place, &rights));
    } else if server.is_some_and(|server| !server.owned) {
        println!("this server is not yours: its events stay hidden, everything else works");
    }
    target.print_next_steps(ServerKind::Plex, url.as_deref());
    Ok(())
}

/// Warns if another kind of server than a Plex answers at `data_dir_args`. The token is good all the same.
fn warn_of_another(place: &Endpoint, identity: Option<&ServerIdentity>) {
    if let Some(
        identity @ (ServerIdentity::OtherKind(_) | ServerIdentity::Emby { .. } | ServerIdentity::Unrecognized(_)),
    ) = identity
    {
        eprintln!("what answers at {} is not a Plex server: {identity}", place.url());
    }
}

async fn jellyfin_login(typed: &JellyfinLoginArgs, place: &Endpoint, target: &TokenTarget) -> Result<(), String> {
    let desk = LoginClient::new(target.device.clone());
    jellyfin::verify_server(&desk, place).await.map_err(|trouble| explained(&trouble))?;
    let grant = match &typed.user {
        Some(name) => by_name(&desk, place, name).await?,
        None => match jellyfin::begin(&desk, place).await {
            Ok(code) => {
                println!(
                    "open {} in a browser, log in as an administrator, choose your user's menu, \"Quick Connect\", \
                     and type this code: {}",
                    place.url(),
                    code.code
                );
                let agreed = jellyfin::wait(&desk, place, &code, count_down).await;
                end_count_down();
                agreed.map_err(|trouble| explained(&trouble))?
            }
            Err(LoginError::CodesOff) if std::io::stdin().is_terminal() => {
                println!("{}: log in by name and password instead", LoginError::CodesOff);
                let name = prompt("user: ")?;
                by_name(&desk, place, &name).await?
            }
            Err(trouble) => return Err(explained(&trouble)),
        },
    };
    target.write(&grant.token)?;
    println!("logged in as {}", grant.user);
    if !grant.admin {
        println!("this user is no administrator: what others change is noticed later, everything else works");
    }
    target.print_next_steps(ServerKind::Jellyfin, Some(&place.url()));
    Ok(())
}

async fn by_name(desk: &LoginClient, place: &Endpoint, name: &str) -> Result<LoginGrant, String> {
    let password = password(name)?;
    jellyfin::by_name(desk, place, name, &password).await.map_err(|trouble| explained(&trouble))
}

/// Warning where no token for a single server was available.
fn account_token_warning(wanted: Option<&Endpoint>) -> String {
    let why = match wanted {
        Some(place) => format!("none of the account's servers is known to be the one at {}", place.url()),
        None => "it is not clear which server is meant; say it with --server-url URL".into(),
    };
    format!("{why}\n  the token is the account's own: whoever has it has all servers of the account, and the account")
}

/// Describes the result of testing a token at the server.
fn describe_permissions(place: &Endpoint, rights: &Result<Permissions, ProbeError>) -> String {
    let url = place.url();
    match rights {
        Ok(Permissions::Owner) => format!("{url} accepts the token, with the owner's rights"),
        Ok(Permissions::Member | Permissions::Key) => {
            format!("{url} accepts the token, without the owner's rights: its events stay hidden")
        }
        Ok(Permissions::Refused) => {
            format!("{url} does not accept the token: is that server linked to this account?")
        }
        Ok(Permissions::Unclear(status)) => format!("{url} answers {status}; try `greenroom doctor`"),
        Err(silence) => format!("{url} does not answer: {silence}; try `greenroom doctor`"),
    }
}

fn show_servers(servers: &[AccountServer]) {
    if servers.is_empty() {
        return;
    }
    println!("servers of the account:");
    for server in servers {
        let whose = if server.owned { "yours" } else { "shared with you" };
        println!("  {} {} ({whose})", server.name, server.version);
        for address in &server.addresses {
            let reach = match address.scope {
                AddressScope::Home => "at home",
                AddressScope::Public => "from outside",
                AddressScope::Relay => "by relay, slowly",
            };
            println!("    {}:{}  {reach}; encrypted: {}", address.host, address.port, address.url);
        }
    }
}

impl TokenOutputArgs {
    fn target(&self, kind: ServerKind) -> Result<TokenTarget, u8> {
        let name = self.name.clone().unwrap_or_else(|| kind.name().to_owned());
        if !is_server_name(&name) || RESERVED.contains(&name.as_str()) {
            eprintln!(
                "greenroom: --name takes small letters, digits and \"-\", up to 40 of them, and none of {}",
                RESERVED.join(", ")
            );
            return Err(MISUSED);
        }
        let folder = self.data_dir_args.folder()?;
        let data_dir = DataDir::open(&folder);
        let file = match (&self.output, &data_dir) {
            (Some(file), _) => file.clone(),
            (None, Ok(dir)) => dir.path().join(format!("{name}.token")),
            (None, Err(reason)) => {
                eprintln!("greenroom: {reason}\n  or say with --output FILE where the token is to be written");
                return Err(FAILED);
            }
        };
        if let Err(reason) = secrets::may_hold_server_token(&file) {
            eprintln!("greenroom: {reason}");
            return Err(MISUSED);
        }
        // Without a data directory this login appears as one more device: no reason not to log in.
        let identifier = data_dir.and_then(|dir| dir.device_id()).unwrap_or_else(|_| new_token());
        let device = LoginDevice {
            identifier,
            name: format!("Greenroom on {}", machine_name()),
            version: env!("CARGO_PKG_VERSION").into(),
        };
        Ok(TokenTarget { name, file, device })
    }
}

impl TokenTarget {
    fn write(&self, token: &Secret) -> Result<(), String> {
        if let Some(folder) = self.file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(|error| secrets::explain(folder, &error))?;
        }
        secrets::write(&self.file, token.expose().as_bytes()).map_err(|error| secrets::explain(&self.file, &error))
    }

    /// Prints how to use the token.
    fn print_next_steps(&self, kind: ServerKind, url: Option<&str>) {
        let file = std::path::absolute(&self.file).unwrap_or_else(|_| self.file.clone());
        let (kind, path) = (kind.name(), file.display());
        println!("the token is in {path}; only this user may read it");
        println!("\nin the configuration file:\n");
        println!("[[server]]\nname       = \"{}\"\nkind       = \"{kind}\"", self.name);
        println!("url        = \"{}\"", url.unwrap_or("http://ADDRESS:32400"));
        println!("token_file = {}", toml::Value::from(file.to_string_lossy().as_ref()));
        println!("\nor without one:\n");
        let (url, file) = (quoted(url.unwrap_or("http://ADDRESS:32400")), file.to_string_lossy());
        println!("greenroom serve --{kind} {url} --token-file {}", quoted(&file));
    }
}

/// The machine's name, reduced to what a header may contain.
fn machine_name() -> String {
    let said = std::fs::read_to_string(Path::new("/proc/sys/kernel/hostname")).unwrap_or_default();
    let plain: String = said.trim().chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    if plain.is_empty() { "this machine".to_owned() } else { plain }
}

fn address(text: &str) -> Option<Endpoint> {
    let place = Endpoint::parse(text);
    if place.is_none() {
        eprintln!("greenroom: an address looks like http://ADDRESS:PORT or https://NAME/BASE");
    }
    place
}

/// `Some(None)` for empty input, `None` for an invalid address.
#[expect(clippy::option_option, reason = "nothing said and something wrong said are two things")]
fn optional(text: Option<&str>) -> Option<Option<Endpoint>> {
    match text {
        None => Some(None),
        Some(text) => address(text).map(Some),
    }
}

fn prompt(question: &str) -> Result<String, String> {
    eprint!("{question}");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| format!("nothing can be read: {error}"))?;
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
    if text.len() > MAX_PASSWORD {
        return Err("that is too long for a password".into());
    }
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

/// Shows the code's remaining time, on one line of a terminal.
fn count_down(left_s: u64) {
    let mut errors = std::io::stderr();
    if errors.is_terminal() {
        // A line that cannot be shown is no reason to end.
        drop(write!(errors, "\rwaiting; the code is good for {left_s} s  "));
        drop(errors.flush());
    }
}

fn end_count_down() {
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
}
