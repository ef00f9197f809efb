//! From a request to a definition, and what is kept of both.

use pipeline_core::pipeline::Definition;
use pipeline_core::settings::{Problem, Problems};
use pipeline_core::storage::Recipe;

use crate::presets;
use crate::request::{JobRequest, PipelineSource};

/// Reads the definition a request names.
pub(crate) fn read(source: &PipelineSource) -> Result<Definition, Problems> {
    match source {
        PipelineSource::Preset(name) => match presets::find(name) {
            Some(preset) => Definition::from_toml(preset.definition, preset.name),
            None => {
                let known = presets::ALL.iter().map(|preset| preset.name);
                let accepted = known.clone().collect::<Vec<_>>().join(", ");
                let problem = Problem::new(
                    "",
                    format!("there is no preset `{name}`; expected one of {accepted}, or a pipeline file"),
                );
                Err(Problems(vec![problem.suggest(name, known)]))
            }
        },
        PipelineSource::Toml { name, text } => Definition::from_toml(text, name),
        PipelineSource::Json { name, text } => Definition::from_json(text, name),
    }
}

/// Returns what is kept of a request beside its settings.
pub(crate) fn recipe(request: &JobRequest) -> Recipe {
    let (preset, file, definition, json) = match &request.pipeline {
        PipelineSource::Preset(name) => {
            let text = presets::find(name).map_or("", |preset| preset.definition);
            (Some(name.clone()), name, text, false)
        }
        PipelineSource::Toml { name, text } => (None, name, text.as_str(), false),
        PipelineSource::Json { name, text } => (None, name, text.as_str(), true),
    };
    Recipe {
        preset,
        definition: definition.to_owned(),
        json,
        file: file.clone(),
        inputs: request.inputs.clone(),
        count: request.count,
    }
}

/// Returns the pipeline of a recipe as it was.
pub(crate) fn source(recipe: &Recipe) -> PipelineSource {
    let (name, text) = (recipe.file.clone(), recipe.definition.clone());
    if recipe.json { PipelineSource::Json { name, text } } else { PipelineSource::Toml { name, text } }
}
