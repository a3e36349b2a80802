//! `greenroom login plex|jellyfin`: a token of the owner, straight into a file.

use std::fs::DirBuilder;
use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use greenroom_dialect::ask::Kind;
use greenroom_dialect::credential::Secret;
use greenroom_dialect::login::Device;
use greenroom_dialect::login::jellyfin::Grant;
use greenroom_dialect::login::plex::{AccountServer, Form, Reach};
use greenroom_dialect::rights::Rights;
use greenroom_dialect::server_identity::ServerIdentity;

use super::{DONE, FAILED, MISUSED, block_on, token};
use crate::shell_quote::quoted;
use greenroom_config::Place;
use greenroom_config::tree::is_server_name;
use greenroom_origin::login::{self, Desk, Trouble, jellyfin, plex};
use greenroom_origin::probe_client::Silence;
use greenroom_state::secrets;
use greenroom_state::secrets::{DataDir, new_token};

/// Names whose token file would be taken for one of our own.
const RESERVED: [&str; 4] = ["control", "identity", "webhook", "device"];
/// Longest password that is read.
const MAX_PASSWORD: usize = 1024;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Get a token for a Plex server: open an address in a browser, agree, done
    Plex(Plex),
    /// Get a token for a Jellyfin server: by Quick Connect, or by name and password
    Jellyfin(Jellyfin),
}

