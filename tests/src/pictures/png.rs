//! PNG files put together chunk by chunk.

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

/// A PNG file to be made.
#[derive(Clone, Debug)]
pub struct Png {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Bits of a sample.
    pub depth: u8,
    /// 0 grey, 2 colour, 3 palette, 4 grey and alpha, 6 colour and alpha.
    pub colour: u8,
    /// Whether the rows come in the seven passes of Adam7.
    pub interlaced: bool,
    /// Chunks before the pixels.
    pub chunks: Vec<(&'static [u8; 4], Vec<u8>)>,
}

impl Png {
    /// A file without more chunks than it needs.
    pub fn new(width: u32, height: u32, depth: u8, colour: u8) -> Self {
        Self { width, height, depth, colour, interlaced: false, chunks: Vec::new() }
    }

    /// Adds a chunk before the pixels.
    pub fn with(mut self, kind: &'static [u8; 4], content: impl Into<Vec<u8>>) -> Self {
        self.chunks.push((kind, content.into()));
        self
    }

    /// Adds a colour profile, packed.
    pub fn with_profile(self, profile: &[u8]) -> Self {
        self.with(b"iCCP", [b"profile\0\0".as_slice(), &packed(profile)].concat())
    }

    /// Writes the rows from the pixels, which have whole bytes each: `width * height` of them.
    pub fn file(&self, pixels: &[u8]) -> Vec<u8> {
        let pixel = pixels.len() / (self.width as usize * self.height as usize);
        let whole = [(0, 0, 1, 1)];
        let passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];
        let mut rows = Vec::new();
        for &(left, top, across, down) in if self.interlaced { &passes[..] } else { &whole[..] } {
            for y in (top..self.height as usize).step_by(down) {
                let columns = (left..self.width as usize).step_by(across);
                if columns.len() > 0 {
                    rows.push(0); // no filter
                }
                for x in columns {
                    let at = (y * self.width as usize + x) * pixel;
                    rows.extend_from_slice(pixels.get(at..at + pixel).unwrap_or_default());
                }
            }
        }
        self.packed_file(&packed(&rows))
    }

    /// Writes a file around packed rows, whatever they are.
    pub fn packed_file(&self, rows: &[u8]) -> Vec<u8> {
        let mut head = [self.width.to_be_bytes(), self.height.to_be_bytes()].concat();
        head.extend([self.depth, self.colour, 0, 0, u8::from(self.interlaced)]);
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        chunk(&mut bytes, b"IHDR", &head);
        for (kind, content) in &self.chunks {
            chunk(&mut bytes, *kind, content);
        }
        chunk(&mut bytes, b"IDAT", rows);
        chunk(&mut bytes, b"IEND", &[]);
        bytes
    }
}

/// Packs bytes with zlib.
pub(super) fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    let done = encoder.write_all(bytes).and_then(|()| encoder.finish());
    done.unwrap_or_default() // a vector takes everything
}

/// Packs so many zeros, without having them all at once.
pub(super) fn packed_zeros(mut count: u64) -> Vec<u8> {
    let zeros = vec![0; 1 << 16];
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    while count > 0 {
        let part = count.min(zeros.len() as u64) as usize;
        if encoder.write_all(zeros.get(..part).unwrap_or_default()).is_err() {
            break;
        }
        count -= part as u64;
    }
    encoder.finish().unwrap_or_default()
}

/// Appends a chunk with its length and checksum.
fn chunk(bytes: &mut Vec<u8>, kind: &[u8], content: &[u8]) {
    bytes.extend((content.len() as u32).to_be_bytes());
    bytes.extend_from_slice(kind);
    bytes.extend_from_slice(content);
    bytes.extend(checksum(kind, content).to_be_bytes());
}

/// The checksum of a chunk.
pub(super) fn checksum(kind: &[u8], content: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(content);
    crc.sum()
}
