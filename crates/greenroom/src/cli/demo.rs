//! `greenroom demo`.

use std::sync::Arc;

use clap::Args;
use clap::builder::BoolishValueParser;
use greenroom_demo::scenario::gateway::{GatewayStarter, RunningGateway};
use greenroom_demo::scenario::{self as demo, DemoPlan};

use super::{DONE, FAILED, block_on, stop_signal};
use crate::app::Process;

/// What was typed.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct DemoArgs {
    /// End after the comparison instead of staying up
    #[arg(long)]
    once: bool,
    /// Print the comparison as one line of JSON, the last one
    #[arg(long)]
    json: bool,
    /// Also print which requests still reached the servers
    #[arg(long)]
    explain: bool,
    /// Play the evening once observing and once with the cache, and hold what was foretold against what was saved
    #[arg(long, conflicts_with = "explain")]
    observe: bool,
    /// How much faster than real time servers, apps and Greenroom run
    #[arg(long, value_name = "N", default_value_t = 45.0, value_parser = factor)]
    time_factor: f64,
    /// Length of the evening, in its own minutes
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=600))]
    minutes: u32,
    /// Seed of libraries, latencies and choices
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
    /// Let Greenroom load ahead what apps are likely to ask, or not: on or off
    #[arg(long, value_name = "WORD", value_parser = BoolishValueParser::new())]
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
        let played = if options.observe { run_observe_check(&plan, options).await } else { play(&plan, options).await };
        match played {
            Ok(()) => DONE,
            Err(reason) => {
                eprintln!("greenroom: {reason}");
                FAILED
            }
        }
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
        played = demo::run(plan, &start, |line| eprintln!("{line}")) => played?,
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
        let json =
            serde_json::to_string(&comparison).map_err(|error| format!("the figures cannot be written: {error}"))?;
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
    let foresight = tokio::select! {
        foreseen = demo::observe_check::check_observe(plan, &start, |line| eprintln!("{line}")) => foreseen?,
        () = stop_signal() => return Ok(()),
    };
    println!("\n{}", foresight.render());
    if options.json {
        let json =
            serde_json::to_string(&foresight).map_err(|error| format!("the figures cannot be written: {error}"))?;
        println!("{json}");
    }
    Ok(())
}

fn factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if (1.0..=1_000.0).contains(&factor) => Ok(factor),
        _ => Err("a number from 1 to 1000".to_owned()),
    }
}
