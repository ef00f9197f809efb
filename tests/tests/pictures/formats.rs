//! What every format and kind of file decodes to.

use pipeline::core::ErrorKind;
use pipeline::core::provider::Dimensions;
use pipeline::providers::local::image::{Limits, Picture, decode, probe};
use pipeline_testkit::pictures::{Tiff, Values, corpus, scene};

use crate::{bytes, open, pixel};

const SIZE: Dimensions = Dimensions { width: 45, height: 31 };

/// The scene that most files of the corpus show.
fn original() -> Picture {
    Picture::rgb(SIZE, scene(45, 31)).unwrap()
}

/// The mean difference to the scene.
fn difference(picture: &Picture) -> u32 {
    let pairs = picture.pixels().iter().zip(original().pixels().to_vec());
    pairs.map(|(a, b)| u32::from(a.abs_diff(b))).sum::<u32>() / picture.pixels().len() as u32
}

#[test]
fn every_file_of_the_corpus_is_decoded_at_its_size() {
    for sample in corpus() {
        let decoded = open(&sample.bytes);
        let expected = match sample.name {
            "bits.png" => Dimensions { width: 8, height: 31 },
            "turned.avif" | "alpha.avif" => Dimensions { width: 32, height: 20 },
            _ => SIZE,
        };
        assert_eq!(decoded.picture.size(), expected, "{}", sample.name);
        let upright = decoded.orientation.size(expected);
        assert_eq!(probe(&sample.bytes).unwrap(), (decoded.media_type, upright), "{}", sample.name);
        assert!(sample.name.ends_with(decoded.media_type.extension()) || sample.name.rsplit('.').next() == Some("tif"));
    }
}

#[test]
fn files_without_loss_show_the_scene_exactly() {
    for name in [
        "rgb.png",
        "rgb16.png",
        "animated.png",
        "rgb.tif",
        "strips.tif",
        "tiles.tif",
        "lzw.tif",
        "rgb16.tif",
        "planes.tif",
        "rgb.bmp",
    ] {
        assert_eq!(open(&bytes(name)).picture, original(), "{name}");
    }
}

#[test]
fn files_with_loss_come_close_to_the_scene() {
    for name in ["baseline.jpg", "progressive.jpg", "restarts.jpg", "lossy.webp", "jpeg.tif"] {
        let error = difference(&open(&bytes(name)).picture);
        assert!(error < 9, "{name}: {error}");
    }
}

#[test]
fn alpha_comes_through_in_every_format_that_has_it() {
    for name in ["rgba-interlaced.png", "lossless.webp", "lossy-alpha.webp", "rgba.tif", "rgba.bmp"] {
        let picture = open(&bytes(name)).picture;
        let alphas = [0, 10, 44].map(|x| pixel(&picture, x, 20)[3]);
        assert_eq!(alphas, [255, 205, 35], "{name}");
    }
    let palette = open(&bytes("palette.png")).picture;
    let plain = open(&bytes("palette-interlaced.png")).picture;
    assert!(palette.has_alpha() && !plain.has_alpha());
    // A palette of 256 entries of which the first 90 are nearly clear.
    let grey = scene(45, 31)[0];
    assert_eq!(pixel(&plain, 0, 0), [grey, 255 - grey, grey / 2]);
    assert_eq!(pixel(&open(&bytes("palette.tif")).picture, 0, 0), [grey, 255 - grey, 255 - grey]);
    assert_eq!(pixel(&palette, 0, 0)[3], if grey < 90 { 7 } else { 255 });
}

#[test]
fn greys_and_single_bits_become_colour() {
    let first = scene(45, 31)[0];
    assert_eq!(pixel(&open(&bytes("grey.png")).picture, 0, 0), [first; 3]);
    assert!(pixel(&open(&bytes("grey.jpg")).picture, 0, 0)[0].abs_diff(first) < 8);
    for name in ["bits.png", "bits.tif"] {
        let picture = open(&bytes(name)).picture;
        let row: Vec<u8> = (0..8).map(|x| pixel(&picture, x, 3)[0]).collect();
        assert_eq!(row, [255, 0, 255, 255, 0, 0, 255, 0], "{name}");
    }
}

#[test]
fn of_several_pictures_in_a_file_the_first_is_taken() {
    let still = open(&bytes("still.gif")).picture;
    assert_eq!(open(&bytes("animated.gif")).picture, still);
    // A frame is laid over nothing, so what cannot be seen has no colour left.
    let (frame, whole) = (open(&bytes("animated.webp")).picture, open(&bytes("lossless.webp")).picture);
    assert_eq!((frame.size(), frame.channels()), (whole.size(), 4));
    for (of_frame, of_whole) in frame.pixels().chunks(4).zip(whole.pixels().chunks(4)) {
        assert_eq!(of_frame[3], of_whole[3]);
        let near = of_frame.iter().zip(of_whole).all(|(a, b)| a.abs_diff(*b) <= 1);
        assert!(of_whole[3] < 255 || near, "{of_frame:?} {of_whole:?}");
    }
}

#[test]
fn the_orientation_is_read_from_every_format_that_carries_it() {
    for (name, orientation) in [("turned-profile.jpg", 6), ("profile.png", 3), ("profile.webp", 8), ("rgb.tif", 6)] {
        let decoded = open(&bytes(name));
        assert_eq!(decoded.orientation.value(), orientation, "{name}");
        let turned = if orientation == 3 { (45, 31) } else { (31, 45) };
        let upright = decoded.upright().unwrap();
        assert_eq!((upright.width(), upright.height()), turned, "{name}");
    }
}

