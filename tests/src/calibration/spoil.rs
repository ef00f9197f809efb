//! What is done to a good picture, by code: faults that a rule should find, and changes that leave a picture the same to
//! the eye.

use pipeline::providers::local::image::{Limits, Picture, decode, encode, shrink_to};
use pipeline_core::Result;
use pipeline_core::model::MediaType;
use pipeline_core::provider::Dimensions;

use super::draws;

/// A fault, with the strengths it is tried at and the measure that should find it.
#[derive(Clone, Copy, Debug)]
pub struct Spoil {
    /// What is done.
    pub name: &'static str,
    /// What the strength is.
    pub unit: &'static str,
    /// From weak to strong.
    pub strengths: &'static [f64],
    /// The measures that are meant to find it.
    pub found_by: &'static [&'static str],
    apply: fn(&Picture, f64) -> Result<Picture>,
}

impl Spoil {
    /// Spoils a picture without transparency.
    ///
    /// # Errors
    /// Those of decoding, encoding and scaling.
    pub fn apply(&self, picture: &Picture, strength: f64) -> Result<Picture> {
        (self.apply)(picture, strength)
    }
}

/// All faults.
pub const SPOILS: &[Spoil] = &[
    Spoil {
        name: "gaussian blur",
        unit: "standard deviation, pixels",
        strengths: &[1.0, 2.0, 3.0, 5.0, 8.0],
        found_by: &["sharpness", "brisque"],
        apply: blur,
    },
    Spoil {
        name: "motion blur",
        unit: "pixels across",
        strengths: &[5.0, 9.0, 15.0, 25.0],
        found_by: &["sharpness", "brisque"],
        apply: motion,
    },
    Spoil {
        name: "down and up again",
        unit: "times smaller",
        strengths: &[2.0, 3.0, 4.0, 8.0],
        found_by: &["sharpness", "brisque"],
        apply: rescale,
    },
    Spoil {
        name: "noise",
        unit: "standard deviation, levels",
        strengths: &[5.0, 10.0, 15.0, 20.0, 30.0],
        found_by: &["noise", "brisque"],
        apply: noise,
    },
    Spoil {
        name: "underexposure",
        unit: "stops",
        strengths: &[1.0, 2.0, 3.0, 4.0, 5.0],
        found_by: &["brightness", "clipped_shadows", "contrast", "entropy"],
        apply: |picture, stops| expose(picture, -stops),
    },
    Spoil {
        name: "overexposure",
        unit: "stops",
        strengths: &[1.0, 2.0, 3.0, 4.0],
        found_by: &["brightness", "clipped_highlights", "clipping", "entropy"],
        apply: expose,
    },
    Spoil {
        name: "low contrast",
        unit: "times less",
        strengths: &[2.0, 3.0, 5.0, 10.0],
        found_by: &["contrast", "entropy"],
        apply: |picture, times| each(picture, |value| 128.0 + (value - 128.0) / times),
    },
    Spoil {
        name: "jpeg",
        unit: "quality",
        strengths: &[30.0, 20.0, 15.0, 10.0, 5.0],
        found_by: &["blockiness", "brisque"],
        apply: compress,
    },
    Spoil {
        name: "bars above and below",
        unit: "share of the height",
        strengths: &[0.05, 0.12, 0.25, 0.4],
        found_by: &["letterbox"],
        apply: bars,
    },
    Spoil { name: "grey", unit: "", strengths: &[1.0], found_by: &["colorfulness"], apply: |picture, _| grey(picture) },
];

