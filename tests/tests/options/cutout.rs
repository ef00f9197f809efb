//! The options of `image.cutout`, what it makes of a failure, and that a paid remover goes through the ledger.

use pipeline::providers::local::image::Picture;
use pipeline_core::executor::Stop;
use pipeline_core::model::ItemStatus::{Failed, Succeeded};
use pipeline_core::model::{MediaType, Money};
use pipeline_core::storage::{CallQuery, CallState};
use serde_json::{Value, json};

use crate::bench::{Bench, Run};
use crate::pictures::{MATTE_SIDE, rgb, scene, size};
use crate::registry::observed;

observed! { "image.cutout" => {
    "provider" => the_provider_removes_the_background,
    "min_confidence" => a_cut_that_is_not_sure_enough_has_failed,
    "specks" => small_pieces_are_taken_out,
    "holes" => small_holes_are_filled,
    "feather" => the_edge_is_softened_by_as_many_pixels,
    "decontaminate" => the_edge_loses_the_colour_of_the_old_background,
    "cleaner" => the_cleaner_mends_the_edge,
} }

const KINDS: &[&str] = &["source.files", "image.cutout"];

async fn over(bench: &Bench, cutout: Value) -> Run<'_> {
    let product = rgb(128, 128, |x, y| if x.abs_diff(64).max(y.abs_diff(60)) < 30 { [40, 60, 140] } else { [225; 3] });
    let path = bench.picture("picture.png", &product);
    bench.over(KINDS, &[&path], json!({ "cutout": cutout })).await
}

/// What comes of the fake's cut-out, a red disc with a hole, a speck and a half-transparent green rim, when only `cutout` is
/// done to it.
async fn cleaned(cutout: Value) -> Picture {
    let mut all = json!({"provider": "fake", "specks": 0.0, "holes": 0.0, "feather": 0, "decontaminate": false});
    for (key, value) in cutout.as_object().unwrap() {
        all[key.as_str()] = value.clone();
    }
    over(&Bench::new(), all).await.picture(0, "cutout").await
}

fn pixel(picture: &Picture, x: usize, y: usize) -> [u8; 4] {
    let at = (y * picture.width() + x) * 4;
    picture.pixels()[at..at + 4].try_into().unwrap()
}

const SPECK: (usize, usize) = (12, 12);
const HOLE: (usize, usize) = (74, 64);
const RIM: (usize, usize) = (64 + 41, 64);

fn alpha(picture: &Picture, (x, y): (usize, usize)) -> u8 {
    pixel(picture, x, y)[3]
}

async fn the_provider_removes_the_background() {
    let bench = Bench::new();
    let local = over(&bench, json!({"provider": "classical"})).await;
    assert_eq!((local.statuses(), local.file(0, "cutout").media_type), (vec![Succeeded], MediaType::Png));
    let picture = local.picture(0, "cutout").await;
    assert_eq!([alpha(&picture, (64, 60)), alpha(&picture, (5, 5))], [255, 0]);
    assert!(local.field(0, "cutout", "confidence").as_f64().unwrap() > 0.7);
    let fake = over(&bench, json!({"provider": "fake"})).await;
    assert_eq!(size(&fake.picture(0, "cutout").await), (MATTE_SIDE, MATTE_SIDE));
    assert_eq!(fake.result(0, "cutout").provider.as_deref(), Some("fake"));
}

/// Why the only item has failed.
fn failure(run: &Run<'_>) -> String {
    match run.items[0].machine.stop() {
        Some((_, Stop::Failed { failure })) => failure.message.clone(),
        _ => panic!("{:?}", run.items),
    }
}

async fn a_cut_that_is_not_sure_enough_has_failed() {
    let bench = Bench::new();
    let least = |least: f64| over(&bench, json!({"provider": "fake", "min_confidence": least}));
    assert_eq!(least(0.5).await.statuses(), [Succeeded], "the fake is as sure as that");
    let unsure = least(0.6).await;
    assert_eq!(unsure.statuses(), [Failed]);
    assert!(
        failure(&unsure).contains("confidence=0.50, accepted=at least min_confidence = 0.6"),
        "{}",
        failure(&unsure)
    );
    let silent = over(&bench, json!({"provider": "paid", "min_confidence": 1.0})).await;
    assert_eq!(silent.statuses(), [Succeeded], "a provider that does not say how sure it is");
    assert!(silent.field(0, "cutout", "confidence").is_null());
}

async fn small_pieces_are_taken_out() {
    assert_eq!(alpha(&cleaned(json!({"specks": 0.0})).await, SPECK), 255);
    let clean = cleaned(json!({"specks": 0.05})).await;
    assert_eq!([alpha(&clean, SPECK), alpha(&clean, (40, 64)), alpha(&clean, HOLE)], [0, 255, 0]);
}

