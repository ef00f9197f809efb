//! What a fuzzer runs on bytes it makes up (`tests/fuzz`). Each takes any bytes, and panics when something is broken.
#![expect(clippy::panic, clippy::missing_panics_doc, reason = "a panic is what a fuzzer looks for")]

use std::time::{Duration, Instant};

use arbitrary::Unstructured;
use bytes::Bytes;
use image::codecs::png::PngDecoder;
use image::{DynamicImage, ImageDecoder, ImageFormat};
use pipeline::core::error::chain;
use pipeline::core::model::MediaType;
use pipeline::core::provider::{Chroma, ColorProfile, Dimensions, EmbedMetadataRequest, ImageFile};
use pipeline::core::{Error, ErrorKind};
use pipeline::providers::local::image::{
    Limits, Picture, Threads, decode, decode_on, embed, encode, encode_as, inspect, probe, process,
};

use super::drawn;

/// The longest that any of it may take.
const MOST_TIME: Duration = Duration::from_secs(5);

/// A target: its name, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target by its name.
pub const TARGETS: [Target; 5] =
    [("read", read), ("png_beside", png_beside), ("encoders", encoders), ("steps", steps), ("metadata", metadata)];

/// Reads the bytes as a picture file in every way there is.
pub fn read(bytes: &[u8]) {
    let limits = limits();
    let file = ImageFile { bytes: Bytes::copy_from_slice(bytes), media_type: MediaType::Png };
    let size = accepted(probe(bytes));
    let one = accepted(decode_on(bytes, limits, ColorProfile::Keep, Threads::ONE));
    let two = accepted(decode_on(bytes, limits, ColorProfile::Keep, Threads::new(2)));
    accepted(inspect(&file, limits));
    match (one, two) {
        (None, None) => {}
        (Some(one), Some(two)) => {
            assert!(one.picture == two.picture, "two threads read another picture");
            assert!(size.is_some(), "a picture whose headers are refused was read");
        }
        _ => panic!("two threads accept what one refuses, or the other way round"),
    }
}

/// Reads a PNG of these bytes beside another reader: what ours takes the other one takes, and they see the same.
pub fn png_beside(bytes: &[u8]) {
    let mut source = Unstructured::new(bytes);
    let Ok((file, good)) = drawn::png(&mut source) else { return };
    let Some(ours) = accepted(decode_on(&file, limits(), ColorProfile::Keep, Threads::new(2))) else {
        assert!(!good, "a good PNG is refused: {:?}", decode(&file, limits()).err().map(|error| chain(&error)));
        return;
    };
    let other = match image::load_from_memory_with_format(&file, ImageFormat::Png) {
        Ok(other) => other,
        Err(error) => panic!("the other reader refuses it: {error}"),
    };
    let depth = PngDecoder::new(std::io::Cursor::new(&file)).map(|reader| reader.original_color_type());
    if let DynamicImage::ImageLuma16(_)
    | DynamicImage::ImageLumaA16(_)
    | DynamicImage::ImageRgb16(_)
    | DynamicImage::ImageRgba16(_) = other
    {
        return; // two ways of rounding
    }
    let pixels = if ours.picture.has_alpha() { other.to_rgba8().into_raw() } else { other.to_rgb8().into_raw() };
    let same = pixels == ours.picture.pixels();
    assert!(same, "the readers see different pictures ({depth:?})");
}

/// Encodes a picture of these bytes in every format and reads it again.
pub fn encoders(bytes: &[u8]) {
    let mut source = Unstructured::new(bytes);
    let (Ok(encoding), Ok(picture)) = (drawn::encoding(&mut source), drawn::picture(&mut source)) else { return };
    for media_type in [MediaType::Png, MediaType::WebP, MediaType::Jpeg] {
        if media_type == MediaType::Jpeg && picture.has_alpha() {
            continue;
        }
        let file = must(encode_as(&picture, media_type, &encoding, Threads::ONE));
        assert!(
            file == must(encode_as(&picture, media_type, &encoding, Threads::new(3))),
            "three threads write otherwise"
        );
        let read = must(decode(&file.bytes, limits())).picture;
        assert!(read.size() == picture.size(), "{media_type}: the size is another one");
        let exact = match media_type {
            MediaType::Png => encoding.colors.is_none(),
            // What nobody can see is not kept.
            MediaType::WebP => encoding.lossless && !picture.has_alpha(),
            _ => false,
        };
        assert!(!exact || read == picture, "{media_type}: the pixels are others");
        if media_type == MediaType::Jpeg && encoding.quality >= 95 && encoding.chroma == Chroma::Full {
            let away = picture.pixels().iter().zip(read.pixels()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>();
            assert!(away <= 8 * picture.pixels().len() as u64, "JPEG: far from what was written");
        }
    }
}

/// Processes a picture of these bytes by steps of these bytes.
pub fn steps(bytes: &[u8]) {
    let mut source = Unstructured::new(bytes);
    let Ok(request) = drawn::request(&mut source) else { return };
    let result = process(&request, limits());
    if let Err(error) = &result {
        // A step may not fit the picture; that is the caller's, and never a defect of ours.
        assert!(
            matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Unsupported | ErrorKind::Corrupt),
            "{}",
            chain(error)
        );
        return;
    }
    let answer = must(result);
    assert!(must(decode(&answer.image.bytes, limits())).picture.size() == answer.size, "another size than it says");
    assert!(answer == must(process(&request, limits())), "the same request gives other bytes");
}

/// Writes texts of these bytes into a file of each format, and into the bytes themselves.
pub fn metadata(bytes: &[u8]) {
    let mut source = Unstructured::new(bytes);
    let Ok((texts, rest)) = drawn::texts(&mut source).map(|texts| (texts, source.take_rest())) else { return };
    let picture = must(Picture::rgb(Dimensions { width: 2, height: 2 }, vec![9, 90, 190, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    for media_type in [MediaType::Png, MediaType::WebP, MediaType::Jpeg] {
        let image = must(encode(&picture, media_type, 90));
        let before = must(decode(&image.bytes, limits())).picture;
        let Some(first) = accepted(embed(&EmbedMetadataRequest { image, ..texts.clone() })) else { continue };
        assert!(must(decode(&first.bytes, limits())).picture == before, "{media_type}: the pixels have changed");
        let second = must(embed(&EmbedMetadataRequest { image: first.clone(), ..texts.clone() }));
        assert!(first == second, "{media_type}: written twice it is another file");
    }
    let image = ImageFile { bytes: Bytes::copy_from_slice(rest), media_type: MediaType::Png };
    let before = accepted(decode(&image.bytes, limits()));
    if let (Some(before), Some(after)) = (before, accepted(embed(&EmbedMetadataRequest { image, ..texts }))) {
        assert!(must(decode(&after.bytes, limits())).picture == before.picture, "the pixels have changed");
    }
}

fn limits() -> Limits {
    Limits {
        max_side: 3_000,
        max_pixels: 1_000_000,
        max_memory: 32 << 20,
        ..Limits::DEFAULT.until(Instant::now().checked_add(MOST_TIME))
    }
}

/// The answer, or `None` when the input is at fault.
fn accepted<T>(result: Result<T, Error>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported | ErrorKind::Invalid) => None,
        Err(error) => panic!("{}", chain(&error)),
    }
}

pub(super) fn must<T>(result: Result<T, Error>) -> T {
    result.unwrap_or_else(|error| panic!("{}", chain(&error)))
}
