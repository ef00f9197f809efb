//! The options of `image.process`.

use std::path::Path;

use pipeline::providers::local::image::{Limits, Picture, decode_as};
use pipeline_core::executor::Stop;
use pipeline_core::model::{ItemStatus, MediaType};
use pipeline_core::provider::ColorProfile;
use pipeline_testkit::pictures::{Png, swapped_profile};
use serde_json::{Value, json};

use crate::bench::{Bench, Run};
use crate::pictures::{colourfulness, cut_out, framed, open, pixel, rgb, rgba, scene, size};
use crate::registry::observed;

observed! { "image.process" => {
    "provider" => the_provider_processes_the_picture,
    "extract" => a_region_is_cut_out,
    "trim" => trimming_cuts_an_even_border_away,
    "trim_tolerance" => the_tolerance_says_how_uneven_a_border_may_be,
    "trim_border" = "auto" => what_is_a_border_follows_from_the_picture,
    "trim_border" = "alpha" => a_border_is_what_is_transparent,
    "trim_border" = "corner" => a_border_is_what_has_the_corners_colour,
    "trim_border" = "sides" => a_border_is_each_sides_own_colour,
    "rotate" => the_picture_turns_by_degrees,
    "flip" => flipping_turns_upside_down,
    "flop" => flopping_mirrors,
    "width" => the_width_bounds_the_picture,
    "height" => the_height_bounds_the_picture,
    "fit" = "inside" => a_picture_inside_the_box_keeps_its_aspect,
    "fit" = "outside" => a_picture_outside_the_box_covers_it_and_is_not_cut,
    "fit" = "cover" => a_picture_that_covers_the_box_loses_what_sticks_out,
    "fit" = "contain" => a_picture_in_a_box_has_the_rest_filled_up,
    "fit" = "fill" => a_picture_that_fills_the_box_is_squeezed,
    "position" = "center" => the_middle_is_kept,
    "position" = "top" => the_top_is_kept,
    "position" = "bottom" => the_bottom_is_kept,
    "position" = "left" => the_left_is_kept,
    "position" = "right" => the_right_is_kept,
    "position" = "top_left" => the_top_left_is_kept,
    "position" = "top_right" => the_top_right_is_kept,
    "position" = "bottom_left" => the_bottom_left_is_kept,
    "position" = "bottom_right" => the_bottom_right_is_kept,
    "kernel" = "nearest" => nearest_makes_no_new_colours,
    "kernel" = "bilinear" => bilinear_is_soft_without_halos,
    "kernel" = "cubic" => cubic_makes_halos,
    "kernel" = "mitchell" => mitchell_makes_faint_halos,
    "kernel" = "lanczos2" => lanczos_of_two_lobes_makes_halos,
    "kernel" = "lanczos3" => lanczos_of_three_lobes_makes_halos,
    "enlarge" => a_small_picture_is_made_larger_only_when_wanted,
    "gamma" => gamma_moves_middle_tones,
    "normalise" => normalising_stretches_the_lightness,
    "normalise_clip" => what_is_left_aside_widens_the_stretch,
    "brightness" => brightness_scales_the_lightness,
    "saturation" => saturation_scales_the_colours,
    "hue" => the_hue_turns,
    "blur" => blurring_softens_edges,
    "sharpen" => sharpening_strengthens_edges,
    "padding" => padding_adds_area_on_each_side,
    "fill" => the_fill_colours_what_is_added,
    "watermark" => a_watermark_is_put_over_the_picture,
    "watermark_position" = "center" => the_watermark_is_in_the_middle,
    "watermark_position" = "top" => the_watermark_is_at_the_top,
    "watermark_position" = "bottom" => the_watermark_is_at_the_bottom,
    "watermark_position" = "left" => the_watermark_is_to_the_left,
    "watermark_position" = "right" => the_watermark_is_to_the_right,
    "watermark_position" = "top_left" => the_watermark_is_at_the_top_left,
    "watermark_position" = "top_right" => the_watermark_is_at_the_top_right,
    "watermark_position" = "bottom_left" => the_watermark_is_at_the_bottom_left,
    "watermark_position" = "bottom_right" => the_watermark_is_at_the_bottom_right,
    "watermark_margin" => the_margin_keeps_the_watermark_from_the_edges,
    "watermark_scale" => the_watermark_is_a_share_of_the_width,
    "watermark_opacity" => a_watermark_lets_the_picture_through,
    "flatten" => flattening_puts_a_cut_out_on_the_background,
    "background" => the_background_is_of_the_colour_given,
    "format" = "keep" => keep_keeps_the_format_that_came_in,
    "format" = "png" => png_is_without_loss,
    "format" = "jpeg" => jpeg_has_no_transparency,
    "format" = "webp" => webp_keeps_transparency,
    "format" = "avif" => avif_is_written_by_builds_that_can,
    "quality" => quality_costs_bytes_and_saves_detail,
    "color_profile" = "srgb" => the_colours_of_a_profile_become_srgb,
    "color_profile" = "keep" => the_colours_of_a_kept_profile_stay,
    "progressive" => a_progressive_jpeg_has_other_scans_and_the_same_pixels,
    "chroma" = "4:2:0" => one_colour_for_four_pixels,
    "chroma" = "4:2:2" => one_colour_for_two_pixels,
    "chroma" = "4:4:4" => a_colour_for_each_pixel,
    "lossless" => a_lossless_webp_has_every_pixel,
    "alpha_quality" => transparency_has_a_quality_of_its_own,
    "effort" => effort_makes_shorter_files,
    "colors" => a_palette_limits_the_colours,
    "keep_exif" = "nothing" => no_metadata_is_kept,
    "keep_exif" = "without_location" => metadata_is_kept_without_the_place,
    "keep_exif" = "all" => metadata_is_kept_with_the_place,
    "renditions" => renditions_are_further_files,
    "soft" => what_may_fail_is_left_out_and_told,
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

async fn a_region_is_cut_out() {
    let made = processed(&flag(), json!({"extract": [60, 10, 70, 20]})).await;
    assert_eq!((size(&made), pixel(&made, 0, 0)[0], pixel(&made, 69, 19)), ((70, 20), 250, [0, 250, 0]));
    let bench = Bench::new();
    let path = bench.picture("picture.png", &flag());
    let outside = over(&bench, &path, json!({"extract": [250, 0, 10, 10], "max_attempts": 1})).await;
    assert_eq!(outside.statuses(), [ItemStatus::Failed]);
}

/// A scene with a black bar above and a white one below, 16 pixels high.
fn bars() -> Picture {
    let inner = scene(64, 32);
    rgb(64, 64, |x, y| match y {
        0..16 => [0; 3],
        48.. => [255; 3],
        _ => pixel(&inner, x as usize, y as usize - 16),
    })
}

async fn what_is_a_border_follows_from_the_picture(value: &str) {
    assert_eq!(size(&processed(&bars(), json!({"trim": true, "trim_border": value})).await), (64, 32));
    let disc = processed(&cut_out(128), json!({"trim": true, "trim_border": value})).await;
    assert!(disc.width() < 90 && disc.width() == disc.height());
}

async fn a_border_is_what_is_transparent(value: &str) {
    assert_eq!(size(&processed(&bars(), json!({"trim": true, "trim_border": value})).await), (64, 64));
    assert!(processed(&cut_out(128), json!({"trim": true, "trim_border": value})).await.width() < 90);
}

async fn a_border_is_what_has_the_corners_colour(value: &str) {
    assert_eq!(size(&processed(&bars(), json!({"trim": true, "trim_border": value})).await), (64, 48));
}

async fn a_border_is_each_sides_own_colour(value: &str) {
    assert_eq!(size(&processed(&bars(), json!({"trim": true, "trim_border": value})).await), (64, 32));
}

async fn the_picture_turns_by_degrees() {
    let quarter = processed(&flag(), json!({"rotate": 90})).await;
    assert_eq!((size(&quarter), pixel(&quarter, 64, 2)[0]), ((128, 256), 250), "the left end is above now");
    assert_eq!(size(&processed(&flag(), json!({"rotate": 0})).await), (256, 128));
    let slanted = processed(&flag(), json!({"rotate": 45})).await;
    assert_eq!((size(&slanted), pixel(&slanted, 0, 0)), ((272, 272), [255; 3]));
}

async fn flipping_turns_upside_down() {
    let top = |picture: &Picture| pixel(picture, 5, 5);
    assert_eq!(top(&processed(&bars(), json!({"flip": false})).await), [0; 3]);
    assert_eq!(top(&processed(&bars(), json!({"flip": true})).await), [255; 3]);
}

async fn flopping_mirrors() {
    let left = |picture: &Picture| pixel(picture, 2, 64);
    assert_eq!(left(&processed(&flag(), json!({"flop": false})).await), [250, 0, 0]);
    assert_eq!(left(&processed(&flag(), json!({"flop": true})).await), [0, 0, 250]);
}

async fn a_picture_outside_the_box_covers_it_and_is_not_cut(value: &str) {
    let (picture, left, right) = fitted(value).await;
    assert_eq!((size(&picture), left, right), ((128, 64), true, true));
}

async fn a_picture_in_a_box_has_the_rest_filled_up(value: &str) {
    let (picture, left, right) = fitted(value).await;
    assert_eq!((size(&picture), left, right), ((64, 64), true, true));
    assert_eq!(pixel(&picture, 32, 2), [255; 3]);
}

/// Nine fields of nine shades.
fn fields() -> Picture {
    rgb(96, 96, |x, y| [(x / 32 * 3 + y / 32 * 9 + 20) as u8 * 4; 3])
}

/// The part of nine fields that is kept where a place is named.
async fn kept(value: &str) {
    let (across, down) = place(value);
    let wide = processed(&fields(), json!({"width": 96, "height": 32, "fit": "cover", "position": value})).await;
    assert_eq!(pixel(&wide, 0, 16), pixel(&fields(), 0, 16 + 32 * down), "{value}");
    let tall = processed(&fields(), json!({"width": 32, "height": 96, "fit": "cover", "position": value})).await;
    assert_eq!(pixel(&tall, 16, 0), pixel(&fields(), 16 + 32 * across, 0), "{value}");
    let boxed = json!({"width": 288, "height": 288, "fit": "contain", "position": value, "fill": "black"});
    let boxed = processed(&fields(), boxed).await;
    assert_eq!(pixel(&boxed, 96 * across + 1, 96 * down + 1), pixel(&fields(), 1, 1), "{value}");
}

/// Which third a place means.
fn place(value: &str) -> (usize, usize) {
    let third = |low: &str, high: &str| {
        if value.contains(low) {
            0
        } else if value.contains(high) {
            2
        } else {
            1
        }
    };
    (third("left", "right"), third("top", "bottom"))
}

/// Puts a red square of 8 pixels over a grey picture and looks where it is.
async fn marked(value: &str) {
    let bench = Bench::new();
    let path = bench.picture("picture.png", &rgb(48, 48, |_, _| [100; 3]));
    let logo = bench.picture("logo.png", &rgb(8, 8, |_, _| [255, 0, 0]));
    let settings = json!({"watermark": logo, "watermark_position": value, "watermark_margin": 4});
    let made = over(&bench, &path, settings).await.picture(0, "process").await;
    let (across, down) = place(value);
    let (left, top) = (4 + 16 * across, 4 + 16 * down);
    let red = |x: usize, y: usize| pixel(&made, x, y) == [255, 0, 0];
    for y in 0..48 {
        for x in 0..48 {
            assert_eq!(red(x, y), (left..left + 8).contains(&x) && (top..top + 8).contains(&y), "{value}: {x},{y}");
        }
    }
}

/// Tests that look at one of nine places.
macro_rules! at_each_place {
    ($($test:ident => $check:ident,)+) => { $(async fn $test(value: &str) { $check(value).await; })+ };
}

at_each_place! {
    the_middle_is_kept => kept,
    the_top_is_kept => kept,
    the_bottom_is_kept => kept,
    the_left_is_kept => kept,
    the_right_is_kept => kept,
    the_top_left_is_kept => kept,
    the_top_right_is_kept => kept,
    the_bottom_left_is_kept => kept,
    the_bottom_right_is_kept => kept,
    the_watermark_is_in_the_middle => marked,
    the_watermark_is_at_the_top => marked,
    the_watermark_is_at_the_bottom => marked,
    the_watermark_is_to_the_left => marked,
    the_watermark_is_to_the_right => marked,
    the_watermark_is_at_the_top_left => marked,
    the_watermark_is_at_the_top_right => marked,
    the_watermark_is_at_the_bottom_left => marked,
    the_watermark_is_at_the_bottom_right => marked,
}

/// The shades along an edge that was made four times as wide.
async fn enlarged_edge(kernel: &str) -> Vec<u8> {
    let edge = rgb(32, 32, |x, _| if x < 16 { [60; 3] } else { [190; 3] });
    let made = processed(&edge, json!({"width": 128, "enlarge": true, "kernel": kernel})).await;
    (0..128).map(|x| pixel(&made, x, 64)[0]).collect()
}

async fn nearest_makes_no_new_colours(value: &str) {
    assert!(enlarged_edge(value).await.iter().all(|shade| [60, 190].contains(shade)));
}

async fn bilinear_is_soft_without_halos(value: &str) {
    let line = enlarged_edge(value).await;
    assert!(line.is_sorted() && line.iter().any(|shade| (100..150).contains(shade)));
    assert_eq!((line[0], line[127]), (60, 190));
    assert!(line.iter().all(|shade| (60..=190).contains(shade)));
}

/// How far the edge overshoots.
async fn halo(kernel: &str) -> u8 {
    *enlarged_edge(kernel).await.iter().max().unwrap() - 190
}

async fn cubic_makes_halos(value: &str) {
    assert!((8..12).contains(&halo(value).await));
}

async fn mitchell_makes_faint_halos(value: &str) {
    assert!((2..6).contains(&halo(value).await));
}

async fn lanczos_of_two_lobes_makes_halos(value: &str) {
    assert!(halo(value).await > 5);
    assert_ne!(enlarged_edge(value).await, enlarged_edge("cubic").await);
}

async fn lanczos_of_three_lobes_makes_halos(value: &str) {
    assert!(halo(value).await > halo("cubic").await);
}

/// The first channel of an even picture after processing.
async fn shade(before: u8, settings: Value) -> u8 {
    pixel(&processed(&rgb(32, 32, |_, _| [before; 3]), settings).await, 16, 16)[0]
}

async fn gamma_moves_middle_tones() {
    assert_eq!(shade(128, json!({"gamma": 1.0})).await, 128);
    // 255 times the root of 128 / 255, and its square.
    assert_eq!((shade(128, json!({"gamma": 2.0})).await, shade(128, json!({"gamma": 0.5})).await), (181, 64));
}

/// Shades from 80 to 143, and one white line.
fn dull() -> Picture {
    rgb(64, 64, |x, y| if y == 0 { [255; 3] } else { [80 + x as u8; 3] })
}

async fn normalising_stretches_the_lightness() {
    let darkest = |picture: &Picture| pixel(picture, 0, 32)[0];
    assert_eq!(darkest(&processed(&dull(), json!({"normalise": false})).await), 80);
    assert!(darkest(&processed(&dull(), json!({"normalise": true})).await) < 10);
}

async fn what_is_left_aside_widens_the_stretch() {
    let brightest = async |clip: f64| {
        let made = processed(&dull(), json!({"normalise": true, "normalise_clip": clip})).await;
        pixel(&made, 63, 32)[0]
    };
    assert!(brightest(0.0).await < 150, "the white line is the end of the range");
    assert!(brightest(5.0).await > 240, "the white line is left aside");
}

async fn brightness_scales_the_lightness() {
    assert_eq!(shade(100, json!({"brightness": 1.0})).await, 100);
    assert!(shade(100, json!({"brightness": 0.5})).await < 60);
    assert!(shade(100, json!({"brightness": 1.5})).await > 140);
    assert_eq!(shade(100, json!({"brightness": 0.0})).await, 0);
}

async fn the_hue_turns() {
    let muted = rgb(32, 32, |_, _| [150, 110, 110]);
    let turned = pixel(&processed(&muted, json!({"hue": 120})).await, 16, 16);
    assert!(turned[1] > turned[0], "red has become green: {turned:?}");
    assert_eq!(pixel(&processed(&muted, json!({"hue": 0})).await, 16, 16), [150, 110, 110]);
}

async fn blurring_softens_edges() {
    let edge = rgb(64, 64, |x, _| if x < 32 { [0; 3] } else { [200; 3] });
    let step = async |blur: f64| {
        let made = processed(&edge, json!({ "blur": blur })).await;
        pixel(&made, 32, 32)[0] - pixel(&made, 31, 32)[0]
    };
    let (none, some, more) = (step(0.0).await, step(1.0).await, step(4.0).await);
    assert!(none == 200 && some < 100 && more < some / 2, "{none} {some} {more}");
    let bench = Bench::new();
    let path = bench.picture("picture.png", &edge);
    let refused = bench.submit(crate::bench::request(KINDS, &[&path], json!({"process": {"blur": 0.1}}))).await;
    assert!(refused.unwrap_err().to_string().contains("expected 0, or 0.3 to 50"));
}

async fn padding_adds_area_on_each_side() {
    let padded = async |padding: Value| {
        let made = processed(&rgb(20, 10, |_, _| [9; 3]), json!({ "padding": padding })).await;
        let dark = |x: &usize, y: usize| pixel(&made, *x, y) == [9; 3];
        let left = (0..made.width()).find(|x| (0..made.height()).any(|y| dark(x, y))).unwrap();
        let top = (0..made.height()).find(|y| (0..made.width()).any(|x| dark(&x, *y))).unwrap();
        (size(&made), left, top)
    };
    assert_eq!(padded(json!([])).await, ((20, 10), 0, 0));
    assert_eq!(padded(json!([5])).await, ((30, 20), 5, 5));
    assert_eq!(padded(json!([1, 2])).await, ((24, 12), 2, 1));
    assert_eq!(padded(json!([1, 2, 3, 4])).await, ((26, 14), 4, 1));
}

async fn the_fill_colours_what_is_added() {
    let grey = rgb(20, 20, |_, _| [100; 3]);
    for (fill, expected) in [("white", [255; 3]), ("#336699", [0x33, 0x66, 0x99])] {
        let made = processed(&grey, json!({"padding": [4], "fill": fill})).await;
        assert_eq!((made.has_alpha(), pixel(&made, 0, 0)), (false, expected));
    }
    assert!(processed(&grey, json!({"padding": [4], "fill": "transparent"})).await.has_alpha());
    let made = processed(&grey, json!({"rotate": 30, "fill": "black"})).await;
    assert_eq!(pixel(&made, 0, 0), [0; 3]);
}

async fn a_watermark_is_put_over_the_picture() {
    let bench = Bench::new();
    let path = bench.picture("picture.png", &rgb(64, 64, |_, _| [100; 3]));
    let logo = bench.picture("logo.png", &rgb(16, 16, |_, _| [255, 0, 0]));
    let corner = async |watermark: Value| {
        let settings = json!({"watermark": watermark, "watermark_margin": 0, "max_attempts": 1});
        let run = over(&bench, &path, settings).await;
        match run.statuses()[..] {
            [ItemStatus::Succeeded] => Some(pixel(&run.picture(0, "process").await, 63, 63)),
            _ => None,
        }
    };
    assert_eq!(corner(Value::Null).await, Some([100; 3]));
    assert_eq!(corner(json!(logo)).await, Some([255, 0, 0]));
    assert_eq!(corner(json!(bench.path("missing.png"))).await, None);
    assert_eq!(corner(json!(bench.text("text.png", "no picture"))).await, None);
    // The same from the artifact store, where an earlier job has put it.
    let earlier = bench.over(&["source.files"], &[&logo], json!({})).await;
    let digest = earlier.file(0, "files").digest;
    std::fs::remove_file(&logo).unwrap();
    assert_eq!(corner(json!(format!("artifact:{digest}"))).await, Some([255, 0, 0]));
    assert_eq!(corner(json!(format!("artifact:{}", "0".repeat(64)))).await, None);
    let short = crate::bench::request(KINDS, &[&path], json!({"process": {"watermark": "artifact:1234"}}));
    let refused = bench.submit(short).await.unwrap_err().to_string();
    assert!(
        refused.contains("process.watermark: `1234` is not a valid digest; expected 64 hexadecimal digits"),
        "{refused}"
    );
}

/// A grey picture with a red mark in its lower right corner.
async fn with_mark(settings: Value) -> Picture {
    let bench = Bench::new();
    let path = bench.picture("picture.png", &rgb(64, 64, |_, _| [100; 3]));
    let logo = bench.picture("logo.png", &rgb(16, 16, |_, _| [200, 0, 0]));
    let mut all = json!({"watermark": logo, "watermark_margin": 0});
    all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    over(&bench, &path, all).await.picture(0, "process").await
}

async fn the_margin_keeps_the_watermark_from_the_edges() {
    let edge = |picture: &Picture| (0..64).rev().find(|x| pixel(picture, *x, 50) == [200, 0, 0]).unwrap();
    assert_eq!(edge(&with_mark(json!({"watermark_margin": 0})).await), 63);
    assert_eq!(edge(&with_mark(json!({"watermark_margin": 10})).await), 53);
}

async fn the_watermark_is_a_share_of_the_width() {
    let width = |picture: &Picture| (0..64).filter(|x| pixel(picture, *x, 63) == [200, 0, 0]).count();
    assert_eq!(width(&with_mark(json!({"watermark_scale": null})).await), 16);
    assert_eq!(width(&with_mark(json!({"watermark_scale": 0.5})).await), 32);
}

async fn a_watermark_lets_the_picture_through() {
    let corner = |picture: &Picture| pixel(picture, 63, 63);
    assert_eq!(corner(&with_mark(json!({"watermark_opacity": 1.0})).await), [200, 0, 0]);
    assert_eq!(corner(&with_mark(json!({"watermark_opacity": 0.5})).await), [150, 50, 50]);
    assert_eq!(corner(&with_mark(json!({"watermark_opacity": 0.0})).await), [100; 3]);
}

async fn avif_is_written_by_builds_that_can(value: &str) {
    let bench = Bench::new();
    let path = bench.picture("a.png", &cut_out(64));
    let run = over(&bench, &path, json!({"format": value, "max_attempts": 1})).await;
    if cfg!(feature = "avif") {
        let made = decode_as(&run.bytes(0, "process").await, Limits::DEFAULT, ColorProfile::Keep).unwrap();
        assert_eq!((run.statuses(), made.media_type), (vec![ItemStatus::Succeeded], MediaType::Avif));
        return;
    }
    // The format is refused by name, and nothing else is written instead.
    assert_eq!(run.statuses(), [ItemStatus::Failed]);
    let Some((_, Stop::Failed { failure })) = run.items[0].machine.stop() else { panic!("{:?}", run.items) };
    assert!(failure.message.contains("format=image/avif"), "{}", failure.message);
}

/// The file made from a photo-like picture.
async fn file(settings: Value) -> Vec<u8> {
    let bench = Bench::new();
    let path = bench.picture("a.png", &scene(128, 128));
    over(&bench, &path, settings).await.bytes(0, "process").await
}

async fn a_progressive_jpeg_has_other_scans_and_the_same_pixels() {
    let [plain, progressive] =
        [false, true].map(|progressive| file(json!({"format": "jpeg", "progressive": progressive})));
    let (plain, progressive) = (plain.await, progressive.await);
    let has = |bytes: &[u8], marker: u8| bytes.windows(2).any(|pair| pair == [0xff, marker]);
    assert!(has(&plain, 0xc0) && has(&progressive, 0xc2) && !has(&progressive, 0xc0));
    assert_eq!(open(&plain), open(&progressive));
}

/// The sampling factors of the first component, in hexadecimal.
async fn sampling(chroma: &str) -> u8 {
    let bytes = file(json!({"format": "jpeg", "chroma": chroma})).await;
    bytes[bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap() + 11]
}

async fn one_colour_for_four_pixels(value: &str) {
    assert_eq!(sampling(value).await, 0x22);
}

async fn one_colour_for_two_pixels(value: &str) {
    assert_eq!(sampling(value).await, 0x21);
}

async fn a_colour_for_each_pixel(value: &str) {
    assert_eq!(sampling(value).await, 0x11);
}

async fn a_lossless_webp_has_every_pixel() {
    let open = async |lossless: bool| open(&file(json!({"format": "webp", "lossless": lossless})).await);
    assert_eq!(open(true).await, scene(128, 128));
    assert_ne!(open(false).await, scene(128, 128));
}

async fn transparency_has_a_quality_of_its_own() {
    let soft = rgba(64, 64, |x, y| [200, 100, 50, (x * 3 + y) as u8]);
    let alphas = async |quality: u8| {
        let (_, made, _) = encoded("a.png", &soft, json!({"format": "webp", "alpha_quality": quality})).await;
        made.pixels().chunks_exact(4).map(|pixel| pixel[3]).collect::<Vec<_>>()
    };
    let expected: Vec<u8> = soft.pixels().chunks_exact(4).map(|pixel| pixel[3]).collect();
    assert_eq!(alphas(100).await, expected);
    assert_ne!(alphas(5).await, expected);
}

async fn effort_makes_shorter_files() {
    for format in ["png", "webp"] {
        let (little, much) =
            (file(json!({"format": format, "effort": 1})), file(json!({"format": format, "effort": 10})));
        assert!(much.await.len() < little.await.len(), "{format}");
    }
}

async fn a_palette_limits_the_colours() {
    let count = async |colors: Value| {
        let made = open(&file(json!({ "colors": colors })).await);
        made.pixels().chunks_exact(3).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert!(count(Value::Null).await > 256);
    let few = count(json!(16)).await;
    assert!((9..=16).contains(&few), "{few}");
}

/// A JPEG with a camera and a place in its metadata, and what is left of them after processing.
async fn remains(settings: Value) -> (bool, bool) {
    let bench = Bench::new();
    let path = bench.picture("photo.jpg", &scene(64, 64));
    let plain = std::fs::read(&path).unwrap();
    // Two entries of the first directory, camera and directory of the place; that has one, the map's name.
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x02".to_vec();
    exif.extend(b"\x01\x0f\0\x02\0\0\0\x0d\0\0\0\x26\x88\x25\0\x04\0\0\0\x01\0\0\0\x34\0\0\0\0");
    exif.extend(b"Camera works\0\0");
    exif.extend(b"\0\x01\0\x12\0\x02\0\0\0\x0d\0\0\0\x46\0\0\0\0Map of place\0");
    let segment = |marker: u8, content: &[u8]| {
        let length = (content.len() as u16 + 2).to_be_bytes();
        [&[0xff, marker][..], &length, content].concat()
    };
    std::fs::write(&path, [&plain[..2], &segment(0xe1, &exif), &plain[2..]].concat()).unwrap();
    let bytes = over(&bench, &path, settings).await.bytes(0, "process").await;
    let has = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    (has("Camera works"), has("Map of place"))
}

async fn no_metadata_is_kept(value: &str) {
    for format in ["png", "jpeg", "webp"] {
        assert_eq!(remains(json!({"format": format, "keep_exif": value})).await, (false, false));
    }
}

async fn metadata_is_kept_without_the_place(value: &str) {
    for format in ["png", "jpeg", "webp"] {
        assert_eq!(remains(json!({"format": format, "keep_exif": value})).await, (true, false), "{format}");
    }
}

async fn metadata_is_kept_with_the_place(value: &str) {
    for format in ["png", "jpeg", "webp"] {
        assert_eq!(remains(json!({"format": format, "keep_exif": value})).await, (true, true), "{format}");
    }
}

async fn renditions_are_further_files() {
    let bench = Bench::new();
    let path = bench.picture("fox.png", &scene(128, 64));
    let folder = bench.path("out");
    let renditions = json!({
        "small": {"width": 32, "format": "jpeg", "quality": 70},
        "square": {"width": 48, "height": 48, "fit": "cover"},
    });
    let settings = json!({
        "process": {"format": "webp", "flop": true, "renditions": renditions},
        "folder": {"folder": folder, "name": "{{ stem }}"},
    });
    let run = bench.over(&["source.files", "image.process", "output.folder"], &[&path], settings).await;
    assert_eq!(run.statuses(), [ItemStatus::Succeeded]);
    for (name, expected) in [("fox.webp", (128, 64)), ("fox-small.jpg", (32, 16)), ("fox-square.webp", (48, 48))] {
        assert_eq!(size(&open(&std::fs::read(folder.join(name)).unwrap())), expected, "{name}");
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3);
    let files = ["fox.webp", "fox-small.jpg", "fox-square.webp"].map(|name| folder.join(name));
    assert_eq!(bench.engine.published(run.job.id).await.unwrap(), files);
    let told = run.field(0, "process", "renditions");
    assert_eq!((&told[0]["name"], &told[0]["width"], &told[1]["height"]), (&json!("small"), &json!(32), &json!(48)));
    let none = over(&bench, &path, json!({"renditions": {}})).await;
    assert_eq!(none.field(0, "process", "renditions"), json!([]));
    let wrong = crate::bench::request(KINDS, &[&path], json!({"process": {"renditions": {"../up": {}}}}));
    assert!(bench.submit(wrong).await.unwrap_err().to_string().contains("no name for a rendition"));
    for (rendition, expected) in [
        (
            json!({"width": 0}),
            "process.renditions: 0 is not accepted for `a.width`; expected an integer from 1 to 16384",
        ),
        (json!({"format": "tiff"}), "\"tiff\" is not accepted for `a.format`; expected one of "),
        (
            json!({"kernel": "cubic"}),
            "unknown key `a.kernel`; there is `width`, `height`, `fit`, `format` and `quality`",
        ),
    ] {
        let wrong = crate::bench::request(KINDS, &[&path], json!({"process": {"renditions": {"a": rendition}}}));
        let error = bench.submit(wrong).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// Settings under which a part cannot be done: of every part that can fail once settings are in their ranges.
fn impossible(bench: &Bench) -> Vec<(&'static str, Value)> {
    let logo = bench.picture("huge.png", &rgb(400, 8, |_, _| [1; 3]));
    let mut impossible = vec![
        ("extract", json!({"extract": [120, 0, 20, 20]})),
        ("resize", json!({"width": 16000, "enlarge": true})),
        ("pad", json!({"padding": [16000, 8000]})),
        ("watermark", json!({"watermark": logo})),
        ("watermark", json!({"watermark": bench.path("gone.png")})),
        ("watermark", json!({"watermark": format!("artifact:{}", "0".repeat(64))})),
    ];
    if !cfg!(feature = "avif") {
        impossible.push(("encode", json!({"format": "avif"})));
    }
    impossible
}

async fn what_may_fail_is_left_out_and_told() {
    let bench = Bench::new();
    let path = bench.picture("picture.png", &scene(128, 128));
    for (part, settings) in impossible(&bench) {
        for soft in [json!([]), json!([part]), json!(["trim", "levels"]), json!(["trim", part])] {
            let mut all = json!({"soft": soft, "max_attempts": 1, "hue": 0.0, "flop": true});
            all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
            let run = over(&bench, &path, all).await;
            let tolerated = soft.as_array().unwrap().contains(&json!(part));
            let expected = if tolerated { ItemStatus::Succeeded } else { ItemStatus::Failed };
            assert_eq!(run.statuses(), [expected], "{part} with {soft}");
            if tolerated {
                let failed = run.field(0, "process", "failed");
                assert!(failed[0].as_str().unwrap().starts_with(&format!("{part}: ")), "{failed}");
                assert_eq!(run.field(0, "process", "applied"), json!(["flop"]));
                assert_eq!(size(&run.picture(0, "process").await), (128, 128));
            }
        }
    }
    let good = over(&bench, &path, json!({"soft": ["resize"], "width": 64})).await;
    assert_eq!(good.field(0, "process", "failed"), json!([]));
}

#[tokio::test]
async fn what_an_avif_cannot_carry_is_refused() {
    let bench = Bench::new();
    let path = bench.picture("a.png", &scene(64, 64));
    for (key, value) in [("color_profile", "keep"), ("keep_exif", "all")] {
        for avif in [json!({"format": "avif"}), json!({"renditions": {"small": {"width": 9, "format": "avif"}}})] {
            let mut settings = avif.clone();
            settings[key] = json!(value);
            let request = |settings| crate::bench::request(KINDS, &[&path], json!({"process": settings}));
            let error = bench.submit(request(settings.clone())).await.unwrap_err().to_string();
            assert!(error.contains(key) && error.contains("an AVIF carries no"), "{error}");
            settings["soft"] = json!(["encode"]);
            bench.submit(request(settings)).await.unwrap();
        }
    }
}

/// A red picture, by a profile that means green by red: the colour that comes out, and whether the profile does.
async fn profiled(value: &str) -> ([u8; 3], bool) {
    let bench = Bench::new();
    let file = Png::new(128, 128, 8, 2).with_profile(&swapped_profile()).file(&[230, 20, 10].repeat(128 * 128));
    let path = bench.path("profiled.png");
    std::fs::write(&path, file).unwrap();
    let run = over(&bench, &path, json!({"color_profile": value})).await;
    let made = decode_as(&run.bytes(0, "process").await, Limits::DEFAULT, ColorProfile::Keep).unwrap();
    (pixel(&made.picture, 64, 64), made.icc.as_deref() == Some(&swapped_profile()[..]))
}

async fn the_colours_of_a_profile_become_srgb(value: &str) {
    let ([red, green, blue], is_kept) = profiled(value).await;
    assert!(green > 215 && red < 60 && blue < 60 && !is_kept, "{red} {green} {blue}");
}

async fn the_colours_of_a_kept_profile_stay(value: &str) {
    assert_eq!(profiled(value).await, ([230, 20, 10], true));
}
