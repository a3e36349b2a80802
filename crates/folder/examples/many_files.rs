//! A folder of many comics: what its first scan takes beside `find`, how much memory it needs with all metadata, and
//! how fast lists are answered while it is scanned again and thousands of files change.
//!
//! `cargo run --release -p greenroom-folder --example many_files -- FOLDER [FILES]` makes a tree of sparse archives in
//! this folder (100,000 without a number), unless it is there already, and measures each part in a process of its own.
//! It needs 8 KiB of disk for each file. Linux only.

#![expect(clippy::disallowed_methods, reason = "it measures real time")]

use std::collections::HashSet;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use greenroom_cache::Clock;
use greenroom_config::{FolderSettings, WatchMode};
use greenroom_folder::folder::ListAnswer;
use greenroom_folder::index::{FolderGeneration, SortOrder};
use greenroom_folder::list::{ListFilter, ListQuery, PageSize};
use greenroom_folder::marks::{MarkAction, MarkChange};
use greenroom_folder::{Folder, FolderContext};
use greenroom_state::db::StateDb;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// That of the program.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const USUAL_FILES: usize = 100_000;
const FILES_IN_A_FOLDER: usize = 100;
/// Bytes of a page, which take no room.
const PAGE_BYTES: u32 = 3_000_000;
const CLIENTS: usize = 8;
const RESCANS: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_secs(10);
/// Of so many files, two are renamed, one is removed, and one is new.
const SHARE: usize = 20;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(folder) = words.first().map(PathBuf::from) else {
        println!("usage: many_files FOLDER [FILES]");
        return ExitCode::from(2);
    };
    let files = words.get(1).and_then(|word| word.parse().ok()).unwrap_or(USUAL_FILES);
    if let Some(part) = words.get(2) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("a runtime").block_on(measure(part, &folder, files));
        return ExitCode::SUCCESS;
    }
    make_tree(&folder, files);
    let mut is_good = true;
    for part in ["find", "scan", "find", "scan", "find", "scan", "memory", "rescan", "changes", "poll"] {
        let program = std::env::current_exe().expect("this program");
        let status = Command::new(program).arg(&folder).arg(files.to_string()).arg(part).status();
        is_good &= status.is_ok_and(|status| status.success());
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn measure(part: &str, folder: &Path, files: usize) {
    match part {
        "find" => find(folder),
        "scan" => scan(folder, files).await,
        "memory" => memory(folder, files).await,
        "rescan" => rescan(folder, files).await,
        "poll" => change(folder, files, WatchMode::Poll).await,
        _ => change(folder, files, WatchMode::Auto).await,
    }
}

fn file_name(number: usize) -> String {
    format!(
        "series {:04}/Series {:04} #{:03}.cbz",
        number / FILES_IN_A_FOLDER,
        number / FILES_IN_A_FOLDER,
        number % FILES_IN_A_FOLDER
    )
}

/// A number that is as good as random.
fn scattered(number: u64) -> u64 {
    let mixed = (number ^ (number >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}

fn make_tree(folder: &Path, files: usize) {
    let marker = folder.join("made");
    if fs::read_to_string(&marker).is_ok_and(|made| made == files.to_string()) {
        return;
    }
    let tree = folder.join("tree");
    drop(fs::remove_dir_all(&tree));
    for number in 0..files {
        write_comic(&tree.join(file_name(number)), number);
    }
    fs::write(marker, files.to_string()).expect("written");
    println!("made {files} files");
}

fn write_comic(path: &Path, number: usize) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("made");
    let series = number / FILES_IN_A_FOLDER;
    let issue = number % FILES_IN_A_FOLDER;
    let year = 1950 + scattered(number as u64) % 75;
    let info = format!(
        "<ComicInfo><Series>Series {series:04}</Series><Number>{issue}</Number><Volume>1</Volume><Title>No. {number}</Title>\
         <Year>{year}</Year><Writer>Writer {}</Writer><LanguageISO>en</LanguageISO></ComicInfo>",
        series % 50
    );
    let entries = [("001.jpg", PAGE_BYTES), ("ComicInfo.xml", u32::try_from(info.len()).expect("short"))];
    let (mut central, mut at) = (Vec::new(), 0_u32);
    let mut file = fs::File::create(path).expect("made");
    for (name, size) in entries {
        let crc = if size == PAGE_BYTES { 0 } else { crc32(info.as_bytes()) };
        let local = zip_header(name, size, crc, None);
        file.write_all(&local).expect("written");
        central.extend(zip_header(name, size, crc, Some(at)));
        at += u32::try_from(local.len()).expect("short") + size;
        if size == PAGE_BYTES {
            file.seek(SeekFrom::Start(at.into())).expect("a hole");
        } else {
            file.write_all(info.as_bytes()).expect("written");
        }
    }
    let mut end = b"PK\x05\x06\0\0\0\0\x02\0\x02\0".to_vec();
    end.extend(u32::try_from(central.len()).expect("short").to_le_bytes());
    end.extend(at.to_le_bytes());
    end.extend([0, 0]);
    file.write_all(&central).and_then(|()| file.write_all(&end)).expect("written");
}

/// The header of a stored entry: before it, or in the central directory with its place.
fn zip_header(name: &str, size: u32, crc: u32, place: Option<u32>) -> Vec<u8> {
    let mut bytes = if place.is_some() { b"PK\x01\x02\x14\0".to_vec() } else { b"PK\x03\x04".to_vec() };
    bytes.extend(b"\x14\0\0\0\0\0\0\0\x21\x50");
    for number in [crc, size, size] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(u16::try_from(name.len()).expect("short").to_le_bytes());
    bytes.extend([0, 0]);
    if let Some(place) = place {
        bytes.extend([0; 10]);
        bytes.extend(place.to_le_bytes());
    }
    bytes.extend(name.as_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

/// CPU time of this process, and of those it waited for.
fn cpu() -> (f64, f64) {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<f64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0.0))
        .collect();
    ((fields[11] + fields[12]) / 100.0, (fields[13] + fields[14]) / 100.0)
}

fn find(folder: &Path) {
    let began = Instant::now();
    let status = Command::new("find")
        .arg(folder.join("tree"))
        .args(["-type", "f", "-printf", "%s %T@ %i %p\\n"])
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.is_ok_and(|status| status.success()), "find is there");
    println!("find with stat: {:.2} s of CPU, {:.2} s", cpu().1, began.elapsed().as_secs_f64());
}

fn open(folder: &Path, settings: FolderSettings) -> Arc<Folder> {
    let data_dir = folder.join("data");
    drop(fs::remove_dir_all(&data_dir));
    fs::create_dir_all(&data_dir).expect("made");
    StateDb::open(&data_dir).expect("the state");
    let context = FolderContext {
        data_dir,
        clock: Clock::system(),
        tasks: TaskTracker::new(),
        stop: CancellationToken::new(),
        warnings: Arc::default(),
    };
    Arc::new(Folder::new(settings, context))
}

fn settings(folder: &Path) -> FolderSettings {
    FolderSettings { first_wait: Duration::from_secs(600), ..FolderSettings::new("comics", folder.join("tree")) }
}

async fn scan(folder: &Path, files: usize) {
    let comics = open(folder, FolderSettings { enrich: false, ..settings(folder) });
    let (before, began) = (cpu().0, Instant::now());
    comics.start();
    let list = comics.wait_for_first().await.expect("a list");
    let (after, took) = (cpu().0, began.elapsed());
    assert_eq!(list.files.len(), files);
    let memory = memory_line("VmHWM");
    println!(
        "first scan, watches and first list: {:.2} s of CPU, {:.2} s; highest memory {memory}",
        after - before,
        took.as_secs_f64()
    );
}

fn memory_line(name: &str) -> String {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    let kib: u64 = line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    format!("{} MB", kib * 1024 / 1_000_000)
}

/// Waits until the list is as it is wanted. Returns it.
async fn wait_until(comics: &Folder, wanted: impl Fn(&FolderGeneration) -> bool) -> Arc<FolderGeneration> {
    let mut pulse = comics.subscribe();
    loop {
        pulse.borrow_and_update();
        if let Some(list) = comics.current().filter(|list| wanted(list)) {
            return list;
        }
        pulse.changed().await.expect("the folder is there");
    }
}

async fn memory(folder: &Path, files: usize) {
    let comics = open(folder, settings(folder));
    let (before, began) = (cpu().0, Instant::now());
    comics.start();
    wait_until(&comics, |list| list.files.len() == files && list.enriched == files).await;
    let (took, memory, highest) = (began.elapsed().as_secs_f64(), memory_line("VmRSS"), memory_line("VmHWM"));
    println!("metadata of all: {:.1} s of CPU, {took:.1} s; memory {memory}, highest {highest}", cpu().0 - before);
    tokio::time::sleep(Duration::from_secs(15)).await;
    println!("15 s later: memory {}", memory_line("VmRSS"));
}

/// Findings of the clients.
#[derive(Default)]
struct ListFindings {
    ends: AtomicBool,
    too_short: AtomicU64,
    empty: AtomicU64,
}

async fn change(folder: &Path, files: usize, watch: WatchMode) {
    let comics = open(folder, FolderSettings { watch, poll_interval: POLL, ..settings(folder) });
    comics.start();
    comics.wait_for_first().await.expect("a list");
    wait_until(&comics, |list| list.enriched == list.files.len()).await;
    let renamed: Vec<usize> = (0..files).filter(|number| number % SHARE < 2).collect();
    let marked = renamed.iter().map(|number| file_name(*number)).collect();
    let mark = MarkChange { mark: "processed".into(), action: MarkAction::Set, paths: marked };
    let marking = Arc::clone(&comics);
    tokio::task::spawn_blocking(move || marking.change_marks(&mark).expect("marked")).await.expect("it ended");
    let findings = Arc::new(ListFindings::default());
    let least = files - files / SHARE;
    let clients = ask_meanwhile(&comics, least, &findings);
    if watch == WatchMode::Auto {
        scan_meanwhile(&comics, &findings);
    }
    let tree = folder.join("tree");
    let began = Instant::now();
    let wanted = tokio::task::spawn_blocking(move || change_files(&tree, files)).await.expect("it ended");
    let last_event = Instant::now();
    println!("{:?}: {} changes made in {:.1} s", watch, wanted.changes, (last_event - began).as_secs_f64());
    let list = wait_until(&comics, |list| wanted.is_in(list)).await;
    let polls = if watch == WatchMode::Poll { format!(" (polled every {} s)", POLL.as_secs()) } else { String::new() };
    println!("all in the list {:.2} s after the last change{polls}", last_event.elapsed().as_secs_f64());
    let lost = renamed
        .iter()
        .filter(|number| list.find(&renamed_name(**number)).is_none_or(|file| file.marks.bits() == 0))
        .count();
    report(clients, &findings).await;
    println!("marks lost {lost} of {}", renamed.len());
    change_back(&folder.join("tree"), files);
}

/// Lists while the whole tree is scanned again and again and nothing in it changes.
async fn rescan(folder: &Path, files: usize) {
    let comics = open(folder, FolderSettings { watch: WatchMode::Off, ..settings(folder) });
    comics.start();
    comics.wait_for_first().await.expect("a list");
    wait_until(&comics, |list| list.enriched == list.files.len()).await;
    let findings = Arc::new(ListFindings::default());
    let scans = comics.report().counters.scans;
    let clients = ask_meanwhile(&comics, files, &findings);
    scan_meanwhile(&comics, &findings);
    tokio::time::sleep(RESCANS).await;
    println!("{} full scans in {} s", comics.report().counters.scans - scans, RESCANS.as_secs());
    report(clients, &findings).await;
}

/// Clients that ask until told to end.
fn ask_meanwhile(comics: &Arc<Folder>, least: usize, findings: &Arc<ListFindings>) -> Vec<JoinHandle<Vec<u64>>> {
    let client = |client| tokio::spawn(ask(Arc::clone(comics), client, least, Arc::clone(findings)));
    (0..CLIENTS as u64).map(client).collect()
}

/// Full scans, one after the other, until told to end.
fn scan_meanwhile(comics: &Arc<Folder>, findings: &Arc<ListFindings>) {
    let (comics, findings) = (Arc::clone(comics), Arc::clone(findings));
    tokio::spawn(async move {
        while !findings.ends.load(Ordering::Relaxed) {
            comics.request_scan(false);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
}

/// Ends the clients and says how long they waited.
async fn report(clients: Vec<JoinHandle<Vec<u64>>>, findings: &ListFindings) {
    findings.ends.store(true, Ordering::Relaxed);
    let mut times: Vec<u64> = Vec::new();
    for client in clients {
        times.extend(client.await.expect("it ended"));
    }
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100] as f64 / 1000.0;
    let (p50, p99, longest) = (at(50), at(99), at(100));
    let (empty, too_short) = (findings.empty.load(Ordering::Relaxed), findings.too_short.load(Ordering::Relaxed));
    println!("{} lists by {CLIENTS} clients: p50 {p50:.2} ms, p99 {p99:.2} ms, longest {longest:.1} ms", times.len());
    println!("empty {empty}, too short {too_short}");
}

/// Asks for pages of many kinds until told to end; returns how long each took, with its JSON, in microseconds.
async fn ask(comics: Arc<Folder>, client: u64, least: usize, findings: Arc<ListFindings>) -> Vec<u64> {
    let mut times = Vec::new();
    let mut random = client + 1;
    while !findings.ends.load(Ordering::Relaxed) {
        random = scattered(random + 1);
        let query = query(random);
        let began = Instant::now();
        let answer = comics.list(&query).await.expect("a valid query");
        let ListAnswer::Page(page, _) = answer else {
            findings.empty.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        let body = serde_json::to_vec(&page.files).expect("JSON");
        times.push(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
        findings.empty.fetch_add(u64::from(body.len() < 100 || page.files.is_empty()), Ordering::Relaxed);
        let is_whole = query.words.is_empty() && query.filter == ListFilter::All;
        findings.too_short.fetch_add(u64::from(is_whole && page.total_files < least), Ordering::Relaxed);
        // Eight readers that pause between requests, not a flood.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    times
}

fn query(random: u64) -> ListQuery {
    let random = usize::try_from(random >> 1).unwrap_or_default();
    let words = if random.is_multiple_of(4) { vec![format!("{:04}", random / 7 % 900)] } else { Vec::new() };
    let sort = SortOrder::EVERY[random / 11 % 4];
    let filter = if random.is_multiple_of(5) && words.is_empty() { ListFilter::Unmarked } else { ListFilter::All };
    let page = if words.is_empty() { 1 + random / 13 % 900 } else { 1 };
    ListQuery {
        words,
        filter,
        sort,
        is_descending: random.is_multiple_of(3),
        page,
        per_page: PageSize::Files(100),
        cursor: None,
    }
}

fn renamed_name(number: usize) -> String {
    file_name(number).replace('#', "no. ")
}

fn new_name(number: usize) -> String {
    file_name(number).replace('#', "new ")
}

/// The list that must be there after the changes.
struct WantedList {
    changes: usize,
    files: usize,
    new: Vec<String>,
    gone: HashSet<String>,
}

impl WantedList {
    fn is_in(&self, list: &FolderGeneration) -> bool {
        list.files.len() == self.files
            && self.new.iter().all(|path| list.find(path).is_some())
            && !list.files.iter().any(|file| self.gone.contains(&*file.path))
    }
}

fn change_files(tree: &Path, files: usize) -> WantedList {
    let mut wanted = WantedList { changes: 0, files, new: Vec::new(), gone: HashSet::new() };
    for number in 0..files {
        let path = file_name(number);
        match number % SHARE {
            0 | 1 => {
                fs::rename(tree.join(&path), tree.join(renamed_name(number))).expect("renamed");
                wanted.new.push(renamed_name(number));
                wanted.gone.insert(path);
            }
            2 => {
                fs::remove_file(tree.join(&path)).expect("removed");
                wanted.gone.insert(path);
            }
            3 => {
                write_comic(&tree.join(new_name(number)), files + number);
                wanted.new.push(new_name(number));
            }
            _ => continue,
        }
        wanted.changes += 1;
    }
    wanted
}

fn change_back(tree: &Path, files: usize) {
    for number in 0..files {
        match number % SHARE {
            0 | 1 => fs::rename(tree.join(renamed_name(number)), tree.join(file_name(number))).expect("renamed"),
            2 => write_comic(&tree.join(file_name(number)), number),
            3 => fs::remove_file(tree.join(new_name(number))).expect("removed"),
            _ => {}
        }
    }
}
