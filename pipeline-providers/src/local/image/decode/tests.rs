//! Tests of decoding: what is accepted, what is refused, and how.

use jpeg_encoder::{ColorType, Encoder};
use pipeline_core::error::chain;

use super::super::{Picture, encode};
use super::*;

fn scene(width: u32, height: u32) -> Picture {
    let pixels = (0..width * height)
        .flat_map(|n| {
            let (x, y) = (n % width, n / width);
            [(x * 3) as u8, (y * 5) as u8, ((x * y) / 14) as u8]
        })
        .collect();
    Picture::rgb(Dimensions { width, height }, pixels).unwrap()
}

fn file(media_type: MediaType) -> Vec<u8> {
    let picture = scene(70, 50);
    let (width, height) = (70, 50);
    match media_type {
        MediaType::Gif | MediaType::Tiff | MediaType::Bmp => {
            let buffer = image::RgbImage::from_raw(width, height, picture.into_pixels()).unwrap();
            let format = image::ImageFormat::from_mime_type(media_type.as_str()).unwrap();
            let mut out = std::io::Cursor::new(Vec::new());
            image::DynamicImage::from(buffer).write_to(&mut out, format).unwrap();
            out.into_inner()
        }
        _ => encode(&picture, media_type, 90).unwrap().bytes.to_vec(),
    }
}

fn jpeg_with(configure: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    configure(&mut encoder);
    encoder.encode(scene(70, 50).pixels(), 70, 50, ColorType::Rgb).unwrap();
    bytes
}

fn png_with(colour: ::png::ColorType, depth: ::png::BitDepth, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut bytes, 2, 1);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    if colour == ::png::ColorType::Indexed {
        encoder.set_palette(vec![10, 20, 30, 40, 50, 60]);
    }
    encoder.write_header().unwrap().write_image_data(data).unwrap();
    bytes
}

/// A little-endian TIFF: these bytes at 8, then a directory of these tags, each with one number, or with several that lie at
/// this place.
fn tiff_file(content: &[u8], tags: &[(u16, u32, u32)]) -> Vec<u8> {
    let mut bytes = b"II*\0".to_vec();
    bytes.extend((8 + content.len() as u32).to_le_bytes());
    bytes.extend_from_slice(content);
    bytes.extend((tags.len() as u16).to_le_bytes());
    for (tag, count, number) in tags {
        // A palette is of two bytes a number.
        let kind: u16 = if *tag == 320 { 3 } else { 4 };
        bytes.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        bytes.extend([count.to_le_bytes(), number.to_le_bytes()].concat());
    }
    bytes.extend([0; 4]);
    bytes
}

/// The mean difference of two pictures of one size.
fn difference(one: &Picture, other: &Picture) -> u32 {
    let pairs = one.pixels().iter().zip(other.pixels());
    pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>() / one.pixels().len() as u32
}

#[test]
fn a_sequential_jpeg_with_separate_scans_and_reduced_colour_is_refused_and_not_garbled() {
    let bytes = jpeg_with(|encoder| {
        encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
        encoder.set_optimized_huffman_tables(true);
    });
    assert_eq!(kind(&bytes), ErrorKind::Unsupported);
}

#[test]
fn a_jpeg_with_colour_finer_than_brightness_is_refused_and_not_garbled() {
    let mut bytes = jpeg_with(|encoder| encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_1_1));
    let frame = bytes.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    for (component, factors, expected) in [(1, 0x22, "finer"), (2, 0x21, "finer"), (0, 0x31, "factor of 3")] {
        let at = frame + 11 + 3 * component;
        let before = std::mem::replace(&mut bytes[at], factors);
        let error = decode(&bytes, Limits::DEFAULT).unwrap_err();
        assert!(error.kind() == ErrorKind::Unsupported && error.to_string().contains(expected), "{error}");
        bytes[at] = before;
    }
    assert!(decode(&bytes, Limits::DEFAULT).is_ok());
}

const READABLE: &[MediaType] = &[
    MediaType::Png,
    MediaType::Jpeg,
    MediaType::WebP,
    MediaType::Gif,
    MediaType::Tiff,
    MediaType::Bmp,
    #[cfg(feature = "avif")]
    MediaType::Avif,
];

fn kind(bytes: &[u8]) -> ErrorKind {
    decode(bytes, Limits::DEFAULT).unwrap_err().kind()
}

