//! The options of `image.metadata`.

use std::path::PathBuf;

use pipeline_core::model::ItemStatus::{Failed, Succeeded};
use serde_json::{Value, json};

use crate::bench::{Bench, Run};
use crate::pictures::rgb;
use crate::registry::observed;

observed! { "image.metadata" => {
    "provider" => the_provider_writes_title_description_and_tags,
    "colors_provider" => the_colours_named_are_those_their_provider_finds,
    "tags" => there_are_as_many_tags_as_asked_for,
    "min_title_words" => a_title_of_too_few_words_breaks_a_rule,
    "max_title_words" => a_title_of_too_many_words_breaks_a_rule,
    "max_title_bytes" => a_title_of_too_many_bytes_breaks_a_rule,
    "min_description" => a_description_that_is_too_short_breaks_a_rule,
    "max_description" => a_description_that_is_too_long_breaks_a_rule,
    "max_tag_bytes" => a_tag_of_too_many_bytes_breaks_a_rule,
    "unique_tags" => a_tag_that_is_there_twice_breaks_a_rule_unless_it_may_be,
    "on_breach" = "ask_again" => the_model_is_asked_once_more,
    "on_breach" = "fail" => what_breaks_a_rule_fails_the_item,
    "on_breach" = "accept" => what_breaks_a_rule_is_taken_and_told,
    "embed" = "possible" => a_file_that_can_carry_it_does_and_another_stays,
    "embed" = "always" => a_file_that_cannot_carry_it_fails_the_item,
    "embed" = "never" => every_file_stays_as_it_is,
    "embed_provider" => the_file_is_what_its_provider_made_of_it,
    "creator" => the_file_names_its_creator,
    "rights" => the_file_says_who_has_rights,
    "provenance" = "auto" => the_file_says_what_the_generator_says_of_itself,
    "provenance" = "trained_algorithmic_media" => the_file_says_that_a_model_made_it,
    "provenance" = "composite_with_trained_algorithmic_media" => the_file_says_that_a_model_made_parts_of_it,
    "provenance" = "algorithmic_media" => the_file_says_that_an_algorithm_made_it,
    "provenance" = "algorithmically_enhanced" => the_file_says_that_an_algorithm_altered_it,
    "provenance" = "digital_capture" => the_file_says_that_a_camera_took_it,
    "provenance" = "none" => the_file_says_nothing_of_how_it_came_about,
} }

const KINDS: &[&str] = &["source.files", "image.metadata"];

async fn the_provider_writes_title_description_and_tags() {
    let bench = Bench::new();
    let picture = bench.picture("red_fox.png", &rgb(128, 128, |_, _| [0, 128, 128]));
    let local = bench.over(KINDS, &[&picture], json!({"metadata": {"provider": "template"}})).await;
    assert!(local.fields("metadata", "title")[0].contains("Fox"), "{:?}", local.fields("metadata", "title"));
    let fake = bench.over(KINDS, &[&picture], json!({"metadata": {"provider": "fake"}})).await;
    assert_eq!(fake.fields("metadata", "title"), ["fake title of a picture that is a test"]);
    assert_eq!(fake.field(0, "metadata", "tags")[0], json!("fake tag 1"));
    assert_eq!(fake.result(0, "metadata").provider.as_deref(), Some("fake"));
}

async fn the_colours_named_are_those_their_provider_finds() {
    let bench = Bench::new();
    let picture = bench.picture("red_fox.png", &rgb(128, 128, |_, _| [0, 128, 128]));
    let has = |tags: Value, colour: &str| tags.as_array().unwrap().contains(&json!(colour));
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

/// Pictures made of a keyword by nobody's model, described by the fake.
const MADE: &[&str] = &["text.prompt", "image.generate", "image.metadata"];

async fn made<'a>(bench: &'a Bench, keyword: &str, metadata: Value) -> Run<'a> {
    let settings = json!({"generate": {"sizes": ["128x128"]}, "metadata": metadata});
    bench.words(MADE, &[keyword], settings).await
}

/// What is told of the fake's answer, whose title has 9 words and 38 bytes, its description 200 characters, and each of its
/// tags 10 or 11 bytes.
async fn breaches(keyword: &str, rule: Value) -> Vec<String> {
    let bench = Bench::new();
    let mut settings = json!({"provider": "fake", "on_breach": "accept"});
    settings.as_object_mut().unwrap().extend(rule.as_object().unwrap().clone());
    let run = made(&bench, keyword, settings).await;
    assert_eq!(run.statuses(), [Succeeded]);
    let told = run.field(0, "metadata", "breaches");
    told.as_array().into_iter().flatten().map(|breach| breach.as_str().unwrap().to_owned()).collect()
}

