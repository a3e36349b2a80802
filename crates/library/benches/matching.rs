//! Cost of matching 500 tracks, and memory use of the index, for libraries of 100,000 and 1,000,000 tracks.
//!
//! CPU time of one thread, median and spread of five runs; resident memory from `/proc/self/status`. The
//! library is generated from a seed: words with a long tail, artists with few and with many albums, guests,
//! remasters, concerts and remixes. `cargo bench -p greenroom-library`.

use std::fs;
use std::hint::black_box;
use std::time::Instant;

use greenroom_library::matching::{MatchDecision, MatchPolicy, Track, TrackIndex, TrackIndexBuilder};

const SEED: u64 = 20_260_101;
const RUNS: usize = 5;
const TRACKS: usize = 500;
/// Tracks matched by the naive scan, which is slow.
const SCANNED: usize = 5;

fn main() {
    println!("seed {SEED}; {TRACKS} tracks: two thirds there as asked, the others misspelt, otherwise named or absent");
    for rows in [100_000, 1_000_000] {
        measure(rows);
    }
}

fn measure(rows: usize) {
    let library = Library::new(rows);
    println!("\n== {rows} rows, {} different titles, {} artists", library.distinct_titles(), library.artists.len());
    let before = resident_kib("VmRSS");
    reset_peak();
    let start = cpu_ns();
    let index = library.index();
    let build_ns = cpu_ns() - start;
    let (after, peak) = (resident_kib("VmRSS"), resident_kib("VmHWM"));
    println!("index built in {:.2} s of CPU time", build_ns as f64 / 1e9);
    println!(
        "resident: {} MiB for it after the build, {} MiB at its peak",
        (after.saturating_sub(before)) / 1024,
        (peak.saturating_sub(before)) / 1024
    );
    let wanted = library.wanted();
    let mut totals: Vec<u64> = Vec::new();
    let mut each: Vec<Vec<u64>> = vec![Vec::new(); wanted.len()];
    let mut found = 0;
    for _ in 0..RUNS {
        let start = cpu_ns();
        found = 0;
        for (song, times) in wanted.iter().zip(&mut each) {
            let before = now();
            let verdict = song.with(|track| index.resolve(track, MatchPolicy::Strict));
            found += usize::from(verdict.decision == MatchDecision::Accept);
            times.push(u64::try_from(before.elapsed().as_nanos()).unwrap_or(u64::MAX));
            black_box(verdict);
        }
        totals.push(cpu_ns() - start);
    }
    totals.sort_unstable();
    // Each track's median of five runs, to exclude other load on the machine.
    let mut each: Vec<u64> = each.into_iter().map(median).collect();
    each.sort_unstable();
    let ms = |ns: u64| ns as f64 / 1e6;
    let (median, spread) = (totals[RUNS / 2], totals[RUNS - 1] - totals[0]);
    println!(
        "{TRACKS} tracks ({found} found): {:.1} ms, spread {:.1}; a track: median {:.3} ms, p99 {:.3}, most {:.3}",
        ms(median),
        ms(spread),
        ms(each[each.len() / 2]),
        ms(each[each.len() * 99 / 100]),
        ms(each[each.len() - 1]),
    );
    let scanned = library.scan(&wanted[..SCANNED]);
    let ratio = (scanned as f64 / SCANNED as f64) / (median as f64 / TRACKS as f64);
    println!(
        "comparing every row with each track takes {:.1} ms a track: {ratio:.0} times as long",
        ms(scanned) / SCANNED as f64
    );
}

fn median(mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    times[times.len() / 2]
}

/// A generated song.
#[derive(Clone)]
struct Song {
    title: String,
    names: Vec<String>,
    album: String,
    duration_s: u32,
}

impl Song {
    fn with<R>(&self, then: impl FnOnce(&Track<'_>) -> R) -> R {
        let artists: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let artist = artists.join(", ");
        then(&Track {
            title: &self.title,
            artist: &artist,
            artists: &artists,
            album_artist: "",
            album: &self.album,
            duration_s: Some(self.duration_s),
            ids: &[],
        })
    }
}

struct Library {
    artists: Vec<String>,
    songs: Vec<Song>,
}

impl Library {
    fn new(rows: usize) -> Self {
        let mut dice = XorShiftRng(SEED);
        let words: Vec<String> = (0..30_000).map(|_| dice.word()).collect();
        let artists: Vec<String> = (0..(rows / 25).max(10)).map(|_| dice.name(&words)).collect();
        let mut songs = Vec::with_capacity(rows);
        while songs.len() < rows {
            let artist = dice.tail(artists.len());
            let album = dice.phrase(&words);
            for _ in 0..=dice.below(13) {
                if songs.len() < rows {
                    songs.push(dice.song(artist, &album, &artists, &words));
                }
            }
        }
        Self { artists, songs }
    }

    fn distinct_titles(&self) -> usize {
        let mut titles: Vec<&str> = self.songs.iter().map(|song| song.title.as_str()).collect();
        titles.sort_unstable();
        titles.dedup();
        titles.len()
    }

    fn index(&self) -> TrackIndex {
        let mut builder = TrackIndexBuilder::default();
        for song in &self.songs {
            song.with(|track| builder.push(track));
        }
        builder.build()
    }

