//! Tests of encoding.

use pipeline_core::provider::{Chroma, Dimensions};
use proptest::prelude::*;

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

/// Waves of all channels with some noise, like a photo in what an encoder has to do.
fn busy(width: u32, height: u32) -> Picture {
    let pixels = (0..width * height).flat_map(|n| {
        let (x, y) = (n % width, n / width);
        let noise = (n.wrapping_mul(2_654_435_761) >> 28) as u8;
        let wave = |n: u32, long: u32| ((n % long).abs_diff(long / 2) * 400 / long) as u8;
        [wave(x, 50) + noise, wave(y, 37) + noise, wave(x + y, 90) + noise]
    });
    Picture::rgb(Dimensions { width, height }, pixels.collect()).unwrap()
}

fn made(picture: &Picture, media_type: MediaType, encoding: &Encoding, threads: usize) -> ImageFile {
    encode_as(picture, media_type, encoding, Threads::new(threads)).unwrap()
}

fn back(file: &ImageFile) -> Picture {
    decode(&file.bytes, Limits::DEFAULT).unwrap().picture
}

/// The mean difference of the values.
fn difference(a: &Picture, b: &Picture) -> f64 {
    assert_eq!(a.size(), b.size());
    let sum: u64 = a.pixels().iter().zip(b.pixels()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.pixels().len() as f64
}

#[test]
fn png_is_lossless_with_and_without_alpha_at_every_effort() {
    for picture in [gradient(false), gradient(true), busy(61, 43)] {
        for effort in [None, Some(1), Some(4), Some(7), Some(10)] {
            let file = made(&picture, MediaType::Png, &Encoding { effort, ..Encoding::default() }, 1);
            assert_eq!(back(&file), picture);
        }
    }
}

#[test]
fn effort_makes_files_shorter() {
    let picture = busy(200, 150);
    for media_type in [MediaType::Png, MediaType::WebP] {
        let length = |effort| {
            made(&picture, media_type, &Encoding { effort: Some(effort), ..Encoding::default() }, 1).bytes.len()
        };
        assert!(length(1) > length(10), "{media_type}: {} and {}", length(1), length(10));
    }
}

#[test]
fn png_searches_for_repeats_where_there_are_some() {
    // Noise that comes again every 40 pixels, as letters do.
    let tile = |n: u32| ((n % 300 % 40 + n / 300 % 25 * 40).wrapping_mul(2_654_435_761) >> 27) as u8 * 8;
    let pixels = (0..300 * 300).flat_map(|n| [tile(n); 3]).collect();
    let drawing = Picture::rgb(Dimensions { width: 300, height: 300 }, pixels).unwrap();
    let length =
        |picture, effort| made(picture, MediaType::Png, &Encoding { effort, ..Encoding::default() }, 1).bytes.len();
    assert!(length(&drawing, None) * 10 < length(&drawing, Some(1)));
    // Where there are none, the usual effort does not take longer than it must.
    let grain =
        |n: u64| ((n ^ n >> 7).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (n << 31 | n)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let pixels = (0..3 * 300 * 300).map(|n| 100 + (grain(n) >> 60) as u8).collect();
    let photo = Picture::rgb(Dimensions { width: 300, height: 300 }, pixels).unwrap();
    assert_eq!(length(&photo, None), length(&photo, Some(1)));
    // And more effort makes nothing longer.
    assert!(length(&photo, Some(7)) <= length(&photo, None) && length(&photo, Some(10)) <= length(&photo, None));
}

#[test]
fn a_png_has_the_same_bytes_on_any_number_of_threads() {
    for effort in [None, Some(7)] {
        let encoding = Encoding { effort, ..Encoding::default() };
        let files = [1, 2, 5].map(|threads| made(&busy(77, 601), MediaType::Png, &encoding, threads));
        assert!(files[0] == files[1] && files[1] == files[2]);
        assert_eq!(back(&files[0]), busy(77, 601));
    }
}

#[test]
fn few_colours_take_few_bits() {
    let stripes = |colors: u32| {
        let colour = |n: u32| [(n % 45 % colors * (255 / colors)) as u8, 90, 200];
        Picture::rgb(Dimensions { width: 45, height: 9 }, (0..45 * 9).flat_map(colour).collect()).unwrap()
    };
    for (colors, bits) in [(2, 1), (3, 2), (4, 2), (16, 4), (17, 8)] {
        let encoding = Encoding { colors: Some(colors), ..Encoding::default() };
        let file = made(&stripes(colors.into()), MediaType::Png, &encoding, 1);
        // The size of the header's fields: length, name, width and height after the signature.
        assert_eq!(file.bytes[24], bits, "{colors}");
        assert_eq!(back(&file), stripes(colors.into()), "{colors}");
    }
}

#[test]
fn a_palette_makes_png_shorter_and_keeps_what_is_transparent() {
    let picture = busy(200, 150);
    let with = |colors| Encoding { colors, ..Encoding::default() };
    let (few, all) =
        (made(&picture, MediaType::Png, &with(Some(64)), 1), made(&picture, MediaType::Png, &with(None), 1));
    assert!(few.bytes.len() < all.bytes.len());
    assert!(difference(&back(&few), &picture) < 20.0);
    let clear = back(&made(&gradient(true), MediaType::Png, &with(Some(256)), 1));
    assert!(clear.has_alpha());
}

#[test]
fn lossy_formats_come_close_and_quality_costs_bytes() {
    for media_type in [MediaType::Jpeg, MediaType::WebP] {
        let picture = gradient(false);
        let (fine, rough) = (encode(&picture, media_type, 95).unwrap(), encode(&picture, media_type, 10).unwrap());
        assert!(fine.bytes.len() > rough.bytes.len());
        assert_eq!(decode(&fine.bytes, Limits::DEFAULT).unwrap().media_type, media_type);
        assert!(difference(&back(&fine), &picture) < 6.0);
    }
}

#[test]
fn webp_without_loss_keeps_every_visible_pixel() {
    let lossless = Encoding { lossless: true, quality: 1, ..Encoding::default() };
    assert_eq!(back(&made(&busy(90, 70), MediaType::WebP, &lossless, 1)), busy(90, 70));
    let kept = back(&made(&gradient(true), MediaType::WebP, &lossless, 1));
    for (found, expected) in kept.to_rgba().into_iter().zip(gradient(true).to_rgba()) {
        assert!(found == expected || (found[3], expected[3]) == (0, 0), "{found:?} for {expected:?}");
    }
}

#[test]
fn webp_keeps_transparency_as_exactly_as_its_alpha_quality_says() {
    let alphas = |picture: &Picture| picture.to_rgba().iter().map(|pixel| pixel[3]).collect::<Vec<_>>();
    let at = |alpha_quality| {
        let encoding = Encoding { quality: 80, alpha_quality, ..Encoding::default() };
        alphas(&back(&made(&gradient(true), MediaType::WebP, &encoding, 1)))
    };
    assert_eq!(at(100), alphas(&gradient(true)));
    assert_ne!(at(10), alphas(&gradient(true)));
}

#[test]
fn more_colour_in_a_jpeg_comes_closer_and_costs_bytes() {
    // Red and blue columns: what is lost when four pixels share a colour.
    let size = Dimensions { width: 64, height: 64 };
    let stripes = (0..64 * 64).flat_map(|n| if n % 2 == 0 { [220, 40, 40] } else { [40, 40, 220] }).collect();
    let stripes = Picture::rgb(size, stripes).unwrap();
    let at = |chroma| {
        let file = made(&stripes, MediaType::Jpeg, &Encoding { chroma, ..Encoding::default() }, 1);
        (difference(&back(&file), &stripes), file.bytes)
    };
    let (full, half, quarter) = (at(Chroma::Full), at(Chroma::Half), at(Chroma::Quarter));
    assert!(full.0 < 8.0 && half.0 > 30.0 && quarter.0 > 30.0, "{} {} {}", full.0, half.0, quarter.0);
    // The sampling factors of the first component stand 11 bytes after the start of the frame header.
    let factors = |bytes: &Bytes| bytes[bytes.windows(2).position(|part| part == [0xff, 0xc0]).unwrap() + 11];
    assert_eq!([factors(&full.1), factors(&half.1), factors(&quarter.1)], [0x11, 0x21, 0x22]);
}

#[test]
fn a_progressive_jpeg_has_the_same_pixels_in_another_order() {
    let picture = busy(150, 100);
    let of = |progressive| made(&picture, MediaType::Jpeg, &Encoding { progressive, ..Encoding::default() }, 1);
    let has = |file: &ImageFile, marker: u8| file.bytes.windows(2).any(|part| part == [0xff, marker]);
    assert!(has(&of(true), 0xc2) && !has(&of(false), 0xc2));
    assert_eq!(back(&of(true)), back(&of(false)));
}

/// The encoder's own file in one piece, with the standard tables: what the joined bands must not differ from in pixels.
fn plain_jpeg(picture: &Picture, sampling: jpeg_encoder::SamplingFactor) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
    encoder.set_sampling_factor(sampling);
    encoder.set_chroma_subsampling_method(jpeg_encoder::ChromaSubsamplingMethod::Average);
    let size = picture.size();
    encoder.encode(picture.pixels(), size.width as u16, size.height as u16, jpeg_encoder::ColorType::Rgb).unwrap();
    bytes
}

#[test]
fn joined_bands_have_the_pixels_of_one_piece_in_fewer_bytes_on_any_number_of_threads() {
    use jpeg_encoder::SamplingFactor as F;
    for (chroma, sampling) in [(Chroma::Quarter, F::F_2_2), (Chroma::Half, F::F_2_1), (Chroma::Full, F::F_1_1)] {
        let picture = busy(77, 601);
        let encoding = Encoding { chroma, ..Encoding::default() };
        let files = [1, 2, 5].map(|threads| made(&picture, MediaType::Jpeg, &encoding, threads));
        assert!(files[0] == files[1] && files[1] == files[2]);
        let plain = plain_jpeg(&picture, sampling);
        assert_eq!(back(&files[0]), decode(&plain, Limits::DEFAULT).unwrap().picture, "{chroma:?}");
        assert!(files[0].bytes.len() < plain.len(), "{} and {}", files[0].bytes.len(), plain.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_jpeg_of_any_size_and_quality_has_the_pixels_of_the_encoders_own(
        (width, height) in (1_u32..70, 1_u32..70), quality in 1_u8..=100, seed: u32,
    ) {
        let noise = |n: u32| (n.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 24) as u8;
        let pixels = (0..width * height * 3).map(noise).collect();
        let picture = Picture::rgb(Dimensions { width, height }, pixels).unwrap();
        let file = encode(&picture, MediaType::Jpeg, quality).unwrap();
        let mut plain = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut plain, quality);
        encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
        encoder.set_chroma_subsampling_method(jpeg_encoder::ChromaSubsamplingMethod::Average);
        encoder.encode(picture.pixels(), width as u16, height as u16, jpeg_encoder::ColorType::Rgb).unwrap();
        prop_assert_eq!(back(&file), decode(&plain, Limits::DEFAULT).unwrap().picture);
    }
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
    assert_eq!(target(OutputFormat::Avif, MediaType::Png, false), MediaType::Avif);
}

#[test]
fn values_out_of_range_are_errors_that_name_the_range() {
    let usual = Encoding::default();
    let cases = [
        (Encoding { quality: 0, ..usual }, "quality is out of range (value=0, accepted=1 to 100)"),
        (Encoding { quality: 101, ..usual }, "quality is out of range (value=101, accepted=1 to 100)"),
        (Encoding { alpha_quality: 0, ..usual }, "alpha_quality is out of range (value=0, accepted=1 to 100)"),
        (Encoding { effort: Some(11), ..usual }, "effort is out of range (value=11, accepted=1 to 10)"),
        (Encoding { colors: Some(1), ..usual }, "colors is out of range (value=1, accepted=2 to 256)"),
    ];
    for (encoding, message) in cases {
        let error = encode_as(&gradient(false), MediaType::Png, &encoding, Threads::ONE).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Invalid, message));
    }
}

