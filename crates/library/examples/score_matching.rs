//! Scores the matcher on lists with known right answers, and fails below the targets.
//!
//! `GREENROOM_MATCHING` names a folder with `library.csv`, `queries_dev.csv`, `gold_dev.csv`,
//! `queries_stress_dev.csv` and `gold_stress_dev.csv`; without it there is nothing to score. With `--errors
//! 0` or `--errors 1` the mistakes in one half of the queries are listed, so that the other half stays
//! unseen.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::ExitCode;

use greenroom_library::matching::{MatchPolicy, MatchResult, Track, TrackIndex, TrackIndexBuilder};
use xxhash_rust::xxh3::xxh3_64;

#[path = "../tests/pairs/list.rs"]
mod list;

use list::{ALIKE, APART, TrackPair, pairs};

/// Targets: the minimum of each measure.
const FULL_F1: f64 = 0.985;
const BARE_F1: f64 = 0.975;
const STRESS_F1: f64 = 0.96;
const PRECISION: f64 = 0.995;
const FALSE_VERSIONS: f64 = 0.02;
const GAP: f64 = 0.01;
const WRONG_PAIRS: f64 = 0.01;

type Fields = HashMap<String, String>;

struct Library {
    index: TrackIndex,
    rows: Vec<Fields>,
}

/// Number of results of each kind.
#[derive(Debug, Default, Clone, Copy)]
struct MatchStats {
    right: u32,
    wrong: u32,
    missed: u32,
    rightly_none: u32,
    neutral: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MatchOutcome {
    Right,
    Wrong { is_missed: bool },
    Missed,
    RightlyNone,
    Neutral { is_missed: bool },
}

impl MatchStats {
    fn add(&mut self, outcome: MatchOutcome) {
        match outcome {
            MatchOutcome::Right => self.right += 1,
            MatchOutcome::Wrong { is_missed } => {
                self.wrong += 1;
                self.missed += u32::from(is_missed);
            }
            MatchOutcome::Missed => self.missed += 1,
            MatchOutcome::RightlyNone => self.rightly_none += 1,
            MatchOutcome::Neutral { is_missed } => {
                self.neutral += 1;
                self.missed += u32::from(is_missed);
            }
        }
    }

    fn precision(&self) -> f64 {
        share(self.right, self.right + self.wrong)
    }

    fn recall(&self) -> f64 {
        share(self.right, self.right + self.missed)
    }

    fn f1(&self) -> f64 {
        let (precision, recall) = (self.precision(), self.recall());
        if precision + recall == 0.0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) }
    }
}

fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 { 1.0 } else { f64::from(part) / f64::from(whole) }
}

struct Case<'a> {
    query: &'a Fields,
    gold: &'a Fields,
    outcome: MatchOutcome,
    verdict: MatchResult,
}

