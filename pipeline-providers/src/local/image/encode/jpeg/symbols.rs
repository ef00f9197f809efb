//! The symbols of a scan: what Huffman codes stand for, with the bits that follow each.

use super::huffman::Decoder;

/// The four tables of a scan: those of brightness and of colour, each for the mean of a block and for its details.
pub(super) const TABLES: usize = 4;

/// A symbol, the table it is coded with, and the bits after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Symbol(u32);

impl Symbol {
    pub(super) fn new(table: usize, value: u8, bits: u16) -> Self {
        Self((table as u32) << 24 | u32::from(value) << 16 | u32::from(bits))
    }

    /// The symbol of a difference of means: how many bits it has, and those bits (ITU T.81, F.1.2.1).
    pub(super) fn difference(table: usize, value: i32) -> Self {
        let length = 32 - value.unsigned_abs().leading_zeros();
        let bits = if value < 0 { value - 1 } else { value } & ((1 << length) - 1);
        Self::new(table, length as u8, bits as u16)
    }

    /// The difference of means it stands for.
    pub(super) fn to_difference(self) -> i32 {
        let (length, bits) = (self.length(), i32::from(self.bits()));
        if length > 0 && bits >> (length - 1) == 0 { bits - (1 << length) + 1 } else { bits }
    }

    #[inline]
    pub(super) fn table(self) -> usize {
        (self.0 >> 24) as usize
    }

    #[inline]
    pub(super) fn value(self) -> u8 {
        (self.0 >> 16) as u8
    }

    #[inline]
    pub(super) fn bits(self) -> u16 {
        self.0 as u16
    }

    /// How many bits follow.
    #[inline]
    pub(super) fn length(self) -> u32 {
        u32::from(self.value() & 15)
    }
}

/// Tells whether one of four bytes has all bits set.
#[inline]
fn has_255(bytes: u32) -> bool {
    (!bytes).wrapping_sub(0x0101_0101) & bytes & 0x8080_8080 != 0
}

/// Reads bits of entropy-coded data: a zero after 255 is left out, and other bytes after it are the end.
struct Bits<'a> {
    bytes: &'a [u8],
    held: u64,
    count: u32,
    /// Bits that were not there.
    missing: u32,
}

