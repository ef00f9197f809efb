//! Huffman's codes: which symbols get short ones, as JPEG and deflate both want it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Codes of which no other takes fewer bits for symbols that occur so often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Codes {
    /// How many codes there are of each length; of length 0 there are none.
    pub(super) counts: Vec<usize>,
    /// The symbols that occur, those with the shortest code first; of equal ones the smaller.
    pub(super) symbols: Vec<usize>,
}

/// Makes codes of at most `longest` bits (ITU T.81, annex K.2). Of the symbols that occur least the last gets a code of the
/// greatest length.
pub(super) fn codes(weights: &[u64], longest: usize) -> Codes {
    let present = weights.iter().enumerate().filter(|(_, weight)| **weight > 0);
    // The lightest first, and of equal ones the last.
    let mut heap: BinaryHeap<_> = present.map(|(symbol, weight)| Reverse((*weight, Reverse(symbol)))).collect();
    let mut lengths = vec![0_usize; weights.len()];
    // The symbols under the same knot, each with the next.
    let mut next: Vec<Option<usize>> = vec![None; weights.len()];
    while let (Some(Reverse((light, Reverse(first)))), Some(Reverse((other, Reverse(second))))) =
        (heap.pop(), heap.pop())
    {
        let mut at = first;
        lengths[at] += 1;
        while let Some(following) = next[at] {
            at = following;
            lengths[at] += 1;
        }
        next[at] = Some(second);
        at = second;
        lengths[at] += 1;
        while let Some(following) = next[at] {
            at = following;
            lengths[at] += 1;
        }
        heap.push(Reverse((light + other, Reverse(first))));
    }
    let mut counts = vec![0; lengths.iter().max().map_or(0, |most| *most).max(longest) + 1];
    lengths.iter().filter(|length| **length > 0).for_each(|length| counts[*length] += 1);
    shorten(&mut counts, longest);
    let mut symbols: Vec<usize> = (0..lengths.len()).filter(|symbol| lengths[*symbol] > 0).collect();
    symbols.sort_by_key(|symbol| lengths[*symbol]);
    Codes { counts, symbols }
}

/// Moves codes that are too long up the tree (figure K.3).
fn shorten(counts: &mut Vec<usize>, longest: usize) {
    for length in (longest + 1..counts.len()).rev() {
        while counts[length] > 0 {
            let Some(shorter) = (1..length - 1).rev().find(|shorter| counts[*shorter] > 0) else { return };
            counts[length] -= 2;
            counts[length - 1] += 1;
            counts[shorter + 1] += 2;
            counts[shorter] -= 1;
        }
    }
    counts.truncate(longest + 1);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frequent_symbols_come_first() {
        let Codes { counts, symbols } = codes(&[0, 30, 1, 100, 0, 40], 15);
        assert_eq!((&counts[..4], &*symbols), (&[0, 1, 1, 2][..], &[3, 5, 1, 2][..]));
        assert_eq!(codes(&[0, 7], 15).symbols, [0; 0]); // one symbol needs no code
        assert_eq!(codes(&[], 7).counts, [0; 8]);
    }

    proptest! {
        #[test]
        fn codes_are_complete_and_no_longer_than_wanted(
            powers in prop::collection::vec(0_u32..40, 2..120), longest in 7_usize..=16,
        ) {
            // Powers of two make codes as long as there are symbols.
            let weights: Vec<u64> = powers.iter().map(|power| 1 << power).collect();
            let Codes { counts, symbols } = codes(&weights, longest);
            prop_assert_eq!((counts.len(), symbols.len()), (longest + 1, weights.len()));
            let room: u64 = counts.iter().enumerate().map(|(length, count)| (*count as u64) << (20 - length)).sum();
            prop_assert_eq!(room, 1 << 20);
        }
    }
}
