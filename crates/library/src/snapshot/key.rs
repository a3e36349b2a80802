//! Compact item keys without collisions, and the sorted list of all keys of a snapshot.

use std::fmt;

/// Digits of a Jellyfin id.
const HEX_DIGITS: usize = 32;

/// A server's key of an item. Decimal numbers sort by value, before hexadecimal ids, before any other text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum ItemKey {
    /// A rating key.
    Number(u64),
    /// 32 hexadecimal digits as two halves, so that a key takes 24 bytes instead of 32.
    Hex(u64, u64),
    /// Any other form.
    Text(Box<str>),
}

impl ItemKey {
    /// Parses a key. Only equal texts give equal keys.
    pub(super) fn parse(text: &str) -> Self {
        let digits = text.as_bytes();
        let is_plain =
            !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) && (digits[0] != b'0' || digits.len() == 1);
        if is_plain && let Ok(number) = text.parse() {
            return Self::Number(number);
        }
        let is_hex = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() == HEX_DIGITS && digits.iter().all(is_hex) {
            let half = |digits: &str| u64::from_str_radix(digits, 16);
            if let (Ok(high), Ok(low)) = (half(&text[..HEX_DIGITS / 2]), half(&text[HEX_DIGITS / 2..])) {
                return Self::Hex(high, low);
            }
        }
        Self::Text(text.into())
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Hex(high, low) => write!(f, "{high:016x}{low:016x}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// All keys of a snapshot, sorted; the row of a key is its index.
#[derive(Debug, Default)]
pub(super) struct SortedKeys {
    numbers: Vec<u64>,
    hexes: Vec<(u64, u64)>,
    texts: Vec<Box<str>>,
}

impl SortedKeys {
    /// Appends a key. `false` if it is not greater than the last.
    pub(super) fn push(&mut self, key: ItemKey) -> bool {
        let follows = match &key {
            ItemKey::Number(number) => {
                self.hexes.is_empty() && self.texts.is_empty() && self.numbers.last().is_none_or(|last| last < number)
            }
            ItemKey::Hex(high, low) => {
                self.texts.is_empty() && self.hexes.last().is_none_or(|last| *last < (*high, *low))
            }
            ItemKey::Text(text) => self.texts.last().is_none_or(|last| last < text),
        };
        if follows {
            match key {
                ItemKey::Number(number) => self.numbers.push(number),
                ItemKey::Hex(high, low) => self.hexes.push((high, low)),
                ItemKey::Text(text) => self.texts.push(text),
            }
        }
        follows
    }

    /// Number of keys.
    pub(super) fn len(&self) -> usize {
        self.numbers.len() + self.hexes.len() + self.texts.len()
    }

    /// The row of a key.
    pub(super) fn row_of(&self, key: &ItemKey) -> Option<u32> {
        let (before, found) = match key {
            ItemKey::Number(number) => (0, self.numbers.binary_search(number)),
            ItemKey::Hex(high, low) => (self.numbers.len(), self.hexes.binary_search(&(*high, *low))),
            ItemKey::Text(text) => (self.numbers.len() + self.hexes.len(), self.texts.binary_search(text)),
        };
        u32::try_from(before + found.ok()?).ok()
    }

    /// The number of keys that are less than this one.
    pub(super) fn count_before(&self, key: &ItemKey) -> u32 {
        let count = match key {
            ItemKey::Number(number) => self.numbers.partition_point(|other| other < number),
            ItemKey::Hex(high, low) => self.numbers.len() + self.hexes.partition_point(|other| *other < (*high, *low)),
            ItemKey::Text(text) => {
                self.numbers.len() + self.hexes.len() + self.texts.partition_point(|other| other < text)
            }
        };
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Reserves space for as many keys as the other list has.
    pub(super) fn reserve_as(&mut self, other: &Self) {
        self.numbers.reserve_exact(other.numbers.len());
        self.hexes.reserve_exact(other.hexes.len());
    }

    /// The key of a row.
    pub(super) fn at(&self, row: u32) -> Option<ItemKey> {
        let row = row as usize;
        if let Some(number) = self.numbers.get(row) {
            return Some(ItemKey::Number(*number));
        }
        let row = row - self.numbers.len();
        if let Some((high, low)) = self.hexes.get(row) {
            return Some(ItemKey::Hex(*high, *low));
        }
        self.texts.get(row - self.hexes.len()).cloned().map(ItemKey::Text)
    }

    /// Releases unused capacity.
    pub(super) fn shrink(&mut self) {
        self.numbers.shrink_to_fit();
        self.hexes.shrink_to_fit();
        self.texts.shrink_to_fit();
    }

    /// Memory use in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        let texts: usize = self.texts.iter().map(|text| text.len() + size_of::<Box<str>>()).sum();
        self.numbers.capacity() * 8 + self.hexes.capacity() * 16 + texts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_of_either_server_need_no_allocation() {
        assert_eq!(ItemKey::parse("583"), ItemKey::Number(583));
        assert_eq!(
            ItemKey::parse("08ca909f6d1044aa9930be392943948f"),
            ItemKey::Hex(0x08ca_909f_6d10_44aa, 0x9930_be39_2943_948f)
        );
        assert_eq!(size_of::<ItemKey>(), 24);
    }

    #[test]
    fn a_differently_written_key_is_another_key() {
        for text in ["", "0583", "+583", "08CA909F6D1044AA9930BE392943948F", "18446744073709551616", "５"] {
            assert_eq!(ItemKey::parse(text), ItemKey::Text(text.into()));
        }
    }

    proptest! {
        #[test]
        fn a_key_round_trips(text in "[0-9]{0,22}|[0-9a-f]{32}|\\PC{0,10}") {
            prop_assert_eq!(ItemKey::parse(&text).to_string(), text);
        }

        #[test]
        fn each_key_is_found_at_its_position(texts in prop::collection::btree_set("[0-9]{0,3}|[0-9a-f]{32}|[a-z]{0,2}", 0..40)) {
            let mut sorted: Vec<ItemKey> = texts.iter().map(|text| ItemKey::parse(text)).collect();
            let count = u32::try_from(sorted.len()).expect("the count is small");
            sorted.sort();
            let mut keys = SortedKeys::default();
            for key in &sorted {
                prop_assert!(keys.push(key.clone()));
                prop_assert!(!keys.push(key.clone()), "no key comes twice");
            }
            for (at, key) in (0..).zip(&sorted) {
                prop_assert_eq!(keys.row_of(key), Some(at));
                prop_assert_eq!(keys.at(at), Some(key.clone()));
            }
            prop_assert_eq!(keys.at(count), None);
            prop_assert_eq!(keys.row_of(&ItemKey::parse("~")), None);
        }
    }
}
