//! Cutting out a region.

use pipeline_core::error::{Error, Result};
use pipeline_core::provider::Dimensions;

use super::super::picture::Picture;

/// Returns the region, unless it is the whole picture, and the words for it.
///
/// # Errors
/// `Invalid` when it is empty or sticks out of the picture.
pub(super) fn extract(picture: &Picture, left: u32, top: u32, size: Dimensions) -> Result<Option<(Picture, String)>> {
    let from = picture.size();
    let fits =
        |start: u32, length: u32, all: u32| length > 0 && start.checked_add(length).is_some_and(|end| end <= all);
    if !fits(left, size.width, from.width) || !fits(top, size.height, from.height) {
        return Err(Error::invalid("the region to extract does not lie inside the picture")
            .with("region", format!("{left},{top} {size}"))
            .with("accepted", format!("a region of 1x1 or more inside {from}")));
    }
    if size == from {
        return Ok(None);
    }
    let part = picture.crop(left as usize, top as usize, size)?;
    Ok(Some((part, format!("extract {left},{top} {size}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Dimensions = Dimensions { width: 6, height: 4 };

    fn picture() -> Picture {
        Picture::rgb(SIZE, (0..72).collect()).unwrap()
    }

    #[test]
    fn a_region_is_cut_out_where_it_lies() {
        let (part, done) = extract(&picture(), 2, 1, Dimensions { width: 3, height: 2 }).unwrap().unwrap();
        assert_eq!(part.pixels(), [24, 25, 26, 27, 28, 29, 30, 31, 32, 42, 43, 44, 45, 46, 47, 48, 49, 50]);
        assert_eq!(done, "extract 2,1 3x2");
        assert_eq!(extract(&picture(), 0, 0, SIZE).unwrap(), None);
    }

    #[test]
    fn a_region_that_sticks_out_or_is_empty_is_an_error() {
        for (left, top, width, height) in [(4, 0, 3, 1), (0, 4, 1, 1), (0, 0, 0, 1), (u32::MAX, 0, 2, 1)] {
            let error = extract(&picture(), left, top, Dimensions { width, height }).unwrap_err().to_string();
            assert!(error.contains(&format!("region={left},{top} {width}x{height}")), "{error}");
            assert!(error.contains("inside 6x4"), "{error}");
        }
    }
}
