//! `greenroom demo`: a race for people, and an evening for figures.

use std::sync::Arc;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use greenroom_demo::scenario::gateway::{GatewayStarter, RunningGateway};
use greenroom_demo::scenario::race::{DemoRace, PagePort, RaceOptions};
use greenroom_demo::scenario::{self as demo, DemoPlan, DemoReport, ProgressFn};

use super::{block_on, exit_code, stop_signal};
use crate::app::Process;

/// Length of the evening, in simulated minutes.
const EVENING_MINUTES: u32 = 90;
/// The same after the race, which has taken half of the three minutes that a visitor gives the demo.
const EVENING_MINUTES_AFTER_RACE: u32 = 15;

/// Arguments.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct DemoArgs {
    /// Play only the scaled evening, without the race and its page, and exit after the comparison
    #[arg(long)]
    once: bool,
    /// Port of the race's page on 127.0.0.1; 0 chooses a free one [default: 8711, or a free one if it is taken]
    #[arg(long, value_name = "PORT", conflicts_with_all = ["once", "observe"])]
    port: Option<u16>,
    /// Print the comparison as JSON, on the last line
    #[arg(long)]
    json: bool,
    /// Also print which requests still reached the servers
    #[arg(long)]
    explain: bool,
    /// Play the evening in observe mode and then with the cache, and compare predicted and real savings
    #[arg(long, conflicts_with = "explain")]
    observe: bool,
    /// Speed of the evening's servers, apps and Greenroom, as a multiple of real time; the race runs in real time
    #[arg(long, value_name = "N", default_value_t = 45.0, value_parser = parse_time_factor)]
    time_factor: f64,
    /// Length of the evening, in simulated minutes [default: 90 with --once or --observe, 15 after the race]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=600))]
    minutes: Option<u32>,
    /// Seed of the random libraries, latencies and choices
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Films on each server of the evening
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    films: u32,
    /// Shows on each server of the evening
    #[arg(long, value_name = "N", default_value_t = 300)]
    shows: u32,
    /// Tracks on each server of the evening
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    tracks: u32,
    /// Prefetch what apps are likely to request next [default: off]
    #[arg(long, value_name = "STATE", value_parser = PossibleValuesParser::new(["on", "off"]).map(|state| state == "on"))]
    prefetch: Option<bool>,
}

pub(super) fn run(options: &DemoArgs) -> u8 {
    let is_evening_alone = options.once || options.observe;
    let minutes = if is_evening_alone { EVENING_MINUTES } else { EVENING_MINUTES_AFTER_RACE };
    let plan = DemoPlan {
        minutes: options.minutes.unwrap_or(minutes),
        time_factor: options.time_factor,
        seed: options.seed,
        films: options.films,
        shows: options.shows,
        tracks: options.tracks,
        prefetch: options.prefetch,
    };
    block_on(async {
        exit_code(if options.observe {
            run_observe_check(&plan, options).await
        } else if options.once {
            play_once(&plan, options).await
        } else {
            play(&plan, options).await
        })
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

/// The race, and the scaled evening beside the reads that go on after it.
async fn play(plan: &DemoPlan, options: &DemoArgs) -> Result<(), String> {
    let start = gateway();
    let port = options.port.map_or(PagePort::Usual, PagePort::Fixed);
    let race_options = RaceOptions { seed: plan.seed, prefetch: plan.prefetch, port };
    let tell: ProgressFn = |line| eprintln!("{line}");
    let race = tokio::select! {
        race = DemoRace::start(&race_options, &start, tell) => race?,
        // Nothing is left behind: everything started here ends with this process.
        () = stop_signal() => return Ok(()),
    };
    let result = tokio::select! {
        result = race.play(tell) => result,
        () = stop_signal() => return Ok(()),
    };
    println!("\n{result}\n\n{}", race.instructions()?);
    let evening = async {
        let report = demo::run(plan, &start, tell).await?;
        print_report(&report, options)?;
        race.show_evening(report.sentence());
        // The race goes on.
        std::future::pending().await
    };
    let ended = tokio::select! {
        ended = evening => ended,
        () = race.repeat_reads() => Ok(()),
        () = stop_signal() => Ok(()),
    };
    race.stop().await;
    ended
}

/// The evening alone.
async fn play_once(plan: &DemoPlan, options: &DemoArgs) -> Result<(), String> {
    let start = gateway();
    let report = tokio::select! {
        report = demo::run(plan, &start, |line| eprintln!("{line}")) => report?,
        () = stop_signal() => return Ok(()),
    };
    print_report(&report, options)
}

fn print_report(report: &DemoReport, options: &DemoArgs) -> Result<(), String> {
    println!("\n{}", report.render());
    if options.explain {
        println!("{}", report.upstream_requests);
    }
    if options.json {
        let json = serde_json::to_string(&report.comparison)
            .map_err(|error| format!("the result cannot be written as JSON: {error}"))?;
        println!("{json}");
    }
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
