//! JPEG of one colour: every block repeats the first, so a block takes five bits per component.

use super::Colour;

const BLOCK: u32 = 8;

/// Quantisation by 1 throughout, one table of differences with twelve codes of four bits, one table of details that
/// knows only the end of a block.
pub(super) fn painted(width: u16, height: u16, colour: Colour) -> Vec<u8> {
    let mut out = vec![0xff, 0xd8];
    segment(&mut out, 0xe0, b"JFIF\0\x01\x01\x00\x00\x01\x00\x01\x00\x00");
    segment(&mut out, 0xdb, &[&[0_u8][..], &[1; 64]].concat());
    let [h1, h2] = height.to_be_bytes();
    let [w1, w2] = width.to_be_bytes();
    segment(&mut out, 0xc0, &[8, h1, h2, w1, w2, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
    let differences: Vec<u8> =
        [0x00, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].into_iter().chain(0..12).collect();
    segment(&mut out, 0xc4, &differences);
    segment(&mut out, 0xc4, &[0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x00]);
    segment(&mut out, 0xda, &[3, 1, 0, 2, 0, 3, 0, 0, 63, 0]);
    let blocks = u32::from(width).div_ceil(BLOCK) * u32::from(height).div_ceil(BLOCK);
    out.extend(scan(blocks, components(colour)));
    out.extend([0xff, 0xd9]);
    out
}

fn segment(out: &mut Vec<u8>, marker: u8, body: &[u8]) {
    let length = u16::try_from(body.len() + 2).expect("the segments here are short");
    out.extend([0xff, marker]);
    out.extend(length.to_be_bytes());
    out.extend(body);
}

/// Brightness and the two colour differences, each around zero and times eight.
fn components(colour: Colour) -> [i32; 3] {
    let (red, green, blue) = (i32::from(colour.red), i32::from(colour.green), i32::from(colour.blue));
    let brightness = (299 * red + 587 * green + 114 * blue) / 1_000;
    let blueness = (-169 * red - 331 * green + 500 * blue) / 1_000;
    let redness = (500 * red - 419 * green - 81 * blue) / 1_000;
    [(brightness - 128) * 8, blueness * 8, redness * 8]
}

fn scan(blocks: u32, components: [i32; 3]) -> Vec<u8> {
    let mut bits = BitWriter::default();
    for value in components {
        let size = 32 - value.unsigned_abs().leading_zeros();
        bits.put(size, 4);
        let low = if value < 0 { value - 1 } else { value };
        bits.put(low.cast_unsigned() & ((1 << size) - 1), size);
        bits.put(0, 1);
    }
    for _ in 1..blocks {
        bits.put(0, 15);
    }
    bits.finish()
}

#[derive(Default)]
struct BitWriter {
    out: Vec<u8>,
    held: u32,
    count: u32,
}

impl BitWriter {
    fn put(&mut self, value: u32, bits: u32) {
        for at in (0..bits).rev() {
            self.held = (self.held << 1) | ((value >> at) & 1);
            self.count += 1;
            if self.count == 8 {
                self.push();
            }
        }
    }

    fn push(&mut self) {
        let byte = u8::try_from(self.held & 0xff).unwrap_or(0xff);
        self.out.push(byte);
        if byte == 0xff {
            self.out.push(0);
        }
        (self.held, self.count) = (0, 0);
    }

    fn finish(mut self) -> Vec<u8> {
        while self.count != 0 {
            self.put(1, 1);
        }
        self.out
    }
}
