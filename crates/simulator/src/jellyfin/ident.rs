//! Ids of this server: 32 hexadecimal digits that look random, and can be decoded without a table. Dashes and capitals
//! are accepted in requests, never written.

/// Kind of thing that an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum IdNamespace {
    /// An item of the catalogue or a playlist.
    Item,
    /// A library, which is also its view.
    Library,
    /// A user.
    User,
    /// A genre.
    Genre,
    /// A studio.
    Studio,
    /// A member of the cast or crew.
    Person,
    /// A year of production.
    Year,
    /// An entry of a playlist.
    Entry,
    /// A folder above all libraries.
    Root,
    /// A scheduled task.
    Task,
    /// A session.
    Session,
    /// Messages, secrets and other values that are only compared.
    Once,
}

const SPACES: [IdNamespace; 12] = [
    IdNamespace::Item,
    IdNamespace::Library,
    IdNamespace::User,
    IdNamespace::Genre,
    IdNamespace::Studio,
    IdNamespace::Person,
    IdNamespace::Year,
    IdNamespace::Entry,
    IdNamespace::Root,
    IdNamespace::Task,
    IdNamespace::Session,
    IdNamespace::Once,
];

const NUMBER_BITS: u32 = 56;
const CHECK: u64 = 0x5bd1_e995_7f4a_7c15;
const ROUND_KEYS: [u32; 4] = [0x9e37_79b9, 0x85eb_ca6b, 0xc2b2_ae35, 0x27d4_eb2f];

/// An id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct JellyfinId {
    /// Kind of the thing.
    pub(crate) space: IdNamespace,
    /// Number within its kind.
    pub(crate) number: u64,
}

impl JellyfinId {
    /// The id of nothing: result of parsing well-formed ids of other servers.
    pub(crate) const NOTHING: Self = Self { space: IdNamespace::Once, number: 0 };

    /// The id of thing `number` in `space`.
    pub(crate) fn new(space: IdNamespace, number: impl Into<u64>) -> Self {
        Self { space, number: number.into() & ((1 << NUMBER_BITS) - 1) }
    }

    /// Parses an id of this server, with or without dashes. Any other text is `None`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (high, low) = halves(text)?;
        let packed = unscramble(high);
        let space = *SPACES.get(usize::try_from(packed >> NUMBER_BITS).ok()?)?;
        (scramble(packed ^ CHECK) == low).then(|| Self::new(space, packed))
    }

    /// The number, if this is an id of `space`.
    pub(crate) fn within(self, space: IdNamespace) -> Option<u64> {
        (self.space == space).then_some(self.number)
    }

    /// 32 digits.
    pub(crate) fn hex(self) -> String {
        let packed = ((self.space as u64) << NUMBER_BITS) | self.number;
        format!("{:016x}{:016x}", scramble(packed), scramble(packed ^ CHECK))
    }
}

/// Whether `text` has the form of an id.
pub(crate) fn is_well_formed(text: &str) -> bool {
    halves(text).is_some()
}

/// 32 digits computed from `parts`: for image tags, ETags, message ids.
pub(crate) fn digest(parts: &[u64]) -> String {
    let fold = |seed: u64| parts.iter().fold(seed, |sum, part| scramble(sum.rotate_left(17) ^ part));
    format!("{:016x}{:016x}", fold(CHECK), fold(!CHECK))
}

fn halves(text: &str) -> Option<(u64, u64)> {
    let digits: String = text.chars().filter(|letter| *letter != '-').collect();
    if digits.len() != 32 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    Some((u64::from_str_radix(&digits[..16], 16).ok()?, u64::from_str_radix(&digits[16..], 16).ok()?))
}

/// A small Feistel network: looks random and is reversible.
fn scramble(value: u64) -> u64 {
    let (left, right) = split(value);
    let (left, right) = ROUND_KEYS.iter().fold((left, right), |(left, right), key| (right, left ^ round(right, *key)));
    join(left, right)
}

fn unscramble(value: u64) -> u64 {
    let (left, right) = split(value);
    let (left, right) =
        ROUND_KEYS.iter().rev().fold((left, right), |(left, right), key| (right ^ round(left, *key), left));
    join(left, right)
}

fn round(half: u32, key: u32) -> u32 {
    let mixed = (half ^ key).wrapping_mul(0x045d_9f3b);
    (mixed ^ (mixed >> 15)).wrapping_mul(0x2c1b_3c6d).rotate_left(13)
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of the word are what is wanted")]
fn split(value: u64) -> (u32, u32) {
    ((value >> 32) as u32, value as u32)
}

fn join(left: u32, right: u32) -> u64 {
    (u64::from(left) << 32) | u64::from(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_in_every_space() {
        for space in SPACES {
            for number in [0_u64, 1, 77, 1_000_000, (1 << NUMBER_BITS) - 1] {
                let id = JellyfinId::new(space, number);
                assert_eq!(JellyfinId::parse(&id.hex()), Some(id));
            }
        }
    }

    #[test]
    fn dashes_and_capitals_are_accepted() {
        let id = JellyfinId::new(IdNamespace::User, 2_u64);
        let hex = id.hex().to_uppercase();
        let dashed = format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
        assert_eq!(JellyfinId::parse(&dashed), Some(id));
    }

    #[test]
    fn foreign_ids_are_well_formed_but_name_nothing() {
        let foreign = "0123456789abcdef0123456789abcdef";
        assert!(is_well_formed(foreign));
        assert_eq!(JellyfinId::parse(foreign), None);
        assert!(!is_well_formed("0123456789abcdef"));
        assert!(!is_well_formed("zz23456789abcdef0123456789abcdef"));
    }

    #[test]
    fn neighbours_do_not_look_alike() {
        let (one, two) =
            (JellyfinId::new(IdNamespace::Item, 1_u64).hex(), JellyfinId::new(IdNamespace::Item, 2_u64).hex());
        let same = one.bytes().zip(two.bytes()).filter(|(left, right)| left == right).count();
        assert!(same < 12, "{one} and {two} share {same} digits");
    }
}
