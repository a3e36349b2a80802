//! `greenroom demo`.

use std::sync::Arc;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use greenroom_demo::scenario::gateway::{GatewayStarter, RunningGateway};
use greenroom_demo::scenario::{self as demo, DemoPlan};

use super::{block_on, exit_code, stop_signal};
use crate::app::Process;

/// What was typed.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct DemoArgs {
    /// Exit after the comparison instead of keeping the servers running
    #[arg(long)]
    once: bool,
    /// Print the comparison as JSON, on the last line
    #[arg(long)]
    json: bool,
    /// Also print which requests still reached the servers
    #[arg(long)]
    explain: bool,
    /// Play the evening in observe mode and then with the cache, and compare predicted and real savings
    #[arg(long, conflicts_with = "explain")]
    observe: bool,
    /// Speed of servers, apps and Greenroom, as a multiple of real time
    #[arg(long, value_name = "N", default_value_t = 45.0, value_parser = parse_time_factor)]
    time_factor: f64,
    /// Length of the evening, in simulated minutes
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=600))]
    minutes: u32,
    /// Seed of the random libraries, latencies and choices
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Films on each server
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    films: u32,
    /// Shows on each server
    #[arg(long, value_name = "N", default_value_t = 300)]
    shows: u32,
    /// Tracks on each server
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    tracks: u32,
    /// Prefetch what apps are likely to request next [default: off]
    #[arg(long, value_name = "STATE", value_parser = PossibleValuesParser::new(["on", "off"]).map(|state| state == "on"))]
    prefetch: Option<bool>,
}

pub(super) fn run(options: &DemoArgs) -> u8 {
    let plan = DemoPlan {
        minutes: options.minutes,
        time_factor: options.time_factor,
        seed: options.seed,
        films: options.films,
        shows: options.shows,
        tracks: options.tracks,
        prefetch: options.prefetch,
    };
    block_on(async {
        exit_code(if options.observe { run_observe_check(&plan, options).await } else { play(&plan, options).await })
    })
}

/// Starts the demo's gateway: a whole process of this program.
fn gateway() -> GatewayStarter {
    Arc::new(|settings, clock| {
        Box::pin(async move {
            let process = Process::start(settings, clock).await?;
            Ok(RunningGateway {
                servers: process.servers.clone(),
                control: process.control,
                token: process.token.secret.clone(),
                stop: Box::new(|| {
                    Box::pin(async {
                        // Work that did not finish is in the log.
                        process.stop().await;
                    })
                }),
            })
        })
    })
}

async fn play(plan: &DemoPlan, options: &DemoArgs) -> Result<(), String> {
    let start = gateway();
    let (comparison, scene) = tokio::select! {
        result = demo::run(plan, &start, |line| eprintln!("{line}")) => result?,
        // Nothing is left behind: everything started here ends with this process.
        () = stop_signal() => return Ok(()),
    };
    println!("\n{}", scene.render(&comparison));
    if options.explain {
        println!("{}", scene.upstream_requests());
    }
    if !options.once {
        println!("{}", scene.instructions()?);
    }
    if options.json {
        let json = serde_json::to_string(&comparison)
            .map_err(|error| format!("the result cannot be written as JSON: {error}"))?;
        println!("{json}");
    }
    if !options.once {
        tokio::select! {
            () = scene.repeat_reads() => {}
            () = stop_signal() => {}
        }
    }
    scene.stop().await;
    Ok(())
}

async fn run_observe_check(plan: &DemoPlan, options: &DemoArgs) -> Result<(), String> {
    let start = gateway();
    let report = tokio::select! {
        report = demo::observe_check::check_observe(plan, &start, |line| eprintln!("{line}")) => report?,
        () = stop_signal() => return Ok(()),
    };
    println!("\n{}", report.render());
    if options.json {
        let json =
            serde_json::to_string(&report).map_err(|error| format!("the result cannot be written as JSON: {error}"))?;
        println!("{json}");
    }
    Ok(())
}

fn parse_time_factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(parse_time_factor) if (1.0..=1_000.0).contains(&parse_time_factor) => Ok(parse_time_factor),
        _ => Err("a number from 1 to 1000".to_owned()),
    }
}