#[test]
fn every_accepted_format_is_decoded_and_probed() {
    for &media_type in READABLE {
        let bytes = file(media_type);
        let decoded = decode(&bytes, Limits::DEFAULT).unwrap();
        assert_eq!(decoded.media_type, media_type);
        assert_eq!(probe(&bytes).unwrap(), (media_type, Dimensions { width: 70, height: 50 }));
        assert!(difference(&decoded.picture, &scene(70, 50)) < 8, "{media_type}");
    }
}

#[test]
fn a_file_cut_anywhere_is_corrupt() {
    for &media_type in READABLE {
        let bytes = file(media_type);
        for length in (12..bytes.len()).step_by(bytes.len() / 150 + 1).chain([bytes.len() - 2, bytes.len() - 1]) {
            match decode(&bytes[..length], Limits::DEFAULT) {
                Err(error) => assert!(
                    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported),
                    "{media_type} cut at {length}: {error}"
                ),
                Ok(_) => panic!("{media_type} cut at {length} of {} was accepted", bytes.len()),
            }
        }
        assert_eq!(kind(&bytes[..bytes.len() / 2]), ErrorKind::Corrupt, "{media_type} cut in half");
    }
}

#[test]
fn a_progressive_jpeg_cut_anywhere_is_corrupt() {
    let bytes = jpeg_with(|encoder| encoder.set_progressive(true));
    assert!(decode(&bytes, Limits::DEFAULT).is_ok());
    for length in 12..bytes.len() {
        assert_eq!(kind(&bytes[..length]), ErrorKind::Corrupt, "cut at {length} of {}", bytes.len());
    }
}

#[test]
fn jpegs_of_every_usual_make_are_accepted() {
    use jpeg_encoder::SamplingFactor as S;
    for factor in [S::F_1_1, S::F_2_1, S::F_1_2, S::F_2_2] {
        for progressive in [false, true] {
            let bytes = jpeg_with(|encoder| {
                encoder.set_sampling_factor(factor);
                encoder.set_progressive(progressive);
                encoder.set_restart_interval(4);
            });
            let picture = decode(&bytes, Limits::DEFAULT).unwrap().picture;
            assert!(difference(&picture, &scene(70, 50)) < 8, "{factor:?} progressive {progressive}");
        }
    }
    let trailing = [file(MediaType::Jpeg), b"a phone's own data".to_vec()].concat();
    decode(&trailing, Limits::DEFAULT).unwrap();
}

#[test]
fn overwritten_bytes_in_a_jpeg_are_corrupt() {
    let good = file(MediaType::Jpeg);
    let mut refused = 0;
    for at in (good.len() / 2..good.len() - 40).step_by(9) {
        let mut bytes = good.clone();
        bytes[at..at + 16].fill(0xff);
        refused += u32::from(decode(&bytes, Limits::DEFAULT).is_err());
    }
    assert!(refused > 20, "{refused}");
}

#[test]
fn a_flipped_bit_in_a_png_is_corrupt() {
    let good = file(MediaType::Png);
    for at in (60..good.len()).step_by(31) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        assert_eq!(kind(&bytes), ErrorKind::Corrupt, "byte {at}");
    }
}

#[test]
fn a_png_without_its_end_chunk_is_corrupt() {
    let good = file(MediaType::Png);
    assert_eq!(kind(&good[..good.len() - 12]), ErrorKind::Corrupt);
}

#[test]
fn a_header_that_claims_a_huge_size_is_refused_before_memory_is_taken() {
    let mut bytes = file(MediaType::Png);
    bytes[16..24].copy_from_slice(&[0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50]);
    let error = decode(&bytes, Limits::DEFAULT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("size=50000x50000, accepted=at most 16384 pixels a side"), "{error}");

    let mut bytes = file(MediaType::Jpeg);
    let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    bytes[frame + 5..frame + 9].fill(0xc3);
    assert_eq!(kind(&bytes), ErrorKind::Unsupported);

    let small = Limits { max_side: 64, ..Limits::DEFAULT };
    for &media_type in READABLE {
        let error = decode(&file(media_type), small).unwrap_err();
        assert!(error.to_string().contains("at most 64 pixels"), "{media_type}: {error}");
    }
}

#[test]
fn what_is_no_picture_is_named() {
    let message = |bytes: &[u8]| decode(bytes, Limits::DEFAULT).unwrap_err().to_string();
    assert!(message(b"hello, I am named .png").starts_with("not a picture: the content is text (accepted=png, jpeg"));
    assert!(message(b"<!doctype html><p>404").starts_with("not a picture: the content is an HTML page"));
    assert!(message(b"{\"error\": \"busy\"}").starts_with("not a picture: the content is JSON"));
    assert_eq!(message(b""), "not a picture: the file is empty");
    assert_eq!(kind(b"hello"), ErrorKind::Corrupt);
    assert_eq!(kind(b"\0\x01\x02\x03"), ErrorKind::Unsupported);
}

