use pipeline_core::error::ErrorKind;
use pipeline_core::id::CallId;
use pipeline_core::provider::{CallContext, Dimensions};

use crate::local::image::encode;

use super::*;

/// A picture painted by a function of the place.
fn paint(side: u32, color: impl Fn(f64, f64) -> [u8; 3]) -> Picture {
    let place = |n: u32| (f64::from(n % side) / f64::from(side), f64::from(n / side) / f64::from(side));
    let pixels = (0..side * side).flat_map(|n| color(place(n).0, place(n).1)).collect();
    Picture::rgb(Dimensions { width: side, height: side }, pixels).unwrap()
}

/// Whether a place lies in the subject of all these pictures.
fn subject(x: f64, y: f64) -> bool {
    (x - 0.5).hypot((y - 0.52) * 0.8) < 0.26 || (x - 0.55).hypot(y - 0.25) < 0.12
}

/// A two-coloured subject before a ground that gets darker downwards.
fn product() -> Picture {
    paint(400, |x, y| {
        let light = (225.0 - 50.0 * y) as u8;
        match subject(x, y) {
            true if ((x * 9.0) as u32).is_multiple_of(2) => [180, 40, 50],
            true => [40, 60, 120],
            false => [light, light, light - 10],
        }
    })
}

/// Intersection over union of what was cut out and the subject.
fn overlap(cutout: &Picture) -> f64 {
    let side = cutout.width() as f64;
    let (mut both, mut either) = (0_u32, 0_u32);
    for (place, pixel) in cutout.pixels().chunks_exact(4).enumerate() {
        let (x, y) = ((place % cutout.width()) as f64 / side, (place / cutout.width()) as f64 / side);
        let (found, known) = (pixel[3] >= 128, subject(x, y));
        both += u32::from(found && known);
        either += u32::from(found || known);
    }
    f64::from(both) / f64::from(either)
}

#[test]
fn a_subject_before_an_even_ground_is_cut_out_closely_and_surely() {
    let cutout = cut_out(product()).unwrap();
    assert!(overlap(&cutout.picture) > 0.97, "{}", overlap(&cutout.picture));
    assert!(cutout.confidence > 0.7, "{}", cutout.confidence);
}

#[test]
fn what_the_frame_cuts_off_is_subject_all_the_same() {
    let portrait = paint(256, |x, y| {
        let body = y > 0.6 && (x - 0.5).abs() < 0.3 || (x - 0.5).hypot(y - 0.42) < 0.18;
        if body { [60, 40, 120] } else { [210, 205, 190] }
    });
    let cutout = cut_out(portrait).unwrap().picture;
    let alpha = |x: usize, y: usize| cutout.row(y)[x * 4 + 3];
    assert_eq!([alpha(128, 250), alpha(128, 110), alpha(10, 250), alpha(10, 10)], [255, 255, 0, 0]);
}

#[test]
fn a_picture_that_does_not_say_what_its_subject_is_is_an_error() {
    let even = paint(128, |_, _| [90, 120, 150]);
    let unlike = paint(128, |x, y| match (x > y, x + y > 1.0) {
        (true, true) => [250, 250, 0],
        (true, false) => [0, 250, 250],
        (false, true) => [250, 0, 250],
        (false, false) => [20, 20, 20],
    });
    let narrow = Picture::rgb(Dimensions { width: 900, height: 2 }, vec![7; 5400]).unwrap();
    for (picture, why) in [(even, "stands out"), (unlike, "in common"), (narrow, "too small")] {
        let error = cut_out(picture).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let text = error.to_string();
        assert!(text.contains(why) && text.contains("accepted=a subject before"), "{text}");
    }
}

#[test]
fn a_clear_cut_is_surer_than_a_vague_one() {
    let vague = paint(256, |x, y| {
        let grain = ((x * 256.0) as u32 * 7919 + (y * 256.0) as u32 * 104_729) % 61;
        let base = if subject(x, y) { 120 } else { 100 };
        [base + grain as u8, 90 + grain as u8, 90 + grain as u8]
    });
    let vague = cut_out(vague).map_or(0.0, |cutout| cutout.confidence);
    let clear = cut_out(product()).unwrap().confidence;
    assert!(vague + 0.2 < clear, "{vague} {clear}");
}

#[test]
fn a_picture_that_is_cut_out_already_comes_back_as_it_is() {
    let pixels = (0..64 * 64_u32)
        .flat_map(|n| [9, 9, 9, if (20..44).contains(&(n % 64)) && (20..44).contains(&(n / 64)) { 255 } else { 0 }]);
    let picture = Picture::rgba(Dimensions { width: 64, height: 64 }, pixels.collect()).unwrap();
    assert_eq!(cut_out(picture.clone()).unwrap(), Cutout { picture, confidence: 1.0 });
}

#[test]
fn transparency_that_was_there_stays() {
    let mut pixels = Vec::new();
    for (place, pixel) in product().pixels().chunks_exact(3).enumerate() {
        let hole = (190..210).contains(&(place % 400)) && (200..220).contains(&(place / 400));
        pixels.extend([pixel[0], pixel[1], pixel[2], if hole { 0 } else { 255 }]);
    }
    let picture = Picture::rgba(Dimensions { width: 400, height: 400 }, pixels).unwrap();
    let cutout = cut_out(picture).unwrap().picture;
    assert_eq!((cutout.row(210)[200 * 4 + 3], cutout.row(150)[200 * 4 + 3]), (0, 255));
}

#[tokio::test]
async fn the_provider_gives_the_same_bytes_each_time_on_one_thread_or_two() {
    let image = encode(&product(), MediaType::Jpeg, 92).unwrap();
    let ask = async |threads: usize| {
        let remover = Classical::new(CpuPool::new(threads));
        let context = CallContext::new("0198c1a2-7c3e-7000-8000-000000000000".parse::<CallId>().unwrap());
        remover.remove_background(RemoveBackgroundRequest { image: image.clone(), context }).await.unwrap()
    };
    let (one, two) = (ask(1).await, ask(2).await);
    assert_eq!(one, two);
    assert_eq!(one.image.media_type, MediaType::Png);
    let back = decode(&one.image.bytes, Limits::DEFAULT).unwrap().picture;
    assert!(back.has_alpha() && overlap(&back) > 0.96, "{}", overlap(&back));
}

#[tokio::test]
async fn a_damaged_picture_is_corrupt() {
    let mut image = encode(&product(), MediaType::Png, 100).unwrap();
    image.bytes.truncate(image.bytes.len() / 2);
    let context = CallContext::new("0198c1a2-7c3e-7000-8000-000000000000".parse::<CallId>().unwrap());
    let error = Classical::default().remove_background(RemoveBackgroundRequest { image, context }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}