/// A rule at the bound is kept, and one step further it is broken.
async fn bounds(key: &str, kept: u32, broken: u32, told: &str) {
    assert_eq!(breaches("fox", json!({key: kept})).await, Vec::<String>::new());
    let found = breaches("fox", json!({key: broken})).await;
    assert!(found.iter().any(|breach| breach == told), "{key} = {broken}: {found:?}");
    assert_eq!(breaches("fox", json!({key: null})).await, Vec::<String>::new());
}

async fn a_title_of_too_few_words_breaks_a_rule() {
    bounds("min_title_words", 9, 10, "the title has 9 words; accepted 10 to 12").await;
}

async fn a_title_of_too_many_words_breaks_a_rule() {
    bounds("max_title_words", 9, 8, "the title has 9 words; accepted 8 to 8").await;
}

async fn a_title_of_too_many_bytes_breaks_a_rule() {
    bounds("max_title_bytes", 38, 37, "the title has 38 bytes; accepted at most 37").await;
}

async fn a_description_that_is_too_short_breaks_a_rule() {
    bounds("min_description", 200, 201, "the description has 200 characters; accepted 201 to 250").await;
}

async fn a_description_that_is_too_long_breaks_a_rule() {
    bounds("max_description", 200, 199, "the description has 200 characters; accepted 150 to 199").await;
}

async fn a_tag_of_too_many_bytes_breaks_a_rule() {
    bounds("max_tag_bytes", 11, 10, "tag 10 has 11 bytes; accepted at most 10").await;
}

async fn a_tag_that_is_there_twice_breaks_a_rule_unless_it_may_be() {
    assert_eq!(breaches("fox twins:1", json!({"unique_tags": true})).await, ["tag 2 was there before; accepted once"]);
    assert_eq!(breaches("fox twins:1", json!({"unique_tags": false})).await, Vec::<String>::new());
}

async fn the_model_is_asked_once_more(value: &str) {
    for (keyword, status, calls) in [("fox breaks:1", Succeeded, 2), ("fox breaks:2", Failed, 2), ("fox", Succeeded, 1)]
    {
        let bench = Bench::new();
        let run = made(&bench, keyword, json!({"provider": "fake", "on_breach": value})).await;
        assert_eq!((run.statuses(), bench.seen.calls.lock().unwrap().len()), (vec![status], calls), "{keyword}");
        if status == Succeeded {
            assert_eq!(run.field(0, "metadata", "tags").as_array().unwrap().len(), 15);
            assert_eq!(run.field(0, "metadata", "breaches"), Value::Null);
        }
    }
}

async fn what_breaks_a_rule_fails_the_item(value: &str) {
    let bench = Bench::new();
    let run = made(&bench, "fox breaks:1", json!({"provider": "fake", "on_breach": value})).await;
    assert_eq!((run.statuses(), bench.seen.calls.lock().unwrap().len()), (vec![Failed], 1));
    let state = format!("{:?}", run.items[0].machine.stages);
    assert!(state.contains("the title has 2 words; accepted 8 to 12"), "{state}");
    assert!(state.contains("there are 1 tags; accepted exactly 15"), "{state}");
}

async fn what_breaks_a_rule_is_taken_and_told(value: &str) {
    let bench = Bench::new();
    let run = made(&bench, "fox breaks:1", json!({"provider": "fake", "on_breach": value})).await;
    assert_eq!((run.statuses(), bench.seen.calls.lock().unwrap().len()), (vec![Succeeded], 1));
    assert_eq!(run.fields("metadata", "title"), ["fake title"]);
    assert_eq!(run.field(0, "metadata", "breaches").as_array().unwrap().len(), 3);
}

