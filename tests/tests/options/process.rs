//! The options of `image.process`.

use std::path::Path;

use pipeline::providers::local::image::Picture;
use pipeline_core::model::MediaType;
use pipeline_testkit::pictures::{Png, swapped_profile};
use serde_json::{Value, json};

use crate::bench::{Bench, Run};
use crate::pictures::{colourfulness, cut_out, framed, open, pixel, rgb, scene, size};
use crate::registry::observed;

observed! { "image.process" => {
    "provider" => the_provider_processes_the_picture,
    "trim" => trimming_cuts_an_even_border_away,
    "trim_tolerance" => the_tolerance_says_how_uneven_a_border_may_be,
    "width" => the_width_bounds_the_picture,
    "height" => the_height_bounds_the_picture,
    "fit" = "inside" => a_picture_inside_the_box_keeps_its_aspect,
    "fit" = "cover" => a_picture_that_covers_the_box_loses_what_sticks_out,
    "fit" = "fill" => a_picture_that_fills_the_box_is_squeezed,
    "enlarge" => a_small_picture_is_made_larger_only_when_wanted,
    "sharpen" => sharpening_strengthens_edges,
    "saturation" => saturation_scales_the_colours,
    "flatten" => flattening_puts_a_cut_out_on_the_background,
    "background" => the_background_is_of_the_colour_given,
    "format" = "keep" => keep_keeps_the_format_that_came_in,
    "format" = "png" => png_is_without_loss,
    "format" = "jpeg" => jpeg_has_no_transparency,
    "format" = "webp" => webp_keeps_transparency,
    "quality" => quality_costs_bytes_and_saves_detail,
    "color_profile" = "srgb" => the_colours_of_a_profile_become_srgb,
    "color_profile" = "keep" => the_colours_of_a_kept_profile_stay,
} }

const KINDS: &[&str] = &["source.files", "image.process"];

async fn over<'a>(bench: &'a Bench, path: &Path, process: Value) -> Run<'a> {
    bench.over(KINDS, &[path], json!({ "process": process })).await
}

/// The picture that comes out of one that goes in as a PNG.
async fn processed(picture: &Picture, process: Value) -> Picture {
    let bench = Bench::new();
    let path = bench.picture("picture.png", picture);
    let run = over(&bench, &path, process).await;
    let made = run.picture(0, "process").await;
    let fields = (run.field(0, "process", "width"), run.field(0, "process", "height"));
    assert_eq!(fields, (json!(made.width()), json!(made.height())), "the record says the size of the file");
    made
}

async fn the_provider_processes_the_picture() {
    let bench = Bench::new();
    let path = bench.picture("picture.png", &scene(128, 128));
    let local = over(&bench, &path, json!({"provider": "image", "width": 64})).await;
    assert_eq!(size(&local.picture(0, "process").await), (64, 64));
    let fake = over(&bench, &path, json!({"provider": "fake", "width": 64})).await;
    assert_eq!(fake.file(0, "process"), fake.file(0, "files"), "the fake leaves everything as it is");
    assert_eq!(fake.field(0, "process", "applied"), json!(["nothing"]));
    assert_eq!(fake.result(0, "process").provider.as_deref(), Some("fake"));
}

async fn trimming_cuts_an_even_border_away() {
    let picture = framed(128, 16, |_, _| [255; 3]);
    assert_eq!(size(&processed(&picture, json!({"trim": false})).await), (128, 128));
    assert_eq!(size(&processed(&picture, json!({"trim": true})).await), (96, 96));
}

async fn the_tolerance_says_how_uneven_a_border_may_be() {
    let uneven = framed(128, 16, |x, y| [200 + ((x + 3 * y) % 9) as u8; 3]);
    assert_eq!(size(&processed(&uneven, json!({"trim": true, "trim_tolerance": 0})).await), (128, 128));
    assert_eq!(size(&processed(&uneven, json!({"trim": true, "trim_tolerance": 10})).await), (96, 96));
}

