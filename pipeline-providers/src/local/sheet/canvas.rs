//! A band of pixels to draw on: pictures and text on white.
//!
//! Glyphs are Noto Sans Mono, rasterised beforehand: the same pixels everywhere. It covers Latin; other characters are
//! drawn as a replacement character.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use super::ink::Line;

const SIZE: RasterHeight = RasterHeight::Size16;

/// Rows of three bytes a pixel.
#[derive(Clone, Debug)]
pub(super) struct Canvas {
    width: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    /// Makes a white one.
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, pixels: vec![255; width * height * 3] }
    }

    pub(super) fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Makes it white again.
    pub(super) fn clear(&mut self) {
        self.pixels.fill(255);
    }

    fn pixel(&mut self, x: usize, y: usize) -> Option<&mut [u8; 3]> {
        if x >= self.width {
            return None;
        }
        let at = (y * self.width + x) * 3;
        self.pixels.get_mut(at..at + 3)?.try_into().ok()
    }

    /// Fills a rectangle; what sticks out is not drawn.
    pub(super) fn fill(&mut self, (left, top): (usize, usize), (width, height): (usize, usize), color: [u8; 3]) {
        for y in top..top + height {
            for x in left..left + width {
                if let Some(pixel) = self.pixel(x, y) {
                    *pixel = color;
                }
            }
        }
    }

    /// Draws a picture of three bytes a pixel.
    pub(super) fn picture(&mut self, (left, top): (usize, usize), width: usize, pixels: &[u8]) {
        for (n, color) in pixels.as_chunks::<3>().0.iter().enumerate() {
            if let Some(pixel) = self.pixel(left + n % width.max(1), top + n / width.max(1)) {
                *pixel = *color;
            }
        }
    }

    /// Draws a line of text, cut off with an ellipsis where it is wider than there is room.
    pub(super) fn text(&mut self, (left, top): (usize, usize), room: usize, line: &Line) {
        let weight = if line.bold { FontWeight::Bold } else { FontWeight::Regular };
        let advance = get_raster_width(weight, SIZE).max(1);
        let ink = line.ink.rgb();
        for (n, glyph) in cut(&line.text, room / advance).chars().enumerate() {
            let raster = get_raster(glyph, weight, SIZE).or_else(|| get_raster('\u{fffd}', weight, SIZE));
            let Some(raster) = raster else { continue };
            for (y, row) in raster.raster().iter().enumerate() {
                for (x, strength) in row.iter().enumerate() {
                    if let Some(pixel) = self.pixel(left + n * advance + x, top + y) {
                        for (channel, ink) in pixel.iter_mut().zip(ink) {
                            *channel = mix(*channel, ink, *strength);
                        }
                    }
                }
            }
        }
    }
}

/// Lays an ink over a colour, as strong as 0 to 255.
fn mix(under: u8, ink: u8, strength: u8) -> u8 {
    let (under, ink, strength) = (u32::from(under), u32::from(ink), u32::from(strength));
    u8::try_from((under * (255 - strength) + ink * strength + 127) / 255).unwrap_or(u8::MAX)
}

/// Shortens a text to so many characters.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    // The font has no ellipsis.
    text.chars().take(most.saturating_sub(2)).chain("..".chars()).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::super::ink::Ink;
    use super::*;

    fn drawn(text: &str, room: usize) -> Vec<u8> {
        let mut canvas = Canvas::new(200, 20);
        canvas.text((0, 0), room, &Line::new(text, Ink::Plain));
        canvas.pixels
    }

    #[test]
    fn letters_leave_marks_and_different_ones_different_marks() {
        assert!(drawn("a", 200).iter().any(|value| *value < 100));
        assert_ne!(drawn("a", 200), drawn("b", 200));
        assert_ne!(drawn("é", 200), drawn("e", 200));
        assert_eq!(drawn("京", 200), drawn("都", 200), "what the font has not is one sign for all");
        assert!(drawn("京", 200).iter().any(|value| *value < 200), "and it is seen");
        assert!(drawn(" ", 200).iter().all(|value| *value == 255));
    }

    #[test]
    fn nothing_is_drawn_beyond_the_room_or_the_canvas() {
        let pixels = drawn(&"W".repeat(100), 80);
        let beyond = pixels.chunks_exact(600).flat_map(|row| &row[80 * 3..]);
        assert!(beyond.copied().all(|value| value == 255));
        let mut small = Canvas::new(3, 3);
        small.text((1, 1), 500, &Line::new("WWW", Ink::Bad).bold());
        small.fill((2, 2), (9, 9), [0; 3]);
        small.picture((2, 0), 5, &[0; 75]);
        assert_eq!(small.pixels.len(), 27);
    }

    #[test]
    fn a_long_text_ends_with_dots() {
        assert_eq!((cut("abcdef", 4), cut("abcd", 4), cut("abc", 1)), ("ab..".into(), "abcd".into(), ".".into()));
    }
}
