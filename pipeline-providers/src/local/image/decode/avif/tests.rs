//! Tests of reading AVIF: what our encoder writes comes back, and nothing that is broken does harm.

use pipeline_core::error::ErrorKind;
use pipeline_core::model::MediaType;
use pipeline_core::provider::Dimensions;

use super::super::super::{Limits, Picture, encode};
use super::super::{decode, probe};

/// Soft colours, and transparency that grows from left to right where it is wanted.
fn scene(width: u32, height: u32, alpha: bool) -> Picture {
    let size = Dimensions { width, height };
    let pixels = (0..width * height).flat_map(|n| {
        let (x, y) = (n % width, n / width);
        let colour = [(x * 255 / width) as u8, (y * 255 / height) as u8, 128 - (x * 60 / width) as u8];
        colour.into_iter().chain(alpha.then_some((40 + x * 200 / width) as u8))
    });
    if alpha { Picture::rgba(size, pixels.collect()) } else { Picture::rgb(size, pixels.collect()) }.unwrap()
}

fn file(picture: &Picture, quality: u8) -> Vec<u8> {
    encode(picture, MediaType::Avif, quality).unwrap().bytes.to_vec()
}

/// The mean difference of the samples at places from `from` on in each pixel of so many.
fn difference(one: &Picture, other: &Picture, from: usize, of: usize) -> f64 {
    assert_eq!((one.size(), one.channels()), (other.size(), other.channels()));
    let chosen = |picture: &Picture| -> Vec<u8> {
        picture.pixels().chunks(of).flat_map(|pixel| pixel[from..].to_vec()).collect()
    };
    let (one, other) = (chosen(one), chosen(other));
    let sum: u32 = one.iter().zip(&other).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
    f64::from(sum) / one.len() as f64
}

/// Writes bytes over the ones that follow a name, which is there once.
fn overwrite(file: &mut [u8], name: &[u8], skip: usize, bytes: &[u8]) {
    let at = file.windows(name.len()).position(|found| found == name).unwrap() + name.len() + skip;
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

#[test]
fn avif_that_we_write_comes_back() {
    for (width, height) in [(1, 1), (7, 3), (16, 16), (45, 31), (130, 67)] {
        for alpha in [false, true] {
            let picture = scene(width, height, alpha);
            let bytes = file(&picture, 95);
            assert_eq!(probe(&bytes).unwrap(), (MediaType::Avif, picture.size()));
            let found = decode(&bytes, Limits::DEFAULT).unwrap();
            assert_eq!((found.media_type, found.orientation.value(), found.colours), (MediaType::Avif, 1, None));
            let of = if alpha { 4 } else { 3 };
            let whole = difference(&picture, &found.picture, 0, of);
            assert!(whole < 2.5, "{width}x{height} alpha {alpha}: {whole}");
            if alpha {
                let transparency = difference(&picture, &found.picture, 3, 4);
                assert!(transparency < 0.5, "{width}x{height}: {transparency}");
            }
        }
    }
}

#[test]
fn avif_decodes_the_same_every_time() {
    let bytes = file(&scene(45, 31, true), 60);
    let once = || decode(&bytes, Limits::DEFAULT).unwrap().picture;
    assert_eq!(once(), once());
}

#[test]
fn an_avif_beyond_the_limits_is_refused_before_it_is_decoded() {
    // What is coded is garbled: only a decoder would notice.
    let mut bytes = file(&scene(45, 31, true), 80);
    let length = bytes.len();
    bytes[length - 20..].fill(0xff);
    let refused = |limits| decode(&bytes, limits).unwrap_err().to_string();
    assert!(refused(Limits { max_side: 44, ..Limits::DEFAULT }).contains("size=45x31, accepted=at most 44 pixels"));
    assert!(refused(Limits { max_pixels: 1_394, ..Limits::DEFAULT }).contains("at most 1394 pixels in all"));
    assert!(refused(Limits { max_memory: 10_000, ..Limits::DEFAULT }).contains("too much memory"));
    let over = Limits::DEFAULT.until(Some(std::time::Instant::now()));
    assert_eq!(decode(&bytes, over).unwrap_err().kind(), ErrorKind::Timeout);
}

#[test]
fn an_avif_whose_header_claims_another_size_is_corrupt() {
    let good = file(&scene(45, 31, false), 80);
    for (width, height) in [(46, 31), (45, 32), (44, 31), (1, 1), (9_000, 9_000)] {
        let mut bytes = good.clone();
        overwrite(&mut bytes, b"ispe", 4, &[u32::to_be_bytes(width), u32::to_be_bytes(height)].concat());
        let error = decode(&bytes, Limits::DEFAULT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{width}x{height}: {error}");
    }
}

#[test]
fn kinds_of_avif_that_are_not_read_are_named() {
    let good = file(&scene(45, 31, false), 80);
    let message = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        let error = decode(&bytes, Limits::DEFAULT).unwrap_err();
        (error.kind(), error.to_string())
    };
    let (kind, grid) = message(&|bytes| {
        let at = bytes.windows(4).position(|found| found == b"infe").unwrap();
        overwrite(&mut bytes[at..], b"av01", 0, b"");
        let item = at + bytes[at..].windows(4).position(|found| found == b"av01").unwrap();
        bytes[item..item + 4].copy_from_slice(b"grid");
    });
    assert_eq!((kind, grid.contains("found=a grid of pictures")), (ErrorKind::Unsupported, true), "{grid}");
    let (kind, many) = message(&|bytes| {
        // The only item of the list, and then very many associations.
        let at = bytes.windows(4).position(|found| found == b"ipma").unwrap();
        let count = at + 4 + 4 + 4 + 2;
        bytes[count] = 255;
    });
    assert_eq!((kind, many.is_empty()), (ErrorKind::Corrupt, false), "{many}");
    let sequence = b"\0\0\0\x14ftypavis\0\0\0\0avis\0\0\0\x08moov";
    let error = decode(sequence, Limits::DEFAULT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("a sequence without a picture beside it"), "{error}");
    let nothing = decode(b"\0\0\0\x14ftypavif\0\0\0\0avif", Limits::DEFAULT).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::Corrupt);
}

