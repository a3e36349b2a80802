//! Lossless WebP of one colour: five prefix codes of a single symbol each, so that pixels take no bits at all.

use super::Colour;

/// The whole file.
pub(super) fn painted(width: u16, height: u16, colour: Colour) -> Vec<u8> {
    let mut bits = BitWriter::default();
    bits.put(0x2f, 8);
    bits.put(u32::from(width - 1), 14);
    bits.put(u32::from(height - 1), 14);
    bits.put(0, 1 + 3); // no alpha, version 0
    bits.put(0, 1 + 1 + 1); // no transform, no colour cache, one group of codes
    for symbol in [colour.green, colour.red, colour.blue, 0xff, 0] {
        bits.put(0b101, 3); // a simple code of one symbol that is given in 8 bits
        bits.put(u32::from(symbol), 8);
    }
    let stream = bits.out;
    let padded = stream.len() + stream.len() % 2;
    let length = |bytes: usize| u32::try_from(bytes).expect("a header is small").to_le_bytes();
    let mut out = b"RIFF".to_vec();
    out.extend(length(4 + 8 + padded));
    out.extend(b"WEBPVP8L");
    out.extend(length(stream.len()));
    out.extend(&stream);
    out.resize(8 + 4 + 8 + padded, 0);
    out
}

#[derive(Default)]
struct BitWriter {
    out: Vec<u8>,
    used: u32,
}

impl BitWriter {
    /// Appends bits, lowest bit first.
    fn put(&mut self, value: u32, bits: u32) {
        for at in 0..bits {
            if self.used == 0 {
                self.out.push(0);
            }
            if let Some(last) = self.out.last_mut() {
                *last |= u8::from((value >> at) & 1 == 1) << self.used;
            }
            self.used = (self.used + 1) % 8;
        }
    }
}
