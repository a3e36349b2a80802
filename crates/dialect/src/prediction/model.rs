//! Records which requests a client makes after which responses, and predicts its next ones.
//!
//! One client is one app with one token. Its last responses are stored as hashes of their rows' references; a
//! request with the same reference counts as following from the newest of them. That gives the template, the
//! kind of reference and how far down the list the client went. A prediction repeats what the client did with
//! the last such list and no more: a client that opens one season of three does not get all three loaded. A
//! pattern whose loads were useless twice in a row is dropped until the client makes such a request again.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::row_references::{ReferenceKind, RowReferences};
use super::template::{RequestTemplate, TemplateSubject};
use super::{ClientContext, MAX_ROWS};
use crate::class::Class;
use crate::classification::Read;
use crate::request::ServerKind;

/// Max list responses stored per client, and as many responses about single items, so that opening every item
/// of a list does not evict the list.
const MAX_ANSWERS: usize = 4;
/// Max patterns of a client.
const MAX_PATTERNS: usize = 16;
/// Max lists of which a pattern records the requested rows.
const MAX_RUNS: usize = 3;
/// Consecutive useless predictions after which a pattern is dropped.
const MAX_UNMET: u8 = 2;

/// The request patterns of one client and the responses they are learnt from.
#[derive(Debug, Default)]
pub struct PredictionModel {
    answers: VecDeque<ShownResponse>,
    patterns: Vec<RequestPattern>,
    /// Counts responses and requests, instead of a clock.
    turn: u64,
}

/// A response sent to the client.
#[derive(Debug)]
struct ShownResponse {
    turn: u64,
    class: Class,
    rows: usize,
    references: Vec<ReferenceHash>,
}

/// A reference in one of its rows.
#[derive(Debug, Clone, Copy)]
struct ReferenceHash {
    row: usize,
    kind: u64,
    link: ReferenceKind,
    args: u64,
}

/// A kind of request that follows a kind of row.
#[derive(Debug)]
struct RequestPattern {
    number: u64,
    context: PatternContext,
    link: ReferenceKind,
    template: RequestTemplate,
    runs: VecDeque<PatternRun>,
    /// Responses after which loads were spent on this pattern, and not used so far.
    spent: Vec<u64>,
    unmet: u8,
    used: u64,
}

/// Rows a pattern applies to: those of one kind, in responses of one class. Pictures are requested wherever
/// an item is shown, so they have no class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PatternContext {
    class: Option<Class>,
    kind: u64,
}

/// The rows of one response for which such requests were made.
#[derive(Debug, Clone, Copy)]
struct PatternRun {
    answer: u64,
    /// One bit per row.
    asked: u64,
    rows: usize,
}

/// Limits of a prediction.
#[derive(Debug, Clone, Copy)]
pub struct PredictionLimits<'a> {
    /// Max reads after one response.
    pub most: usize,
    /// Classes that may be predicted.
    pub classes: &'a [Class],
}

/// The response and the pattern behind a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PredictionBasis {
    answer: u64,
    pattern: u64,
}

/// A predicted read.
#[derive(Debug, Clone)]
pub struct Prediction {
    /// The predicted request.
    pub read: Read,
    /// The response and pattern behind it: see [`PredictionModel::record_spent`].
    pub basis: PredictionBasis,
}

impl PredictionModel {
    /// Learns from a request of the client.
    pub fn learn(&mut self, kind: ServerKind, read: &Read) {
        let Some((phrase, words)) = kind.request_template(read) else { return };
        let words = hash_of(&words);
        let is_it = |mention: &&ReferenceHash| mention.args == words && mention.link.subject() == phrase.subject();
        let found = self.answers.iter().rev().find_map(|shown| {
            let mention = shown.references.iter().find(is_it)?;
            Some((*mention, shown.turn, shown.class, shown.rows))
        });
        let Some((mention, answer, class, rows)) = found else { return };
        self.turn += 1;
        let place = PatternContext::new(mention.link, class, mention.kind);
        let turn = self.turn;
        let habit = self.pattern_mut(place, mention.link, phrase);
        habit.used = turn;
        habit.unmet = 0;
        habit.spent.retain(|spent| *spent != answer);
        habit.record(answer, mention.row, rows);
    }

    /// Records a response sent to the client and predicts its next requests: items before pictures, recent
    /// patterns before older ones, in the order of the rows.
    pub fn predict(
        &mut self,
        kind: ServerKind,
        read: &Read,
        body: &[u8],
        asker: ClientContext<'_>,
        limits: PredictionLimits<'_>,
    ) -> Vec<Prediction> {
        let rows = kind.row_references(read, body);
        if rows.is_empty() {
            return Vec::new();
        }
        self.turn += 1;
        let expected = self.predictions(kind, read, &rows, asker, limits);
        let mentions = rows.iter().enumerate().flat_map(|(at, row)| {
            let kind = hash_of(&row.kind);
            row.references.iter().map(move |(link, words)| ReferenceHash {
                row: at,
                kind,
                link: *link,
                args: hash_of(words),
            })
        });
        let shown =
            ShownResponse { turn: self.turn, class: read.class, rows: rows.len(), references: mentions.collect() };
        let is_alike = |other: &ShownResponse| (other.rows == 1) == (shown.rows == 1);
        if self.answers.iter().filter(|other| is_alike(other)).count() >= MAX_ANSWERS
            && let Some(oldest) = self.answers.iter().position(is_alike)
            && let Some(oldest) = self.answers.remove(oldest)
        {
            self.expire(oldest.turn);
        }
        self.answers.push_back(shown);
        expected
    }