#[test]
fn formats_that_cannot_be_read_are_unsupported_and_name_those_that_can() {
    let files = [
        &b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..],
        b"<svg></svg>",
        #[cfg(not(feature = "avif"))]
        b"\0\0\0\x18ftypavif\0\0\0\0mif1avif",
    ];
    for bytes in files {
        let error = decode(bytes, Limits::DEFAULT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(
            error.to_string().contains("pictures cannot be read (accepted=png, jpeg, webp, gif, tiff, bmp"),
            "{error}"
        );
    }
}

#[test]
fn every_colour_type_of_png_becomes_eight_bit_colour() {
    use ::png::{BitDepth as D, ColorType as C};
    let cases: [(C, D, &[u8], &[u8]); 7] = [
        (C::Grayscale, D::Eight, &[7, 200], &[7, 7, 7, 200, 200, 200]),
        (C::Grayscale, D::One, &[0b0100_0000], &[0, 0, 0, 255, 255, 255]),
        (C::Grayscale, D::Sixteen, &[7, 99, 200, 0], &[7, 7, 7, 200, 200, 200]),
        (C::GrayscaleAlpha, D::Eight, &[7, 255, 9, 128], &[7, 7, 7, 255, 9, 9, 9, 128]),
        (C::Rgb, D::Sixteen, &[1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0], &[1, 2, 3, 4, 5, 6]),
        (C::Rgba, D::Eight, &[1, 2, 3, 4, 5, 6, 7, 255], &[1, 2, 3, 4, 5, 6, 7, 255]),
        (C::Indexed, D::Eight, &[1, 0], &[40, 50, 60, 10, 20, 30]),
    ];
    for (colour, depth, data, expected) in cases {
        let decoded = decode(&png_with(colour, depth, data), Limits::DEFAULT).unwrap();
        assert_eq!(decoded.picture.pixels(), expected, "{colour:?} {depth:?}");
    }
}

#[test]
fn a_grey_jpeg_becomes_colour() {
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, 95).encode(&[130; 64 * 32], 64, 32, ColorType::Luma).unwrap();
    let picture = decode(&bytes, Limits::DEFAULT).unwrap().picture;
    assert_eq!((picture.channels(), picture.row(7)[..3].to_vec()), (3, vec![130; 3]));
}

#[test]
fn a_cmyk_jpeg_becomes_rgb() {
    // Red and, to the right, cyan darkened by half black. Made by us with Pillow.
    let bytes = include_bytes!("fixtures/cmyk.jpg");
    let picture = decode(bytes, Limits::DEFAULT).unwrap().picture;
    let near = |x: usize, expected: [u8; 3]| {
        let found = &picture.row(5)[x * 3..x * 3 + 3];
        assert!(found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 4), "{found:?} is not {expected:?}");
    };
    near(4, [255, 0, 0]);
    near(28, [0, 127, 127]);
}

#[test]
fn a_ycck_jpeg_becomes_rgb() {
    let mut bytes = Vec::new();
    let pixels = [0, 200, 0, 100].repeat(32 * 32);
    Encoder::new(&mut bytes, 95).encode(&pixels, 32, 32, ColorType::CmykAsYcck).unwrap();
    let picture = decode(&bytes, Limits::DEFAULT).unwrap().picture;
    // The encoder writes inverted inks with an Adobe segment, as is usual: red and blue by black, green less.
    let found = &picture.row(9)[..3];
    assert!([155_u8, 33, 155].iter().zip(found).all(|(a, b)| a.abs_diff(*b) <= 6), "{found:?}");
}

#[test]
fn the_same_bytes_decode_the_same() {
    for &media_type in READABLE {
        let bytes = file(media_type);
        let once = || decode(&bytes, Limits::DEFAULT).unwrap().picture;
        assert_eq!(once(), once());
    }
}

#[test]
fn mutated_files_never_panic() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let limits = Limits { max_side: 2_000, max_pixels: 1_000_000, ..Limits::DEFAULT };
    for &media_type in READABLE {
        let good = file(media_type);
        for _ in 0..600 {
            let mut bytes = good.clone();
            for _ in 0..=random() % 6 {
                let at = (random() as usize) % bytes.len();
                bytes[at] = random() as u8;
            }
            if random() % 4 == 0 {
                bytes.truncate((random() as usize) % bytes.len());
            }
            let _ = decode(&bytes, limits);
            let _ = probe(&bytes);
        }
    }
}

