//! What was counted in one minute: a row for each class, app and user.

use std::collections::HashMap;
use std::sync::Arc;

use super::counts::{Count, Counts};
use super::decision::{Subject, User};
use greenroom_origin::client_apps::App;
use greenroom_origin::client_apps::OTHERS;

/// Users counted one by one in a minute; the rest are "others".
pub const MAX_USERS: usize = 500;

/// By what rows are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum By {
    /// A class of reads, or what is no read.
    Class,
    /// An app.
    App,
    /// A user.
    User,
    /// Ourselves: what we asked without a client.
    Own,
}

impl By {
    /// Every one, by the number under which it is kept.
    pub const EVERY: [Self; 4] = [Self::Class, Self::App, Self::User, Self::Own];
}

/// Who caused something, and what it is.
#[derive(Debug, Clone, Copy)]
pub struct Cause<'a> {
    /// What was asked for.
    pub subject: Subject,
    /// The app that asked.
    pub app: &'a Arc<App>,
    /// Who asked.
    pub user: Option<User>,
}

/// The rows of one minute.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// When the minute begins.
    pub minute_ms: u64,
    subjects: [Option<Box<Counts>>; Subject::COUNT],
    /// By the number of the app.
    apps: Vec<Option<(Arc<App>, Box<Counts>)>>,
    users: HashMap<User, Box<Counts>>,
    others: Counts,
    own: Counts,
}

impl Page {
    /// An empty one.
    pub fn new(minute_ms: u64) -> Self {
        Self { minute_ms, ..Self::default() }
    }

    /// Changes every row that something belongs to.
    pub fn change(&mut self, cause: Cause<'_>, change: impl Fn(&mut Counts)) {
        change(self.subject(cause.subject));
        let place = cause.app.number;
        if self.apps.len() <= place {
            self.apps.resize_with(place + 1, Option::default);
        }
        change(&mut self.apps[place].get_or_insert_with(|| (Arc::clone(cause.app), Box::default())).1);
        if let Some(user) = cause.user {
            change(self.user(user));
        }
    }

    /// The row of a user; that of the others when there are too many.
    pub fn user(&mut self, user: User) -> &mut Counts {
        if self.users.len() >= MAX_USERS && !self.users.contains_key(&user) {
            return &mut self.others;
        }
        self.users.entry(user).or_default()
    }

    /// The row of a subject.
    pub fn subject(&mut self, subject: Subject) -> &mut Counts {
        self.subjects[subject.place()].get_or_insert_default()
    }

    /// So many more requests of our own.
    pub fn note_own(&mut self, more: u64) {
        self.own.add(Count::Reached, more);
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.subjects.iter().flatten().all(|counts| counts.is_empty())
            && self.own.is_empty()
            && self.apps.iter().flatten().all(|(_, counts)| counts.is_empty())
    }

    /// Whether nothing was counted but what we asked for ourselves.
    pub fn is_own_only(&self) -> bool {
        self.subjects.iter().flatten().all(|counts| counts.is_empty())
            && self.apps.iter().flatten().all(|(_, counts)| counts.is_empty())
            && self.users.values().all(|counts| counts.is_empty())
            && self.others.is_empty()
    }

    /// The rows of one kind that are not empty, each with its name.
    pub fn rows(&self, by: By) -> Vec<(String, &Counts)> {
        let mut rows: Vec<(String, &Counts)> = match by {
            By::Class => Subject::every()
                .zip(&self.subjects)
                .filter_map(|(subject, counts)| Some((subject.name().to_owned(), counts.as_deref()?)))
                .collect(),
            By::App => self
                .apps
                .iter()
                .flatten()
                .map(|(app, counts)| (app.counted_as().to_owned(), &**counts))
                .collect(),
            By::User => {
                let users = self.users.iter().map(|(user, counts)| (user.to_string(), &**counts));
                users.chain([(OTHERS.to_owned(), &self.others)]).collect()
            }
            By::Own => vec![(String::new(), &self.own)],
        };
        rows.retain(|(_, counts)| !counts.is_empty());
        rows
    }

    /// All that the other counted, too; it stays of its own minute.
    pub fn merge(&mut self, other: &Self) {
        for (own, other) in self.subjects.iter_mut().zip(&other.subjects) {
            if let Some(other) = other {
                own.get_or_insert_default().merge(other);
            }
        }
        if self.apps.len() < other.apps.len() {
            self.apps.resize_with(other.apps.len(), Option::default);
        }
        for (own, other) in self.apps.iter_mut().zip(&other.apps) {
            if let Some((app, counts)) = other {
                own.get_or_insert_with(|| (Arc::clone(app), Box::default())).1.merge(counts);
            }
        }
        for (user, counts) in &other.users {
            if self.users.len() < MAX_USERS || self.users.contains_key(user) {
                self.users.entry(*user).or_default().merge(counts);
            } else {
                self.others.merge(counts);
            }
        }
        self.others.merge(&other.others);
        self.own.merge(&other.own);
    }
}