/// A picture in a format that has no place for what is said of it: 16 by 16 grey pixels.
fn bmp(bench: &Bench) -> PathBuf {
    let mut bytes = b"BM".to_vec();
    for number in [54 + 16 * 16 * 3_u32, 0, 54, 40, 16, 16, 1 | 24 << 16, 0, 0, 0, 0, 0, 0] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend([128; 16 * 16 * 3]);
    let path = bench.path("grey.bmp");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Describes a PNG and a BMP; tells of each whether it was embedded and whether its file has changed.
async fn embedded(value: &str) -> Vec<Option<(Value, bool)>> {
    let bench = Bench::new();
    let files = [bench.picture("fox.png", &rgb(64, 64, |_, _| [0, 128, 128])), bmp(&bench)];
    let inputs = [files[0].as_path(), files[1].as_path()];
    let run = bench.over(KINDS, &inputs, json!({"metadata": {"embed": value}})).await;
    let of = |item: usize| {
        let done = run.has(item, "metadata");
        done.then(|| (run.field(item, "metadata", "embedded"), run.file(item, "metadata") != run.file(item, "files")))
    };
    vec![of(0), of(1)]
}

async fn a_file_that_can_carry_it_does_and_another_stays(value: &str) {
    assert_eq!(embedded(value).await, [Some((json!(true), true)), Some((json!(false), false))]);
}

async fn a_file_that_cannot_carry_it_fails_the_item(value: &str) {
    assert_eq!(embedded(value).await, [Some((json!(true), true)), None]);
}

async fn every_file_stays_as_it_is(value: &str) {
    assert_eq!(embedded(value).await, vec![Some((json!(false), false)); 2]);
}

/// The bytes of the file of a picture that was made, and of one that was there.
async fn files(metadata: Value) -> [Vec<u8>; 2] {
    let bench = Bench::new();
    let picture = bench.picture("fox.png", &rgb(64, 64, |_, _| [0, 128, 128]));
    let found = bench.over(KINDS, &[&picture], json!({ "metadata": metadata.clone() })).await;
    let found = found.bytes(0, "metadata").await;
    [made(&bench, "fox", metadata).await.bytes(0, "metadata").await, found]
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

async fn the_file_is_what_its_provider_made_of_it() {
    for (provider, fake) in [("fake", true), ("image", false)] {
        for file in files(json!({"embed_provider": provider})).await {
            assert_eq!(file.ends_with(b"said by the fake"), fake, "{provider}");
            assert_eq!(has(&file, "<x:xmpmeta"), !fake, "{provider}");
        }
    }
}

async fn the_file_names_its_creator() {
    for file in files(json!({"creator": "Zoë & Co"})).await {
        assert!(has(&file, "<dc:creator><rdf:Seq><rdf:li>Zoë &amp; Co</rdf:li>"));
    }
    for file in files(json!({})).await {
        assert!(!has(&file, "dc:creator"));
    }
}

async fn the_file_says_who_has_rights() {
    for file in files(json!({"rights": "© 2026 Zoë"})).await {
        assert!(has(&file, "dc:rights") && has(&file, "© 2026 Zoë"));
    }
    for file in files(json!({})).await {
        assert!(!has(&file, "dc:rights"));
    }
}

/// What the files of a picture that was made, and of one that was there, say of how they came about.
async fn says(value: &str, made: Option<&str>, found: Option<&str>) {
    let [first, second] = files(json!({ "provenance": value })).await;
    for (file, expected) in [(first, made), (second, found)] {
        assert_eq!(has(&file, "DigitalSourceType"), expected.is_some(), "{value}");
        let uri = expected.map(|word| format!("http://cv.iptc.org/newscodes/digitalsourcetype/{word}<"));
        assert!(uri.is_none_or(|uri| has(&file, &uri)), "{value}");
    }
}

async fn the_file_says_what_the_generator_says_of_itself(value: &str) {
    says(value, Some("algorithmicMedia"), None).await;
    // A generator that says nothing else is a trained model.
    let bench = Bench::new();
    let settings = json!({"generate": {"provider": "fake", "sizes": ["128x128"]}, "metadata": {"provenance": value}});
    let run = bench.words(MADE, &["fox"], settings).await;
    assert!(has(&run.bytes(0, "metadata").await, "digitalsourcetype/trainedAlgorithmicMedia<"));
}

async fn the_file_says_that_a_model_made_it(value: &str) {
    says(value, Some("trainedAlgorithmicMedia"), Some("trainedAlgorithmicMedia")).await;
}

async fn the_file_says_that_a_model_made_parts_of_it(value: &str) {
    let word = Some("compositeWithTrainedAlgorithmicMedia");
    says(value, word, word).await;
}

async fn the_file_says_that_an_algorithm_made_it(value: &str) {
    says(value, Some("algorithmicMedia"), Some("algorithmicMedia")).await;
}

async fn the_file_says_that_an_algorithm_altered_it(value: &str) {
    says(value, Some("algorithmicallyEnhanced"), Some("algorithmicallyEnhanced")).await;
}

async fn the_file_says_that_a_camera_took_it(value: &str) {
    says(value, Some("digitalCapture"), Some("digitalCapture")).await;
}

async fn the_file_says_nothing_of_how_it_came_about(value: &str) {
    says(value, None, None).await;
}

#[tokio::test]
async fn bounds_the_wrong_way_round_are_refused_at_submit() {
    let bench = Bench::new();
    let settings = json!({"metadata": {"min_title_words": 13}});
    let refused = bench.refused(&["text.prompt", "image.generate", "image.metadata"], &["fox"], settings).await;
    assert!(refused.contains("13 is above `max_title_words` (12)"), "{refused}");
}
