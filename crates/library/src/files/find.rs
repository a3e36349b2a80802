//! From a path to a verdict: what is equal is looked for first as it is spelled, then case aside; the longest end that is
//! equal counts; size and length are evidence for and against, and a proof only where nothing speaks against it.

use std::borrow::Cow;
use std::fmt;

use super::index::{FileIndex, Sight};
use super::maps::PathMaps;
use super::path::{Part, is_common_folder, parts, plain};

/// Most candidates of a verdict.
pub const MAX_CANDIDATES: usize = 5;
/// Of files whose paths end alike so many are looked at one by one.
const MAX_LOOKED_AT: usize = 1024;
/// Lengths that differ by no more are the same: programs round them.
const SAME_DURATION_MS: u32 = 2_000;

/// A file somebody looks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked<'a> {
    /// Its path, as whoever asks sees it; or the end of it, or only its name.
    pub path: &'a str,
    /// Its length in bytes.
    pub size_bytes: Option<u64>,
    /// Its length in seconds.
    pub duration_s: Option<u32>,
}

/// Whether two spellings that differ by case only are one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Case {
    /// Only if its size says so too, and there is no other.
    #[default]
    Exact,
    /// They are, as on Windows and macOS.
    Ignore,
}

/// How sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Nothing is there that could be it.
    None,
    /// It may be one of these: somebody should look.
    Low,
    /// It is this one.
    High,
}

/// Why. A closed set; each has a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The whole path is equal.
    FullPath,
    /// The whole path is equal after a path map.
    MappedPath,
    /// So many folders and the name are equal, from the end on.
    Suffix(u8),
    /// The name is equal, and no folder.
    Name,
    /// Case differs.
    CaseDiffers,
    /// The size is equal.
    SizeEqual,
    /// The size differs.
    SizeDiffers,
    /// The length is equal.
    DurationEqual,
    /// The length differs.
    DurationDiffers,
    /// It lies in another folder.
    FolderDiffers,
    /// The folders that are equal are called so everywhere (`Season 01`), and those above differ.
    CommonFolder,
    /// Several files fit equally well.
    Several,
    /// What was asked is longer than any path, or names nothing.
    NoPath,
}

impl Reason {
    /// The word for it.
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

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suffix(parts) => write!(f, "suffix={parts}"),
            other => f.write_str(other.word()),
        }
    }
}

/// A file that may be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Row of its item.
    pub row: u32,
    /// What speaks for and against it.
    pub reasons: Vec<Reason>,
}

/// What came of looking for one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How sure it is.
    pub confidence: Confidence,
    /// Rows of the items that have this file: several where one file holds several episodes. Empty unless it is sure.
    pub rows: Vec<u32>,
    /// Why.
    pub reasons: Vec<Reason>,
    /// What may be meant if it is not sure, at most [`MAX_CANDIDATES`], the best first.
    pub candidates: Vec<Candidate>,
}

impl Verdict {
    fn none(reasons: Vec<Reason>) -> Self {
        Self { confidence: Confidence::None, rows: Vec::new(), reasons, candidates: Vec::new() }
    }
}

/// One spelling of what was asked, and what ends like it.
struct Look<'a> {
    path: Cow<'a, str>,
    is_mapped: bool,
    sight: Sight,
}

