//! The options of `source.files`.

use std::path::Path;

use pipeline_core::model::ItemStatus;
use serde_json::json;

use crate::bench::{Bench, Run};
use crate::pictures::scene;
use crate::registry::observed;

observed! { "source.files" => {
    "provider" => the_provider_says_what_each_picture_is,
    "recursive" => folders_inside_a_folder_are_searched_only_when_recursive,
    "extensions" => only_files_of_these_extensions_are_taken_from_a_folder,
} }

const FILES: &[&str] = &["source.files"];

fn names(run: &Run<'_>) -> Vec<String> {
    run.items.iter().map(|item| item.name.replace('\\', "/")).collect()
}

async fn the_provider_says_what_each_picture_is() {
    let bench = Bench::new();
    let picture = bench.picture("one.png", &scene(128, 96));
    let inputs: &[&Path] = &[&picture];
    let local = bench.over(FILES, inputs, json!({"files": {"provider": "image"}})).await;
    assert_eq!((local.field(0, "files", "width"), local.field(0, "files", "height")), (json!(128), json!(96)));
    let fake = bench.over(FILES, inputs, json!({"files": {"provider": "fake"}})).await;
    assert_eq!((fake.field(0, "files", "width"), fake.field(0, "files", "height")), (json!(7), json!(5)));
    let broken = bench.over(FILES, inputs, json!({"files": {"provider": "broken"}})).await;
    assert_eq!(broken.statuses(), [ItemStatus::Failed]);
}

async fn folders_inside_a_folder_are_searched_only_when_recursive() {
    let bench = Bench::new();
    bench.picture("in/top.png", &scene(128, 128));
    bench.picture("in/deep/er/below.png", &scene(128, 128));
    let folder = bench.path("in");
    let deep = bench.over(FILES, &[&folder], json!({"files": {"recursive": true}})).await;
    assert_eq!(names(&deep), ["deep/er/below.png", "top.png"]);
    let flat = bench.over(FILES, &[&folder], json!({"files": {"recursive": false}})).await;
    assert_eq!(names(&flat), ["top.png"]);
}

async fn only_files_of_these_extensions_are_taken_from_a_folder() {
    let bench = Bench::new();
    bench.picture("in/a.png", &scene(128, 128));
    bench.picture("in/b.JPEG", &scene(128, 128));
    let other = bench.picture("in/c.picture", &scene(128, 128));
    let folder = bench.path("in");
    let usual = bench.over(FILES, &[&folder], json!({})).await;
    assert_eq!(names(&usual), ["a.png", "b.JPEG"]);
    let chosen = bench.over(FILES, &[&folder], json!({"files": {"extensions": ["jpeg", "picture"]}})).await;
    assert_eq!(names(&chosen), ["b.JPEG", "c.picture"]);
    let named = bench.over(FILES, &[&other], json!({"files": {"extensions": ["png"]}})).await;
    assert_eq!(names(&named), ["c.picture"], "a file named by itself is always taken");
}
