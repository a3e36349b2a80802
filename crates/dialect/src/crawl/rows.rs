//! Parser for the rows of a list in either dialect: each row is converted before the next is parsed, so that
//! a page of a thousand rows is never in memory twice.

use std::fmt;
use std::marker::PhantomData;

use greenroom_library::item::ItemKind;
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

use super::{CrawlPage, RowResult};

/// One row as a dialect writes it.
pub(super) trait CrawlRow {
    /// The row's kind of item.
    fn kind(&self) -> Option<ItemKind>;
    /// Converts the row.
    fn read(&self) -> RowResult;
}

/// The rows of a list, deserialised as `R`.
pub(super) struct CrawlRows<R> {
    read: Vec<(Option<ItemKind>, RowResult)>,
    written: PhantomData<fn() -> R>,
}

impl<R> CrawlRows<R> {
    fn new(read: Vec<(Option<ItemKind>, RowResult)>) -> Self {
        Self { read, written: PhantomData }
    }

    /// Adds the rows to a page of items of this kind; of any kind, if the items were requested by key.
    pub(super) fn add_to(self, page: &mut CrawlPage, kind: Option<ItemKind>) {
        for (own, read) in self.read {
            let is_wanted = match &read {
                // A container is kept only if it was requested by key.
                RowResult::Container(_) => kind.is_none(),
                _ => kind.is_none() || own.is_none() || own == kind,
            };
            page.push(if is_wanted { read } else { RowResult::Nothing });
        }
    }
}

impl<R> Default for CrawlRows<R> {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl<'de, R: CrawlRow + Deserialize<'de>> Deserialize<'de> for CrawlRows<R> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader<R>(PhantomData<fn() -> R>);
        impl<'de, R: CrawlRow + Deserialize<'de>> Visitor<'de> for Reader<R> {
            type Value = CrawlRows<R>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of rows")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<CrawlRows<R>, A::Error> {
                let mut rows = Vec::new();
                while let Some(row) = list.next_element::<R>()? {
                    rows.push((row.kind(), row.read()));
                }
                Ok(CrawlRows::new(rows))
            }
        }
        from.deserialize_seq(Reader(PhantomData))
    }
}
