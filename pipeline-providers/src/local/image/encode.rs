//! Encoding: nothing but the pixels is written, so no metadata is carried over.

use bytes::Bytes;
use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, SamplingFactor};
use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::model::MediaType;
use pipeline_core::provider::{ImageFile, OutputFormat};
use webp::{PixelLayout, WebPConfig};

use super::picture::Picture;

/// Longest side of a WebP file.
const WEBP_SIDE: usize = 16_383;

/// What the file will be. [`OutputFormat::Keep`] keeps PNG, JPEG and WebP; anything else becomes JPEG, or PNG when some
/// pixel is not opaque.
pub fn target(format: OutputFormat, source: MediaType, has_alpha: bool) -> MediaType {
    match (format, source) {
        (OutputFormat::Png, _) | (OutputFormat::Keep, MediaType::Png) => MediaType::Png,
        (OutputFormat::Webp, _) | (OutputFormat::Keep, MediaType::WebP) => MediaType::WebP,
        (OutputFormat::Jpeg, _) | (OutputFormat::Keep, MediaType::Jpeg) => MediaType::Jpeg,
        (OutputFormat::Keep, _) if has_alpha => MediaType::Png,
        (OutputFormat::Keep, _) => MediaType::Jpeg,
    }
}

/// Encodes as PNG, JPEG or WebP; `quality`, 1 to 100, is that of the latter two. JPEG wants an opaque picture.
///
/// # Errors
/// `Invalid` for a quality out of range; `Unsupported` for another format or a side beyond what it can hold.
pub fn encode(picture: &Picture, media_type: MediaType, quality: u8) -> Result<ImageFile> {
    if !(1..=100).contains(&quality) {
        return Err(Error::invalid("quality is out of range").with("value", quality).with("accepted", "1 to 100"));
    }
    let bytes = match media_type {
        MediaType::Png => png(picture)?,
        MediaType::Jpeg => jpeg(picture, quality)?,
        MediaType::WebP => webp(picture, quality)?,
        other => {
            return Err(Error::new(ErrorKind::Unsupported, "this format cannot be written")
                .with("format", other)
                .with("accepted", "png, jpeg, webp"));
        }
    };
    Ok(ImageFile { bytes: Bytes::from(bytes), media_type })
}

fn failed(format: &str) -> Error {
    Error::unexpected(format!("cannot encode as {format}"))
}

fn png(picture: &Picture) -> Result<Vec<u8>> {
    let broken = |error: png::EncodingError| failed("PNG").because(error);
    let size = picture.size();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size.width, size.height);
    encoder.set_color(if picture.has_alpha() { png::ColorType::Rgba } else { png::ColorType::Rgb });
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    encoder.set_filter(png::Filter::Adaptive);
    let mut writer = encoder.write_header().map_err(broken)?;
    writer.write_image_data(picture.pixels()).map_err(broken)?;
    writer.finish().map_err(broken)?;
    Ok(bytes)
}

fn jpeg(picture: &Picture, quality: u8) -> Result<Vec<u8>> {
    let side = |length: usize| u16::try_from(length).map_err(|_| too_large(picture, "JPEG", 65_535));
    let (width, height) = (side(picture.width())?, side(picture.height())?);
    let colours = if picture.has_alpha() { ColorType::Rgba } else { ColorType::Rgb };
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    // Optimised Huffman tables would make this encoder write a scan for each component, which common decoders
    // (zune-image issue 422) turn into wrong colours.
    encoder.set_optimized_huffman_tables(false);
    encoder.encode(picture.pixels(), width, height, colours).map_err(|error| failed("JPEG").because(error))?;
    Ok(bytes)
}

