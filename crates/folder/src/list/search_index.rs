//! The searchable text of a generation, in one piece, so that a search reads memory in order.

use memchr::memmem::Finder;

use crate::index::FolderGeneration;
use crate::natural_key::fold;

/// Ends the text of each file; no search word contains it.
const SEPARATOR: char = '\n';

/// The searchable text of a generation.
#[derive(Debug, Default)]
pub struct SearchIndex {
    text: String,
    /// End of the text of each file.
    ends: Vec<u32>,
}

impl SearchIndex {
    /// Builds it: path, series, title and writer of each file.
    pub fn new(generation: &FolderGeneration) -> Self {
        let mut index = Self::default();
        for file in &generation.files {
            index.push(&file.path);
            let comic = file.details.as_ref().and_then(|details| details.comic.as_deref());
            if let Some(comic) = comic {
                for part in [&comic.series, &comic.title, &comic.writer].into_iter().flatten() {
                    index.text.push(' ');
                    index.push(part);
                }
            }
            index.text.push(SEPARATOR);
            index.ends.push(u32::try_from(index.text.len()).unwrap_or(u32::MAX));
        }
        index.text.shrink_to_fit();
        index
    }

    fn push(&mut self, part: &str) {
        let folded = fold(part);
        self.text.extend(folded.chars().map(|character| if character == SEPARATOR { ' ' } else { character }));
    }

    /// For each file, whether it holds all words.
    pub fn find(&self, words: &[String]) -> Vec<bool> {
        let mut found = vec![true; self.ends.len()];
        for word in words {
            self.narrow(word, &mut found);
        }
        found
    }

    /// Takes away files without a word.
    fn narrow(&self, word: &str, found: &mut [bool]) {
        let mut has_word = vec![false; found.len()];
        let finder = Finder::new(word.as_bytes());
        let bytes = self.text.as_bytes();
        let mut from = 0;
        while let Some(at) = bytes.get(from..).and_then(|rest| finder.find(rest)).map(|at| at + from) {
            let file = self.ends.partition_point(|end| *end as usize <= at);
            let Some(end) = self.ends.get(file) else { break };
            has_word[file] = true;
            from = *end as usize;
        }
        found.iter_mut().zip(has_word).for_each(|(found, has_word)| *found &= has_word);
    }
}
