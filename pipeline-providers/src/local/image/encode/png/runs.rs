//! Deflate (RFC 1951) that joins runs of one byte and counts the others, with codes made for each block: what can be won
//! quickly in filtered photographs. zlib calls it run-length encoding, and takes three times as long.

use super::super::huffman::{Codes, codes};

/// Bytes of a block: what codes are made for.
const BLOCK: usize = 128 << 10;
/// The symbol that ends a block; those above it are lengths.
const END: usize = 256;
/// Symbols of bytes and lengths.
const SYMBOLS: usize = 286;
/// The shortest and the longest run that one length can say, after the byte itself.
const SHORTEST: usize = 3;
const LONGEST: usize = 258;
/// A token is a byte, or a run of bytes like the one before them: this, and its length.
const RUN: usize = 256;
/// No token is as large; a power of two.
const TOKENS: usize = 1024;
/// The order in which the lengths of the codes of lengths stand (section 3.2.7).
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Packs `bytes` to a whole number of bytes; `last` ends the stream.
pub(super) fn pack(bytes: &[u8], last: bool) -> Vec<u8> {
    let mut bits = Bits { bytes: Vec::with_capacity(bytes.len() / 2 + 1024), ..Bits::default() };
    let mut blocks = bytes.chunks(BLOCK).peekable();
    let mut tokens = Vec::with_capacity(BLOCK.min(bytes.len()));
    // The byte before a block may be repeated in it.
    let mut before = None;
    while let Some(block) = blocks.next() {
        let mut counts = [0; SYMBOLS];
        tokens.clear();
        tokenise(block, before, &mut tokens, &mut counts);
        before = block.last().copied();
        write(&mut bits, &tokens, &counts, last && blocks.peek().is_none());
    }
    if bytes.is_empty() && last {
        write(&mut bits, &[], &[0; SYMBOLS], true);
    }
    if !last {
        // An empty block that is stored ends at a whole byte.
        bits.put(0, 3);
        bits.align();
        bits.put(0xffff_0000, 32);
    }
    bits.align();
    bits.bytes
}

/// Splits into bytes and runs, and counts symbols.
fn tokenise(bytes: &[u8], before: Option<u8>, tokens: &mut Vec<u16>, counts: &mut [u32; SYMBOLS]) {
    let mut found = [0_u32; TOKENS];
    let mut rest = bytes;
    let mut before = before.unwrap_or_else(|| !bytes.first().copied().unwrap_or_default());
    while let Some((&byte, after)) = rest.split_first() {
        // One comparison, that seldom holds.
        let token = if rest.first_chunk() == Some(&[before; SHORTEST]) {
            let length = rest.iter().take(LONGEST).take_while(|next| **next == before).count();
            rest = rest.get(length..).unwrap_or_default();
            RUN + length
        } else {
            (before, rest) = (byte, after);
            usize::from(byte)
        };
        found[token % TOKENS] += 1;
        tokens.push(token as u16);
    }
    counts.iter_mut().zip(&found[..RUN]).for_each(|(count, found)| *count = *found);
    for (length, count) in found[RUN..].iter().enumerate().take(LONGEST + 1).skip(SHORTEST) {
        counts[run(length).0] += count;
    }
}

/// The symbol of a length, its further bits, and how many these are (section 3.2.5).
fn run(length: usize) -> (usize, u64, u32) {
    match length {
        LONGEST => (285, 0, 0),
        0..=10 => (END + 1 + length.saturating_sub(SHORTEST), 0, 0),
        _ => {
            // Four symbols for each doubling.
            let beyond = length - SHORTEST;
            let further = beyond.ilog2() - 2;
            let symbol = END + 1 + 4 * further as usize + (beyond >> further);
            (symbol, (beyond & ((1 << further) - 1)) as u64, further)
        }
    }
}

