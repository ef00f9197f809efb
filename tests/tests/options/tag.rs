//! The options of `image.tag`, and what metadata makes of its labels.

use serde_json::{Value, json};

use crate::bench::{Bench, Run};
use crate::pictures::scene;
use crate::registry::observed;

observed! { "image.tag" => {
    "provider" => the_provider_says_what_is_in_the_picture,
    "min_confidence" => labels_below_the_least_confidence_are_left_out,
    "most" => there_are_at_most_as_many_labels,
} }

async fn over<'a>(bench: &'a Bench, kinds: &[&str], settings: Value) -> Run<'a> {
    let path = bench.picture("red_fox.png", &scene(96, 96));
    bench.over(kinds, &[&path], settings).await
}

async fn labels(tag: Value) -> Value {
    let bench = Bench::new();
    let run = over(&bench, &["source.files", "image.tag"], json!({ "tag": tag })).await;
    let labels = run.field(0, "tag", "labels");
    let confidences = run.field(0, "tag", "confidences");
    assert_eq!(labels.as_array().unwrap().len(), confidences.as_array().unwrap().len());
    labels
}

async fn the_provider_says_what_is_in_the_picture() {
    assert_eq!(labels(json!({"provider": "fake"})).await, json!(["fox", "snow"]));
    let bench = Bench::new();
    let kinds = ["source.keywords", "image.generate", "image.tag"];
    let missing = bench.refused(&kinds[1..], &["fox"], json!({"tag": {}})).await;
    assert!(missing.contains("no provider `tagger` can vision"), "{missing}");
}

async fn labels_below_the_least_confidence_are_left_out() {
    let least = async |least: f64| labels(json!({"provider": "fake", "min_confidence": least})).await;
    assert_eq!(least(0.0).await, json!(["fox", "snow", "dusk"]));
    assert_eq!(least(0.3).await, json!(["fox", "snow"]), "0.3 is enough");
    assert_eq!(least(0.95).await, json!([]));
}

async fn there_are_at_most_as_many_labels() {
    let most = async |most: u32| labels(json!({"provider": "fake", "min_confidence": 0.0, "most": most})).await;
    assert_eq!(most(1).await, json!(["fox"]));
    assert_eq!(most(50).await, json!(["fox", "snow", "dusk"]));
}

#[tokio::test]
async fn labels_come_first_among_the_tags_each_once() {
    let bench = Bench::new();
    let kinds = ["source.files", "image.tag", "image.metadata"];
    let settings = json!({"tag": {"provider": "fake"}, "metadata": {"tags": 6}});
    let run = over(&bench, &kinds, settings).await;
    let tags: Vec<String> = serde_json::from_value(run.field(0, "metadata", "tags")).unwrap();
    assert_eq!((tags.len(), &tags[..2]), (6, &["fox".to_owned(), "snow".to_owned()][..]), "{tags:?}");
    assert_eq!(tags.iter().filter(|tag| tag.eq_ignore_ascii_case("fox")).count(), 1, "{tags:?}");
    let without = over(&bench, &["source.files", "image.metadata"], json!({"metadata": {"tags": 6}})).await;
    assert!(!without.field(0, "metadata", "tags").as_array().unwrap().contains(&json!("snow")));
}

#[tokio::test]
async fn an_answer_that_is_none_of_labels_is_corrupt() {
    let bench = Bench::new();
    let run = over(&bench, &["source.files", "image.tag"], json!({"tag": {"provider": "mute"}})).await;
    assert_eq!(run.job.counts.failed, 1);
}
