//! A server that is not what was typed: `serve` says what it found and what to type, in the doctor's words.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use greenroom_simulator::faults::Fault;
use greenroom_simulator::jellyfin::{Jellyfin, JellyfinOptions};
use greenroom_simulator::plex::{Plex, PlexOptions};
use greenroom_simulator::simulated_server::SimulatedServer;
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use crate::program::{command, folder, run};

/// Longest wait for a line of a program that runs.
const LINE_TIMEOUT: Duration = Duration::from_secs(60);

async fn plex() -> SimulatedServer {
    let address = "127.0.0.1:0".parse().expect("an address");
    Plex::new(PlexOptions::quick()).start(address, &TaskTracker::new()).await.expect("start the server")
}

async fn jellyfin() -> SimulatedServer {
    let address = "127.0.0.1:0".parse().expect("an address");
    Jellyfin::new(JellyfinOptions::quick()).start(address, &TaskTracker::new()).await.expect("start the server")
}

/// A running program, which ends with this value.
struct RunningProgram {
    child: Child,
    lines: Receiver<String>,
}

impl Drop for RunningProgram {
    fn drop(&mut self) {
        let _ = self.child.kill(); // It may have ended.
        let _ = self.child.wait();
    }
}

impl RunningProgram {
    fn start(home: &TempDir, arguments: &[&str]) -> Self {
        let mut child =
            command(home).args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("start");
        let output = child.stdout.take().expect("it has an output");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    /// Its output up to a line that begins with `last`.
    fn output_up_to(&self, last: &str) -> String {
        let mut text = String::new();
        loop {
            let line = self.lines.recv_timeout(LINE_TIMEOUT).unwrap_or_else(|_| panic!("{last:?} never came: {text}"));
            text += &line;
            text.push('\n');
            if line.trim_start().starts_with(last) {
                return text;
            }
        }
    }
}

/// Output of `greenroom serve` at its start with these arguments.
fn startup(arguments: &[&str]) -> String {
    let home = folder();
    let all = [&["serve", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"], arguments].concat();
    RunningProgram::start(&home, &all).output_up_to("page:")
}

/// The problems that the doctor finds with these arguments.
fn diagnosis(arguments: &[&str]) -> String {
    let all = [&["doctor", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"], arguments].concat();
    run(&folder(), &all).out
}

fn assert_holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_says_of_a_server_without_tls_what_the_doctor_says() {
    let server = plex().await;
    let encrypted = server.url().replace("http://", "https://");
    let parts = ["the server does not speak TLS, and url says https", &format!("type --plex {}", server.url())];
    assert_holds(&startup(&["--plex", &encrypted]), &parts);
    assert_holds(&diagnosis(&["--plex", &encrypted]), &parts);
    server.faults().set(Fault::EncryptedOnly);
    let parts = ["takes only encrypted requests", &format!("type --plex {encrypted}")];
    assert_holds(&startup(&["--plex", &server.url()]), &parts);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_names_the_server_it_found_and_the_option_for_it() {
    let (plex, jellyfin) = (plex().await, jellyfin().await);
    let text = startup(&["--plex", &jellyfin.url()]);
    assert_holds(&text, &["is a jellyfin server, not a plex server", &format!("type --jellyfin {}", jellyfin.url())]);
    let text = startup(&["--jellyfin", &plex.url()]);
    assert_holds(&text, &["is a plex server, not a jellyfin server", &format!("type --plex {}", plex.url())]);
    plex.stop().await;
    jellyfin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_copied_from_a_browser_is_answered_with_the_one_to_type() {
    let (plex, jellyfin) = (plex().await, jellyfin().await);
    for (option, server) in [("--plex", &plex), ("--jellyfin", &jellyfin)] {
        for page in ["/web/index.html", "/web/"] {
            let text = startup(&[option, &format!("{}{page}", server.url())]);
            assert_holds(
                &text,
                &["the server is there, but at another path", &format!("type {option} {}\n", server.url())],
            );
            assert!(!text.contains("point your apps at"), "{text}");
        }
    }
    // A Jellyfin's page, given for a Plex.
    let text = startup(&["--plex", &format!("{}/web/index.html", jellyfin.url())]);
    assert_holds(&text, &["jellyfin", &format!("type --jellyfin {}\n", jellyfin.url())]);
    plex.stop().await;
    jellyfin.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_owner_token_is_answered_with_a_command_and_a_setting() {
    let server = plex().await;
    let home = folder();
    let dir = home.path().join("my data").display().to_string();
    let options = ["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--data-dir", &dir, "--plex"];
    let login = format!("greenroom login plex --server-url {} --name plex --output '{dir}/plex.token'", server.url());
    let url = server.url();
    let program = RunningProgram::start(&home, &[&["serve"], &options[..], &[&url]].concat());
    let text = program.output_up_to("page:");
    assert_holds(&text, &[&login, &format!("--token-file '{dir}/plex.token'")]);
    drop(program);
    let file = home.path().join("greenroom.toml");
    let lines =
        format!("data_dir = \"{dir}\"\n[[server]]\nname = \"den\"\nkind = \"plex\"\nurl = \"{}\"\n", server.url());
    std::fs::write(&file, lines).expect("write the file");
    let text = run(&home, &["doctor", "-c", &file.display().to_string()]).out;
    assert_holds(&text, &["--name den", &format!("token_file = \"{dir}/den.token\"")]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_program_on_a_port_of_ours_is_not_called_the_gateway() {
    let home = folder();
    let simulator = RunningProgram::start(&home, &["simulate", "plex", "--listen", "127.0.0.1:0", "--tracks", "10"]);
    let text = simulator.output_up_to("");
    let address = text.split_once("http://").expect("an address").1;
    let address = address.split(|letter: char| letter.is_whitespace() || letter == '/').next().expect("an address");
    let output = run(
        &home,
        &["doctor", "--plex", &format!("http://{address}"), "--listen", address, "--control", "127.0.0.1:0"],
    );
    assert_eq!(output.code, 1);
    assert_holds(&output.out, &["is taken by another greenroom", "does not use this data directory"]);
    assert!(!output.out.contains("runs already"), "{}", output.out);
}
