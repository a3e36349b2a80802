//! Matches a path to an item. Exact spelling is compared first, then without case; the longest common suffix
//! counts. Size and duration are evidence for and against, and decide only if no evidence contradicts them.

use std::borrow::Cow;
use std::fmt;

use super::index::{FileIndex, SuffixMatches};
use super::path::{PathPart, is_common_folder, parts, plain};
use super::path_map::PathMaps;

/// Max candidates of a result.
pub const MAX_CANDIDATES: usize = 5;
/// Max files with a common suffix that are examined one by one.
const MAX_EXAMINED_ROWS: usize = 1024;
/// Tolerance for equal durations, because programs round them.
const SAME_DURATION_MS: u32 = 2_000;

/// A file to look up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileQuery<'a> {
    /// Its path in the app's view, a suffix of it, or only its name.
    pub path: &'a str,
    /// Its size in bytes.
    pub size_bytes: Option<u64>,
    /// Its duration in seconds.
    pub duration_s: Option<u32>,
}

/// Whether two paths that differ only by case are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CaseSensitivity {
    /// Only if the size is equal too, and there is no other candidate.
    #[default]
    Exact,
    /// Always, as on Windows and macOS.
    Ignore,
}

/// Confidence of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileMatchConfidence {
    /// No candidate.
    None,
    /// Possible candidates only; needs a review.
    Low,
    /// A certain match.
    High,
}

/// Evidence for or against a match. A closed set; each has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileMatchReason {
    /// The whole path is equal.
    FullPath,
    /// The whole path is equal after a path map.
    MappedPath,
    /// This many folders and the name are equal, counted from the end.
    Suffix(u8),
    /// The name is equal, but no folder.
    Name,
    /// The paths differ by case.
    CaseDiffers,
    /// The size is equal.
    SizeEqual,
    /// The sizes differ.
    SizeDiffers,
    /// The durations are equal.
    DurationEqual,
    /// The durations differ.
    DurationDiffers,
    /// The folders differ.
    FolderDiffers,
    /// The equal folders have generic names (`Season 01`), and those above differ.
    CommonFolder,
    /// Several files fit equally well.
    Several,
    /// The path is empty or too long.
    NoPath,
}

impl FileMatchReason {
    /// Name used in the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::FullPath => "full_path",
            Self::MappedPath => "mapped_path",
            Self::Suffix(_) => "suffix",
            Self::Name => "name",
            Self::CaseDiffers => "case_differs",
            Self::SizeEqual => "size_equal",
            Self::SizeDiffers => "size_differs",
            Self::DurationEqual => "duration_equal",
            Self::DurationDiffers => "duration_differs",
            Self::FolderDiffers => "folder_differs",
            Self::CommonFolder => "common_folder",
            Self::Several => "several",
            Self::NoPath => "no_path",
        }
    }
}

impl fmt::Display for FileMatchReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suffix(parts) => write!(f, "suffix={parts}"),
            other => f.write_str(other.word()),
        }
    }
}

/// A candidate for the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileCandidate {
    /// Row of the item.
    pub row: u32,
    /// Evidence for and against it.
    pub reasons: Vec<FileMatchReason>,
}

/// Result of looking up one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMatchResult {
    /// Confidence of the match.
    pub confidence: FileMatchConfidence,
    /// Rows of the items with this file: several if one file holds several episodes. Empty unless the match
    /// is certain.
    pub rows: Vec<u32>,
    /// Evidence for the result.
    pub reasons: Vec<FileMatchReason>,
    /// If the match is not certain: at most [`MAX_CANDIDATES`], best first.
    pub candidates: Vec<FileCandidate>,
}

impl FileMatchResult {
    fn none(reasons: Vec<FileMatchReason>) -> Self {
        Self { confidence: FileMatchConfidence::None, rows: Vec::new(), reasons, candidates: Vec::new() }
    }
}

/// One form of the path, as given or mapped, with the files that share its suffix.
struct PathVariant<'a> {
    path: Cow<'a, str>,
    is_mapped: bool,
    suffix_matches: SuffixMatches,
}

impl FileIndex {
    /// Finds the item a file belongs to.
    pub fn find(&self, asked: &FileQuery<'_>, maps: &PathMaps, case: CaseSensitivity) -> FileMatchResult {
        let mapped = maps.map(asked.path).map(Cow::Owned).into_iter();
        let back = maps.map_back(asked.path).map(Cow::Owned).into_iter();
        let spellings = mapped.chain(back).map(|path| (path, true)).chain(std::iter::once((plain(asked.path), false)));
        let mut best: Option<PathVariant<'_>> = None;
        let mut whole_but_case: Option<PathVariant<'_>> = None;
        for (path, is_mapped) in spellings {
            let Some(parts) = parts(&path).filter(|parts| !parts.is_empty()) else { continue };
            let sight = self.suffix_matches(from_name(&parts));
            if let Some(verdict) = self.whole(asked, &parts, &sight, is_mapped) {
                return verdict;
            }
            let is_better = best.as_ref().is_none_or(|best| sight.depth > best.suffix_matches.depth);
            let is_whole = !sight.whole.is_empty() && whole_but_case.is_none();
            if is_whole || is_better {
                let look = PathVariant { path, is_mapped, suffix_matches: sight };
                if is_whole {
                    whole_but_case = Some(look);
                } else {
                    best = Some(look);
                }
            }
        }
        if let Some(look) = whole_but_case {
            return self.whole_but_case(asked, &look, case);
        }
        match best {
            None => FileMatchResult::none(vec![FileMatchReason::NoPath]),
            Some(look) if look.suffix_matches.depth == 0 => FileMatchResult::none(Vec::new()),
            Some(look) if look.suffix_matches.depth == 1 => self.named(asked, &look),
            Some(look) => self.ending(asked, &look, case),
        }
    }

