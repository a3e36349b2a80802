//! The next list of files, from the last one and a scan: which is the same file under another name, what was
//! replaced, what is new and what is gone. Pure but for two questions to the disk.

use greenroom_cache::Timestamp;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::file_entry::{FileEntry, file_name};
use crate::scan::{FileFacts, ScannedFile};

/// Inputs of a comparison.
pub struct Comparison<'a> {
    /// The last list, ordered by path.
    pub known: &'a [Arc<FileEntry>],
    /// The scan, ordered by path.
    pub scanned: Vec<ScannedFile>,
    /// Whether the scan covers a path. Files outside stay as they are.
    pub is_covered: &'a dyn Fn(&str) -> bool,
    /// Renames that the system reported, from and to.
    pub reported_renames: &'a [(String, String)],
    /// Whether the file at a path, outside of what was scanned, is still this one.
    pub is_still_there: &'a dyn Fn(&str, &FileFacts) -> bool,
    /// The fingerprint of the content at a path, if it can be read.
    pub fingerprint: &'a dyn Fn(&str) -> Option<u64>,
    /// The number of the next new file.
    pub next_id: u64,
    /// Time of the scan.
    pub now_ms: Timestamp,
}

/// Result of a comparison.
#[derive(Debug, Default)]
pub struct Difference {
    /// All files now, ordered by path.
    pub files: Vec<Arc<FileEntry>>,
    /// New files.
    pub added: Vec<Arc<FileEntry>>,
    /// Files that are gone.
    pub removed: Vec<Arc<FileEntry>>,
    /// Files that stay and are one with a removed file: a link to it, or the name under which it was listed as well
    /// while it was renamed.
    pub twins: Vec<Arc<FileEntry>>,
    /// Files with another name, before and after.
    pub renamed: Vec<(Arc<FileEntry>, Arc<FileEntry>)>,
    /// Files with another content or number at the same path, before and after.
    pub changed: Vec<(Arc<FileEntry>, Arc<FileEntry>)>,
    /// The number of the next new file.
    pub next_id: u64,
}

impl Difference {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.renamed.is_empty() && self.changed.is_empty()
    }

    fn find_twins(&mut self) {
        let removed: HashMap<u64, &Arc<FileEntry>> = self.removed.iter().map(|file| (file.stat.inode, file)).collect();
        let is_twin = |file: &&Arc<FileEntry>| {
            removed.get(&file.stat.inode).is_some_and(|removed| removed.stat.is_same_file(&file.stat))
        };
        self.twins = self.files.iter().filter(is_twin).cloned().collect();
    }

    /// Leaves out the last new files by path, so that no more than so many files are left. Returns their count.
    pub fn refuse_additions(&mut self, max_files: usize) -> usize {
        let excess = self.files.len().saturating_sub(max_files);
        if excess == 0 {
            return 0;
        }
        self.added.sort_by(|a, b| a.path.cmp(&b.path));
        let kept = self.added.len().saturating_sub(excess);
        let refused: HashSet<u64> = self.added.drain(kept..).map(|file| file.id).collect();
        self.files.retain(|file| !refused.contains(&file.id));
        refused.len()
    }
}

/// Files that are not decided yet.
#[derive(Default)]
struct UndecidedFiles {
    /// Known files that are not, or not as such, at their path any more.
    known: Vec<Option<Arc<FileEntry>>>,
    /// Scanned files that are new at their path.
    scanned: Vec<Option<ScannedFile>>,
}

