//! Huffman tables of JPEG: reading one, and making the best one for counted symbols.

use super::super::huffman::{Codes, codes};

/// Bits looked up at once.
const FAST: u32 = 10;

/// A table as it stands in a file: how many codes there are of each length from 1 to 16, and what they stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) counts: [u8; 16],
    pub(super) values: Vec<u8>,
}

impl Table {
    /// Returns (length, code, value) of every code, shortest first (ITU T.81, annex C).
    pub(super) fn codes(&self) -> impl Iterator<Item = (u32, u32, u8)> + '_ {
        let lengths = (1..).zip(self.counts).flat_map(|(length, count)| (0..count).map(move |_| length));
        let mut last = 0;
        let mut next = 0_u32;
        lengths.zip(&self.values).map(move |(length, value)| {
            next <<= length - last;
            last = length;
            let code = next;
            next += 1;
            (length, code, *value)
        })
    }

    /// Makes the table with which symbols that occur so often take the fewest bits: annex K.2 of ITU T.81, with no code
    /// longer than 16 bits and none of only ones.
    pub(super) fn best(occurrences: &[u32; 256]) -> Self {
        // One symbol more, which gets the longest code: the one of only ones.
        let weights: Vec<u64> = occurrences.iter().map(|count| u64::from(*count)).chain([1]).collect();
        let Codes { mut counts, symbols } = codes(&weights, 16);
        // The additional symbol goes: its code is the last of the longest.
        if let Some(count) = counts.iter_mut().rev().find(|count| **count > 0) {
            *count -= 1;
        }
        let values = symbols.into_iter().filter_map(|symbol| u8::try_from(symbol).ok()).collect();
        Self { counts: std::array::from_fn(|index| counts[index + 1] as u8), values }
    }
}

/// A table for reading.
pub(super) struct Decoder {
    /// Length and value of the code that the next bits begin with; length 0 for a longer one.
    fast: Vec<(u8, u8)>,
    long: Vec<(u32, u32, u8)>,
}

impl Decoder {
    pub(super) fn new(table: &Table) -> Self {
        let mut fast = vec![(0, 0); 1 << FAST];
        let mut long = Vec::new();
        for (length, code, value) in table.codes() {
            if length > FAST {
                long.push((length, code, value));
                continue;
            }
            let first = (code << (FAST - length)) as usize;
            let all = fast.iter_mut().skip(first).take(1 << (FAST - length));
            all.for_each(|entry| *entry = (length as u8, value));
        }
        Self { fast, long }
    }

    /// Returns the value of the code these bits begin with, and its length.
    #[inline]
    pub(super) fn decode(&self, bits: u16) -> Option<(u8, u32)> {
        match self.fast.get(usize::from(bits >> (16 - FAST))) {
            Some((length, value)) if *length > 0 => Some((*value, u32::from(*length))),
            _ => {
                let found = self.long.iter().find(|(length, code, _)| u32::from(bits) >> (16 - length) == *code);
                found.map(|(length, _, value)| (*value, *length))
            }
        }
    }
}

/// A table for writing: the length and the code of each value.
pub(super) struct Encoder([(u32, u32); 256]);

impl Encoder {
    pub(super) fn new(table: &Table) -> Self {
        let mut codes = [(0, 0); 256];
        table.codes().for_each(|(length, code, value)| codes[usize::from(value)] = (length, code));
        Self(codes)
    }

    #[inline]
    pub(super) fn code(&self, value: u8) -> (u32, u32) {
        self.0[usize::from(value)]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counted(pairs: &[(u8, u32)]) -> [u32; 256] {
        let mut occurrences = [0; 256];
        for (value, count) in pairs {
            occurrences[usize::from(*value)] = *count;
        }
        occurrences
    }

    #[test]
    fn frequent_symbols_get_short_codes_and_none_is_of_only_ones() {
        let table = Table::best(&counted(&[(5, 100), (9, 40), (2, 30), (200, 1)]));
        let codes: Vec<_> = table.codes().collect();
        assert_eq!(codes, [(1, 0, 5), (2, 0b10, 9), (3, 0b110, 2), (4, 0b1110, 200)]);
        assert_eq!(Table::best(&counted(&[(7, 3)])).codes().collect::<Vec<_>>(), [(1, 0, 7)]);
        assert_eq!(Table::best(&[0; 256]).codes().count(), 0);
    }

    proptest! {
        #[test]
        fn any_counts_give_a_table_that_reads_back_what_it_writes(
            pairs in prop::collection::vec((any::<u8>(), 0_u32..30), 1..80),
        ) {
            // Powers of two make codes as long as there are symbols, beyond 16 bits.
            let pairs: Vec<(u8, u32)> = pairs.into_iter().map(|(value, power)| (value, 1 << power)).collect();
            let occurrences = counted(&pairs);
            let table = Table::best(&occurrences);
            let (decoder, encoder) = (Decoder::new(&table), Encoder::new(&table));
            let present: Vec<u8> = (0..=255).filter(|value| occurrences[usize::from(*value)] > 0).collect();
            prop_assert_eq!(table.values.len(), present.len());
            for value in present {
                let (length, code) = encoder.code(value);
                prop_assert!((1..=16).contains(&length) && code != (1 << length) - 1);
                for rest in [0, (1_u32 << (16 - length)) - 1] {
                    let bits = (code << (16 - length) | rest) as u16;
                    prop_assert_eq!(decoder.decode(bits), Some((value, length)));
                }
            }
        }
    }
}
