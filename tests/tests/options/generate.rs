//! The options of `image.generate`.

use serde_json::{Value, json};

use crate::bench::{Bench, Run};
use crate::pictures::pixel;
use crate::registry::observed;

observed! { "image.generate" => {
    "provider" => the_provider_makes_the_picture,
    "variations" => each_prompt_gives_as_many_pictures_as_there_are_variations,
    "sizes" => sizes_go_round_from_generation_to_generation,
    "megapixels" => megapixels_say_how_large_a_picture_given_by_its_aspect_is,
    "style" => the_style_decides_how_the_picture_is_painted,
    "negative_prompt" => the_negative_prompt_says_what_is_not_shown,
} }

const KINDS: &[&str] = &["text.prompt", "image.generate"];

/// Runs with small pictures unless the settings say otherwise.
async fn make<'a>(bench: &'a Bench, keywords: &[&str], mut generate: Value) -> Run<'a> {
    if generate.get("sizes").is_none() {
        generate["sizes"] = json!(["128x128"]);
    }
    bench.words(KINDS, keywords, json!({"generate": generate, "prompt": {"template": "{{ keyword }}"}})).await
}

/// Says why the settings are refused before anything is made.
async fn refused(bench: &Bench, generate: Value) -> String {
    bench.refused(KINDS, &["a"], json!({"generate": generate, "prompt": {"template": "{{ keyword }}"}})).await
}

fn size(run: &Run<'_>, item: usize) -> (Value, Value) {
    (run.field(item, "generate", "width"), run.field(item, "generate", "height"))
}

async fn the_provider_makes_the_picture() {
    let bench = Bench::new();
    let local = make(&bench, &["fox"], json!({"provider": "procedural"})).await;
    let fake = make(&bench, &["fox"], json!({"provider": "fake"})).await;
    assert_eq!(local.result(0, "generate").provider.as_deref(), Some("procedural"));
    assert_eq!(fake.result(0, "generate").provider.as_deref(), Some("fake"));
    assert_eq!(pixel(&fake.picture(0, "generate").await, 5, 5), [200, 0, 0], "the fake paints everything red");
    assert_ne!(local.file(0, "generate").digest, fake.file(0, "generate").digest);
}

async fn each_prompt_gives_as_many_pictures_as_there_are_variations() {
    let bench = Bench::new();
    for count in [1, 3] {
        let run = make(&bench, &["fox", "owl"], json!({"variations": count})).await;
        assert_eq!(run.items.len(), 2 * count);
        assert_eq!(run.job.counts.planned, 2 * count as u64);
        let mut pictures: Vec<_> = (0..run.items.len()).map(|item| run.file(item, "generate").digest).collect();
        pictures.dedup();
        assert_eq!(pictures.len(), 2 * count, "each is another picture");
        let mut slots: Vec<_> = run.items.iter().map(|item| (item.ordinal, item.slot)).collect();
        slots.dedup();
        assert_eq!(slots.len(), 2 * count);
    }
}

async fn sizes_go_round_from_generation_to_generation() {
    let bench = Bench::new();
    let one = make(&bench, &["a", "b"], json!({"sizes": ["160x128"]})).await;
    assert_eq!((size(&one, 0), size(&one, 1)), ((json!(160), json!(128)), (json!(160), json!(128))));
    let two = make(&bench, &["a", "b", "c"], json!({"sizes": ["128x128", "128x192"]})).await;
    let heights: Vec<_> = (0..3).map(|item| size(&two, item).1).collect();
    assert_eq!(heights, [128, 192, 128]);
    let real = two.picture(1, "generate").await;
    assert_eq!((real.width(), real.height()), (128, 192), "the picture itself has the size");
    let unable = refused(&bench, json!({"sizes": ["100x100"]})).await;
    assert!(unable.contains("generate.sizes") && unable.contains("128 to 2048 in steps of 8"), "{unable}");
}

async fn megapixels_say_how_large_a_picture_given_by_its_aspect_is() {
    let bench = Bench::new();
    for (megapixels, expected) in [(0.04, (200, 200)), (0.0625, (248, 248))] {
        let run = make(&bench, &["a"], json!({"sizes": ["1:1"], "megapixels": megapixels})).await;
        assert_eq!(size(&run, 0), (json!(expected.0), json!(expected.1)));
    }
    let wide = make(&bench, &["a"], json!({"sizes": ["2:1"], "megapixels": 0.04})).await;
    assert_eq!(size(&wide, 0), (json!(280), json!(144)), "about as many pixels, in steps of eight");
}

async fn the_style_decides_how_the_picture_is_painted() {
    let bench = Bench::new();
    let digest = async |style: Value| make(&bench, &["mountain"], json!({"style": style})).await.file(0, "generate");
    let (chosen, terrain, waves) =
        (digest(Value::Null).await, digest(json!("terrain")).await, digest(json!("waves")).await);
    assert_ne!(terrain, waves);
    assert_eq!(chosen, terrain, "without one the provider takes the style the prompt's words ask for");
    let unknown = refused(&bench, json!({"style": "baroque"})).await;
    assert!(unknown.contains("generate.style") && unknown.contains("terrain"), "{unknown}");
}

async fn the_negative_prompt_says_what_is_not_shown() {
    let bench = Bench::new();
    let run = async |provider: &str, negative: Value| {
        make(&bench, &["fox"], json!({"provider": provider, "negative_prompt": negative})).await
    };
    let red = run("fake", Value::Null).await.picture(0, "generate").await;
    assert_eq!(pixel(&red, 0, 0), [200, 0, 0]);
    let other = run("fake", json!("anything red")).await.picture(0, "generate").await;
    assert_eq!(pixel(&other, 0, 0), [0, 0, 200]);
    let unable = refused(&bench, json!({"provider": "procedural", "negative_prompt": "anything red"})).await;
    assert!(unable.contains("generate.negative_prompt"), "a provider that cannot honour it says so: {unable}");
}