    /// The queries: two thirds unchanged, the rest in variants of people and other services, or missing.
    fn wanted(&self) -> Vec<Song> {
        let mut dice = XorShiftRng(SEED + 1);
        let words: Vec<String> = (0..2_000).map(|_| dice.word()).collect();
        (0..TRACKS)
            .map(|at| {
                let mut song = self.songs[dice.below(self.songs.len())].clone();
                match at % 12 {
                    8 => song.title = dice.misspelt(&song.title),
                    9 => song.names[0] = dice.misspelt(&song.names[0]),
                    10 => song.title = dice.phrase(&words),
                    11 => song.title.push_str(" (Live at the Harbour)"),
                    _ => {}
                }
                song
            })
            .collect()
    }

    /// Compares every row with each track, letter by letter.
    fn scan(&self, wanted: &[Song]) -> u64 {
        let start = cpu_ns();
        for song in wanted {
            let best = self
                .songs
                .iter()
                .map(|row| shared_letters(&row.title, &song.title) + shared_letters(&row.names[0], &song.names[0]))
                .max();
            black_box(best);
        }
        cpu_ns() - start
    }
}

/// Number of common letter pairs of two texts: the cheapest comparison of any use.
fn shared_letters(one: &str, other: &str) -> usize {
    one.as_bytes()
        .windows(2)
        .filter(|pair| other.as_bytes().windows(2).any(|same| same.eq_ignore_ascii_case(pair)))
        .count()
}

/// Pseudo-random numbers from a seed (xorshift).
struct XorShiftRng(u64);

impl XorShiftRng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or_default()
    }

    /// A number below a bound, small ones far more often, like the distribution of words and of an artist's
    /// albums.
    fn tail(&mut self, bound: usize) -> usize {
        // The bound shrinks repeatedly: half by rank, half evenly, so that the tail is long.
        let mut rank = bound;
        for _ in 0..self.below(3) {
            rank = (rank / 10).max(1);
        }
        if self.below(2) == 0 { self.below(rank) } else { self.below(bound) }
    }

    fn word(&mut self) -> String {
        const BEGINNINGS: [&str; 24] = [
            "b", "c", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "st", "tr", "bl",
            "ch", "sh", "gr", "pl",
        ];
        const MIDDLES: [&str; 12] = ["a", "e", "i", "o", "u", "ea", "oo", "ai", "ou", "y", "é", "ö"];
        const ENDS: [&str; 12] = ["", "n", "r", "s", "t", "l", "m", "d", "ng", "ck", "ll", "x"];
        (0..=self.below(3))
            .map(|_| [BEGINNINGS[self.below(24)], MIDDLES[self.below(12)], ENDS[self.below(12)]].concat())
            .collect()
    }

    fn phrase(&mut self, words: &[String]) -> String {
        let length = 1 + self.below(4);
        let words: Vec<&str> = (0..length).map(|_| words[self.tail(words.len())].as_str()).collect();
        words.join(" ")
    }

    fn name(&mut self, words: &[String]) -> String {
        let name = [words[self.below(words.len())].as_str(), words[self.below(words.len())].as_str()];
        match self.below(6) {
            0 => format!("The {}", name[0]),
            1 => format!("{} & {}", name[0], name[1]),
            2 => name[0].to_owned(),
            _ => name.join(" "),
        }
    }

    fn song(&mut self, artist: usize, album: &str, artists: &[String], words: &[String]) -> Song {
        let mut title = self.phrase(words);
        let mut names = vec![artists[artist].clone()];
        let guest = &artists[self.below(artists.len())];
        match self.below(40) {
            0..=3 => {
                title = format!("{title} (feat. {guest})");
                names.push(guest.clone());
            }
            4 | 5 => title.push_str(" - Remastered 2011"),
            6 => title.push_str(" (Live)"),
            7 => title = format!("{title} - {guest} Remix"),
            8 => title.push_str(" (Acoustic)"),
            9 => title = format!("{title}, Pt. {}", 1 + self.below(3)),
            10 => "Intro".clone_into(&mut title),
            _ => {}
        }
        let duration_s = 120 + u32::try_from(self.below(240)).unwrap_or_default();
        Song { title, names, album: album.to_owned(), duration_s }
    }

    fn misspelt(&mut self, text: &str) -> String {
        let mut letters: Vec<char> = text.chars().collect();
        let at = self.below(letters.len());
        if letters.len() > 3 {
            letters.remove(at);
        }
        letters.into_iter().collect()
    }
}

/// CPU time of this thread in nanoseconds.
fn cpu_ns() -> u64 {
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    told.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or_default()
}

/// Wall time, because CPU time is counted in milliseconds, which is too coarse for one track.
#[expect(clippy::disallowed_methods, reason = "a bench is where time is taken")]
fn now() -> Instant {
    Instant::now()
}

fn resident_kib(field: &str) -> u64 {
    let told = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = told.lines().find(|line| line.starts_with(field));
    line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kib| kib.parse().ok()).unwrap_or_default()
}

/// Resets the peak memory.
fn reset_peak() {
    drop(fs::write("/proc/self/clear_refs", "5"));
}
