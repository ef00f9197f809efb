//! Colour profiles: read from every format, converted, kept, and refused.

use jpeg_encoder::{ColorType, Encoder};
use pipeline::core::ErrorKind;
use pipeline::core::provider::ColorProfile;
use pipeline::providers::local::image::{Decoded, Limits, decode, decode_as};
use pipeline_testkit::pictures::{
    Png, Tiff, Values, cmyk_profile, grey_profile, pale_cmyk_profile, rgb_profile, riff, swapped_profile, webp_chunks,
};

use crate::{bytes, open, pixel};

const RED: [u8; 3] = [230, 20, 10];

/// A red picture of 16 x 16 in every format, with a profile.
fn red_files(profile: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let red = RED.repeat(256);
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, 95);
    encoder.add_icc_profile(profile).unwrap();
    encoder.encode(&red, 16, 16, ColorType::Rgb).unwrap();
    let image = image::DynamicImage::from(image::RgbImage::from_raw(16, 16, red.clone()).unwrap());
    let written = |format| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    let coded = webp_chunks(&written(image::ImageFormat::WebP)).remove(0).1;
    let head = [32, 0, 0, 0, 15, 0, 0, 15, 0, 0];
    let webp = riff(&[(b"VP8X", &head), (b"ICCP", profile), (b"VP8L", &coded)]);
    // The profile is cut into blocks, behind the screen and its palette.
    let plain = written(image::ImageFormat::Gif);
    let palette = if plain[10] & 0x80 == 0 { 0 } else { 3 << ((plain[10] & 7) + 1) };
    let mut gif = plain[..13 + palette].to_vec();
    gif.extend(b"\x21\xff\x0bICCRGBG1012");
    for block in profile.chunks(255) {
        gif.push(block.len() as u8);
        gif.extend_from_slice(block);
    }
    gif.push(0);
    gif.extend_from_slice(&plain[13 + palette..]);
    // A header of version 5, 24 bits, and the profile behind the pixels.
    let mut bmp = b"BM".to_vec();
    bmp.extend([0; 8]);
    bmp.extend(138_u32.to_le_bytes());
    bmp.extend([124, 0, 0, 0, 16, 0, 0, 0, 16, 0, 0, 0, 1, 0, 24, 0]);
    bmp.resize(14 + 56, 0);
    bmp.extend(b"DEBM");
    bmp.resize(14 + 112, 0);
    bmp.extend([(124 + 768_u32).to_le_bytes(), (profile.len() as u32).to_le_bytes(), [0; 4]].concat());
    bmp.extend([RED[2], RED[1], RED[0]].repeat(256));
    bmp.extend_from_slice(profile);
    vec![
        ("jpeg", jpeg),
        ("png", Png::new(16, 16, 8, 2).with_profile(profile).file(&red)),
        ("webp", webp),
        ("gif", gif),
        (
            "tiff",
            Tiff::new(16, 16, 3, 8, 2, 1).with(34_675, Values::Bytes(profile.to_vec())).strips(16, vec![red]).file(),
        ),
        ("bmp", bmp),
    ]
}

fn kept(bytes: &[u8]) -> Decoded {
    decode_as(bytes, Limits::DEFAULT, ColorProfile::Keep).unwrap()
}

#[test]
fn a_profile_is_read_from_every_format_and_its_colours_become_srgb() {
    for (format, file) in red_files(&swapped_profile()) {
        let decoded = open(&file);
        let &[red, green, blue, ..] = pixel(&decoded.picture, 8, 8) else { panic!("{format}") };
        assert!(green > 215 && red < 60 && blue < 60, "{format}: {red} {green} {blue}");
        assert_eq!((decoded.icc, decoded.colours), (None, Some("srgb from rgb profile")), "{format}");
    }
}

#[test]
fn a_kept_profile_comes_along_and_the_colours_stay() {
    for (format, file) in red_files(&swapped_profile()) {
        let decoded = kept(&file);
        let found = pixel(&decoded.picture, 8, 8);
        assert!(found.iter().zip(RED).all(|(a, b)| a.abs_diff(b) < 6), "{format}: {found:?}");
        assert_eq!(decoded.icc.as_deref(), Some(&swapped_profile()[..]), "{format}");
        assert_eq!(decoded.colours, None, "{format}");
    }
}

#[test]
fn a_profile_of_srgb_changes_nothing() {
    // The colorants of sRGB, and the gamma nearest to its curve: near black they differ by more than a step, elsewhere not.
    const PINK: [u8; 3] = [230, 120, 110];
    let near = rgb_profile([[28_574, 14_581, 912], [25_241, 46_981, 6_363], [9_376, 3_974, 46_798]], 563);
    let file = Png::new(16, 16, 8, 2).with_profile(&near).file(&PINK.repeat(256));
    let converted = open(&file);
    let found = pixel(&converted.picture, 0, 0);
    assert!(found.iter().zip(PINK).all(|(a, b)| a.abs_diff(b) <= 3), "{found:?}");
    let srgb = moxcms::ColorProfile::new_srgb().encode().unwrap();
    let file = Png::new(16, 16, 8, 2).with_profile(&srgb).file(&RED.repeat(256));
    let decoded = open(&file);
    assert_eq!((pixel(&decoded.picture, 0, 0), decoded.colours), (&RED[..], None));
}

