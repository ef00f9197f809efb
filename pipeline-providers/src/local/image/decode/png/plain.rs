//! The usual PNG, quickly: full colour with eight bits a sample, row by row from the top. Unpacking and taking the filters
//! off are two pieces of work of about the same length, so two threads share them.
//!
//! Whatever is unusual about a file, damage among it, is left to the `png` crate, which then decides.

use std::sync::mpsc::{channel, sync_channel};
use std::thread::scope;

use crc32fast::Hasher;
use fdeflate::Decompressor;
use pipeline_core::error::Result;
use pipeline_core::provider::Dimensions;

use super::super::super::bands::Threads;
use super::super::super::limits::Limits;
use super::super::samples::{Kind, Samples};
use super::chunks::{Chunk, Chunks};
use super::unfilter::Unfilter;

/// How far back deflate refers to (RFC 1951).
const WINDOW: usize = 32 << 10;
/// Bytes that are unpacked at once, about: they stay in the processor's cache.
const PIECE: usize = 256 << 10;
/// Pieces that wait between the threads.
const WAITING: usize = 2;

/// Decodes a file of the usual kind; `None` when it is another one or not whole.
///
/// # Errors
/// `Timeout` when the time of `limits` is over.
pub(super) fn decode(bytes: &[u8], size: Dimensions, limits: Limits, threads: Threads) -> Result<Option<Samples>> {
    let Some(Plain { kind, data }) = read(bytes) else { return Ok(None) };
    let pixel = if kind == Kind::Rgba { 4 } else { 3 };
    let mut rows = Unfilter::new(size.width as usize, size.height as usize, pixel);
    let mut stream = Stream::new(&data, rows.filtered_length(), size.height as usize);
    if threads == Threads::ONE || stream.left < 4 * PIECE {
        let mut buffer = Vec::new();
        while let Some(piece) = stream.next(buffer) {
            limits.check_time()?;
            if rows.take(piece.content()).is_none() {
                return Ok(None);
            }
            buffer = piece.buffer;
        }
        return Ok(stream.ended_well().then(|| Samples::new(size, kind, rows.into_pixels())));
    }
    let (send, pieces) = sync_channel(WAITING);
    let (give_back, used) = channel();
    let whole = scope(|scope| -> Result<bool> {
        let unpacking = scope.spawn(move || {
            while let Some(piece) = stream.next(used.try_recv().unwrap_or_default()) {
                if send.send(piece).is_err() {
                    return false;
                }
            }
            stream.ended_well()
        });
        for piece in pieces {
            limits.check_time()?;
            if rows.take(piece.content()).is_none() {
                return Ok(false);
            }
            // At its end, nobody takes it.
            let _ = give_back.send(piece.buffer);
        }
        unpacking.join().map_err(|panic| std::panic::resume_unwind(panic))
    })?;
    Ok(whole.then(|| Samples::new(size, kind, rows.into_pixels())))
}

/// A file of the usual kind.
struct Plain<'a> {
    kind: Kind,
    /// The parts of the packed stream.
    data: Vec<&'a [u8]>,
}

/// Reads the chunks; `None` when one of them is unusual, missing, or not what its checksum says.
fn read(bytes: &[u8]) -> Option<Plain<'_>> {
    let mut chunks = Chunks::of(bytes);
    let header = chunks.next().filter(|chunk| &chunk.kind == b"IHDR" && is_intact(chunk))?;
    let kind = match header.content {
        // Depth and kind of colour, then how it is packed, filtered and ordered.
        [_, _, _, _, _, _, _, _, 8, 2, 0, 0, 0] => Kind::Rgb,
        [_, _, _, _, _, _, _, _, 8, 6, 0, 0, 0] => Kind::Rgba,
        _ => return None,
    };
    let mut data = Vec::new();
    let mut over = false;
    for chunk in chunks {
        match &chunk.kind {
            b"IDAT" if !over && is_intact(&chunk) => data.push(chunk.content),
            b"IEND" => return is_intact(&chunk).then_some(Plain { kind, data }),
            // Transparency by colour, and animations.
            b"tRNS" | b"acTL" => return None,
            // A small first letter is for what may be passed over.
            [first, ..] if first.is_ascii_lowercase() => over |= !data.is_empty(),
            _ => return None,
        }
    }
    None
}

