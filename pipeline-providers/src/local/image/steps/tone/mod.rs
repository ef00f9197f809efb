//! Colour and sharpness in one pass over the picture: brightness, saturation, hue, normalising and sharpening.
//!
//! All of them work in CIE Lab and are done together, without rounding to eight bits in between:
//!
//! - **Modulate** multiplies the lightness by the brightness, and the chroma by the saturation, and turns the hue.
//! - **Normalise** stretches the lightness so that, `clip` percent at both ends left aside, it reaches from 0 to 100.
//! - **Sharpen** is an unsharp mask on the lightness. The difference from the blurred lightness is added; what exceeds 2
//!   is doubled first; a pixel becomes at most 10 brighter and 20 darker. These are the curve and the numbers of
//!   `vips_sharpen` and of sharp's `sharpen({sigma})`.
//!
//! | amount a of sharpening | sigma of the Gaussian in pixels |
//! |---|---|
//! | 0 | nothing is done |
//! | 0 to 5 | 0.5 + 0.1 a |
//! | 5 to 10 | 0.2 a |
//!
//! So 5 is sigma 1, and 10 is sigma 2. The lower half is lifted because a Gaussian below half a pixel blurs nothing.
//! Colours that leave sRGB are clipped. Transparent pixels lend nothing to the blur.

mod band;
mod stretch;

#[cfg(test)]
mod tests;

use pipeline_core::error::Result;
use pipeline_core::provider::ProcessStep;

use super::super::bands::{Threads, in_bands};
use super::super::picture::Picture;
use super::in_range;

pub(super) use stretch::stretch;

/// What is done to each pixel's lightness and chroma.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tone {
    /// Factor and summand of the lightness.
    gain: f32,
    lift: f32,
    /// The matrix of `a / 500` and `b / 200`.
    turn: [[f32; 2]; 2],
    /// Half of the Gaussian of sharpening; empty without it.
    kernel: Vec<f32>,
}

impl Tone {
    /// Changes nothing.
    pub(super) const SAME: Self = Self { gain: 1.0, lift: 0.0, turn: [[1.0, 0.0], [0.0, 1.0]], kernel: Vec::new() };

    /// What a step does, and the words for it; `None` when it is another kind of step.
    ///
    /// # Errors
    /// `Invalid` for a value out of range.
    pub(super) fn of(step: &ProcessStep) -> Result<Option<(Self, Vec<String>)>> {
        match *step {
            ProcessStep::Modulate { brightness, saturation, hue } => {
                Self::modulate(brightness, saturation, hue).map(Some)
            }
            ProcessStep::Sharpen { amount } => Self::sharpen(amount).map(Some),
            _ => Ok(None),
        }
    }

    fn modulate(brightness: f32, saturation: f32, hue: f32) -> Result<(Self, Vec<String>)> {
        in_range("brightness", brightness, 0.0..=3.0)?;
        in_range("saturation", saturation, 0.0..=3.0)?;
        in_range("hue", hue, -360.0..=360.0)?;
        let (sine, cosine) = libm::sincos(f64::from(hue).to_radians());
        let (sine, cosine) = (sine as f32, cosine as f32);
        // a and b are held at different scales, 500 and 200.
        let turn = [
            [saturation * cosine, saturation * sine * (-200.0 / 500.0)],
            [saturation * sine * (500.0 / 200.0), saturation * cosine],
        ];
        let words = [("brighten", brightness, 1.0), ("saturate", saturation, 1.0), ("hue", hue, 0.0)];
        let done = words.into_iter().filter(|(_, value, same)| value != same);
        let done: Vec<String> = done.map(|(word, value, _)| format!("{word} {value}")).collect();
        let tone = if done.is_empty() { Self::SAME } else { Self { gain: brightness, turn, ..Self::SAME } };
        Ok((tone, done))
    }

    fn sharpen(amount: f32) -> Result<(Self, Vec<String>)> {
        in_range("sharpen amount", amount, 0.0..=10.0)?;
        if amount == 0.0 {
            return Ok((Self::SAME, Vec::new()));
        }
        let tone = Self { kernel: kernel((0.5 + 0.1 * amount).max(0.2 * amount)), ..Self::SAME };
        Ok((tone, vec![format!("sharpen {amount}")]))
    }

    /// Joins this with what comes after it; `None` when the two cannot be done in one pass.
    pub(super) fn then(&self, next: &Self) -> Option<Self> {
        let [[a, b], [c, d]] = next.turn;
        let [[e, f], [g, h]] = self.turn;
        // Chroma is independent of lightness, and sharpening is of the lightness alone. Lightness is clipped after each
        // step, so a second one needs a pass of its own.
        let lightness = (next.gain, next.lift) != (1.0, 0.0);
        let changed = (self.gain, self.lift) != (1.0, 0.0);
        if (lightness && (changed || !self.kernel.is_empty())) || !(self.kernel.is_empty() || next.kernel.is_empty()) {
            return None;
        }
        let source = if lightness { next } else { self };
        Some(Self {
            gain: source.gain,
            lift: source.lift,
            turn: [[a * e + b * g, a * f + b * h], [c * e + d * g, c * f + d * h]],
            kernel: if self.kernel.is_empty() { next.kernel.clone() } else { self.kernel.clone() },
        })
    }

    /// Does it.
    pub(super) fn apply(&self, picture: &mut Picture, threads: Threads) {
        if *self == Self::SAME {
            return;
        }
        let reach = self.kernel.len().saturating_sub(1);
        if picture.has_alpha() {
            in_bands(picture, reach, threads, |rows| band::change::<4>(self, rows));
        } else {
            in_bands(picture, reach, threads, |rows| band::change::<3>(self, rows));
        }
    }
}

/// Half of a Gaussian, from its middle, that sums to one with its mirror image. It ends below a tenth of its peak and is
/// counted in twentieths of it, as `vips_gaussmat` with integer precision does.
fn kernel(sigma: f32) -> Vec<f32> {
    let sigma = f64::from(sigma);
    let weight = |x: u32| libm::exp(-f64::from(x * x) / (2.0 * sigma * sigma));
    let weights: Vec<f64> = (0..64).map(weight).take_while(|w| *w >= 0.1).map(|w| libm::rint(20.0 * w)).collect();
    let sum = 2.0 * weights.iter().sum::<f64>() - 20.0;
    weights.iter().map(|weight| (weight / sum) as f32).collect()
}
