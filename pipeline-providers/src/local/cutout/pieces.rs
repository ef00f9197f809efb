//! The connected pieces of a matte, found row by row: memory goes with the number of runs, not of pixels.

use pipeline_core::error::{Error, ErrorKind, Result};

/// Most runs of pixels that are looked at; a matte with more is noise.
const MOST_RUNS: usize = 8_000_000;

/// Pixels of one row that lie side by side.
#[derive(Clone, Copy, Debug)]
struct Run {
    row: u32,
    start: u32,
    end: u32,
    parent: u32,
}

/// The pieces of what is looked for; pixels that touch at a side or a corner are of one piece.
#[derive(Debug)]
pub(super) struct Pieces {
    runs: Vec<Run>,
    /// By root: how much the piece weighs, and whether it touches the edge of the picture.
    weights: Vec<(u64, bool)>,
}

impl Pieces {
    /// Finds the pieces of the pixels that `inside` accepts; each weighs what `weight` says.
    ///
    /// # Errors
    /// `Unsupported` when there are millions of them.
    pub(super) fn find(
        alpha: &[u8],
        width: usize,
        inside: impl Fn(u8) -> bool,
        weight: impl Fn(u8) -> u64,
    ) -> Result<Self> {
        let mut runs: Vec<Run> = Vec::new();
        let mut weights = Vec::new();
        let height = alpha.len() / width.max(1);
        let mut before = 0..0;
        for (y, row) in alpha.chunks_exact(width.max(1)).enumerate() {
            let first = runs.len();
            let mut x = 0;
            while let Some(skipped) = row.get(x..).and_then(|rest| rest.iter().position(|value| inside(*value))) {
                let start = x + skipped;
                let length = row[start..].iter().position(|value| !inside(*value)).unwrap_or(width - start);
                let end = start + length;
                let edge = start == 0 || end == width || y == 0 || y + 1 == height;
                weights.push((row[start..end].iter().map(|value| weight(*value)).sum(), edge));
                runs.push(Run { row: y as u32, start: start as u32, end: end as u32, parent: runs.len() as u32 });
                x = end;
            }
            if runs.len() > MOST_RUNS {
                return Err(Error::new(ErrorKind::Unsupported, "the matte is too ragged to be cleaned")
                    .with("pieces", runs.len())
                    .with("accepted", format!("at most {MOST_RUNS} runs of pixels")));
            }
            let (mut above, mut here) = (before.start, first);
            while above < before.end && here < runs.len() {
                if runs[above].start <= runs[here].end && runs[here].start <= runs[above].end {
                    join(&mut runs, above, here);
                }
                if runs[above].end < runs[here].end { above += 1 } else { here += 1 }
            }
            before = first..runs.len();
        }
        for index in 0..runs.len() {
            let root = root(&mut runs, index);
            if root != index {
                let (weight, edge) = weights[index];
                weights[root].0 += weight;
                weights[root].1 |= edge;
            }
        }
        Ok(Self { runs, weights })
    }

    /// What the heaviest piece weighs; 0 when there is none.
    pub(super) fn heaviest(&self) -> u64 {
        self.roots().map(|index| self.weights[index].0).max().unwrap_or_default()
    }

    /// Sets every pixel of the pieces that `chosen` accepts, by weight and whether they touch the edge; returns how many
    /// pieces that were.
    pub(super) fn set(&self, alpha: &mut [u8], width: usize, to: u8, chosen: impl Fn(u64, bool) -> bool) -> usize {
        let chosen = |index: usize| chosen(self.weights[index].0, self.weights[index].1);
        for run in &self.runs {
            if chosen(run.parent as usize) {
                let row = run.row as usize * width;
                alpha[row + run.start as usize..row + run.end as usize].fill(to);
            }
        }
        self.roots().filter(|index| chosen(*index)).count()
    }

    fn roots(&self) -> impl Iterator<Item = usize> {
        self.runs.iter().enumerate().filter(|(index, run)| run.parent as usize == *index).map(|(index, _)| index)
    }
}

/// Finds the root of a run, and makes the way to it short.
fn root(runs: &mut [Run], index: usize) -> usize {
    let mut top = index;
    while runs[top].parent as usize != top {
        top = runs[top].parent as usize;
    }
    let mut at = index;
    while at != top {
        at = std::mem::replace(&mut runs[at].parent, top as u32) as usize;
    }
    top
}

fn join(runs: &mut [Run], one: usize, two: usize) {
    let (one, two) = (root(runs, one), root(runs, two));
    // The earlier one stays, so that roots do not depend on the order of joining.
    runs[one.max(two)].parent = one.min(two) as u32;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(picture: &str) -> (Vec<u8>, usize) {
        let rows: Vec<&str> = picture.split_whitespace().collect();
        (rows.concat().bytes().map(|byte| if byte == b'#' { 255 } else { 0 }).collect(), rows[0].len())
    }

    fn weights(picture: &str) -> Vec<(u64, bool)> {
        let (alpha, width) = read(picture);
        let pieces = Pieces::find(&alpha, width, |value| value > 0, |_| 1).unwrap();
        pieces.roots().map(|index| pieces.weights[index]).collect()
    }

    #[test]
    fn pixels_that_touch_at_a_side_or_a_corner_are_one_piece() {
        assert_eq!(weights("..... .#.#. ..#.. ....."), [(3, false)]);
        assert_eq!(weights("#...# #...# #####"), [(9, true)]);
        assert_eq!(weights(".......  .##.##.  ......."), [(2, false), (2, false)]);
        assert_eq!(weights("........  .#.#.#..  .#####..  ........"), [(8, false)]);
        assert_eq!(weights("....."), []);
    }

    #[test]
    fn a_spiral_is_one_piece() {
        assert_eq!(weights("####### ......# #####.# #...#.# #.###.# #.....# #######").len(), 1);
    }

    #[test]
    fn chosen_pieces_are_set_and_counted() {
        let (mut alpha, width) = read("##..# ##... .....");
        let pieces = Pieces::find(&alpha, width, |value| value > 0, |_| 1).unwrap();
        assert_eq!(pieces.heaviest(), 4);
        assert_eq!(pieces.set(&mut alpha, width, 9, |weight, _| weight < 4), 1);
        assert_eq!(alpha, [255, 255, 0, 0, 9, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
}
