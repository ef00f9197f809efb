//! Small files of every format and kind that is read, all of them good.
#![expect(clippy::unwrap_used, reason = "an encoder that cannot write a fixed picture is a broken test kit")]

use std::io::Cursor;

use image::codecs::gif::GifEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, Frame, ImageFormat, RgbImage, RgbaImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use pipeline::core::model::MediaType;
use pipeline::core::provider::Dimensions;
use pipeline::providers::local::image::{Picture, encode};

use super::icc::{cmyk_profile, grey_profile, swapped_profile};
use super::png::{Png, packed};
use super::tiff::{Tiff, Values};
use super::webp::{extended, frame, riff, webp_chunks};

/// Width of every picture of the corpus.
const WIDTH: u32 = 45;
/// Height of every picture of the corpus: no multiple of anything.
const HEIGHT: u32 = 31;

/// A good file.
#[derive(Clone, Debug)]
pub struct Sample {
    /// What it is, with the extension of its format.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Three bytes a pixel of a picture with soft and hard edges.
pub fn scene(width: u32, height: u32) -> Vec<u8> {
    let wave = |n: u32, long: u32| (n % long).abs_diff(long / 2) * 255 / long;
    (0..width * height)
        .flat_map(|n| {
            let (x, y) = (n % width, n / width);
            let tile = if (x / 8 + y / 8) % 2 == 0 { 40 } else { 0 };
            [60 + wave(x, 48), 40 + wave(y, 64), 30 + wave(x + y, 80)].map(|value| (value + tile) as u8)
        })
        .collect()
}

/// The corpus, always the same.
pub fn corpus() -> Vec<Sample> {
    [jpegs(), pngs(), webps(), gifs(), tiffs(), bmps(), avifs()].concat()
}

/// Two files of other programs, in builds that read them.
fn avifs() -> Vec<Sample> {
    let turned = include_bytes!("../../../pipeline-providers/src/local/image/decode/fixtures/turned.avif");
    let alpha = include_bytes!("../../../pipeline-providers/src/local/image/decode/fixtures/premultiplied.avif");
    if !cfg!(feature = "avif") {
        return Vec::new();
    }
    vec![sample("turned.avif", turned.to_vec()), sample("alpha.avif", alpha.to_vec())]
}

fn sample(name: &'static str, bytes: Vec<u8>) -> Sample {
    Sample { name, bytes }
}

/// The scene with four bytes a pixel, more transparent to the right.
fn with_alpha() -> Vec<u8> {
    let pixels = scene(WIDTH, HEIGHT);
    let pixels = pixels.as_chunks::<3>().0.iter().zip(0_u32..);
    pixels.flat_map(|(&[r, g, b], n)| [r, g, b, (255 - n % WIDTH * 5) as u8]).collect()
}

/// One sample of four, at equal distances.
fn every(pixels: &[u8], step: usize) -> Vec<u8> {
    pixels.iter().step_by(step).copied().collect()
}

/// An EXIF block that says nothing but the orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    block.extend([orientation, 0, 0, 0, 0, 0, 0]);
    block
}

fn jpeg(colour: ColorType, pixels: &[u8], configure: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 85);
    configure(&mut encoder);
    encoder.encode(pixels, WIDTH as u16, HEIGHT as u16, colour).unwrap();
    bytes
}

fn jpegs() -> Vec<Sample> {
    let rgb = scene(WIDTH, HEIGHT);
    let inks = with_alpha();
    let plain = |configure: fn(&mut Encoder<&mut Vec<u8>>)| jpeg(ColorType::Rgb, &rgb, configure);
    vec![
        sample("baseline.jpg", plain(|encoder| encoder.set_sampling_factor(SamplingFactor::F_2_2))),
        sample(
            "progressive.jpg",
            plain(|encoder| {
                encoder.set_progressive(true);
                encoder.set_sampling_factor(SamplingFactor::F_2_1);
            }),
        ),
        sample(
            "restarts.jpg",
            plain(|encoder| {
                encoder.set_restart_interval(3);
                encoder.set_sampling_factor(SamplingFactor::F_1_1);
            }),
        ),
        sample("grey.jpg", jpeg(ColorType::Luma, &every(&rgb, 3), |_| {})),
        sample("cmyk.jpg", jpeg(ColorType::Cmyk, &inks, |_| {})),
        sample("ycck.jpg", jpeg(ColorType::CmykAsYcck, &inks, |_| {})),
        sample(
            "cmyk-profile.jpg",
            jpeg(ColorType::Cmyk, &inks, |encoder| encoder.add_icc_profile(&cmyk_profile()).unwrap()),
        ),
        sample(
            "turned-profile.jpg",
            plain(|encoder| {
                encoder.add_exif_metadata(&exif(6)).unwrap();
                encoder.add_icc_profile(&swapped_profile()).unwrap();
            }),
        ),
    ]
}