impl Comparison<'_> {
    /// Compares.
    pub fn compare(mut self) -> Difference {
        let mut difference = Difference { next_id: self.next_id, ..Difference::default() };
        let mut undecided = self.compare_by_path(&mut difference);
        // In a first list every file is new.
        if !self.known.is_empty() {
            Self::match_identities(&mut undecided, &mut difference);
            self.match_moves_from_elsewhere(&mut undecided, &mut difference);
            self.match_reports(&mut undecided, &mut difference);
            match_replacements(&mut undecided, &mut difference);
            self.match_contents(&mut undecided, &mut difference);
        }
        for scanned in undecided.scanned.into_iter().flatten() {
            let file = FileEntry::new(difference.next_id, &scanned.path, scanned.stat, self.now_ms);
            difference.next_id += 1;
            difference.put(&Arc::new(file), |difference, file| difference.added.push(file));
        }
        difference.removed.extend(undecided.known.into_iter().flatten());
        difference.find_twins();
        difference.files.sort_by(|a, b| a.path.cmp(&b.path));
        difference
    }

    /// A file that is where it was stays; one that is still the same but for its content is changed.
    fn compare_by_path(&mut self, difference: &mut Difference) -> UndecidedFiles {
        let mut undecided = UndecidedFiles::default();
        let mut scanned = std::mem::take(&mut self.scanned).into_iter().peekable();
        for file in self.known {
            while let Some(new) = scanned.next_if(|new| *new.path < *file.path) {
                undecided.scanned.push(Some(new));
            }
            match scanned.next_if(|new| *new.path == *file.path) {
                Some(new) if new.stat == file.stat => difference.files.push(Arc::clone(file)),
                Some(new) if new.stat.is_same_file(&file.stat) => difference.change(file, &new),
                Some(new) => {
                    undecided.known.push(Some(Arc::clone(file)));
                    undecided.scanned.push(Some(new));
                }
                None if (self.is_covered)(&file.path) => undecided.known.push(Some(Arc::clone(file))),
                None => difference.files.push(Arc::clone(file)),
            }
        }
        undecided.scanned.extend(scanned.map(Some));
        undecided
    }

    /// The same number and time of creation: the same file under another name.
    fn match_identities(undecided: &mut UndecidedFiles, difference: &mut Difference) {
        let mut by_inode: HashMap<u64, Vec<usize>> = HashMap::new();
        for (place, file) in undecided.known.iter().enumerate() {
            if let Some(file) = file {
                by_inode.entry(file.stat.inode).or_default().push(place);
            }
        }
        for slot in &mut undecided.scanned {
            let Some(new) = slot.as_ref() else { continue };
            let places = by_inode.get(&new.stat.inode).map_or(&[][..], Vec::as_slice);
            let is_it = |place: &&usize| {
                undecided.known[**place].as_ref().is_some_and(|file| file.stat.is_same_file(&new.stat))
            };
            if let Some(place) = places.iter().find(is_it).copied()
                && let (Some(file), Some(new)) = (undecided.known[place].take(), slot.take())
            {
                difference.rename(&file, &new);
            }
        }
    }

    /// A file that came from a place that was not scanned.
    fn match_moves_from_elsewhere(&self, undecided: &mut UndecidedFiles, difference: &mut Difference) {
        let wanted: HashSet<u64> = undecided.scanned.iter().flatten().map(|new| new.stat.inode).collect();
        if wanted.is_empty() {
            return;
        }
        let outside =
            self.known.iter().filter(|file| wanted.contains(&file.stat.inode) && !(self.is_covered)(&file.path));
        let outside: HashMap<u64, &Arc<FileEntry>> = outside.map(|file| (file.stat.inode, file)).collect();
        let mut moved: HashSet<u64> = HashSet::new();
        for slot in &mut undecided.scanned {
            let Some(file) = slot.as_ref().and_then(|new| {
                let file = outside.get(&new.stat.inode).filter(|file| !moved.contains(&file.id))?;
                (file.stat.is_same_file(&new.stat) && !(self.is_still_there)(&file.path, &file.stat)).then_some(*file)
            }) else {
                continue;
            };
            if let Some(new) = slot.take() {
                moved.insert(file.id);
                difference.rename(file, &new);
            }
        }
        if !moved.is_empty() {
            // Of those, only what has its new name stays.
            let is_old = |file: &FileEntry| moved.contains(&file.id) && !(self.is_covered)(&file.path);
            difference.files.retain(|file| !is_old(file));
        }
    }

    /// A rename that the system reported, of a file whose content was written anew.
    fn match_reports(&self, undecided: &mut UndecidedFiles, difference: &mut Difference) {
        if self.reported_renames.is_empty() {
            return;
        }
        let known = undecided.known.iter().enumerate();
        let known: HashMap<String, usize> =
            known.filter_map(|(at, file)| Some((file.as_ref()?.path.to_string(), at))).collect();
        let scanned = places_of(&undecided.scanned);
        for (from, to) in self.reported_renames {
            if let (Some(from), Some(to)) = (known.get(from), scanned.get(to))
                && undecided.known[*from].is_some()
                && undecided.scanned[*to].is_some()
                && let (Some(file), Some(new)) = (undecided.known[*from].take(), undecided.scanned[*to].take())
            {
                difference.rename(&file, &new);
            }
        }
    }

    /// Copied elsewhere and deleted: the same size and time, and the same content or at least the same name.
    fn match_contents(&self, undecided: &mut UndecidedFiles, difference: &mut Difference) {
        let key = |stat: &FileFacts| (stat.size, stat.mtime_ns);
        let mut gone: HashMap<(u64, i64), Vec<usize>> = HashMap::new();
        for (place, file) in undecided.known.iter().enumerate() {
            if let Some(file) = file {
                gone.entry(key(&file.stat)).or_default().push(place);
            }
        }
        for slot in &mut undecided.scanned {
            let Some(new) = slot.as_ref() else { continue };
            let places = gone.get(&key(&new.stat)).map_or(&[][..], Vec::as_slice);
            let candidates: Vec<usize> = places.iter().copied().filter(|at| undecided.known[*at].is_some()).collect();
            let [place] = candidates[..] else { continue };
            let is_it = undecided.known[place].as_ref().is_some_and(|file| {
                match file.details.as_ref().map(|details| details.fingerprint).filter(|print| *print != 0) {
                    Some(print) => (self.fingerprint)(&new.path) == Some(print),
                    None => file.name() == file_name(&new.path),
                }
            });
            if is_it && let (Some(file), Some(new)) = (undecided.known[place].take(), slot.take()) {
                difference.rename(&file, &new);
            }
        }
    }
}

