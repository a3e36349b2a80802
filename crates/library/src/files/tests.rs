//! Match results one by one, and compared with a scan that reads every path.

use proptest::prelude::*;

use super::*;

/// Files as `path`, or `path|size`, or `path|size|seconds`; the row is the index in the list.
fn index(files: &[&str]) -> FileIndex {
    let mut builder = FileIndexBuilder::default();
    for (row, file) in files.iter().enumerate() {
        let mut fields = file.split('|');
        let path = fields.next().expect("a path");
        let size = fields.next().and_then(|size| size.parse().ok());
        let duration = fields.next().and_then(|seconds| seconds.parse::<u32>().ok());
        let row = u32::try_from(row).expect("few");
        builder.push_file(row, path, size, duration.map(|seconds| seconds * 1000));
    }
    builder.build()
}

fn asked(asked: &str) -> FileQuery<'_> {
    let mut fields = asked.split('|');
    FileQuery {
        path: fields.next().expect("a path"),
        size_bytes: fields.next().and_then(|size| size.parse().ok()),
        duration_s: fields.next().and_then(|seconds| seconds.parse().ok()),
    }
}

fn find(files: &[&str], path: &str) -> FileMatchResult {
    index(files).find(&asked(path), &PathMaps::default(), CaseSensitivity::Exact)
}

/// A result in one line: confidence, rows, reasons.
fn told(verdict: &FileMatchResult) -> String {
    let word = match verdict.confidence {
        FileMatchConfidence::High => "high",
        FileMatchConfidence::Low => "low",
        FileMatchConfidence::None => "none",
    };
    let candidates: Vec<u32> = verdict.candidates.iter().map(|candidate| candidate.row).collect();
    let rows = if verdict.confidence == FileMatchConfidence::High { &verdict.rows } else { &candidates };
    let reasons: Vec<String> = verdict.reasons.iter().map(ToString::to_string).collect();
    format!("{word} {rows:?} {}", reasons.join(" "))
}

#[track_caller]
fn check(files: &[&str], path: &str, expected: &str) {
    assert_eq!(told(&find(files, path)), expected, "{path}");
}

#[test]
fn a_path_has_one_canonical_spelling_and_case_matters() {
    let one = super::canonical("/mnt/A/e\u{301}.mp4");
    assert_eq!(one.as_deref(), Some("mnt/A/\u{e9}.mp4"));
    assert_eq!(super::canonical("\\\\?\\mnt\\A\\x\\..\\\\\u{e9}.mp4"), one);
    assert_eq!(super::canonical("file:///mnt/A/%C3%A9.mp4"), one);
    assert_ne!(super::canonical("/mnt/a/\u{e9}.mp4"), one);
    for nothing in ["", "/", "..", "\n"] {
        assert_eq!(super::canonical(nothing), None, "{nothing:?}");
    }
}

#[test]
fn a_whole_path_is_found_in_every_writing() {
    let files = ["/data/Films/Amélie (2001)/Amélie.mkv", "/data/Films/Heat/Heat.mkv"];
    for path in [
        "/data/Films/Amélie (2001)/Amélie.mkv",
        "/data/Films/Ame\u{301}lie (2001)/Ame\u{301}lie.mkv",
        "file:///data/Films/Am%C3%A9lie%20(2001)/Am%C3%A9lie.mkv",
        r"\data\Films\Amélie (2001)\Amélie.mkv",
        "/data/x/../Films//Amélie (2001)/Amélie.mkv/",
    ] {
        check(&files, path, "high [0] full_path");
    }
}

#[test]
fn the_same_name_in_another_folder_is_never_sure() {
    for (file, path) in [
        ("/data/B/scene.mp4", "/data/A/scene.mp4"),
        ("/data/B/scene.mp4|500|60", "/data/A/scene.mp4|500|60"),
        ("B/scene.mp4|500", "A/scene.mp4|500"),
        ("/data/B/scene.mp4", "/data/scene.mp4"),
    ] {
        let verdict = find(&[file], path);
        assert_eq!(verdict.confidence, FileMatchConfidence::Low, "{path}: {}", told(&verdict));
        assert_eq!(verdict.candidates[0].row, 0, "it is shown all the same");
        assert!(verdict.reasons.contains(&FileMatchReason::FolderDiffers));
    }
}

#[test]
fn another_root_does_not_matter_where_the_end_is_one_files_alone() {
    let files = ["/mnt/a/A/scene.mp4", "/mnt/a/B/scene.mp4", "/mnt/a/C/other.mp4"];
    check(&files, "/media/A/scene.mp4", "high [0] suffix=2");
    check(&files, "B/scene.mp4", "high [1] suffix=2");
    check(&files, "/x/a/B/scene.mp4", "high [1] suffix=3");
    check(&files, r"Z:\C\other.mp4", "high [2] suffix=2");
    check(&files, "/media/D/scene.mp4", "low [0, 1] name folder_differs several");
    check(&files, "/media/A/nothing.mp4", "none [] ");
}