impl Bits<'_> {
    /// Holds 33 bits or more.
    #[inline]
    fn fill(&mut self) {
        if self.count > 32 {
            return;
        }
        // Mostly there is no 255 near.
        if let Some((next, rest)) =
            self.bytes.split_first_chunk().filter(|(next, _)| !has_255(u32::from_be_bytes(**next)))
        {
            self.held = self.held << 32 | u64::from(u32::from_be_bytes(*next));
            self.count += 32;
            self.bytes = rest;
            return;
        }
        while self.count <= 48 {
            let byte = match self.bytes {
                [255, 0, rest @ ..] => {
                    self.bytes = rest;
                    255
                }
                [255, ..] | [] => {
                    self.missing += 8;
                    0
                }
                [byte, rest @ ..] => {
                    self.bytes = rest;
                    *byte
                }
            };
            self.held = self.held << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    /// The next 16 bits.
    #[inline]
    fn peek(&self) -> u16 {
        (self.held >> (self.count - 16)) as u16
    }

    #[inline]
    fn take(&mut self, count: u32) -> u16 {
        self.count -= count;
        ((self.held >> self.count) & ((1 << count) - 1)) as u16
    }

    /// Reads one symbol and the bits after it: at most 32 bits.
    #[inline]
    fn symbol(&mut self, table: usize, decoder: &Decoder) -> Option<Symbol> {
        self.fill();
        let (value, length) = decoder.decode(self.peek())?;
        self.count -= length;
        let bits = self.take(u32::from(value & 15));
        Some(Symbol::new(table, value, bits))
    }
}

/// Reads all symbols of a scan of `units`, each of which has these numbers of blocks of its three components. Returns
/// them with the place of each component's first mean.
pub(super) fn read(
    bytes: &[u8],
    decoders: &[Decoder; TABLES],
    layout: [usize; 3],
    units: usize,
) -> Option<(Vec<Symbol>, [usize; 3])> {
    let mut bits = Bits { bytes, held: 0, count: 0, missing: 0 };
    let mut symbols = Vec::with_capacity(bytes.len() * 5 / 4);
    let mut first = [0; 3];
    for unit in 0..units {
        for (component, count) in layout.into_iter().enumerate() {
            let (mean, detail) = if component == 0 { (0, 1) } else { (2, 3) };
            for block in 0..count {
                if unit == 0 && block == 0 {
                    first[component] = symbols.len();
                }
                symbols.push(bits.symbol(mean, &decoders[mean])?);
                let mut place = 0;
                while place < 63 {
                    let symbol = bits.symbol(detail, &decoders[detail])?;
                    symbols.push(symbol);
                    match symbol.value() {
                        0 => break, // nothing more in this block
                        value => place += usize::from(value >> 4) + 1,
                    }
                }
                if place > 63 {
                    return None;
                }
            }
        }
    }
    (bits.missing <= bits.count).then_some((symbols, first))
}

/// Writes bits of entropy-coded data.
pub(super) struct Writer {
    bytes: Vec<u8>,
    held: u64,
    count: u32,
}

impl Writer {
    /// Goes on after `bytes`.
    pub(super) fn after(bytes: Vec<u8>) -> Self {
        Self { bytes, held: 0, count: 0 }
    }

    /// Appends the lowest `count` bits, at most 32.
    #[inline]
    pub(super) fn put(&mut self, bits: u32, count: u32) {
        self.held = self.held << count | u64::from(bits);
        self.count += count;
        if self.count >= 32 {
            self.count -= 32;
            let four = (self.held >> self.count) as u32;
            if has_255(four) {
                four.to_be_bytes().into_iter().for_each(|byte| self.push(byte));
            } else {
                self.bytes.extend_from_slice(&four.to_be_bytes());
            }
        }
    }

    fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
        if byte == 255 {
            self.bytes.push(0);
        }
    }

    /// Fills up the last byte with ones and returns all bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let open = (8 - self.count % 8) % 8;
        self.put((1 << open) - 1, open);
        while self.count >= 8 {
            self.count -= 8;
            self.push((self.held >> self.count) as u8);
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_written_with_as_many_bits_as_they_need() {
        // Table F.1 and F.1.2.1 of ITU T.81.
        for (value, length, bits) in [(0, 0, 0), (1, 1, 1), (-1, 1, 0), (2, 2, 2), (-3, 2, 0), (-2, 2, 1), (-7, 3, 0)] {
            let symbol = Symbol::difference(2, value);
            assert_eq!((symbol.table(), symbol.value(), symbol.bits()), (2, length, bits), "{value}");
        }
        for value in -2047..=2047 {
            assert_eq!(Symbol::difference(0, value).to_difference(), value);
        }
    }

    #[test]
    fn a_byte_of_ones_is_followed_by_a_zero_and_the_end_is_filled_with_ones() {
        let mut writer = Writer::after(vec![7]);
        writer.put(0xff, 8);
        writer.put(0b01, 2);
        assert_eq!(writer.finish(), [7, 255, 0, 0b0111_1111]);
        let mut bits = Bits { bytes: &[255, 0, 0x7f, 255, 0xd9], held: 0, count: 0, missing: 0 };
        bits.fill();
        assert_eq!((bits.peek(), bits.missing), (0xff7f, 40));
    }

    #[test]
    fn bytes_of_ones_are_found_at_every_place() {
        for place in 0..4 {
            for byte in 0..=255_u8 {
                let other = u32::from_be_bytes([0x7f, 0x80, 0xfe, 0]) & !(255 << (8 * place));
                assert_eq!(has_255(other | u32::from(byte) << (8 * place)), byte == 255, "{byte} at {place}");
            }
        }
    }

    #[test]
    fn bits_come_back_as_they_were_put() {
        let draw = |n: u32| n.wrapping_mul(2_654_435_761) >> 7;
        let parts: Vec<(u32, u32)> = (0..5000).map(|n| (draw(n), 1 + draw(n + 9) % 16)).collect();
        // A third of them is ones only.
        let parts = parts
            .iter()
            .map(|(bits, count)| (if bits % 3 == 0 { u32::MAX } else { *bits } & ((1 << count) - 1), *count));
        let mut writer = Writer::after(Vec::new());
        parts.clone().for_each(|(bits, count)| writer.put(bits, count));
        let bytes = writer.finish();
        let mut reader = Bits { bytes: &bytes, held: 0, count: 0, missing: 0 };
        for (bits, count) in parts {
            reader.fill();
            assert_eq!(u32::from(reader.take(count)), bits);
        }
    }
}
