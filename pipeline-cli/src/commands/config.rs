//! `config show`: every setting with its value, where it comes from, and whether it has an effect.

use serde_json::json;

use pipeline_core::settings::Origin;
use pipeline_engine::Engine;

use crate::args::PipelineArgs;
use crate::output::{Exit, Failure, Output, Row, Table, plain};
use crate::request;

/// Shows the settings of a pipeline as they would be used.
pub(crate) fn show(
    engine: &Engine,
    args: &PipelineArgs,
    origin: bool,
    changed: bool,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let compiled = engine.compile(&request::of_pipeline(engine, args, request::Saved::default())?)?;
    let header: &[&str] = if origin { &["setting", "value", "origin", "note"] } else { &["setting", "value", "note"] };
    let mut table = Table::new(header).empty("nothing is set beside what is built in");
    for (section, settings) in compiled.resolved.iter() {
        for (key, setting) in settings.iter() {
            if changed && setting.origin == Origin::BuiltIn {
                continue;
            }
            let name = format!("{section}.{key}");
            let note = setting.not_applied.as_ref().map(|reason| format!("not applied ({reason})"));
            let value = json!({
                "setting": name,
                "value": setting.value,
                "origin": setting.origin.to_string(),
                "not_applied": setting.not_applied,
            });
            let mut cells = vec![name, plain(&setting.value)];
            if origin {
                cells.push(setting.origin.to_string());
            }
            cells.push(note.unwrap_or_default());
            table.push(Row::new(cells, value));
        }
    }
    output.rows(&table)?;
    Ok(Exit::Good)
}
