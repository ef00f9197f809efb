//! The steps of processing, and doing a list of them.

mod blur;
mod extract;
mod gamma;
mod lab;
mod pad;
mod resize;
mod rotate;
mod tone;
mod trim;
mod watermark;
mod window;

use std::borrow::Cow;
use std::ops::RangeInclusive;

use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::provider::{Dimensions, ProcessPart, ProcessStep};

use super::bands::Threads;
use super::limits::Limits;
use super::picture::Picture;
use crate::local::cutout::{MatteCleaning, clean};
use tone::Tone;

pub use resize::shrink_to;

/// What steps work with beside the picture.
#[derive(Clone, Copy, Debug)]
pub struct Workbench<'a> {
    /// The largest picture that is made.
    pub limits: Limits,
    /// How many threads may work on it.
    pub threads: Threads,
    /// The pictures that may be put over it, or why there is none.
    pub overlays: &'a [Result<Picture>],
    /// The parts that may fail.
    pub soft: &'a [ProcessPart],
}

/// What was done, and what failed softly.
#[derive(Debug, Default)]
pub struct Log {
    /// What was done, in order.
    pub applied: Vec<String>,
    /// What failed, and why.
    pub failed: Vec<(ProcessPart, Error)>,
}

impl Workbench<'_> {
    /// Passes an error on, or notes it when this part may fail.
    ///
    /// # Errors
    /// The error, when the part may not fail.
    pub fn tolerate(&self, part: ProcessPart, error: Error, log: &mut Log) -> Result<()> {
        if !self.soft.contains(&part) {
            return Err(error);
        }
        log.failed.push((part, error));
        Ok(())
    }

    /// Does the steps in order. Neighbours that change only colour and sharpness are done in one pass.
    ///
    /// # Errors
    /// `Invalid` for a value outside its range; `Unsupported` for an unknown step or a result beyond the limits. What may
    /// fail softly is left out and noted instead.
    pub fn run<'p>(
        &self,
        mut picture: Cow<'p, Picture>,
        steps: &[ProcessStep],
        log: &mut Log,
    ) -> Result<Cow<'p, Picture>> {
        let mut pending = Tone::SAME;
        for step in steps {
            let done = match Tone::of(step) {
                Ok(Some((tone, done))) => {
                    self.join(&mut pending, tone, &mut picture);
                    Ok(done)
                }
                Ok(None) => {
                    self.flush(&mut pending, &mut picture);
                    self.step(step, &mut picture, &mut pending)
                }
                Err(error) => Err(error),
            };
            match done {
                Ok(done) => log.applied.extend(done),
                Err(error) => self.tolerate(step.part(), error, log)?,
            }
            self.limits.check_time()?;
        }
        self.flush(&mut pending, &mut picture);
        Ok(picture)
    }

    /// Puts a change of tone after the pending one.
    fn join(&self, pending: &mut Tone, next: Tone, picture: &mut Cow<'_, Picture>) {
        match pending.then(&next) {
            Some(both) => *pending = both,
            None => {
                self.flush(pending, picture);
                *pending = next;
            }
        }
    }

    fn flush(&self, pending: &mut Tone, picture: &mut Cow<'_, Picture>) {
        let tone = std::mem::replace(pending, Tone::SAME);
        if tone != Tone::SAME {
            tone.apply(picture.to_mut(), self.threads);
        }
    }

    /// Does one step that is no mere change of tone. The picture stays as it is when it fails.
    fn step(&self, step: &ProcessStep, picture: &mut Cow<'_, Picture>, tone: &mut Tone) -> Result<Vec<String>> {
        let made = match *step {
            ProcessStep::Extract { left, top, width, height } => {
                extract::extract(picture, left, top, Dimensions { width, height })?
            }
            ProcessStep::Trim { border, tolerance } => trim::trim(picture, border, tolerance)?,
            ProcessStep::Rotate { degrees, fill } => rotate::rotate(picture, degrees, fill, self.limits, self.threads)?,
            ProcessStep::Flip => Some(rotate::mirror(picture, true)?),
            ProcessStep::Flop => Some(rotate::mirror(picture, false)?),
            ProcessStep::Resize { width, height, fit, position, kernel, enlarge, fill } => {
                let target = resize::Target { width, height, fit, position, kernel, enlarge, fill };
                resize::resize(picture, &target, self.limits)?
            }
            ProcessStep::Pad { top: 0, right: 0, bottom: 0, left: 0, .. } => None,
            ProcessStep::Pad { top, right, bottom, left, fill } => {
                let padded = pad::pad(picture, &pad::Frame { top, right, bottom, left }, fill, self.limits)?;
                Some((padded, format!("pad {top} {right} {bottom} {left}")))
            }
            ProcessStep::Gamma { gamma } => return Ok(gamma::gamma(picture.to_mut(), gamma)?.into_iter().collect()),
            ProcessStep::Blur { sigma } => {
                return Ok(blur::blur(picture.to_mut(), sigma, self.threads)?.into_iter().collect());
            }
            ProcessStep::Normalise { clip } => {
                let (stretch, done) = tone::stretch(picture, clip, self.threads)?;
                *tone = stretch;
                return Ok(done);
            }
            ProcessStep::Watermark { overlay, position, margin, scale, opacity } => {
                let placement = watermark::Placement { position, margin, scale, opacity };
                let overlay = self.overlay(overlay)?;
                return Ok(watermark::watermark(picture.to_mut(), overlay, &placement)?.into_iter().collect());
            }
            ProcessStep::Flatten { background } => return Ok(flatten(picture, background).into_iter().collect()),
            ProcessStep::CleanMatte { specks, holes, feather, decontaminate } => {
                let cleaning = MatteCleaning { specks, holes, feather, decontaminate };
                let (next, done) = clean(picture.clone().into_owned(), &cleaning)?;
                *picture = Cow::Owned(next);
                return Ok(done.into_iter().collect());
            }
            _ => return Err(Error::new(ErrorKind::Unsupported, "this step of processing is not known here")),
        };
        let Some((next, done)) = made else { return Ok(Vec::new()) };
        *picture = Cow::Owned(next);
        Ok(vec![done])
    }

    fn overlay(&self, index: usize) -> Result<&Picture> {
        match self.overlays.get(index) {
            Some(Ok(overlay)) => Ok(overlay),
            Some(Err(error)) => {
                Err(Error::new(error.kind(), "the watermark cannot be used").because(error.to_string()))
            }
            None => Err(Error::invalid("the request has no such overlay")
                .with("overlay", index)
                .with("accepted", format!("less than {}", self.overlays.len()))),
        }
    }
}

/// Puts a picture on a background, and says so when it was not opaque.
pub fn flatten(picture: &mut Cow<'_, Picture>, background: [u8; 3]) -> Option<String> {
    if !picture.has_alpha() {
        return None;
    }
    picture.to_mut().flatten(background);
    let [red, green, blue] = background;
    Some(format!("flatten #{red:02x}{green:02x}{blue:02x}"))
}

/// Refuses a value outside its range, and what is not a number.
fn in_range(name: &'static str, value: f32, range: RangeInclusive<f32>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(format!("{name} is out of range"))
        .with("value", value)
        .with("accepted", format!("{} to {}", range.start(), range.end())))
}

#[cfg(test)]
mod tests;
