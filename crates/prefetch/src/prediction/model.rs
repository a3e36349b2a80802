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
use super::{ClientContext, MAX_ROWS, instantiate, request_template, row_references};
use greenroom_dialect::class::Class;
use greenroom_dialect::classification::Read;
use greenroom_dialect::request::ServerKind;

/// Max list responses stored per client, and as many responses about single items, so that opening every item
/// of a list does not evict the list.
const MAX_RESPONSES: usize = 4;
/// Max patterns of a client.
const MAX_PATTERNS: usize = 16;
/// Max lists of which a pattern records the requested rows.
const MAX_RUNS: usize = 3;
/// Consecutive useless predictions after which a pattern is dropped.
const MAX_MISSES: u8 = 2;

/// The request patterns of one client and the responses they are learnt from.
#[derive(Debug, Default)]
pub struct PredictionModel {
    responses: VecDeque<ShownResponse>,
    patterns: Vec<RequestPattern>,
    /// Counts responses and requests, instead of a clock.
    sequence: u64,
}

/// A response sent to the client.
#[derive(Debug)]
struct ShownResponse {
    sequence: u64,
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
    misses: u8,
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
    response: u64,
    /// One bit per row.
    requested_rows: u64,
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
    response: u64,
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
        let Some((template, args)) = request_template(kind, read) else { return };
        let args = hash_of(&args);
        let is_same =
            |reference: &&ReferenceHash| reference.args == args && reference.link.subject() == template.subject();
        let source = self.responses.iter().rev().find_map(|response| {
            let reference = response.references.iter().find(is_same)?;
            Some((*reference, response.sequence, response.class, response.rows))
        });
        let Some((reference, shown, class, rows)) = source else { return };
        self.sequence += 1;
        let context = PatternContext::new(reference.link, class, reference.kind);
        let sequence = self.sequence;
        let pattern = self.pattern_mut(context, reference.link, template);
        pattern.used = sequence;
        pattern.misses = 0;
        pattern.spent.retain(|spent| *spent != shown);
        pattern.record(shown, reference.row, rows);
    }

    /// Records a response sent to the client and predicts its next requests: items before pictures, recent
    /// patterns before older ones, in the order of the rows.
    pub fn predict(
        &mut self,
        kind: ServerKind,
        read: &Read,
        body: &[u8],
        client: ClientContext<'_>,
        limits: PredictionLimits<'_>,
    ) -> Vec<Prediction> {
        let rows = row_references(kind, read, body);
        if rows.is_empty() {
            return Vec::new();
        }
        self.sequence += 1;
        let predictions = self.predictions(kind, read, &rows, client, limits);
        let references = rows.iter().enumerate().flat_map(|(at, row)| {
            let kind = hash_of(&row.kind);
            row.references.iter().map(move |(link, args)| ReferenceHash {
                row: at,
                kind,
                link: *link,
                args: hash_of(args),
            })
        });
        let response = ShownResponse {
            sequence: self.sequence,
            class: read.class,
            rows: rows.len(),
            references: references.collect(),
        };
        let is_same_shape = |other: &ShownResponse| (other.rows == 1) == (response.rows == 1);
        if self.responses.iter().filter(|other| is_same_shape(other)).count() >= MAX_RESPONSES
            && let Some(oldest) = self.responses.iter().position(is_same_shape)
            && let Some(oldest) = self.responses.remove(oldest)
        {
            self.expire(oldest.sequence);
        }
        self.responses.push_back(response);
        predictions
    }

    /// Records that loads were spent on a prediction. They count as useless if the client does not make the
    /// request before the response is evicted.
    pub fn record_spent(&mut self, basis: PredictionBasis) {
        let PredictionBasis { response, pattern } = basis;
        let Some(pattern) = self.patterns.iter_mut().find(|other| other.number == pattern) else { return };
        let is_used = pattern.runs.iter().any(|run| run.response == response);
        if !is_used
            && !pattern.spent.contains(&response)
            && self.responses.iter().any(|known| known.sequence == response)
        {
            pattern.spent.push(response);
        }
    }

    /// Evicts a response: its unused predictions count as useless.
    fn expire(&mut self, response: u64) {
        for pattern in &mut self.patterns {
            let before = pattern.spent.len();
            pattern.spent.retain(|spent| *spent != response);
            if pattern.spent.len() < before {
                pattern.misses = pattern.misses.saturating_add(1);
            }
        }
    }

    fn predictions(
        &self,
        kind: ServerKind,
        read: &Read,
        rows: &[RowReferences],
        client: ClientContext<'_>,
        limits: PredictionLimits<'_>,
    ) -> Vec<Prediction> {
        let is_active = |pattern: &&RequestPattern| {
            pattern.misses < MAX_MISSES && limits.classes.contains(&pattern.template.class())
        };
        let mut patterns: Vec<&RequestPattern> = self.patterns.iter().filter(is_active).collect();
        patterns.sort_by_key(|pattern| {
            (pattern.link.subject() == TemplateSubject::Picture, std::cmp::Reverse(pattern.used))
        });
        let mut predictions: Vec<Prediction> = Vec::new();
        for pattern in patterns {
            for row in rows.iter().take(pattern.predicted_rows()) {
                if predictions.len() >= limits.most {
                    return predictions;
                }
                if PatternContext::new(pattern.link, read.class, hash_of(&row.kind)) != pattern.context {
                    continue;
                }
                let predicted =
                    row.get(pattern.link).and_then(|args| instantiate(kind, &pattern.template, args, client));
                let Some(next) = predicted else { continue };
                let is_new = next.key != read.key && predictions.iter().all(|other| other.read.key != next.key);
                if is_new {
                    let basis = PredictionBasis { response: self.sequence, pattern: pattern.number };
                    predictions.push(Prediction { read: next, basis });
                }
            }
        }
        predictions
    }

    /// The pattern with this description; a new one replaces the least recently used.
    fn pattern_mut(
        &mut self,
        context: PatternContext,
        link: ReferenceKind,
        template: RequestTemplate,
    ) -> &mut RequestPattern {
        let is_same = |pattern: &RequestPattern| {
            pattern.context == context && pattern.link == link && pattern.template == template
        };
        let at = self.patterns.iter().position(is_same).unwrap_or_else(|| {
            if self.patterns.len() >= MAX_PATTERNS {
                let oldest = self.patterns.iter().enumerate().min_by_key(|(_, pattern)| pattern.used);
                let oldest = oldest.map_or(0, |(at, _)| at);
                self.patterns.swap_remove(oldest);
            }
            let runs = VecDeque::with_capacity(MAX_RUNS);
            let (number, used, spent) = (self.sequence, self.sequence, Vec::new());
            self.patterns.push(RequestPattern { number, context, link, template, runs, spent, misses: 0, used });
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
    fn record(&mut self, response: u64, row: usize, rows: usize) {
        let at = self.runs.iter().position(|run| run.response == response).unwrap_or_else(|| {
            if self.runs.len() == MAX_RUNS {
                self.runs.pop_front();
            }
            self.runs.push_back(PatternRun { response, requested_rows: 0, rows });
            self.runs.len() - 1
        });
        self.runs[at].requested_rows |= 1 << (row % MAX_ROWS);
    }

    /// Number of rows from the top for which such requests are predicted: as many as last time. A list
    /// followed to its end only gives a lower bound; a client that recently picked single rows gets no
    /// prediction.
    fn predicted_rows(&self) -> usize {
        let mut at_least = 0;
        let mut depth_limit = None;
        for run in self.runs.iter().rev() {
            let Some(depth) = run.depth() else { return 0 };
            at_least = depth.max(at_least);
            if depth < run.rows {
                depth_limit = depth_limit.or(Some(at_least));
            }
        }
        depth_limit.unwrap_or(at_least)
    }
}

impl PatternRun {
    /// Number of rows down to the last one that the client requested; `None` if it skipped most rows on the way.
    fn depth(self) -> Option<usize> {
        let depth = u64::BITS - self.requested_rows.leading_zeros();
        (2 * self.requested_rows.count_ones() > depth).then_some(usize::try_from(depth).unwrap_or(MAX_ROWS))
    }
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
