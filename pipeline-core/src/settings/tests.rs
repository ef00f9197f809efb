//! Settings resolved from all their layers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Generate {
    /// How many images.
    #[schemars(range(min = 1, max = 20))]
    variations: u32,
    /// What the file is.
    format: Format,
    /// How hard it is compressed.
    #[schemars(range(min = 1, max = 100))]
    quality: Option<u8>,
    /// Words.
    tags: Vec<String>,
    /// Pixels.
    sizes: Vec<u32>,
    /// Any text.
    label: String,
    /// The key.
    key: Option<SecretRef>,
}

#[derive(Serialize, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Format {
    Png,
    Jpeg,
}

impl Default for Generate {
    fn default() -> Self {
        Self {
            variations: 1,
            format: Format::Png,
            quality: None,
            tags: Vec::new(),
            sizes: Vec::new(),
            label: String::new(),
            key: None,
        }
    }
}

impl StageSettings for Generate {
    fn inert(&self) -> Vec<Inert> {
        if self.format == Format::Png { vec![Inert::new("quality", "PNG is lossless")] } else { Vec::new() }
    }

    fn problems(&self) -> Vec<(String, String)> {
        if self.label == "bad" { vec![("label".into(), "must not be `bad`".into())] } else { Vec::new() }
    }
}

fn sections() -> Sections {
    Sections::new().stage("generate", SettingsSchema::of::<Generate>())
}

fn arguments(texts: &[&str]) -> Vec<Layer> {
    texts.iter().map(|text| Layer::argument(text).unwrap()).collect()
}

#[test]
fn the_last_layer_wins_and_the_origin_is_kept() {
    let mut layers = vec![
        Layer::new(Origin::Pipeline, json!({"generate": {"variations": 2, "label": "a"}})),
        Layer::file("[generate]\nvariations = 3\n[job]\nseed = 7\n", "my.toml").unwrap(),
    ];
    layers.extend(Layer::environment([("PIPELINE_SET__GENERATE__MAX_ATTEMPTS", "2"), ("PATH", "/bin")]).unwrap());
    layers.extend(arguments(&["generate.variations=4"]));
    let resolved = resolve(&sections(), &layers).unwrap();
    let lines = resolved.lines();
    for line in [
        "generate.variations = 4  (argument --set)",
        "generate.label = \"a\"  (pipeline)",
        "generate.max_attempts = 2  (environment PIPELINE_SET__GENERATE__MAX_ATTEMPTS)",
        "generate.enabled = true  (built in)",
        "generate.quality = null  (built in)  not applied (PNG is lossless)",
        "job.seed = 7  (file my.toml)",
        "job.max_items = 10000  (built in)",
    ] {
        assert!(lines.iter().any(|have| have == line), "{line} is not in {lines:#?}");
    }
    assert_eq!(resolved.job().seed, Some(7));
    assert_eq!(resolved.common("generate").max_attempts, 2);
    assert!(resolved.settings("generate").get("enabled").is_none());
    assert_eq!(resolved.not_applied().count(), 0, "nobody set the quality");
}

#[test]
fn a_text_gets_the_type_the_schema_asks_for() {
    for (text, key, expected) in [
        ("generate.variations=4", "variations", json!(4)),
        ("generate.label=4", "label", json!("4")),
        ("generate.label=true", "label", json!("true")),
        ("generate.label=a=b", "label", json!("a=b")),
        ("generate.enabled=false", "enabled", json!(false)),
        ("generate.timeout_seconds=0.5", "timeout_seconds", json!(0.5)),
        ("generate.timeout_seconds=none", "timeout_seconds", json!(null)),
        ("generate.tags=cat, dog", "tags", json!(["cat", "dog"])),
        ("generate.tags=[\"a,b\"]", "tags", json!(["a,b"])),
        ("generate.tags=cat,,dog,", "tags", json!(["cat", "dog"])),
        ("generate.sizes=64,128", "sizes", json!([64, 128])),
        ("generate.format=jpeg", "format", json!("jpeg")),
        ("generate.on_failure=use_input", "on_failure", json!("use_input")),
        ("generate.key=env:KEY", "key", json!("env:KEY")),
    ] {
        let resolved = resolve(&sections(), &arguments(&[text])).unwrap();
        assert_eq!(resolved.get("generate", key).unwrap().value, expected, "{text}");
    }
}

