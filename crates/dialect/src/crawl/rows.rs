//! The rows of a list, whichever dialect: each is read before the next is parsed, so that a page of a thousand rows never
//! stands in memory twice.

use std::fmt;
use std::marker::PhantomData;

use greenroom_library::item::ItemKind;
use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

use super::{Page, Read};

/// One row as a dialect writes it.
pub(super) trait Row {
    /// What kind of item it says to be.
    fn kind(&self) -> Option<ItemKind>;
    /// What becomes of it.
    fn read(&self) -> Read;
}

/// The rows of a list that are written as `R`.
pub(super) struct Rows<R> {
    read: Vec<(Option<ItemKind>, Read)>,
    written: PhantomData<fn() -> R>,
}

impl<R> Rows<R> {
    fn of(read: Vec<(Option<ItemKind>, Read)>) -> Self {
        Self { read, written: PhantomData }
    }

    /// Adds the rows to a page of items of this kind; of any kind, if the items were asked for by their keys.
    pub(super) fn add_to(self, page: &mut Page, kind: Option<ItemKind>) {
        for (own, read) in self.read {
            let is_wanted = match &read {
                // Asked for by its key it leads to what lies in it; among items it is none.
                Read::Branch(_) => kind.is_none(),
                _ => kind.is_none() || own.is_none() || own == kind,
            };
            page.take(if is_wanted { read } else { Read::Nothing });
        }
    }
}

impl<R> Default for Rows<R> {
    fn default() -> Self {
        Self::of(Vec::new())
    }
}

impl<'de, R: Row + Deserialize<'de>> Deserialize<'de> for Rows<R> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader<R>(PhantomData<fn() -> R>);
        impl<'de, R: Row + Deserialize<'de>> Visitor<'de> for Reader<R> {
            type Value = Rows<R>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of rows")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Rows<R>, A::Error> {
                let mut rows = Vec::new();
                while let Some(row) = list.next_element::<R>()? {
                    rows.push((row.kind(), row.read()));
                }
                Ok(Rows::of(rows))
            }
        }
        from.deserialize_seq(Reader(PhantomData))
    }
}
