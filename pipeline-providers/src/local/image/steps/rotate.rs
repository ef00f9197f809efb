//! Rotating and mirroring.
//!
//! Quarter turns and mirrors move whole pixels. Any other angle looks up each new pixel in the old picture, bilinearly
//! and with alpha premultiplied; the picture grows to hold it, to the nearest pixel.

use pipeline_core::error::Result;
use pipeline_core::provider::Dimensions;

use super::super::bands::Threads;
use super::super::limits::Limits;
use super::super::orient::Orientation;
use super::super::picture::Picture;
use super::in_range;

/// Rows one thread makes at a time.
const ROWS: usize = 64;

/// Returns the picture mirrored: upside down, or left to right.
pub(super) fn mirror(picture: &Picture, upside_down: bool) -> Result<(Picture, String)> {
    let (value, word) = if upside_down { (4, "flip") } else { (2, "flop") };
    Ok((turned(picture, value)?, word.to_owned()))
}

/// Returns the picture rotated clockwise, when the angle is not a whole turn, and the words for it.
///
/// # Errors
/// `Invalid` for an angle out of range; `Unsupported` when the result is beyond `limits`.
pub(super) fn rotate(
    picture: &Picture,
    degrees: f32,
    fill: [u8; 4],
    limits: Limits,
    threads: Threads,
) -> Result<Option<(Picture, String)>> {
    in_range("rotate degrees", degrees, -360.0..=360.0)?;
    let quarter =
        [(90.0, 6), (180.0, 3), (270.0, 8)].into_iter().find(|(angle, _)| *angle == degrees.rem_euclid(360.0));
    let rotated = match quarter {
        _ if degrees.rem_euclid(360.0) == 0.0 => return Ok(None),
        Some((_, orientation)) => turned(picture, orientation)?,
        None => any_angle(picture, degrees, fill, limits, threads)?,
    };
    Ok(Some((rotated, format!("rotate {degrees}"))))
}

/// Turns a picture as if it were stored with this EXIF orientation.
fn turned(picture: &Picture, orientation: u32) -> Result<Picture> {
    Orientation::new(orientation).unwrap_or(Orientation::UPRIGHT).apply(picture.clone())
}

fn any_angle(picture: &Picture, degrees: f32, fill: [u8; 4], limits: Limits, threads: Threads) -> Result<Picture> {
    let (sine, cosine) = libm::sincos(f64::from(degrees).to_radians());
    let (width, height) = (picture.width() as f64, picture.height() as f64);
    // To the nearest pixel, as libvips does: a line that is hardly covered would be fill.
    let side = |a: f64, b: f64| libm::round(a.abs() + b.abs()).max(1.0) as u32;
    let size = Dimensions { width: side(width * cosine, height * sine), height: side(width * sine, height * cosine) };
    limits.check(size)?;
    let source = Source { pixels: picture.to_rgba(), width: picture.width(), fill: premultiplied(fill) };
    let (across, down) = (size.width as usize, size.height as usize);
    let mut pixels = vec![[0; 4]; across * down];
    let (middle_x, middle_y) = (f64::from(size.width) / 2.0, f64::from(size.height) / 2.0);
    threads.run(pixels.chunks_mut(across * ROWS).enumerate().collect(), |(part, rows): (usize, &mut [[u8; 4]])| {
        for (y, row) in (part * ROWS..).zip(rows.chunks_exact_mut(across)) {
            for (x, pixel) in row.iter_mut().enumerate() {
                let (from_x, from_y) = (x as f64 + 0.5 - middle_x, y as f64 + 0.5 - middle_y);
                let x = cosine * from_x + sine * from_y + width / 2.0 - 0.5;
                let y = cosine * from_y - sine * from_x + height / 2.0 - 0.5;
                *pixel = source.between(x, y);
            }
        }
    });
    Picture::rgba(size, pixels.into_flattened())
}

/// The picture that is looked up, on an endless ground.
struct Source {
    pixels: Vec<[u8; 4]>,
    width: usize,
    fill: [f32; 4],
}

impl Source {
    fn at(&self, x: i64, y: i64) -> [f32; 4] {
        let inside = usize::try_from(x).ok().filter(|x| *x < self.width).zip(usize::try_from(y).ok());
        let pixel = inside.and_then(|(x, y)| self.pixels.get(y * self.width + x));
        pixel.map_or(self.fill, |pixel| premultiplied(*pixel))
    }

    fn between(&self, x: f64, y: f64) -> [u8; 4] {
        let (left, top) = (libm::floor(x), libm::floor(y));
        let (across, down) = ((x - left) as f32, (y - top) as f32);
        let (left, top) = (left as i64, top as i64);
        let corners = [(0, 0, 1.0 - across, 1.0 - down), (1, 0, across, 1.0 - down)];
        let corners = corners.into_iter().chain([(0, 1, 1.0 - across, down), (1, 1, across, down)]);
        let mut sum = [0.0; 4];
        for (dx, dy, across, down) in corners {
            let pixel = self.at(left + dx, top + dy);
            sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += across * down * value);
        }
        let [red, green, blue, alpha] = sum;
        if alpha <= 0.0 {
            return [0; 4];
        }
        let colour = [red, green, blue].map(|value| (value / alpha * 255.0 + 0.5) as u8);
        [colour[0], colour[1], colour[2], (alpha + 0.5) as u8]
    }
}

