//! Definitions compiled with a small catalog.

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;
use crate::model::Capability;
use crate::settings::{Inert, Layer, Problems, SettingsSchema, StageSettings};

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Who does it.
    provider: String,
    /// What is written.
    template: String,
    /// How many.
    #[schemars(range(min = 1))]
    variations: u32,
    /// The least score.
    #[schemars(range(min = 0.0, max = 1.0))]
    threshold: f64,
    /// Where the files of a lossy format lose.
    quality: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Self { provider: "local".into(), template: "{{ keyword }}".into(), variations: 1, threshold: 0.5, quality: 90 }
    }
}

impl StageSettings for Settings {
    fn inert(&self) -> Vec<Inert> {
        vec![Inert::new("quality", "PNG is lossless")]
    }
}

fn catalog() -> Catalog {
    let settings = SettingsSchema::of::<Settings>;
    let text = || json!({"type": "string"});
    let mut catalog = Catalog::new();
    for spec in [
        StageSpec::new("source.keywords", "Keywords.", settings()).source().output(PortSpec::field("keyword", text())),
        StageSpec::new("source.csv", "Rows.", settings())
            .source()
            .open_outputs()
            .output(PortSpec::field("keyword", text())),
        StageSpec::new("text.prompt", "Writes prompts.", settings())
            .input(PortSpec::field("keyword", text()))
            .output(PortSpec::field("prompt", text()))
            .provider(Capability::Text)
            .template("template"),
        StageSpec::new("image.generate", "Makes images.", settings())
            .input(PortSpec::field("prompt", text()))
            .output(PortSpec::file("image"))
            .expands("variations")
            .grouped(GroupBy::Siblings)
            .provider(Capability::GenerateImage),
        StageSpec::new("image.qc", "Looks at images.", settings())
            .check()
            .input(PortSpec::file("image"))
            .output(PortSpec::field("score", json!({"type": "number"})))
            .output(PortSpec::field("verdict", text()))
            .grouped(GroupBy::Job),
        StageSpec::new("image.process", "Changes images.", settings())
            .input(PortSpec::file("image"))
            .output(PortSpec::file("image")),
        StageSpec::new("text.metadata", "Describes images.", settings())
            .input(PortSpec::file("image"))
            .input(PortSpec::field("prompt", text()).optional()),
    ] {
        catalog.insert(spec);
    }
    catalog
}

fn providers() -> ProviderNames {
    [
        (Capability::Text, vec!["local".to_owned(), "cohere".to_owned()]),
        (Capability::GenerateImage, vec!["local".to_owned(), "runware".to_owned()]),
    ]
    .into()
}

const FACTORY: &str = r#"
name = "factory"
description = "Images from keywords."
version = 1
retry_from = "process"

[stages.keywords]
kind = "source.keywords"

[stages.prompt]
kind = "text.prompt"
needs = ["keywords"]
when = "keywords.keyword != 'skip' && item.keyword != ''"
[stages.prompt.settings]
template = "A photo of {{ keyword }}"

[stages.generate]
kind = "image.generate"
needs = ["prompt"]
[stages.generate.settings]
variations = 4
provider = "runware"

[stages.qc]
kind = "image.qc"
needs = ["generate"]
settings = { threshold = 0.7, max_attempts = 3, timeout_seconds = 1.5 }

[stages.process]
kind = "image.process"
needs = ["qc"]
when = "qc.score > 0.5"
settings = { on_failure = "use_input" }

[stages.metadata]
kind = "text.metadata"
needs = ["process"]
"#;

fn arguments(texts: &[&str]) -> Vec<Layer> {
    texts.iter().map(|text| Layer::argument(text).unwrap()).collect()
}

fn run(text: &str, sets: &[&str]) -> Result<Compiled, Problems> {
    let definition = Definition::from_toml(text, "pipeline.toml")?;
    compile(&definition, &catalog(), &providers(), &arguments(sets), 42)
}

