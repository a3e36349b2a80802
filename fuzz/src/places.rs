//! What must hold of paths, of rules that map them, and of names of items, whatever anybody writes.

use greenroom_library::files::{Asked, Case, Confidence, FileIndexBuilder, PathMaps, Reason, Rule, Verdict};
use greenroom_library::guid;

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
    let maps = PathMaps::new([Rule { from, to }]).unwrap_or_default();
    for turned in [maps.there(path), maps.back(path)].into_iter().flatten() {
        assert!(turned.len() <= MAX_PATH_BYTES, "a path grew to {} bytes", turned.len());
    }
    for case in [Case::Exact, Case::Ignore] {
        let verdict = find(files.iter().copied().enumerate(), path, &maps, case);
        let turned = find(files.iter().copied().enumerate().rev(), path, &maps, case);
        assert_eq!(verdict.confidence, turned.confidence, "the order of the files counts");
        assert_eq!(verdict.reasons, turned.reasons, "the order of the files counts");
        judge(&verdict, files.len());
    }
    for name in [path, from, to] {
        if let Some(one) = guid::canonical(name) {
            assert_eq!(guid::canonical(&one).as_deref(), Some(&*one), "{name:?} has two spellings");
        }
    }
}

fn find<'a>(
    files: impl Iterator<Item = (usize, &'a str)>,
    path: &str,
    maps: &PathMaps,
    case: Case,
) -> Verdict {
    let mut builder = FileIndexBuilder::default();
    for (row, file) in files {
        builder.push_file(u32::try_from(row).unwrap_or(u32::MAX), file, None, None);
    }
    builder.build().find(&Asked { path, ..Asked::default() }, maps, case)
}

fn judge(verdict: &Verdict, files: usize) {
    let is_sure = verdict.confidence == Confidence::High;
    assert_eq!(is_sure, !verdict.rows.is_empty());
    assert_eq!(verdict.confidence == Confidence::Low, !verdict.candidates.is_empty());
    assert!(verdict.candidates.len() <= 5);
    assert!(verdict.rows.iter().all(|row| (*row as usize) < files));
    let is_proof = |reason: &Reason| match reason {
        Reason::FullPath | Reason::MappedPath => true,
        Reason::Suffix(parts) => *parts >= 2,
        _ => false,
    };
    assert!(!is_sure || verdict.reasons.iter().any(is_proof), "sure without proof: {:?}", verdict.reasons);
}