fn pngs() -> Vec<Sample> {
    let rgb = scene(WIDTH, HEIGHT);
    let rgba = with_alpha();
    let wide: Vec<u8> = rgb.iter().flat_map(|value| [*value, 0x5a]).collect();
    let png = |depth, colour| Png::new(WIDTH, HEIGHT, depth, colour);
    let interlaced = |file: Png| Png { interlaced: true, ..file };
    let palette: Vec<u8> = (0..=255_u8).flat_map(|n| [n, 255 - n, n / 2]).collect();
    let grey = every(&rgb, 3);
    let animated = png(8, 2).with(b"acTL", [0, 0, 0, 1, 0, 0, 0, 0]).with(
        b"fcTL",
        [&[0; 4][..], &WIDTH.to_be_bytes(), &HEIGHT.to_be_bytes(), &[0; 8], &[0, 1, 0, 10, 0, 0]].concat(),
    );
    let text = [b"Comment\0\0".as_slice(), &packed(&[b'x'; 500])].concat();
    vec![
        sample("rgb.png", png(8, 2).file(&rgb)),
        sample("rgba-interlaced.png", interlaced(png(8, 6)).file(&rgba)),
        sample("rgb16.png", png(16, 2).file(&wide)),
        sample("grey.png", png(8, 0).file(&grey)),
        sample("grey-alpha.png", png(8, 4).file(&[grey.clone(), grey.clone()].concat())),
        sample("bits.png", Png::new(8, HEIGHT, 1, 0).packed_file(&packed(&[0, 0b1011_0010].repeat(HEIGHT as usize)))),
        sample("palette.png", png(8, 3).with(b"PLTE", palette.clone()).with(b"tRNS", vec![7; 90]).file(&grey)),
        sample("palette-interlaced.png", interlaced(png(8, 3)).with(b"PLTE", palette).file(&grey)),
        sample("profile.png", png(8, 2).with_profile(&swapped_profile()).with(b"eXIf", exif(3)).file(&rgb)),
        sample("grey-profile.png", png(8, 0).with_profile(&grey_profile(256)).with(b"zTXt", text).file(&grey)),
        sample("animated.png", animated.file(&rgb)),
    ]
}

fn webps() -> Vec<Sample> {
    let size = Dimensions { width: WIDTH, height: HEIGHT };
    let lossy = |picture: &Picture| encode(picture, MediaType::WebP, 80).unwrap().bytes.to_vec();
    let opaque = lossy(&Picture::rgb(size, scene(WIDTH, HEIGHT)).unwrap());
    let clear = lossy(&Picture::rgba(size, with_alpha()).unwrap());
    let mut lossless = Vec::new();
    let encoder = WebPEncoder::new_lossless(&mut lossless);
    encoder.encode(&with_alpha(), WIDTH, HEIGHT, image::ExtendedColorType::Rgba8).unwrap();
    let coded = |file: &[u8], wanted: &[u8; 4]| {
        webp_chunks(file).into_iter().find(|(kind, _)| kind == wanted).map(|(_, content)| content).unwrap_or_default()
    };
    let (vp8, vp8l) = (coded(&opaque, b"VP8 "), coded(&lossless, b"VP8L"));
    let profile = riff(&[
        (b"VP8X", &extended(32 | 8, WIDTH, HEIGHT)),
        (b"ICCP", &swapped_profile()),
        (b"VP8 ", &vp8),
        (b"EXIF", &exif(8)),
    ]);
    let animated = riff(&[
        (b"VP8X", &extended(2 | 16, WIDTH, HEIGHT)),
        (b"ANIM", &[0; 6]),
        (b"ANMF", &frame(WIDTH, HEIGHT, b"VP8L", &vp8l)),
        (b"ANMF", &frame(WIDTH, HEIGHT, b"VP8 ", &vp8)),
    ]);
    vec![
        sample("lossy.webp", opaque),
        sample("lossy-alpha.webp", clear),
        sample("lossless.webp", lossless),
        sample("profile.webp", profile),
        sample("animated.webp", animated),
    ]
}

