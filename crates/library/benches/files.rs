//! Cost of a path lookup: CPU time in batches of 20,000 cold paths on a warm index, compared with a scan that
//! compares text; and the memory use of an index of a million paths. `cargo bench -p greenroom-library
//! --bench files`.

use std::fs;
use std::hint::black_box;

use greenroom_library::files::{
    CaseSensitivity, FileIndex, FileIndexBuilder, FileMatchConfidence, FileQuery, PathMaps, PathRule,
};

const PATHS: usize = 20_000;
const MANY: usize = 1_000_000;
const RUNS: usize = 5;
/// Batches of one run, because the system counts CPU time in steps of some milliseconds.
const BATCHES: usize = 20;
/// Lookups by the scan, which is slow.
const SCANNED: usize = 200;

/// A film in a folder of its own, or an episode in a season's folder, with common names.
fn path(number: usize) -> String {
    let (a, b) = (number % 97, number / 7);
    if number.is_multiple_of(3) {
        format!("/media/films/Film {b} of {a} ({})/Film.{b}.of.{a}.2160p.BluRay.x265.mkv", 1950 + number % 75)
    } else {
        format!(
            "/media/series/A Show Called {}/Season {:02}/A.Show.Called.{}.S{:02}E{:02}.1080p.mkv",
            number / 120,
            number / 12 % 10,
            number / 120,
            number / 12 % 10,
            number % 12
        )
    }
}

fn build(count: usize) -> FileIndex {
    let mut builder = FileIndexBuilder::default();
    for number in 0..count {
        let row = u32::try_from(number).expect("few enough");
        builder.push_file(row, &path(number), Some(number as u64 * 1_000_003), Some(2_700_000));
    }
    builder.build()
}

/// CPU time of this thread in nanoseconds.
fn cpu_ns() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells it");
    stat.split_whitespace().next().and_then(|ns| ns.parse().ok()).expect("a number")
}

fn median(mut runs: Vec<f64>) -> f64 {
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}

/// CPU time of one lookup in nanoseconds, and the number of certain matches.
fn measure(index: &FileIndex, paths: &[String], maps: &PathMaps) -> (f64, usize) {
    let asked: Vec<FileQuery<'_>> = paths.iter().map(|path| FileQuery { path, ..FileQuery::default() }).collect();
    let mut sure = 0;
    let run = |sure: &mut usize| {
        let before = cpu_ns();
        for _ in 0..BATCHES {
            let verdicts = black_box(index.find_all(black_box(&asked), maps, CaseSensitivity::Exact));
            *sure = verdicts.iter().filter(|verdict| verdict.confidence == FileMatchConfidence::High).count();
        }
        (cpu_ns() - before) as f64 / (asked.len() * BATCHES) as f64
    };
    run(&mut sure);
    (median((0..RUNS).map(|_| run(&mut sure)).collect()), sure)
}

fn scan(paths: &[String]) -> f64 {
    let before = cpu_ns();
    for wanted in paths.iter().step_by(paths.len() / SCANNED) {
        let name = wanted.rsplit('/').next().unwrap_or_default().to_lowercase();
        let found =
            paths.iter().filter(|path| path.rsplit('/').next().is_some_and(|other| other.to_lowercase() == name));
        black_box(found.count());
    }
    (cpu_ns() - before) as f64 / SCANNED as f64
}

fn main() {
    let index = build(PATHS);
    let paths: Vec<String> = (0..PATHS).map(path).collect();
    let other_root: Vec<String> = paths.iter().map(|path| path.replace("/media/", "/mnt/nas/video/")).collect();
    let missing: Vec<String> = paths.iter().map(|path| path.replace(".mkv", ".avi")).collect();
    let none = PathMaps::default();
    let maps = PathMaps::new([PathRule { from: "^/mnt/nas/video/(.*)$", to: "/media/$1" }]).expect("it is right");
    println!("{PATHS} paths, CPU time per lookup:");
    for (what, asked, maps) in [
        ("whole path", &paths, &none),
        ("end of the path, another root", &other_root, &none),
        ("whole path through a path map", &other_root, &maps),
        ("not there", &missing, &none),
    ] {
        let (ns, sure) = measure(&index, asked, maps);
        println!("  {what:<32} {ns:>8.0} ns   {sure} sure");
    }
    let scanned = scan(&paths);
    let (ns, _) = measure(&index, &paths, &none);
    println!("  {:<32} {scanned:>8.0} ns   {:.0} times the index", "a scan that compares names", scanned / ns);
    let before = cpu_ns();
    let many = build(MANY);
    let built_s = (cpu_ns() - before) as f64 / 1e9;
    let (ns, sure) = measure(&many, &paths, &none);
    println!(
        "{MANY} paths: built in {built_s:.1} s CPU, {:.1} MB, {ns:.0} ns per lookup, {sure} sure",
        many.bytes() as f64 / 1e6
    );
}
