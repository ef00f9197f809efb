//! Tests of the provider as a caller sees it.

use bytes::Bytes;
use jpeg_encoder::{ColorType, Encoder};
use pipeline_core::error::ErrorKind;
use pipeline_core::provider::{ColorProfile, Dimensions, ImageFile, OutputFormat, ProcessStep, ResizeFit};

use super::super::{Picture, decode_rgb_thumbnail, probe};
use super::*;

fn picture(alpha: bool) -> Picture {
    let size = Dimensions { width: 60, height: 40 };
    let pixels = (0..60 * 40_u32).flat_map(|n| {
        let (x, y) = (n % 60, n / 60);
        let inside = (10..50).contains(&x) && (5..35).contains(&y);
        let colour = if inside { [(x * 4) as u8, (y * 6) as u8, 60] } else { [255; 3] };
        [colour[0], colour[1], colour[2], if inside { 255 } else { 0 }]
    });
    if alpha {
        return Picture::rgba(size, pixels.collect()).unwrap();
    }
    let mut opaque = Picture::rgba(size, pixels.collect()).unwrap();
    opaque.flatten([255; 3]);
    opaque
}

fn request(bytes: impl Into<Bytes>, steps: Vec<ProcessStep>, format: OutputFormat) -> ProcessRequest {
    let image = ImageFile { bytes: bytes.into(), media_type: MediaType::Png };
    ProcessRequest { image, steps, format, quality: 90, background: [255, 0, 0], color: ColorProfile::Srgb }
}

fn png(alpha: bool) -> Bytes {
    encode(&picture(alpha), MediaType::Png, 90).unwrap().bytes
}

/// An EXIF block with nothing but the orientation, and with a GPS field that must not survive.
fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"MM\0*\0\0\0\x08\0\x02".to_vec();
    block.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0]);
    block.extend([0x88, 0x25, 0, 4, 0, 0, 0, 1, 0, 0, 0, 38]);
    block.extend([0; 4]);
    block.extend([0; 2]); // an empty GPS directory
    block.extend([0; 4]);
    block
}

fn turned_jpeg(orientation: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 95);
    encoder.add_exif_metadata(&exif(orientation)).unwrap();
    encoder.encode(picture(false).pixels(), 60, 40, ColorType::Rgb).unwrap();
    bytes
}

#[tokio::test]
async fn it_says_who_it_is_and_does_the_steps_in_order() {
    let processor = LocalImageProcessor::default();
    assert_eq!((processor.info().name.as_str(), processor.info().capability), ("image", Capability::ProcessImage));
    let steps = vec![
        ProcessStep::Trim { tolerance: 3 },
        ProcessStep::Resize { width: Some(20), height: None, fit: ResizeFit::Inside, enlarge: false },
        ProcessStep::Sharpen { amount: 2.5 },
        ProcessStep::Saturate { factor: 1.4 },
    ];
    let response = processor.process(request(png(false), steps, OutputFormat::Jpeg)).await.unwrap();
    assert_eq!(response.applied, ["trim 10,5 40x30", "resize 20x15", "sharpen 2.5", "saturate 1.4"]);
    assert_eq!(response.size, Dimensions { width: 20, height: 15 });
    assert_eq!(response.image.media_type, MediaType::Jpeg);
    assert_eq!(probe(&response.image.bytes).unwrap(), (MediaType::Jpeg, response.size));
}

#[test]
fn steps_that_do_nothing_are_not_listed() {
    let steps = vec![
        ProcessStep::Resize { width: Some(600), height: None, fit: ResizeFit::Inside, enlarge: false },
        ProcessStep::Sharpen { amount: 0.0 },
        ProcessStep::Saturate { factor: 1.0 },
        ProcessStep::Flatten { background: [1, 2, 3] },
    ];
    let response = process(&request(png(false), steps, OutputFormat::Png), Limits::DEFAULT).unwrap();
    assert_eq!(response.applied, [""; 0]);
}

#[test]
fn jpeg_output_of_a_transparent_picture_is_put_on_the_background() {
    let response = process(&request(png(true), Vec::new(), OutputFormat::Jpeg), Limits::DEFAULT).unwrap();
    assert_eq!(response.applied, ["flatten #ff0000"]);
    let back = decode(&response.image.bytes, Limits::DEFAULT).unwrap().picture;
    assert!(back.row(1)[0] > 240 && back.row(1)[1] < 15);
    let kept = process(&request(png(true), Vec::new(), OutputFormat::Keep), Limits::DEFAULT).unwrap();
    assert_eq!((kept.image.media_type, kept.applied.len()), (MediaType::Png, 0));
}

