//! Seeded random numbers: the same seed, stream and number always give the same draw, so nothing needs to be stored.

use std::fmt::Write;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Random numbers that depend only on the seed, stream and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeededRng {
    seed: u64,
}

impl SeededRng {
    /// A generator with this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The draw number `number` of the stream `stream`.
    pub fn draw(self, stream: &str, number: u64) -> u64 {
        xxh3_64_with_seed(&number.to_le_bytes(), self.seed ^ xxh3_64_with_seed(stream.as_bytes(), self.seed))
    }

    /// A number below `bound` (0 if `bound` is 0).
    pub fn below(self, stream: &str, number: u64, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.draw(stream, number) % bound }
    }

    /// A number from `low` to `high`, both included.
    pub fn between(self, stream: &str, number: u64, low: u64, high: u64) -> u64 {
        low + self.below(stream, number, high.saturating_sub(low) + 1)
    }

    /// One of `choices`, which must not be empty.
    pub fn pick<T: Copy>(self, stream: &str, number: u64, choices: &[T]) -> T {
        let at = usize::try_from(self.below(stream, number, choices.len() as u64)).unwrap_or(0);
        choices[at]
    }

    /// True with a probability of `percent`.
    pub fn percent_chance(self, stream: &str, number: u64, percent: u64) -> bool {
        self.below(stream, number, 100) < percent
    }

    /// Lower-case hexadecimal text of `digits` digits (at most 64).
    pub fn hex(self, stream: &str, number: u64, digits: usize) -> String {
        let mut text = String::with_capacity(64);
        for part in 0..4_u64 {
            let drawn = self.draw(stream, number.wrapping_mul(4).wrapping_add(part));
            write!(text, "{drawn:016x}").expect("a String takes everything");
        }
        text.truncate(digits);
        text
    }

    /// A UUID in its usual form.
    pub fn uuid(self, stream: &str, number: u64) -> String {
        let hex = self.hex(stream, number, 32);
        format!("{}-{}-4{}-a{}-{}", &hex[0..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_gets_the_same_draw() {
        assert_eq!(SeededRng::new(7).draw("title", 3), SeededRng::new(7).draw("title", 3));
    }

    #[test]
    fn seed_stream_and_number_all_matter() {
        let draw = SeededRng::new(7).draw("title", 3);
        assert_ne!(draw, SeededRng::new(8).draw("title", 3));
        assert_ne!(draw, SeededRng::new(7).draw("year", 3));
        assert_ne!(draw, SeededRng::new(7).draw("title", 4));
    }

    #[test]
    fn a_range_holds_both_its_ends() {
        let drawn: std::collections::BTreeSet<u64> =
            (0..200).map(|n| SeededRng::new(1).between("r", n, 3, 5)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [3, 4, 5]);
    }

    #[test]
    fn a_uuid_has_its_usual_form() {
        let uuid = SeededRng::new(1).uuid("u", 9);
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid.matches('-').count(), 4);
    }
}
