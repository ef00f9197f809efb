//! How likely a colour is among those of a region: a mixture of Gaussians.

use super::lab::Lab;
use super::palette::{closest, palette};

/// Colours looked at to place the Gaussians; all of them shape them.
const SAMPLES: usize = 4_000;

/// What is added to each variance: fine differences within even regions say nothing.
const FLOOR: f64 = 4.0;

/// One Gaussian: its middle, its inverse covariance and what its weight and size add to the logarithm.
#[derive(Clone, Debug)]
struct Gaussian {
    mean: [f32; 3],
    /// The upper triangle, by rows.
    inverse: [f32; 6],
    offset: f32,
}

/// A mixture of Gaussians over colours.
#[derive(Clone, Debug)]
pub(super) struct Mixture(Vec<Gaussian>);

impl Mixture {
    /// Learns at most `count` Gaussians from a region's colours; `None` when there are fewer than ten of them.
    pub(super) fn learn(colors: &[Lab], count: usize) -> Option<Self> {
        if colors.len() < 10 {
            return None;
        }
        let samples: Vec<Lab> = colors.iter().step_by(colors.len() / SAMPLES + 1).copied().collect();
        let (centers, _) = palette(&samples, count);
        let mut sums = vec![Sums::default(); centers.len()];
        for color in colors {
            if let Some(sums) = sums.get_mut(closest(color, &centers).0) {
                sums.add(color);
            }
        }
        let learned: Vec<Gaussian> = sums.iter().filter_map(|sums| sums.gaussian(colors.len())).collect();
        (!learned.is_empty()).then_some(Self(learned))
    }

    /// Returns the logarithm of the likelihood under the Gaussian that explains the colour best, up to a constant.
    pub(super) fn log_likelihood(&self, color: &Lab) -> f32 {
        self.0.iter().map(|part| part.offset - 0.5 * part.distance(color)).fold(f32::NEG_INFINITY, f32::max)
    }

    /// Returns the square of the distance to the nearest Gaussian, in its own standard deviations.
    pub(super) fn distance(&self, color: &Lab) -> f32 {
        self.0.iter().map(|part| part.distance(color)).fold(f32::INFINITY, f32::min)
    }
}

impl Gaussian {
    fn distance(&self, color: &Lab) -> f32 {
        let [x, y, z] = [color[0] - self.mean[0], color[1] - self.mean[1], color[2] - self.mean[2]];
        let [xx, xy, xz, yy, yz, zz] = self.inverse;
        xx * x * x + yy * y * y + zz * z * z + 2.0 * (xy * x * y + xz * x * z + yz * y * z)
    }
}

/// What the colours of one Gaussian add up to.
#[derive(Clone, Debug, Default)]
struct Sums {
    count: f64,
    first: [f64; 3],
    second: [f64; 6],
}

impl Sums {
    fn add(&mut self, color: &Lab) {
        let [x, y, z] = color.map(f64::from);
        self.count += 1.0;
        self.first.iter_mut().zip([x, y, z]).for_each(|(sum, value)| *sum += value);
        let products = [x * x, x * y, x * z, y * y, y * z, z * z];
        self.second.iter_mut().zip(products).for_each(|(sum, value)| *sum += value);
    }

    fn gaussian(&self, all: usize) -> Option<Gaussian> {
        if self.count < 1.0 {
            return None;
        }
        let [x, y, z] = self.first.map(|sum| sum / self.count);
        let means = [x * x, x * y, x * z, y * y, y * z, z * z];
        let mut covariance = [0.0; 6];
        for (index, value) in covariance.iter_mut().enumerate() {
            let floor = if matches!(index, 0 | 3 | 5) { FLOOR } else { 0.0 };
            *value = self.second[index] / self.count - means[index] + floor;
        }
        let [xx, xy, xz, yy, yz, zz] = covariance;
        let cofactors = [
            yy * zz - yz * yz,
            xz * yz - xy * zz,
            xy * yz - xz * yy,
            xx * zz - xz * xz,
            xy * xz - xx * yz,
            xx * yy - xy * xy,
        ];
        let determinant = xx * cofactors[0] + xy * cofactors[1] + xz * cofactors[2];
        if determinant <= 0.0 {
            return None;
        }
        let weight = self.count / all as f64;
        Some(Gaussian {
            mean: [x as f32, y as f32, z as f32],
            inverse: cofactors.map(|cofactor| (cofactor / determinant) as f32),
            offset: (libm::log(weight) - 0.5 * libm::log(determinant)) as f32,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_of_the_region_is_likelier_than_another() {
        let region: Vec<Lab> = (0..400_u16)
            .map(|n| if n % 2 == 0 { [30.0 + f32::from(n % 7), 5.0, 5.0] } else { [80.0, f32::from(n % 9), -20.0] })
            .collect();
        let mixture = Mixture::learn(&region, 3).unwrap();
        for own in [[33.0, 5.0, 5.0], [80.0, 4.0, -20.0]] {
            for other in [[55.0, 5.0, 0.0], [33.0, 40.0, 5.0]] {
                assert!(mixture.log_likelihood(&own) > mixture.log_likelihood(&other) + 3.0);
                assert!(mixture.distance(&own) < 4.0 && mixture.distance(&other) > 9.0);
            }
        }
        assert!(Mixture::learn(&region[..9], 3).is_none());
    }

    #[test]
    fn a_region_of_one_colour_has_a_model() {
        let mixture = Mixture::learn(&[[50.0, 0.0, 0.0]; 64], 5).unwrap();
        assert!(mixture.distance(&[51.0, 0.0, 0.0]) < 1.0 && mixture.distance(&[80.0, 0.0, 0.0]) > 100.0);
    }
}
