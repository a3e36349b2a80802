//! Lenient deserialisers for values as servers write them: numbers come as numbers or as text. A value in a
//! form no server sends counts as missing, so that one odd field does not cost a page.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use super::{MAX_LISTED, MAX_TEXT_BYTES};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A text, or a whole number written as one. Empty if it is neither.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LenientString<'a>(Cow<'a, str>);

/// A non-negative whole number, also written as text or with decimals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LenientU64(pub(super) Option<u64>);

/// A boolean in any form servers write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LenientBool(pub(super) bool);

/// A short list. A missing value or one that is no list is empty; a single value is a list of one. Members
/// beyond the limit are skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OneOrMany<T>(pub(super) Vec<T>);

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl LenientString<'_> {
    /// The text, unless it is empty or too long.
    pub(super) fn get(&self) -> Option<&str> {
        (self.0.len() <= MAX_TEXT_BYTES && !self.0.trim().is_empty()).then_some(&*self.0)
    }

    /// The same, owned.
    pub(super) fn to_boxed(&self) -> Option<Box<str>> {
        self.get().map(Into::into)
    }
}

impl LenientU64 {
    /// Converts to a smaller integer type, if the value fits.
    pub(super) fn fitting<N: TryFrom<u64>>(self) -> Option<N> {
        self.0.and_then(|number| N::try_from(number).ok())
    }
}

/// Skips values that are no scalar.
macro_rules! passed_over {
    () => {
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
}

impl<'de: 'a, 'a> Deserialize<'de> for LenientString<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = LenientString<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(LenientString(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(LenientString(Cow::Owned(text.to_owned())))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(LenientString(Cow::Owned(number.to_string())))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(LenientString(Cow::Owned(number.to_string())))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(LenientString::default())
            }

            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(LenientString::default())
            }

            passed_over!();
        }
        from.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for LenientU64 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = LenientU64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(LenientU64(text.trim().parse().ok()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(LenientU64(Some(number)))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(LenientU64(u64::try_from(number).ok()))
            }

            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the number is in range")]
            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(LenientU64((0.0..9e15).contains(&number).then_some(number as u64)))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(LenientU64(None))
            }

            passed_over!();
        }
        from.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for LenientBool {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = LenientBool;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a boolean")
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(LenientBool(matches!(text, "1" | "true" | "True")))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(LenientBool(number != 0))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(LenientBool(number != 0))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(LenientBool(false))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(LenientBool(value))
            }

            passed_over!();
        }
        from.deserialize_any(Reader)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while all.len() < MAX_LISTED {
                    let Some(one) = list.next_element()? else { return Ok(OneOrMany(all)) };
                    all.push(one);
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(OneOrMany(all))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|one| OneOrMany(vec![one]))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(OneOrMany::default())
            }

            fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
                Ok(OneOrMany::default())
            }

            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                Ok(OneOrMany::default())
            }

            fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
                Ok(OneOrMany::default())
            }

            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(OneOrMany::default())
            }

            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(OneOrMany::default())
            }
        }
        from.deserialize_any(Reader(PhantomData))
    }
}