fn webp(picture: &Picture, quality: u8) -> Result<Vec<u8>> {
    if picture.width().max(picture.height()) > WEBP_SIDE {
        return Err(too_large(picture, "WebP", WEBP_SIDE));
    }
    let size = picture.size();
    let layout = if picture.has_alpha() { PixelLayout::Rgba } else { PixelLayout::Rgb };
    let mut config = WebPConfig::new().map_err(|()| failed("WebP"))?;
    config.quality = f32::from(quality);
    let bytes = webp::Encoder::new(picture.pixels(), layout, size.width, size.height)
        .encode_advanced(&config)
        .map_err(|error| failed("WebP").because(format!("{error:?}")))?;
    Ok(bytes.to_vec())
}

fn too_large(picture: &Picture, format: &str, side: usize) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the picture is too large for {format}"))
        .with("size", picture.size())
        .with("accepted", format!("at most {side} pixels a side"))
}

#[cfg(test)]
mod tests {
    use pipeline_core::provider::Dimensions;

    use super::super::{Limits, decode};
    use super::*;

    fn gradient(alpha: bool) -> Picture {
        let size = Dimensions { width: 48, height: 32 };
        let colours = (0..48 * 32_u32).map(|n| [(n % 48 * 5) as u8, (n / 48 * 7) as u8, 90]);
        if alpha {
            let pixels = colours.enumerate().flat_map(|(n, [r, g, b])| [r, g, b, (n % 256) as u8]).collect();
            Picture::rgba(size, pixels).unwrap()
        } else {
            Picture::rgb(size, colours.flatten().collect()).unwrap()
        }
    }

    #[test]
    fn png_is_lossless_with_and_without_alpha() {
        for picture in [gradient(false), gradient(true)] {
            let file = encode(&picture, MediaType::Png, 90).unwrap();
            assert_eq!(decode(&file.bytes, Limits::DEFAULT).unwrap().picture, picture);
        }
    }

    #[test]
    fn lossy_formats_come_close_and_quality_costs_bytes() {
        for media_type in [MediaType::Jpeg, MediaType::WebP] {
            let picture = gradient(false);
            let (fine, rough) = (encode(&picture, media_type, 95).unwrap(), encode(&picture, media_type, 10).unwrap());
            assert!(fine.bytes.len() > rough.bytes.len());
            let back = decode(&fine.bytes, Limits::DEFAULT).unwrap();
            assert_eq!(back.media_type, media_type);
            let pairs = back.picture.pixels().iter().zip(picture.pixels());
            let error: u32 = pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
            assert!(error / (picture.pixels().len() as u32) < 6, "{media_type} {error}");
        }
    }

    #[test]
    fn webp_keeps_transparency() {
        let file = encode(&gradient(true), MediaType::WebP, 80).unwrap();
        let back = decode(&file.bytes, Limits::DEFAULT).unwrap().picture;
        let alpha = |picture: &Picture| picture.pixels().iter().skip(3).step_by(4).copied().collect::<Vec<_>>();
        assert_eq!(alpha(&back), alpha(&gradient(true)));
    }

    #[test]
    fn the_same_picture_gives_the_same_bytes() {
        for media_type in [MediaType::Png, MediaType::Jpeg, MediaType::WebP] {
            let encoded = || encode(&gradient(false), media_type, 85).unwrap();
            assert_eq!(encoded(), encoded());
        }
    }

    #[test]
    fn keep_keeps_what_can_be_written() {
        let keep = |source, alpha| target(OutputFormat::Keep, source, alpha);
        assert_eq!(keep(MediaType::Png, false), MediaType::Png);
        assert_eq!(keep(MediaType::Jpeg, false), MediaType::Jpeg);
        assert_eq!(keep(MediaType::WebP, true), MediaType::WebP);
        assert_eq!(keep(MediaType::Gif, true), MediaType::Png);
        assert_eq!(keep(MediaType::Tiff, false), MediaType::Jpeg);
        assert_eq!(target(OutputFormat::Webp, MediaType::Png, false), MediaType::WebP);
    }

    #[test]
    fn a_quality_out_of_range_is_an_error() {
        for quality in [0, 101] {
            let error = encode(&gradient(false), MediaType::Jpeg, quality).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }
}