async fn the_width_bounds_the_picture() {
    let wide = scene(192, 128);
    assert_eq!(size(&processed(&wide, json!({"width": null})).await), (192, 128));
    assert_eq!(size(&processed(&wide, json!({"width": 96})).await), (96, 64));
}

async fn the_height_bounds_the_picture() {
    let wide = scene(192, 128);
    assert_eq!(size(&processed(&wide, json!({"height": null})).await), (192, 128));
    assert_eq!(size(&processed(&wide, json!({"height": 32})).await), (48, 32));
}

/// Red, green, green, blue: the outer quarters are what sticks out of a square.
fn flag() -> Picture {
    rgb(256, 128, |x, _| match x / 64 {
        0 => [250, 0, 0],
        3 => [0, 0, 250],
        _ => [0, 250, 0],
    })
}

async fn fitted(fit: &str) -> (Picture, bool, bool) {
    let picture = processed(&flag(), json!({"width": 64, "height": 64, "fit": fit})).await;
    let middle = picture.height() / 2;
    let (left, right) = (pixel(&picture, 2, middle), pixel(&picture, picture.width() - 3, middle));
    (picture, left[0] > 200, right[2] > 200)
}

async fn a_picture_inside_the_box_keeps_its_aspect(value: &str) {
    let (picture, left, right) = fitted(value).await;
    assert_eq!((size(&picture), left, right), ((64, 32), true, true));
}

async fn a_picture_that_covers_the_box_loses_what_sticks_out(value: &str) {
    let (picture, left, right) = fitted(value).await;
    assert_eq!((size(&picture), left, right), ((64, 64), false, false));
}

async fn a_picture_that_fills_the_box_is_squeezed(value: &str) {
    let (picture, left, right) = fitted(value).await;
    assert_eq!((size(&picture), left, right), ((64, 64), true, true));
}

async fn a_small_picture_is_made_larger_only_when_wanted() {
    let small = scene(128, 64);
    assert_eq!(size(&processed(&small, json!({"width": 256, "enlarge": false})).await), (128, 64));
    assert_eq!(size(&processed(&small, json!({"width": 256, "enlarge": true})).await), (256, 128));
}

async fn sharpening_strengthens_edges() {
    let edge = rgb(128, 128, |x, _| if x < 64 { [100; 3] } else { [150; 3] });
    let reach = async |sharpen: f64| {
        let picture = processed(&edge, json!({ "sharpen": sharpen })).await;
        let line: Vec<u8> = (0..128).map(|x| pixel(&picture, x, 64)[0]).collect();
        (*line.iter().min().unwrap(), *line.iter().max().unwrap())
    };
    assert_eq!(reach(0.0).await, (100, 150), "0 does nothing");
    let (some, most) = (reach(2.0).await, reach(10.0).await);
    assert!(some.0 < 100 && some.1 > 150, "{some:?}");
    assert!(most.0 < some.0 && most.1 > some.1, "{most:?} is stronger than {some:?}");
}

async fn saturation_scales_the_colours() {
    let muted = rgb(128, 128, |x, y| [120 + (x / 4) as u8, 110, 100 + (y / 4) as u8]);
    let colours = async |saturation: f64| colourfulness(&processed(&muted, json!({ "saturation": saturation })).await);
    let (none, same, strong) = (colours(0.0).await, colours(1.0).await, colours(2.0).await);
    assert!(none < 1.0, "0 is grey: {none}");
    assert_eq!(same, colourfulness(&muted), "1 does nothing");
    assert!(strong > 1.5 * same, "{strong} to {same}");
}

async fn flattening_puts_a_cut_out_on_the_background() {
    let (kept, flat) = (
        processed(&cut_out(128), json!({"flatten": false})).await,
        processed(&cut_out(128), json!({"flatten": true})).await,
    );
    assert!(kept.has_alpha());
    assert!(!flat.has_alpha());
    assert_eq!((pixel(&flat, 0, 0), pixel(&flat, 64, 64)), ([255; 3], [200, 20, 20]));
}

