//! Which rows are worth judging.
//!
//! Every bound here is about the content of the index, never about the order of its rows: a list is taken whole or not
//! at all.

use super::artist::{self, Kin, Kinship};
use super::heading::Heading;
use super::index::{TrackIndex, edges};
use super::likeness::{self, Likeness};
use super::question::Question;
use super::score::{self, Judged};
use super::vocabulary::HashedMap;

/// Titles that share a word are looked at until they are this many, those of the rarest words first.
const MOST_SEEN: usize = 6_000;
/// So many titles are compared for what is looked for.
const MOST_TITLES: usize = 48;
/// Whoever has this very title is compared, unless more rows than this have it.
const MOST_BY_TITLE: usize = 256;
/// By an artist who is less alike than this only what has the very title can be meant.
const NEAR: f32 = 0.84;
/// All titles of artists are compared, as long as they have at most so many rows together.
const MOST_ROWS: usize = 4_000;
/// A title with more rows than this may be found sooner among its artist's.
const MANY_ROWS: usize = 64;

/// A search for one question.
pub(super) struct Search<'a, 'i> {
    index: &'i TrackIndex,
    question: &'a Question<'i>,
    wanted: Heading<'a>,
    kin: Kin,
    titles: HashedMap<u32, Likeness>,
    judged: HashedMap<u32, Judged>,
}

impl<'a, 'i> Search<'a, 'i> {
    pub(super) fn of(index: &'i TrackIndex, question: &'a Question<'i>) -> Self {
        let wanted = question.heading();
        let kin = artist::same(index, question);
        Self { index, question, wanted, kin, titles: HashedMap::default(), judged: HashedMap::default() }
    }

    /// Judges the rows with the same title by the same artist.
    pub(super) fn exact(&mut self) {
        for title in self.same_titles() {
            self.rows_of(title);
        }
    }

    /// Judges the rows that are like it: by the same artists, and if none of them is good enough by any.
    pub(super) fn wide(&mut self) {
        for name in self.nearest() {
            self.rows_by(name);
        }
        if self.is_settled() {
            return;
        }
        let same = self.same_titles();
        artist::similar(self.index, self.question, &mut self.kin);
        self.similar_by_title(&same);
        for title in same.into_iter().chain(self.similar_titles()) {
            self.rows_of(title);
        }
        for name in self.nearest() {
            self.rows_by(name);
        }
    }

    /// Looks for the artist among those who have this very title, unless they are many.
    fn similar_by_title(&mut self, same: &[u32]) {
        let index = self.index;
        let rows: usize = same.iter().map(|title| index.rows_of_title.of(*title).len()).sum();
        if rows <= MOST_BY_TITLE {
            let rows = same.iter().flat_map(|title| index.rows_of_title.of(*title));
            let credits: Vec<u32> = rows.map(|row| index.rows[*row as usize].credit).collect();
            artist::similar_among(index, self.question, &credits, &mut self.kin);
        }
    }

    /// The artists all of whose titles are compared: the likest first, as long as they have few enough rows together.
    fn nearest(&self) -> Vec<u32> {
        let index = self.index;
        let is_near = |(_, kinship): &(&u32, &Kinship)| kinship.likeness >= NEAR;
        let mut near: Vec<(f32, u64, u32)> = self
            .kin
            .iter()
            .filter(is_near)
            .map(|(name, kinship)| (kinship.likeness, index.roster.key(*name), *name))
            .collect();
        near.sort_unstable_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        let mut rows = 0;
        let is_within = |name: &u32| {
            rows += self.rows_of_name(*name);
            rows <= MOST_ROWS
        };
        near.into_iter().map(|(_, _, name)| name).take_while(is_within).collect()
    }

