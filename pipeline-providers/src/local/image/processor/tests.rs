//! Tests of the provider as a caller sees it.

use bytes::Bytes;
use img_parts::{DynImage, ImageICC};
use jpeg_encoder::{ColorType, Encoder};
use pipeline_core::error::ErrorKind;
use pipeline_core::provider::{
    Anchor, ColorProfile, Dimensions, ImageFile, KeepExif, OutputFormat, ProcessStep, ResizeFit, ResizeKernel,
    TrimBorder,
};

use super::super::{Picture, decode_as, decode_rgb_thumbnail, encode, probe};
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
    let request = ProcessRequest::new(image).steps(steps).encoding(Encoding::new(format));
    ProcessRequest { background: [255, 0, 0], ..request }
}

fn to_width(width: u32) -> ProcessStep {
    ProcessStep::Resize {
        width: Some(width),
        height: None,
        fit: ResizeFit::Inside,
        position: Anchor::Center,
        kernel: ResizeKernel::Lanczos3,
        enlarge: false,
        fill: [0; 4],
    }
}

fn saturate(saturation: f32) -> ProcessStep {
    ProcessStep::Modulate { brightness: 1.0, saturation, hue: 0.0 }
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
        ProcessStep::Trim { border: TrimBorder::Auto, tolerance: 3 },
        to_width(20),
        ProcessStep::Sharpen { amount: 2.5 },
        saturate(1.4),
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
        to_width(600),
        ProcessStep::Sharpen { amount: 0.0 },
        saturate(1.0),
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

    // Some writers put the name before it that it has in JPEG.
    for block in [block.clone(), [b"Exif\0\0", &block[..]].concat()] {
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
}

#[test]
fn orientation_is_read_from_a_png_that_has_it_after_the_picture() {
    let plain = png(false);
    let (picture, end) = plain.split_at(plain.len() - 12);
    let content = [b"eXIf", &exif(6)[..]].concat();
    let chunk = [&(content.len() as u32 - 4).to_be_bytes(), &content[..], &crc32fast::hash(&content).to_be_bytes()];
    let bytes = [picture, &chunk.concat(), end].concat();
    assert_eq!(probe(&bytes).unwrap().1, Dimensions { width: 40, height: 60 });
    assert_eq!(decode(&bytes, Limits::DEFAULT).unwrap().orientation.value(), 6);
}

#[test]
fn metadata_that_points_into_itself_again_and_again_is_not_followed() {
    // The orientation, and pointers that would make a hundred million entries of 168 KB.
    let mut block = b"MM\0*\0\0\0\x08\x36\xb1\x01\x12\0\x03\0\0\0\x01\0\x06\0\0".to_vec();
    for number in 0..14_000_u32 {
        block.extend([0x87, 0x69, 0, 4, 0, 0, 0, 1]);
        block.extend((10 + 12 * number).to_be_bytes());
    }
    let content = [b"eXIf", &block[..]].concat();
    let chunk = [&(block.len() as u32).to_be_bytes(), &content[..], &crc32fast::hash(&content).to_be_bytes()].concat();
    let plain = png(false);
    let bytes = [&plain[..33], &chunk, &plain[33..]].concat();
    assert_eq!(probe(&bytes).unwrap().1, Dimensions { width: 40, height: 60 });
    assert_eq!(decode(&bytes, Limits::DEFAULT).unwrap().orientation.value(), 6);
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
        // Several bands high.
        let tall = ProcessStep::Resize {
            width: Some(90),
            height: Some(700),
            fit: ResizeFit::Fill,
            position: Anchor::Center,
            kernel: ResizeKernel::Lanczos3,
            enlarge: true,
            fill: [0; 4],
        };
        let steps = vec![
            tall,
            ProcessStep::Rotate { degrees: 10.0, fill: [0; 4] },
            ProcessStep::Sharpen { amount: 4.0 },
            saturate(0.7),
            ProcessStep::Blur { sigma: 0.5 },
            ProcessStep::Normalise { clip: 1.0 },
        ];
        let request = request(png(true), steps, format);
        let run = |threads| process_on(&request, Limits::DEFAULT, Threads::new(threads)).unwrap();
        let alone = run(1);
        for threads in [1, 2, 5] {
            assert_eq!(run(threads), alone, "{format:?} on {threads}");
        }
    }
}