#[test]
fn grey_profiles_are_converted_even_where_profiles_are_kept() {
    let linear = Png::new(16, 16, 8, 0).with_profile(&grey_profile(256)).file(&[128; 256]);
    for decoded in [open(&linear), kept(&linear)] {
        // Half the light is 188 of 255 in sRGB (IEC 61966-2-1).
        let found = pixel(&decoded.picture, 3, 3);
        assert!(found.iter().all(|value| value.abs_diff(188) <= 1), "{found:?}");
        assert_eq!((decoded.icc, decoded.colours), (None, Some("srgb from grey profile")));
    }
}

#[test]
fn a_grey_picture_may_have_a_profile_in_colour() {
    let file = Png::new(16, 16, 8, 0)
        .with_profile(&rgb_profile([[28_574, 14_581, 912], [25_241, 46_981, 6_363], [9_376, 3_974, 46_798]], 256));
    let decoded = open(&file.file(&[128; 256]));
    assert!(pixel(&decoded.picture, 3, 3).iter().all(|value| value.abs_diff(188) <= 2));
}

#[test]
fn inks_with_a_profile_are_converted_by_it() {
    let tiff = |inks: [u8; 4]| {
        let file = Tiff::new(16, 16, 4, 8, 5, 1).with(34_675, Values::Bytes(cmyk_profile()));
        open(&file.strips(16, vec![inks.repeat(256)]).file())
    };
    let near = |decoded: &Decoded, expected: u8| {
        let found = pixel(&decoded.picture, 5, 5);
        assert!(found.iter().all(|value| value.abs_diff(expected) <= 3), "{found:?} is not {expected}");
        assert_eq!(decoded.colours, Some("srgb from cmyk profile"));
    };
    near(&tiff([0; 4]), 255);
    near(&tiff([0, 0, 0, 255]), 0);
    near(&tiff([0, 255, 0, 0]), 119); // L* = 50
    for (colour, name) in [(ColorType::Cmyk, "cmyk"), (ColorType::CmykAsYcck, "ycck")] {
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, 95);
        encoder.add_icc_profile(&cmyk_profile()).unwrap();
        // No cyan, full magenta, no yellow, no black; the encoder stores them inverted.
        encoder.encode(&[0, 255, 0, 0].repeat(256), 16, 16, colour).unwrap();
        let decoded = open(&jpeg);
        let found = pixel(&decoded.picture, 5, 5);
        assert!(found.iter().all(|value| value.abs_diff(119) <= 4), "{name}: {found:?}");
    }
}

#[test]
fn the_darkest_of_a_press_is_black() {
    let tiff = |inks: [u8; 4]| {
        let file = Tiff::new(16, 16, 4, 8, 5, 1).with(34_675, Values::Bytes(pale_cmyk_profile(40)));
        <[u8; 3]>::try_from(pixel(&open(&file.strips(16, vec![inks.repeat(256)]).file()).picture, 5, 5)).unwrap()
    };
    // L* = 50 is 119 of sRGB; in light, what lies between the black of L* = 15.7 and white is stretched.
    for (inks, expected) in [([0, 0, 0, 255], 0), ([255; 4], 0), ([0; 4], 255), ([0, 255, 0, 0], 114)] {
        let found = tiff(inks);
        assert!(found.iter().all(|value| value.abs_diff(expected) <= 3), "{inks:?}: {found:?} is not {expected}");
    }
}

#[test]
fn profiles_that_are_damaged_or_do_not_fit_are_left_out_and_that_is_said() {
    for (format, file) in red_files(&swapped_profile()[..100]) {
        let decoded = open(&file);
        let found = pixel(&decoded.picture, 8, 8);
        assert!(found.iter().zip(RED).all(|(a, b)| a.abs_diff(b) < 6), "{format}: {found:?}");
        assert_eq!((decoded.icc, decoded.colours), (None, Some("unreadable profile left out")), "{format}");
    }
    for (format, file) in red_files(&cmyk_profile()) {
        assert_eq!(open(&file).colours, Some("unfit profile left out"), "{format}");
    }
}

#[test]
fn a_profile_with_a_part_missing_is_left_out() {
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, 95);
    encoder.add_app_segment(2, [b"ICC_PROFILE\0\x02\x02".as_slice(), &swapped_profile()].concat()).unwrap();
    encoder.encode(&RED.repeat(256), 16, 16, ColorType::Rgb).unwrap();
    assert_eq!(open(&jpeg).colours, Some("unreadable profile left out"));
}

#[test]
fn a_profile_beyond_the_limit_is_refused_in_every_format() {
    let huge = [swapped_profile(), vec![0; 4 << 20]].concat();
    for (format, file) in red_files(&huge) {
        let error = decode(&file, Limits::DEFAULT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{format}");
        assert!(error.to_string().contains("the colour profile is too large (bytes="), "{format}: {error}");
        assert!(error.to_string().contains("accepted=at most 4194304 bytes"), "{format}: {error}");
    }
}

#[test]
fn a_profile_does_not_decide_whether_a_picture_is_decoded_the_same_twice() {
    let file = bytes("turned-profile.jpg");
    assert_eq!(open(&file).picture, open(&file).picture);
}
