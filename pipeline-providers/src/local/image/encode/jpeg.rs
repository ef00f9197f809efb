//! JPEG: encoded in bands on several threads, then joined to one scan with Huffman tables made for it.
//!
//! The encoder's own optimised tables come with a scan for each component, which common decoders (zune-image issue 422)
//! turn into wrong colours. So it writes bands of whole rows of blocks with the standard tables, and their symbols are
//! read back, counted and written anew: no coefficient changes, the file is a few percent shorter, and the bytes are the
//! same for any number of threads. A progressive file has its scans by component anyway and is written in one piece.

mod huffman;
mod scan;
mod symbols;

use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, EncodingError, SamplingFactor};
use pipeline_core::error::{Error, Result};
use pipeline_core::provider::{Chroma, Encoding};

use super::super::bands::Threads;
use super::super::picture::Picture;
use super::{failed, too_large};

/// Longest side of a JPEG file.
const SIDE: usize = 65_535;
/// Rows of a band: a multiple of the largest block row, 16.
const ROWS: usize = 256;

pub(super) fn encode(picture: &Picture, encoding: &Encoding, threads: Threads) -> Result<Vec<u8>> {
    let side = |length: usize| u16::try_from(length).map_err(|_| too_large(picture, "JPEG", SIDE));
    let (width, height) = (side(picture.width())?, side(picture.height())?);
    let colours = if picture.has_alpha() { ColorType::Rgba } else { ColorType::Rgb };
    let write = |pixels: &[u8], height: u16| -> Result<Vec<u8>, EncodingError> {
        let mut bytes = Vec::with_capacity(pixels.len() / 8);
        let mut encoder = Encoder::new(&mut bytes, encoding.quality);
        encoder.set_sampling_factor(sampling(encoding.chroma));
        encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
        encoder.set_optimized_huffman_tables(encoding.progressive);
        if encoding.progressive {
            // The mean of each block, then everything: each further scan makes the file longer.
            encoder.set_progressive_scans(2);
        }
        encoder.encode(pixels, width, height, colours)?;
        Ok(bytes)
    };
    let broken = |error: EncodingError| -> Error { failed("JPEG").because(error) };
    if encoding.progressive {
        return write(picture.pixels(), height).map_err(broken);
    }
    let bands = picture.pixels().chunks(picture.width() * picture.channels() * ROWS).collect();
    let unit = unit(encoding.chroma);
    let scans = threads.run(bands, |pixels: &[u8]| {
        let rows = pixels.len() / (picture.width() * picture.channels());
        let bytes = write(pixels, rows as u16).map_err(broken)?;
        scan::read(&bytes, unit.layout, unit.count(picture.width(), rows)).ok_or_else(|| failed("JPEG"))
    });
    scan::join(scans.into_iter().collect::<Result<Vec<_>>>()?, height).ok_or_else(|| failed("JPEG"))
}

fn sampling(chroma: Chroma) -> SamplingFactor {
    match chroma {
        Chroma::Quarter => SamplingFactor::F_2_2,
        Chroma::Half => SamplingFactor::F_2_1,
        Chroma::Full => SamplingFactor::F_1_1,
    }
}

/// What a unit of the scan is made of.
struct Unit {
    /// Blocks of brightness, of blue and of red.
    layout: [usize; 3],
    /// Its size in pixels.
    width: usize,
    height: usize,
}

impl Unit {
    /// How many units a band of this size has.
    fn count(&self, width: usize, height: usize) -> usize {
        width.div_ceil(self.width) * height.div_ceil(self.height)
    }
}

fn unit(chroma: Chroma) -> Unit {
    match chroma {
        Chroma::Quarter => Unit { layout: [4, 1, 1], width: 16, height: 16 },
        Chroma::Half => Unit { layout: [2, 1, 1], width: 16, height: 8 },
        Chroma::Full => Unit { layout: [1, 1, 1], width: 8, height: 8 },
    }
}