#[test]
fn of_several_ends_the_longest_counts_and_equal_ones_are_not_sure() {
    let files = ["/one/x/A/s.mp4|10", "/two/x/A/s.mp4|20", "/two/y/A/s.mp4|30"];
    check(&files, "/three/x/A/s.mp4", "low [0, 1] suffix=3 several");
    check(&files, "/three/x/A/s.mp4|20", "high [1] suffix=3 size_equal");
    check(&files, "/three/x/A/s.mp4|40", "low [0, 1] suffix=3 several");
    check(&files, "/three/y/A/s.mp4", "high [2] suffix=3");
    check(&files, "A/s.mp4", "low [0, 1, 2] suffix=2 several");
}

#[test]
fn a_file_of_several_items_is_all_of_theirs() {
    let files = ["/tv/Lost/S01E01-E02.mkv", "/tv/Lost/S01E01-E02.mkv", "/tv/Lost/S01E03.mkv"];
    check(&files, "/tv/Lost/S01E01-E02.mkv", "high [0, 1] full_path");
    check(&files, "/mnt/Lost/S01E01-E02.mkv", "high [0, 1] suffix=2");
}

#[test]
fn size_and_length_speak_against_an_end_but_not_against_a_whole_path() {
    let files = ["/data/A/s.mp4|10|100"];
    check(&files, "/x/A/s.mp4|11", "low [0] suffix=2 size_differs");
    check(&files, "/x/A/s.mp4|10|100", "high [0] suffix=2 size_equal duration_equal");
    check(&files, "/x/A/s.mp4||130", "low [0] suffix=2 duration_differs");
    check(&files, "/x/A/s.mp4||102", "high [0] suffix=2 duration_equal");
    check(&files, "/data/A/s.mp4|11", "high [0] full_path size_differs");
}

#[test]
fn a_bare_name_is_sure_with_its_size_only() {
    let files = ["/a/x.mp4|10", "/b/x.mp4|20", "/c/y.mp4"];
    check(&files, "x.mp4", "low [0, 1] name several");
    check(&files, "x.mp4|20", "high [1] name size_equal");
    check(&files, "x.mp4|30", "low [0, 1] name several");
    check(&files, "y.mp4", "low [2] name");
    check(&files, "y.mp4|20", "low [2] name");
    check(&["/a/x.mp4|10", "/b/x.mp4|10"], "x.mp4|10", "low [0, 1] name several");
    check(&["/a/x.mp4|10|60"], "x.mp4|10|90", "low [0] name");
}

#[test]
fn case_alone_is_no_proof_unless_it_does_not_count() {
    let files = ["/data/A/Scene.mp4|10"];
    check(&files, "/data/a/scene.mp4", "low [0] full_path case_differs");
    check(&files, "/data/a/scene.mp4|10", "high [0] full_path case_differs size_equal");
    check(&files, "/data/a/scene.mp4|11", "low [0] full_path case_differs size_differs");
    check(&files, "/x/a/scene.mp4", "low [0] suffix=2 case_differs");
    let ignoring = |files: &[&str], path: &str| {
        told(&index(files).find(&asked(path), &PathMaps::default(), CaseSensitivity::Ignore))
    };
    assert_eq!(ignoring(&files, "/DATA/a/scene.MP4"), "high [0] full_path case_differs");
    assert_eq!(ignoring(&files, "/x/a/scene.MP4"), "high [0] suffix=2 case_differs");
    let both = ["/data/a.mp4", "/data/A.mp4"];
    assert_eq!(ignoring(&both, "/data/a.mp4"), "high [0] full_path", "as it is spelled comes first");
    assert_eq!(ignoring(&both, "/DATA/a.mp4"), "low [0, 1] full_path case_differs several");
    check(&both, "/x/data/A.mp4", "high [1] suffix=2");
}

#[test]
fn folders_that_are_called_so_everywhere_are_no_proof() {
    let files = ["/tv/Lost/Season 01/Episode 1.mkv|10"];
    check(&files, "/tv/Dark/Season 01/Episode 1.mkv", "low [0] suffix=2 common_folder");
    check(&files, "/x/Lost/Season 01/Episode 1.mkv", "high [0] suffix=3");
    check(&files, "Season 01/Episode 1.mkv", "high [0] suffix=2");
    check(&files, "/y/Lost (2004)/Season 01/Episode 1.mkv|10", "high [0] suffix=2 size_equal");
}

#[test]
fn a_path_map_makes_the_whole_path_equal_in_both_directions() {
    let files = index(&["/media/tv/A/s.mp4", "/media/old/A/s.mp4"]);
    let maps = |from: &str, to: &str| PathMaps::new([PathRule { from, to }]).expect("it is right");
    let there = maps(r"^[A-Z]:\\tv\\(.*)$", "/media/tv/$1");
    let verdict = files.find(&asked(r"D:\tv\A\s.mp4"), &there, CaseSensitivity::Exact);
    assert_eq!(told(&verdict), "high [0] mapped_path");
    let back = maps("^/media/old/(.*)$", "/app/$1");
    assert_eq!(told(&files.find(&asked("/app/A/s.mp4"), &back, CaseSensitivity::Exact)), "high [1] mapped_path");
    let neither = files.find(&asked("/app/A/s.mp4"), &there, CaseSensitivity::Exact);
    assert_eq!(told(&neither), "low [0, 1] suffix=2 several");
}

