//! How far a cut is to be believed: how likely it covers at least four fifths of the subject and of itself.
//!
//! A logistic regression over what cuts look like, learnt from 400 of them whose subject is known, scenes without one among
//! them; `docs/cutout.md` says which, and how well it tells.

use super::border::Border;
use super::lab::{Lab, apart};
use super::mixture::Mixture;
use super::plane::Plane;

/// A colour is one of the background's when it is no farther from them: the square of about three and a half standard
/// deviations.
const NEAR: f32 = 12.0;

/// What a cut looks like, each a number of about 0 to 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signs {
    /// How well colour alone tells subject and background apart as they were told apart.
    agreement: f32,
    /// How much of the border is background by what the border shows, and stayed it.
    frame: f32,
    /// How much stronger steps of colour are along the edge than within the background.
    edge: f32,
    /// How even the background is.
    evenness: f32,
    /// How little edge the subject has for its size.
    compactness: f32,
    /// How much of the subject has no colour of the border.
    novel: f32,
}

impl Signs {
    pub(super) fn read(colors: &[Lab], ground: &Mixture, subject: &Plane, said: &Plane, border: &Border) -> Self {
        let (width, height) = (subject.width(), subject.height());
        let inside = |place: usize| subject.values()[place] > 0.5;
        let mut agreed = [0_u32; 2];
        let mut all = [0_u32; 2];
        let mut near = 0;
        let mut clear = (0_u32, 0_u32);
        // Steps between neighbours: within the background, and over the edge.
        let (mut within, mut over) = ((0.0_f64, 0_u32), (0.0_f64, 0_u32));
        for place in 0..width * height {
            let group = usize::from(inside(place));
            all[group] += 1;
            agreed[group] += u32::from((said.values()[place] > 0.0) == inside(place));
            near += u32::from(group == 1 && ground.distance(&colors[place]) < NEAR);
            clear.0 += u32::from(border.seeds[place] && group == 0);
            clear.1 += u32::from(border.seeds[place]);
            let right = (place % width + 1 < width).then_some(place + 1);
            let below = (place / width + 1 < height).then_some(place + width);
            for other in [right, below].into_iter().flatten() {
                let step = f64::from(apart(&colors[place], &colors[other])).sqrt();
                match (inside(place), inside(other)) {
                    (false, false) => within = (within.0 + step, within.1 + 1),
                    (true, true) => {}
                    _ => over = (over.0 + step, over.1 + 1),
                }
            }
        }
        let share = |part: u32, whole: u32| part as f32 / whole.max(1) as f32;
        let mean = |(sum, count): (f64, u32)| (sum / f64::from(count.max(1))) as f32;
        // The edge of a circle as large: twice the root of pi times its area.
        let around = 3.545 * (all[1] as f32).sqrt();
        Self {
            agreement: share(agreed[0], all[0]).min(share(agreed[1], all[1])),
            frame: border.share * share(clear.0, clear.1),
            edge: mean(over) / (mean(over) + 4.0 * mean(within) + 1.0),
            evenness: 1.0 / (1.0 + mean(within) / 4.0),
            compactness: around / (over.1.max(1) as f32),
            novel: 1.0 - share(near, all[1]),
        }
    }

    /// Returns how far the cut is to be believed, 0 to 1.
    pub(super) fn confidence(&self) -> f32 {
        let sum =
            3.86 * self.agreement + 12.8 * self.frame + 16.4 * self.edge + 4.12 * self.compactness + 5.22 * self.novel
                - 11.37 * self.evenness
                - 24.55;
        1.0 / (1.0 + libm::expf(-sum))
    }
}
