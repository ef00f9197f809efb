//! The steps of processing, and running one.

mod resize;
mod saturate;
mod sharpen;
mod trim;

use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::provider::ProcessStep;

use crate::local::cutout::{MatteCleaning, clean};

use super::limits::Limits;
use super::picture::Picture;

pub use resize::shrink_to;

/// Does one step. The text says what was done; there is none when there was nothing to do.
///
/// # Errors
/// `Invalid` for a value outside its range; `Unsupported` for an unknown step or a result beyond `limits`.
pub fn apply(step: ProcessStep, picture: Picture, limits: Limits) -> Result<(Picture, Option<String>)> {
    match step {
        ProcessStep::Trim { tolerance } => trim::trim(picture, tolerance),
        ProcessStep::Resize { width, height, fit, enlarge } => {
            resize::resize(picture, &resize::Target { width, height, fit, enlarge }, limits)
        }
        ProcessStep::Sharpen { amount } => sharpen::sharpen(picture, amount),
        ProcessStep::Saturate { factor } => saturate::saturate(picture, factor),
        ProcessStep::Flatten { background } => Ok(flatten(picture, background)),
        ProcessStep::CleanMatte { specks, holes, feather, decontaminate } => {
            clean(picture, &MatteCleaning { specks, holes, feather, decontaminate })
        }
        _ => Err(Error::new(ErrorKind::Unsupported, "this step of processing is not known here")),
    }
}

/// Puts a picture on a background, and says so when it was not opaque.
pub fn flatten(mut picture: Picture, background: [u8; 3]) -> (Picture, Option<String>) {
    let done = picture.has_alpha().then(|| {
        let [red, green, blue] = background;
        format!("flatten #{red:02x}{green:02x}{blue:02x}")
    });
    picture.flatten(background);
    (picture, done)
}

/// Refuses a value outside its range, and what is not a number.
fn in_range(name: &'static str, value: f32, greatest: f32) -> Result<()> {
    if (0.0..=greatest).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(format!("{name} is out of range"))
        .with("value", value)
        .with("accepted", format!("0 to {greatest}")))
}

#[cfg(test)]
mod tests {
    use pipeline_core::provider::Dimensions;

    use super::*;

    #[test]
    fn flattening_an_opaque_picture_is_no_step() {
        let size = Dimensions { width: 1, height: 1 };
        let opaque = Picture::rgb(size, vec![1, 2, 3]).unwrap();
        assert_eq!(flatten(opaque.clone(), [9; 3]), (opaque, None));
        let clear = Picture::rgba(size, vec![1, 2, 3, 0]).unwrap();
        let (picture, done) = flatten(clear, [255, 0, 10]);
        assert_eq!((picture.pixels(), done.as_deref()), (&[255, 0, 10][..], Some("flatten #ff000a")));
    }

    #[test]
    fn values_out_of_range_are_errors_that_name_the_range() {
        let picture = || Picture::rgb(Dimensions { width: 1, height: 1 }, vec![1, 2, 3]).unwrap();
        let steps = [
            (ProcessStep::Sharpen { amount: 10.5 }, "sharpen amount is out of range (value=10.5, accepted=0 to 10)"),
            (ProcessStep::Sharpen { amount: -0.1 }, "sharpen amount is out of range (value=-0.1, accepted=0 to 10)"),
            (ProcessStep::Saturate { factor: f32::NAN }, "saturation is out of range (value=NaN, accepted=0 to 3)"),
        ];
        for (step, message) in steps {
            let error = apply(step, picture(), Limits::DEFAULT).unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Invalid, message));
        }
    }
}
