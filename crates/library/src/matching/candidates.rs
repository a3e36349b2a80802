//! Chooses the rows to score.
//!
//! Every limit here depends on the content of the index, never on the order of its rows: a list is used whole
//! or not at all.

use super::artist_similarity::{self, ArtistMatch, ArtistMatches};
use super::index::{TrackIndex, edges};
use super::query::MatchQuery;
use super::score::{self, MatchCertainty, ScoredCandidate};
use super::title_similarity::{self, TitleSimilarity};
use super::title_table::TitleEntry;
use super::vocabulary::HashedMap;

/// Max titles examined for a shared word, those of the rarest words first.
const MAX_EXAMINED: usize = 6_000;
/// Max titles compared with the query.
const MAX_TITLES: usize = 48;
/// Max rows with exactly this title that are all scored.
const MAX_ROWS_BY_TITLE: usize = 256;
/// Below this artist similarity, only rows with exactly the same title can match.
const NEAR_SIMILARITY: f32 = 0.84;
/// Max total rows of the artists whose titles are all compared.
const MAX_ROWS: usize = 4_000;
/// Titles with more rows than this are searched by artist instead.
const MANY_ROWS: usize = 64;

/// The search for one query.
pub(super) struct CandidateSearch<'a, 'i> {
    index: &'i TrackIndex,
    query: &'a MatchQuery<'i>,
    wanted: TitleEntry<'a>,
    artists: ArtistMatches,
    titles: HashedMap<u32, TitleSimilarity>,
    judged: HashedMap<u32, ScoredCandidate>,
}

impl<'a, 'i> CandidateSearch<'a, 'i> {
    pub(super) fn new(index: &'i TrackIndex, question: &'a MatchQuery<'i>) -> Self {
        let wanted = question.heading();
        let kin = artist_similarity::same(index, question);
        Self {
            index,
            query: question,
            wanted,
            artists: kin,
            titles: HashedMap::default(),
            judged: HashedMap::default(),
        }
    }

    /// Scores rows with the same title by the same artist.
    pub(super) fn exact(&mut self) {
        for title in self.same_titles() {
            self.rows_of(title);
        }
    }

    /// Scores similar rows: by the same artists, and if none of them is good enough by any artist.
    pub(super) fn wide(&mut self) {
        for name in self.nearest() {
            self.rows_by(name);
        }
        if self.is_done() {
            return;
        }
        let same = self.same_titles();
        artist_similarity::similar(self.index, self.query, &mut self.artists);
        self.similar_by_title(&same);
        for title in same.into_iter().chain(self.similar_titles()) {
            self.rows_of(title);
        }
        for name in self.nearest() {
            self.rows_by(name);
        }
    }

    /// Scores rows with this title, album and length whose artist is written in another script: they need a review.
    pub(super) fn other_scripts(&mut self) {
        let index = self.index;
        if self.query.album.key == 0 || self.query.duration_s == 0 {
            return;
        }
        for title in self.same_titles() {
            let rows = index.rows_of_title.get(title);
            for row in rows.iter().take(MAX_ROWS) {
                if !self.judged.contains_key(row)
                    && let Some(judged) = score::score_other_script(index, self.query, *row)
                {
                    self.judged.insert(*row, judged);
                }
            }
        }
    }

    /// Looks for similar artists among the rows with exactly this title, unless there are too many.
    fn similar_by_title(&mut self, same: &[u32]) {
        let index = self.index;
        let rows: usize = same.iter().map(|title| index.rows_of_title.get(*title).len()).sum();
        if rows <= MAX_ROWS_BY_TITLE {
            let rows = same.iter().flat_map(|title| index.rows_of_title.get(*title));
            let credits: Vec<u32> = rows.map(|row| index.row(*row).credit).collect();
            artist_similarity::similar_among(index, self.query, &credits, &mut self.artists);
        }
    }

    /// The artists whose titles are all compared: the most similar first, within the limit of rows.
    fn nearest(&self) -> Vec<u32> {
        let index = self.index;
        let is_near = |(_, kinship): &(&u32, &ArtistMatch)| kinship.similarity >= NEAR_SIMILARITY;
        let mut near: Vec<(f32, u64, u32)> = self
            .artists
            .iter()
            .filter(is_near)
            .map(|(name, kinship)| (kinship.similarity, index.artists.key(*name), *name))
            .collect();
        near.sort_unstable_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        let mut rows = 0;
        let is_within = |name: &u32| {
            rows += self.rows_of_name(*name);
            rows <= MAX_ROWS
        };
        near.into_iter().map(|(_, _, name)| name).take_while(is_within).collect()
    }

    fn rows_of_name(&self, name: u32) -> usize {
        let credits = self.index.credits_of_name.get(name);
        credits.iter().map(|credit| self.index.rows_of_credit.get(*credit).len()).sum()
    }

    /// The scored rows, unsorted.
    pub(super) fn into_scored(self) -> Vec<ScoredCandidate> {
        self.judged.into_values().collect()
    }

    /// Whether no better row is to be expected.
    pub(super) fn is_done(&self) -> bool {
        self.judged.values().any(ScoredCandidate::is_fit)
    }