    /// Finds the items of several files, each independently.
    pub fn find_all(&self, asked: &[FileQuery<'_>], maps: &PathMaps, case: CaseSensitivity) -> Vec<FileMatchResult> {
        asked.iter().map(|asked| self.find(asked, maps, case)).collect()
    }

    /// Match by the whole path in exact spelling.
    fn whole(
        &self,
        asked: &FileQuery<'_>,
        parts: &[&str],
        sight: &SuffixMatches,
        is_mapped: bool,
    ) -> Option<FileMatchResult> {
        let is_equal = |file: &usize| self.exact_depth(*file, from_name(parts)) == parts.len();
        let files: Vec<usize> = sight.whole.clone().filter(is_equal).collect();
        let first = *files.first()?;
        let reason = if is_mapped { FileMatchReason::MappedPath } else { FileMatchReason::FullPath };
        Some(self.high(&files, self.reasons(asked, first, &[reason])))
    }

    /// Match by the whole path, ignoring case.
    fn whole_but_case(&self, asked: &FileQuery<'_>, look: &PathVariant<'_>, case: CaseSensitivity) -> FileMatchResult {
        let reason = if look.is_mapped { FileMatchReason::MappedPath } else { FileMatchReason::FullPath };
        let files: Vec<usize> = look.suffix_matches.whole.clone().take(MAX_EXAMINED_ROWS).collect();
        self.judge_case(asked, files, &[reason, FileMatchReason::CaseDiffers], case)
    }

    /// Match by a path suffix with at least one folder.
    fn ending(&self, asked: &FileQuery<'_>, look: &PathVariant<'_>, case: CaseSensitivity) -> FileMatchResult {
        let parts = parts(&look.path).unwrap_or_default();
        let depth = look.suffix_matches.depth;
        let suffix = FileMatchReason::Suffix(u8::try_from(depth).unwrap_or(u8::MAX));
        let range = look.suffix_matches.files.clone();
        if range.len() > MAX_EXAMINED_ROWS {
            let files: Vec<usize> = range.take(MAX_EXAMINED_ROWS).collect();
            return self.low(asked, &files, &[suffix], vec![suffix, FileMatchReason::Several]);
        }
        let all: Vec<usize> = range.collect();
        let is_one = self.is_one(&all);
        let enough = if is_one { 2 } else { depth };
        let exact = |file: &&usize| self.exact_depth(**file, from_name(&parts)) >= enough;
        let spelled: Vec<usize> = all.iter().filter(exact).copied().collect();
        if spelled.is_empty() {
            return self.judge_case(asked, all, &[suffix, FileMatchReason::CaseDiffers], case);
        }
        let sized = self.with_size(asked, &spelled);
        let files = if self.is_one(&spelled) || sized.is_empty() { &spelled } else { &sized };
        let first = files[0];
        if !self.is_one(files) {
            return self.low(asked, &spelled, &[suffix], vec![suffix, FileMatchReason::Several]);
        }
        let reasons = self.reasons(asked, first, &[suffix]);
        let has_size = reasons.contains(&FileMatchReason::SizeEqual);
        // If all equal folders have generic names, the next one above decides, if both paths have one.
        let is_common = parts.iter().rev().skip(1).take(depth - 1).all(|folder| is_common_folder(folder));
        let is_contradicted = is_common && parts.len() > depth && self.goes_on(first, depth);
        if is_contradicted && !has_size {
            let reasons = vec![suffix, FileMatchReason::CommonFolder];
            return self.low(asked, files, &reasons, reasons.clone());
        }
        if speaks_against(&reasons) {
            return self.low(asked, files, &[suffix], reasons);
        }
        self.high(files, reasons)
    }

    /// Match by name only.
    fn named(&self, asked: &FileQuery<'_>, look: &PathVariant<'_>) -> FileMatchResult {
        let has_folder = parts(&look.path).is_some_and(|parts| parts.len() > 1);
        let range = look.suffix_matches.files.clone();
        let looked_at = range.clone().take(MAX_EXAMINED_ROWS);
        let files: Vec<usize> = looked_at.collect();
        if has_folder {
            // Never certain, because the folders differ.
            let mut reasons = vec![FileMatchReason::Name, FileMatchReason::FolderDiffers];
            let known = reasons.clone();
            if !self.is_one(&files) {
                reasons.push(FileMatchReason::Several);
            }
            return self.low(asked, &files, &known, reasons);
        }
        let sized = self.with_size(asked, &files);
        if range.len() <= MAX_EXAMINED_ROWS && !sized.is_empty() && self.is_one(&sized) {
            let reasons = self.reasons(asked, sized[0], &[FileMatchReason::Name]);
            if !speaks_against(&reasons) {
                return self.high(&sized, reasons);
            }
        }
        let several = if self.is_one(&files) {
            vec![FileMatchReason::Name]
        } else {
            vec![FileMatchReason::Name, FileMatchReason::Several]
        };
        self.low(asked, &files, &[FileMatchReason::Name], several)
    }

    /// Decides between files that differ only by case.
    fn judge_case(
        &self,
        asked: &FileQuery<'_>,
        files: Vec<usize>,
        known: &[FileMatchReason],
        case: CaseSensitivity,
    ) -> FileMatchResult {
        let sized = self.with_size(asked, &files);
        let files = if self.is_one(&files) || sized.is_empty() { files } else { sized };
        if !self.is_one(&files) {
            let mut reasons = known.to_vec();
            reasons.push(FileMatchReason::Several);
            return self.low(asked, &files, known, reasons);
        }
        let reasons = self.reasons(asked, files[0], known);
        let is_backed = case == CaseSensitivity::Ignore || reasons.contains(&FileMatchReason::SizeEqual);
        if is_backed && !speaks_against(&reasons) {
            return self.high(&files, reasons);
        }
        self.low(asked, &files, known, reasons)
    }

    fn high(&self, files: &[usize], reasons: Vec<FileMatchReason>) -> FileMatchResult {
        let mut rows: Vec<u32> = files.iter().map(|file| self.row(*file)).collect();
        rows.dedup();
        FileMatchResult { confidence: FileMatchConfidence::High, rows, reasons, candidates: Vec::new() }
    }

    fn low(
        &self,
        asked: &FileQuery<'_>,
        files: &[usize],
        known: &[FileMatchReason],
        reasons: Vec<FileMatchReason>,
    ) -> FileMatchResult {
        let mut judged: Vec<(usize, FileCandidate)> = files
            .iter()
            .map(|file| {
                let reasons = self.reasons(asked, *file, known);
                (weight(&reasons), FileCandidate { row: self.row(*file), reasons })
            })
            .collect();
        judged.sort_by_key(|(weight, candidate)| (*weight, candidate.row));
        let mut candidates: Vec<FileCandidate> = judged.into_iter().map(|(_, candidate)| candidate).collect();
        candidates.dedup_by_key(|candidate| candidate.row);
        candidates.truncate(MAX_CANDIDATES);
        FileMatchResult { confidence: FileMatchConfidence::Low, rows: Vec::new(), reasons, candidates }
    }

    /// Adds evidence from size and duration to the known reasons.
    fn reasons(&self, asked: &FileQuery<'_>, file: usize, known: &[FileMatchReason]) -> Vec<FileMatchReason> {
        let mut reasons = Vec::with_capacity(known.len() + 2);
        reasons.extend_from_slice(known);
        if let (Some(asked), Some(size)) = (asked.size_bytes, self.size_bytes(file)) {
            reasons.push(if asked == size { FileMatchReason::SizeEqual } else { FileMatchReason::SizeDiffers });
        }
        if let (Some(asked), Some(duration)) = (asked.duration_s, self.duration_ms(file)) {
            let is_equal = asked.saturating_mul(1000).abs_diff(duration) <= SAME_DURATION_MS;
            reasons.push(if is_equal { FileMatchReason::DurationEqual } else { FileMatchReason::DurationDiffers });
        }
        reasons
    }

    fn with_size(&self, asked: &FileQuery<'_>, files: &[usize]) -> Vec<usize> {
        let Some(size) = asked.size_bytes else { return Vec::new() };
        files.iter().copied().filter(|file| self.size_bytes(*file) == Some(size)).collect()
    }

    /// Whether these sorted files have the same path.
    fn is_one(&self, files: &[usize]) -> bool {
        files.iter().all(|file| self.is_one_path(files[0], *file))
    }
}

fn from_name<'a>(parts: &'a [&str]) -> impl Iterator<Item = PathPart> + 'a {
    parts.iter().rev().map(|part| PathPart::new(part))
}

/// Whether size or duration contradict the match.
fn speaks_against(reasons: &[FileMatchReason]) -> bool {
    reasons.contains(&FileMatchReason::SizeDiffers) || reasons.contains(&FileMatchReason::DurationDiffers)
}

/// Sort key among candidates with the same suffix; less is better.
fn weight(reasons: &[FileMatchReason]) -> usize {
    let has = |reason: FileMatchReason| usize::from(reasons.contains(&reason));
    let against = has(FileMatchReason::SizeDiffers) * 2 + has(FileMatchReason::DurationDiffers);
    8 + against - has(FileMatchReason::SizeEqual) * 4 - has(FileMatchReason::DurationEqual) * 2
}