/// Another file took a known one's place, and that is nowhere else: it was written anew.
fn match_replacements(undecided: &mut UndecidedFiles, difference: &mut Difference) {
    let places = places_of(&undecided.scanned);
    for slot in &mut undecided.known {
        let place = slot.as_ref().and_then(|file| places.get(&*file.path));
        if let Some(place) = place
            && let (Some(file), Some(new)) = (slot.take(), undecided.scanned[*place].take())
        {
            difference.change(&file, &new);
        }
    }
}

fn places_of(scanned: &[Option<ScannedFile>]) -> HashMap<String, usize> {
    scanned.iter().enumerate().filter_map(|(place, new)| Some((new.as_ref()?.path.clone(), place))).collect()
}

impl Difference {
    fn put(&mut self, file: &Arc<FileEntry>, record: impl FnOnce(&mut Self, Arc<FileEntry>)) {
        self.files.push(Arc::clone(file));
        record(self, Arc::clone(file));
    }

    fn change(&mut self, file: &Arc<FileEntry>, new: &ScannedFile) {
        let after = Arc::new(file.moved(&new.path, new.stat));
        let before = Arc::clone(file);
        self.put(&after, |difference, after| difference.changed.push((before, after)));
    }

    fn rename(&mut self, file: &Arc<FileEntry>, new: &ScannedFile) {
        let after = Arc::new(file.moved(&new.path, new.stat));
        let before = Arc::clone(file);
        self.put(&after, |difference, after| difference.renamed.push((before, after)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(inode: u64, birth_ns: i64, size: u64) -> FileFacts {
        FileFacts { size, mtime_ns: 7, inode, birth_ns, is_directory: false }
    }

    fn known(rows: &[(&str, FileFacts)]) -> Vec<Arc<FileEntry>> {
        (1..)
            .zip(rows)
            .map(|(id, (path, stat))| Arc::new(FileEntry::new(id, path, *stat, Timestamp::UNIX_EPOCH)))
            .collect()
    }

    fn compare(
        known: &[Arc<FileEntry>],
        rows: &[(&str, FileFacts)],
        is_covered: &dyn Fn(&str) -> bool,
        reported_renames: &[(String, String)],
    ) -> Difference {
        let scanned = rows.iter().map(|(path, stat)| ScannedFile { path: (*path).into(), stat: *stat }).collect();
        let (is_still_there, fingerprint) = (&|_: &str, _: &FileFacts| false, &|_: &str| None);
        let comparison = Comparison {
            known,
            scanned,
            is_covered,
            reported_renames,
            is_still_there,
            fingerprint,
            next_id: 100,
            now_ms: Timestamp::from_millis(5),
        };
        comparison.compare()
    }

    fn ids(difference: &Difference) -> Vec<(&str, u64)> {
        difference.files.iter().map(|file| (&*file.path, file.id)).collect()
    }

    #[test]
    fn a_file_keeps_its_number_through_a_rename_a_swap_and_a_replacement() {
        let before = known(&[("a", stat(1, 1, 1)), ("b", stat(2, 1, 2)), ("c", stat(3, 1, 3))]);
        // a and b changed places, c was written anew and renamed over.
        let now = [("a", stat(2, 1, 2)), ("b", stat(1, 1, 1)), ("c", stat(9, 2, 4))];
        let difference = compare(&before, &now, &|_| true, &[]);
        assert_eq!(ids(&difference), [("a", 2), ("b", 1), ("c", 3)]);
        assert_eq!((difference.renamed.len(), difference.changed.len()), (2, 1));
    }

    #[test]
    fn a_number_that_is_used_again_makes_no_rename() {
        let before = known(&[("a", stat(1, 1, 1))]);
        let difference = compare(&before, &[("b", stat(1, 2, 9))], &|_| true, &[]);
        assert_eq!(ids(&difference), [("b", 100)]);
        assert_eq!((difference.added.len(), difference.removed.len()), (1, 1));
        // Without times of creation the content decides.
        let before = known(&[("a", stat(1, 0, 1))]);
        assert_eq!(ids(&compare(&before, &[("b", stat(1, 0, 1))], &|_| true, &[])), [("b", 1)]);
        assert_eq!(ids(&compare(&before, &[("b", stat(1, 0, 2))], &|_| true, &[])), [("b", 100)]);
    }

    #[test]
    fn a_move_into_what_was_scanned_takes_the_file_from_where_it_was() {
        let before = known(&[("old/a", stat(1, 1, 1)), ("old/b", stat(2, 1, 1))]);
        let difference = compare(&before, &[("new/a", stat(1, 1, 1))], &|path| path.starts_with("new/"), &[]);
        assert_eq!(ids(&difference), [("new/a", 1), ("old/b", 2)]);
    }

    #[test]
    fn a_file_that_was_rewritten_and_renamed_follows_the_report_of_the_system() {
        let before = known(&[("a", stat(1, 1, 1))]);
        let report = [("a".to_owned(), "b".to_owned())];
        let difference = compare(&before, &[("b", stat(9, 9, 9))], &|_| true, &report);
        assert_eq!(ids(&difference), [("b", 1)]);
    }

    #[test]
    fn a_copy_to_another_disk_is_known_by_name_size_and_time() {
        let before = known(&[("x/a", stat(1, 1, 1)), ("x/b", stat(2, 1, 2))]);
        let difference = compare(&before, &[("y/a", stat(8, 8, 1)), ("y/other", stat(9, 8, 2))], &|_| true, &[]);
        assert_eq!(ids(&difference), [("y/a", 1), ("y/other", 100)]);
    }
}
