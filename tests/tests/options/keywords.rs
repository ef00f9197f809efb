//! The options of `source.keywords`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::bench::{Bench, request};
use crate::registry::observed;

observed! { "source.keywords" => {
    "list" => the_list_gives_the_keywords_and_goes_before_a_file,
    "order" = "sequential" => in_sequence_keywords_come_as_they_stand_and_from_the_start_again,
    "order" = "random" => at_random_keywords_are_drawn_by_the_seed_of_the_job,
    "count" => the_count_says_how_many_items_there_are,
    "column" => the_column_of_a_table_holds_the_keyword,
} }

const KEYWORDS: &[&str] = &["source.keywords"];

async fn keywords(bench: &Bench, settings: Value) -> Vec<String> {
    bench.over(KEYWORDS, &[], settings).await.fields("keywords", "keyword")
}

async fn the_list_gives_the_keywords_and_goes_before_a_file() {
    let bench = Bench::new();
    let file = bench.text("words.txt", "from the file\n");
    let of_file = bench.over(KEYWORDS, &[&file], json!({"keywords": {"list": []}})).await;
    assert_eq!(of_file.fields("keywords", "keyword"), ["from the file"]);
    let of_list = bench.over(KEYWORDS, &[&file], json!({"keywords": {"list": ["fox", "owl"]}})).await;
    assert_eq!(of_list.fields("keywords", "keyword"), ["fox", "owl"]);
}

async fn in_sequence_keywords_come_as_they_stand_and_from_the_start_again(value: &str) {
    let settings = json!({"keywords": {"list": ["a", "b", "c"], "order": value, "count": 7}});
    assert_eq!(keywords(&Bench::new(), settings).await, ["a", "b", "c", "a", "b", "c", "a"]);
}

async fn at_random_keywords_are_drawn_by_the_seed_of_the_job(value: &str) {
    let bench = Bench::new();
    let list: Vec<String> = (0..20).map(|n| format!("word {n}")).collect();
    let settings = |order: &str, seed: u64| json!({"keywords": {"list": list, "order": order, "count": 40}, "job": {"seed": seed}});
    let drawn = keywords(&bench, settings(value, 1)).await;
    assert_eq!(drawn.len(), 40);
    assert!(drawn.iter().all(|keyword| list.contains(keyword)));
    assert!(drawn.iter().collect::<BTreeSet<_>>().len() > 10, "many of them are drawn: {drawn:?}");
    assert_ne!(drawn, keywords(&bench, settings("sequential", 1)).await);
    assert_eq!(drawn, keywords(&bench, settings(value, 1)).await, "the same seed draws the same");
    assert_ne!(drawn, keywords(&bench, settings(value, 2)).await, "another seed draws others");
}

async fn the_count_says_how_many_items_there_are() {
    let bench = Bench::new();
    let settings = |count: Value| json!({"keywords": {"list": ["a", "b", "c"], "count": count}});
    assert_eq!(keywords(&bench, settings(Value::Null)).await.len(), 3, "one a keyword when absent");
    assert_eq!(keywords(&bench, settings(json!(2))).await, ["a", "b"]);
    assert_eq!(keywords(&bench, settings(json!(5))).await.len(), 5);
}

async fn the_column_of_a_table_holds_the_keyword() {
    let bench = Bench::new();
    let table = bench.text("table.csv", "animal,place\nfox,forest\nowl,barn\n");
    let run = |column: Value| bench.over(KEYWORDS, &[&table], json!({"keywords": {"column": column}}));
    assert_eq!(run(Value::Null).await.fields("keywords", "keyword"), ["fox", "owl"], "the first one when absent");
    assert_eq!(run(json!("place")).await.fields("keywords", "keyword"), ["forest", "barn"]);
    let unknown = request(KEYWORDS, &[&table], json!({"keywords": {"column": "colour"}}));
    let error = bench.submit(unknown).await.unwrap_err().to_string();
    assert!(error.contains("colour") && error.contains("animal, place"), "{error}");
}
