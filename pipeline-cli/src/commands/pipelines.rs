//! `pipelines list`, `show`, `validate` and `graph`.

use serde_json::{Value, json};

use pipeline_core::pipeline::{Definition, StageDefinition, graph, graph_text};
use pipeline_core::settings::{CommonSettings, JobSettings, SettingDoc, SettingsSchema, describe};
use pipeline_engine::{Engine, presets};

use crate::args::PipelineArgs;
use crate::output::{Exit, Failure, Output, Row, Table, notice, plain};
use crate::request;

/// Lists the presets.
pub(crate) fn list(output: &mut Output<'_>) -> Result<Exit, Failure> {
    let mut table = Table::new(&["name", "stages", "what it does"]);
    for preset in presets::ALL {
        let definition = Definition::from_toml(preset.definition, preset.name)?;
        let stages: Vec<&str> = definition.stages.iter().map(|stage| stage.name.as_str()).collect();
        let description = definition.description.clone().unwrap_or_default();
        let value = json!({
            "name": preset.name, "description": description, "version": definition.version, "stages": stages,
        });
        table.push(Row::new([preset.name.to_owned(), stages.join(" → "), description], value));
    }
    output.rows(&table)?;
    Ok(Exit::Good)
}

/// Shows the stages of a pipeline with every setting they take.
pub(crate) fn show(engine: &Engine, args: &PipelineArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let definition = request::definition(&args.pipeline)?;
    // What is wrong with it is said here too, before anything is shown.
    let compiled = engine.compile(&request::of_pipeline(engine, args, request::Saved::default())?)?;
    let common = documented::<CommonSettings>();
    let job = documented::<JobSettings>();
    if !output.is_table() {
        let stages: Vec<Value> = definition.stages.iter().map(|stage| stage_value(engine, stage)).collect();
        output.value(&json!({
            "name": definition.name,
            "description": definition.description,
            "version": definition.version,
            "retry_from": definition.retry_from,
            "hash": compiled.plan.hash,
            "stages": stages,
            "every_stage": common,
            "job": job,
        }))?;
        return Ok(Exit::Good);
    }
    output.line(&format!("{}: {}", definition.name, definition.description.as_deref().unwrap_or("a pipeline")))?;
    for stage in &definition.stages {
        let spec = engine.catalog().get(&stage.kind);
        output.text("\n")?;
        let summary = stage.description.clone().or_else(|| spec.map(|spec| spec.summary.clone())).unwrap_or_default();
        output.line(&format!("{} ({}): {summary}", stage.name, stage.kind))?;
        if !stage.needs.is_empty() {
            output.line(&format!("  after {}", stage.needs.join(", ")))?;
        }
        if let Some(when) = &stage.when {
            output.line(&format!("  when {when}"))?;
        }
        let docs = spec.map(|spec| describe(spec.settings.schema(), spec.settings.defaults())).unwrap_or_default();
        output.table(&settings(&stage.name, &docs, Some(stage)))?;
    }
    output.text("\n")?;
    output.line("every stage: settings that each of them takes, for example qc.enabled")?;
    output.table(&settings("STAGE", &common, None))?;
    output.text("\n")?;
    output.line("job: settings of the job as a whole")?;
    output.table(&settings("job", &job, None))?;
    Ok(Exit::Good)
}

/// Checks a pipeline.
pub(crate) fn validate(engine: &Engine, args: &PipelineArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let checked =
        request::of_pipeline(engine, args, request::Saved::default()).and_then(|request| Ok(engine.compile(&request)?));
    match checked {
        Ok(compiled) => {
            let plan = compiled.plan;
            if output.is_table() {
                output.line(&format!("{}: good, {} stages, recipe {}", plan.pipeline, plan.stages.len(), plan.hash))?;
            } else {
                output.value(&json!({
                    "valid": true, "pipeline": plan.pipeline, "hash": plan.hash, "problems": [], "warnings": plan.warnings,
                }))?;
            }
            for warning in &plan.warnings {
                notice(&format!("warning: {} is not applied ({})", warning.setting, warning.reason));
            }
            Ok(Exit::Good)
        }
        Err(Failure::Problems(problems)) if !output.is_table() => {
            output.value(&json!({"valid": false, "pipeline": args.pipeline, "problems": problems, "warnings": []}))?;
            Ok(Exit::Wrong)
        }
        Err(failure) => Err(failure),
    }
}

/// Draws the stages.
pub(crate) fn draw(engine: &Engine, args: &PipelineArgs, dot: bool, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let plan = engine.compile(&request::of_pipeline(engine, args, request::Saved::default())?)?.plan;
    output.text(&if dot { graph(&plan) } else { graph_text(&plan) })?;
    Ok(Exit::Good)
}

fn documented<T: pipeline_core::settings::StageSettings>() -> Vec<SettingDoc> {
    let schema = SettingsSchema::of::<T>();
    describe(schema.schema(), schema.defaults())
}

fn settings(section: &str, docs: &[SettingDoc], stage: Option<&StageDefinition>) -> Table {
    let mut table = Table::new(&["  setting", "accepts", "default", "what it does"]).empty("  no settings of its own");
    for doc in docs {
        let set = stage.and_then(|stage| stage.settings.get(&doc.key));
        let default = set.map_or_else(|| plain(&doc.default), |value| format!("{} (pipeline)", plain(value)));
        table.cells([format!("  {section}.{}", doc.key), doc.accepted.clone(), default, doc.description.clone()]);
    }
    table
}

fn stage_value(engine: &Engine, stage: &StageDefinition) -> Value {
    let spec = engine.catalog().get(&stage.kind);
    let docs = spec.map(|spec| describe(spec.settings.schema(), spec.settings.defaults())).unwrap_or_default();
    json!({
        "name": stage.name,
        "kind": stage.kind,
        "summary": spec.map(|spec| spec.summary.clone()),
        "role": spec.map(|spec| spec.role),
        "needs": stage.needs,
        "when": stage.when,
        "set": stage.settings,
        "settings": docs,
    })
}