    fn rows_of_name(&self, name: u32) -> usize {
        let credits = self.index.credits_of_name.of(name);
        credits.iter().map(|credit| self.index.rows_of_credit.of(*credit).len()).sum()
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
        let sought = self.wanted.core.iter().chain(self.wanted.subtitle);
        let mut lists: Vec<&[u32]> =
            sought.filter(|word| words.is_known(**word)).map(|word| index.titles_of_word.of(*word)).collect();
        let texts = self.wanted.core.iter().map(|word| words.text(*word));
        lists.extend(edges(texts).iter().map(|edge| index.titles_of_edge.of_hash(*edge)));
        lists.sort_by_key(|titles| titles.len());
        let total = index.headings.len() as f32 + 1.0;
        let mut weights: HashedMap<u32, f32> = HashedMap::default();
        let mut seen = 0;
        for titles in lists {
            seen += titles.len();
            if seen > MOST_SEEN {
                break;
            }
            let weight = (total / (titles.len() as f32 + 0.5)).ln();
            for title in titles {
                *weights.entry(*title).or_default() += weight;
            }
        }
        self.heaviest(weights.into_iter().map(|(title, weight)| (weight, title)).collect())
    }

    /// The heaviest titles. Among equals it counts how they read, not which came first.
    fn heaviest(&self, mut titles: Vec<(f32, u32)>) -> Vec<u32> {
        if titles.len() > MOST_TITLES {
            let (_, (least, _), _) =
                titles.select_nth_unstable_by(MOST_TITLES, |one, other| other.0.total_cmp(&one.0));
            let least = *least;
            let key = |(_, title): &(f32, u32)| self.index.headings.full_key(*title);
            let mut equal: Vec<(f32, u32)> =
                titles.iter().filter(|(weight, _)| weight.total_cmp(&least).is_eq()).copied().collect();
            titles.retain(|(weight, _)| *weight > least);
            let free = MOST_TITLES - titles.len();
            if equal.len() > free {
                equal.select_nth_unstable_by_key(free, key);
                // Titles that read the same stay together.
                let highest = equal.iter().take(free).map(key).max();
                equal.retain(|title| Some(key(title)) <= highest);
            }
            titles.extend(equal);
        }
        titles.into_iter().map(|(_, title)| title).collect()
    }

    fn likeness(&mut self, title: u32) -> Likeness {
        if let Some(known) = self.titles.get(&title) {
            return *known;
        }
        let alike = if self.index.headings.may_be_alike(title, &self.wanted) {
            let have = self.index.headings.get(title);
            likeness::likeness(self.index, self.question, &self.wanted, &have)
        } else {
            Likeness::NONE
        };
        self.titles.insert(title, alike);
        alike
    }

    /// Judges all rows with a title that an artist who may be meant has made.
    fn rows_of(&mut self, title: u32) {
        let index = self.index;
        let guests = index.headings.get(title).guests;
        let by_guest = guests.iter().any(|guest| self.kin.contains_key(guest));
        let rows = index.rows_of_title.of(title);
        if !by_guest && rows.len() > MANY_ROWS {
            let names: Vec<u32> = self.kin.keys().copied().collect();
            if names.iter().map(|name| self.rows_of_name(*name)).sum::<usize>() < rows.len() {
                // An "Intro" is found sooner among what the artist made than among all of that name.
                return names.into_iter().for_each(|name| self.rows_of_both(title, name));
            }
        }
        for row in rows {
            let credit = index.rows[*row as usize].credit;
            if by_guest || index.credits.names(credit).any(|(name, _)| self.kin.contains_key(&name)) {
                self.judge(*row, title, credit);
            }
        }
    }

    fn rows_of_both(&mut self, title: u32, name: u32) {
        let index = self.index;
        for credit in index.credits_of_name.of(name) {
            for row in index.rows_of_credit.of(*credit) {
                if index.rows[*row as usize].title == title {
                    self.judge(*row, title, *credit);
                }
            }
        }
    }

    /// Judges all rows of an artist whose title may be meant.
    fn rows_by(&mut self, name: u32) {
        let index = self.index;
        let credits = index.credits_of_name.of(name);
        for credit in credits {
            for row in index.rows_of_credit.of(*credit) {
                self.judge(*row, index.rows[*row as usize].title, *credit);
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
        // More names may be known by now than when a row was doubted.
        if self.judged.get(&row).is_some_and(|known| !known.is_doubtful) {
            return;
        }
        let alike = self.likeness(title);
        if alike.likeness <= 0.0 {
            return;
        }
        let guests = self.index.headings.get(title).guests;
        let artist = artist::of_row(self.index, &self.kin, credit, guests);
        if let Some(judged) = score::judge(self.index, self.question, row, alike, artist) {
            self.judged.insert(row, judged);
        }
    }
}
