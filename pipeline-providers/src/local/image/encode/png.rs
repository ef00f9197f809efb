//! PNG, in full colour or with a palette.

use pipeline_core::error::{Error, Result};
use pipeline_core::provider::Encoding;
use png::{BitDepth, ColorType, Compression, Encoder, EncodingError, Filter};

use super::super::picture::Picture;
use super::{failed, palette};

/// How hard is tried, by effort. Usual is `Fast` with adaptive filters, which is both quicker and shorter than zlib's
/// middle without filters.
fn compression(effort: Option<u8>) -> Compression {
    match effort {
        Some(1..=2) => Compression::Fastest,
        None | Some(3..=5) => Compression::Fast,
        Some(6..=8) => Compression::Balanced,
        Some(_) => Compression::High,
    }
}

pub(super) fn encode(picture: &Picture, encoding: &Encoding) -> Result<Vec<u8>> {
    let size = picture.size();
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, size.width, size.height);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(compression(encoding.effort));
    let Some(colors) = encoding.colors else {
        encoder.set_color(if picture.has_alpha() { ColorType::Rgba } else { ColorType::Rgb });
        encoder.set_filter(Filter::Adaptive);
        write(encoder, picture.pixels())?;
        return Ok(bytes);
    };
    let reduced = palette::reduce(picture, colors)?;
    encoder.set_color(ColorType::Indexed);
    encoder.set_palette(reduced.colors);
    if let Some(alphas) = reduced.alphas {
        encoder.set_trns(alphas);
    }
    // Numbers of colours say nothing about their neighbours.
    encoder.set_filter(Filter::NoFilter);
    write(encoder, &reduced.indexes)?;
    Ok(bytes)
}

fn write(encoder: Encoder<'_, &mut Vec<u8>>, data: &[u8]) -> Result<()> {
    let broken = |error: EncodingError| -> Error { failed("PNG").because(error) };
    let mut writer = encoder.write_header().map_err(broken)?;
    writer.write_image_data(data).map_err(broken)?;
    writer.finish().map_err(broken)
}
