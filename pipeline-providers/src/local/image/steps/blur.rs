//! Gaussian blur of the stored values, with alpha premultiplied.
//!
//! The Gaussian ends at three sigma, where it has fallen to a hundredth. Edge pixels go on beyond the edges.

use pipeline_core::error::{Error, Result};

use super::super::bands::{Band, Threads, in_bands};
use super::super::picture::Picture;
use super::window::Window;

/// Blurs, and returns the words for it; zero does nothing.
///
/// # Errors
/// `Invalid` for a sigma out of range.
pub(super) fn blur(picture: &mut Picture, sigma: f32, threads: Threads) -> Result<Option<String>> {
    if sigma == 0.0 {
        return Ok(None);
    }
    if !(0.3..=50.0).contains(&sigma) {
        return Err(Error::invalid("blur sigma is out of range")
            .with("value", sigma)
            .with("accepted", "0, or 0.3 to 50"));
    }
    let kernel = kernel(f64::from(sigma));
    if picture.has_alpha() {
        in_bands(picture, kernel.len() - 1, threads, |band| change::<4>(&kernel, band));
    } else {
        in_bands(picture, kernel.len() - 1, threads, |band| change::<3>(&kernel, band));
    }
    Ok(Some(format!("blur {sigma}")))
}

/// Half of a Gaussian, from its middle, that sums to one with its mirror image.
fn kernel(sigma: f64) -> Vec<f32> {
    let reach = libm::ceil(3.0 * sigma) as u32;
    let weights: Vec<f64> = (0..=reach).map(|x| libm::exp(-f64::from(x * x) / (2.0 * sigma * sigma))).collect();
    let sum = 2.0 * weights.iter().sum::<f64>() - 1.0;
    weights.iter().map(|weight| (weight / sum) as f32).collect()
}

fn change<const N: usize>(kernel: &[f32], mut band: Band<'_>) {
    let (height, reach) = (band.height(), kernel.len() - 1);
    let width = band.row(band.range().start).len() / N;
    let mut windows: [Window; N] = std::array::from_fn(|_| Window::new(2 * reach + 1, width));
    let mut blurred: [Vec<f32>; N] = std::array::from_fn(|_| vec![0.0; width]);
    let mut padded = vec![0.0; width + 2 * reach];
    let readable = band.readable();
    let mut next = readable.start;
    for y in band.range() {
        while next < readable.end && next <= y + reach {
            let pixels = band.row(next).as_chunks::<N>().0;
            for (channel, window) in windows.iter_mut().enumerate() {
                for (value, pixel) in window.row_mut(next).iter_mut().zip(pixels) {
                    let opacity = if N == 4 && channel < 3 { f32::from(pixel[N - 1]) / 255.0 } else { 1.0 };
                    *value = f32::from(pixel[channel]) * opacity;
                }
            }
            next += 1;
        }
        for (window, blurred) in windows.iter().zip(&mut blurred) {
            window.blur(y, height, kernel, &mut padded, blurred);
        }
        for (x, pixel) in band.row_mut(y).as_chunks_mut::<N>().0.iter_mut().enumerate() {
            let opacity = if N == 4 { blurred[N - 1][x].max(1e-3) / 255.0 } else { 1.0 };
            for (channel, value) in pixel.iter_mut().enumerate() {
                let opacity = if channel < 3 { opacity } else { 1.0 };
                *value = (blurred[channel][x] / opacity + 0.5) as u8; // saturates at both ends
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pipeline_core::provider::Dimensions;
    use proptest::prelude::*;

    use super::*;

    fn noise(width: u32, height: u32, seed: u32) -> Picture {
        let value = |n: u32| ((n + seed).wrapping_mul(2_654_435_761) >> 24) as u8;
        Picture::rgb(Dimensions { width, height }, (0..width * height * 3).map(value).collect()).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn it_is_the_sum_over_both_axes(
            (width, height) in (1_u32..20, 1_u32..20), seed: u32, sigma in 0.3_f32..3.0,
        ) {
            let picture = noise(width, height, seed);
            let mut made = picture.clone();
            blur(&mut made, sigma, Threads::ONE).unwrap();
            let kernel = kernel(f64::from(sigma));
            let reach = kernel.len() as i64 - 1;
            for y in 0..i64::from(height) {
                for at in 0..width as usize * 3 {
                    let (x, channel) = ((at / 3) as i64, at % 3);
                    let mut sum = 0.0_f64;
                    for down in -reach..=reach {
                        for across in -reach..=reach {
                            let column = (x + across).clamp(0, i64::from(width) - 1) as usize;
                            let row = (y + down).clamp(0, i64::from(height) - 1) as usize;
                            let weight = |n: i64| f64::from(kernel[n.unsigned_abs() as usize]);
                            sum += weight(down) * weight(across) * f64::from(picture.row(row)[3 * column + channel]);
                        }
                    }
                    let found = f64::from(made.row(y as usize)[at]);
                    prop_assert!((found - sum).abs() < 0.51, "{found} for {sum}");
                }
            }
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bytes() {
        let tall = noise(40, 900, 5);
        let [one, two] = [1, 2].map(|threads| {
            let mut made = tall.clone();
            blur(&mut made, 12.0, Threads::new(threads)).unwrap();
            made
        });
        assert!(one == two && one != tall);
    }

    #[test]
    fn hidden_colours_do_not_bleed_into_visible_ones() {
        let pixels = (0..32 * 32).flat_map(|n| if n % 32 < 16 { [250, 10, 10, 255] } else { [0, 255, 0, 0] }).collect();
        let mut picture = Picture::rgba(Dimensions { width: 32, height: 32 }, pixels).unwrap();
        blur(&mut picture, 2.0, Threads::ONE).unwrap();
        assert!(picture.row(9)[15 * 4 + 3] < 200, "the edge of the alpha is soft");
        for pixel in picture.pixels().chunks_exact(4).filter(|pixel| pixel[3] > 4) {
            assert!(pixel[0].abs_diff(250) <= 1 && pixel[1].abs_diff(10) <= 1, "{pixel:?}");
        }
    }

    #[test]
    fn a_sigma_out_of_range_is_an_error_and_zero_does_nothing() {
        let mut picture = noise(4, 4, 1);
        for sigma in [-1.0, 0.2, 50.5, f32::NAN] {
            let error = blur(&mut picture, sigma, Threads::ONE).unwrap_err().to_string();
            assert!(error.contains("accepted=0, or 0.3 to 50"), "{error}");
        }
        assert_eq!(blur(&mut picture, 0.0, Threads::ONE).unwrap(), None);
        assert_eq!(picture, noise(4, 4, 1));
    }
}