#[test]
fn a_quality_out_of_range_is_an_error() {
    let encoding = Encoding::new(OutputFormat::Png).quality(0);
    let request = request(png(false), Vec::new(), OutputFormat::Png).encoding(encoding);
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

fn rendition(name: &str, steps: Vec<ProcessStep>, format: OutputFormat) -> Rendition {
    Rendition { name: name.to_owned(), steps, encoding: Encoding::new(format) }
}

#[test]
fn renditions_are_made_from_the_processed_picture_each_in_its_own_way() {
    let trim = ProcessStep::Trim { border: TrimBorder::Auto, tolerance: 3 };
    let renditions = vec![
        rendition("small", vec![to_width(10)], OutputFormat::Webp),
        rendition("print", vec![saturate(0.0)], OutputFormat::Jpeg),
        rendition("same", Vec::new(), OutputFormat::Keep),
    ];
    let request = ProcessRequest { renditions, ..request(png(true), vec![trim], OutputFormat::Png) };
    let response = process(&request, Limits::DEFAULT).unwrap();
    let sizes = response.renditions.iter().map(|file| (file.name.as_str(), file.image.media_type, file.size.width));
    let expected = [("small", MediaType::WebP, 10), ("print", MediaType::Jpeg, 40), ("same", MediaType::Png, 40)];
    assert_eq!(sizes.collect::<Vec<_>>(), expected);
    assert_eq!((response.size.width, response.image.media_type), (40, MediaType::Png));
    assert_eq!(response.applied, ["trim 10,5 40x30", "small: resize 10x8", "print: saturate 0"]);
    for file in &response.renditions {
        assert_eq!(probe(&file.image.bytes).unwrap(), (file.image.media_type, file.size));
    }
    assert_eq!(response.renditions[2].image, response.image);
    let grey = decode(&response.renditions[1].image.bytes, Limits::DEFAULT).unwrap().picture;
    assert!(grey.pixels().chunks_exact(3).all(|pixel| pixel[0].abs_diff(pixel[2]) <= 2));
}

/// For each part a request that fails because of it, and what is told.
fn failing() -> Vec<(ProcessPart, ProcessRequest)> {
    use ProcessStep as S;
    let fill = [0; 4];
    let steps = vec![
        S::Extract { left: 50, top: 0, width: 20, height: 1 },
        S::Rotate { degrees: 500.0, fill },
        to_width(0),
        S::Pad { top: u32::MAX, right: 0, bottom: 0, left: 0, fill },
        S::Gamma { gamma: 0.0 },
        S::Modulate { brightness: 9.0, saturation: 1.0, hue: 0.0 },
        S::Blur { sigma: 99.0 },
        S::Sharpen { amount: 11.0 },
        S::Watermark { overlay: 0, position: Anchor::Top, margin: 0, scale: None, opacity: 1.0 },
    ];
    let mut requests: Vec<_> =
        steps.into_iter().map(|step| (step.part(), request(png(false), vec![step], OutputFormat::Png))).collect();
    let encoding = Encoding::new(OutputFormat::Jpeg).quality(0);
    requests.push((ProcessPart::Encode, request(png(false), Vec::new(), OutputFormat::Jpeg).encoding(encoding)));
    requests
}

#[test]
fn every_part_that_fails_ends_the_request_unless_it_is_soft_and_is_told_then() {
    for (part, request) in failing() {
        let error = process(&request, Limits::DEFAULT).unwrap_err();
        let others = ProcessPart::ALL.iter().copied().filter(|other| *other != part).collect();
        let strict = process(&ProcessRequest { soft: others, ..request.clone() }, Limits::DEFAULT).unwrap_err();
        assert_eq!(strict.to_string(), error.to_string());
        let response = process(&ProcessRequest { soft: vec![part], ..request }, Limits::DEFAULT).unwrap();
        assert_eq!(response.failed, [FailedPart { part, rendition: None, message: error.to_string() }]);
        assert_eq!((response.applied.len(), response.size), (0, Dimensions { width: 60, height: 40 }));
        let made = decode(&response.image.bytes, Limits::DEFAULT).unwrap();
        assert_eq!((made.media_type, made.picture), (MediaType::Png, picture(false)), "{part}");
    }
}

#[test]
fn a_picture_that_becomes_a_png_instead_keeps_its_profile() {
    let profile = Bytes::from(moxcms::ColorProfile::new_display_p3().encode().unwrap());
    let mut parts = DynImage::from_bytes(png(false)).unwrap().unwrap();
    parts.set_icc_profile(Some(profile.clone()));
    let encoding = Encoding::new(OutputFormat::Jpeg).quality(0);
    let mut request = request(parts.encoder().bytes(), Vec::new(), OutputFormat::Jpeg).encoding(encoding);
    (request.color, request.soft) = (ColorProfile::Keep, vec![ProcessPart::Encode]);
    let response = process(&request, Limits::DEFAULT).unwrap();
    assert_eq!((response.failed.len(), response.image.media_type), (1, MediaType::Png));
    let icc = decode_as(&response.image.bytes, Limits::DEFAULT, ColorProfile::Keep).unwrap().icc;
    assert_eq!(icc, Some(profile));
}

#[test]
fn what_is_added_to_a_picture_that_keeps_its_profile_has_the_colours_it_was_given() {
    let with = |profile: moxcms::ColorProfile, colour: [u8; 3]| {
        let picture = Picture::rgb(Dimensions { width: 20, height: 20 }, colour.repeat(400)).unwrap();
        let mut parts = DynImage::from_bytes(encode(&picture, MediaType::Png, 90).unwrap().bytes).unwrap().unwrap();
        parts.set_icc_profile(Some(profile.encode().unwrap().into()));
        ImageFile { bytes: parts.encoder().bytes(), media_type: MediaType::Png }
    };
    let wide = || moxcms::ColorProfile::new_display_p3();
    let kept = |overlay: ImageFile, color| {
        let mark =
            ProcessStep::Watermark { overlay: 0, position: Anchor::Center, margin: 0, scale: None, opacity: 1.0 };
        let pad = ProcessStep::Pad { top: 4, right: 0, bottom: 0, left: 0, fill: [255, 0, 0, 255] };
        let mut request = request(with(wide(), [249, 222, 74]).bytes, vec![mark, pad], OutputFormat::Png);
        (request.color, request.overlays) = (color, vec![overlay]);
        let made = process(&request, Limits::DEFAULT).unwrap().image;
        decode_as(&made.bytes, Limits::DEFAULT, color).unwrap().picture
    };
    // The same profile: the same numbers. Another one: the red of sRGB in Display P3 is 234, 51, 35.
    let same = kept(with(wide(), [249, 222, 74]), ColorProfile::Keep);
    assert_eq!(same.row(10)[30..33], [249, 222, 74]);
    let other = kept(with(moxcms::ColorProfile::new_srgb(), [255, 0, 0]), ColorProfile::Keep);
    for place in [other.row(0), other.row(10)] {
        let apart = place[30..33].iter().zip([234, 51, 35]).map(|(found, known): (&u8, u8)| found.abs_diff(known));
        assert!(apart.max() <= Some(1), "{:?}", &place[30..33]);
    }
    let converted = kept(with(moxcms::ColorProfile::new_srgb(), [255, 0, 0]), ColorProfile::Srgb);
    assert_eq!((&converted.row(0)[..3], &converted.row(10)[30..33]), (&[255, 0, 0][..], &[255, 0, 0][..]));
}

#[test]
fn any_set_of_soft_parts_lets_just_those_fail() {
    let bad = [
        ProcessStep::Extract { left: 50, top: 0, width: 20, height: 1 },
        ProcessStep::Gamma { gamma: 0.0 },
        ProcessStep::Sharpen { amount: 11.0 },
        ProcessStep::Watermark { overlay: 0, position: Anchor::Top, margin: 0, scale: None, opacity: 1.0 },
    ];
    for set in 0..16_u32 {
        let soft: Vec<ProcessPart> =
            bad.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1).map(|(_, step)| step.part()).collect();
        let request = ProcessRequest { soft: soft.clone(), ..request(png(false), bad.to_vec(), OutputFormat::Png) };
        let outcome = process(&request, Limits::DEFAULT);
        if set == 15 {
            let parts: Vec<ProcessPart> = outcome.unwrap().failed.iter().map(|failed| failed.part).collect();
            assert_eq!(parts, bad.map(|step| step.part()));
        } else {
            assert!(outcome.is_err(), "{soft:?}");
        }
    }
}

