//! Telling subject from background in a small picture.
//!
//! The border gives the first background. What stands out from it, in colour and behind a barrier, is the first subject;
//! then both learn their colours from each other's remains, as in Rother et al., "GrabCut", SIGGRAPH 2004, with the guided
//! filter in place of the graph cut (Rhemann et al., "Fast Cost-Volume Filtering", CVPR 2011).

use pipeline_core::error::{Error, ErrorKind, Result};

use crate::local::image::Picture;

use super::barrier::barrier;
use super::border::Border;
use super::confidence::Signs;
use super::guided::Guide;
use super::lab::{Lab, lab};
use super::mixture::Mixture;
use super::plane::Plane;

/// Shortest side that can be worked with.
const SHORTEST: usize = 16;
/// Least share of the border that has to be background.
const LEAST_BORDER: f32 = 0.35;
/// A subject stands out from the background by at least this, in steps of L*a*b*.
const LEAST_CONTRAST: f32 = 9.0;
/// Gaussians of each of the two.
const COLORS: usize = 5;
/// Rounds of learning from each other.
const ROUNDS: usize = 4;
/// What the colours of one pixel can say at most, as a logarithm of odds.
const LOUDEST: f32 = 5.0;
/// Share of the picture that is subject, at least and at most.
const SUBJECT: std::ops::RangeInclusive<f32> = 0.003..=0.95;

/// What was found in a small picture.
#[derive(Debug)]
pub(super) struct Segmentation {
    /// 1 where subject is, 0 where background is.
    pub(super) subject: Plane,
    /// How far that is to be believed, 0 to 1.
    pub(super) confidence: f32,
}

/// Finds the subject of an opaque picture.
///
/// # Errors
/// `Unsupported` when the picture does not say what is subject and what background.
pub(super) fn segment(picture: &Picture) -> Result<Segmentation> {
    let (width, height) = (picture.width(), picture.height());
    if width.min(height) < SHORTEST {
        return Err(undecided("the picture is too small or too narrow"));
    }
    let colors = lab(picture);
    let border = Border::read(&colors, width, height);
    if border.share < LEAST_BORDER {
        return Err(undecided("the sides of the picture have no background in common"));
    }
    let ground: Vec<Lab> =
        colors.iter().zip(&border.seeds).filter(|(_, seed)| **seed).map(|(color, _)| *color).collect();
    let ground = Mixture::learn(&ground, COLORS).ok_or_else(|| undecided("the picture has no border"))?;

    let barriers = barriers(&colors, width, height, &border.seeds);
    let contrast = highest(&barriers);
    if contrast < LEAST_CONTRAST {
        return Err(undecided("nothing stands out from the border of the picture"));
    }
    let guide = Guide::new(picture, (width.max(height) / 40).max(2), 1e-3);
    let standing_out = Plane::of(width, height, |place| {
        let distance = ground.distance(&colors[place]);
        let novelty = distance / (distance + 12.0);
        let barrier = (barriers.values()[place] / contrast).min(1.0);
        middle(place, width, height) * (0.5 * barrier + 0.5 * novelty)
    });
    let standing_out = guide.filter(&standing_out);
    let threshold = otsu(standing_out.values());
    let prior = standing_out.map(|value| (8.0 * (value - threshold)).clamp(-3.0, 3.0));

    let mut odds = prior.clone();
    let mut said = prior.clone();
    for _ in 0..ROUNDS {
        let of = |subject: bool| -> Vec<Lab> {
            let chosen = colors.iter().zip(odds.values()).filter(|(_, odds)| (**odds > 0.0) == subject);
            chosen.map(|(color, _)| *color).collect()
        };
        let (Some(subject), Some(ground)) = (Mixture::learn(&of(true), COLORS), Mixture::learn(&of(false), COLORS))
        else {
            return Err(undecided("the picture is all subject or all background"));
        };
        said = Plane::of(width, height, |place| {
            let color = &colors[place];
            (subject.log_likelihood(color) - ground.log_likelihood(color)).clamp(-LOUDEST, LOUDEST)
        });
        let joined = said.with(&prior, |said, prior| said + prior);
        odds = guide.filter(&joined);
    }
    let subject = odds.map(|odds| f32::from(odds > 0.0));
    let share = subject.values().iter().sum::<f32>() / subject.values().len() as f32;
    if !SUBJECT.contains(&share) {
        return Err(undecided("the picture is all subject or all background"));
    }
    let confidence = Signs::read(&colors, &ground, &subject, &said, &border).confidence();
    Ok(Segmentation { subject, confidence })
}

/// The error for a picture that does not say what its subject is.
pub(super) fn undecided(why: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("cannot tell the subject from the background: {why}"))
        .with("accepted", "a subject before a background that the border shows; otherwise another remover")
}

/// The barriers of the three channels together.
fn barriers(colors: &[Lab], width: usize, height: usize, seeds: &[bool]) -> Plane {
    let of = |channel: usize| barrier(&Plane::of(width, height, |place| colors[place][channel]).blurred(1), seeds);
    of(0).with(&of(1), |one, two| one + two).with(&of(2), |one, two| one + two)
}

/// A high value that is not that of a few pixels only: what one in fifty is above.
fn highest(plane: &Plane) -> f32 {
    let mut values = plane.values().to_vec();
    let place = values.len() - values.len() / 50 - 1;
    *values.select_nth_unstable_by(place, f32::total_cmp).1
}

/// Subjects are more often in the middle: 1 there, less to the corners.
fn middle(place: usize, width: usize, height: usize) -> f32 {
    let across = (place % width) as f32 / width as f32 - 0.5;
    let down = (place / width) as f32 / height as f32 - 0.5;
    1.0 - 0.8 * (across * across + down * down)
}

/// The threshold that parts values best into two groups (Otsu 1979), among 64.
fn otsu(values: &[f32]) -> f32 {
    const STEPS: usize = 64;
    let mut counts = [0.0_f64; STEPS];
    for value in values {
        counts[((value.clamp(0.0, 1.0) * STEPS as f32) as usize).min(STEPS - 1)] += 1.0;
    }
    let total: f64 = counts.iter().sum();
    let sum: f64 = counts.iter().enumerate().map(|(step, count)| step as f64 * count).sum();
    let (mut below, mut below_sum, mut best, mut found) = (0.0, 0.0, 0.0, STEPS / 2);
    for (step, count) in counts.iter().enumerate() {
        below += count;
        below_sum += step as f64 * count;
        let above = total - below;
        if below > 0.0 && above > 0.0 {
            let apart = below_sum / below - (sum - below_sum) / above;
            let between = below * above * apart * apart;
            if between > best {
                best = between;
                found = step;
            }
        }
    }
    (found + 1) as f32 / STEPS as f32
}
