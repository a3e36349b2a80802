//! `greenroom match`: finds the tracks of a library that queries refer to. With two files it needs no server and no
//! configuration.

mod summary;

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use greenroom_library::matching::{
    MatchDecision, MatchPolicy, MatchResult, Track, TrackCandidate, TrackIndex, TrackIndexBuilder, TrackMatchReason,
};

use super::output::print_error;
use super::progress::ProgressLine;
use super::{FAILURE, SUCCESS, USAGE_ERROR, online_match};
use crate::cli::matching::summary::MatchSummary;
use greenroom_proxy::shadow::report::format_thousands;
use greenroom_sync::track_table::{TrackTable, TrackTableError, TrackTableRow};

/// Bad rows that are reported one by one; all are counted.
const MAX_REPORTED: u64 = 20;
/// Rows between two progress lines.
const PROGRESS_STEP: u64 = 1_000;

/// Arguments.
#[derive(Debug, Args)]
pub(super) struct MatchArgs {
    /// With --queries, a CSV file of the library's tracks: lib_id, title, artist, and if known artists, album_artist,
    /// album, duration_s, path. Otherwise a library of the running gateway, such as home:3
    #[arg(long, value_name = "FILE|ID")]
    library: Option<PathBuf>,
    /// CSV file of the tracks to find: qid, title, artist, and if known artists, album, duration_s
    #[arg(long, value_name = "FILE", requires_all = ["library", "output"], conflicts_with = "online")]
    queries: Option<PathBuf>,
    /// CSV file to write: qid, decision, lib_id, score, reasons, candidates (each as lib_id, score and path)
    #[arg(long, value_name = "FILE", requires = "queries")]
    output: Option<PathBuf>,
    /// Matches to accept
    #[arg(long, value_enum, default_value_t = MatchPolicyArg::Strict)]
    policy: MatchPolicyArg,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    online: online_match::OnlineMatchArgs,
}

/// Two input files and an output file.
#[derive(Debug)]
struct MatchFiles<'a> {
    library: &'a Path,
    queries: &'a Path,
    output: &'a Path,
    policy: MatchPolicyArg,
}

/// A policy as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MatchPolicyArg {
    /// Only this recording
    Strict,
    /// Another version of the same song, if this one is missing
    PreferVersionElseAny,
    /// Only items with the same external id
    IdsOnly,
}

impl MatchPolicyArg {
    fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::PreferVersionElseAny => "prefer-version-else-any",
            Self::IdsOnly => "ids-only",
        }
    }
}

impl From<MatchPolicyArg> for MatchPolicy {
    fn from(policy: MatchPolicyArg) -> Self {
        match policy {
            MatchPolicyArg::Strict => Self::Strict,
            MatchPolicyArg::PreferVersionElseAny => Self::PreferVersionElseAny,
            MatchPolicyArg::IdsOnly => Self::IdsOnly,
        }
    }
}

/// Matches two files.
pub(super) fn run(options: &MatchArgs) -> u8 {
    let (Some(library), Some(queries), Some(output)) = (&options.library, &options.queries, &options.output) else {
        let library = options.library.as_ref().map(|library| library.to_string_lossy());
        return online_match::run(&options.online, library.as_deref(), options.policy.name(), options.json);
    };
    match match_files(&MatchFiles { library, queries, output, policy: options.policy }) {
        Ok(summary) => {
            summary.print(options.json);
            // Rows missing from the library or the queries may have been the important ones.
            if summary.bad_tracks + summary.bad_queries == 0 { SUCCESS } else { FAILURE }
        }
        Err(error) => print_error(&error.message, error.code),
    }
}

/// Reason for which a match failed.
#[derive(Debug)]
struct FileMatchError {
    message: String,
    code: u8,
}

impl std::fmt::Display for FileMatchError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.message)
    }
}

impl FileMatchError {
    fn from_table_error(path: &Path, error: &TrackTableError) -> Self {
        Self { message: format!("{}: {error}", path.display()), code: USAGE_ERROR }
    }

    fn from_write_error(path: &Path, error: &dyn std::fmt::Display) -> Self {
        Self { message: format!("{}: cannot be written: {error}", path.display()), code: FAILURE }
    }
}

