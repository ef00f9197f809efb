//! Packing filtered rows with deflate: by zlib-rs where repeats are searched for.

use zlib_rs::adler32::adler32;
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Status, Strategy, compress_bound};

use super::runs;

/// How far back a repeat may be.
const WINDOW: usize = 32 << 10;

/// A way of packing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// Joins runs of one byte and counts the others. That is nearly all that can be won in photographs.
    Runs,
    /// Searches for repeats, this hard (zlib's 1 to 9).
    Repeats(i32),
}

/// A packed part of a stream.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    pub(super) bytes: Vec<u8>,
    /// The Adler-32 of what was packed.
    pub(super) checksum: u32,
    /// How long that was.
    pub(super) length: u64,
}

impl Packing {
    /// The ways to choose from for an effort: the first is the usual one, the others are for what it is bad at.
    pub(super) fn of(effort: Option<u8>) -> &'static [Self] {
        match effort {
            Some(1..=2) => &[Self::Runs],
            None | Some(3..=5) => &[Self::Runs, Self::Repeats(6)],
            Some(6..=8) => &[Self::Repeats(6), Self::Runs],
            Some(_) => &[Self::Repeats(9), Self::Runs],
        }
    }

    /// How many bytes before a part it looks back at.
    pub(super) fn reach(self) -> usize {
        match self {
            Self::Runs => 0,
            Self::Repeats(_) => WINDOW,
        }
    }

    /// Packs `bytes`, which follow `before`, to a whole number of bytes. `None` cannot happen: there is enough room.
    pub(super) fn pack(self, before: &[u8], bytes: &[u8], last: bool) -> Option<Packed> {
        let packed = match self {
            Self::Runs => runs::pack(bytes, last),
            Self::Repeats(level) => repeats(level, before, bytes, last)?,
        };
        Some(Packed { bytes: packed, checksum: adler32(1, bytes), length: bytes.len() as u64 })
    }
}

fn repeats(level: i32, before: &[u8], bytes: &[u8], last: bool) -> Option<Vec<u8>> {
    let config = DeflateConfig { level, strategy: Strategy::Filtered, window_bits: -15, ..DeflateConfig::default() };
    let mut deflate = Deflate::new_with_config(config);
    let window = before.get(before.len().saturating_sub(WINDOW)..).filter(|window| !window.is_empty());
    if let Some(window) = window {
        deflate.set_dictionary(window).ok()?;
    }
    // The empty block at the end of a part takes five bytes.
    let mut packed = vec![0; compress_bound(bytes.len()) + 16];
    let flush = if last { DeflateFlush::Finish } else { DeflateFlush::SyncFlush };
    let status = deflate.compress(bytes, &mut packed, flush).ok()?;
    let expected = if last { Status::StreamEnd } else { Status::Ok };
    packed.truncate(deflate.total_out() as usize);
    (deflate.total_in() == bytes.len() as u64 && status == expected).then_some(packed)
}

#[cfg(test)]
mod tests {
    use zlib_rs::adler32::adler32_combine;
    use zlib_rs::{InflateConfig, ReturnCode, decompress_slice};

    use super::*;

    #[test]
    fn parts_follow_one_another_in_one_stream() {
        let noise = |n: u32| (n.wrapping_mul(2_654_435_761) >> 29) as u8;
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| if n % 5000 < 2000 { 7 } else { noise(n % 9000) }).collect();
        for packing in [Packing::Runs, Packing::Repeats(1), Packing::Repeats(6), Packing::Repeats(9)] {
            let (mut stream, mut sum) = (vec![0x78, 0x01], 1);
            let cuts = [0, 1, 90_000, 90_001, bytes.len()];
            for cut in cuts.windows(2) {
                let packed = packing.pack(&bytes[..cut[0]], &bytes[cut[0]..cut[1]], cut[1] == bytes.len()).unwrap();
                stream.extend(packed.bytes);
                sum = adler32_combine(sum, packed.checksum, packed.length);
            }
            stream.extend(sum.to_be_bytes());
            let mut out = vec![0; bytes.len()];
            let (found, code) = decompress_slice(&mut out, &stream, InflateConfig::default());
            assert_eq!((code, &*found), (ReturnCode::Ok, &*bytes), "{packing:?}");
        }
    }

    #[test]
    fn what_repeats_across_parts_is_found() {
        let noise: Vec<u8> = (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let [apart, together] = [&[][..], &noise].map(|before| Packing::Repeats(6).pack(before, &noise, true).unwrap());
        assert!(together.bytes.len() * 10 < apart.bytes.len());
        assert!(Packing::Runs.pack(&noise, &noise, true).unwrap().bytes.len() > 19_000);
    }

    #[test]
    fn noise_and_nothing_are_packed_too() {
        let noise: Vec<u8> = (0..300_000_u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
        for packing in [Packing::Runs, Packing::Repeats(9)] {
            for last in [true, false] {
                for bytes in [&noise[..], &[]] {
                    assert!(packing.pack(&[], bytes, last).is_some(), "{packing:?} {last} {}", bytes.len());
                }
            }
        }
    }
}