#[track_caller]
fn refused(text: &str, sets: &[&str], expected: &[&str]) {
    let problems = run(text, sets).unwrap_err();
    let text = problems.to_string();
    for part in expected {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
    assert_eq!(problems.0.len(), expected.len(), "{text}");
}

#[test]
fn a_pipeline_compiles_to_a_plan() {
    let Compiled { plan, resolved } = run(FACTORY, &["job.concurrency=8", "process.quality=10"]).unwrap();
    let names: Vec<&str> = plan.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["keywords", "prompt", "generate", "qc", "process", "metadata"]);
    assert_eq!((plan.seed, plan.concurrency, plan.max_rounds, plan.retry_from), (42, Some(8), 3, Some(4)));
    let [_, prompt, generate, qc, process, metadata] = plan.stages.as_slice() else { panic!("six stages") };
    assert_eq!(prompt.inputs["keyword"], [0]);
    assert_eq!(prompt.providers, [(Capability::Text, "local".to_owned())]);
    assert_eq!((generate.expand, generate.group), (Some(4), Some(Group { max: 4, by: GroupBy::Siblings })));
    assert_eq!((qc.role, qc.policy.max_attempts), (Role::Check, 3));
    assert_eq!(qc.policy.timeout, Some(std::time::Duration::from_millis(1500)));
    assert_eq!(qc.group, Some(Group { max: 20, by: GroupBy::Job }));
    assert_eq!(qc.settings["threshold"], json!(0.7));
    assert!(qc.settings.get("max_attempts").is_none());
    assert_eq!(process.policy.on_failure, OnFailure::UseInput);
    assert_eq!(metadata.inputs["image"], [4, 2], "nearest first");
    assert_eq!(metadata.inputs["prompt"], [1]);
    assert_eq!(plan.leaves_per_item(), 4);
    assert_eq!(plan.warnings, [PlanWarning { setting: "process.quality".into(), reason: "PNG is lossless".into() }]);
    assert_eq!(resolved.get("generate", "variations").unwrap().origin.to_string(), "pipeline");
    let read: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(read, plan);
}

#[test]
fn the_hash_follows_the_recipe_and_not_the_seed() {
    let hash = |text: &str, sets: &[&str]| run(text, sets).unwrap().plan.hash;
    let first = hash(FACTORY, &[]);
    assert_eq!(first, hash(FACTORY, &["job.seed=7", "job.concurrency=2"]));
    assert_eq!(first, hash(FACTORY, &["generate.variations=4"]));
    assert_eq!(first, hash(&format!("# a comment\n{FACTORY}"), &[]));
    assert_ne!(first, hash(FACTORY, &["generate.variations=5"]));
    assert_ne!(first, hash(FACTORY, &["qc.max_attempts=4"]));
    assert_ne!(first, hash(&FACTORY.replace("> 0.5", "> 0.6"), &[]));
    assert_eq!(run(FACTORY, &["job.seed=7"]).unwrap().plan.seed, 7);
}

#[test]
fn json_says_the_same_as_toml() {
    let value: serde_json::Value = toml::from_str(FACTORY).unwrap();
    let definition = Definition::from_json(&value.to_string(), "pipeline.json").unwrap();
    let plan = compile(&definition, &catalog(), &providers(), &[], 42).unwrap().plan;
    assert_eq!(plan, run(FACTORY, &[]).unwrap().plan);
    assert!(Definition::from_json("[]", "x.json").is_err());
    assert!(Definition::from_json("{", "x.json").unwrap_err().to_string().starts_with("x.json:1:1: "));
}

#[test]
fn every_problem_of_a_file_is_reported_at_once_with_its_place() {
    let text = r#"
name = "my factory"
descripton = "x"
retry_from = "proces"

[stages.keywords]
kind = "source.keyword"

[stages.Prompt]
kind = "text.prompt"
needs = ["keywords"]

[stages.qc]
kind = "image.qc"
needs = ["promt", 4]
treshold = 1
[stages.qc.settings]
threshold = 2.5
max_attemps = 3
"#;
    refused(
        text,
        &["qc.quality=x"],
        &[
            "pipeline.toml:2:1: name: `my factory` is not a valid name",
            "pipeline.toml:3:1: descripton: unknown key `descripton`; did you mean `description`?",
            "pipeline.toml:4:1: retry_from: unknown stage `proces`; there is",
            "pipeline.toml:7:1: stages.keywords.kind: unknown kind `source.keyword`; did you mean `source.keywords`?",
            "pipeline.toml:9:9: stages.Prompt: `Prompt` is not a valid name",
            "pipeline.toml:15:10: stages.qc.needs[0]: unknown stage `promt`",
            "pipeline.toml:15:19: stages.qc.needs[1]: expected the name of a stage",
            "pipeline.toml:16:1: stages.qc.treshold: unknown key `treshold`",
            "pipeline.toml:18:1: stages.qc.settings.threshold: 2.5 is not accepted; expected a number from 0.0 to 1.0",
            "pipeline.toml:19:1: stages.qc.settings.max_attemps: unknown setting `max_attemps`; did you mean `max_attempts`?",
            "qc.quality: \"x\" is not accepted; expected an integer from 0 to 255 (argument --set)",
        ],
    );
}

#[test]
fn text_that_is_not_toml_is_refused_with_its_place() {
    for text in ["name = ", "[stages", "a = 1\na = 2", "x = 99999999999999999999999", "x = nan"] {
        let error = Definition::from_toml(text, "p.toml").unwrap_err().to_string();
        assert!(error.starts_with("p.toml:"), "{error}");
    }
}