    fn same_titles(&self) -> Vec<u32> {
        let TitleEntry { core_key, full_key, .. } = self.wanted;
        let is_same = |title: &u32| {
            let have = self.index.titles.get(*title);
            have.core_key == core_key || have.full_key == full_key
        };
        let mut titles: Vec<u32> = Vec::new();
        for key in [core_key, full_key] {
            if key != 0 {
                titles.extend(self.index.titles_of_key.get_by_hash(key).iter().copied().filter(is_same));
            }
        }
        titles.sort_unstable();
        titles.dedup();
        titles
    }

    /// Titles that share rare words or word edges with the query.
    fn similar_titles(&self) -> Vec<u32> {
        let (index, words) = (self.index, &self.query.words);
        let sought = self.wanted.core.iter().chain(self.wanted.subtitle);
        let mut lists: Vec<&[u32]> =
            sought.filter(|word| words.is_known(**word)).map(|word| index.titles_of_word.get(*word)).collect();
        let texts = self.wanted.core.iter().map(|word| words.text(*word));
        lists.extend(edges(texts).iter().map(|edge| index.titles_of_edge.get_by_hash(*edge)));
        lists.sort_by_key(|titles| titles.len());
        let total = index.titles_in_use as f32 + 1.0;
        let mut weights: HashedMap<u32, f32> = HashedMap::default();
        let mut seen = 0;
        for titles in lists {
            seen += titles.len();
            if seen > MAX_EXAMINED {
                break;
            }
            let weight = (total / (titles.len() as f32 + 0.5)).ln();
            for title in titles {
                *weights.entry(*title).or_default() += weight;
            }
        }
        self.heaviest(weights.into_iter().map(|(title, weight)| (weight, title)).collect())
    }

    /// The titles with the highest weight. Ties are broken by their text, not by order of insertion.
    fn heaviest(&self, mut titles: Vec<(f32, u32)>) -> Vec<u32> {
        if titles.len() > MAX_TITLES {
            let (_, (least, _), _) = titles.select_nth_unstable_by(MAX_TITLES, |one, other| other.0.total_cmp(&one.0));
            let least = *least;
            let key = |(_, title): &(f32, u32)| self.index.titles.full_key(*title);
            let mut equal: Vec<(f32, u32)> =
                titles.iter().filter(|(weight, _)| weight.total_cmp(&least).is_eq()).copied().collect();
            titles.retain(|(weight, _)| *weight > least);
            let free = MAX_TITLES - titles.len();
            if equal.len() > free {
                equal.select_nth_unstable_by_key(free, key);
                // Titles with the same text stay together.
                let highest = equal.iter().take(free).map(key).max();
                equal.retain(|title| Some(key(title)) <= highest);
            }
            titles.extend(equal);
        }
        titles.into_iter().map(|(_, title)| title).collect()
    }

    fn likeness(&mut self, title: u32) -> TitleSimilarity {
        if let Some(known) = self.titles.get(&title) {
            return *known;
        }
        let alike = if self.index.titles.may_be_alike(title, &self.wanted) {
            let have = self.index.titles.get(title);
            title_similarity::title_similarity(self.index, self.query, &self.wanted, &have)
        } else {
            TitleSimilarity::NONE
        };
        self.titles.insert(title, alike);
        alike
    }

    /// Scores all rows with a title by an artist who may match.
    fn rows_of(&mut self, title: u32) {
        let index = self.index;
        let guests = index.titles.get(title).guests;
        let by_guest = guests.iter().any(|guest| self.artists.contains_key(guest));
        let rows = index.rows_of_title.get(title);
        if !by_guest && rows.len() > MANY_ROWS {
            let names: Vec<u32> = self.artists.keys().copied().collect();
            if names.iter().map(|name| self.rows_of_name(*name)).sum::<usize>() < rows.len() {
                // A common title such as "Intro" is found faster among the artist's rows than among all of
                // that title.
                return names.into_iter().for_each(|name| self.rows_of_both(title, name));
            }
        }
        for row in rows {
            let credit = index.row(*row).credit;
            if by_guest || index.credits.names(credit).any(|(name, _)| self.artists.contains_key(&name)) {
                self.judge(*row, title, credit);
            }
        }
    }

    fn rows_of_both(&mut self, title: u32, name: u32) {
        let index = self.index;
        for credit in index.credits_of_name.get(name) {
            for row in index.rows_of_credit.get(*credit) {
                if index.row(*row).title == title {
                    self.judge(*row, title, *credit);
                }
            }
        }
    }

    /// Scores all rows of an artist whose title may match.
    fn rows_by(&mut self, name: u32) {
        let index = self.index;
        let credits = index.credits_of_name.get(name);
        for credit in credits {
            for row in index.rows_of_credit.get(*credit) {
                self.judge(*row, index.row(*row).title, *credit);
            }
        }
        let titles = index.titles_of_guest.get(name);
        if titles.len() <= MAX_ROWS {
            for title in titles {
                self.rows_of(*title);
            }
        }
    }

    fn judge(&mut self, row: u32, title: u32, credit: u32) {
        // More names may be known now than when the row was scored as doubtful.
        if self.judged.get(&row).is_some_and(|known| known.certainty != MatchCertainty::Doubtful) {
            return;
        }
        let alike = self.likeness(title);
        if alike.similarity <= 0.0 {
            return;
        }
        let guests = self.index.titles.get(title).guests;
        let artist = artist_similarity::artist_agreement(self.index, &self.artists, self.query, credit, guests);
        if let Some(judged) = score::score_row(self.index, self.query, row, alike, artist) {
            self.judged.insert(row, judged);
        }
    }
}
