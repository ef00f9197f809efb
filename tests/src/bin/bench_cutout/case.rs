//! A picture whose subject is known.

use pipeline::providers::local::image::Picture;
use pipeline_core::provider::Dimensions;

/// A picture and the opacity its subject ought to have.
#[derive(Debug)]
pub(crate) struct Case {
    /// What it stands for.
    pub(crate) group: String,
    /// Which one of them.
    pub(crate) what: String,
    /// An opaque picture.
    pub(crate) picture: Picture,
    /// One byte a pixel.
    pub(crate) truth: Vec<u8>,
}

impl Case {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.group, self.what)
    }

    /// Puts a subject on a ground, both painted by functions of the place.
    pub(crate) fn composed(
        (group, what): (&str, String),
        size: Dimensions,
        subject: impl Fn(u32, u32) -> [u8; 4],
        ground: impl Fn(u32, u32) -> [u8; 3],
    ) -> Self {
        let (mut pixels, mut truth) = (Vec::new(), Vec::new());
        for y in 0..size.height {
            for x in 0..size.width {
                let ([red, green, blue, alpha], behind) = (subject(x, y), ground(x, y));
                let share = f32::from(alpha) / 255.0;
                let mixed = [red, green, blue].into_iter().zip(behind);
                pixels.extend(mixed.map(|(front, behind)| {
                    (f32::from(front) * share + f32::from(behind) * (1.0 - share)).round() as u8
                }));
                truth.push(alpha);
            }
        }
        Self { group: group.to_owned(), what, picture: Picture::rgb(size, pixels).unwrap(), truth }
    }
}