fn main() -> ExitCode {
    let are_right = score_pairs();
    let Some(folder) = std::env::var_os("GREENROOM_MATCHING") else {
        println!("GREENROOM_MATCHING names no folder with lists to score; only the pairs were scored");
        return if are_right { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    };
    let folder = Path::new(&folder);
    let arguments: Vec<String> = std::env::args().collect();
    let told = arguments.iter().position(|argument| argument == "--errors").and_then(|at| arguments.get(at + 1));
    let told: Option<u64> = told.and_then(|half| half.parse().ok());
    let library = library(&folder.join("library.csv"));
    let mut is_good = are_right;
    let (dev, gold) = (read(&folder.join("queries_dev.csv")), gold(&folder.join("gold_dev.csv")));
    for (name, is_bare, target) in [("dev, full", false, FULL_F1), ("dev, artist and title only", true, BARE_F1)] {
        is_good &= score(name, &library, &dev, &gold, is_bare, target, told);
    }
    let stress = read(&folder.join("queries_stress_dev.csv"));
    let gold = self::gold(&folder.join("gold_stress_dev.csv"));
    is_good &= score("stress", &library, &stress, &gold, false, STRESS_F1, told);
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Scores the two lists of pairs: wrong pairs of each class. Whether few enough are wrong.
fn score_pairs() -> bool {
    let mut is_good = true;
    let is_kept_apart = |pair: &TrackPair| !pair.is_accepted() && !pair.turned().is_accepted();
    for (name, text) in [("must be kept apart", APART), ("must be matched", ALIKE)] {
        let is_right = |pair: &TrackPair| if text == ALIKE { pair.is_accepted() } else { is_kept_apart(pair) };
        let mut classes: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
        for pair in pairs(text) {
            let (all, wrong) = classes.entry(pair.class).or_default();
            *all += 1;
            *wrong += u32::from(!is_right(&pair));
        }
        let all: u32 = classes.values().map(|(all, _)| all).sum();
        let wrong: u32 = classes.values().map(|(_, wrong)| wrong).sum();
        println!("\n== pairs that {name}: {wrong} of {all} wrong");
        for (class, (all, wrong)) in classes {
            println!("{class:<18} {wrong} of {all} wrong");
        }
        is_good &= share(wrong, all) <= WRONG_PAIRS;
    }
    is_good
}

fn read(path: &Path) -> Vec<Fields> {
    let mut reader = csv::Reader::from_path(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    reader.deserialize().map(|row| row.unwrap_or_else(|error| panic!("{}: {error}", path.display()))).collect()
}

fn gold(path: &Path) -> HashMap<String, Fields> {
    read(path).into_iter().map(|row| (row["qid"].clone(), row)).collect()
}

fn library(path: &Path) -> Library {
    let rows = read(path);
    let mut builder = TrackIndexBuilder::default();
    for row in &rows {
        builder.push(&track(row, &artists(row), false));
    }
    Library { index: builder.build(), rows }
}

fn artists(row: &Fields) -> Vec<&str> {
    row.get("artists").map_or("", String::as_str).split(';').filter(|artist| !artist.is_empty()).collect()
}

fn track<'a>(row: &'a Fields, artists: &'a [&'a str], is_bare: bool) -> Track<'a> {
    let field = |name: &str| row.get(name).map_or("", String::as_str);
    let (album, duration_s) = if is_bare { ("", None) } else { (field("album"), field("duration_s").parse().ok()) };
    Track {
        title: field("title"),
        artist: field("artist"),
        artists,
        album_artist: field("album_artist"),
        album,
        duration_s,
        ids: &[],
    }
}

/// Matches the queries as one list, as a playlist is.
fn resolve_list(library: &Library, queries: &[Fields], is_bare: bool) -> Vec<MatchResult> {
    let artists: Vec<Vec<&str>> = queries.iter().map(artists).collect();
    let tracks: Vec<Track<'_>> =
        queries.iter().zip(&artists).map(|(query, artists)| track(query, artists, is_bare)).collect();
    library.index.resolve_all(&tracks, MatchPolicy::Strict)
}

fn outcome(answer: Option<&str>, gold: &Fields) -> MatchOutcome {
    let holds = |field: &str, id: &str| gold[field].split(';').any(|one| one == id);
    let is_there = !gold["gold"].is_empty();
    match answer {
        None if is_there => MatchOutcome::Missed,
        None => MatchOutcome::RightlyNone,
        Some(id) if holds("gold", id) => MatchOutcome::Right,
        Some(id) if holds("alt", id) => MatchOutcome::Neutral { is_missed: is_there },
        Some(_) => MatchOutcome::Wrong { is_missed: is_there },
    }
}

