//! What a client does after which answer: learnt from what it asked, used for what it has not asked yet.
//!
//! One client is one app with one identity. Its last answers are remembered by what their rows name, as hashes only;
//! a request that names the same is taken to follow from the newest of them. From that come the phrase, the link and
//! how far down the client went. What it did with the last such list is expected of it with the next one, and no more:
//! whoever opens one season of three will not have all three loaded. An expectation that cost loads and was not met
//! twice in a row is given up until the client does it again.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::mention::{Link, Row};
use super::phrase::{Phrase, Thing};
use super::{Asker, MAX_ROWS};
use crate::ask::Kind;
use crate::class::Class;
use crate::verdict::Read;

/// Lists of a client that are remembered, and as many answers about a single item, so that looking at every item of a
/// list does not make us forget the list.
const MAX_ANSWERS: usize = 4;
/// Habits of a client.
const MAX_HABITS: usize = 16;
/// Lists that a habit remembers having been followed through.
const MAX_WALKS: usize = 3;
/// An expectation that was not met so often in a row is given up.
const MAX_UNMET: u8 = 2;

/// The habits of one client, and what they are learnt from.
#[derive(Debug, Default)]
pub struct Habits {
    answers: VecDeque<Shown>,
    habits: Vec<Habit>,
    /// Counts answers and requests, in place of a clock.
    turn: u64,
}

/// An answer that the client was shown.
#[derive(Debug)]
struct Shown {
    turn: u64,
    class: Class,
    rows: usize,
    mentions: Vec<Mention>,
}

/// What a row of it named.
#[derive(Debug, Clone, Copy)]
struct Mention {
    row: usize,
    kind: u64,
    link: Link,
    words: u64,
}

/// A sort of request that follows a sort of row.
#[derive(Debug)]
struct Habit {
    number: u64,
    place: Place,
    link: Link,
    phrase: Phrase,
    walks: VecDeque<Walk>,
    /// Answers after which loads were spent on it, and that it was not met after yet.
    spent: Vec<u64>,
    unmet: u8,
    used: u64,
}

/// After which rows: those of one kind, in answers of one class. The picture of an item is drawn wherever it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    class: Option<Class>,
    kind: u64,
}

/// For which rows of one answer such requests were made.
#[derive(Debug, Clone, Copy)]
struct Walk {
    answer: u64,
    /// One bit per row.
    asked: u64,
    rows: usize,
}

/// What may be expected.
#[derive(Debug, Clone, Copy)]
pub struct Limits<'a> {
    /// So many reads after one answer.
    pub most: usize,
    /// Of these classes.
    pub classes: &'a [Class],
}

/// What an expectation rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ground {
    answer: u64,
    habit: u64,
}

/// A read that is expected.
#[derive(Debug, Clone)]
pub struct Expected {
    /// What will be asked.
    pub read: Read,
    /// After which answer and by which habit: see [`Habits::spent_on`].
    pub ground: Ground,
}

impl Habits {
    /// Learns from a request of the client.
    pub fn learn(&mut self, kind: Kind, read: &Read) {
        let Some((phrase, words)) = kind.phrase(read) else { return };
        let words = hash_of(&words);
        let is_it = |mention: &&Mention| mention.words == words && mention.link.thing() == phrase.thing();
        let found = self.answers.iter().rev().find_map(|shown| {
            let mention = shown.mentions.iter().find(is_it)?;
            Some((*mention, shown.turn, shown.class, shown.rows))
        });
        let Some((mention, answer, class, rows)) = found else { return };
        self.turn += 1;
        let place = Place::of(mention.link, class, mention.kind);
        let turn = self.turn;
        let habit = self.habit(place, mention.link, phrase);
        habit.used = turn;
        habit.unmet = 0;
        habit.spent.retain(|spent| *spent != answer);
        habit.note(answer, mention.row, rows);
    }

    /// Notes what an answer shows the client, and says what it is likely to ask next: what leads on before pictures,
    /// what it did last before what it did earlier, and in the order of the rows.
    pub fn show(
        &mut self,
        kind: Kind,
        read: &Read,
        body: &[u8],
        asker: Asker<'_>,
        limits: Limits<'_>,
    ) -> Vec<Expected> {
        let rows = kind.rows(read, body);
        if rows.is_empty() {
            return Vec::new();
        }
        self.turn += 1;
        let expected = self.expect(kind, read, &rows, asker, limits);
        let mentions = rows.iter().enumerate().flat_map(|(at, row)| {
            let kind = hash_of(&row.kind);
            row.mentions.iter().map(move |(link, words)| Mention {
                row: at,
                kind,
                link: *link,
                words: hash_of(words),
            })
        });
        let shown =
            Shown { turn: self.turn, class: read.class, rows: rows.len(), mentions: mentions.collect() };
        let is_alike = |other: &Shown| (other.rows == 1) == (shown.rows == 1);
        if self.answers.iter().filter(|other| is_alike(other)).count() >= MAX_ANSWERS
            && let Some(oldest) = self.answers.iter().position(is_alike)
            && let Some(oldest) = self.answers.remove(oldest)
        {
            self.settle(oldest.turn);
        }
        self.answers.push_back(shown);
        expected
    }