/// Writes a block with codes of its own.
fn write(bits: &mut Bits, tokens: &[u16], counts: &[u32; SYMBOLS], last: bool) {
    let mut weights = counts.map(u64::from);
    weights[END] = 1;
    // A code needs two symbols.
    weights[0] = weights[0].max(1);
    let symbols = canonical(&codes(&weights, 15), SYMBOLS);
    bits.put(u64::from(last), 1);
    bits.put(0b10, 2);
    header(bits, &symbols);
    let mut packed = [(0_u64, 0_u32); TOKENS];
    packed.iter_mut().zip(&symbols[..RUN]).for_each(|(packed, symbol)| *packed = *symbol);
    // What a run takes: its symbol, its further bits, and the one bit of the distance 1.
    for (length, packed) in packed[RUN..].iter_mut().enumerate().take(LONGEST + 1).skip(SHORTEST) {
        let (symbol, further, count) = run(length);
        let (code, width) = symbols[symbol];
        *packed = (code | further << width, width + count + 1);
    }
    bits.put_all(tokens, &packed);
    let (code, width) = symbols[END];
    bits.put(code, width);
}

/// Writes the lengths of the codes, packed with codes of their own (section 3.2.7).
fn header(bits: &mut Bits, symbols: &[(u64, u32)]) {
    let count = symbols.iter().rposition(|(_, width)| *width > 0).map_or(257, |last| (last + 1).max(257));
    // One distance, of one bit.
    let widths: Vec<usize> = symbols.iter().take(count).map(|(_, width)| *width as usize).chain([1]).collect();
    // (symbol, further bits, how many)
    let mut packed: Vec<(usize, u64, u32)> = Vec::new();
    for group in widths.chunk_by(|a, b| a == b) {
        let (width, mut left) = (group.first().copied().unwrap_or_default(), group.len());
        if width > 0 {
            packed.push((width, 0, 0));
            left -= 1;
        }
        while left > 0 {
            let (entry, taken) = match (width, left) {
                (_, 1 | 2) => ((width, 0, 0), 1),
                (0, 3..=10) => ((17, left as u64 - 3, 3), left),
                (0, _) => ((18, left.min(138) as u64 - 11, 7), left.min(138)),
                _ => ((16, left.min(6) as u64 - 3, 2), left.min(6)),
            };
            packed.push(entry);
            left -= taken;
        }
    }
    let mut weights = [0_u64; ORDER.len()];
    for (symbol, ..) in &packed {
        weights[*symbol] += 1;
    }
    // A code needs two symbols.
    weights[0] = weights[0].max(1);
    weights[1] = weights[1].max(1);
    let names = canonical(&codes(&weights, 7), ORDER.len());
    let written = ORDER.iter().rposition(|symbol| names[*symbol].1 > 0).map_or(4, |last| (last + 1).max(4));
    bits.put(count as u64 - 257, 5);
    bits.put(0, 5);
    bits.put(written as u64 - 4, 4);
    ORDER.iter().take(written).for_each(|symbol| bits.put(u64::from(names[*symbol].1), 3));
    for (symbol, further, count) in packed {
        let (code, width) = names[symbol];
        bits.put(code | further << width, width + count);
    }
}

/// The code of each symbol, first bit lowest, and its length (section 3.2.2).
fn canonical(codes: &Codes, symbols: usize) -> Vec<(u64, u32)> {
    let mut widths = vec![0_u32; symbols];
    let by_length = (0..).zip(&codes.counts).flat_map(|(length, count)| std::iter::repeat_n(length, *count));
    codes.symbols.iter().zip(by_length).for_each(|(symbol, length)| widths[*symbol] = length);
    let mut next = [0_u32; 17];
    for length in 1..16 {
        let count = codes.counts.get(length).copied().unwrap_or_default();
        next[length + 1] = (next[length] + count as u32) << 1;
    }
    let code = |width: &u32| {
        let Some(next) = next.get_mut(*width as usize).filter(|_| *width > 0) else { return (0, 0) };
        let code = next.reverse_bits() >> (32 - *width);
        *next += 1;
        (u64::from(code), *width)
    };
    widths.iter().map(code).collect()
}

/// Bits, the first one lowest in its byte.
#[derive(Debug, Default)]
struct Bits {
    bytes: Vec<u8>,
    held: u64,
    count: u32,
}