fn score(
    name: &str,
    library: &Library,
    queries: &[Fields],
    gold: &HashMap<String, Fields>,
    is_bare: bool,
    target: f64,
    told: Option<u64>,
) -> bool {
    let cases: Vec<Case<'_>> = resolve_list(library, queries, is_bare)
        .into_iter()
        .zip(queries)
        .map(|(verdict, query)| {
            let answer = verdict.accepted().map(|row| library.rows[row as usize]["lib_id"].as_str());
            let gold = &gold[&query["qid"]];
            Case { query, gold, outcome: outcome(answer, gold), verdict }
        })
        .collect();
    println!("\n== {name}");
    let mut all = MatchStats::default();
    let mut halves = [MatchStats::default(); 2];
    let mut groups: BTreeMap<&str, MatchStats> = BTreeMap::new();
    for case in &cases {
        all.add(case.outcome);
        halves[half(case.query)].add(case.outcome);
        groups.entry(&case.gold["kind"]).or_default().add(case.outcome);
        if case.query["source"] != "stress" {
            groups.entry(&case.query["source"]).or_default().add(case.outcome);
        }
    }
    show("all", &all);
    show("half 0", &halves[0]);
    show("half 1", &halves[1]);
    for (group, tally) in &groups {
        show(group, tally);
    }
    if let Some(told) = told {
        cases.iter().filter(|case| half(case.query) as u64 == told).for_each(|case| tell(library, case));
    }
    judge(name, &all, &halves, &groups, target)
}

fn half(query: &Fields) -> usize {
    usize::from(xxh3_64(query["qid"].as_bytes()) & 1 == 1)
}

fn show(name: &str, tally: &MatchStats) {
    let MatchStats { right, wrong, missed, rightly_none, neutral } = *tally;
    let accuracy = share(right + rightly_none, right + rightly_none + wrong + missed);
    println!(
        "{name:<18} P {:.4} R {:.4} F1 {:.4} acc {accuracy:.4}   right {right} wrong {wrong} missed {missed} none {rightly_none} neutral {neutral}",
        tally.precision(),
        tally.recall(),
        tally.f1(),
    );
}

fn judge(
    name: &str,
    all: &MatchStats,
    halves: &[MatchStats; 2],
    groups: &BTreeMap<&str, MatchStats>,
    target: f64,
) -> bool {
    let versions = ["neg_version", "N_version", "N_remixer", "N_strip_remix"];
    let of_versions: Vec<&MatchStats> = versions.iter().filter_map(|kind| groups.get(kind)).collect();
    let wrong: u32 = of_versions.iter().map(|tally| tally.wrong).sum();
    let asked: u32 = of_versions.iter().map(|tally| tally.wrong + tally.rightly_none + tally.neutral).sum();
    let false_versions = if asked == 0 { 0.0 } else { share(wrong, asked) };
    let gap = (halves[0].f1() - halves[1].f1()).abs();
    println!("other versions accepted: {wrong} of {asked}; gap between the halves: {gap:.4}");
    let checks = [
        ("F1", all.f1() >= target),
        ("precision", all.precision() >= PRECISION),
        ("other versions", false_versions <= FALSE_VERSIONS),
        ("gap", gap <= GAP),
    ];
    for (check, is_good) in checks {
        if !is_good {
            println!("{name}: {check} misses its target");
        }
    }
    checks.iter().all(|(_, is_good)| *is_good)
}

fn tell(library: &Library, case: &Case<'_>) {
    if !matches!(case.outcome, MatchOutcome::Wrong { .. } | MatchOutcome::Missed) {
        return;
    }
    let line =
        |row: &Fields| format!("{} | {} | {} | {}", row["title"], row["artist"], row["album"], row["duration_s"]);
    println!("{:?} {} {}: {}", case.outcome, case.query["qid"], case.gold["kind"], line(case.query));
    for id in case.gold["gold"].split(';').filter(|id| !id.is_empty()).take(2) {
        let row = library.rows.iter().find(|row| row["lib_id"] == id);
        println!("    right: {}", row.map(line).unwrap_or_default());
    }
    for candidate in case.verdict.candidates.iter().take(2) {
        let words: Vec<&str> =
            candidate.reasons.iter().map(greenroom_library::matching::TrackMatchReason::word).collect();
        let row = line(&library.rows[candidate.row as usize]);
        println!("    {:?} {:.3} {}: {row}", case.verdict.decision, candidate.score, words.join(";"));
    }
}
