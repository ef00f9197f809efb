//! A setting that has no effect beside the others is reported as not applied, and changing it changes nothing.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::bench::{Bench, Run};
use crate::pictures::{cut_out, scene};

/// A setting that is inert beside `beside`; `values` are two values of it.
struct Inert {
    kinds: &'static [&'static str],
    setting: (&'static str, &'static str),
    values: [Value; 2],
    beside: Value,
    reason: &'static str,
}

const PROCESS: &[&str] = &["source.files", "image.process"];
const MADE: &[&str] = &["source.keywords", "text.prompt", "image.generate"];

fn inert(
    kinds: &'static [&'static str],
    setting: (&'static str, &'static str),
    values: [Value; 2],
    beside: Value,
    reason: &'static str,
) -> Inert {
    Inert { kinds, setting, values, beside, reason }
}

fn cases() -> Vec<Inert> {
    let process = |key: &'static str, values: [Value; 2], beside: Value, reason: &'static str| {
        inert(PROCESS, ("process", key), values, json!({ "process": beside }), reason)
    };
    let publish = |key: &'static str, values: [Value; 2]| {
        inert(&["source.files", "output.folder"], ("folder", key), values, json!({}), "no output folder is given")
    };
    let metadata = |key: &'static str, values: [Value; 2]| {
        let beside = json!({"metadata": {"embed": "never"}});
        inert(&["source.files", "image.metadata"], ("metadata", key), values, beside, "`embed` is `never`")
    };
    let transparent = "this format keeps transparency, and `flatten` is off";
    let small = json!({"keywords": {"list": ["fox"]}, "generate": {"sizes": ["128x128"]}});
    vec![
        process("quality", [json!(10), json!(95)], json!({"format": "png"}), "PNG is lossless"),
        process("background", [json!("black"), json!("#ff0000")], json!({"format": "png"}), transparent),
        process("background", [json!("black"), json!("#ff0000")], json!({"format": "webp"}), transparent),
        process("trim_tolerance", [json!(0), json!(200)], json!({"trim": false}), "`trim` is off"),
        process("fit", [json!("cover"), json!("fill")], json!({}), "neither `width` nor `height` is set"),
        process("enlarge", [json!(true), json!(false)], json!({}), "neither `width` nor `height` is set"),
        process(
            "fit",
            [json!("cover"), json!("fill")],
            json!({"width": 64}),
            "only one of `width` and `height` is set, so the aspect is kept",
        ),
        process("trim_border", [json!("alpha"), json!("corner")], json!({"trim": false}), "`trim` is off"),
        process("position", [json!("top"), json!("left")], json!({}), "neither `width` nor `height` is set"),
        process("kernel", [json!("nearest"), json!("cubic")], json!({}), "neither `width` nor `height` is set"),
        process(
            "position",
            [json!("top"), json!("left")],
            json!({"width": 64, "height": 32, "fit": "fill"}),
            "`fit` is neither `cover` nor `contain`",
        ),
        process(
            "fill",
            [json!("black"), json!("transparent")],
            json!({"rotate": 90}),
            "nothing is added to the picture",
        ),
        process("normalise_clip", [json!(0.0), json!(20.0)], json!({}), "`normalise` is off"),
        process("watermark_opacity", [json!(0.0), json!(0.5)], json!({}), "no watermark is given"),
        process("watermark_scale", [json!(0.1), json!(0.5)], json!({}), "no watermark is given"),
        process("watermark_margin", [json!(0), json!(5)], json!({}), "no watermark is given"),
        process("watermark_position", [json!("top"), json!("left")], json!({}), "no watermark is given"),
        process("quality", [json!(10), json!(95)], json!({"format": "webp", "lossless": true}), "`lossless` is on"),
        process(
            "alpha_quality",
            [json!(10), json!(95)],
            json!({"format": "webp", "lossless": true}),
            "`lossless` is on",
        ),
        process("alpha_quality", [json!(10), json!(95)], json!({"format": "png"}), "no file is a WebP or an AVIF"),
        process("progressive", [json!(true), json!(false)], json!({"format": "webp"}), "no file is a JPEG"),
        process("chroma", [json!("4:4:4"), json!("4:2:2")], json!({"format": "png"}), "no file is a JPEG"),
        process("lossless", [json!(true), json!(false)], json!({"format": "png"}), "no file is a WebP"),
        process("effort", [json!(1), json!(10)], json!({"format": "jpeg"}), "JPEG has no effort"),
        process("colors", [json!(2), json!(10)], json!({"format": "jpeg"}), "no file is a PNG"),
        process("saturation", [json!(0.0), json!(3.0)], json!({"enabled": false}), "stage is disabled"),
        inert(
            &["source.files", "image.cutout"],
            ("cutout", "cleaner"),
            [json!("fake"), json!("image")],
            json!({"cutout": {"provider": "fake", "specks": 0.0, "holes": 0.0, "feather": 0, "decontaminate": false}}),
            "nothing is cleaned: `specks`, `holes`, `feather` and `decontaminate` are off",
        ),
        inert(
            MADE,
            ("generate", "megapixels"),
            [json!(0.1), json!(2.0)],
            small,
            "every size is given in pixels, none as an aspect",
        ),
        inert(
            &["source.files", "image.qc"],
            ("qc", "duplicate_distance"),
            [json!(0), json!(32)],
            json!({"qc": {"reject_duplicates": false}}),
            "near-duplicates are not refused",
        ),
        inert(
            &["source.keywords"],
            ("keywords", "column"),
            [json!("place"), json!("animal")],
            json!({"keywords": {"list": ["fox", "owl"]}}),
            "keywords come from `list`, not from a CSV file",
        ),
        metadata("embed_provider", [json!("fake"), json!("image")]),
        metadata("creator", [json!("Zoë"), json!("Bob")]),
        metadata("rights", [json!("all"), json!("none")]),
        metadata("provenance", [json!("digital_capture"), json!("algorithmic_media")]),
        publish("name", [json!("{{ id }}"), json!("{{ n }}")]),
        publish("policy", [json!("overwrite"), json!("error")]),
        publish("sidecar", [json!("json"), json!("none")]),
    ]
}

