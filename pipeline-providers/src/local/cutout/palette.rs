//! The few colours that stand for many: k-means from a start that is always the same.

use super::lab::{Lab, apart};

/// How often the colours are moved to the middle of theirs.
const ROUNDS: usize = 6;

/// Returns at most `count` colours that stand for `colors`, and for each of those which one stands for it.
///
/// The start is the mean and then, each time, the colour farthest from all chosen so far.
pub(super) fn palette(colors: &[Lab], count: usize) -> (Vec<Lab>, Vec<usize>) {
    let mut centers: Vec<Lab> = Vec::with_capacity(count);
    let mut nearest = vec![f32::INFINITY; colors.len()];
    let Some(mut next) = mean(colors.iter()) else { return (centers, Vec::new()) };
    while centers.len() < count {
        centers.push(next);
        let mut farthest = 0.0;
        for (color, nearest) in colors.iter().zip(&mut nearest) {
            *nearest = nearest.min(apart(color, &next));
            if *nearest > farthest {
                farthest = *nearest;
            }
        }
        // Nearer than people can see: there are no more colours.
        if farthest < 1.0 {
            break;
        }
        let Some(place) = nearest.iter().position(|distance| *distance >= farthest) else { break };
        next = colors[place];
    }
    let mut owners = assign(colors, &centers);
    for _ in 0..ROUNDS {
        for (index, center) in centers.iter_mut().enumerate() {
            let own = colors.iter().zip(&owners).filter(|(_, owner)| **owner == index).map(|(color, _)| color);
            if let Some(middle) = mean(own) {
                *center = middle;
            }
        }
        let moved = assign(colors, &centers);
        if moved == owners {
            break;
        }
        owners = moved;
    }
    (centers, owners)
}

fn assign(colors: &[Lab], centers: &[Lab]) -> Vec<usize> {
    colors.iter().map(|color| closest(color, centers).0).collect()
}

/// Which of the colours is closest, and the square of its distance.
pub(super) fn closest(color: &Lab, centers: &[Lab]) -> (usize, f32) {
    let distances = centers.iter().map(|center| apart(color, center)).enumerate();
    distances.fold((0, f32::INFINITY), |best, next| if next.1 < best.1 { next } else { best })
}

fn mean<'a>(colors: impl Iterator<Item = &'a Lab>) -> Option<Lab> {
    let (sum, count) = colors.fold(([0.0_f64; 3], 0_u32), |(mut sum, count), color| {
        sum.iter_mut().zip(color).for_each(|(sum, value)| *sum += f64::from(*value));
        (sum, count + 1)
    });
    (count > 0).then(|| sum.map(|sum| (sum / f64::from(count)) as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_colours_are_found_as_there_are() {
        let three = [[10.0, 0.0, 0.0], [50.0, 40.0, 0.0], [90.0, 0.0, -60.0]];
        let many: Vec<Lab> =
            (0..300).map(|place| three[place % 3].map(|value| value + (place % 5) as f32 * 0.1)).collect();
        let (centers, owners) = palette(&many, 3);
        for (color, owner) in many.iter().zip(owners) {
            assert!(apart(color, &centers[owner]) < 0.5, "{color:?} {centers:?}");
        }
        assert_eq!(palette(&[[5.0, 5.0, 5.0]; 40], 4).0, [[5.0, 5.0, 5.0]]);
        assert_eq!(palette(&[], 4), (vec![], vec![]));
    }
}