async fn small_holes_are_filled() {
    assert_eq!(alpha(&cleaned(json!({"holes": 0.0})).await, HOLE), 0);
    let clean = cleaned(json!({"holes": 0.05})).await;
    assert_eq!([alpha(&clean, HOLE), alpha(&clean, (2, 64)), alpha(&clean, SPECK)], [255, 0, 255]);
}

async fn the_edge_is_softened_by_as_many_pixels() {
    // Where the disc's rim ends, along the middle row.
    let end = 64 + 44;
    for reach in [0, 2, 8_usize] {
        let picture = cleaned(json!({ "feather": reach })).await;
        let beyond = (end..MATTE_SIDE).filter(|x| alpha(&picture, (*x, 64)) > 0).count();
        assert!(beyond <= reach && beyond + 1 >= reach, "{beyond} pixels of {reach}");
    }
}

async fn the_edge_loses_the_colour_of_the_old_background() {
    assert_eq!(pixel(&cleaned(json!({"decontaminate": false})).await, RIM.0, RIM.1), [0, 200, 0, 128]);
    let [red, green, _, alpha] = pixel(&cleaned(json!({"decontaminate": true})).await, RIM.0, RIM.1);
    assert!(red > 80 && green < 120 && alpha == 128, "{red} {green} {alpha}");
}

async fn the_cleaner_mends_the_edge() {
    let bench = Bench::new();
    let local = over(&bench, json!({"provider": "fake", "cleaner": "image"})).await;
    assert_eq!(local.field(0, "cutout", "cleaned"), json!(["matte specks 1, decontaminate"]));
    let fake = over(&bench, json!({"provider": "fake", "cleaner": "fake"})).await;
    assert_eq!(fake.field(0, "cutout", "cleaned"), json!(["nothing"]));
    assert_eq!(alpha(&fake.picture(0, "cutout").await, SPECK), 255, "the fake leaves everything as it is");
}

#[tokio::test]
async fn an_item_whose_removal_failed_succeeds_only_where_that_is_said() {
    for (on_failure, expected) in [("fail", Failed), ("skip", Succeeded), ("use_input", Succeeded)] {
        let bench = Bench::new();
        // Nothing stands out of an even picture; the remover that is broken and the one that is not sure fail alike.
        let even = bench.picture("even.png", &rgb(96, 96, |_, _| [90, 120, 150]));
        let product = bench.picture("scene.png", &scene(96, 96));
        let unsure = json!({"provider": "fake", "min_confidence": 0.9});
        for (path, mut cutout) in [(&even, json!({})), (&product, json!({"provider": "broken"})), (&product, unsure)] {
            cutout["on_failure"] = json!(on_failure);
            let kinds = ["source.files", "image.cutout", "image.process"];
            let run = bench.over(&kinds, &[path], json!({ "cutout": cutout })).await;
            assert_eq!(run.statuses(), [expected], "{on_failure} {cutout}");
            assert!(!run.has(0, "cutout"), "no cut-out is recorded");
            if expected == Succeeded {
                assert!(!run.picture(0, "process").await.has_alpha(), "the picture goes on as it was");
            }
        }
    }
}

#[tokio::test]
async fn a_remover_that_costs_something_goes_through_the_ledger_and_is_paid_once() {
    let bench = Bench::new();
    let run = over(&bench, json!({"provider": "paid"})).await;
    assert_eq!(run.statuses(), [Succeeded]);
    let calls = bench.engine.store().calls(CallQuery { job: Some(run.job.id), ..CallQuery::default() }).await.unwrap();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (calls[0].state, calls[0].provider.as_str(), calls[0].cost),
        (CallState::Succeeded, "paid", Some(Money::from_micros(20_000)))
    );
    assert_eq!((run.result(0, "cutout").cost, run.job.cost), (Money::from_micros(20_000), Money::from_micros(20_000)));
    let free = over(&bench, json!({"provider": "fake"})).await;
    let query = CallQuery { job: Some(free.job.id), ..CallQuery::default() };
    assert_eq!(bench.engine.store().calls(query).await.unwrap(), [], "what is free and deterministic needs no entry");
}

#[tokio::test]
async fn an_answer_without_transparency_is_corrupt_and_no_cut_out() {
    let bench = Bench::new();
    let run = over(&bench, json!({"provider": "opaque"})).await;
    assert_eq!(run.statuses(), [Failed]);
    assert!(failure(&run).contains("no transparency"), "{}", failure(&run));
}

#[tokio::test]
async fn a_cut_out_of_which_every_pixel_is_opaque_has_failed() {
    let bench = Bench::new();
    let run = over(&bench, json!({"provider": "idle"})).await;
    assert_eq!(run.statuses(), [Failed]);
    assert!(failure(&run).contains("nothing was removed"), "{}", failure(&run));
}
