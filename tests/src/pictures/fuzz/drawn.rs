//! Pictures, settings and texts drawn from bytes.

use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;
use pipeline::core::model::MediaType;
use pipeline::core::provider::{
    Anchor, Chroma, Dimensions, EmbedMetadataRequest, Encoding, ImageFile, KeepExif, OutputFormat, ProcessRequest,
    ProcessStep, ResizeFit, ResizeKernel, TrimBorder,
};
use pipeline::providers::local::image::{Picture, encode};

use super::super::png::{Png, packed};
use super::targets::must;

fn size(source: &mut Unstructured<'_>, most: u32) -> Result<Dimensions> {
    Ok(Dimensions { width: source.int_in_range(1..=most)?, height: source.int_in_range(1..=most)? })
}

/// So many bytes of the source; zeros where it ends.
fn filled(source: &mut Unstructured<'_>, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let _ = source.fill_buffer(&mut bytes);
    bytes
}

pub(super) fn picture(source: &mut Unstructured<'_>) -> Result<Picture> {
    let size = size(source, 80)?;
    let pixels = (size.width * size.height) as usize;
    let picture = if source.arbitrary()? {
        Picture::rgba(size, filled(source, 4 * pixels))
    } else {
        Picture::rgb(size, filled(source, 3 * pixels))
    };
    Ok(must(picture))
}

/// A PNG file whose checksums are right, and whether all of it is.
pub(super) fn png(source: &mut Unstructured<'_>) -> Result<(Vec<u8>, bool)> {
    let size = size(source, 40)?;
    let (colour, depth, channels) = *source.choose(&[
        (0, 8, 1),
        (2, 8, 3),
        (3, 8, 1),
        (4, 8, 2),
        (6, 8, 4),
        (0, 1, 1),
        (3, 2, 1),
        (0, 4, 1),
        (2, 16, 3),
        (6, 16, 4),
    ])?;
    let mut png = Png::new(size.width, size.height, depth, colour);
    png.interlaced = source.ratio(1, 8)?;
    if colour == 3 {
        png = png.with(b"PLTE", filled(source, 3 * 256));
    }
    if source.ratio(1, 4)? {
        let length = match colour {
            0 => 2,
            2 => 6,
            3 => source.int_in_range(1..=256)?,
            _ => 0,
        };
        if length > 0 {
            png = png.with(b"tRNS", filled(source, length));
        }
    }
    if source.ratio(1, 4)? {
        // The packed rows are whatever comes.
        let length = source.len();
        return Ok((png.packed_file(source.bytes(length)?), false));
    }
    let row = (size.width as usize * channels * usize::from(depth)).div_ceil(8);
    let mut rows = Vec::new();
    for _ in 0..size.height {
        rows.push(source.int_in_range(0..=4)?);
        rows.extend(filled(source, row));
    }
    let whole = !png.interlaced && depth == 8;
    Ok((png.packed_file(&packed(&rows)), whole))
}

pub(super) fn encoding(source: &mut Unstructured<'_>) -> Result<Encoding> {
    Ok(Encoding {
        format: *source.choose(&[OutputFormat::Png, OutputFormat::Jpeg, OutputFormat::Webp, OutputFormat::Keep])?,
        quality: source.int_in_range(1..=100)?,
        progressive: source.arbitrary()?,
        chroma: *source.choose(&[Chroma::Quarter, Chroma::Half, Chroma::Full])?,
        lossless: source.arbitrary()?,
        alpha_quality: source.int_in_range(1..=100)?,
        effort: if source.arbitrary()? { Some(source.int_in_range(1..=10)?) } else { None },
        colors: if source.ratio(1, 4)? { Some(source.int_in_range(2..=256)?) } else { None },
    })
}

pub(super) fn request(source: &mut Unstructured<'_>) -> Result<ProcessRequest> {
    let encoding = encoding(source)?;
    let count = source.int_in_range(0..=4)?;
    let steps = (0..count).map(|_| step(source)).collect::<Result<Vec<_>>>()?;
    let overlay = must(encode(&picture(source)?, MediaType::Png, 90));
    let image = must(encode(&picture(source)?, MediaType::Png, 90));
    let mut request = ProcessRequest::new(image).steps(steps).encoding(encoding);
    request.overlays = vec![overlay];
    request.exif = KeepExif::All;
    Ok(request)
}

