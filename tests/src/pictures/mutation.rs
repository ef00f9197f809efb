//! Files damaged on purpose: the same number always gives the same file.

use super::corpus::{Sample, corpus};
use super::png::checksum;

/// Numbers at the edges of what fields hold.
const EDGES: [u32; 12] = [0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x0100_0000, 0x7fff_ffff, 0xffff_ffff];

/// Damages files of the corpus.
#[derive(Debug)]
pub struct Mutator {
    seed: u64,
    corpus: Vec<Sample>,
}

impl Mutator {
    /// Makes one whose every case follows from the seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, corpus: corpus() }
    }

    /// Returns what file a case began with, and its damaged bytes.
    pub fn case(&self, number: u64) -> (&'static str, Vec<u8>) {
        let mut dice = Dice::new(self.seed, number);
        let (Some(from), Some(other)) = (self.any(&mut dice), self.any(&mut dice)) else { return ("", Vec::new()) };
        let mut bytes = from.bytes.clone();
        for _ in 0..=dice.below(4) {
            damage(&mut bytes, &other.bytes, &mut dice);
        }
        // What is checked first must be right in some, or nothing behind it is ever reached.
        if dice.below(4) > 0 {
            mend(&mut bytes);
        }
        (from.name, bytes)
    }

    /// Returns so many bytes that mean nothing, the same for the same number.
    pub fn noise(&self, number: u64, length: usize) -> Vec<u8> {
        let mut dice = Dice::new(self.seed, number);
        (0..length).map(|_| dice.word() as u8).collect()
    }

    fn any(&self, dice: &mut Dice) -> Option<&Sample> {
        self.corpus.get(dice.below(self.corpus.len()))
    }
}

/// Does one thing to a file.
fn damage(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    let at = dice.below(bytes.len());
    let length = 1 + dice.below(bytes.len().min(40));
    let end = (at + length).min(bytes.len());
    match dice.below(11) {
        0 | 1 => put(bytes, at, |byte, dice| byte ^ 1 << dice.below(8), dice),
        2 => put(bytes, at, |_, dice| dice.word() as u8, dice),
        3 => bytes.truncate(at),
        4 => drop(bytes.drain(at..end)),
        5 => {
            let new: Vec<u8> = (0..length).map(|_| dice.word() as u8).collect();
            drop(bytes.splice(at..at, new));
        }
        6 => {
            let again = bytes.get(at..end).unwrap_or_default().to_vec();
            let to = dice.below(bytes.len());
            drop(bytes.splice(to..to, again));
        }
        7 => {
            bytes.truncate(at);
            bytes.extend_from_slice(other.get(dice.below(other.len())..).unwrap_or_default());
        }
        8 | 9 => {
            // A field near the beginning, where headers and directories are, or near the end, where TIFF has them.
            let near = dice.below(bytes.len().min(120));
            let at = if dice.below(3) == 0 { bytes.len().saturating_sub(near + 4) } else { near };
            edge(bytes, at, dice);
        }
        _ => shuffle(bytes, dice),
    }
}

fn put(bytes: &mut [u8], at: usize, change: impl Fn(u8, &mut Dice) -> u8, dice: &mut Dice) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte = change(*byte, dice);
    }
}

/// Writes a number at the edge of a field of one, two or four bytes, in either order.
fn edge(bytes: &mut [u8], at: usize, dice: &mut Dice) {
    let number = EDGES.get(dice.below(EDGES.len())).copied().unwrap_or(0);
    let width = [1, 2, 4].get(dice.below(3)).copied().unwrap_or(1);
    let ordered =
        if dice.below(2) == 0 { number.to_le_bytes() } else { number.rotate_left(32 - 8 * width).to_be_bytes() };
    for (to, from) in bytes.iter_mut().skip(at).zip(ordered).take(width as usize) {
        *to = from;
    }
}

/// Where the parts of a file begin: the chunks of PNG and WebP, the segments of JPEG; of others, pieces of 32 bytes.
fn parts(bytes: &[u8]) -> Vec<usize> {
    let number = |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).copied();
    let mut starts = Vec::new();
    let mut at = match bytes.first_chunk::<4>() {
        Some(b"\x89PNG") => 8,
        Some(b"RIFF") => 12,
        Some([0xff, 0xd8, ..]) => 2,
        _ => return (0..bytes.len()).step_by(32).collect(),
    };
    while let Some(field) = number(at) {
        starts.push(at);
        let length = match bytes.first() {
            Some(0x89) => u32::from_be_bytes(field) as usize + 12,
            Some(b'R') => number(at + 4).map_or(usize::MAX, |n| u32::from_le_bytes(n) as usize).saturating_add(9) & !1,
            _ if field[0] == 0xff => usize::from(u16::from_be_bytes([field[2], field[3]])) + 2,
            _ => break,
        };
        at = at.saturating_add(length);
    }
    starts
}

/// Puts a part of a file before another one, in place of it, or a second time.
fn shuffle(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let starts = parts(bytes);
    let mut range = || {
        let place = dice.below(starts.len());
        let start = starts.get(place).copied().unwrap_or(0);
        start..starts.get(place + 1).copied().unwrap_or(bytes.len()).clamp(start, bytes.len())
    };
    let (from, to) = (range(), range());
    let part = bytes.get(from.clone()).unwrap_or_default().to_vec();
    match dice.below(3) {
        0 => drop(bytes.splice(to.start..to.start, part)),
        1 => drop(bytes.splice(to, part)),
        _ => drop(bytes.drain(from)),
    }
}

/// Sets the checksums of a PNG right, and the length of a WebP.
fn mend(bytes: &mut [u8]) {
    if bytes.starts_with(b"RIFF") {
        let length = (bytes.len() as u32).saturating_sub(8).to_le_bytes();
        if let Some(place) = bytes.get_mut(4..8) {
            place.copy_from_slice(&length);
        }
    } else if bytes.starts_with(b"\x89PNG") {
        for at in parts(bytes) {
            let length = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).map_or(0, |n| u32::from_be_bytes(*n));
            let end = at.saturating_add(8).saturating_add(length as usize);
            let Some((kind, content)) = bytes.get(at + 4..end).and_then(|part| part.split_at_checked(4)) else {
                return;
            };
            let sum = checksum(kind, content).to_be_bytes();
            if let Some(place) = bytes.get_mut(end..end.saturating_add(4)) {
                place.copy_from_slice(&sum);
            }
        }
    }
}

/// Chance that follows from two numbers (SplitMix64, Steele, Lea and Flood 2014).
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn new(seed: u64, number: u64) -> Self {
        let mut dice = Self(seed);
        dice.0 = dice.word() ^ number;
        dice
    }

    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `bound`; 0 when that is 0.
    fn below(&mut self, bound: usize) -> usize {
        ((self.word() >> 11) % (bound as u64).max(1)) as usize
    }
}