#[derive(Debug, Args)]
pub(super) struct Plex {
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
    output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Jellyfin {
    /// Your server's address, such as http://192.168.1.10:8096
    #[arg(long, value_name = "URL")]
    url: String,
    /// Log in by name and password instead of a code; the password is asked for, or read from standard input
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
struct Output {
    /// What the server is called in the configuration [default: plex or jellyfin]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where the token is written [default: NAME.token in the data directory]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    place: token::Place,
}

/// Where the token goes.
struct Target {
    name: String,
    file: PathBuf,
    device: Device,
}

pub(super) fn run(command: &Command) -> u8 {
    let done = match command {
        Command::Plex(typed) => {
            let (Some(account), Some(server)) =
                (address(&typed.plex_tv), optional(typed.server_url.as_deref()))
            else {
                return MISUSED;
            };
            typed.output.target(Kind::Plex).map(|target| {
                block_on(async { told(plex_login(typed, &account, server.as_ref(), &target).await) })
            })
        }
        Command::Jellyfin(typed) => {
            let Some(place) = address(&typed.url) else { return MISUSED };
            typed
                .output
                .target(Kind::Jellyfin)
                .map(|target| block_on(async { told(jellyfin_login(typed, &place, &target).await) }))
        }
    };
    done.unwrap_or_else(|code| code)
}

fn told(outcome: Result<(), String>) -> u8 {
    match outcome {
        Ok(()) => DONE,
        Err(reason) => {
            eprintln!("greenroom: {reason}");
            FAILED
        }
    }
}

fn explained(trouble: &Trouble) -> String {
    format!("{trouble}\n  {}", trouble.remedy())
}

async fn plex_login(
    typed: &Plex,
    account: &Place,
    wanted: Option<&Place>,
    target: &Target,
) -> Result<(), String> {
    let desk = Desk::new(target.device.clone());
    let form = if typed.short_code { Form::Typed } else { Form::Followed };
    let begun = plex::begin(&desk, account, form).await.map_err(|trouble| explained(&trouble))?;
    match form {
        Form::Typed => println!("open {} and type this code: {}", begun.address, begun.code),
        Form::Followed => println!(
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
        println!("{}", of_account(wanted));
    }
    let url = wanted.map(Place::url).or_else(|| server.and_then(plex::url_of));
    if let Some(place) = wanted {
        let rights = login::rights(&desk.enquirer, Kind::Plex, place, &token).await;
        println!("{}", judged(place, &rights));
    } else if server.is_some_and(|server| !server.owned) {
        println!("this server is not yours: its events stay hidden, everything else works");
    }
    target.tell(Kind::Plex, url.as_deref());
    Ok(())
}

/// Says so if something answers at `place` that is not a Plex. The token is good all the same.
fn warn_of_another(place: &Place, identity: Option<&ServerIdentity>) {
    if let Some(
        identity @ (ServerIdentity::OtherKind(_)
        | ServerIdentity::Emby { .. }
        | ServerIdentity::SomethingElse(_)),
    ) = identity
    {
        eprintln!("what answers at {} is not a Plex server: {identity}", place.url());
    }
}

async fn jellyfin_login(typed: &Jellyfin, place: &Place, target: &Target) -> Result<(), String> {
    let desk = Desk::new(target.device.clone());
    jellyfin::recognise(&desk, place).await.map_err(|trouble| explained(&trouble))?;
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
            Err(Trouble::CodesOff) if std::io::stdin().is_terminal() => {
                println!("{}: log in by name and password instead", Trouble::CodesOff);
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
    target.tell(Kind::Jellyfin, Some(&place.url()));
    Ok(())
}

async fn by_name(desk: &Desk, place: &Place, name: &str) -> Result<Grant, String> {
    let password = password(name)?;
    jellyfin::by_name(desk, place, name, &password).await.map_err(|trouble| explained(&trouble))
}

/// What is said where no token for one server alone was to be had.
fn of_account(wanted: Option<&Place>) -> String {
    let why = match wanted {
        Some(place) => format!("none of the account's servers is known to be the one at {}", place.url()),
        None => "it is not clear which server is meant; say it with --server-url URL".into(),
    };
    format!(
        "{why}\n  the token is the account's own: whoever has it has all servers of the account, and the account"
    )
}

/// What the trial of a token at the server says.
fn judged(place: &Place, rights: &Result<Rights, Silence>) -> String {
    let url = place.url();
    match rights {
        Ok(Rights::Owner) => format!("{url} accepts the token, with the owner's rights"),
        Ok(Rights::Member | Rights::Key) => {
            format!("{url} accepts the token, without the owner's rights: its events stay hidden")
        }
        Ok(Rights::Refused) => {
            format!("{url} does not accept the token: is that server linked to this account?")
        }
        Ok(Rights::Unclear(status)) => format!("{url} answers {status}; try `greenroom doctor`"),
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
            let reach = match address.reach {
                Reach::Home => "at home",
                Reach::Public => "from outside",
                Reach::Relay => "by relay, slowly",
            };
            println!("    {}:{}  {reach}; encrypted: {}", address.host, address.port, address.url);
        }
    }
}

impl Output {
    fn target(&self, kind: Kind) -> Result<Target, u8> {
        let name = self.name.clone().unwrap_or_else(|| kind.name().to_owned());
        if !is_server_name(&name) || RESERVED.contains(&name.as_str()) {
            eprintln!(
                "greenroom: --name takes small letters, digits and \"-\", up to 40 of them, and none of {}",
                RESERVED.join(", ")
            );
            return Err(MISUSED);
        }
        let folder = self.place.folder()?;
        let data_dir = DataDir::open(&folder);
        let file = match (&self.output, &data_dir) {
            (Some(file), _) => file.clone(),
            (None, Ok(dir)) => dir.path().join(format!("{name}.token")),
            (None, Err(reason)) => {
                eprintln!(
                    "greenroom: {reason}\n  or say with --output FILE where the token is to be written"
                );
                return Err(FAILED);
            }
        };
        if let Err(reason) = secrets::may_hold_server_token(&file) {
            eprintln!("greenroom: {reason}");
            return Err(MISUSED);
        }
        // Without a place to keep it this login looks like one more device: no reason not to log in.
        let identifier = data_dir.and_then(|dir| dir.device_id()).unwrap_or_else(|_| new_token());
        let device = Device {
            identifier,
            name: format!("Greenroom on {}", machine_name()),
            version: env!("CARGO_PKG_VERSION").into(),
        };
        Ok(Target { name, file, device })
    }
}

impl Target {
    fn write(&self, token: &Secret) -> Result<(), String> {
        if let Some(folder) = self.file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(|error| secrets::explain(folder, &error))?;
        }
        secrets::write(&self.file, token.expose().as_bytes())
            .map_err(|error| secrets::explain(&self.file, &error))
    }

    /// What to do with it.
    fn tell(&self, kind: Kind, url: Option<&str>) {
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

/// How this machine calls itself, as far as it may stand in a header.
fn machine_name() -> String {
    let said = std::fs::read_to_string(Path::new("/proc/sys/kernel/hostname")).unwrap_or_default();
    let plain: String = said.trim().chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    if plain.is_empty() { "this machine".to_owned() } else { plain }
}

fn address(text: &str) -> Option<Place> {
    let place = Place::parse(text);
    if place.is_none() {
        eprintln!("greenroom: an address looks like http://ADDRESS:PORT or https://NAME/BASE");
    }
    place
}

/// `Some(None)` if nothing was said, `None` if what was said is no address.
#[expect(clippy::option_option, reason = "nothing said and something wrong said are two things")]
fn optional(text: Option<&str>) -> Option<Option<Place>> {
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

/// From the terminal without showing it, else the first line of standard input.
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

/// Shows how long the code is still good, on one line, if somebody looks.
fn count_down(left_s: u64) {
    let mut errors = std::io::stderr();
    if errors.is_terminal() {
        // A line that cannot be shown is not worth ending for.
        drop(write!(errors, "\rwaiting; the code is good for {left_s} s  "));
        drop(errors.flush());
    }
}

fn end_count_down() {
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
}
