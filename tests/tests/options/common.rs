//! The options every stage has.

use std::path::Path;
use std::time::{Duration, Instant};

use pipeline::engine::JobRequest;
use pipeline_core::executor::{StageState, Stop, Why};
use pipeline_core::model::ItemStatus::{Failed, Succeeded, Undecided};
use pipeline_core::settings::{Layer, Origin};
use serde_json::{Value, json};

use crate::bench::{Bench, Run, request};
use crate::pictures::{open, scene, size};
use crate::registry::{EVERY_STAGE, observed};

observed! { EVERY_STAGE => {
    "enabled" => a_stage_that_is_off_is_passed_by,
    "on_failure" = "fail" => when_a_stage_cannot_be_done_the_item_ends,
    "on_failure" = "skip" => when_a_stage_cannot_be_done_the_item_goes_on_without_it,
    "on_failure" = "use_input" => when_a_stage_cannot_be_done_its_input_is_its_output,
    "max_attempts" => a_stage_is_tried_as_often_as_allowed,
    "timeout_seconds" => a_try_that_takes_too_long_is_given_up,
} }

fn passed_by(run: &Run<'_>, stage: &str) -> Option<Why> {
    match run.items[0].machine.stages[run.plan.index_of(stage).unwrap()] {
        StageState::Skipped { why, .. } => Some(why),
        _ => None,
    }
}

async fn a_stage_that_is_off_is_passed_by() {
    let bench = Bench::new();
    let picture = bench.picture("fox.png", &scene(256, 256));
    let out = bench.path("out");
    let pipelines: [&[&str]; 3] = [
        &["source.keywords", "text.prompt"],
        &["source.keywords", "text.prompt", "image.generate"],
        &["source.files", "image.qc", "image.process", "image.metadata", "output.folder"],
    ];
    let base = json!({
        "keywords": {"list": ["fox"]}, "prompt": {}, "generate": {"sizes": ["128x128"]},
        "files": {}, "qc": {}, "process": {"width": 64}, "metadata": {},
        "folder": {"folder": out, "policy": "overwrite", "name": "{{ stem }}"},
    });
    for (kinds, first) in pipelines.into_iter().zip([1, 2, 1]) {
        let names: Vec<&str> = kinds.iter().map(|kind| kind.rsplit('.').next().unwrap()).collect();
        let inputs: &[&Path] = if kinds[0] == "source.files" { &[&picture] } else { &[] };
        for stage in names.iter().skip(first) {
            for enabled in [true, false] {
                std::fs::remove_dir_all(&out).ok();
                let mut settings = base.clone();
                settings.as_object_mut().unwrap().retain(|section, _| names.contains(&section.as_str()));
                settings[stage]["enabled"] = json!(enabled);
                let run = bench.over(kinds, inputs, settings).await;
                assert_eq!(run.statuses(), [Succeeded], "{stage}: {:?}", run.histories);
                assert_eq!(run.has(0, stage), enabled, "{stage}");
                assert_eq!(passed_by(&run, stage), (!enabled).then_some(Why::Disabled), "{stage}");
                if kinds.len() == 5 {
                    let width = std::fs::read(out.join("fox.png")).ok().map(|bytes| open(&bytes).width());
                    let expected = match (*stage, enabled) {
                        ("folder", false) => None,
                        ("process", false) => Some(256),
                        _ => Some(64),
                    };
                    assert_eq!(width, expected, "what is published when {stage} is on: {enabled}");
                }
            }
        }
    }
    let source = request(&["source.files"], &[&picture], json!({"files": {"enabled": false}}));
    let error = bench.submit(source).await.unwrap_err().to_string();
    assert!(error.contains("a source cannot be disabled"), "{error}");
}

/// Runs one work stage and one check that cannot be done.
async fn cannot<'a>(bench: &'a Bench, on_failure: &str) -> (Run<'a>, Run<'a>) {
    let picture = bench.picture("fox.png", &scene(256, 256));
    let broken = json!({"provider": "broken", "on_failure": on_failure});
    let work = bench.over(&["source.files", "image.process"], &[&picture], json!({ "process": broken })).await;
    let check = bench.over(&["source.files", "image.qc"], &[&picture], json!({ "qc": broken })).await;
    (work, check)
}

