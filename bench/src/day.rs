//! What a gateway costs a home all day: how often it wakes, how much of a core it takes, and how many bytes it writes
//! to disk. `greenroom-bench day`, with `--settle=`, `--idle=` and `--widget=SECONDS`, `--evening=MINUTES` (zero leaves a
//! phase out) and `--beside=PROGRAM` for another build in the same run.
//!
//! Each build stands in front of a simulated Plex of its own, on free ports of this machine and in a folder of its own.
//! Wake-ups are the voluntary context switches of its threads, bytes are what the kernel counts as written
//! (`write_bytes`: each dirtied page once per write-back). A window that is shorter than `rewrite_after` holds the first
//! write of every answer and extrapolates it: then the figure is an upper bound.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::client::{self, Connection};
use crate::cpu;
use crate::peer::{self, Peer};

/// What the widget of a start page asks, and how often.
const WIDGET: [&str; 4] = [
    "/status/sessions",
    "/statistics/bandwidth?timespan=4",
    "/activities",
    "/library/sections/1/all?X-Plex-Container-Start=0&X-Plex-Container-Size=0",
];
const WIDGET_EVERY: Duration = Duration::from_secs(5);
/// The owner's token at a simulated Plex.
const TOKEN: &str = "plx-owner-a";
/// The library, small: what is measured is not how long it takes to index.
const LIBRARY: [&str; 6] = ["--films", "200", "--shows", "30", "--tracks", "2000"];
/// How much faster than real an evening is played.
const PACE: &str = "2";
/// How often the books of the evening's process are read: they are gone with it.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const DAY_S: f64 = 86_400.0;
const MIB: f64 = 1024.0 * 1024.0;

/// How long each phase takes.
struct Plan {
    settle: Duration,
    idle: Duration,
    widget: Duration,
    evening_minutes: u64,
}

/// One build in front of its simulated server.
struct Home {
    name: &'static str,
    program: PathBuf,
    gateway: Peer,
    /// Ends after the gateway.
    _server: Peer,
}

/// What the kernel has booked for a process so far.
struct Books {
    switches: HashMap<String, u64>,
    cpu: Duration,
    written: u64,
}

/// Measures all phases and prints a table.
pub(crate) async fn measure(words: &[&str]) -> Result<(), String> {
    let number = |name: &str, usual: u64| {
        let said = words.iter().find_map(|word| word.strip_prefix(name));
        said.map_or(Ok(usual), |said| {
            said.parse::<u64>().map_err(|_| format!("{name}{said}: a number is wanted"))
        })
    };
    let seconds = |name: &str, usual: u64| number(name, usual).map(Duration::from_secs);
    let plan = Plan {
        settle: seconds("--settle=", 10)?,
        idle: seconds("--idle=", 40)?,
        widget: seconds("--widget=", 60)?,
        evening_minutes: number("--evening=", 1)?,
    };
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let own = std::env::current_exe().map_err(|error| error.to_string())?.with_file_name("greenroom");
    let mut homes = vec![Home::open("Greenroom", own, folder.path()).await?];
    if let Some(other) = words.iter().find_map(|word| word.strip_prefix("--beside=")) {
        homes.push(Home::open("beside", other.into(), folder.path()).await?);
    }
    println!("| phase | build | window | wake-ups/s | of a core | written | a day of it |");
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: |");
    let phases = async {
        tokio::time::sleep(plan.settle).await;
        during("idle", &homes, plan.idle, tokio::time::sleep(plan.idle)).await?;
        during("one widget", &homes, plan.widget, ask_all(&homes, plan.widget)).await?
    };
    let evenings = homes.iter().map(|home| evening(home, plan.evening_minutes));
    let (phases, evenings) = tokio::join!(phases, futures_util::future::join_all(evenings));
    phases?;
    evenings.into_iter().collect()
}

