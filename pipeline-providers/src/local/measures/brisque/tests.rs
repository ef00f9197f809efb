//! Tests of the score against OpenCV's.

use pipeline_core::provider::Dimensions;

use super::*;
use crate::local::measures::measure::tests::{photo, recipe};

fn score(picture: &Picture) -> f64 {
    brisque(picture).unwrap().unwrap()
}

#[test]
fn a_picture_without_structure_or_with_few_pixels_has_no_score() {
    assert_eq!(brisque(&recipe(&photo(3), |_| 120)).unwrap(), None);
    let small = photo(3).crop(0, 0, Dimensions { width: 63, height: 200 }).unwrap();
    assert_eq!(brisque(&small).unwrap(), None);
    let least = photo(3).crop(0, 0, Dimensions { width: 64, height: 200 }).unwrap();
    assert!(brisque(&least).unwrap().is_some());
}

#[test]
fn the_size_of_a_large_picture_is_brought_down_first() {
    let large = Picture::rgb(
        Dimensions { width: 2_048, height: 256 },
        photo(3).pixels().iter().cycle().take(2_048 * 256 * 3).copied().collect(),
    )
    .unwrap();
    assert_eq!(score(&large), score(&shrink_to(&large, SIDE).unwrap()));
}
