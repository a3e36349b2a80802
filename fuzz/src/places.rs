//! Properties of paths, of rules that map them, and of names of items, whatever is written.

use greenroom_library::external_id;
use greenroom_library::files::{
    CaseSensitivity, FileIndexBuilder, FileMatchConfidence, FileMatchReason, FileMatchResult, FileQuery, PathMaps,
    PathRule,
};

/// Longest path of any system.
const MAX_PATH_BYTES: usize = 4096;
/// So many files are indexed.
const MAX_FILES: usize = 200;

/// Checks what must hold: the first line is the expression of a rule, the second what it becomes, the third a path that
/// is asked for; every further line is a file.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (from, to, path) = (line(), line(), line());
    let files: Vec<&str> = lines.take(MAX_FILES).collect();
    let maps = PathMaps::new([PathRule { from, to }]).unwrap_or_default();
    for turned in [maps.map(path), maps.map_back(path)].into_iter().flatten() {
        assert!(turned.len() <= MAX_PATH_BYTES, "a path grew to {} bytes", turned.len());
    }
    for case in [CaseSensitivity::Exact, CaseSensitivity::Ignore] {
        let verdict = find(files.iter().copied().enumerate(), path, &maps, case);
        let turned = find(files.iter().copied().enumerate().rev(), path, &maps, case);
        assert_eq!(verdict.confidence, turned.confidence, "the order of the files counts");
        assert_eq!(verdict.reasons, turned.reasons, "the order of the files counts");
        judge(&verdict, files.len());
    }
    for name in [path, from, to] {
        if let Some(one) = external_id::canonical(name) {
            assert_eq!(external_id::canonical(&one).as_deref(), Some(&*one), "{name:?} has two spellings");
        }
    }
}

fn find<'a>(
    files: impl Iterator<Item = (usize, &'a str)>,
    path: &str,
    maps: &PathMaps,
    case: CaseSensitivity,
) -> FileMatchResult {
    let mut builder = FileIndexBuilder::default();
    for (row, file) in files {
        builder.push_file(u32::try_from(row).unwrap_or(u32::MAX), file, None, None);
    }
    builder.build().find(&FileQuery { path, ..FileQuery::default() }, maps, case)
}

fn judge(verdict: &FileMatchResult, files: usize) {
    let is_sure = verdict.confidence == FileMatchConfidence::High;
    assert_eq!(is_sure, !verdict.rows.is_empty());
    assert_eq!(verdict.confidence == FileMatchConfidence::Low, !verdict.candidates.is_empty());
    assert!(verdict.candidates.len() <= 5);
    assert!(verdict.rows.iter().all(|row| (*row as usize) < files));
    let is_proof = |reason: &FileMatchReason| match reason {
        FileMatchReason::FullPath | FileMatchReason::MappedPath => true,
        FileMatchReason::Suffix(parts) => *parts >= 2,
        _ => false,
    };
    assert!(!is_sure || verdict.reasons.iter().any(is_proof), "sure without proof: {:?}", verdict.reasons);
}