fn gifs() -> Vec<Sample> {
    let frames = |count: usize| {
        let mut bytes = Vec::new();
        let mut encoder = GifEncoder::new_with_speed(&mut bytes, 10);
        let frame = Frame::new(RgbaImage::from_raw(WIDTH, HEIGHT, with_alpha()).unwrap());
        encoder.encode_frames(std::iter::repeat_n(frame, count)).unwrap();
        drop(encoder);
        bytes
    };
    vec![sample("still.gif", frames(1)), sample("animated.gif", frames(4))]
}

/// The rows of a tile of 16 x 16 at a place of the scene; what lies outside is black.
fn tile(pixels: &[u8], left: u32, top: u32) -> Vec<u8> {
    let place = |n: u32| (left + n % 16, top + n / 16);
    (0..256)
        .flat_map(|n| {
            let (x, y) = place(n);
            let at = (y * WIDTH + x) as usize * 3;
            let inside = pixels.get(at..at + 3).filter(|_| x < WIDTH);
            inside.map_or([0; 3], |pixel| [pixel[0], pixel[1], pixel[2]])
        })
        .collect()
}

fn tiffs() -> Vec<Sample> {
    let rgb = scene(WIDTH, HEIGHT);
    let grey = every(&rgb, 3);
    let wide: Vec<u8> = rgb.iter().flat_map(|value| [0x5a, *value]).collect();
    let planes = [0, 1, 2].map(|plane| every(rgb.get(plane..).unwrap_or_default(), 3)).to_vec();
    let places = [0, 16].into_iter().flat_map(|top| [0, 16, 32].map(|left| (left, top)));
    let tiles = places.map(|(left, top)| packed(&tile(&rgb, left, top))).collect();
    let strips = rgb.chunks(WIDTH as usize * 3 * 8).map(packed).collect();
    let ramps = (0..768_u16).map(|n| if n < 256 { n << 8 } else { (255 - n % 256) << 8 }).collect();
    let bits = vec![0b1011_0010; WIDTH.div_ceil(8) as usize * HEIGHT as usize];
    let tiff =
        |samples, bits, photometric, compression| Tiff::new(WIDTH, HEIGHT, samples, bits, photometric, compression);
    let whole = |file: Tiff, pixels: Vec<u8>| file.strips(HEIGHT, vec![pixels]).file();
    let inks = tiff(4, 8, 5, 1).with(34_675, Values::Bytes(cmyk_profile()));
    let ycc = jpeg(ColorType::Rgb, &rgb, |encoder| encoder.set_sampling_factor(SamplingFactor::F_1_1));
    let mut lzw = Cursor::new(Vec::new());
    let encoder = tiff::encoder::TiffEncoder::new(&mut lzw).unwrap();
    let mut encoder = encoder.with_compression(tiff::encoder::Compression::Lzw);
    encoder.write_image::<tiff::encoder::colortype::RGB8>(WIDTH, HEIGHT, &rgb).unwrap();
    vec![
        sample("rgb.tif", whole(tiff(3, 8, 2, 1).with(274, Values::Short(vec![6])), rgb.clone())),
        sample("strips.tif", tiff(3, 8, 2, 8).strips(8, strips).file()),
        sample("tiles.tif", tiff(3, 8, 2, 8).tiles(16, 16, tiles).file()),
        sample("lzw.tif", lzw.into_inner()),
        sample("rgb16.tif", whole(tiff(3, 16, 2, 1), wide)),
        sample("planes.tif", tiff(3, 8, 2, 1).with(284, Values::Short(vec![2])).strips(HEIGHT, planes).file()),
        sample("grey.tif", whole(tiff(1, 8, 1, 1).with(34_675, Values::Bytes(grey_profile(256))), grey.clone())),
        sample("bits.tif", whole(tiff(1, 1, 1, 1), bits)),
        sample("palette.tif", whole(tiff(1, 8, 3, 1).with(320, Values::Short(ramps)), grey.clone())),
        sample("rgba.tif", whole(tiff(4, 8, 2, 1).with(338, Values::Short(vec![2])), with_alpha())),
        sample("cmyk.tif", whole(inks, with_alpha())),
        sample("jpeg.tif", whole(tiff(3, 8, 6, 7).with(530, Values::Short(vec![1, 1])), ycc)),
    ]
}

fn bmps() -> Vec<Sample> {
    let written = |picture: DynamicImage| {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Bmp).unwrap();
        bytes.into_inner()
    };
    let rgb = RgbImage::from_raw(WIDTH, HEIGHT, scene(WIDTH, HEIGHT)).unwrap();
    let rgba = RgbaImage::from_raw(WIDTH, HEIGHT, with_alpha()).unwrap();
    vec![sample("rgb.bmp", written(rgb.into())), sample("rgba.bmp", written(rgba.into()))]
}