async fn the_background_is_of_the_colour_given() {
    for (background, expected) in [("white", [255; 3]), ("black", [0; 3]), ("#336699", [0x33, 0x66, 0x99])] {
        let flat = processed(&cut_out(128), json!({"flatten": true, "background": background})).await;
        assert_eq!(pixel(&flat, 0, 0), expected);
        let jpeg = processed(&cut_out(128), json!({"format": "jpeg", "background": background})).await;
        let near = pixel(&jpeg, 0, 0).iter().zip(expected).all(|(found, wanted)| found.abs_diff(wanted) < 6);
        assert!(near, "{background}: {:?}", pixel(&jpeg, 0, 0));
    }
}

/// The output file's type and picture for an input of this name.
async fn encoded(name: &str, picture: &Picture, process: Value) -> (MediaType, Picture, usize) {
    let bench = Bench::new();
    let path = bench.picture(name, picture);
    let run = over(&bench, &path, process).await;
    let bytes = run.bytes(0, "process").await;
    (run.file(0, "process").media_type, open(&bytes), bytes.len())
}

async fn keep_keeps_the_format_that_came_in(value: &str) {
    for (name, expected) in [("a.png", MediaType::Png), ("a.jpg", MediaType::Jpeg), ("a.webp", MediaType::WebP)] {
        let (media_type, ..) = encoded(name, &scene(128, 128), json!({ "format": value })).await;
        assert_eq!(media_type, expected);
    }
}

async fn png_is_without_loss(value: &str) {
    let (media_type, picture, _) = encoded("a.png", &cut_out(128), json!({ "format": value })).await;
    assert_eq!((media_type, picture), (MediaType::Png, cut_out(128)));
    let (media_type, ..) = encoded("a.jpg", &scene(128, 128), json!({ "format": value })).await;
    assert_eq!(media_type, MediaType::Png);
}

async fn jpeg_has_no_transparency(value: &str) {
    let (media_type, picture, _) = encoded("a.png", &cut_out(128), json!({ "format": value })).await;
    assert_eq!((media_type, picture.has_alpha()), (MediaType::Jpeg, false));
}

async fn webp_keeps_transparency(value: &str) {
    let (media_type, picture, _) = encoded("a.png", &cut_out(128), json!({ "format": value })).await;
    assert_eq!((media_type, picture.has_alpha()), (MediaType::WebP, true));
}

async fn quality_costs_bytes_and_saves_detail() {
    let picture = scene(192, 192);
    let error = |made: &Picture| -> u64 {
        made.pixels().iter().zip(picture.pixels()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum()
    };
    for format in ["jpeg", "webp"] {
        let at = async |quality: u8| encoded("a.png", &picture, json!({"format": format, "quality": quality})).await;
        let ((_, rough, short), (_, fine, long)) = (at(20).await, at(95).await);
        assert!(short < long, "{format}: {short} and {long} bytes");
        assert!(error(&fine) < error(&rough), "{format}: {} and {}", error(&fine), error(&rough));
    }
}

/// A red picture, by a profile that means green by red.
async fn profiled(value: &str) -> [u8; 3] {
    let bench = Bench::new();
    let file = Png::new(128, 128, 8, 2).with_profile(&swapped_profile()).file(&[230, 20, 10].repeat(128 * 128));
    let path = bench.path("profiled.png");
    std::fs::write(&path, file).unwrap();
    let run = over(&bench, &path, json!({"color_profile": value})).await;
    pixel(&run.picture(0, "process").await, 64, 64)
}

async fn the_colours_of_a_profile_become_srgb(value: &str) {
    let [red, green, blue] = profiled(value).await;
    assert!(green > 215 && red < 60 && blue < 60, "{red} {green} {blue}");
}

async fn the_colours_of_a_kept_profile_stay(value: &str) {
    assert_eq!(profiled(value).await, [230, 20, 10]);
}