#[test]
fn a_white_fax_page_of_a_bit_a_row_is_read_and_one_of_less_is_refused() {
    let fax = |width, height, rows: usize| {
        // Each row is as the one above it, of which the first is white; then the end of the page.
        let page = [&vec![0xff; rows / 8][..], &[0x00, 0x10, 0x01]].concat();
        let length = page.len() as u32;
        let tags = [(256, 1, width), (257, 1, height), (258, 1, 1), (259, 1, 4), (262, 1, 0), (273, 1, 8)];
        tiff_file(&page, &[&tags[..], &[(277, 1, 1), (278, 1, height), (279, 1, length)]].concat())
    };
    let page = fax(16_000, 640, 640);
    assert!(page.len() < 300, "as small as it gets: {}", page.len());
    let picture = decode(&page, Limits::DEFAULT).unwrap().picture;
    assert_eq!(picture.size(), Dimensions { width: 16_000, height: 640 });
    assert!(picture.pixels().iter().all(|value| *value == 255));
    let error = decode(&fax(6_000, 16_000, 640), Limits::DEFAULT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(chain(&error).contains("cannot hold 6000x16000 pixels"), "{}", chain(&error));
    // A page of the most pixels, in one piece, is within the memory.
    let size = Dimensions { width: 9_000, height: 11_000 };
    let outline = tiff::outline(&fax(9_000, 11_000, 11_000), size, Limits::DEFAULT).unwrap();
    Limits::DEFAULT.check_memory(outline.memory).unwrap();
}

#[test]
fn a_tiff_with_more_pieces_than_it_needs_is_refused_before_each_is_looked_at() {
    let strips = |count: u32, planar: u32| {
        // No JPEG, and where it lies, again and again.
        let content = [&[7; 8][..], &8_u32.to_le_bytes().repeat(count as usize)].concat();
        let lengths = 8 + content.len() as u32;
        let content = [&content[..], &8_u32.to_le_bytes().repeat(count as usize)].concat();
        let tags = [(256, 1, 16), (257, 1, 16), (258, 1, 8), (259, 1, 7), (262, 1, 1), (273, count, 16)];
        tiff_file(&content, &[&tags[..], &[(277, 1, 3), (278, 1, 4), (279, count, lengths), (284, 1, planar)]].concat())
    };
    let told = |bytes: &[u8], limits| chain(&decode(bytes, limits).unwrap_err());
    let size = Dimensions { width: 16, height: 16 };
    let fresh = |count, planar| tiff::outline(&strips(count, planar), size, Limits::DEFAULT).unwrap_err();
    // The first is looked at, and is no JPEG.
    assert!(chain(&fresh(4, 1)).contains("no marker"), "{}", chain(&fresh(4, 1)));
    assert!(chain(&fresh(12, 2)).contains("no marker"), "{}", chain(&fresh(12, 2)));
    let over = Limits::DEFAULT.until(Some(std::time::Instant::now()));
    assert!(told(&strips(4, 1), over).contains("takes too long"), "the clock is looked at before the first");
    for (count, planar, most) in [(5, 1, 4), (1_000, 1, 4), (13, 2, 12)] {
        let error = fresh(count, planar);
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(chain(&error).contains(&format!("than the {most} that")), "{}", chain(&error));
    }
}

#[test]
fn a_palette_of_more_than_eight_bits_is_refused_and_not_garbled() {
    let picture = |bits: u32| {
        let palette: Vec<u8> = (0..3 * 256_u16).flat_map(|n| (n * 80).to_le_bytes()).collect();
        let content = [&[1, 0, 2, 0], &palette[..]].concat();
        let tags = [(256, 1, 32 / bits), (257, 1, 1), (258, 1, bits), (259, 1, 1), (262, 1, 3), (273, 1, 8)];
        tiff_file(&content, &[&tags[..], &[(277, 1, 1), (278, 1, 1), (279, 1, 4), (320, 768, 12)]].concat())
    };
    assert_eq!(decode(&picture(8), Limits::DEFAULT).unwrap().picture.size(), Dimensions { width: 4, height: 1 });
    let error = decode(&picture(16), Limits::DEFAULT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("bits=16, accepted=palettes with numbers of up to 8 bits"), "{error}");
}