impl FileIndex {
    /// Which item a file belongs to.
    pub fn find(&self, asked: &Asked<'_>, maps: &PathMaps, case: Case) -> Verdict {
        let mapped = maps.there(asked.path).map(Cow::Owned).into_iter();
        let back = maps.back(asked.path).map(Cow::Owned).into_iter();
        let spellings =
            mapped.chain(back).map(|path| (path, true)).chain(std::iter::once((plain(asked.path), false)));
        let mut best: Option<Look<'_>> = None;
        let mut whole_but_case: Option<Look<'_>> = None;
        for (path, is_mapped) in spellings {
            let Some(parts) = parts(&path).filter(|parts| !parts.is_empty()) else { continue };
            let sight = self.sight(from_name(&parts));
            if let Some(verdict) = self.whole(asked, &parts, &sight, is_mapped) {
                return verdict;
            }
            let is_better = best.as_ref().is_none_or(|best| sight.depth > best.sight.depth);
            let is_whole = !sight.whole.is_empty() && whole_but_case.is_none();
            if is_whole || is_better {
                let look = Look { path, is_mapped, sight };
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
            None => Verdict::none(vec![Reason::NoPath]),
            Some(look) if look.sight.depth == 0 => Verdict::none(Vec::new()),
            Some(look) if look.sight.depth == 1 => self.named(asked, &look),
            Some(look) => self.ending(asked, &look, case),
        }
    }

    /// Which items these files belong to, each as if it were asked alone.
    pub fn find_all(&self, asked: &[Asked<'_>], maps: &PathMaps, case: Case) -> Vec<Verdict> {
        asked.iter().map(|asked| self.find(asked, maps, case)).collect()
    }

    /// The whole path is equal, as it is spelled.
    fn whole(&self, asked: &Asked<'_>, parts: &[&str], sight: &Sight, is_mapped: bool) -> Option<Verdict> {
        let is_equal = |file: &usize| self.exact_depth(*file, from_name(parts)) == parts.len();
        let files: Vec<usize> = sight.whole.clone().filter(is_equal).collect();
        let first = *files.first()?;
        let reason = if is_mapped { Reason::MappedPath } else { Reason::FullPath };
        Some(self.high(&files, self.reasons(asked, first, &[reason])))
    }

    /// The whole path is equal, but for case.
    fn whole_but_case(&self, asked: &Asked<'_>, look: &Look<'_>, case: Case) -> Verdict {
        let reason = if look.is_mapped { Reason::MappedPath } else { Reason::FullPath };
        let files: Vec<usize> = look.sight.whole.clone().take(MAX_LOOKED_AT).collect();
        self.judge_case(asked, files, &[reason, Reason::CaseDiffers], case)
    }

    /// The end of the path is equal, with at least one folder.
    fn ending(&self, asked: &Asked<'_>, look: &Look<'_>, case: Case) -> Verdict {
        let parts = parts(&look.path).unwrap_or_default();
        let depth = look.sight.depth;
        let suffix = Reason::Suffix(u8::try_from(depth).unwrap_or(u8::MAX));
        let range = look.sight.files.clone();
        if range.len() > MAX_LOOKED_AT {
            let files: Vec<usize> = range.take(MAX_LOOKED_AT).collect();
            return self.low(asked, &files, &[suffix], vec![suffix, Reason::Several]);
        }
        let all: Vec<usize> = range.collect();
        let is_one = self.is_one(&all);
        let enough = if is_one { 2 } else { depth };
        let exact = |file: &&usize| self.exact_depth(**file, from_name(&parts)) >= enough;
        let spelled: Vec<usize> = all.iter().filter(exact).copied().collect();
        if spelled.is_empty() {
            return self.judge_case(asked, all, &[suffix, Reason::CaseDiffers], case);
        }
        let sized = self.with_size(asked, &spelled);
        let files = if self.is_one(&spelled) || sized.is_empty() { &spelled } else { &sized };
        let first = files[0];
        if !self.is_one(files) {
            return self.low(asked, &spelled, &[suffix], vec![suffix, Reason::Several]);
        }
        let reasons = self.reasons(asked, first, &[suffix]);
        let has_size = reasons.contains(&Reason::SizeEqual);
        // All folders that are equal may be called so everywhere; then the next one above tells, if both have one.
        let is_common = parts.iter().rev().skip(1).take(depth - 1).all(|folder| is_common_folder(folder));
        let is_contradicted = is_common && parts.len() > depth && self.goes_on(first, depth);
        if is_contradicted && !has_size {
            let reasons = vec![suffix, Reason::CommonFolder];
            return self.low(asked, files, &reasons, reasons.clone());
        }
        if speaks_against(&reasons) {
            return self.low(asked, files, &[suffix], reasons);
        }
        self.high(files, reasons)
    }

    /// Only the name is equal.
    fn named(&self, asked: &Asked<'_>, look: &Look<'_>) -> Verdict {
        let has_folder = parts(&look.path).is_some_and(|parts| parts.len() > 1);
        let range = look.sight.files.clone();
        let looked_at = range.clone().take(MAX_LOOKED_AT);
        let files: Vec<usize> = looked_at.collect();
        if has_folder {
            // However alike they are: it lies elsewhere.
            let mut reasons = vec![Reason::Name, Reason::FolderDiffers];
            let known = reasons.clone();
            if !self.is_one(&files) {
                reasons.push(Reason::Several);
            }
            return self.low(asked, &files, &known, reasons);
        }
        let sized = self.with_size(asked, &files);
        if range.len() <= MAX_LOOKED_AT && !sized.is_empty() && self.is_one(&sized) {
            let reasons = self.reasons(asked, sized[0], &[Reason::Name]);
            if !speaks_against(&reasons) {
                return self.high(&sized, reasons);
            }
        }
        let several =
            if self.is_one(&files) { vec![Reason::Name] } else { vec![Reason::Name, Reason::Several] };
        self.low(asked, &files, &[Reason::Name], several)
    }

    /// All that differs is case.
    fn judge_case(&self, asked: &Asked<'_>, files: Vec<usize>, known: &[Reason], case: Case) -> Verdict {
        let sized = self.with_size(asked, &files);
        let files = if self.is_one(&files) || sized.is_empty() { files } else { sized };
        if !self.is_one(&files) {
            let mut reasons = known.to_vec();
            reasons.push(Reason::Several);
            return self.low(asked, &files, known, reasons);
        }
        let reasons = self.reasons(asked, files[0], known);
        let is_backed = case == Case::Ignore || reasons.contains(&Reason::SizeEqual);
        if is_backed && !speaks_against(&reasons) {
            return self.high(&files, reasons);
        }
        self.low(asked, &files, known, reasons)
    }

    fn high(&self, files: &[usize], reasons: Vec<Reason>) -> Verdict {
        let mut rows: Vec<u32> = files.iter().map(|file| self.row(*file)).collect();
        rows.dedup();
        Verdict { confidence: Confidence::High, rows, reasons, candidates: Vec::new() }
    }

    fn low(&self, asked: &Asked<'_>, files: &[usize], known: &[Reason], reasons: Vec<Reason>) -> Verdict {
        let mut judged: Vec<(usize, Candidate)> = files
            .iter()
            .map(|file| {
                let reasons = self.reasons(asked, *file, known);
                (weight(&reasons), Candidate { row: self.row(*file), reasons })
            })
            .collect();
        judged.sort_by_key(|(weight, candidate)| (*weight, candidate.row));
        let mut candidates: Vec<Candidate> = judged.into_iter().map(|(_, candidate)| candidate).collect();
        candidates.dedup_by_key(|candidate| candidate.row);
        candidates.truncate(MAX_CANDIDATES);
        Verdict { confidence: Confidence::Low, rows: Vec::new(), reasons, candidates }
    }

    /// What is known of a file, and what its size and length say.
    fn reasons(&self, asked: &Asked<'_>, file: usize, known: &[Reason]) -> Vec<Reason> {
        let mut reasons = Vec::with_capacity(known.len() + 2);
        reasons.extend_from_slice(known);
        if let (Some(asked), Some(size)) = (asked.size_bytes, self.size_bytes(file)) {
            reasons.push(if asked == size { Reason::SizeEqual } else { Reason::SizeDiffers });
        }
        if let (Some(asked), Some(duration)) = (asked.duration_s, self.duration_ms(file)) {
            let is_equal = asked.saturating_mul(1000).abs_diff(duration) <= SAME_DURATION_MS;
            reasons.push(if is_equal { Reason::DurationEqual } else { Reason::DurationDiffers });
        }
        reasons
    }

    fn with_size(&self, asked: &Asked<'_>, files: &[usize]) -> Vec<usize> {
        let Some(size) = asked.size_bytes else { return Vec::new() };
        files.iter().copied().filter(|file| self.size_bytes(*file) == Some(size)).collect()
    }

    /// Whether these files, in their order, have one path.
    fn is_one(&self, files: &[usize]) -> bool {
        files.iter().all(|file| self.is_one_path(files[0], *file))
    }
}

fn from_name<'a>(parts: &'a [&str]) -> impl Iterator<Item = Part> + 'a {
    parts.iter().rev().map(|part| Part::of(part))
}

/// Size or length say that it is another file.
fn speaks_against(reasons: &[Reason]) -> bool {
    reasons.contains(&Reason::SizeDiffers) || reasons.contains(&Reason::DurationDiffers)
}

/// How good a candidate is beside others that end alike; less is better.
fn weight(reasons: &[Reason]) -> usize {
    let has = |reason: Reason| usize::from(reasons.contains(&reason));
    let against = has(Reason::SizeDiffers) * 2 + has(Reason::DurationDiffers);
    8 + against - has(Reason::SizeEqual) * 4 - has(Reason::DurationEqual) * 2
}
