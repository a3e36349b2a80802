//! Cost of a gateway in a household all day: wake-ups, CPU share, and bytes written to disk. `greenroom-bench day`,
//! with `--settle=`, `--idle=` and `--widget=SECONDS`, `--evening=MINUTES` (zero leaves a phase out) and
//! `--beside=PROGRAM` for another build in the same run.
//!
//! Each build stands in front of a simulated Plex of its own, on free ports of this machine and in a folder of its own.
//! Wake-ups are the voluntary context switches of its threads, bytes are what the kernel counts as written
//! (`write_bytes`: each dirtied page once per write-back). A window shorter than `rewrite_after` contains the first
//! write of every response and extrapolates it: then the figure is an upper bound.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::client::{self, BenchConnection};
use crate::cpu;
use crate::server::{self, BenchServer};

/// Requests of a start page's widget, and their interval.
const WIDGET: [&str; 4] = [
    "/status/sessions",
    "/statistics/bandwidth?timespan=4",
    "/activities",
    "/library/sections/1/all?X-Plex-Container-Start=0&X-Plex-Container-Size=0",
];
const WIDGET_EVERY: Duration = Duration::from_secs(5);
/// Owner token at a simulated Plex.
const TOKEN: &str = "plx-owner-a";
/// A small library, because indexing time is not measured.
const LIBRARY: [&str; 6] = ["--films", "200", "--shows", "30", "--tracks", "2000"];
/// Time factor of an evening.
const PACE: &str = "2";
/// Sampling interval of the evening's process: its counters vanish with it.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const DAY_S: f64 = 86_400.0;
const MIB: f64 = 1024.0 * 1024.0;

/// Length of each phase.
struct PhaseDurations {
    settle: Duration,
    idle: Duration,
    widget: Duration,
    evening_minutes: u64,
}

/// One build in front of its simulated server.
struct MeasuredGateway {
    name: &'static str,
    program: PathBuf,
    gateway: BenchServer,
    /// Ends after the gateway.
    _server: BenchServer,
}

/// Kernel counters of a process.
struct ProcessUsage {
    switches: HashMap<String, u64>,
    cpu: Duration,
    written: u64,
}

/// Measures all phases and prints a table.
pub(crate) async fn measure(words: &[&str]) -> Result<(), String> {
    let number = |name: &str, usual: u64| {
        let said = words.iter().find_map(|word| word.strip_prefix(name));
        said.map_or(Ok(usual), |said| said.parse::<u64>().map_err(|_| format!("{name}{said}: a number is wanted")))
    };
    let seconds = |name: &str, usual: u64| number(name, usual).map(Duration::from_secs);
    let plan = PhaseDurations {
        settle: seconds("--settle=", 10)?,
        idle: seconds("--idle=", 40)?,
        widget: seconds("--widget=", 60)?,
        evening_minutes: number("--evening=", 1)?,
    };
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let own = std::env::current_exe().map_err(|error| error.to_string())?.with_file_name("greenroom");
    let mut homes = vec![MeasuredGateway::open("Greenroom", own, folder.path()).await?];
    if let Some(other) = words.iter().find_map(|word| word.strip_prefix("--beside=")) {
        homes.push(MeasuredGateway::open("beside", other.into(), folder.path()).await?);
    }
    println!("| phase | build | window | wake-ups/s | of a core | written | a day of it |");
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: |");
    let phases = async {
        tokio::time::sleep(plan.settle).await;
        measure_phase("idle", &homes, plan.idle, tokio::time::sleep(plan.idle)).await?;
        measure_phase("one widget", &homes, plan.widget, ask_all(&homes, plan.widget)).await?
    };
    let evenings = homes.iter().map(|home| evening(home, plan.evening_minutes));
    let (phases, evenings) = tokio::join!(phases, futures_util::future::join_all(evenings));
    phases?;
    evenings.into_iter().collect()
}

impl MeasuredGateway {
    async fn open(name: &'static str, program: PathBuf, folder: &Path) -> Result<Self, String> {
        let (upstream, port, control) = (server::free_port()?, server::free_port()?, server::free_port()?);
        let folder = folder.join(name);
        let mut simulate = Command::new(&program);
        simulate.args(["simulate", "plex", "--listen", &format!("127.0.0.1:{upstream}")]).args(LIBRARY);
        let server = BenchServer::start("the simulated Plex", upstream, simulate.stderr(Stdio::null())).await?;
        let text = format!(
            "data_dir = \"{}/data\"\n[control]\nlisten = \"127.0.0.1:{control}\"\n[[server]]\nname = \"home\"\n\
             kind = \"plex\"\nurl = \"http://127.0.0.1:{upstream}\"\nlisten = \"127.0.0.1:{port}\"\n\
             token = \"{TOKEN}\"\n",
            folder.display()
        );
        let file = server::write(&folder, "greenroom.toml", &text)?;
        let mut serve = Command::new(&program);
        serve.arg("serve").arg("--config").arg(file).stderr(Stdio::null());
        let gateway = BenchServer::start(name, port, &mut serve).await?;
        Ok(Self { name, program, gateway, _server: server })
    }
}