#[test]
fn each_orientation_is_applied_first_recorded_and_gone_from_the_result() {
    for orientation in 1..=8 {
        let bytes = turned_jpeg(orientation);
        let expected = if orientation >= 5 { (40, 60) } else { (60, 40) };
        let (_, shown) = probe(&bytes).unwrap();
        assert_eq!((shown.width, shown.height), expected);
        let response = process(&request(bytes, Vec::new(), OutputFormat::Keep), Limits::DEFAULT).unwrap();
        assert_eq!((response.size.width, response.size.height), expected, "orientation {orientation}");
        let applied = if orientation == 1 { Vec::new() } else { vec![format!("orient {orientation}")] };
        assert_eq!(response.applied, applied);
        assert_eq!(Orientation::read(MediaType::Jpeg, &response.image.bytes), Orientation::UPRIGHT);
        assert!(!response.image.bytes.windows(4).any(|part| part == b"Exif"));
    }
}

#[test]
fn orientation_is_read_from_png_and_webp_too() {
    let block = exif(6);
    let mut info = png::Info::with_size(60, 40);
    info.color_type = png::ColorType::Rgb;
    info.bit_depth = png::BitDepth::Eight;
    info.exif_metadata = Some(block.clone().into());
    let mut bytes = Vec::new();
    let mut writer = png::Encoder::with_info(&mut bytes, info).unwrap().write_header().unwrap();
    writer.write_image_data(picture(false).pixels()).unwrap();
    writer.finish().unwrap();
    assert_eq!(Orientation::read(MediaType::Png, &bytes).value(), 6);

    // An extended WebP: VP8X with the EXIF flag, the picture, the EXIF chunk.
    let plain = encode(&picture(false), MediaType::WebP, 90).unwrap().bytes;
    let mut chunks = b"VP8X\x0a\0\0\0\x08\0\0\0\x3b\0\0\x27\0\0".to_vec();
    chunks.extend_from_slice(&plain[12..]);
    chunks.extend_from_slice(b"EXIF");
    chunks.extend((block.len() as u32).to_le_bytes());
    chunks.extend_from_slice(&block);
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((chunks.len() as u32 + 4).to_le_bytes());
    bytes.extend_from_slice(b"WEBP");
    bytes.extend(chunks);
    let response = process(&request(bytes, Vec::new(), OutputFormat::Keep), Limits::DEFAULT).unwrap();
    assert_eq!((response.applied, response.size.width), (vec!["orient 6".to_owned()], 40));
}

#[test]
fn damaged_metadata_does_not_stop_a_good_picture() {
    let mut bytes = turned_jpeg(6);
    let at = bytes.windows(4).position(|part| part == b"Exif").unwrap();
    bytes[at + 6..at + 30].fill(0xaa);
    let response = process(&request(bytes, Vec::new(), OutputFormat::Keep), Limits::DEFAULT).unwrap();
    assert_eq!(response.applied, [""; 0]);
}

#[test]
fn the_same_request_gives_the_same_bytes() {
    for format in [OutputFormat::Png, OutputFormat::Jpeg, OutputFormat::Webp] {
        let steps = vec![
            ProcessStep::Resize { width: None, height: Some(31), fit: ResizeFit::Cover, enlarge: false },
            ProcessStep::Sharpen { amount: 4.0 },
            ProcessStep::Saturate { factor: 0.7 },
        ];
        let request = request(png(true), steps, format);
        let run = || process(&request, Limits::DEFAULT).unwrap();
        assert_eq!(run(), run());
    }
}

#[test]
fn a_quality_out_of_range_is_an_error() {
    let request = ProcessRequest { quality: 0, ..request(png(false), Vec::new(), OutputFormat::Png) };
    assert_eq!(process(&request, Limits::DEFAULT).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_thumbnail_is_small_opaque_and_upright() {
    let (width, height, pixels) = decode_rgb_thumbnail(&png(true), 30).unwrap();
    assert_eq!((width, height, pixels.len()), (30, 20, 30 * 20 * 3));
    assert_eq!(pixels[..3], [255; 3]);
    let (width, height, _) = decode_rgb_thumbnail(&turned_jpeg(6), 1000).unwrap();
    assert_eq!((width, height), (40, 60));
    assert!(decode_rgb_thumbnail(&png(true), 0).is_err());
}
