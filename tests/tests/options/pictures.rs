//! Small pictures whose properties are known, and what can be read off a picture.

use std::path::{Path, PathBuf};

use pipeline::providers::local::image::{Limits, Picture, decode, encode};
use pipeline_core::model::MediaType;
use pipeline_core::provider::Dimensions;

/// Paints an opaque picture.
pub(crate) fn rgb(width: u32, height: u32, colour: impl Fn(u32, u32) -> [u8; 3]) -> Picture {
    let pixels = (0..width * height).flat_map(|n| colour(n % width, n / width)).collect();
    Picture::rgb(Dimensions { width, height }, pixels).unwrap()
}

/// Paints a picture with alpha.
pub(crate) fn rgba(width: u32, height: u32, colour: impl Fn(u32, u32) -> [u8; 4]) -> Picture {
    let pixels = (0..width * height).flat_map(|n| colour(n % width, n / width)).collect();
    Picture::rgba(Dimensions { width, height }, pixels).unwrap()
}

/// A colourful picture with texture: no rule of quality at its default refuses it at a side of 256 or more.
pub(crate) fn scene(width: u32, height: u32) -> Picture {
    rgb(width, height, |x, y| {
        let wave = |n: u32, long: u32| (n % long).abs_diff(long / 2) * 255 / long;
        let tile = if (x / 8 + y / 8) % 2 == 0 { 40 } else { 0 };
        [60 + wave(x, 48), 40 + wave(y, 64), 30 + wave(x + y, 80)].map(|value| (value + tile) as u8)
    })
}

/// A frame of one colour around a scene.
pub(crate) fn framed(side: u32, border: u32, frame: impl Fn(u32, u32) -> [u8; 3]) -> Picture {
    rgb(side, side, |x, y| {
        let inside = (border..side - border).contains(&x) && (border..side - border).contains(&y);
        if inside { [(20 + x) as u8, (10 + y) as u8, if (x + y) % 2 == 0 { 120 } else { 0 }] } else { frame(x, y) }
    })
}

/// An opaque red disc on nothing.
pub(crate) fn cut_out(side: u32) -> Picture {
    let middle = side / 2;
    rgba(side, side, |x, y| {
        let near = x.abs_diff(middle).pow(2) + y.abs_diff(middle).pow(2) < (side / 3).pow(2);
        if near { [200, 20, 20, 255] } else { [0, 0, 0, 0] }
    })
}

/// The side of [`matte`].
pub(crate) const MATTE_SIDE: usize = 128;

/// A cut-out that needs cleaning: a red disc with a hole, a speck beside it, and a half-transparent rim that is still green.
pub(crate) fn matte() -> Picture {
    rgba(128, 128, |x, y| {
        let far = |left: f64, top: f64| (f64::from(x) - left).hypot(f64::from(y) - top);
        match far(64.0, 64.0) {
            _ if far(74.0, 64.0) < 4.0 => [0, 0, 0, 0],
            _ if far(12.0, 12.0) < 3.0 => [200, 0, 0, 255],
            distance if distance < 40.0 => [200, 0, 0, 255],
            distance if distance < 44.0 => [0, 200, 0, 128],
            _ => [0, 0, 0, 0],
        }
    })
}

/// Writes a picture under a name whose extension says how it is encoded.
pub(crate) fn save(folder: &Path, name: &str, picture: &Picture) -> PathBuf {
    let path = folder.join(name);
    let media_type = match path.extension().and_then(|extension| extension.to_str()) {
        Some("jpg" | "jpeg") => MediaType::Jpeg,
        Some("webp") => MediaType::WebP,
        _ => MediaType::Png,
    };
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, encode(picture, media_type, 95).unwrap().bytes).unwrap();
    path
}

/// Decodes a picture file.
pub(crate) fn open(bytes: &[u8]) -> Picture {
    decode(bytes, Limits::DEFAULT).unwrap().picture
}

/// The red, green and blue of one pixel.
pub(crate) fn pixel(picture: &Picture, x: usize, y: usize) -> [u8; 3] {
    let at = (y * picture.width() + x) * picture.channels();
    picture.pixels()[at..at + 3].try_into().unwrap()
}

/// Width and height.
pub(crate) fn size(picture: &Picture) -> (usize, usize) {
    (picture.width(), picture.height())
}

/// The mean difference between the strongest and the weakest channel: 0 for grey.
pub(crate) fn colourfulness(picture: &Picture) -> f64 {
    let spread = |pixel: &[u8]| {
        let channels = &pixel[..3];
        f64::from(channels.iter().max().unwrap() - channels.iter().min().unwrap())
    };
    let pixels = picture.pixels().chunks_exact(picture.channels());
    let count = pixels.len() as f64;
    pixels.map(spread).sum::<f64>() / count
}
