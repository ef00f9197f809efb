//! From arguments to a request: the pipeline's text, and the layers of settings over it.

use std::path::Path;

use pipeline_core::ErrorKind;
use pipeline_core::model::Money;
use pipeline_core::pipeline::Definition;
use pipeline_core::settings::{Layer, Problem, Problems};
use pipeline_core::storage::SavedKind;
use pipeline_engine::{Engine, JobRequest, PipelineSource, presets};

use crate::args::{PipelineArgs, RequestArgs};
use crate::output::{Failure, clean};
use crate::when::{self, Start};

/// Makes the request of a run or a submit.
pub(crate) async fn of_request(engine: &Engine, args: &RequestArgs) -> Result<JobRequest, Failure> {
    let saved = Saved::read(engine, args).await?;
    let mut request = of_pipeline(engine, &args.pipeline, saved)?;
    if let Some(priority) = args.priority {
        request = request.priority(priority);
    }
    if !args.input.is_empty() {
        request = request.without_inputs();
    }
    for input in &args.input {
        request = request.input(input);
    }
    if let Some(count) = args.count {
        request = request.count(count);
    }
    if let Some(out) = &args.out {
        if out.as_os_str().is_empty() {
            return Err(Failure::wrong("--out is empty").hint("accepted: a folder this user may write to"));
        }
        request = request.out(out);
    }
    if let Some(label) = &args.label {
        request = request.label(text("--label", label)?);
    }
    if let Some(key) = &args.key {
        request = request.key(text("--key", key)?, args.key_limit.unwrap_or(1));
    }
    if let Some(at) = &args.at {
        let Start { at, asked } = when::start(at, &jiff::Zoned::now())?;
        request = match asked {
            Some(asked) => request.start_when(asked, at),
            None => request.start_at(at),
        };
    }
    if let Some(budget) = &args.budget {
        request = request.budget(amount("--budget", budget)?);
    }
    if let Some(most) = &args.max_cost {
        let micros = amount("--max-cost", most)?.as_micros();
        let setting = format!("job.max_cost={}.{:06}", micros / 1_000_000, micros % 1_000_000);
        request = request.layer(Layer::argument(&setting)?);
    }
    if args.reuse {
        request = request.layer(Layer::argument("job.cache=exact")?);
    }
    if let Some(key) = &args.idempotency_key {
        request = request.idempotency_key(text("--idempotency-key", key)?);
    }
    Ok(request)
}

/// Tells whether a request needs the store to be read: it names a template, or saved settings.
pub(crate) fn is_saved(args: &RequestArgs) -> bool {
    !args.with.is_empty() || is_template(&args.pipeline.pipeline)
}

/// What a preset or a file is called is no template.
fn is_template(name: &str) -> bool {
    presets::find(name).is_none() && !looks_like_a_file(name) && !Path::new(name).is_dir()
}

/// What a request takes from the store.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    template: Option<JobRequest>,
    settings: Vec<Layer>,
}

impl Saved {
    /// Reads the template and the settings that arguments name.
    async fn read(engine: &Engine, args: &RequestArgs) -> Result<Self, Failure> {
        let mut saved = Self::default();
        let name = &args.pipeline.pipeline;
        if is_template(name) {
            saved.template = match engine.template(engine.owner(), name).await {
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                found => Some(found?),
            };
        }
        for name in &args.with {
            match engine.saved_settings(engine.owner(), name).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Err(unsaved(engine, SavedKind::Settings, name).await);
                }
                found => saved.settings.extend(found?),
            }
        }
        Ok(saved)
    }
}

/// The error for a name under which nothing is kept, with those there are.
pub(crate) async fn unsaved(engine: &Engine, kind: SavedKind, name: &str) -> Failure {
    let known: Vec<String> = match engine.store().list_saved(Some(engine.owner()), kind).await {
        Ok(all) => all.into_iter().map(|record| record.name).collect(),
        Err(error) => return Failure::from(error),
    };
    let there = if known.is_empty() { "there are none".to_owned() } else { format!("there are {}", known.join(", ")) };
    let what = match kind {
        SavedKind::Template => "there is no template",
        SavedKind::Settings => "there are no saved settings",
    };
    Failure::wrong(format!("{what} `{}`", clean(name))).hint(there)
}

/// Reads an amount of dollars.
pub(crate) fn amount(option: &'static str, given: &str) -> Result<Money, Failure> {
    given.parse::<Money>().map_err(|error| Failure::from(error.with("option", option)))
}

/// Returns what was given for an option, which must not be empty.
pub(crate) fn text<'a>(option: &str, given: &'a str) -> Result<&'a str, Failure> {
    if given.trim().is_empty() {
        return Err(Failure::wrong(format!("{option} is empty")).hint("accepted: any text that is not empty"));
    }
    Ok(given)
}

/// Reads `--set` arguments; everything that is wrong with them is told at once.
pub(crate) fn assignments(given: &[String]) -> Result<Vec<Layer>, Problems> {
    let (layers, problems) = read_assignments(given);
    if problems.is_empty() { Ok(layers) } else { Err(Problems(problems)) }
}

fn read_assignments(given: &[String]) -> (Vec<Layer>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut layers = Vec::with_capacity(given.len());
    for assignment in given {
        match Layer::argument(assignment) {
            Ok(layer) => layers.push(layer),
            Err(Problems(more)) => problems.extend(more),
        }
    }
    (layers, problems)
}

