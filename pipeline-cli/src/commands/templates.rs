//! `jobs save-as`, `templates list|show|rm` and `settings save|list|show|rm`: what is kept under names.

use serde_json::{Value, json};

use pipeline_core::ErrorKind;
use pipeline_core::storage::{SavedBody, SavedKind, SavedLayer, SavedRecord};
use pipeline_engine::Engine;

use crate::args::{SaveAsArgs, SaveSettingsArgs};
use crate::lookup;
use crate::output::{Exit, Failure, Output, Row, Table, ago, clean, plain, short};
use crate::request::{assignments, unsaved};

/// Keeps the request of a job under a name.
pub(crate) async fn save_as(engine: &Engine, args: &SaveAsArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let job = lookup::job(engine, &args.job.job).await?;
    let request = engine.request_of_job(job.id).await?;
    let saved = engine.save_template(engine.owner(), &args.name, request, args.replace).await;
    let record = saved.map_err(taken)?;
    let name = &record.name;
    told(&record, &format!("template {name} is saved: `pipeline run {name}` makes a new job of it"), output)
}

/// Keeps settings under a name.
pub(crate) async fn save_settings(
    engine: &Engine,
    args: &SaveSettingsArgs,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let set = assignments(&args.set)?;
    let mut layers = match &args.from {
        Some(text) => engine.settings_of_job(lookup::job(engine, text).await?.id).await?,
        None => Vec::new(),
    };
    layers.extend(set.iter().map(SavedLayer::from));
    let record = engine.save_settings(engine.owner(), &args.name, layers, args.replace).await.map_err(taken)?;
    let name = &record.name;
    told(&record, &format!("settings {name} are saved: use them with `--with {name}`"), output)
}

/// Lists what is kept of a kind.
pub(crate) async fn list(engine: &Engine, kind: SavedKind, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let now = engine.store().now().await?;
    let (header, empty) = match kind {
        SavedKind::Template => (
            ["name", "pipeline", "inputs", "settings", "saved"],
            "no templates yet: `pipeline jobs save-as JOB NAME` makes one",
        ),
        SavedKind::Settings => (
            ["name", "", "", "settings", "saved"],
            "no settings yet: `pipeline settings save NAME --set STAGE.KEY=VALUE` saves some",
        ),
    };
    let kept: Vec<usize> =
        (0..header.len()).filter(|place| header.get(*place).is_some_and(|word| !word.is_empty())).collect();
    let words: Vec<&'static str> = kept.iter().filter_map(|place| header.get(*place).copied()).collect();
    let mut table = Table::new(&words).empty(empty);
    for record in engine.store().list_saved(Some(engine.owner()), kind).await? {
        let (pipeline, inputs) = match &record.body {
            SavedBody::Template(request) => (
                request.recipe.preset.clone().unwrap_or_else(|| request.recipe.file.clone()),
                request.recipe.inputs.join(", "),
            ),
            SavedBody::Settings { .. } => (String::new(), String::new()),
        };
        let cells = [
            record.name.clone(),
            short(&pipeline, 32),
            short(&inputs, 40),
            short(&assigned(layers(&record)).join(", "), 60),
            ago(record.saved_at, now),
        ];
        let cells = kept.iter().filter_map(|place| cells.get(*place).cloned());
        table.push(Row::new(cells, json!(record)));
    }
    output.rows(&table)?;
    Ok(Exit::Good)
}

/// Shows what is kept under a name.
pub(crate) async fn show(
    engine: &Engine,
    kind: SavedKind,
    name: &str,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let record = match engine.store().saved(engine.owner(), kind, name).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(unsaved(engine, kind, name).await),
        found => found?,
    };
    if !output.is_table() {
        output.value(&record)?;
        return Ok(Exit::Good);
    }
    let mut pairs = vec![("name", record.name.clone()), ("saved", record.saved_at.to_string())];
    if let SavedBody::Template(request) = &record.body {
        let recipe = &request.recipe;
        let dash = || "-".to_owned();
        pairs.extend([
            ("pipeline", recipe.preset.clone().unwrap_or_else(|| recipe.file.clone())),
            ("inputs", if recipe.inputs.is_empty() { dash() } else { recipe.inputs.join(", ") }),
            ("count", recipe.count.map_or_else(dash, |count| count.to_string())),
            ("out", request.out.clone().unwrap_or_else(dash)),
            ("priority", request.priority.to_string()),
            ("key", request.key.as_ref().map_or_else(dash, |key| key.name.clone())),
            ("budget", request.budget.map_or_else(dash, |budget| budget.to_string())),
        ]);
    }
    output.pairs(&pairs)?;
    let mut table = Table::new(&["setting", "value", "given by"]);
    for layer in layers(&record) {
        for (setting, value) in settings(layer) {
            table.cells([setting, value, layer.origin.to_string()]);
        }
    }
    output.text("\n")?;
    output.table(&table)?;
    Ok(Exit::Good)
}

/// Removes what is kept under a name.
pub(crate) async fn forget(
    engine: &Engine,
    kind: SavedKind,
    name: &str,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    match engine.store().forget(engine.owner(), kind, name).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(unsaved(engine, kind, name).await),
        done => done?,
    }
    if output.is_table() {
        output.line(&format!("{kind} {name}: removed"))?;
    } else {
        output.value(&json!({"kind": kind, "name": name}))?;
    }
    Ok(Exit::Good)
}

fn told(record: &SavedRecord, line: &str, output: &mut Output<'_>) -> Result<Exit, Failure> {
    if output.is_table() {
        output.line(line)?;
    } else {
        output.value(record)?;
    }
    Ok(Exit::Good)
}

fn taken(error: pipeline_core::Error) -> Failure {
    match error.kind() {
        ErrorKind::Conflict => Failure::blame_request(&error).hint("--replace takes its place"),
        ErrorKind::Invalid => Failure::blame_request(&error),
        _ => Failure::from(error),
    }
}

fn layers(record: &SavedRecord) -> &[SavedLayer] {
    match &record.body {
        SavedBody::Template(request) => &request.layers,
        SavedBody::Settings { layers } => layers,
    }
}

/// Returns the settings of a layer: name and value.
fn settings(layer: &SavedLayer) -> Vec<(String, String)> {
    let sections = layer.values.as_object().into_iter().flatten();
    let keys =
        sections.flat_map(|(section, keys)| keys.as_object().into_iter().flatten().map(move |key| (section, key)));
    keys.map(|(section, (key, value)): (&String, (&String, &Value))| (format!("{section}.{key}"), clean(&plain(value))))
        .collect()
}

fn assigned(layers: &[SavedLayer]) -> Vec<String> {
    layers.iter().flat_map(settings).map(|(name, value)| format!("{name}={value}")).collect()
}
