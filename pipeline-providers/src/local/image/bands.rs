//! Bands of rows: what several threads work on at once in one picture.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::thread::{available_parallelism, scope};

use super::picture::Picture;

/// Rows of a band; more when each band needs many rows around it.
const ROWS: usize = 256;

/// How many threads may work on one picture. No result depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threads(usize);

impl Threads {
    /// The thread that asks.
    pub const ONE: Self = Self(1);

    /// So many; zero counts as one.
    pub fn new(count: usize) -> Self {
        Self(count.max(1))
    }

    /// One a processor core.
    pub fn available() -> Self {
        Self::new(available_parallelism().map_or(1, usize::from))
    }

    /// No more than so many.
    pub(crate) fn at_most(self, count: usize) -> Self {
        Self::new(self.0.min(count))
    }

    /// Does every job once and returns what they return, in the order of the jobs.
    pub(crate) fn run<J: Send, T: Send>(self, jobs: Vec<J>, work: impl Fn(J) -> T + Sync) -> Vec<T> {
        let threads = self.0.min(jobs.len());
        if threads <= 1 {
            return jobs.into_iter().map(work).collect();
        }
        let queue = Mutex::new(jobs.into_iter().enumerate().collect::<VecDeque<_>>());
        let worker = || {
            let mut done = Vec::new();
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some((index, job)) = next else { return done };
                done.push((index, work(job)));
            }
        };
        let mut done = scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(worker)).collect();
            let mut done = worker();
            for other in others {
                match other.join() {
                    Ok(more) => done.extend(more),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            done
        });
        done.sort_unstable_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, result)| result).collect()
    }
}

impl Default for Threads {
    fn default() -> Self {
        Self::available()
    }
}

/// Rows of a picture that one thread changes, and copies of the rows around them as they were before.
#[derive(Debug)]
pub(super) struct Band<'a> {
    rows: &'a mut [u8],
    above: Vec<u8>,
    below: Vec<u8>,
    stride: usize,
    top: usize,
    height: usize,
}

impl Band<'_> {
    /// Returns which rows of the picture it changes.
    pub(super) fn range(&self) -> Range<usize> {
        self.top..self.top + self.rows.len() / self.stride
    }

    /// Returns the rows of the picture that it can read.
    pub(super) fn readable(&self) -> Range<usize> {
        let Range { start, end } = self.range();
        start - self.above.len() / self.stride..end + self.below.len() / self.stride
    }

    /// Returns how many rows the picture has.
    pub(super) fn height(&self) -> usize {
        self.height
    }

    /// Returns a readable row of the picture, as it is now.
    pub(super) fn row(&self, y: usize) -> &[u8] {
        let (readable, own) = (self.readable(), self.range());
        let (part, first) = match y {
            y if y < own.start => (&self.above[..], readable.start),
            y if y < own.end => (&*self.rows, own.start),
            _ => (&self.below[..], own.end),
        };
        let at = y.saturating_sub(first) * self.stride;
        part.get(at..at + self.stride).unwrap_or_default()
    }

    /// Returns a row that it changes.
    pub(super) fn row_mut(&mut self, y: usize) -> &mut [u8] {
        let at = y.saturating_sub(self.top) * self.stride;
        self.rows.get_mut(at..at + self.stride).unwrap_or_default()
    }
}

/// Changes a picture in place, band by band; each can read `reach` rows beyond its own.
pub(super) fn in_bands(picture: &mut Picture, reach: usize, threads: Threads, work: impl Fn(Band<'_>) + Sync) {
    let (height, stride) = (picture.height(), picture.width() * picture.channels());
    let rows = ROWS.max(4 * reach);
    let tops: Vec<usize> = (0..height).step_by(rows).collect();
    let copy = |range: Range<usize>| picture.pixels().get(range.start * stride..range.end * stride).map(<[u8]>::to_vec);
    let around: Vec<_> = tops
        .iter()
        .map(|&top| {
            let bottom = (top + rows).min(height);
            (copy(top.saturating_sub(reach)..top), copy(bottom..(bottom + reach).min(height)))
        })
        .collect();
    let parts = picture.pixels_mut().chunks_mut(rows * stride);
    let bands = parts.zip(tops).zip(around).map(|((rows, top), (above, below))| {
        let (above, below) = (above.unwrap_or_default(), below.unwrap_or_default());
        Band { rows, above, below, stride, top, height }
    });
    threads.run(bands.collect(), work);
}

#[cfg(test)]
mod tests {
    use pipeline_core::provider::Dimensions;

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs_for_any_number_of_threads() {
        let expected: Vec<usize> = (0..100).map(|n| n * n).collect();
        for threads in [0, 1, 2, 7, 200] {
            assert_eq!(Threads::new(threads).run((0..100).collect(), |n: usize| n * n), expected);
        }
        assert!(Threads::new(2).run(Vec::<u8>::new(), |n| n).is_empty());
    }

    #[test]
    fn each_band_reads_its_surroundings_as_they_were() {
        let height = 3 * ROWS + 17;
        let pixels: Vec<u8> = (0..height).flat_map(|y| [(y % 251) as u8; 6]).collect();
        let picture = Picture::rgb(Dimensions { width: 2, height: height as u32 }, pixels).unwrap();
        for threads in [1, 3] {
            let mut summed = picture.clone();
            in_bands(&mut summed, 2, Threads::new(threads), |mut band| {
                let readable = band.readable();
                assert_eq!(readable.start, band.range().start.saturating_sub(2));
                let sums: Vec<u8> = band
                    .range()
                    .map(|y| {
                        let (up, down) = (y.saturating_sub(2), (y + 2).min(band.height() - 1));
                        band.row(up)[0].wrapping_add(band.row(down)[0])
                    })
                    .collect();
                for (y, sum) in band.range().zip(sums) {
                    band.row_mut(y).fill(sum);
                }
            });
            for y in 0..height {
                let (up, down) = (y.saturating_sub(2), (y + 2).min(height - 1));
                assert_eq!(summed.row(y)[0], picture.row(up)[0].wrapping_add(picture.row(down)[0]), "row {y}");
            }
        }
    }
}
