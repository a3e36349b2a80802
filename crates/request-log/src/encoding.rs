//! Encodes rows for the disk: nonzero counters with their index, as variable-length numbers.

use super::counts::RequestCounts;
use greenroom_cache::Timestamp;
use greenroom_cache::clock::millis;
use std::time::Duration;

impl RequestCounts {
    /// Encodes the nonzero counters with their index.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        let counted = || self.counted.iter().enumerate().filter(|(_, count)| **count > 0);
        push(&mut bytes, counted().count() as u64);
        for (index, count) in counted() {
            push(&mut bytes, index as u64);
            push(&mut bytes, *count);
        }
        for histogram in [&self.ages, &self.latencies] {
            push(&mut bytes, histogram.buckets().len() as u64);
            for (bucket, count) in histogram.buckets() {
                bytes.push(*bucket);
                push(&mut bytes, *count);
            }
        }
        push(&mut bytes, millis(self.oldest_ms));
        push(&mut bytes, self.last_ms.as_millis());
        bytes
    }

    /// Decodes a row; `None` if malformed. Unknown counters of a newer version are skipped.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (format, mut rest) = bytes.split_first()?;
        if *format != FORMAT {
            return None;
        }
        let rest = &mut rest;
        let mut counts = Self::default();
        for _ in 0..pull(rest)? {
            let (index, count) = (usize::try_from(pull(rest)?).ok()?, pull(rest)?);
            if let Some(counted) = counts.counted.get_mut(index) {
                *counted = count;
            }
        }
        for histogram in [&mut counts.ages, &mut counts.latencies] {
            for _ in 0..pull(rest)? {
                let (bucket, others) = rest.split_first()?;
                *rest = others;
                histogram.add_to(*bucket, pull(rest)?);
            }
        }
        counts.oldest_ms = Duration::from_millis(pull(rest)?);
        counts.last_ms = Timestamp::from_millis(pull(rest)?);
        Some(counts)
    }
}

/// Version of the format.
const FORMAT: u8 = 1;

/// Seven bits a byte, lowest first; the highest bit says that more follow.
fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(lowest(number) | 0x80);
        number >>= 7;
    }
    bytes.push(lowest(number));
}

fn lowest(number: u64) -> u8 {
    number.to_le_bytes()[0]
}

fn pull(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::counts::tests::counts;
    use super::*;

    proptest! {
        #[test]
        fn encoded_rows_decode_to_the_same_counts(counts in counts()) {
            prop_assert_eq!(RequestCounts::decode(&counts.encode()), Some(counts));
        }

        #[test]
        fn decoding_any_bytes_ends(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            // Any result will do, as long as it ends.
            if let Some(counts) = RequestCounts::decode(&bytes) {
                prop_assert!(RequestCounts::decode(&counts.encode()).is_some());
            }
        }
    }
}