/// A number, mostly of a common size and now and then any at all.
fn number(source: &mut Unstructured<'_>) -> Result<f32> {
    if source.ratio(1, 8)? {
        return f32::arbitrary(source);
    }
    Ok(f32::from(source.int_in_range::<i16>(-1_000..=10_000)?) / 100.0)
}

/// A length in pixels, mostly short and now and then any at all.
fn length(source: &mut Unstructured<'_>) -> Result<u32> {
    if source.ratio(1, 8)? { source.arbitrary() } else { source.int_in_range(0..=200) }
}

fn step(source: &mut Unstructured<'_>) -> Result<ProcessStep> {
    Ok(match source.int_in_range(0..=14)? {
        0 => ProcessStep::Extract {
            left: length(source)?,
            top: length(source)?,
            width: length(source)?,
            height: length(source)?,
        },
        1 => ProcessStep::Trim {
            border: *source.choose(&[TrimBorder::Auto, TrimBorder::Alpha, TrimBorder::Corner, TrimBorder::Sides])?,
            tolerance: source.arbitrary()?,
        },
        2 => ProcessStep::Rotate { degrees: number(source)?, fill: source.arbitrary()? },
        3 => ProcessStep::Flip,
        4 => ProcessStep::Flop,
        5 => ProcessStep::Resize {
            width: if source.arbitrary()? { Some(length(source)?) } else { None },
            height: if source.arbitrary()? { Some(length(source)?) } else { None },
            fit: *source.choose(&[
                ResizeFit::Inside,
                ResizeFit::Outside,
                ResizeFit::Cover,
                ResizeFit::Contain,
                ResizeFit::Fill,
            ])?,
            position: *source.choose(Anchor::ALL)?,
            kernel: *source.choose(&[
                ResizeKernel::Nearest,
                ResizeKernel::Bilinear,
                ResizeKernel::Cubic,
                ResizeKernel::Mitchell,
                ResizeKernel::Lanczos2,
                ResizeKernel::Lanczos3,
            ])?,
            enlarge: source.arbitrary()?,
            fill: source.arbitrary()?,
        },
        6 => ProcessStep::Pad {
            top: length(source)?,
            right: length(source)?,
            bottom: length(source)?,
            left: length(source)?,
            fill: source.arbitrary()?,
        },
        7 => ProcessStep::Gamma { gamma: number(source)? },
        8 => ProcessStep::Normalise { clip: number(source)? },
        9 => ProcessStep::Modulate { brightness: number(source)?, saturation: number(source)?, hue: number(source)? },
        10 => ProcessStep::Blur { sigma: number(source)? },
        11 => ProcessStep::Sharpen { amount: number(source)? },
        12 => ProcessStep::Watermark {
            overlay: source.int_in_range(0..=1)?,
            position: *source.choose(Anchor::ALL)?,
            margin: length(source)?,
            scale: if source.arbitrary()? { Some(number(source)?) } else { None },
            opacity: number(source)?,
        },
        13 => ProcessStep::Flatten { background: source.arbitrary()? },
        _ => ProcessStep::CleanMatte {
            specks: number(source)?,
            holes: number(source)?,
            feather: length(source)?,
            decontaminate: source.arbitrary()?,
        },
    })
}

pub(super) fn texts(source: &mut Unstructured<'_>) -> Result<EmbedMetadataRequest> {
    let count = source.int_in_range(0..=8)?;
    let keywords = (0..count).map(|_| String::arbitrary(source)).collect::<Result<_>>()?;
    Ok(EmbedMetadataRequest {
        image: ImageFile { bytes: Bytes::new(), media_type: MediaType::Png },
        title: source.arbitrary()?,
        description: source.arbitrary()?,
        keywords,
        creator: source.arbitrary()?,
        rights: source.arbitrary()?,
        source: None,
    })
}
