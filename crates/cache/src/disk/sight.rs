//! Looking keys up, in one state of the store.

use rusqlite::{CachedStatement, OptionalExtension};

use super::row::{Found, Raw, Torn};
use super::store::Store;
use super::trouble::Failing;
use crate::key::Key;

/// What a look into the store shows.
#[derive(Debug)]
pub(crate) enum Sight {
    /// A value.
    Found(Box<Found>),
    /// Nothing under this key.
    Nothing,
    /// A row that is not what was written; it is to be taken out.
    Torn(Torn),
}

/// Looks at one state of the store. The statement is kept at hand: finding it anew is a tenth of a look.
pub(crate) struct Looks<'a> {
    pub(super) store: &'a Store,
    pub(super) select: CachedStatement<'a>,
}

impl Looks<'_> {
    /// What is kept under a key.
    pub(crate) fn look(&mut self, key: &Key) -> Result<Sight, Failing> {
        let row = self
            .select
            .query_row([self.store.hash(key)], |row| {
                if !row.get_ref(0)?.as_bytes().is_ok_and(|kept| kept == key.whole().as_bytes()) {
                    return Ok(Sight::Nothing);
                }
                match Raw::read(row).ok().and_then(|raw| raw.check(key, &self.store.bodies)) {
                    Some(found) => Ok(Sight::Found(Box::new(found))),
                    None => Ok(Sight::Torn(Torn { hash: self.store.hash(key), created: row.get(1)? })),
                }
            })
            .optional()?;
        Ok(row.unwrap_or(Sight::Nothing))
    }

    /// From here on the state is the one the store has now.
    pub(crate) fn renew(&self) -> Result<(), Failing> {
        self.store.end_read();
        self.store.begin_read()
    }
}

impl Drop for Looks<'_> {
    fn drop(&mut self) {
        self.store.end_read();
    }
}