async fn when_a_stage_cannot_be_done_the_item_ends(value: &str) {
    let bench = Bench::new();
    let (work, check) = cannot(&bench, value).await;
    assert_eq!((work.statuses(), check.statuses()), (vec![Failed], vec![Undecided]));
    let Some((_, Stop::Failed { failure })) = work.items[0].machine.stop() else { panic!("{:?}", work.items) };
    assert!(failure.message.contains("this provider is broken"), "{}", failure.message);
}

async fn when_a_stage_cannot_be_done_the_item_goes_on_without_it(value: &str) {
    let bench = Bench::new();
    let (work, check) = cannot(&bench, value).await;
    assert_eq!((work.statuses(), passed_by(&work, "process")), (vec![Succeeded], Some(Why::Failure)));
    assert_eq!((check.statuses(), passed_by(&check, "qc")), (vec![Succeeded], Some(Why::Failure)));
    assert_eq!(after_failure(value).await, (64, 64), "as if the stage were not there: the nearest picture before it");
}

async fn when_a_stage_cannot_be_done_its_input_is_its_output(value: &str) {
    let bench = Bench::new();
    let (work, check) = cannot(&bench, value).await;
    assert_eq!((work.statuses(), passed_by(&work, "process")), (vec![Succeeded], Some(Why::InputUsed)));
    assert_eq!((check.statuses(), passed_by(&check, "qc")), (vec![Succeeded], Some(Why::InputUsed)));
    assert_eq!(after_failure(value).await, (128, 128), "the picture the stage itself would have read");
}

/// The size of the picture that the stage after one that cannot be done gets. That one would have read the picture
/// of the files; between the two stands a stage that makes it smaller.
async fn after_failure(on_failure: &str) -> (usize, usize) {
    const PIPELINE: &str = r#"
        name = "test"
        [stages.files]
        kind = "source.files"
        [stages.small]
        kind = "image.process"
        needs = ["files"]
        [stages.broken]
        kind = "image.process"
        needs = ["small"]
        inputs = { image = "files" }
        [stages.last]
        kind = "image.process"
        needs = ["broken"]
    "#;
    let bench = Bench::new();
    let picture = bench.picture("fox.png", &scene(128, 128));
    let settings = json!({"small": {"width": 64}, "broken": {"provider": "broken", "on_failure": on_failure}});
    let request = JobRequest::toml("test.toml", PIPELINE).layer(Layer::new(Origin::Program, settings));
    let run = bench.submit(request.input(picture.to_string_lossy())).await.unwrap();
    assert_eq!(run.statuses(), [Succeeded]);
    size(&run.picture(0, "last").await)
}

async fn a_stage_is_tried_as_often_as_allowed() {
    let bench = Bench::new();
    let run = |keyword: &'static str, attempts: u32| {
        let settings = json!({"prompt": {"provider": "fake", "max_attempts": attempts}});
        bench.words(&["text.prompt"], &[keyword], settings)
    };
    let calls = |keyword: &str| bench.seen.calls.lock().unwrap().iter().filter(|call| *call == keyword).count();
    assert_eq!(run("once fails:2", 1).await.statuses(), [Failed]);
    assert_eq!(calls("once fails:2"), 1);
    assert_eq!(run("twice fails:2", 2).await.statuses(), [Failed]);
    assert_eq!(calls("twice fails:2"), 2);
    let third = run("thrice fails:2", 3).await;
    assert_eq!((third.statuses(), third.result(0, "prompt").attempt), (vec![Succeeded], 3));
    assert_eq!(calls("thrice fails:2"), 3);
}

async fn a_try_that_takes_too_long_is_given_up() {
    let bench = Bench::new();
    let run = |keyword: &'static str, timeout: Value| {
        let settings = json!({"prompt": {"provider": "fake", "max_attempts": 1, "timeout_seconds": timeout}});
        bench.words(&["text.prompt"], &[keyword], settings)
    };
    let started = Instant::now();
    let late = run("slow:20000", json!(0.05)).await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(late.statuses(), [Failed]);
    let Some((_, Stop::Failed { failure })) = late.items[0].machine.stop() else { panic!("{:?}", late.items) };
    assert_eq!(failure.code.as_str(), "timeout");
    assert_eq!(run("slow:200", json!(60.0)).await.statuses(), [Succeeded]);
    assert_eq!(run("slow:200", Value::Null).await.statuses(), [Succeeded], "no limit when absent");
}