#[test]
fn what_names_nothing_finds_nothing() {
    let files = index(&["/a/x.mp4", "", "/", &"b/".repeat(200)]);
    assert_eq!((files.len(), files.passed_over()), (1, 3));
    for path in ["", "/", "..", &"a".repeat(5000)] {
        assert_eq!(told(&files.find(&asked(path), &PathMaps::default(), CaseSensitivity::Ignore)), "none [] no_path");
    }
    assert_eq!(
        told(&FileIndex::default().find(&asked("/a"), &PathMaps::default(), CaseSensitivity::Exact)),
        "none [] "
    );
}

/// The expected result, found by reading every path: the confidence and the rows.
fn scan(files: &[String], path: &str) -> (FileMatchConfidence, Vec<u32>) {
    let split = |path: &str| path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let fold = |parts: &[String]| parts.iter().map(|part| part.to_lowercase()).collect::<Vec<_>>();
    let wanted = split(path);
    let rows = |fits: &dyn Fn(&[String]) -> bool| -> Vec<u32> {
        let fitting = files.iter().enumerate().filter(|(_, file)| fits(&split(file)));
        fitting.map(|(row, _)| u32::try_from(row).expect("few")).collect()
    };
    let paths = |rows: &[u32]| {
        let mut paths: Vec<_> = rows.iter().map(|row| split(&files[*row as usize])).collect();
        paths.sort();
        paths.dedup();
        paths.len()
    };
    let common = |one: &[String], other: &[String]| {
        one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count()
    };
    let whole = rows(&|file| file == wanted);
    if !whole.is_empty() {
        return (FileMatchConfidence::High, whole);
    }
    if !rows(&|file| fold(file) == fold(&wanted)).is_empty() {
        return (FileMatchConfidence::Low, Vec::new());
    }
    let folded = fold(&wanted);
    let depth = files.iter().map(|file| common(&fold(&split(file)), &folded)).max().unwrap_or(0);
    if depth == 0 {
        return (FileMatchConfidence::None, Vec::new());
    }
    let ending = rows(&|file| common(&fold(file), &folded) == depth);
    let enough = if paths(&ending) == 1 { 2 } else { depth };
    let spelled = rows(&|file| common(&fold(file), &folded) == depth && common(file, &wanted) >= enough);
    if depth >= 2 && paths(&spelled) == 1 {
        (FileMatchConfidence::High, spelled)
    } else {
        (FileMatchConfidence::Low, Vec::new())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_index_says_what_a_scan_says(
        files in proptest::collection::vec("(/[abA]x?){1,4}", 0..12),
        paths in proptest::collection::vec("(/[abA]x?){1,5}", 1..6),
    ) {
        let texts: Vec<&str> = files.iter().map(String::as_str).collect();
        let index = index(&texts);
        for path in paths.iter().chain(&files) {
            let verdict = index.find(&asked(path), &PathMaps::default(), CaseSensitivity::Exact);
            prop_assert_eq!((verdict.confidence, verdict.rows.clone()), scan(&files, path), "{} in {:?}: {}", path, files, told(&verdict));
            prop_assert!(verdict.candidates.len() <= lookup::MAX_CANDIDATES);
            prop_assert_eq!(verdict.candidates.is_empty(), verdict.confidence != FileMatchConfidence::Low);
        }
    }

    #[test]
    fn any_order_of_the_files_gives_the_same_verdicts(
        files in proptest::collection::vec("(/[abA]x?){1,4}", 1..10),
        path in "(/[abA]x?){1,5}",
    ) {
        let texts: Vec<&str> = files.iter().map(String::as_str).collect();
        let turned: Vec<&str> = texts.iter().rev().copied().collect();
        let last = u32::try_from(files.len() - 1).expect("few");
        let one = index(&texts).find(&asked(&path), &PathMaps::default(), CaseSensitivity::Exact);
        let other = index(&turned).find(&asked(&path), &PathMaps::default(), CaseSensitivity::Exact);
        let mut rows: Vec<u32> = other.rows.iter().map(|row| last - row).collect();
        rows.sort_unstable();
        prop_assert_eq!((one.confidence, one.rows, one.reasons), (other.confidence, rows, other.reasons));
    }

    #[test]
    fn nothing_is_too_odd(files in proptest::collection::vec("\\PC{0,20}", 0..8), path in "\\PC{0,24}", size: Option<u64>) {
        let texts: Vec<&str> = files.iter().map(String::as_str).collect();
        let asked = FileQuery { path: &path, size_bytes: size, duration_s: Some(u32::MAX) };
        let verdict = index(&texts).find(&asked, &PathMaps::default(), CaseSensitivity::Ignore);
        prop_assert!(verdict.rows.is_empty() || verdict.confidence == FileMatchConfidence::High);
    }
}
