//! Streaming parser for JSON responses: requires a complete, well-formed document with one expected root;
//! builds no tree.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::plex::rows::{PlexRow, PlexRows, RowField};
use crate::response_facts::UnusableResponse;

/// Collects the rows of `body`, whose only root member must be one of `roots`.
pub(super) fn read(body: &[u8], roots: &[&str]) -> Result<PlexRows, UnusableResponse> {
    let mut collector = RowCollector::default();
    let mut reader = serde_json::Deserializer::from_slice(body);
    let root = Root { collector: &mut collector, roots };
    let read = root.deserialize(&mut reader).and_then(|()| reader.end());
    if collector.starting {
        return Err(UnusableResponse::Starting);
    }
    read.map(|()| collector.rows).map_err(|_| UnusableResponse::Malformed)
}

#[derive(Default)]
struct RowCollector {
    rows: PlexRows,
    starting: bool,
}

/// The outermost object.
struct Root<'g> {
    collector: &'g mut RowCollector,
    roots: &'g [&'g str],
}

impl<'de> DeserializeSeed<'de> for Root<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Root<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with one container")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let name: Option<Cow<'de, str>> = map.next_key()?;
        if !name.is_some_and(|name| self.roots.contains(&name.as_ref())) {
            return Err(A::Error::custom("another root"));
        }
        map.next_value_seed(Container { collector: self.collector })?;
        match map.next_key::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(A::Error::custom("more than one root")),
        }
    }
}

/// The container itself, which must be an object.
struct Container<'g> {
    collector: &'g mut RowCollector,
}

impl<'de> DeserializeSeed<'de> for Container<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(Node { collector: self.collector, is_wanted: false, is_root: true })?;
        Ok(())
    }
}

/// Any value below. Scalars are passed on only where they are needed.
struct Node<'g> {
    collector: &'g mut RowCollector,
    is_wanted: bool,
    is_root: bool,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(self.is_wanted.then(|| value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(self.is_wanted.then(|| value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(self.is_wanted.then(|| value.to_string()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(self.is_wanted.then(|| value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element_seed(Node { collector: self.collector, is_wanted: false, is_root: false })?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut row = PlexRow::default();
        while let Some(field) = map.next_key_seed(Name)? {
            let field = field.filter(|field| self.is_root || !field.is_of_the_container());
            let node = Node { collector: self.collector, is_wanted: field.is_some(), is_root: false };
            let value = map.next_value_seed(node)?;
            if let (Some(field), Some(value)) = (field, value) {
                row.set(field, Cow::Owned(value));
            }
        }
        if self.is_root {
            self.collector.starting |= row.is_starting();
            self.collector.rows.set_container(&row);
        } else {
            self.collector.rows.add(&row);
        }
        Ok(None)
    }
}

/// A member's name, reduced to the relevant fields.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<RowField>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<RowField>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(RowField::parse(name))
    }
}