    /// Records that loads were spent on a prediction. They count as useless if the client does not make the
    /// request before the response is evicted.
    pub fn record_spent(&mut self, ground: PredictionBasis) {
        let PredictionBasis { answer, pattern: habit } = ground;
        let Some(habit) = self.patterns.iter_mut().find(|known| known.number == habit) else { return };
        let is_met = habit.runs.iter().any(|walk| walk.answer == answer);
        if !is_met && !habit.spent.contains(&answer) && self.answers.iter().any(|shown| shown.turn == answer) {
            habit.spent.push(answer);
        }
    }

    /// Evicts a response: its unused predictions count as useless.
    fn expire(&mut self, answer: u64) {
        for habit in &mut self.patterns {
            let before = habit.spent.len();
            habit.spent.retain(|spent| *spent != answer);
            if habit.spent.len() < before {
                habit.unmet = habit.unmet.saturating_add(1);
            }
        }
    }

    fn predictions(
        &self,
        kind: ServerKind,
        read: &Read,
        rows: &[RowReferences],
        asker: ClientContext<'_>,
        limits: PredictionLimits<'_>,
    ) -> Vec<Prediction> {
        let counts =
            |habit: &&RequestPattern| habit.unmet < MAX_UNMET && limits.classes.contains(&habit.template.class());
        let mut habits: Vec<&RequestPattern> = self.patterns.iter().filter(counts).collect();
        habits.sort_by_key(|habit| (habit.link.subject() == TemplateSubject::Picture, std::cmp::Reverse(habit.used)));
        let mut expected: Vec<Prediction> = Vec::new();
        for habit in habits {
            for row in rows.iter().take(habit.predicted_rows()) {
                if expected.len() >= limits.most {
                    return expected;
                }
                if PatternContext::new(habit.link, read.class, hash_of(&row.kind)) != habit.context {
                    continue;
                }
                let said = row.get(habit.link).and_then(|words| kind.instantiate(&habit.template, words, asker));
                let Some(next) = said else { continue };
                let is_new = next.key != read.key && expected.iter().all(|known| known.read.key != next.key);
                if is_new {
                    let ground = PredictionBasis { answer: self.turn, pattern: habit.number };
                    expected.push(Prediction { read: next, basis: ground });
                }
            }
        }
        expected
    }

    /// The pattern with this description; a new one replaces the least recently used.
    fn pattern_mut(
        &mut self,
        place: PatternContext,
        link: ReferenceKind,
        phrase: RequestTemplate,
    ) -> &mut RequestPattern {
        let is_it = |habit: &RequestPattern| habit.context == place && habit.link == link && habit.template == phrase;
        let at = self.patterns.iter().position(is_it).unwrap_or_else(|| {
            if self.patterns.len() >= MAX_PATTERNS {
                let oldest = self.patterns.iter().enumerate().min_by_key(|(_, habit)| habit.used);
                let oldest = oldest.map_or(0, |(at, _)| at);
                self.patterns.swap_remove(oldest);
            }
            let walks = VecDeque::with_capacity(MAX_RUNS);
            let (number, used, spent) = (self.turn, self.turn, Vec::new());
            self.patterns.push(RequestPattern {
                number,
                context: place,
                link,
                template: phrase,
                runs: walks,
                spent,
                unmet: 0,
                used,
            });
            self.patterns.len() - 1
        });
        &mut self.patterns[at]
    }
}

impl PatternContext {
    fn new(link: ReferenceKind, class: Class, kind: u64) -> Self {
        Self { class: (link.subject() != TemplateSubject::Picture).then_some(class), kind }
    }
}

impl RequestPattern {
    /// Records that such a request was made for a row of a response.
    fn record(&mut self, answer: u64, row: usize, rows: usize) {
        let at = self.runs.iter().position(|walk| walk.answer == answer).unwrap_or_else(|| {
            if self.runs.len() == MAX_RUNS {
                self.runs.pop_front();
            }
            self.runs.push_back(PatternRun { answer, asked: 0, rows });
            self.runs.len() - 1
        });
        self.runs[at].asked |= 1 << (row % MAX_ROWS);
    }

    /// Number of rows from the top for which such requests are predicted: as many as last time. A list
    /// followed to its end only gives a lower bound; a client that recently picked single rows gets no
    /// prediction.
    fn predicted_rows(&self) -> usize {
        let mut at_least = 0;
        let mut reach = None;
        for walk in self.runs.iter().rev() {
            let Some(depth) = walk.depth() else { return 0 };
            at_least = depth.max(at_least);
            if depth < walk.rows {
                reach = reach.or(Some(at_least));
            }
        }
        reach.unwrap_or(at_least)
    }
}

impl PatternRun {
    /// How far down the list the client went; `None` if it skipped most rows on the way.
    fn depth(self) -> Option<usize> {
        let depth = u64::BITS - self.asked.leading_zeros();
        (2 * self.asked.count_ones() > depth).then_some(usize::try_from(depth).unwrap_or(MAX_ROWS))
    }
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
