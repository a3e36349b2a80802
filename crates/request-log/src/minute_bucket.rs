//! Counts of one minute: a row for each class, app and user.

use greenroom_cache::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::counts::{RequestCounter, RequestCounts};
use super::decision::{RequestCategory, UserHash};
use crate::route_name::RouteName;
use greenroom_origin::client_apps::ClientApp;
use greenroom_origin::client_apps::OTHERS;

/// Max users with a row of their own per minute; the rest are "others".
pub const MAX_USERS: usize = 500;

/// Kind of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowKind {
    /// A class of reads, or another category.
    Class,
    /// An app.
    App,
    /// A user.
    User,
    /// Own requests.
    Own,
}

impl RowKind {
    /// Every kind; the index is its number on disk.
    pub const EVERY: [Self; 4] = [Self::Class, Self::App, Self::User, Self::Own];
}

/// Category, app and user of a request.
#[derive(Debug, Clone, Copy)]
pub struct RequestSource<'a> {
    /// Category.
    pub category: RequestCategory,
    /// The app.
    pub app: &'a Arc<ClientApp>,
    /// The user.
    pub user: Option<UserHash>,
}

/// Rows of one minute.
#[derive(Debug, Clone, Default)]
pub struct MinuteBucket {
    /// Start of the minute.
    pub minute_ms: Timestamp,
    categories: [Option<Box<RequestCounts>>; RequestCategory::COUNT],
    /// Routes of an HTTP API.
    routes: BTreeMap<RouteName, Box<RequestCounts>>,
    /// Indexed by the app's number.
    apps: Vec<Option<(Arc<ClientApp>, Box<RequestCounts>)>>,
    users: HashMap<UserHash, Box<RequestCounts>>,
    others: RequestCounts,
    own: RequestCounts,
}

impl MinuteBucket {
    /// An empty bucket.
    pub fn new(minute_ms: Timestamp) -> Self {
        Self { minute_ms, ..Self::default() }
    }

    /// Changes every row of this source.
    pub fn update(&mut self, source: RequestSource<'_>, change: impl Fn(&mut RequestCounts)) {
        change(self.category(source.category));
        let index = source.app.number;
        if self.apps.len() <= index {
            self.apps.resize_with(index + 1, Option::default);
        }
        change(&mut self.apps[index].get_or_insert_with(|| (Arc::clone(source.app), Box::default())).1);
        if let Some(user) = source.user {
            change(self.user(user));
        }
    }

    /// Row of a user; that of the others when there are too many.
    pub fn user(&mut self, user: UserHash) -> &mut RequestCounts {
        if self.users.len() >= MAX_USERS && !self.users.contains_key(&user) {
            return &mut self.others;
        }
        self.users.entry(user).or_default()
    }

    /// Row of a category.
    pub fn category(&mut self, category: RequestCategory) -> &mut RequestCounts {
        match category.index() {
            Ok(index) => self.categories[index].get_or_insert_default(),
            Err(route) => self.routes.entry(route).or_default(),
        }
    }

    fn categories(&self) -> impl Iterator<Item = (&'static str, &RequestCounts)> {
        let categories = RequestCategory::every().zip(&self.categories);
        let categories = categories.filter_map(|(category, counts)| Some((category.name(), counts.as_deref()?)));
        categories.chain(self.routes.iter().map(|(route, counts)| (route.text(), &**counts)))
    }

    /// Adds own requests.
    pub fn add_own(&mut self, count: u64) {
        self.own.add(RequestCounter::Reached, count);
    }

    /// Whether all rows are empty.
    pub fn is_empty(&self) -> bool {
        self.categories().all(|(_, counts)| counts.is_empty())
            && self.own.is_empty()
            && self.apps.iter().flatten().all(|(_, counts)| counts.is_empty())
    }

    /// Whether only own requests were counted.
    pub fn is_own_only(&self) -> bool {
        self.categories().all(|(_, counts)| counts.is_empty())
            && self.apps.iter().flatten().all(|(_, counts)| counts.is_empty())
            && self.users.values().all(|counts| counts.is_empty())
            && self.others.is_empty()
    }

    /// Nonempty rows of one kind, with their names.
    pub fn rows(&self, by: RowKind) -> Vec<(String, &RequestCounts)> {
        let mut rows: Vec<(String, &RequestCounts)> = match by {
            RowKind::Class => self.categories().map(|(name, counts)| (name.to_owned(), counts)).collect(),
            RowKind::App => {
                self.apps.iter().flatten().map(|(app, counts)| (app.statistics_name().to_owned(), &**counts)).collect()
            }
            RowKind::User => {
                let users = self.users.iter().map(|(user, counts)| (user.to_string(), &**counts));
                users.chain([(OTHERS.to_owned(), &self.others)]).collect()
            }
            RowKind::Own => vec![(String::new(), &self.own)],
        };
        rows.retain(|(_, counts)| !counts.is_empty());
        rows
    }

    /// Adds all counts of `other`, keeping its own minute.
    pub fn merge(&mut self, other: &Self) {
        for (own, other) in self.categories.iter_mut().zip(&other.categories) {
            if let Some(other) = other {
                own.get_or_insert_default().merge(other);
            }
        }
        for (route, counts) in &other.routes {
            self.routes.entry(*route).or_default().merge(counts);
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
