//! The options of `image.metadata`.

use serde_json::json;

use crate::bench::Bench;
use crate::pictures::rgb;
use crate::registry::observed;

observed! { "image.metadata" => {
    "provider" => the_provider_writes_title_description_and_tags,
    "colors_provider" => the_colours_named_are_those_their_provider_finds,
    "tags" => there_are_as_many_tags_as_asked_for,
} }

const KINDS: &[&str] = &["source.files", "image.metadata"];

async fn the_provider_writes_title_description_and_tags() {
    let bench = Bench::new();
    let picture = bench.picture("red_fox.png", &rgb(128, 128, |_, _| [0, 128, 128]));
    let local = bench.over(KINDS, &[&picture], json!({"metadata": {"provider": "template"}})).await;
    assert!(local.fields("metadata", "title")[0].contains("Fox"), "{:?}", local.fields("metadata", "title"));
    let fake = bench.over(KINDS, &[&picture], json!({"metadata": {"provider": "fake"}})).await;
    assert_eq!(fake.fields("metadata", "title"), ["fake title"]);
    assert_eq!(fake.field(0, "metadata", "tags"), json!(["fake"]));
    assert_eq!(fake.result(0, "metadata").provider.as_deref(), Some("fake"));
}

async fn the_colours_named_are_those_their_provider_finds() {
    let bench = Bench::new();
    let picture = bench.picture("red_fox.png", &rgb(128, 128, |_, _| [0, 128, 128]));
    let has = |tags: serde_json::Value, colour: &str| tags.as_array().unwrap().contains(&json!(colour));
    let local = bench.over(KINDS, &[&picture], json!({"metadata": {"colors_provider": "image"}})).await;
    let tags = local.field(0, "metadata", "tags");
    assert!(has(tags.clone(), "teal") && !has(tags.clone(), "ultraviolet"), "{tags}");
    let fake = bench.over(KINDS, &[&picture], json!({"metadata": {"colors_provider": "fake"}})).await;
    let tags = fake.field(0, "metadata", "tags");
    assert!(has(tags.clone(), "ultraviolet") && !has(tags.clone(), "teal"), "{tags}");
}

async fn there_are_as_many_tags_as_asked_for() {
    let bench = Bench::new();
    let picture = bench.picture("red_fox.png", &rgb(128, 128, |_, _| [0, 128, 128]));
    for count in [1, 15, 50] {
        let run = bench.over(KINDS, &[&picture], json!({"metadata": {"tags": count}})).await;
        assert_eq!(run.field(0, "metadata", "tags").as_array().unwrap().len(), count);
    }
}