impl Bits {
    /// Adds the lowest `width` bits, 32 at most; those above are zero.
    #[inline]
    fn put(&mut self, bits: u64, width: u32) {
        self.held |= bits << self.count;
        self.count += width;
        if self.count >= 32 {
            self.bytes.extend_from_slice(&(self.held as u32).to_le_bytes());
            self.held >>= 32;
            self.count -= 32;
        }
    }

    /// Adds what stands for each token: 21 bits at most.
    fn put_all(&mut self, tokens: &[u16], packed: &[(u64, u32); TOKENS]) {
        // Two tokens at once, and eight bytes, of which the whole ones count.
        let start = self.bytes.len();
        self.bytes.resize(start + tokens.len() * 3 + 16, 0);
        let room = self.bytes.get_mut(start..).unwrap_or_default();
        let (mut at, mut held, mut count) = (0, self.held, self.count);
        let mut store = |held: &mut u64, count: &mut u32| {
            if let Some(to) = room.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
                *to = held.to_le_bytes();
            }
            at += (*count / 8) as usize;
            *held >>= *count & !7;
            *count &= 7;
        };
        store(&mut held, &mut count);
        let (pairs, odd) = tokens.as_chunks::<2>();
        for [first, second] in pairs {
            let (code, width) = packed[usize::from(*first) % TOKENS];
            let (next, longer) = packed[usize::from(*second) % TOKENS];
            held |= (code | next << width) << count;
            count += width + longer;
            store(&mut held, &mut count);
        }
        self.bytes.truncate(start + at);
        (self.held, self.count) = (held, count);
        for token in odd {
            let (code, width) = packed[usize::from(*token) % TOKENS];
            self.put(code, width);
        }
    }

    /// Fills up to a whole byte.
    fn align(&mut self) {
        let whole = self.count.div_ceil(8) as usize;
        self.bytes.extend_from_slice(self.held.to_le_bytes().get(..whole).unwrap_or_default());
        (self.held, self.count) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zlib_rs::{InflateConfig, ReturnCode, decompress_slice};

    use super::*;

    fn unpacked(packed: &[u8], length: usize) -> Vec<u8> {
        let mut out = vec![0; length];
        let config = InflateConfig { window_bits: -15 };
        let (found, code) = decompress_slice(&mut out, packed, config);
        assert_eq!((code, found.len()), (ReturnCode::Ok, length));
        out
    }

    #[test]
    fn every_length_of_a_run_is_said() {
        // Section 3.2.5: the first length of each symbol.
        for (symbol, length) in
            [(257, 3), (264, 10), (265, 11), (268, 17), (269, 19), (280, 115), (284, 227), (285, 258)]
        {
            assert_eq!(run(length).0, symbol);
        }
        for length in 1..1200 {
            let bytes = [vec![9; length], vec![3]].concat();
            assert_eq!(unpacked(&pack(&bytes, true), bytes.len()), bytes, "{length}");
        }
        assert!(pack(&vec![0; 1 << 20], true).len() < 1500);
    }

    #[test]
    fn frequent_bytes_take_fewer_bits() {
        let noise = |n: u64| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32;
        let bytes: Vec<u8> = (0..300_000).map(|n| noise(n).leading_zeros() as u8).collect();
        // Two bits a byte in theory.
        let length = pack(&bytes, true).len();
        assert!((75_000..80_000).contains(&length), "{length}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_unpacked_again(
            runs in prop::collection::vec((any::<u8>(), 1_usize..400), 0..60), cut in any::<prop::sample::Index>(), few: bool,
        ) {
            let bytes: Vec<u8> = runs.iter().flat_map(|(byte, count)| vec![if few { byte % 3 } else { *byte }; *count]).collect();
            let (first, second) = bytes.split_at(cut.index(bytes.len() + 1));
            let packed = [pack(first, false), pack(second, true)].concat();
            prop_assert_eq!(unpacked(&packed, bytes.len()), bytes);
        }
    }
}
