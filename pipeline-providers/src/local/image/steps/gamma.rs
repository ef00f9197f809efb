//! Gamma correction: each stored value, from 0 to 1, is raised to one over gamma.

use pipeline_core::error::Result;

use super::super::picture::Picture;
use super::in_range;

/// Corrects, and returns the words for it; one does nothing.
///
/// # Errors
/// `Invalid` for a gamma out of range.
pub(super) fn gamma(picture: &mut Picture, gamma: f32) -> Result<Option<String>> {
    in_range("gamma", gamma, 0.2..=5.0)?;
    if gamma == 1.0 {
        return Ok(None);
    }
    let corrected = |value: usize| {
        let value = libm::pow(value as f64 / 255.0, 1.0 / f64::from(gamma));
        libm::round(255.0 * value) as u8
    };
    let table: [u8; 256] = std::array::from_fn(corrected);
    let channels = picture.channels();
    for pixel in picture.pixels_mut().chunks_exact_mut(channels) {
        for value in pixel.iter_mut().take(3) {
            *value = table[usize::from(*value)];
        }
    }
    Ok(Some(format!("gamma {gamma}")))
}

#[cfg(test)]
mod tests {
    use pipeline_core::provider::Dimensions;

    use super::*;

    #[test]
    fn middle_tones_move_and_black_white_and_alpha_stay() {
        let pixels = vec![0, 64, 128, 7, 255, 255, 0, 200];
        let mut picture = Picture::rgba(Dimensions { width: 2, height: 1 }, pixels).unwrap();
        assert_eq!(gamma(&mut picture, 2.0).unwrap().as_deref(), Some("gamma 2"));
        // 255 * sqrt(64 / 255) = 127.7; 255 * sqrt(128 / 255) = 180.7.
        assert_eq!(picture.pixels(), [0, 128, 181, 7, 255, 255, 0, 200]);
        gamma(&mut picture, 0.5).unwrap();
        assert_eq!(picture.pixels()[..3], [0, 64, 128]);
        assert_eq!(gamma(&mut picture, 1.0).unwrap(), None);
    }

    #[test]
    fn a_gamma_out_of_range_is_an_error() {
        let mut picture = Picture::rgb(Dimensions { width: 1, height: 1 }, vec![1; 3]).unwrap();
        for value in [0.0, 5.1, f32::NAN] {
            assert!(gamma(&mut picture, value).unwrap_err().to_string().contains("accepted=0.2 to 5"));
        }
    }
}