fn match_files(options: &MatchFiles<'_>) -> Result<MatchSummary, FileMatchError> {
    for read in [options.library, options.queries] {
        if is_same_file(read, options.output) {
            let message = format!("{}: the output must not be one of the input files", options.output.display());
            return Err(FileMatchError { message, code: USAGE_ERROR });
        }
    }
    let mut summary = MatchSummary::default();
    let (index, names) = read_library(options.library, &mut summary)?;
    let temporary = temporary(options.output);
    let result = match_queries(options, &temporary, &index, &names, &mut summary);
    if temporary == *options.output {
        return result.map(|()| summary);
    }
    let renamed = result.and_then(|()| {
        let output = std::fs::canonicalize(options.output).unwrap_or_else(|_| options.output.to_owned());
        std::fs::rename(&temporary, output).map_err(|error| FileMatchError::from_write_error(options.output, &error))
    });
    if renamed.is_err() {
        let _ = std::fs::remove_file(&temporary); // The first error is reported.
    }
    renamed.map(|()| summary)
}

/// Whether two paths lead to the same file.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let id = |path: &Path| std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    id(one).is_some_and(|file| Some(file) == id(other))
}

/// Temporary file for the incomplete output: beside the file, unless it is a pipe or a device.
fn temporary(output: &Path) -> PathBuf {
    let is_file = std::fs::metadata(output).map_or(true, |metadata| metadata.is_file());
    if !is_file {
        return output.to_owned();
    }
    // The target of a link is replaced, not the link.
    let output = std::fs::canonicalize(output).unwrap_or_else(|_| output.to_owned());
    let mut name = output.into_os_string();
    name.push(format!(".{}.part", std::process::id()));
    PathBuf::from(name)
}

/// Keys of the library's tracks by row, and where the table has them the paths of their files.
#[derive(Default)]
struct TrackNames {
    keys: Vec<Box<str>>,
    paths: Vec<Box<str>>,
}

impl TrackNames {
    fn key(&self, row: u32) -> &str {
        self.keys.get(row as usize).map_or("", AsRef::as_ref)
    }

    fn path(&self, row: u32) -> &str {
        self.paths.get(row as usize).map_or("", AsRef::as_ref)
    }
}

fn read_library(path: &Path, summary: &mut MatchSummary) -> Result<(TrackIndex, TrackNames), FileMatchError> {
    let table_error = |error: TrackTableError| FileMatchError::from_table_error(path, &error);
    let mut table = TrackTable::open(path, "lib_id").map_err(table_error)?;
    let line = ProgressLine::new();
    let mut builder = TrackIndexBuilder::default();
    let mut names = TrackNames::default();
    while let Some(row) = table.next_row().map_err(table_error)? {
        match row {
            TrackTableRow::Good(fields) => {
                summary.tracks += 1;
                let artists = fields.artists();
                builder.push(&Track {
                    title: &fields.title,
                    artist: &fields.artist,
                    artists: &artists,
                    album_artist: &fields.album_artist,
                    album: &fields.album,
                    duration_s: fields.duration_s,
                    ids: &[],
                });
                names.keys.push(fields.key.into_boxed_str());
                names.paths.push(fields.path.into_boxed_str());
                show_rows(&line, "tracks of the library", summary.tracks);
            }
            TrackTableRow::Bad { line, reason, .. } => {
                summary.bad_tracks += 1;
                print_bad_row(path, line, reason, summary.bad_tracks);
            }
        }
    }
    drop(line);
    Ok((builder.build(), names))
}

fn match_queries(
    options: &MatchFiles<'_>,
    temporary: &Path,
    index: &TrackIndex,
    names: &TrackNames,
    summary: &mut MatchSummary,
) -> Result<(), FileMatchError> {
    let table_error = |error: TrackTableError| FileMatchError::from_table_error(options.queries, &error);
    let write_error = |error: csv::Error| FileMatchError::from_write_error(options.output, &error);
    let line = ProgressLine::new();
    let mut table = TrackTable::open(options.queries, "qid").map_err(table_error)?;
    let file = File::create(temporary).map_err(|error| FileMatchError::from_write_error(options.output, &error))?;
    let mut output = csv::Writer::from_writer(std::io::BufWriter::new(file));
    output.write_record(["qid", "decision", "lib_id", "score", "reasons", "candidates"]).map_err(write_error)?;
    while let Some(row) = table.next_row().map_err(table_error)? {
        match row {
            TrackTableRow::Good(fields) => {
                summary.queries += 1;
                let artists = fields.artists();
                let track = Track {
                    title: &fields.title,
                    artist: &fields.artist,
                    artists: &artists,
                    album_artist: "",
                    album: &fields.album,
                    duration_s: fields.duration_s,
                    ids: &[],
                };
                let result = index.resolve(&track, options.policy.into());
                summary.count(result.decision);
                output.write_record(record(&fields.key, &result, names)).map_err(write_error)?;
                show_rows(&line, "queries", summary.queries);
            }
            TrackTableRow::Bad { line, reason, key } => {
                summary.bad_queries += 1;
                print_bad_row(options.queries, line, reason, summary.bad_queries);
                if let Some(key) = key {
                    output
                        .write_record([key.as_str(), "reject", "", "0.000", "unreadable", ""])
                        .map_err(write_error)?;
                }
            }
        }
    }
    drop(line);
    output.flush().map_err(|error| FileMatchError::from_write_error(options.output, &error))
}

