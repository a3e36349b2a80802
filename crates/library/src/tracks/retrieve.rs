//! Which rows are worth judging.
//!
//! Every bound here is about the content of the index, never about the order of its rows: a list is taken whole or not
//! at all.

use std::collections::HashMap;

use super::artist::{self, Kin};
use super::heading::Heading;
use super::index::{TrackIndex, edges};
use super::likeness::{self, Likeness};
use super::question::Question;
use super::score::{self, Judged};

/// Words that more titles have than this lead to none.
const COMMON_WORD: usize = 20_000;
/// So many titles are compared for what is looked for.
const MOST_TITLES: usize = 48;
/// All titles of an artist are compared, unless he has more rows than this.
const MOST_ROWS: usize = 4_000;

/// A search for one question.
pub(super) struct Search<'a, 'i> {
    index: &'i TrackIndex,
    question: &'a Question<'i>,
    wanted: Heading<'a>,
    kin: Kin,
    titles: HashMap<u32, Likeness>,
    judged: HashMap<u32, Judged>,
}

impl<'a, 'i> Search<'a, 'i> {
    pub(super) fn of(index: &'i TrackIndex, question: &'a Question<'i>) -> Self {
        let wanted = question.heading();
        let kin = artist::same(index, question);
        Self { index, question, wanted, kin, titles: HashMap::new(), judged: HashMap::new() }
    }

    /// Judges the rows with the same title by the same artist.
    pub(super) fn exact(&mut self) {
        for title in self.same_titles() {
            self.rows_of(title);
        }
    }

    /// Judges the rows that are like it.
    pub(super) fn wide(&mut self) {
        artist::similar(self.index, self.question, &mut self.kin);
        for title in self.same_titles() {
            self.rows_of(title);
        }
        for title in self.similar_titles() {
            self.rows_of(title);
        }
        let names: Vec<u32> = self.kin.keys().copied().collect();
        for name in names {
            self.rows_by(name);
        }
    }

    /// What was judged, in no order.
    pub(super) fn judged(self) -> Vec<Judged> {
        self.judged.into_values().collect()
    }

    /// Whether nothing better is to be expected.
    pub(super) fn is_settled(&self) -> bool {
        self.judged.values().any(|judged| judged.score >= score::ACCEPT && !judged.is_against)
    }

    fn same_titles(&self) -> Vec<u32> {
        let Heading { core_key, full_key, .. } = self.wanted;
        let is_same = |title: &u32| {
            let have = self.index.headings.get(*title);
            have.core_key == core_key || have.full_key == full_key
        };
        let mut titles: Vec<u32> = Vec::new();
        for key in [core_key, full_key] {
            if key != 0 {
                titles.extend(self.index.titles_of_key.of_hash(key).iter().copied().filter(is_same));
            }
        }
        titles.sort_unstable();
        titles.dedup();
        titles
    }

    /// Titles that share rare words or edges with what is looked for.
    fn similar_titles(&self) -> Vec<u32> {
        let (index, words) = (self.index, &self.question.words);
        let mut weights: HashMap<u32, f32> = HashMap::new();
        let total = index.headings.len() as f32 + 1.0;
        let sought =
            self.wanted.core.iter().chain(self.wanted.subtitle).filter(|word| words.is_known(**word));
        for word in sought {
            let titles = index.titles_of_word.of(*word);
            if titles.len() <= COMMON_WORD {
                let weight = (total / (titles.len() as f32 + 0.5)).ln();
                titles.iter().for_each(|title| *weights.entry(*title).or_default() += weight);
            }
        }
        for edge in edges(self.wanted.core.iter().map(|word| words.text(*word))) {
            let titles = index.titles_of_edge.of_hash(edge);
            if titles.len() <= COMMON_WORD / 10 {
                let weight = (total / (titles.len() as f32 + 0.5)).ln();
                titles.iter().for_each(|title| *weights.entry(*title).or_default() += weight);
            }
        }
        let mut titles: Vec<(f32, u64, u32)> = weights
            .into_iter()
            .map(|(title, weight)| (weight, index.headings.get(title).full_key, title))
            .collect();
        titles.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        // Titles that read the same stay together, whichever came first.
        let last = titles.get(MOST_TITLES.saturating_sub(1)).map(|(weight, key, _)| (*weight, *key));
        let is_in = |(weight, key, _): &&(f32, u64, u32)| {
            last.is_none_or(|(least, end)| *weight > least || (*weight >= least && *key <= end))
        };
        titles.iter().filter(is_in).map(|(_, _, title)| *title).collect()
    }

    fn likeness(&mut self, title: u32) -> Likeness {
        if let Some(known) = self.titles.get(&title) {
            return *known;
        }
        let have = self.index.headings.get(title);
        let alike = likeness::likeness(self.index, self.question, &self.wanted, &have);
        self.titles.insert(title, alike);
        alike
    }

    /// Judges all rows with a title that an artist who may be meant has made.
    fn rows_of(&mut self, title: u32) {
        let index = self.index;
        let guests = index.headings.get(title).guests;
        let by_guest = guests.iter().any(|guest| self.kin.contains_key(guest));
        for row in index.rows_of_title.of(title) {
            let credit = index.rows[*row as usize].credit;
            if by_guest || index.credits.names(credit).any(|(name, _)| self.kin.contains_key(&name)) {
                self.judge(*row, title, credit);
            }
        }
    }

    /// Judges all rows of an artist whose title may be meant.
    fn rows_by(&mut self, name: u32) {
        let index = self.index;
        let credits = index.credits_of_name.of(name);
        let rows: usize = credits.iter().map(|credit| index.rows_of_credit.of(*credit).len()).sum();
        if rows <= MOST_ROWS {
            for credit in credits {
                for row in index.rows_of_credit.of(*credit) {
                    self.judge(*row, index.rows[*row as usize].title, *credit);
                }
            }
        }
        let titles = index.titles_of_guest.of(name);
        if titles.len() <= MOST_ROWS {
            for title in titles {
                self.rows_of(*title);
            }
        }
    }

    fn judge(&mut self, row: u32, title: u32, credit: u32) {
        if self.judged.contains_key(&row) {
            return;
        }
        let alike = self.likeness(title);
        if alike.likeness <= 0.0 {
            return;
        }
        let guests = self.index.headings.get(title).guests;
        let artist = artist::of_row(self.index, &self.kin, credit, guests);
        if let Some(judged) = score::judge(self.index, self.question, row, &alike, artist) {
            self.judged.insert(row, judged);
        }
    }
}