#[test]
fn a_rendition_that_fails_softly_is_left_out_and_told() {
    let renditions = vec![
        rendition("gone", vec![saturate(2.0), to_width(0)], OutputFormat::Png),
        rendition("kept", vec![to_width(20)], OutputFormat::Png),
    ];
    let request = ProcessRequest { renditions, ..request(png(false), Vec::new(), OutputFormat::Png) };
    assert!(process(&request, Limits::DEFAULT).is_err());
    let soft = ProcessRequest { soft: vec![ProcessPart::Resize], ..request };
    let response = process(&soft, Limits::DEFAULT).unwrap();
    assert_eq!(response.renditions.len(), 1);
    assert_eq!(response.applied, ["kept: resize 20x13"]);
    let told = response.failed[0].to_string();
    assert_eq!(told, "resize of gone: resize width is out of range (value=0, accepted=1 pixel or more)");
}

#[test]
fn a_watermark_is_decoded_as_strictly_as_a_picture() {
    let step = |overlay| ProcessStep::Watermark {
        overlay,
        position: Anchor::BottomRight,
        margin: 0,
        scale: Some(0.5),
        opacity: 1.0,
    };
    let logo =
        encode(&Picture::rgb(Dimensions { width: 4, height: 4 }, [0, 0, 255].repeat(16)).unwrap(), MediaType::Png, 90);
    let logo = logo.unwrap();
    let cut = ImageFile { bytes: logo.bytes.slice(..logo.bytes.len() - 20), ..logo.clone() };
    let with = |overlay: ImageFile| ProcessRequest {
        overlays: vec![overlay],
        ..request(png(false), vec![step(0)], OutputFormat::Png)
    };
    let response = process(&with(logo), Limits::DEFAULT).unwrap();
    assert_eq!(response.applied, ["watermark bottom_right 30,10 30x30 1"]);
    let made = decode(&response.image.bytes, Limits::DEFAULT).unwrap().picture;
    assert_eq!((&made.row(39)[59 * 3..], &made.row(9)[59 * 3..]), (&[0, 0, 255][..], &[255; 3][..]));
    assert_eq!(process(&with(cut), Limits::DEFAULT).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn metadata_is_kept_only_on_purpose_and_in_every_file() {
    let base = request(turned_jpeg(6), Vec::new(), OutputFormat::Keep);
    let renditions = vec![rendition("small", vec![to_width(10)], OutputFormat::Webp)];
    let response = process(&ProcessRequest { exif: KeepExif::All, renditions, ..base }, Limits::DEFAULT).unwrap();
    for file in [&response.image, &response.renditions[0].image] {
        let exif = exif::Reader::new().read_from_container(&mut std::io::Cursor::new(&file.bytes)).unwrap();
        let orientation = exif.get_field(exif::Tag::Orientation, exif::In::PRIMARY).unwrap();
        assert_eq!(orientation.value.get_uint(0), Some(1));
    }
}
