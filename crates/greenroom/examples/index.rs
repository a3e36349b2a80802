//! Cost of the index over the tracks of the simulated library, and finding 500 tracks in it.
//!
//! `cargo run --release --example index -- [TRACKS] [SEED]`, by default a million tracks of seed 1. CPU time of one
//! thread; resident memory as the system counts it, beside what there was before.

use std::collections::HashSet;
use std::fs;

use greenroom_library::matching::{MatchDecision, MatchPolicy, Track, TrackIndex, TrackIndexBuilder};
use greenroom_simulator::catalogue::{Catalogue, CatalogueSize, MediaKind};

/// Tracks that are looked for.
const WANTED: u32 = 500;
/// Runs of which the middle one counts.
const RUNS: usize = 5;
/// When the newest item came; it changes nothing here.
const NEWEST_AT: u64 = 1_760_000_000;

/// Metadata of a track.
struct TrackMetadata {
    title: String,
    artist: String,
    album: String,
    duration_s: u32,
}

impl TrackMetadata {
    fn generate(catalogue: &Catalogue, number: u32) -> Option<Self> {
        let record = catalogue.record(catalogue.id(MediaKind::Track, number))?;
        Some(Self {
            title: record.title,
            artist: record.grandparent?.title,
            album: record.parent?.title,
            duration_s: u32::try_from(record.duration_ms? / 1_000).ok()?,
        })
    }

    fn with<R>(&self, then: impl FnOnce(&Track<'_>) -> R) -> R {
        then(&Track {
            title: &self.title,
            artist: &self.artist,
            artists: &[&self.artist],
            album_artist: &self.artist,
            album: &self.album,
            duration_s: Some(self.duration_s),
            ids: &[],
        })
    }
}

fn main() {
    let mut typed = std::env::args().skip(1).map(|word| word.parse::<u32>().expect("a number"));
    let (tracks, seed) = (typed.next().unwrap_or(1_000_000), u64::from(typed.next().unwrap_or(1)));
    let catalogue = Catalogue::new(seed, CatalogueSize::with_tracks(tracks), NEWEST_AT);
    let all = || (0..tracks).filter_map(|number| TrackMetadata::generate(&catalogue, number));
    let titles: usize = all().map(|said| said.title).collect::<HashSet<_>>().len();
    println!("{tracks} tracks of seed {seed}, {titles} different titles");
    let begun = cpu_s();
    let made = all().map(|said| said.title.len()).sum::<usize>();
    let making_s = cpu_s() - begun;
    let before = kib("VmRSS");
    drop(fs::write("/proc/self/clear_refs", "5"));
    let begun = cpu_s();
    let index = build(all());
    let build_s = cpu_s() - begun - making_s;
    println!(
        "index: {build_s:.2} s of CPU time (making the {made} letters, {making_s:.2} s, left out); \
         resident {} MiB for it, {} MiB at the peak",
        kib("VmRSS").saturating_sub(before) / 1024,
        kib("VmHWM").saturating_sub(before) / 1024
    );
    let wanted: Vec<TrackMetadata> = (0..WANTED).filter_map(|row| wanted(&catalogue, row, tracks)).collect();
    let mut found = 0;
    let mut took: Vec<f64> = (0..RUNS)
        .map(|_| {
            let begun = cpu_s();
            found = wanted.iter().filter(|said| is_found(&index, said)).count();
            cpu_s() - begun
        })
        .collect();
    took.sort_by(f64::total_cmp);
    println!(
        "{} tracks, {found} found: {:.1} ms of CPU time (of five runs the fastest {:.1}, the slowest {:.1})",
        wanted.len(),
        took[RUNS / 2] * 1e3,
        took[0] * 1e3,
        took[RUNS - 1] * 1e3
    );
}

fn build(all: impl Iterator<Item = TrackMetadata>) -> TrackIndex {
    let mut builder = TrackIndexBuilder::default();
    for said in all {
        said.with(|track| builder.push(track));
    }
    builder.build()
}

/// Tracks from all over the library: most as they are there, the others as people write them, or not there at all.
fn wanted(catalogue: &Catalogue, row: u32, tracks: u32) -> Option<TrackMetadata> {
    let stretch = (tracks / WANTED).max(1);
    let mut said = TrackMetadata::generate(catalogue, row * stretch)?;
    match row % 6 {
        0 => said.title.push_str(" - Remastered 2011"),
        1 => said.title = said.title.to_lowercase().replace('e', "ee"),
        2 => said.title = format!("Nothing Here Is Called {row}"),
        _ => {}
    }
    Some(said)
}

fn is_found(index: &TrackIndex, said: &TrackMetadata) -> bool {
    said.with(|track| index.resolve(track, MatchPolicy::Strict).decision == MatchDecision::Accept)
}

/// CPU time of this thread, in seconds.
fn cpu_s() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux says it");
    let ns: u64 = text.split(' ').next().and_then(|word| word.parse().ok()).expect("a number");
    ns as f64 / 1e9
}

fn kib(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux says it");
    let line = status.lines().find(|line| line.starts_with(name)).expect("it is there");
    line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number")
}
