//! What a stage reads, found in the results of the stages before it.

use std::collections::HashMap;

use serde_json::{Map, Value};

use pipeline_core::Result;
use pipeline_core::executor::{ItemMachine, StageState, Why};
use pipeline_core::expression::Facts;
use pipeline_core::id::{ItemId, ResultId};
use pipeline_core::model::Artifact;
use pipeline_core::pipeline::{Plan, StageIndex};
use pipeline_core::stage::Inputs;
use pipeline_core::storage::ResultRecord;

use super::job::JobContext;
use super::shared::Shared;

/// The results an item's stages refer to, by stage.
pub(crate) type Results = HashMap<StageIndex, ResultRecord>;

/// Loads what the stages of items have recorded so far, in one read.
pub(crate) async fn load(shared: &Shared, machines: &[&ItemMachine]) -> Result<HashMap<ItemId, Results>> {
    let mut ids: Vec<ResultId> = machines.iter().flat_map(|machine| machine.results().map(|(_, id)| id)).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = shared.store.results(ids).await?;
    let by_id: HashMap<ResultId, _> = found.into_iter().map(|result| (result.id, result)).collect();
    let of = |machine: &&ItemMachine| {
        let own = machine.results().filter_map(|(index, id)| by_id.get(&id).map(|result| (index, result.clone())));
        (machine.id, own.collect())
    };
    Ok(machines.iter().map(of).collect())
}

/// Returns what conditions see: every output by stage name, and as `item` what was planned and what the source found.
pub(crate) fn facts(plan: &Plan, input: &Map<String, Value>, results: &Results) -> Facts {
    let mut facts = Facts::new();
    let mut item = input.clone();
    for (index, result) in results {
        if let Some(stage) = plan.stage(*index) {
            if stage.needs.is_empty() {
                item.extend(result.fields.clone());
            }
            facts.insert(stage.name.to_string(), Value::Object(result.fields.clone()));
        }
    }
    facts.insert("item".to_owned(), Value::Object(item));
    facts
}

/// Binds the ports of the stage at `index`: each to the nearest ancestor that made it.
pub(crate) fn bind(job: &JobContext, index: StageIndex, machine: &ItemMachine, results: &Results) -> Inputs {
    let mut inputs = Inputs::default();
    let Some(stage) = job.plan.stage(index) else { return inputs };
    for port in stage.inputs.keys() {
        match find(&job.plan, index, port, machine, results) {
            Some(Made::File(file, _)) => {
                inputs.files.insert(port.clone(), file.clone());
            }
            Some(Made::Field(value)) => {
                inputs.fields.insert(port.clone(), value.clone());
            }
            None => {}
        }
    }
    for place in job.ancestors(index) {
        let (Some(ancestor), Some(result)) = (job.plan.stage(*place), results.get(place)) else { continue };
        if ancestor.needs.is_empty() {
            for (key, value) in &result.fields {
                inputs.variables.insert(key.clone(), value.clone());
            }
        }
        inputs.variables.insert(ancestor.name.to_string(), Value::Object(result.fields.clone()));
    }
    for (key, value) in &inputs.fields {
        inputs.variables.insert(key.clone(), value.clone());
    }
    inputs
}

/// What stands at a port.
enum Made<'a> {
    /// A file, and the round it was made in.
    File(&'a Artifact, u32),
    Field(&'a Value),
}

/// Finds what the nearest maker of a stage's input made. A stage whose input counts as its output made what it would
/// have read. A file is passed over when what its maker would read now is of a later round: a retry that left the maker
/// out has made a newer one before it.
fn find<'a>(
    plan: &Plan,
    index: StageIndex,
    port: &str,
    machine: &ItemMachine,
    results: &'a Results,
) -> Option<Made<'a>> {
    plan.stage(index)?.inputs.get(port)?.iter().find_map(|maker| {
        if let Some(StageState::Skipped { why: Why::InputUsed, .. }) = machine.stages.get(*maker) {
            return find(plan, *maker, port, machine, results);
        }
        let result = results.get(maker)?;
        let Some(file) = result.files.get(port) else {
            return result.fields.get(port).filter(|value| !value.is_null()).map(Made::Field);
        };
        match find(plan, *maker, port, machine, results) {
            Some(newer @ Made::File(_, round)) if round > result.round => Some(newer),
            _ => Some(Made::File(file, result.round)),
        }
    })
}