async fn run<'a>(bench: &'a Bench, case: &Inert, inputs: &[PathBuf], value: Option<&Value>) -> Run<'a> {
    let (stage, key) = case.setting;
    let mut settings = case.beside.clone();
    if let Some(value) = value {
        if settings.get(stage).is_none() {
            settings[stage] = json!({});
        }
        settings[stage][key] = value.clone();
    }
    let inputs: Vec<&Path> =
        if case.kinds[0] == "source.files" { inputs.iter().map(PathBuf::as_path).collect() } else { Vec::new() };
    bench.over(case.kinds, &inputs, settings).await
}

/// All a job made: status, fields, files and verdicts of every result, without ids.
fn made(run: &Run<'_>) -> Vec<String> {
    let item = |index: usize| {
        let results = run.histories[index].iter().map(|result| {
            format!("{} {:?} {:?} {:?} {}", result.stage, result.fields, result.files, result.verdict, result.attempt)
        });
        results.chain([run.items[index].status.to_string()]).collect::<Vec<_>>()
    };
    (0..run.items.len()).flat_map(item).collect()
}

#[tokio::test]
async fn an_inert_setting_is_reported_and_changing_it_changes_nothing() {
    let bench = Bench::new();
    let inputs = [bench.picture("scene.png", &scene(256, 256)), bench.picture("cut_out.png", &cut_out(256))];
    for case in cases() {
        let (stage, key) = case.setting;
        let name = format!("{stage}.{key}");
        let unset = run(&bench, &case, &inputs, None).await;
        assert!(
            unset.warnings().iter().all(|warning| warning.setting != name),
            "{name} is reported though nobody set it"
        );
        for value in &case.values {
            let set = run(&bench, &case, &inputs, Some(value)).await;
            let warning = set.warnings().iter().find(|warning| warning.setting == name);
            let reason = warning.map(|warning| warning.reason.as_str());
            assert_eq!(reason, Some(case.reason), "{name} = {value} beside {}", case.beside);
            assert_eq!(made(&set), made(&unset), "{name} = {value} changes what is made beside {}", case.beside);
            let stored: pipeline_core::settings::Resolved = serde_json::from_value(set.settings.clone()).unwrap();
            let line = format!("not applied ({})", case.reason);
            assert!(stored.lines().iter().any(|shown| shown.starts_with(&name) && shown.ends_with(&line)), "{name}");
        }
    }
}

#[tokio::test]
async fn a_setting_that_is_applied_is_not_reported() {
    let bench = Bench::new();
    let picture = bench.picture("scene.png", &scene(128, 128));
    let settings = json!({"process": {"format": "jpeg", "quality": 50, "background": "black", "width": 64, "height": 64,
        "fit": "cover", "enlarge": true, "trim": true, "trim_tolerance": 3}});
    let run = bench.over(PROCESS, &[&picture], settings).await;
    assert_eq!(run.warnings(), []);
}