#[test]
fn an_avif_cut_anywhere_is_corrupt() {
    let good = file(&scene(45, 31, true), 50);
    for length in 16..good.len() {
        let error = decode(&good[..length], Limits::DEFAULT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "cut at {length} of {}: {error}", good.len());
    }
}

#[test]
fn a_flipped_byte_in_an_avif_does_no_harm() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    let limits = Limits { max_side: 2_000, max_pixels: 1_000_000, ..Limits::DEFAULT };
    for alpha in [false, true] {
        let good = file(&scene(45, 31, alpha), 50);
        for _ in 0..1_000 {
            let mut bytes = good.clone();
            let at = 12 + random() % (bytes.len() - 12);
            bytes[at] ^= 1 + (random() % 255) as u8;
            match decode(&bytes, limits) {
                Ok(found) => assert!(found.picture.width() > 0),
                Err(error) => {
                    assert!(
                        matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported),
                        "byte {at}: {error:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn avif_that_others_write_is_read() {
    // Red beside blue, 32 by 20. Made by us with Pillow: room below black, colour for four pixels, a quarter to turn.
    let found = decode(include_bytes!("../fixtures/turned.avif"), Limits::DEFAULT).unwrap();
    assert_eq!((found.orientation.value(), found.picture.size()), (6, Dimensions { width: 32, height: 20 }));
    let near = |picture: &Picture, x: usize, y: usize, expected: &[u8]| {
        let pixel = &picture.row(y)[x * picture.channels()..][..picture.channels()];
        assert!(pixel.iter().zip(expected).all(|(a, b)| a.abs_diff(*b) <= 4), "{pixel:?} is not {expected:?}");
    };
    near(&found.picture, 3, 3, &[200, 30, 30]);
    near(&found.picture, 28, 17, &[20, 40, 180]);
    let upright = found.upright().unwrap();
    assert_eq!(upright.size(), Dimensions { width: 20, height: 32 });
    near(&upright, 3, 3, &[200, 30, 30]);
    near(&upright, 3, 28, &[20, 40, 180]);
    // The same, half transparent, with colours multiplied by that, and colour for two pixels.
    let found = decode(include_bytes!("../fixtures/premultiplied.avif"), Limits::DEFAULT).unwrap().picture;
    near(&found, 3, 3, &[200, 30, 30, 128]);
    near(&found, 28, 17, &[20, 40, 180, 128]);
}