#[test]
fn every_problem_is_reported_with_what_is_accepted() {
    let layers = arguments(&[
        "generat.variations=4",
        "generate.variation=4",
        "generate.variations=many",
        "generate.format=webp",
        "generate.key=sk-secret-1",
        "generate.sizes=1,x",
        "generate.max_attempts=0",
        "generate.when=true",
        "job.concurrency=0",
        "generate.seed=1",
    ]);
    let problems = resolve(&sections(), &layers).unwrap_err();
    let text = Problems(problems).to_string();
    for part in [
        "generat: unknown section `generat` (argument --set); did you mean `generate`?",
        "generate.variation: unknown setting `variation` (argument --set); did you mean `variations`?",
        "generate.variations: \"many\" is not accepted; expected an integer from 1 to 20",
        "generate.format: \"webp\" is not accepted; expected one of png or jpeg",
        "generate.key: this value is not accepted; expected a reference `env:NAME`",
        "generate.sizes: \"x\" is not accepted; expected a list of an integer",
        "generate.max_attempts: 0 is not accepted; expected an integer from 1 to 20",
        "`when` belongs to the stage itself",
        "job.concurrency: 0 is not accepted; expected an integer from 1 to 1024",
        "did you mean `job.seed`?",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(!text.contains("sk-secret-1"), "{text}");
    assert_eq!(text.lines().count(), 10, "{text}");
    let forgotten = Problems(resolve(&sections(), &arguments(&["generate.sizes=1,,2"])).unwrap_err()).to_string();
    assert!(forgotten.contains("generate.sizes: \"\" is not accepted"), "{forgotten}");
}

#[test]
fn a_number_larger_than_its_type_is_refused_by_name() {
    let text = |set| Problems(resolve(&sections(), &arguments(&[set])).unwrap_err()).to_string();
    let wrong = text("generate.sizes=1,99999999999");
    assert!(wrong.starts_with("generate.sizes: this value is not accepted: "), "{wrong}");
    assert!(wrong.contains("99999999999") && wrong.contains("u32"), "{wrong}");
}

#[test]
fn what_a_kind_objects_to_is_reported_with_its_place() {
    let layers = [Layer::file("[generate]\nlabel = \"bad\"\n", "my.toml").unwrap()];
    let problems = Problems(resolve(&sections(), &layers).unwrap_err());
    assert_eq!(problems.to_string(), "my.toml:2:1: generate.label: must not be `bad`");
}

#[test]
fn settings_without_effect_say_why() {
    let resolved = resolve(&sections(), &arguments(&["generate.quality=80"])).unwrap();
    assert_eq!(resolved.not_applied().collect::<Vec<_>>(), [("generate", "quality", "PNG is lossless")]);
    let layers = arguments(&["generate.enabled=false", "generate.variations=2"]);
    let resolved = resolve(&sections(), &layers).unwrap();
    assert_eq!(resolved.not_applied().collect::<Vec<_>>(), [("generate", "variations", "stage is disabled")]);
}

#[test]
fn malformed_assignments_and_names_are_refused_without_their_value() {
    for text in ["generate", "generate=77", ".a=1", "a.=1", ""] {
        let error = Layer::argument(text).unwrap_err().to_string();
        assert!(error.contains("stage.key=value") && !error.contains("77"), "{error}");
    }
    let error = Layer::environment([("PIPELINE_SET__X", "1"), ("PIPELINE_SET____Y", "1")]).unwrap_err();
    assert_eq!(error.0.len(), 2);
    assert!(Layer::file("[generate\n", "my.toml").unwrap_err().to_string().starts_with("my.toml:1:"));
}

#[test]
fn documentation_rows_follow_from_the_declaration() {
    let rows = sections().describe("generate").unwrap();
    let row = rows.iter().find(|row| row.key == "variations").unwrap();
    assert_eq!((row.kind.as_str(), row.accepted.as_str()), ("integer", "an integer from 1 to 20"));
    assert_eq!((&row.default, row.description.as_str()), (&json!(1), "How many images."));
    let row = rows.iter().find(|row| row.key == "sizes").unwrap();
    assert_eq!(row.kind, "list of integer");
    assert!(rows.iter().any(|row| row.key == "on_failure" && row.accepted == "one of fail, skip or use_input"));
}