fn record(key: &str, result: &MatchResult, names: &TrackNames) -> [String; 6] {
    let accepted = result.accepted().map_or("", |row| names.key(row));
    let candidate = |found: &TrackCandidate| {
        let told = format!("{} {:.3} {}", names.key(found.row), found.score, names.path(found.row));
        told.trim_end().to_owned()
    };
    let best = result.candidates.first();
    let reasons = |best: &TrackCandidate| best.reasons.iter().map(TrackMatchReason::word).collect::<Vec<_>>().join(";");
    [
        key.to_owned(),
        name(result.decision).to_owned(),
        accepted.to_owned(),
        format!("{:.3}", best.map_or(0.0, |best| best.score)),
        best.map(reasons).unwrap_or_default(),
        result.candidates.iter().map(candidate).collect::<Vec<_>>().join(" | "),
    ]
}

fn name(decision: MatchDecision) -> &'static str {
    match decision {
        MatchDecision::Accept => "accept",
        MatchDecision::Review => "review",
        MatchDecision::Reject => "reject",
    }
}

fn print_bad_row(path: &Path, line: u64, reason: &str, count: u64) {
    match count {
        ..=MAX_REPORTED => eprintln!("{}: line {line}: {reason}", path.display()),
        count if count == MAX_REPORTED + 1 => eprintln!("{}: further bad rows are only counted", path.display()),
        _ => {}
    }
}

fn show_rows(line: &ProgressLine, what: &str, rows: u64) {
    if rows.is_multiple_of(PROGRESS_STEP) {
        line.show_step(&format!("{what}: {}", format_thousands(rows)));
    }
}

#[cfg(test)]
mod tests {
    use super::{MatchFiles, MatchPolicyArg, match_files};

    const LIBRARY: &[u8] = b"\xef\xbb\xbflib_id,Title,artist,style,duration_s,path\n\
        L1,Our Way,Someone,x,200,/m/our.mp3\n\
        L2,Our Way (Live),Someone,x,,\n\
        L3,too few\n\
        L4,\xff\xfe,Someone,x,1,\n";