/// A change by its name.
pub type Change = (&'static str, fn(&Picture) -> Result<Picture>);

/// Changes after which a picture is still the same one to the eye.
pub const CHANGES: &[Change] = &[
    ("jpeg 50", |picture| compress(picture, 50.0)),
    ("jpeg 10", |picture| compress(picture, 10.0)),
    ("half as large", |picture| shrink_to(picture, picture.width().max(picture.height()) as u32 / 2)),
    ("an eighth as large", |picture| shrink_to(picture, picture.width().max(picture.height()) as u32 / 8)),
    ("gaussian blur 3", |picture| blur(picture, 3.0)),
    ("noise 15", |picture| noise(picture, 15.0)),
    ("half a stop darker", |picture| expose(picture, -0.5)),
    ("half a stop brighter", |picture| expose(picture, 0.5)),
    ("contrast halved", |picture| each(picture, |value| 128.0 + (value - 128.0) / 2.0)),
    ("grey", grey),
    ("2 % cut off each edge", |picture| trim(picture, 0.02)),
    ("5 % cut off each edge", |picture| trim(picture, 0.05)),
    ("10 % cut off each edge", |picture| trim(picture, 0.1)),
    ("bars of 12 %", |picture| bars(picture, 0.12)),
    ("mirrored", mirror),
];

/// Changes every byte by itself.
fn each(picture: &Picture, change: impl Fn(f64) -> f64) -> Result<Picture> {
    let table: Vec<u8> = (0..=255).map(|value| change(f64::from(value)).round().clamp(0.0, 255.0) as u8).collect();
    Picture::rgb(picture.size(), picture.pixels().iter().map(|&value| table[usize::from(value)]).collect())
}

/// Light as through an aperture opened by `stops`, with a gamma of 2.2.
fn expose(picture: &Picture, stops: f64) -> Result<Picture> {
    let factor = (stops / 2.2).exp2();
    each(picture, |value| value * factor)
}

fn grey(picture: &Picture) -> Result<Picture> {
    let grey = |pixel: &[u8; 3]| {
        let [red, green, blue] = pixel.map(f64::from);
        [(0.2126 * red + 0.7152 * green + 0.0722 * blue).round() as u8; 3]
    };
    Picture::rgb(picture.size(), picture.pixels().as_chunks::<3>().0.iter().flat_map(grey).collect())
}

/// Adds the same noise, nearly normal (the sum of four even draws), to every channel on its own.
fn noise(picture: &Picture, deviation: f64) -> Result<Picture> {
    let mut draw = draws(9);
    let add = |&value: &u8| {
        let normal = ((0..4).map(|_| draw()).sum::<f64>() - 2.0) * 3.0_f64.sqrt();
        (f64::from(value) + normal * deviation).round().clamp(0.0, 255.0) as u8
    };
    Picture::rgb(picture.size(), picture.pixels().iter().map(add).collect())
}

fn blur(picture: &Picture, deviation: f64) -> Result<Picture> {
    let reach = (3.0 * deviation).ceil() as i64;
    let weights: Vec<f32> =
        (-reach..=reach).map(|x| (-(x * x) as f64 / (2.0 * deviation * deviation)).exp() as f32).collect();
    let across = convolve(picture, &weights, 1, 0)?;
    convolve(&across, &weights, 0, 1)
}

fn motion(picture: &Picture, pixels: f64) -> Result<Picture> {
    convolve(picture, &vec![1.0; pixels as usize], 1, 0)
}

/// Weighs the pixels along one direction around each one; edges are continued.
fn convolve(picture: &Picture, weights: &[f32], across: usize, down: usize) -> Result<Picture> {
    let reach = weights.len() / 2;
    let total: f32 = weights.iter().sum();
    let stride = picture.width() * 3;
    let rows: Vec<&[u8]> = picture.pixels().chunks_exact(stride).collect();
    let mut pixels = Vec::with_capacity(picture.pixels().len());
    let mut sums = vec![0.0_f32; stride];
    for y in 0..picture.height() {
        sums.fill(0.0);
        // Each row, continued on both sides, is added once for every weight, shifted.
        let continued = |row: &[u8]| {
            [row[..3].repeat(reach * across), row.to_vec(), row[stride - 3..].repeat(reach * across)].concat()
        };
        let own = continued(rows[y]);
        for (step, weight) in weights.iter().enumerate() {
            let row =
                if down > 0 { rows[(y + step).saturating_sub(reach).min(rows.len() - 1)] } else { &own[step * 3..] };
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * f32::from(*value));
        }
        pixels.extend(sums.iter().map(|sum| (sum / total).round() as u8));
    }
    Picture::rgb(picture.size(), pixels)
}

/// Smaller, and back to the same size by bilinear interpolation.
fn rescale(picture: &Picture, times: f64) -> Result<Picture> {
    let longest = picture.width().max(picture.height()) as f64;
    let small = shrink_to(picture, (longest / times).round() as u32)?;
    let place = |at: u32, length: u32, from: usize| {
        let place = ((f64::from(at) + 0.5) * from as f64 / f64::from(length) - 0.5).clamp(0.0, (from - 1) as f64);
        let first = place.floor() as usize;
        (first, (first + 1).min(from - 1), place.fract())
    };
    let Dimensions { width, height } = picture.size();
    let source = small.pixels();
    let mut pixels = Vec::with_capacity(picture.pixels().len());
    for y in 0..height {
        let (top, bottom, down) = place(y, height, small.height());
        for x in 0..width {
            let (left, right, across) = place(x, width, small.width());
            for channel in 0..3 {
                let value = |x: usize, y: usize| f64::from(source[(y * small.width() + x) * 3 + channel]);
                let upper = value(left, top) * (1.0 - across) + value(right, top) * across;
                let lower = value(left, bottom) * (1.0 - across) + value(right, bottom) * across;
                pixels.push((upper * (1.0 - down) + lower * down).round() as u8);
            }
        }
    }
    Picture::rgb(picture.size(), pixels)
}

fn compress(picture: &Picture, quality: f64) -> Result<Picture> {
    let file = encode(picture, MediaType::Jpeg, quality as u8)?;
    Ok(decode(&file.bytes, Limits::DEFAULT)?.picture)
}

/// Black bars above and below that take this share of the height together.
fn bars(picture: &Picture, share: f64) -> Result<Picture> {
    let stride = picture.width() * 3;
    let bar = (picture.height() as f64 * share / 2.0).round() as usize * stride;
    let mut pixels = picture.pixels().to_vec();
    let length = pixels.len();
    pixels[..bar].fill(0);
    pixels[length - bar..].fill(0);
    Picture::rgb(picture.size(), pixels)
}

/// Cuts this share of each side off each edge.
fn trim(picture: &Picture, share: f64) -> Result<Picture> {
    let cut = |length: usize| (length as f64 * share).round() as usize;
    let (left, top) = (cut(picture.width()), cut(picture.height()));
    let (width, height) = (picture.width() - 2 * left, picture.height() - 2 * top);
    let rows = picture.pixels().chunks_exact(picture.width() * 3).skip(top).take(height);
    let pixels = rows.flat_map(|row| &row[left * 3..(left + width) * 3]).copied().collect();
    Picture::rgb(Dimensions { width: width as u32, height: height as u32 }, pixels)
}

fn mirror(picture: &Picture) -> Result<Picture> {
    let rows = picture.pixels().chunks_exact(picture.width() * 3);
    let pixels = rows.flat_map(|row| row.as_chunks::<3>().0.iter().rev().flatten()).copied().collect();
    Picture::rgb(picture.size(), pixels)
}