#[test]
fn the_shape_of_the_graph_is_checked() {
    let source = "name = 'x'\n[stages.a]\nkind = 'source.keywords'\n";
    let stages = |more: &str| format!("{source}{more}");
    refused("name = 'x'\n", &[], &["a pipeline needs stages"]);
    refused(
        "name = 'x'\n[stages.p]\nkind = 'text.prompt'\n",
        &[],
        &["no stage is a source", "say what this stage `needs`"],
    );
    refused(&stages("[stages.b]\nkind = 'source.csv'\n"), &[], &["stages.b: more than one source: `a` and `b`"]);
    refused(&stages("needs = ['a']\n"), &[], &["each other: a → a", "a source begins items and has no `needs`"]);
    refused(&stages("when = 'true'\n"), &[], &["has no `when`"]);
    refused(&stages("settings = { enabled = false }\n"), &[], &["a source cannot be disabled"]);
    refused(
        &stages(
            "[stages.p]\nkind = 'image.process'\nneeds = ['q', 'a']\n[stages.q]\nkind = 'image.process'\nneeds = ['p']\n",
        ),
        &[],
        &["stages.p.needs: the stages need each other: p → q → p"],
    );
    refused(&stages("[stages.item]\nkind = 'text.prompt'\nneeds = ['a', 'a']\n"), &[], &["reserved", "listed twice"]);
}

#[test]
fn inputs_come_from_the_nearest_maker_or_the_chosen_one() {
    refused(
        "name = 'x'\n[stages.a]\nkind = 'source.keywords'\n[stages.g]\nkind = 'image.generate'\nneeds = ['a']\n[stages.p]\nkind = 'text.prompt'\nneeds = ['a']\n",
        &[],
        &[
            "pipeline.toml:4:9: stages.g: nothing before this stage makes its input `prompt` (a field); `p` could; add it to `needs`",
        ],
    );
    let two = |inputs: &str| {
        format!(
            "{FACTORY}[stages.left]\nkind='image.process'\nneeds=['generate']\n[stages.right]\nkind='image.process'\nneeds=['generate']\n[stages.last]\nkind='image.process'\nneeds=['left','right']\n{inputs}"
        )
    };
    refused(
        &two(""),
        &[],
        &[
            "`left` and `right` make its input `image`, none of them nearer; choose with `inputs = { image = \"left\" }`",
        ],
    );
    let plan = run(&two("inputs = { image = 'right' }"), &[]).unwrap().plan;
    let (last, right) = (plan.index_of("last").unwrap(), plan.index_of("right").unwrap());
    assert_eq!(plan.stages[last].inputs["image"], [right, plan.index_of("generate").unwrap()]);
    assert!(run(&two(""), &["left.enabled=false"]).is_ok(), "only one of them is left");
    refused(
        &two("inputs = { image = 'metadata' }"),
        &[],
        &["`metadata` does not come before this stage; add `metadata`"],
    );
    refused(&two("inputs = { image = 'rigt' }"), &[], &["unknown stage `rigt`; did you mean `right`?"]);
    refused(
        &two("inputs = { image = 'prompt', imag = 'left' }"),
        &[],
        &["`prompt` does not make `image`", "`image.process` has no input `imag`; did you mean `image`?"],
    );
}

#[test]
fn a_disabled_stage_is_passed_by_where_something_else_makes_its_output() {
    let plan = run(FACTORY, &["qc.enabled=false", "process.enabled=false", "process.when=x"]).unwrap_err();
    assert!(plan.to_string().contains("`when` belongs to the stage itself"), "{plan}");
    let plan = run(FACTORY, &["process.enabled=false", "process.threshold=1"]).unwrap().plan;
    let process = plan.stage(4).unwrap();
    assert!(!process.enabled);
    assert_eq!(process.disabled_because.as_deref(), Some("process.enabled = false (argument --set)"));
    assert!(
        plan.warnings
            .iter()
            .any(|warning| warning.setting == "process.threshold" && warning.reason == "stage is disabled")
    );
    refused(
        FACTORY,
        &["generate.enabled=false"],
        &[
            "stages.qc: its input `image` is made by `generate`, which is disabled; disable this stage too",
            "stages.process: its input `image` is made by `generate`",
        ],
    );
}

#[test]
fn conditions_are_checked_against_the_stages_before() {
    for (when, message) in [
        ("qc.scor > 1", "stages.process.when: `qc` has no field `scor` (at character 3); did you mean `score`?"),
        ("qc.score > 'a'", "a number cannot be compared with a text"),
        ("metadata.title == 'x'", "`metadata` does not come before this stage; add `metadata` to `needs`"),
        ("nothing.x", "unknown variable `nothing`"),
        ("qc.score >", "syntax error at column"),
        ("qc.score", "not true or false"),
    ] {
        refused(&FACTORY.replace("qc.score > 0.5", when), &[], &[message]);
    }
}