fn is_intact(chunk: &Chunk<'_>) -> bool {
    let mut checksum = Hasher::new();
    checksum.update(&chunk.kind);
    checksum.update(chunk.content);
    checksum.finalize() == chunk.checksum
}

/// Some rows, unpacked, behind what was unpacked before them.
struct Piece {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Piece {
    fn content(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }
}

/// A packed stream.
struct Stream<'a> {
    unpack: Decompressor,
    parts: &'a [&'a [u8]],
    /// What is left of the first of the parts.
    rest: &'a [u8],
    /// The last bytes that were unpacked.
    window: Vec<u8>,
    /// Bytes of a piece.
    piece: usize,
    /// Bytes that are still to come.
    left: usize,
    failed: bool,
}

impl<'a> Stream<'a> {
    fn new(parts: &'a [&'a [u8]], row: usize, rows: usize) -> Self {
        let piece = (PIECE / row).max(1) * row;
        let (rest, parts) = parts.split_first().map_or((&[][..], parts), |(first, parts)| (*first, parts));
        let (unpack, window) = (Decompressor::new(), Vec::with_capacity(WINDOW));
        Self { unpack, parts, rest, window, piece, left: row * rows, failed: false }
    }

    /// Unpacks the next rows into a buffer that is no longer used; `None` at the end, and when the stream is damaged.
    fn next(&mut self, mut buffer: Vec<u8>) -> Option<Piece> {
        if self.left == 0 || self.failed {
            return None;
        }
        let start = self.window.len();
        let end = start + self.piece.min(self.left);
        buffer.clear();
        buffer.extend_from_slice(&self.window);
        buffer.resize(end, 0);
        self.failed = self.fill(&mut buffer, start).is_none();
        self.left -= end - start;
        let kept = buffer.get(end.saturating_sub(WINDOW)..).unwrap_or_default();
        self.window.clear();
        self.window.extend_from_slice(kept);
        (!self.failed).then_some(Piece { buffer, start, end })
    }

    /// Fills a buffer up from `at` on.
    fn fill(&mut self, buffer: &mut [u8], mut at: usize) -> Option<()> {
        while at < buffer.len() {
            at += self.step(buffer, at)?;
        }
        Some(())
    }

    /// Unpacks what goes into the buffer and comes out of one part; `None` when nothing moves any more.
    fn step(&mut self, buffer: &mut [u8], at: usize) -> Option<usize> {
        let (read, made) = self.unpack.read(self.rest, buffer, at, self.parts.is_empty()).ok()?;
        self.rest = self.rest.get(read..)?;
        if self.rest.is_empty()
            && let Some((next, parts)) = self.parts.split_first()
        {
            (self.rest, self.parts) = (next, parts);
            return Some(made);
        }
        (read + made > 0).then_some(made)
    }

    /// Tells whether everything came, and the stream ends there with the right checksum.
    fn ended_well(mut self) -> bool {
        if self.failed || self.left > 0 {
            return false;
        }
        // One byte more would fit.
        let mut buffer = std::mem::take(&mut self.window);
        let at = buffer.len();
        buffer.push(0);
        while !self.unpack.is_done() {
            if self.step(&mut buffer, at) != Some(0) {
                return false;
            }
        }
        self.rest.is_empty() && self.parts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use pipeline_core::error::ErrorKind;
    use png::{BitDepth, ColorType, Compression, Encoder, Filter};
    use proptest::prelude::*;

    use super::super::every_kind;
    use super::*;

    fn size(width: u32, height: u32) -> Dimensions {
        Dimensions { width, height }
    }

    /// A file by the `png` crate, its data in parts of some bytes.
    fn file(size: Dimensions, kind: ColorType, filter: Filter, part: usize) -> Vec<u8> {
        let noise = |n: u32| n.wrapping_mul(2_654_435_761) >> 29;
        let length = size.width * size.height * kind.samples() as u32;
        let pixels: Vec<u8> = (0..length).map(|n| (n / 7 + n % size.width + noise(n)) as u8).collect();
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, size.width, size.height);
        encoder.set_color(kind);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_compression(Compression::Balanced);
        encoder.set_filter(filter);
        let mut writer = encoder.write_header().unwrap();
        let mut stream = writer.stream_writer_with_size(part).unwrap();
        std::io::Write::write_all(&mut stream, &pixels).unwrap();
        stream.finish().unwrap();
        drop(writer);
        bytes
    }

    fn both(bytes: &[u8], size: Dimensions) -> [Option<Vec<u8>>; 3] {
        let plain = |threads| {
            let found = decode(bytes, size, Limits::DEFAULT, Threads::new(threads)).unwrap();
            found.map(|samples| samples.bytes)
        };
        [plain(1), plain(2), every_kind(bytes, Limits::DEFAULT).ok().map(|samples| samples.bytes)]
    }

    #[test]
    fn the_usual_files_are_decoded_as_the_png_crate_does_on_any_number_of_threads() {
        for kind in [ColorType::Rgb, ColorType::Rgba] {
            for filter in [Filter::NoFilter, Filter::Sub, Filter::Up, Filter::Avg, Filter::Paeth, Filter::Adaptive] {
                for (size, part) in [(size(1, 1), 64), (size(2, 9), 7), (size(90, 70), 1000), (size(800, 900), 30_000)]
                {
                    let bytes = file(size, kind, filter, part);
                    let [one, two, every] = both(&bytes, size);
                    assert!(one.is_some() && one == two && two == every, "{kind:?} {filter:?} {size}");
                }
            }
        }
    }

    #[test]
    fn other_kinds_are_left_to_the_png_crate() {
        let size = size(30, 20);
        let bytes = file(size, ColorType::Grayscale, Filter::Adaptive, 100);
        assert!(decode(&bytes, size, Limits::DEFAULT, Threads::ONE).unwrap().is_none());
        assert!(every_kind(&bytes, Limits::DEFAULT).is_ok());
    }

    #[test]
    fn the_time_is_looked_at() {
        let size = size(600, 900);
        let bytes = file(size, ColorType::Rgb, Filter::Sub, 5000);
        for threads in [1, 2] {
            let over = Limits::DEFAULT.until(Some(Instant::now()));
            let error = decode(&bytes, size, over, Threads::new(threads)).map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout);
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_of_damaged_files_is_what_the_png_crate_takes(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            cut in prop::option::weighted(0.3, any::<prop::sample::Index>()),
            mend: bool,
        ) {
            let size = size(23, 17);
            let mut bytes = file(size, ColorType::Rgb, Filter::Adaptive, 200);
            for (at, value) in damage {
                // The size is known before.
                let at = 24 + at.index(bytes.len() - 24);
                bytes[at] = value;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()).max(24));
            }
            if mend {
                // Checksums that fit, so that what is behind them is looked at.
                let mut at = 8;
                while let Some(length) = bytes.get(at..at + 4).map(|length| u32::from_be_bytes(*length.first_chunk().unwrap())) {
                    let end = at + 8 + length as usize;
                    let Some(content) = bytes.get(at + 4..end) else { break };
                    let checksum = crc32fast::hash(content).to_be_bytes();
                    let Some(place) = bytes.get_mut(end..end + 4) else { break };
                    place.copy_from_slice(&checksum);
                    at = end + 4;
                }
            }
            let [one, two, every] = both(&bytes, size);
            prop_assert_eq!(&one, &two);
            prop_assert!(one.is_none() || one == every);
        }
    }
}
