//! The table of observed options, and the test that fails on any option without one.

use std::collections::BTreeSet;

use pipeline::engine::Engine;
use pipeline_core::settings::{CommonSettings, JOB_SECTION, JobSettings, SettingsSchema};
use serde_json::Value;

use crate::{bench, common, cutout, files, generate, job, keywords, metadata, process, prompt, publish, qc, tag};

/// What the table calls the settings that every stage has.
pub(crate) const EVERY_STAGE: &str = "every stage";

/// One row: a test that observes what an option does; of an option with a closed set of values, one value of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed {
    pub(crate) kind: &'static str,
    pub(crate) option: &'static str,
    pub(crate) value: &'static [&'static str],
}

/// Makes the rows of one kind, and from each row the test that runs it: what is in the table is run.
///
/// `"option" => test` is a row for an option; `"option" = "value" => test` one for a value of it, given to the test.
macro_rules! observed {
    ($kind:expr => { $($option:literal $(= $value:literal)? => $test:ident,)+ }) => {
        const KIND: &str = $kind;

        pub(crate) const OBSERVED: &[crate::registry::Observed] = &[
            $(crate::registry::Observed { kind: KIND, option: $option, value: &[$($value)?] }),+
        ];

        mod observed {
            $(
                #[tokio::test]
                async fn $test() {
                    println!(concat!("observing `", $option, "`" $(, " = ", $value)?, " of {}"), super::KIND);
                    super::$test($($value)?).await;
                }
            )+
        }
    };
}
pub(crate) use observed;

const ALL: &[&[Observed]] = &[
    common::OBSERVED,
    cutout::OBSERVED,
    files::OBSERVED,
    generate::OBSERVED,
    job::OBSERVED,
    keywords::OBSERVED,
    metadata::OBSERVED,
    process::OBSERVED,
    prompt::OBSERVED,
    publish::OBSERVED,
    qc::OBSERVED,
    tag::OBSERVED,
];

/// `kind: option`, and ` = value` where the values are a closed set.
fn row(kind: &str, option: &str, value: Option<&str>) -> String {
    value.map_or_else(|| format!("{kind}: {option}"), |value| format!("{kind}: {option} = {value}"))
}

fn registered() -> BTreeSet<String> {
    let rows = ALL.iter().copied().flatten();
    rows.map(|observed| row(observed.kind, observed.option, observed.value.first().copied())).collect()
}

/// Every option an engine accepts anywhere.
fn offered(engine: &Engine) -> BTreeSet<String> {
    let kinds = engine.catalog().iter().map(|spec| (spec.kind.as_str(), spec.settings.clone()));
    let common = (EVERY_STAGE, SettingsSchema::of::<CommonSettings>());
    let job = (JOB_SECTION, SettingsSchema::of::<JobSettings>());
    let mut offered = BTreeSet::new();
    for (kind, settings) in kinds.chain([common, job]) {
        let schema = settings.schema();
        for (option, property) in schema["properties"].as_object().into_iter().flatten() {
            let words = words(property, schema);
            if words.is_empty() {
                offered.insert(row(kind, option, None));
            }
            offered.extend(words.iter().map(|word| row(kind, option, Some(word))));
        }
    }
    offered
}

/// The words a schema accepts when they are a closed set; references and alternatives are followed.
fn words(schema: &Value, root: &Value) -> Vec<String> {
    let target = schema["$ref"].as_str().and_then(|name| root.pointer(name.trim_start_matches('#')));
    let branches = ["oneOf", "anyOf", "allOf"].iter().filter_map(|word| schema[word].as_array()).flatten();
    let mut found: Vec<String> = branches.chain(target).flat_map(|schema| words(schema, root)).collect();
    let constants = schema.get("const").into_iter().chain(schema["enum"].as_array().into_iter().flatten());
    found.extend(constants.filter_map(Value::as_str).map(str::to_owned));
    found
}

/// The options without a row.
fn unobserved(engine: &Engine) -> Vec<String> {
    offered(engine).difference(&registered()).cloned().collect()
}

#[test]
fn every_option_of_every_stage_has_a_test_that_observes_its_effect() {
    let engine = bench::engine();
    let missing = unobserved(&engine);
    assert!(missing.is_empty(), "options whose effect no test observes:\n  {}", missing.join("\n  "));
}

#[test]
fn every_row_is_of_an_option_that_exists() {
    let offered = offered(&bench::engine());
    let stale: Vec<String> = registered().difference(&offered).cloned().collect();
    assert!(stale.is_empty(), "rows of options that no stage has:\n  {}", stale.join("\n  "));
}

#[test]
fn an_option_nobody_observes_is_named() {
    let engine = bench::builder(&bench::Seen::default()).stage(crate::fakes::Unobserved).build().unwrap();
    assert_eq!(unobserved(&engine), ["test.unobserved: mood = calm", "test.unobserved: volume"]);
}