#[test]
fn templates_are_checked_unless_the_source_has_columns_of_its_own() {
    let columns = FACTORY.replace("{{ keyword }}", "{{ colour }}");
    refused(&columns, &[], &["stages.prompt.settings.template: unknown variable `colour`"]);
    assert!(run(&columns.replace("source.keywords", "source.csv"), &[]).is_ok());
    refused(&FACTORY.replace("{{ keyword }}", "{{ keyword"), &[], &["stages.prompt.settings.template: "]);
    refused(&FACTORY.replace("{{ keyword }}", "${{Keyword}}"), &[], &["write `{{ keyword }}`"]);
}

#[test]
fn providers_and_expansions_are_checked() {
    refused(
        FACTORY,
        &["generate.provider=runwar", "prompt.provider=none", "generate.variations=5000"],
        &[
            "no provider `runwar` can generate_image (registered: `local` and `runware`); did you mean `runware`?",
            "no provider `none` can text (registered: `local` and `cohere`)",
            "5000 is not accepted; a stage makes 1 to 1000 children",
        ],
    );
    let single = run(FACTORY, &["generate.variations=1"]).unwrap().plan;
    assert_eq!((single.stages[2].expand, single.stages[2].group), (None, None));
}

#[test]
fn a_plan_can_be_drawn() {
    let plan = run(FACTORY, &["process.enabled=false"]).unwrap().plan;
    let dot = graph(&plan);
    assert!(dot.starts_with("digraph \"factory\" {") && dot.contains("\"generate\" -> \"qc\";"), "{dot}");
    assert!(dot.contains("\"qc\" [shape=diamond"), "{dot}");
    let text = graph_text(&plan);
    assert!(text.contains("└─ generate (image.generate ×4)\n"), "{text}");
    assert!(text.contains("[off: process.enabled = false (argument --set)]"), "{text}");
}

fn stage() -> impl Strategy<Value = String> {
    let name = || prop::sample::select(vec!["a", "b", "c", "d", "e", "job", "item", "X"]);
    let kinds = [
        "source.keywords",
        "source.csv",
        "text.prompt",
        "image.generate",
        "image.qc",
        "image.process",
        "text.metadata",
        "?",
    ];
    let when = prop::sample::select(vec![
        "",
        "when = 'a.keyword == 1'\n",
        "when = 'b.score > 0'\n",
        "when = '('\n",
        "when = 1\n",
    ]);
    let settings = prop::sample::select(vec![
        "",
        "enabled = false",
        "variations = 3",
        "template = '{{ x }}'",
        "x = 1",
        "provider = ''",
    ]);
    (name(), prop::sample::select(kinds.to_vec()), prop::collection::vec(name(), 0..3), when, settings, name()).prop_map(
        |(name, kind, needs, when, settings, input)| {
            format!("[stages.{name}]\nkind = '{kind}'\nneeds = {needs:?}\n{when}inputs = {{ image = '{input}' }}\nsettings = {{ {settings} }}\n")
        },
    )
}

proptest! {
    #[test]
    fn no_definition_makes_compiling_panic(stages in prop::collection::vec(stage(), 0..6), noise in "\\PC{0,10}") {
        let _ = run(&format!("name = 'x'\n{}", stages.concat()), &[]);
        let _ = run(&format!("{}\n{noise}", stages.concat()), &[]);
        let _ = Definition::from_toml(&noise, "x");
        let _ = Definition::from_json(&noise, "x");
    }

    #[test]
    fn a_plan_is_in_topological_order_whatever_the_order_of_the_text(order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle()) {
        let (head, body) = FACTORY.split_once("[stages.keywords]").unwrap();
        let body = format!("[stages.keywords]{body}");
        let names = ["keywords", "prompt", "generate", "qc", "process", "metadata"];
        let part = |index: usize| {
            let from = body.find(&format!("[stages.{}]", names[index])).unwrap();
            let to = names.get(index + 1).map_or(body.len(), |next| body.find(&format!("[stages.{next}]")).unwrap());
            &body[from..to]
        };
        let text: String = order.iter().map(|index| part(*index)).collect();
        let plan = run(&format!("{head}{text}"), &[]).unwrap().plan;
        for (index, stage) in plan.stages.iter().enumerate() {
            prop_assert!(stage.needs.iter().all(|need| *need < index));
        }
        prop_assert_eq!(plan.hash, run(FACTORY, &[]).unwrap().plan.hash);
    }
}