/// Runs `work` and prints its cost for each build.
async fn measure_phase<W: Future>(
    phase: &str,
    homes: &[MeasuredGateway],
    window: Duration,
    work: W,
) -> Result<W::Output, String> {
    let all = || homes.iter().map(|home| ProcessUsage::read(home.gateway.process())).collect::<Result<Vec<_>, _>>();
    let (began, before) = (client::now(), all()?);
    let output = work.await;
    let took = began.elapsed().as_secs_f64();
    if !window.is_zero() {
        for ((home, before), after) in homes.iter().zip(before).zip(all()?) {
            let woken = after.wakeups_since(&before) as f64 / took;
            let share = after.cpu.saturating_sub(before.cpu).as_secs_f64() / took * 100.0;
            let written = after.written.saturating_sub(before.written);
            let written = written_columns(written, took);
            println!("| {phase} | {} | {took:.0} s | {woken:.1} | {share:.2} % | {written} |", home.name);
        }
    }
    Ok(output)
}

fn written_columns(written: u64, took_s: f64) -> String {
    let written = written as f64;
    format!("{:.0} KiB | {:.1} MiB", written / 1024.0, written / took_s * DAY_S / MIB)
}

/// One widget per build requests all of its paths again and again.
async fn ask_all(homes: &[MeasuredGateway], window: Duration) -> Result<(), String> {
    if window.is_zero() {
        return Ok(());
    }
    let widgets = homes.iter().map(|home| async move {
        let (began, mut connection) = (client::now(), BenchConnection::open(home.gateway.port).await?);
        while began.elapsed() < window {
            for path in WIDGET {
                let asked = connection.send(&request(path)).await;
                asked.map_err(|reason| format!("{}, {path}: {reason}", home.name))?;
            }
            tokio::time::sleep(WIDGET_EVERY.min(window.saturating_sub(began.elapsed()))).await;
        }
        Ok(())
    });
    futures_util::future::try_join_all(widgets).await.map(drop)
}

fn request(path: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: widget\r\nAccept: application/json\r\n\
         Connection: keep-alive\r\nX-Plex-Token: {TOKEN}\r\n\r\n"
    )
    .into_bytes()
}

/// Plays an evening of companion apps, and prints the bytes written by the process that plays it: only the gateway in
/// it uses the disk. It runs until the apps' second round and the minute of reads after a restart.
async fn evening(home: &MeasuredGateway, minutes: u64) -> Result<(), String> {
    if minutes == 0 {
        return Ok(());
    }
    let mut demo = Command::new(&home.program);
    demo.args(["demo", "--once", "--time-factor", PACE, "--minutes", &minutes.to_string()]).args(LIBRARY);
    demo.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = demo.spawn().map_err(|error| format!("the evening does not begin: {error}"))?;
    let mut playing = ChildGuard(child);
    let mut written = 0;
    while playing.0.try_wait().map_err(|error| error.to_string())?.is_none() {
        written = written_by(playing.0.id()).unwrap_or(written);
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let window = (minutes + 1) as f64 * 60.0;
    println!("| evening | {} | {window:.0} s | – | – | {} |", home.name, written_columns(written, window));
    Ok(())
}

/// Kills the evening if the bench ends before it.
struct ChildGuard(Child);

impl Drop for ChildGuard {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl ProcessUsage {
    fn read(process: u32) -> Result<Self, String> {
        let gone = || "a gateway has ended".to_owned();
        let threads = fs::read_dir(format!("/proc/{process}/task")).map_err(|_| gone())?.flatten();
        let switches = threads.filter_map(|thread| {
            let status = fs::read_to_string(thread.path().join("status")).ok()?;
            Some((thread.file_name().to_string_lossy().into_owned(), voluntary(&status)?))
        });
        Ok(Self {
            switches: switches.collect(),
            cpu: cpu::process_tree_time(process),
            written: written_by(process).ok_or_else(gone)?,
        })
    }

    /// Sum over all threads that exist now.
    fn wakeups_since(&self, before: &Self) -> u64 {
        let more =
            |(thread, now): (&String, &u64)| now.saturating_sub(before.switches.get(thread).copied().unwrap_or(0));
        self.switches.iter().map(more).sum()
    }
}

fn voluntary(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse().ok())
}

fn written_by(process: u32) -> Option<u64> {
    let io = fs::read_to_string(format!("/proc/{process}/io")).ok()?;
    io.lines().find_map(|line| line.strip_prefix("write_bytes:")?.trim().parse().ok())
}
