//! The options of `text.prompt`.

use serde_json::json;

use crate::bench::Bench;
use crate::registry::observed;

observed! { "text.prompt" => {
    "provider" => the_provider_writes_the_prompt,
    "template" => the_template_is_filled_in_with_the_keyword_and_the_columns,
} }

const PROMPT: &[&str] = &["text.prompt"];

async fn the_provider_writes_the_prompt() {
    let bench = Bench::new();
    let local = bench.words(PROMPT, &["a fox"], json!({"prompt": {"provider": "template"}})).await;
    let fake = bench.words(PROMPT, &["a fox"], json!({"prompt": {"provider": "fake"}})).await;
    assert_eq!(local.result(0, "prompt").provider.as_deref(), Some("template"));
    assert_eq!(fake.result(0, "prompt").provider.as_deref(), Some("fake"));
    assert_eq!(fake.fields("prompt", "prompt"), ["fake words about a fox"]);
    assert!(local.fields("prompt", "prompt")[0].contains("a fox"));
}

async fn the_template_is_filled_in_with_the_keyword_and_the_columns() {
    let bench = Bench::new();
    let table = bench.text("table.csv", "keyword,place\nfox,forest\nowl,barn\n");
    let kinds = &["source.keywords", "text.prompt"];
    let own = bench.over(kinds, &[&table], json!({"prompt": {"template": ""}})).await;
    let wordings = own.fields("prompt", "prompt");
    assert!(wordings[0].contains("fox") && wordings[0].len() > 40, "empty leaves the wording to the provider: {own:?}");
    let template = "{{ keyword }} in a {{ place }}, oil on canvas";
    let told = bench.over(kinds, &[&table], json!({"prompt": {"template": template}})).await;
    let expected = ["fox in a forest, oil on canvas", "owl in a barn, oil on canvas"];
    assert_eq!(told.fields("prompt", "prompt"), expected);
}