fn premultiplied([red, green, blue, alpha]: [u8; 4]) -> [f32; 4] {
    let opacity = f32::from(alpha);
    let [red, green, blue] = [red, green, blue].map(|value| f32::from(value) * opacity / 255.0);
    [red, green, blue, opacity]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `1 2 3 / 4 5 6`.
    fn picture() -> Picture {
        Picture::rgb(Dimensions { width: 3, height: 2 }, (1..=6).flat_map(|n| [n; 3]).collect()).unwrap()
    }

    fn red(picture: &Picture) -> Vec<u8> {
        picture.pixels().iter().step_by(picture.channels()).copied().collect()
    }

    fn rotated(picture: &Picture, degrees: f32, fill: [u8; 4], threads: usize) -> Picture {
        rotate(picture, degrees, fill, Limits::DEFAULT, Threads::new(threads)).unwrap().unwrap().0
    }

    #[test]
    fn quarter_turns_and_mirrors_move_pixels() {
        let turn = |degrees| {
            let made = rotated(&picture(), degrees, [0; 4], 1);
            (made.width(), red(&made))
        };
        assert_eq!(turn(90.0), (2, vec![4, 1, 5, 2, 6, 3]));
        assert_eq!(turn(-270.0), turn(90.0));
        assert_eq!(turn(180.0), (3, vec![6, 5, 4, 3, 2, 1]));
        assert_eq!(turn(270.0), (2, vec![3, 6, 2, 5, 1, 4]));
        assert_eq!(red(&mirror(&picture(), true).unwrap().0), [4, 5, 6, 1, 2, 3]);
        assert_eq!(red(&mirror(&picture(), false).unwrap().0), [3, 2, 1, 6, 5, 4]);
        for whole in [0.0, 360.0, -360.0] {
            assert_eq!(rotate(&picture(), whole, [0; 4], Limits::DEFAULT, Threads::ONE).unwrap(), None);
        }
    }

    #[test]
    fn any_angle_grows_the_picture_and_fills_the_corners() {
        let square = Picture::rgb(Dimensions { width: 100, height: 100 }, vec![200; 30_000]).unwrap();
        let made = rotated(&square, 45.0, [0, 0, 255, 255], 1);
        // 100 times the square root of 2 is 141.4.
        assert_eq!((made.size(), made.channels()), (Dimensions { width: 141, height: 141 }, 3));
        assert_eq!((&made.row(0)[..3], &made.row(71)[71 * 3..72 * 3]), (&[0, 0, 255][..], &[200; 3][..]));
        let clear = rotated(&square, 45.0, [0; 4], 1);
        assert_eq!((clear.channels(), clear.row(0)[3], clear.row(71)[71 * 4 + 3]), (4, 0, 255));
        // At the rim, what is half covered keeps its colour.
        assert!(clear.pixels().chunks_exact(4).filter(|pixel| pixel[3] > 9).all(|pixel| pixel[0].abs_diff(200) <= 1));
    }

    #[test]
    fn next_to_no_angle_changes_next_to_nothing() {
        let noise: Vec<u8> = (0..60 * 41_u32).flat_map(|n| [(n.wrapping_mul(2_654_435_761) >> 24) as u8; 3]).collect();
        let picture = Picture::rgb(Dimensions { width: 60, height: 41 }, noise).unwrap();
        let made = rotated(&picture, 0.01, [0, 0, 0, 255], 1);
        assert_eq!(made.size(), picture.size());
        let apart = made.pixels().iter().zip(picture.pixels()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(apart <= 3, "{apart}");
    }

    #[test]
    fn an_angle_turns_clockwise_and_a_turn_there_and_back_comes_close() {
        // A dark line from the middle up: clockwise it comes to lie to the right.
        let pixels = (0..61 * 61).flat_map(|n| [if n % 61 == 30 && n / 61 < 30 { 0 } else { 255 }; 3]).collect();
        let line = Picture::rgb(Dimensions { width: 61, height: 61 }, pixels).unwrap();
        let made = rotated(&line, 80.0, [255; 4], 1);
        let darkest = (0..made.pixels().len() / 3).min_by_key(|n| made.pixels()[3 * n]).unwrap();
        assert!(darkest % made.width() > made.width() / 2);
        let smooth = (0..64 * 64).flat_map(|n: u32| [(n % 64 * 2 + n / 64) as u8 + 20; 3]).collect();
        let smooth = Picture::rgb(Dimensions { width: 64, height: 64 }, smooth).unwrap();
        let back = rotated(&rotated(&smooth, 33.0, [0; 4], 1), -33.0, [0; 4], 1);
        let (x, y) = (back.width() / 2 - 32, back.height() / 2 - 32);
        for row in 16..48 {
            for column in 16..48 {
                let found = back.row(y + row)[(x + column) * 4];
                assert!(found.abs_diff(smooth.row(row)[column * 3]) <= 3, "{column},{row}: {found}");
            }
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bytes() {
        let noise = (0..150 * 150_u32).flat_map(|n| [(n.wrapping_mul(2_654_435_761) >> 24) as u8; 3]).collect();
        let noise = Picture::rgb(Dimensions { width: 150, height: 150 }, noise).unwrap();
        assert!(rotated(&noise, 12.5, [1, 2, 3, 40], 1) == rotated(&noise, 12.5, [1, 2, 3, 40], 3));
    }

    #[test]
    fn an_angle_out_of_range_and_a_result_beyond_the_limits_are_errors() {
        let wide = Picture::rgb(Dimensions { width: 100, height: 1 }, vec![0; 300]).unwrap();
        let limits = Limits { max_side: 100, max_pixels: 1000, ..Limits::DEFAULT };
        assert!(rotate(&wide, 400.0, [0; 4], limits, Threads::ONE).is_err());
        assert!(rotate(&wide, f32::NAN, [0; 4], limits, Threads::ONE).is_err());
        assert!(rotate(&wide, 45.0, [0; 4], limits, Threads::ONE).is_err());
    }
}