impl Home {
    async fn open(name: &'static str, program: PathBuf, folder: &Path) -> Result<Self, String> {
        let (upstream, port, control) = (peer::free_port()?, peer::free_port()?, peer::free_port()?);
        let folder = folder.join(name);
        let mut simulate = Command::new(&program);
        simulate.args(["simulate", "plex", "--listen", &format!("127.0.0.1:{upstream}")]).args(LIBRARY);
        let server = Peer::start("the simulated Plex", upstream, simulate.stderr(Stdio::null())).await?;
        let text = format!(
            "data_dir = \"{}/data\"\n[control]\nlisten = \"127.0.0.1:{control}\"\n[[server]]\nname = \"home\"\n\
             kind = \"plex\"\nurl = \"http://127.0.0.1:{upstream}\"\nlisten = \"127.0.0.1:{port}\"\n\
             token = \"{TOKEN}\"\n",
            folder.display()
        );
        let file = peer::write(&folder, "greenroom.toml", &text)?;
        let mut serve = Command::new(&program);
        serve.arg("serve").arg("--config").arg(file).stderr(Stdio::null());
        let gateway = Peer::start(name, port, &mut serve).await?;
        Ok(Self { name, program, gateway, _server: server })
    }
}

/// Lets `work` happen and prints what it cost each home.
async fn during<W: Future>(
    phase: &str,
    homes: &[Home],
    window: Duration,
    work: W,
) -> Result<W::Output, String> {
    let all = || homes.iter().map(|home| Books::of(home.gateway.process())).collect::<Result<Vec<_>, _>>();
    let (began, before) = (client::now(), all()?);
    let output = work.await;
    let took = began.elapsed().as_secs_f64();
    if !window.is_zero() {
        for ((home, before), after) in homes.iter().zip(before).zip(all()?) {
            let woken = after.woken_since(&before) as f64 / took;
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

/// One widget on each home asks all of its paths again and again.
async fn ask_all(homes: &[Home], window: Duration) -> Result<(), String> {
    if window.is_zero() {
        return Ok(());
    }
    let widgets = homes.iter().map(|home| async move {
        let (began, mut connection) = (client::now(), Connection::open(home.gateway.port).await?);
        while began.elapsed() < window {
            for path in WIDGET {
                let asked = connection.ask(&request(path)).await;
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

/// Plays an evening of companion apps, and prints what the process that plays it writes: only the gateway in it has a disk.
/// It is there for the apps' second round and for the minute in which they read on after a restart.
async fn evening(home: &Home, minutes: u64) -> Result<(), String> {
    if minutes == 0 {
        return Ok(());
    }
    let mut demo = Command::new(&home.program);
    demo.args(["demo", "--once", "--time-factor", PACE, "--minutes", &minutes.to_string()]).args(LIBRARY);
    demo.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = demo.spawn().map_err(|error| format!("the evening does not begin: {error}"))?;
    let mut playing = Playing(child);
    let mut written = 0;
    while playing.0.try_wait().map_err(|error| error.to_string())?.is_none() {
        written = written_by(playing.0.id()).unwrap_or(written);
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let window = (minutes + 1) as f64 * 60.0;
    println!("| evening | {} | {window:.0} s | – | – | {} |", home.name, written_columns(written, window));
    Ok(())
}

/// Ends the evening if the bench ends before it does.
struct Playing(Child);

impl Drop for Playing {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Books {
    fn of(process: u32) -> Result<Self, String> {
        let gone = || "a gateway has ended".to_owned();
        let threads = fs::read_dir(format!("/proc/{process}/task")).map_err(|_| gone())?.flatten();
        let switches = threads.filter_map(|thread| {
            let status = fs::read_to_string(thread.path().join("status")).ok()?;
            Some((thread.file_name().to_string_lossy().into_owned(), voluntary(&status)?))
        });
        Ok(Self {
            switches: switches.collect(),
            cpu: cpu::of(process),
            written: written_by(process).ok_or_else(gone)?,
        })
    }

    /// Of all threads that are there now.
    fn woken_since(&self, before: &Self) -> u64 {
        let more = |(thread, now): (&String, &u64)| {
            now.saturating_sub(before.switches.get(thread).copied().unwrap_or(0))
        };
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
