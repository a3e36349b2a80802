//! Compares Greenroom with nginx, Varnish and a bare responder: the same client, bodies and machine, in turns, in one
//! run.
//!
//! The measure is CPU time per request, of all processes of a server, as ratios within a round: on a machine that
//! others use too, nothing else is comparable. Started by `make bench`.
//!
//! `instructions [PROGRAM]` counts the instructions of a hit under valgrind.
//! `strangers [PROGRAM]` measures the memory that long writes with an invalid token take.

mod bare;
mod client;
mod cpu;
mod crowd;
mod day;
mod disk_hits;
mod hits;
mod instructions;
mod misses;
mod origin;
mod samples;
mod server;
mod strangers;

use std::process::ExitCode;

/// Size of the runs. `--quick` only checks that everything works.
struct BenchScale {
    rounds: usize,
    requests: usize,
    misses: usize,
}

const FULL: BenchScale = BenchScale { rounds: 15, requests: 8_000, misses: 200 };
const QUICK: BenchScale = BenchScale { rounds: 3, requests: 3_200, misses: 50 };

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["origin", port] => on_all_cores(bare::listen(number(port), origin::answer)),
        ["day", words @ ..] => on_one_core(day::measure(words)),
        ["bare", port] => on_all_cores(bare::serve(number(port), &hits::LENGTHS)),
        ["instructions"] => on_one_core(instructions::count(None)),
        ["instructions", program] => on_one_core(instructions::count(Some(program))),
        ["strangers"] => on_one_core(strangers::measure(None)),
        ["strangers", program] => on_one_core(strangers::measure(Some(program))),
        parts => {
            let effort = if parts.contains(&"--quick") { QUICK } else { FULL };
            let other = parts.iter().find_map(|part| part.strip_prefix("--beside="));
            let length = parts.iter().find_map(|part| part.strip_prefix("--length=")?.parse().ok());
            let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.starts_with("--")).collect();
            on_one_core(bench(&effort, &parts, other, length))
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("bench: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// Names of other builds of Greenroom.
const OTHER_BUILDS: [&str; 3] = ["beside", "beside-2", "beside-3"];

/// Runs everything, or only the named parts: `hits`, `disk`, `misses`, `crowd`. `--beside=PROGRAM,PROGRAM` are other builds of
/// Greenroom to measure in the same rounds, `--length=BYTES` the only length of hits.
async fn bench(effort: &BenchScale, parts: &[&str], other: Option<&str>, length: Option<usize>) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let folder = folder.path();
    let origin = server::start_role("origin").await?;
    let greenroom = server::greenroom("Greenroom", None, origin.port, folder, "").await?;
    let mut beside = Vec::new();
    for (name, program) in OTHER_BUILDS.into_iter().zip(other.iter().flat_map(|programs| programs.split(','))) {
        beside.push(server::greenroom(name, Some(program), origin.port, folder, "").await?);
    }
    let (nginx, nginx_locked) = server::nginx("nginx", origin.port, folder, "").await?;
    let open_files = "open_file_cache max=1000 inactive=60s;";
    let (nginx_open, _) = server::nginx("nginx + open_file_cache", origin.port, folder, open_files).await?;
    let varnish = server::varnish(origin.port, folder).await?;
    let bare = server::start_role("bare").await?;
    let mut ids = 1..;
    let wanted = |part: &str| parts.is_empty() || parts.contains(&part);
    if wanted("hits") {
        let any_api = server::greenroom_for_http("Greenroom, kind http", origin.port, folder).await?;
        // The last one is the measure.
        let mut peers = vec![&greenroom, &any_api, &nginx, &nginx_open, &varnish, &bare];
        peers.extend(&beside);
        let lengths = length.map_or_else(|| hits::LENGTHS.to_vec(), |length| vec![length]);
        hits::compare(&peers, &lengths, origin.port, effort.rounds, effort.requests).await?;
    }
    if wanted("disk") {
        let memory = format!("[memory]\nmax_bytes = {}\n", disk_hits::MEMORY_BYTES);
        let small = server::greenroom("Greenroom from disk", None, origin.port, folder, &memory).await?;
        disk_hits::compare(&[&small, &nginx, &nginx_open], origin.port, effort.rounds).await?;
    }
    if wanted("misses") {
        misses::compare(&[&origin, &greenroom, &nginx, &varnish], &mut ids, effort.rounds, effort.misses).await?;
    }
    if wanted("crowd") {
        let peers =
            [("Greenroom", greenroom.port), ("Varnish", varnish.port), ("nginx + proxy_cache_lock", nginx_locked)];
        crowd::compare(&peers, origin.port, &mut ids, effort.rounds).await?;
    }
    Ok(())
}

/// Runs on the gateway's kind of runtime.
fn on_all_cores(work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(work)
}

fn on_one_core(work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(work)
}

fn number(port: &str) -> u16 {
    port.parse().unwrap_or(0)
}