#[test]
fn a_format_that_cannot_be_written_and_a_side_too_long_are_errors() {
    let error = encode(&gradient(false), MediaType::Gif, 90).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let long = Picture::rgb(Dimensions { width: 16_384, height: 1 }, vec![0; 3 * 16_384]).unwrap();
    assert_eq!(encode(&long, MediaType::WebP, 90).unwrap_err().kind(), ErrorKind::Unsupported);
    let longer = Picture::rgb(Dimensions { width: 65_536, height: 1 }, vec![0; 3 * 65_536]).unwrap();
    assert_eq!(encode(&longer, MediaType::Jpeg, 90).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[cfg(not(feature = "avif"))]
#[test]
fn without_its_feature_avif_is_refused_with_what_can_be_written() {
    let error = encode(&gradient(false), MediaType::Avif, 90).unwrap_err().to_string();
    assert!(error.contains("format=image/avif, accepted=png, jpeg, webp"), "{error}");
}

#[cfg(feature = "avif")]
#[test]
fn avif_is_written_the_same_every_time_and_quality_costs_bytes() {
    let at = |quality| encode(&gradient(true), MediaType::Avif, quality).unwrap().bytes;
    assert_eq!(&at(60)[4..12], b"ftypavif");
    assert_eq!(at(60), at(60));
    assert!(at(90).len() > at(20).len());
}
