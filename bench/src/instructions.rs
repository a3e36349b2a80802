//! Instructions outside the kernel per hit, counted by `valgrind --tool=callgrind`: the difference between two runs of
//! different length, so that start and end do not count. Needs valgrind, which is slow, and counts each byte of a long
//! `memcpy`.
//!
//! valgrind 3.19 hides the kernel's own library from programs, on which rustix ends them. A build with
//! `RUSTFLAGS="--cfg rustix_use_libc"` does not look for it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::client::{self, CONNECTIONS};
use crate::origin;
use crate::server::{self, BenchServer};

/// Body length.
const BYTES: usize = 16 * 1024;
/// Hits of the two runs.
const RUNS: [usize; 2] = [1_600, 9_600];
/// Hits before them on each connection.
const WARM_UP: usize = 20;
/// Time to start under valgrind.
const START: Duration = Duration::from_secs(180);

/// Counts for this build, for another one if `other` is its program, and for the bare responder.
pub(crate) async fn count(other: Option<&str>) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let origin = server::start_role("origin").await?;
    println!("\n## Instructions outside the kernel per hit of 16 KiB\n\n| server | instructions |\n| --- | ---: |");
    let own = server::own_program()?;
    let others = other.map(|program| ("beside", program.into()));
    for (name, program) in [("Greenroom", own)].into_iter().chain(others) {
        let counted = per_hit(folder.path(), name, |port| {
            let file = server::greenroom_configuration(name, port, origin.port, folder.path(), server::QUIET)?;
            Ok(vec![program_text(&program)?, "serve".into(), "--config".into(), program_text(&file)?])
        });
        println!("| {name} | {} |", counted.await?);
    }
    let bench = std::env::current_exe().map_err(|error| error.to_string())?;
    let bare = per_hit(folder.path(), "bare", |port| Ok(vec![program_text(&bench)?, "bare".into(), port.to_string()]));
    println!("| bare hyper | {} |", bare.await?);
    Ok(())
}

fn program_text(path: &Path) -> Result<String, String> {
    path.to_str().map(str::to_owned).ok_or_else(|| format!("{}: not UTF-8", path.display()))
}

/// Instructions per hit of the server that `words` start at a port.
async fn per_hit(
    folder: &Path,
    name: &'static str,
    words: impl Fn(u16) -> Result<Vec<String>, String>,
) -> Result<u64, String> {
    let mut totals = [0; 2];
    for (hits, total) in RUNS.into_iter().zip(&mut totals) {
        let (port, file) = (server::free_port()?, folder.join(format!("{name}-{hits}")));
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", &format!("--callgrind-out-file={}", file.display())]).args(words(port)?);
        command.stderr(Stdio::null());
        let peer = BenchServer::start_within(START, name, port, &mut command).await?;
        let (request, expected) = (client::request(&origin::list(BYTES)), origin::body(BYTES));
        let mut connections = client::open(port, CONNECTIONS).await?;
        client::drive(&mut connections, &request, &expected, WARM_UP).await?;
        client::drive(&mut connections, &request, &expected, hits / CONNECTIONS).await?;
        drop(connections);
        drop(peer); // ends it, and waits until its counts are written
        *total = total_of(&file)?;
    }
    Ok(totals[1].saturating_sub(totals[0]) / (RUNS[1] - RUNS[0]) as u64)
}

/// The sum of all instructions in callgrind's file.
fn total_of(file: &Path) -> Result<u64, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
    let total = total.and_then(|total| total.split(' ').next()?.parse().ok());
    total.ok_or_else(|| format!("{}: no total", file.display()))
}
