//! Under which names rows are kept: so many of a kind and server. When there are as many and another one comes, the one
//! that was not seen for the longest time goes, and its rows become those of the others: sums stay what they are.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use crate::record::minute_bucket::{By, MAX_USERS};
use greenroom_origin::client_apps::{MAX_APPS, OTHERS, STRANGERS};
use greenroom_state::error::Failing;

/// Names that make room for others in one transaction; each takes a look at all rows. Who comes beyond is among the
/// others until there is time.
const MAX_LEAVING: usize = 10;

/// A name of a server, by its kind.
type Place = (String, u8, String);

/// The numbers of names.
#[derive(Debug, Default)]
pub(super) struct Names {
    ids: HashMap<Place, i64>,
    /// When each was last counted, as far as it matters: in this transaction, and, once a name had to make room in it, by
    /// anybody.
    seen_ms: HashMap<i64, u64>,
    left: usize,
}

/// Under which number something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    /// The number of its name, or of the others.
    pub(super) id: i64,
    /// Whose rows become whose first, by number.
    pub(super) leaving: Option<(i64, i64)>,
}

impl Names {
    /// Reads all names, before anything is written: another process may have given or taken some.
    pub(super) fn read(&mut self, db: &Connection) -> Result<(), Failing> {
        self.ids.clear();
        self.seen_ms.clear();
        self.left = 0;
        let mut select = db.prepare_cached("SELECT id, server, by_what, name FROM statistics_name")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            self.ids.insert((row.get(1)?, row.get(2)?, row.get(3)?), row.get(0)?);
        }
        Ok(())
    }

    /// The number of a name that was counted at this moment.
    pub(super) fn number(
        &mut self,
        db: &Connection,
        (server, by, name): (&str, By, &str),
        at_ms: u64,
    ) -> Result<Kept, Failing> {
        let place = (server.to_owned(), by as u8, name.to_owned());
        let known = self.ids.get(&place).copied();
        let mut leaving = None;
        let id = match known {
            Some(id) => id,
            None if is_for_all(name) || !self.is_full(server, by) => self.give(db, place)?,
            None if self.left >= MAX_LEAVING => self.give(db, others(server, by))?,
            None => {
                let others = self.give(db, others(server, by))?;
                leaving = self.take_oldest(db, (server, by))?.map(|oldest| (oldest, others));
                self.give(db, place)?
            }
        };
        let seen_ms = self.seen_ms.entry(id).or_default();
        *seen_ms = at_ms.max(*seen_ms);
        Ok(Kept { id, leaving })
    }

    /// Whether there are as many names of a kind as are kept one by one.
    fn is_full(&self, server: &str, by: By) -> bool {
        let most = if by == By::App { MAX_APPS } else { MAX_USERS };
        self.own_names(server, by).count() >= most
    }

    fn own_names<'a>(&'a self, server: &'a str, by: By) -> impl Iterator<Item = (&'a Place, i64)> {
        let is_meant = move |(of, kind, name): &Place| of == server && *kind == by as u8 && !is_for_all(name);
        self.ids.iter().filter(move |(place, _)| is_meant(place)).map(|(place, id)| (place, *id))
    }

    /// Reads when each name was last counted, also by another process. Looks at all rows.
    fn read_seen(&mut self, db: &Connection) -> Result<(), Failing> {
        let mut select = db.prepare_cached("SELECT name, max(at_ms) FROM statistics_row GROUP BY name")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let seen_ms = self.seen_ms.entry(row.get(0)?).or_default();
            *seen_ms = row.get::<_, i64>(1)?.max(0).cast_unsigned().max(*seen_ms);
        }
        Ok(())
    }

    /// Takes out the name that was not seen for the longest time; its number.
    fn take_oldest(&mut self, db: &Connection, (server, by): (&str, By)) -> Result<Option<i64>, Failing> {
        if self.left == 0 {
            self.read_seen(db)?;
        }
        let seen_ms = |id: i64| self.seen_ms.get(&id).copied().unwrap_or_default();
        let oldest = self.own_names(server, by).min_by_key(|(place, id)| (seen_ms(*id), *place));
        let Some((place, id)) = oldest.map(|(place, id)| (place.clone(), id)) else { return Ok(None) };
        db.prepare_cached("DELETE FROM statistics_name WHERE id = ?1")?.execute([id])?;
        self.ids.remove(&place);
        self.seen_ms.remove(&id);
        self.left += 1;
        Ok(Some(id))
    }

    fn give(&mut self, db: &Connection, place: Place) -> Result<i64, Failing> {
        if let Some(id) = self.ids.get(&place) {
            return Ok(*id);
        }
        let insert = "INSERT INTO statistics_name (server, by_what, name) VALUES (?1, ?2, ?3) RETURNING id";
        let id =
            db.prepare_cached(insert)?.query_row(params![place.0, place.1, place.2], |row| row.get(0))?;
        self.ids.insert(place, id);
        Ok(id)
    }
}

/// Names that stand for any number of apps or users are always kept.
fn is_for_all(name: &str) -> bool {
    name == OTHERS || name == STRANGERS
}

