//! The kernels of scaling.
//!
//! Lanczos is worked out with `libm`: the sine of the platform's library differs in its last bits.

use std::f64::consts::PI;

use fast_image_resize::{Filter, FilterType, ResizeAlg};
use pipeline_core::error::{Error, Result};
use pipeline_core::provider::ResizeKernel;

/// Returns the algorithm of a kernel.
///
/// # Errors
/// None that can be caused from outside.
pub(super) fn algorithm(kernel: ResizeKernel) -> Result<ResizeAlg> {
    let lanczos = |name, weight, lobes| {
        Filter::new(name, weight, lobes)
            .map(FilterType::Custom)
            .map_err(|error| Error::unexpected("the kernel cannot be made").because(error))
    };
    Ok(ResizeAlg::Convolution(match kernel {
        ResizeKernel::Nearest => return Ok(ResizeAlg::Nearest),
        ResizeKernel::Bilinear => FilterType::Bilinear,
        ResizeKernel::Cubic => FilterType::CatmullRom,
        ResizeKernel::Mitchell => FilterType::Mitchell,
        ResizeKernel::Lanczos2 => lanczos("lanczos2", |x| lobes(x, 2.0), 2.0)?,
        ResizeKernel::Lanczos3 => lanczos("lanczos3", |x| lobes(x, 3.0), 3.0)?,
    }))
}

/// A sinc under the middle lobe of a wider sinc.
fn lobes(x: f64, count: f64) -> f64 {
    if x.abs() < count { sinc(x) * sinc(x / count) } else { 0.0 }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { libm::sin(PI * x) / (PI * x) }
}

#[cfg(test)]
mod tests {
    use fast_image_resize::images::Image;
    use fast_image_resize::{PixelType, ResizeOptions, Resizer};

    use super::*;

    /// A line with one edge, made four times as long.
    fn enlarged(kernel: ResizeKernel) -> Vec<u8> {
        let line: Vec<u8> = (0..16).map(|x| if x < 8 { 60 } else { 190 }).collect();
        let source = Image::from_vec_u8(16, 1, line, PixelType::U8).unwrap();
        let mut wide = Image::new(64, 1, PixelType::U8);
        let options = ResizeOptions::new().resize_alg(algorithm(kernel).unwrap());
        Resizer::new().resize(&source, &mut wide, &options).unwrap();
        wide.into_vec()
    }

    #[test]
    fn each_kernel_treats_an_edge_in_its_own_way() {
        use ResizeKernel::{Bilinear, Cubic, Lanczos2, Lanczos3, Mitchell, Nearest};
        let colours = |line: &[u8]| line.iter().collect::<std::collections::BTreeSet<_>>().len();
        let overshoot = |kernel| enlarged(kernel).iter().max().unwrap() - 190;
        assert_eq!(colours(&enlarged(Nearest)), 2);
        assert!(colours(&enlarged(Bilinear)) > 2);
        assert_eq!((overshoot(Nearest), overshoot(Bilinear)), (0, 0));
        let rising = [Mitchell, Cubic, Lanczos2, Lanczos3].map(overshoot);
        assert!(0 < rising[0] && rising[0] < rising[1] && rising[1] < rising[3], "{rising:?}");
        assert_ne!(enlarged(Lanczos2), enlarged(Lanczos3));
    }

    #[test]
    fn lanczos_is_one_in_the_middle_and_nothing_at_whole_pixels_and_beyond_its_lobes() {
        for count in [2.0, 3.0] {
            assert_eq!(lobes(0.0, count), 1.0);
            for x in [1.0, -2.0, 3.0, 4.5] {
                assert!(lobes(x, count).abs() < 1e-15, "{x}");
            }
            assert!(lobes(1.5, count) < 0.0);
        }
    }
}
