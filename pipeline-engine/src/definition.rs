//! From a request to a definition.

use pipeline_core::pipeline::Definition;
use pipeline_core::settings::{Problem, Problems};

use crate::presets;
use crate::request::PipelineSource;

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
