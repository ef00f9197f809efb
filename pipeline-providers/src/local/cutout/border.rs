//! What the border of a picture tells of its background.

use super::lab::{Lab, apart};
use super::palette::palette;

/// Colours kept of each side.
const COLORS: usize = 5;

/// Colours of other sides nearer than this are the same background: the square of about seven just visible steps.
const NEAR: f32 = 16.0 * 16.0;

/// A colour of a side counts for the others when this share of the side has it.
const COMMON: f32 = 0.04;

/// The pixels of the border that are taken for background.
#[derive(Clone, Debug)]
pub(super) struct Border {
    /// For each pixel of the picture, whether it is such a one.
    pub(super) seeds: Vec<bool>,
    /// How much of the border they are, 0 to 1.
    pub(super) share: f32,
}

impl Border {
    /// Looks at a strip along the four sides.
    ///
    /// A colour that stands at one side only is no background: there the subject reaches out of the frame, as the shoulders
    /// of a portrait do. Grounds of several layers, such as sky over grass, stand at the left and the right side, too.
    pub(super) fn read(colors: &[Lab], width: usize, height: usize) -> Self {
        let depth = (width.min(height) / 64).max(1);
        let place = |x: usize, y: usize| y * width + x;
        let rows = |ys: std::ops::Range<usize>| -> Vec<usize> {
            ys.flat_map(|y| (0..width).map(move |x| place(x, y))).collect()
        };
        let columns = |xs: std::ops::Range<usize>| -> Vec<usize> {
            xs.flat_map(|x| (0..height).map(move |y| place(x, y))).collect()
        };
        let sides = [rows(0..depth), rows(height - depth..height), columns(0..depth), columns(width - depth..width)];
        let common = sides.each_ref().map(|side| common(&side.iter().map(|place| colors[*place]).collect::<Vec<_>>()));
        let mut seeds = vec![false; colors.len()];
        let (mut all, mut good) = (0_u32, 0_u32);
        for (index, side) in sides.iter().enumerate() {
            let others = common.iter().enumerate().filter(|(other, _)| *other != index).flat_map(|(_, colors)| colors);
            let others: Vec<Lab> = others.copied().collect();
            for place in side {
                let known = others.iter().any(|other| apart(&colors[*place], other) < NEAR);
                all += 1;
                good += u32::from(known);
                seeds[*place] |= known;
            }
        }
        Self { seeds, share: good as f32 / all.max(1) as f32 }
    }
}

fn common(side: &[Lab]) -> Vec<Lab> {
    let (centers, owners) = palette(side, COLORS);
    let share = |index: usize| owners.iter().filter(|owner| **owner == index).count() as f32 / side.len().max(1) as f32;
    centers.into_iter().enumerate().filter(|(index, _)| share(*index) >= COMMON).map(|(_, center)| center).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: Lab = [80.0, 0.0, 0.0];
    const COAT: Lab = [25.0, 20.0, -30.0];
    const GRASS: Lab = [55.0, -40.0, 40.0];

    fn read(color: impl Fn(usize, usize) -> Lab) -> Border {
        let colors: Vec<Lab> = (0..64 * 64).map(|place| color(place % 64, place / 64)).collect();
        Border::read(&colors, 64, 64)
    }

    #[test]
    fn a_subject_cut_off_by_the_frame_is_no_background() {
        let border = read(|x, y| if y > 40 && (20..44).contains(&x) { COAT } else { WALL });
        assert!(!border.seeds[63 * 64 + 32] && border.seeds[63 * 64 + 4] && border.seeds[32]);
        assert!((0.85..0.95).contains(&border.share), "{}", border.share);
    }

    #[test]
    fn layers_that_reach_the_left_and_right_side_are_background() {
        let border = read(|_, y| if y > 30 { GRASS } else { WALL });
        assert_eq!(border.share, 1.0);
    }

    #[test]
    fn a_border_of_four_unlike_sides_tells_nothing() {
        let border = read(|x, y| {
            let far = [y, 63 - y, x, 63 - x];
            let side = far.iter().position(|depth| depth == far.iter().min().unwrap()).unwrap();
            [WALL, COAT, GRASS, [50.0, 60.0, 50.0]][side]
        });
        assert!(border.share < 0.2, "{}", border.share);
    }
}