    /// Notes that loads were spent on an expectation. If the client does not meet it before the answer is forgotten,
    /// they were in vain.
    pub fn spent_on(&mut self, ground: Ground) {
        let Ground { answer, habit } = ground;
        let Some(habit) = self.habits.iter_mut().find(|known| known.number == habit) else { return };
        let is_met = habit.walks.iter().any(|walk| walk.answer == answer);
        if !is_met && !habit.spent.contains(&answer) && self.answers.iter().any(|shown| shown.turn == answer)
        {
            habit.spent.push(answer);
        }
    }

    /// An answer is forgotten: what was expected after it and did not come will not come any more.
    fn settle(&mut self, answer: u64) {
        for habit in &mut self.habits {
            let before = habit.spent.len();
            habit.spent.retain(|spent| *spent != answer);
            if habit.spent.len() < before {
                habit.unmet = habit.unmet.saturating_add(1);
            }
        }
    }

    fn expect(
        &self,
        kind: Kind,
        read: &Read,
        rows: &[Row],
        asker: Asker<'_>,
        limits: Limits<'_>,
    ) -> Vec<Expected> {
        let counts =
            |habit: &&Habit| habit.unmet < MAX_UNMET && limits.classes.contains(&habit.phrase.class());
        let mut habits: Vec<&Habit> = self.habits.iter().filter(counts).collect();
        habits.sort_by_key(|habit| (habit.link.thing() == Thing::Picture, std::cmp::Reverse(habit.used)));
        let mut expected: Vec<Expected> = Vec::new();
        for habit in habits {
            for row in rows.iter().take(habit.reach()) {
                if expected.len() >= limits.most {
                    return expected;
                }
                if Place::of(habit.link, read.class, hash_of(&row.kind)) != habit.place {
                    continue;
                }
                let said = row.named(habit.link).and_then(|words| kind.say(&habit.phrase, words, asker));
                let Some(next) = said else { continue };
                let is_new = next.key != read.key && expected.iter().all(|known| known.read.key != next.key);
                if is_new {
                    let ground = Ground { answer: self.turn, habit: habit.number };
                    expected.push(Expected { read: next, ground });
                }
            }
        }
        expected
    }

    /// The habit of that description; the one used longest ago makes room for a new one.
    fn habit(&mut self, place: Place, link: Link, phrase: Phrase) -> &mut Habit {
        let is_it = |habit: &Habit| habit.place == place && habit.link == link && habit.phrase == phrase;
        let at = self.habits.iter().position(is_it).unwrap_or_else(|| {
            if self.habits.len() >= MAX_HABITS {
                let oldest = self.habits.iter().enumerate().min_by_key(|(_, habit)| habit.used);
                let oldest = oldest.map_or(0, |(at, _)| at);
                self.habits.swap_remove(oldest);
            }
            let walks = VecDeque::with_capacity(MAX_WALKS);
            let (number, used, spent) = (self.turn, self.turn, Vec::new());
            self.habits.push(Habit { number, place, link, phrase, walks, spent, unmet: 0, used });
            self.habits.len() - 1
        });
        &mut self.habits[at]
    }
}

impl Place {
    fn of(link: Link, class: Class, kind: u64) -> Self {
        Self { class: (link.thing() != Thing::Picture).then_some(class), kind }
    }
}

impl Habit {
    /// Notes that such a request was made for a row of an answer.
    fn note(&mut self, answer: u64, row: usize, rows: usize) {
        let at = self.walks.iter().position(|walk| walk.answer == answer).unwrap_or_else(|| {
            if self.walks.len() == MAX_WALKS {
                self.walks.pop_front();
            }
            self.walks.push_back(Walk { answer, asked: 0, rows });
            self.walks.len() - 1
        });
        self.walks[at].asked |= 1 << (row % MAX_ROWS);
    }

    /// How many rows from the top such requests are expected for: as many as last time. A list that was gone through
    /// to its end says only that it is at least so many; and of a client that picked single rows lately nothing is
    /// expected.
    fn reach(&self) -> usize {
        let mut at_least = 0;
        let mut reach = None;
        for walk in self.walks.iter().rev() {
            let Some(depth) = walk.depth() else { return 0 };
            at_least = depth.max(at_least);
            if depth < walk.rows {
                reach = reach.or(Some(at_least));
            }
        }
        reach.unwrap_or(at_least)
    }
}

impl Walk {
    /// How far down it went; `None` if most rows on the way were left out.
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