fn others(server: &str, by: By) -> Place {
    (server.to_owned(), by as u8, OTHERS.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use greenroom_dialect::credential::Credential;
    use http::HeaderMap;

    use super::super::tests::{NOW_MS, asked, decision, folder, newest};
    use super::*;
    use crate::record::counts::Count;
    use crate::record::time_series::{DAY_MS, MINUTE_MS, Step};
    use crate::record::{Ledger, Verdict};
    use crate::statistics::db::{Book, Range};
    use greenroom_origin::client_apps::{App, Apps};

    /// What each name of a kind was asked, by the day.
    fn by_name(book: &Book, by: By) -> BTreeMap<String, u64> {
        let range = Range { step: Step::Day, since_ms: 0, until_ms: u64::MAX };
        let rows = book.rows(None, by, &range).expect("it can be read");
        rows.into_iter().map(|row| (row.name, row.counts.of(Count::Asked))).collect()
    }

    #[test]
    fn when_there_is_no_place_for_a_name_the_longest_unseen_is_among_the_others() {
        let folder = folder();
        let mut book = Book::open(folder.path(), 1 << 30).expect("it opens");
        let write = |book: &mut Book, minute: u64, number: u32| {
            let ledger = Ledger::default();
            let named = Arc::new(App::new(format!("app{number}"), 1));
            ledger.record(decision(NOW_MS + minute * MINUTE_MS, &named, number, Verdict::Hit));
            book.write(&[("home", &newest(&ledger))], NOW_MS + minute * MINUTE_MS).expect("it is written");
        };
        // As many as there may be of users, the first of them a hundred apps; then the first comes again.
        for number in 0..500 {
            write(&mut book, u64::from(number), number);
        }
        write(&mut book, 500, 400);
        write(&mut book, 501, 0);
        for number in 1_000..1_003 {
            write(&mut book, 502 + u64::from(number - 1_000), number);
        }
        let (apps, users) = (by_name(&book, By::App), by_name(&book, By::User));
        assert_eq!((apps.len(), users.len()), (101, 501));
        assert_eq!((apps.values().sum::<u64>(), users.values().sum::<u64>()), (505, 505), "nothing is lost");
        let kept = ["app0", "app400", "app1000", "app1002"].map(|name| apps.get(name).copied());
        assert_eq!(kept, [Some(1), Some(2), Some(1), Some(1)], "who was seen lately has a place: {apps:?}");
        assert_eq!((apps.get("app401"), users.get("00000001")), (None, None), "who was not seen has none");
        assert_eq!((users.get("00000000"), users.get("others")), (Some(&2), Some(&3)));
        for (step, since_ms) in [(Step::Minute, NOW_MS), (Step::Hour, NOW_MS), (Step::Day, NOW_MS)] {
            assert_eq!(asked(&book, step, since_ms, NOW_MS + DAY_MS), 505, "{step:?}");
        }
        let bytes = book.bytes();
        drop(book);
        let reopened = Book::open(folder.path(), 1 << 30).expect("it opens");
        assert_eq!(by_name(&reopened, By::App), apps);
        assert!(reopened.bytes().abs_diff(bytes) < bytes / 50, "{bytes}, in truth {}", reopened.bytes());
    }

    #[test]
    fn what_another_gateway_counts_is_read_under_its_name_and_does_not_make_room_first() {
        let folder = folder();
        let open = || Book::open(folder.path(), 1 << 30).expect("it opens");
        let (mut one, mut other) = (open(), open());
        let write = |book: &mut Book, minute: u64, name: &str| {
            let ledger = Ledger::default();
            let app = Arc::new(App::new(name.to_owned(), 1));
            ledger.record(decision(NOW_MS + minute * MINUTE_MS, &app, 1, Verdict::Hit));
            book.write(&[("home", &newest(&ledger))], NOW_MS + minute * MINUTE_MS).expect("it is written");
        };
        for number in 0..99 {
            write(&mut one, number, &format!("app{number}"));
        }
        write(&mut other, 200, "new");
        write(&mut other, 201, "app0");
        assert_eq!(by_name(&one, By::App).get("new"), Some(&1), "before it writes anything itself");
        write(&mut one, 202, "newest");
        let kept = by_name(&one, By::App);
        let told = ["new", "app0", "newest", "app1", "others"].map(|name| kept.get(name).copied());
        assert_eq!(told, [Some(1), Some(2), Some(1), None, Some(1)], "{kept:?}");
        // A number that was given back goes to the next name.
        write(&mut other, 203, "newer");
        assert_eq!(by_name(&one, By::App), by_name(&open(), By::App));
    }

    #[test]
    fn apps_that_were_never_let_in_are_one_in_the_book() {
        let (apps, ledger) = (Apps::default(), Ledger::default());
        let of = |name: String| {
            let named = Credential { product: Some(name), ..Credential::default() };
            apps.of(&named, &HeaderMap::new(), false, NOW_MS)
        };
        let kometa = of("Kometa".to_owned());
        for number in 0..1_000 {
            ledger.record(decision(NOW_MS, &of(format!("app{number}")), 1, Verdict::Refused));
        }
        ledger.record(decision(NOW_MS, &kometa, 1, Verdict::Loaded));
        apps.admit(&kometa, None);
        let mut book = Book::in_memory(1 << 30).expect("it can be had");
        book.write(&[("home", &newest(&ledger))], NOW_MS).expect("it is written");
        let told = by_name(&book, By::App);
        assert_eq!(told.into_iter().collect::<Vec<_>>(), [("Kometa".into(), 1), ("strangers".into(), 1_000)]);
    }
}