    /// The output, or a message instead.
    fn matched(library: &[u8], queries: &[u8], policy: MatchPolicyArg) -> Result<(String, [u64; 3]), String> {
        let folder = tempfile::tempdir().expect("create a temporary folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("library.csv"), library).expect("write the file");
        std::fs::write(path("queries.csv"), queries).expect("write the file");
        let (library, queries, output) = (path("library.csv"), path("queries.csv"), path("output.csv"));
        let files = MatchFiles { library: &library, queries: &queries, output: &output, policy };
        let summary = match_files(&files).map_err(|error| error.to_string())?;
        let record = std::fs::read_to_string(&output).expect("read the output");
        Ok((record, [summary.tracks, summary.bad_tracks, summary.bad_queries]))
    }

    #[test]
    fn every_query_gets_a_result_in_order_and_bad_rows_are_counted() {
        let queries = b"qid,title,artist,album,duration_s\n\
            Q2,our way - 2011 remaster,SOMEONE,,201\nQ1,Other Song,Someone,,\nQ3,\xff,Someone,,\nQ4,short\n\
            Q5,Our Way (Acoustic),Someone,,\n";
        let (record, counts) = matched(LIBRARY, queries, MatchPolicyArg::Strict).expect("match the files");
        let lines: Vec<&str> = record.lines().collect();
        assert_eq!(lines[0], "qid,decision,lib_id,score,reasons,candidates");
        assert!(lines[1].starts_with("Q2,accept,L1,1.030,title_exact;artist_exact;duration_match,L1 1.030 /m/our.mp3"));
        assert_eq!(lines[2], "Q1,reject,,0.000,,");
        assert_eq!(lines[3..5], ["Q3,reject,,0.000,unreadable,", "Q4,reject,,0.000,unreadable,"]);
        assert!(lines[5].contains("L1 ") && lines[5].contains("/m/our.mp3"), "{}", lines[5]);
        assert!(lines[5].starts_with("Q5,review,,0.700,"), "{}", lines[5]);
        assert_eq!(counts, [2, 2, 2]);
    }

    #[test]
    fn the_policy_decides_what_is_accepted() {
        let queries = b"qid,title,artist\nQ1,Our Way (Acoustic),Someone\n";
        let (record, _) = matched(LIBRARY, queries, MatchPolicyArg::PreferVersionElseAny).expect("match the files");
        assert!(record.contains("Q1,accept,L"), "{record}");
        let (record, _) = matched(LIBRARY, b"qid,title,artist\nQ1,Our Way,Someone\n", MatchPolicyArg::IdsOnly)
            .expect("match the files");
        assert!(record.contains("Q1,reject,,"), "{record}");
    }

    #[test]
    fn a_table_without_required_columns_is_rejected_with_a_list_of_its_columns() {
        let message =
            matched(b"id,name\n1,2\n", b"qid,title,artist\n", MatchPolicyArg::Strict).expect_err("columns are missing");
        assert!(message.contains("lacks the column lib_id, title, artist; found: id, name"), "{message}");
        let message = matched(LIBRARY, b"", MatchPolicyArg::Strict).expect_err("the table is empty");
        assert!(message.contains("is empty"), "{message}");
        let binary: Vec<u8> = (0..=255).cycle().take(9_000).collect();
        assert!(matched(&binary, b"qid,title,artist\n", MatchPolicyArg::Strict).is_err());
        let unclosed = [b"lib_id,title,artist\nL1,\"".as_slice(), &vec![b'x'; 100_000]].concat();
        let (_, counts) = matched(&unclosed, b"qid,title,artist\n", MatchPolicyArg::Strict).expect("match the files");
        assert_eq!(counts[..2], [0, 1]);
    }

    #[test]
    fn an_unclosed_quote_loses_only_its_own_row() {
        let mut library = b"lib_id,title,artist\nL0,\"Open Way,Someone\n".to_vec();
        for row in 1..2_000 {
            library.extend_from_slice(format!("L{row},Our Way {row},Someone\n").as_bytes());
        }
        library.extend_from_slice(b"L2000,\"Two\nLines\",\"Some \"\"One\"\"\"\nL2001,Last \"Way\",Someone");
        let queries = b"qid,title,artist\r\nQ1,Our Way 7,Someone\r\n\r\nQ2,Two Lines,\"Some \"\"One\"\"\"\r\nQ3,Last Way,Someone\r\n";
        let (record, counts) = matched(&library, queries, MatchPolicyArg::Strict).expect("match the files");
        assert_eq!(counts, [2_001, 1, 0]);
        for found in ["Q1,accept,L7,", "Q2,accept,L2000,", "Q3,accept,L2001,"] {
            assert!(record.contains(found), "{record}");
        }
    }

    #[test]
    fn an_input_file_is_never_written() {
        let folder = tempfile::tempdir().expect("create a temporary folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("library.csv"), LIBRARY).expect("write the file");
        std::fs::write(path("queries.csv"), b"qid,title,artist\nQ1,Our Way,Someone\n").expect("write the file");
        std::os::unix::fs::symlink(path("queries.csv"), path("link.csv")).expect("create the link");
        std::fs::hard_link(path("library.csv"), path("other.csv")).expect("create the link");
        let (library, queries) = (path("library.csv"), path("queries.csv"));
        for output in ["library.csv", "queries.csv", "link.csv", "other.csv"] {
            let output = path(output);
            let files =
                MatchFiles { library: &library, queries: &queries, output: &output, policy: MatchPolicyArg::Strict };
            let error = match_files(&files).expect_err("the output is an input");
            assert!(error.to_string().contains("must not be one of the input files"), "{error}");
        }
        assert_eq!(std::fs::read(&library).expect("read the folder or file"), LIBRARY);
        std::fs::write(path("bad.csv"), b"nothing").expect("write the file");
        std::fs::write(path("found.csv"), b"before").expect("write the file");
        let (bad, output) = (path("bad.csv"), path("found.csv"));
        let files = MatchFiles { library: &library, queries: &bad, output: &output, policy: MatchPolicyArg::Strict };
        match_files(&files).expect_err("no queries");
        assert_eq!(
            std::fs::read(&output).expect("read the folder or file"),
            b"before",
            "the old output stays until the new one is complete"
        );
        let count = std::fs::read_dir(folder.path()).expect("read the folder or file").count();
        assert_eq!(count, 6, "no temporary file remains");
    }
}