/// Makes a request of a pipeline with its settings: those of the template, then files, saved settings, environment, `--set`.
pub(crate) fn of_pipeline(engine: &Engine, args: &PipelineArgs, saved: Saved) -> Result<JobRequest, Failure> {
    let mut request = match saved.template {
        Some(template) => template,
        None => JobRequest::new(source(&args.pipeline)?),
    };
    let mut problems = Vec::new();
    let mut layers = Vec::new();
    for path in &args.settings {
        let text = read(path, "cannot read the settings file")?;
        match Layer::file(&text, &path.to_string_lossy()) {
            Ok(layer) => layers.push(layer),
            Err(Problems(more)) => problems.extend(more),
        }
    }
    layers.extend(saved.settings);
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    match Layer::environment(variables) {
        Ok(more) => layers.extend(more),
        Err(Problems(more)) => problems.extend(more),
    }
    let (set, wrong) = read_assignments(&args.set);
    layers.extend(set);
    problems.extend(wrong);
    for layer in layers {
        request = request.layer(layer);
    }
    if problems.is_empty() {
        return Ok(request);
    }
    // What else is wrong is said at the same time.
    if let Err(Problems(more)) = engine.compile(&request) {
        problems.extend(more);
    }
    Err(Failure::Problems(Problems(problems)))
}

/// Reads the definition of a pipeline as written.
pub(crate) fn definition(name: &str) -> Result<Definition, Failure> {
    let definition = match source(name)? {
        PipelineSource::Toml { name, text } => Definition::from_toml(&text, &name),
        PipelineSource::Json { name, text } => Definition::from_json(&text, &name),
        PipelineSource::Preset(name) => match presets::find(&name) {
            Some(preset) => Definition::from_toml(preset.definition, preset.name),
            None => return Err(unknown_preset(&name)),
        },
    };
    Ok(definition?)
}

/// A path that exists or looks like a pipeline file is one; everything else is the name of a preset.
fn source(name: &str) -> Result<PipelineSource, Failure> {
    let path = Path::new(name);
    let json = extension(path).as_deref() == Some("json");
    if presets::find(name).is_none() && looks_like_a_file(name) {
        let text = read(path, "cannot read the pipeline file")?;
        let name = name.to_owned();
        return Ok(if json { PipelineSource::Json { name, text } } else { PipelineSource::Toml { name, text } });
    }
    match presets::find(name) {
        Some(_) => Ok(PipelineSource::Preset(name.to_owned())),
        None if path.is_dir() => {
            Err(Failure::wrong(format!("{name} is a folder")).hint("accepted: a preset, or a .toml or .json file"))
        }
        None => Err(unknown_preset(name)),
    }
}

fn extension(path: &Path) -> Option<String> {
    path.extension().map(|extension| extension.to_string_lossy().to_lowercase())
}

fn looks_like_a_file(name: &str) -> bool {
    let path = Path::new(name);
    path.is_file() || matches!(extension(path).as_deref(), Some("json" | "toml"))
}

fn unknown_preset(name: &str) -> Failure {
    let known: Vec<&str> = presets::ALL.iter().map(|preset| preset.name).collect();
    let near = known.iter().map(|known| (strsim::damerau_levenshtein(name, known), known)).min();
    let guess = near.filter(|(distance, _)| *distance <= 2).map(|(_, near)| format!("did you mean `{near}`? "));
    Failure::wrong(format!("there is no preset `{name}`, and no file or template of that name")).hint(format!(
        "{}presets are {}; a pipeline file ends with .toml or .json; `pipeline templates list` lists templates",
        guess.unwrap_or_default(),
        known.join(", ")
    ))
}

/// Reads a text file that the request names.
pub(crate) fn read(path: &Path, doing: &str) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::file(doing, path, &error))?;
    String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        let problem = Problem::new("", format!("not text: byte {place} is not UTF-8")).hint("accepted: UTF-8 text");
        Failure::from(problem.at(Some(&path.to_string_lossy()), None))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preset_nearly_right_is_suggested() {
        let text = unknown_preset("factry").lines().join("\n");
        assert!(text.contains("did you mean `factory`?"), "{text}");
        let text = unknown_preset("zebra").lines().join("\n");
        assert!(!text.contains("did you mean") && text.contains("factory, enhance"), "{text}");
    }

    #[test]
    fn what_looks_like_a_file_is_one() {
        assert_eq!(source("factory"), Ok(PipelineSource::Preset("factory".to_owned())));
        let text = source("missing.toml").unwrap_err().lines().join("\n");
        assert!(text.contains("missing.toml"), "{text}");
    }

    #[test]
    fn every_wrong_assignment_is_reported() {
        let set = vec!["a".to_owned(), "b.c".to_owned()];
        let args = PipelineArgs { pipeline: "factory".to_owned(), set, ..PipelineArgs::default() };
        let engine = crate::wiring::Wired::memory(None).unwrap().engine;
        let Err(Failure::Problems(problems)) = of_pipeline(&engine, &args, Saved::default()).map(drop) else {
            panic!("accepted")
        };
        assert_eq!(problems.0.len(), 2);
    }
}