#[test]
fn inks_without_a_profile_are_mixed_as_light() {
    let inks = [[0, 0, 0, 0], [255, 0, 0, 0], [0, 255, 0, 0], [0, 0, 255, 0], [0, 0, 0, 255], [255, 0, 0, 128]];
    let strip = inks.concat();
    let file = Tiff::new(6, 1, 4, 8, 5, 1).strips(1, vec![strip]).file();
    let decoded = open(&file);
    let expected = [[255; 3], [0, 255, 255], [255, 0, 255], [255, 255, 0], [0; 3], [0, 127, 127]];
    assert_eq!(decoded.picture.pixels(), expected.concat());
    assert_eq!(decoded.colours, Some("srgb from cmyk"));
    // The same inks in a JPEG with an Adobe segment, stored inverted, and as brightness, colour and black.
    let near = |name: &str| {
        let picture = open(&bytes(name)).picture;
        let [r, g, b] = [0, 1, 2].map(|sample| u32::from(255 - scene(45, 31)[sample]));
        (pixel(&picture, 0, 0).to_vec(), [r, g, b])
    };
    for name in ["cmyk.jpg", "ycck.jpg"] {
        let (found, expected) = near(name);
        // The first pixel has full alpha in the scene, which is no ink where inks are inverted, and full where not.
        let lit = expected.map(|value| 255 - value);
        let black = found.iter().all(|value| *value < 12);
        assert!(
            black || found.iter().zip(lit).all(|(a, b)| u32::from(*a).abs_diff(b) < 16),
            "{name}: {found:?} {lit:?}"
        );
    }
    assert_eq!(open(&bytes("cmyk.jpg")).picture.size(), open(&bytes("ycck.jpg")).picture.size());
}

#[test]
fn alpha_that_was_multiplied_in_is_taken_out() {
    let file = |extra| {
        let tiff = Tiff::new(2, 1, 4, 8, 2, 1).with(338, Values::Short(vec![extra]));
        open(&tiff.strips(1, vec![vec![100, 50, 0, 128, 0, 0, 0, 0]]).file()).picture
    };
    assert_eq!(file(2).pixels(), [100, 50, 0, 128, 0, 0, 0, 0]);
    assert_eq!(file(1).pixels(), [199, 100, 0, 128, 0, 0, 0, 0]);
}

#[test]
fn every_file_of_the_corpus_cut_anywhere_is_refused() {
    for sample in corpus() {
        let length = sample.bytes.len();
        for at in (12..length).step_by(length / 60 + 1).chain([length - 2, length - 1]) {
            match decode(&sample.bytes[..at], Limits::DEFAULT) {
                Err(error) => assert!(
                    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported),
                    "{} cut at {at}: {error}",
                    sample.name
                ),
                // The last bytes of a BMP may be filling, and those of a TIFF belong to the directory.
                Ok(_) => panic!("{} cut at {at} of {length} was accepted", sample.name),
            }
        }
        let half = decode(&sample.bytes[..length / 2], Limits::DEFAULT).unwrap_err();
        assert_eq!(half.kind(), ErrorKind::Corrupt, "{} cut in half: {half}", sample.name);
    }
}

#[test]
fn kinds_that_are_not_read_say_what_is() {
    let lab = Tiff::new(2, 1, 3, 8, 8, 1).strips(1, vec![vec![0; 6]]).file();
    let error = decode(&lab, Limits::DEFAULT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().starts_with("this kind of TIFF cannot be read"), "{error}");
}

#[test]
fn bits_may_begin_at_either_end_of_a_byte() {
    let row: Vec<u8> = (0..64).collect();
    let turned: Vec<u8> = row.iter().map(|byte| byte.reverse_bits()).collect();
    let tiff = || Tiff::new(64, 2, 1, 8, 1, 1).with(266, Values::Short(vec![2]));
    let plain = Tiff::new(64, 2, 1, 8, 1, 1).strips(2, vec![row.repeat(2)]).file();
    assert_eq!(open(&tiff().strips(1, vec![turned.clone(), turned]).file()).picture, open(&plain).picture);
}

#[test]
fn a_palette_of_eight_bits_is_known_by_its_values() {
    let ramp: Vec<u16> = (0..256).collect();
    let ramps = [ramp.clone(), ramp.iter().rev().copied().collect(), vec![7; 256]].concat();
    let tiff = Tiff::new(2, 1, 1, 8, 3, 1).with(320, Values::Short(ramps)).strips(1, vec![vec![200, 10]]);
    let picture = open(&tiff.file()).picture;
    assert_eq!((pixel(&picture, 0, 0), pixel(&picture, 1, 0)), (&[200, 55, 7][..], &[10, 245, 7][..]));
}

#[test]
fn tiffs_that_would_be_read_wrongly_are_refused() {
    let planar = Tiff::new(32, 32, 3, 8, 2, 1).with(284, Values::Short(vec![2])).tiles(16, 16, vec![vec![0; 256]; 12]);
    let ramps = Values::Short(vec![0x1234; 768]);
    let alpha = Tiff::new(2, 1, 2, 8, 3, 1).with(338, Values::Short(vec![2])).with(320, ramps);
    for (file, found) in
        [(planar, "tiles of one sample each"), (alpha.strips(1, vec![vec![0; 4]]), "a palette and more")]
    {
        let error = decode(&file.file(), Limits::DEFAULT).unwrap_err();
        assert!(error.kind() == ErrorKind::Unsupported && error.to_string().contains(found), "{error}");
    }
}
