//! What a pipeline file says: the stages, what each needs and how it is set, with the place of everything in the text.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::id::StageName;
use crate::settings::{Document, JOB_SECTION, Layer, Origin, Place, Problem, Problems, Sections, listing, nearest};

use super::spec::Catalog;

const KEYS: [&str; 5] = ["name", "description", "version", "retry_from", "stages"];
const STAGE_KEYS: [&str; 6] = ["kind", "needs", "when", "inputs", "settings", "description"];
/// More stages than this are a mistake.
const MAX_STAGES: usize = 200;

/// One stage of a definition, as written.
#[derive(Clone, Debug, PartialEq)]
pub struct StageDefinition {
    /// Its name.
    pub name: String,
    /// What it is, for a reader.
    pub description: Option<String>,
    /// Its kind, for example `image.qc`; empty when the text has none.
    pub kind: String,
    /// The stages it waits for.
    pub needs: Vec<String>,
    /// The condition under which it runs.
    pub when: Option<String>,
    /// For an input port, the stage to take it from.
    pub inputs: BTreeMap<String, String>,
    /// The settings of its kind and the common ones.
    pub settings: Map<String, Value>,
}

/// A pipeline as written, before it is checked against the kinds there are.
///
/// Reading a text fails only when it cannot be read at all. What is wrong inside is kept, so that
/// [`compile`](fn@super::compile) reports it together with everything it finds itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Definition {
    /// The pipeline's name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The author's version number.
    pub version: Option<u64>,
    /// The stage a retry starts from unless told otherwise.
    pub retry_from: Option<String>,
    /// The stages in the order of the text.
    pub stages: Vec<StageDefinition>,
    file: Option<String>,
    places: BTreeMap<String, Place>,
    problems: Vec<Problem>,
}

impl Definition {
    /// Reads TOML; `file` is the name problems are reported with.
    ///
    /// # Errors
    /// [`Problems`] when the text is not TOML.
    pub fn from_toml(text: &str, file: &str) -> Result<Self, Problems> {
        Ok(Self::read(Document::from_toml(text, file)?, file))
    }

    /// Reads JSON of the same shape; `file` is the name problems are reported with.
    ///
    /// # Errors
    /// [`Problems`] when the text is not a JSON object.
    pub fn from_json(text: &str, file: &str) -> Result<Self, Problems> {
        Ok(Self::read(Document::from_json(text, file)?, file))
    }

    /// Returns what is wrong with the text itself: unknown keys, wrong types, bad names.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Returns the stage of this name.
    pub fn stage(&self, name: &str) -> Option<&StageDefinition> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    /// Returns the sections settings may have: one for each stage, and `job`.
    pub fn sections(&self, catalog: &Catalog) -> Sections {
        self.stages.iter().fold(Sections::new(), |sections, stage| match catalog.get(&stage.kind) {
            Some(spec) => sections.stage(&stage.name, spec.settings.clone()),
            None => sections.opaque(&stage.name),
        })
    }

    /// Returns the settings the definition itself makes.
    pub fn layer(&self) -> Layer {
        let values = self.stages.iter().map(|stage| (stage.name.clone(), Value::Object(stage.settings.clone())));
        Layer::new(Origin::Pipeline, Value::Object(values.collect()))
    }

    /// Makes a problem at a dotted path of the definition, with its place.
    pub(super) fn problem(&self, path: &str, message: impl Into<String>) -> Problem {
        let mut place = path;
        // The nearest enclosing thing that stands in the text.
        while !self.places.contains_key(place) {
            match place.rfind(['.', '[']) {
                Some(end) => place = place.get(..end).unwrap_or_default(),
                None => break,
            }
        }
        Problem::new(path, message).at(self.file.as_deref(), self.places.get(place).copied())
    }

    fn read(document: Document, file: &str) -> Self {
        let Document { values, places } = document;
        let mut definition = Self { file: Some(file.to_owned()), places, ..Self::default() };
        for key in values.keys() {
            definition.known("", key, &KEYS);
        }
        match definition.text(&values, "", "name") {
            Some(name) if valid_name(&name) => definition.name = name,
            Some(name) => definition.report(
                "name",
                format!("`{name}` is not a valid name; expected letters, digits, `_` and `-`, at most 80 characters"),
            ),
            None if !values.contains_key("name") => definition.report("name", "a pipeline needs a name".to_owned()),
            None => {}
        }
        definition.description = definition.text(&values, "", "description");
        definition.retry_from = definition.text(&values, "", "retry_from");
        definition.version = values.get("version").and_then(|value| {
            let number = value.as_u64();
            if number.is_none() {
                definition.report("version", format!("{value} is not accepted; expected a whole number"));
            }
            number
        });
        match values.get("stages") {
            Some(Value::Object(stages)) if stages.len() <= MAX_STAGES => {
                for (name, value) in stages {
                    definition.read_stage(name, value);
                }
            }
            Some(Value::Object(_)) => definition.report("stages", format!("more than {MAX_STAGES} stages")),
            Some(_) => definition.report("stages", "expected a table for each stage, `[stages.NAME]`".to_owned()),
            None => definition.report("stages", "a pipeline needs stages, `[stages.NAME]`".to_owned()),
        }
        definition
    }

    fn read_stage(&mut self, name: &str, value: &Value) {
        let path = format!("stages.{name}");
        if let Err(error) = StageName::new(name) {
            self.report(&path, error.to_string());
        } else if name == JOB_SECTION || name == "item" {
            self.report(&path, format!("`{name}` is reserved and cannot name a stage"));
        }
        let Some(table) = value.as_object() else {
            self.report(&path, "expected a table with a `kind`".to_owned());
            return;
        };
        for key in table.keys() {
            self.known(&path, key, &STAGE_KEYS);
        }
        let kind = self.text(table, &path, "kind");
        if kind.is_none() && !table.contains_key("kind") {
            self.report(&path, "a stage needs a `kind`".to_owned());
        }
        let mut needs = Vec::new();
        match table.get("needs") {
            None => {}
            Some(Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    match item {
                        Value::String(need) if needs.contains(need) => {
                            self.report(&format!("{path}.needs[{index}]"), format!("`{need}` is listed twice"));
                        }
                        Value::String(need) => needs.push(need.clone()),
                        _ => self.report(&format!("{path}.needs[{index}]"), "expected the name of a stage".to_owned()),
                    }
                }
            }
            Some(_) => self.report(&format!("{path}.needs"), "expected a list of stage names".to_owned()),
        }
        let mut inputs = BTreeMap::new();
        for (port, stage) in self.table(table, &path, "inputs") {
            match stage {
                Value::String(stage) => {
                    inputs.insert(port, stage);
                }
                _ => self.report(&format!("{path}.inputs.{port}"), "expected the name of a stage".to_owned()),
            }
        }
        let stage = StageDefinition {
            name: name.to_owned(),
            description: self.text(table, &path, "description"),
            kind: kind.unwrap_or_default(),
            needs,
            when: self.text(table, &path, "when"),
            inputs,
            settings: self.table(table, &path, "settings"),
        };
        self.stages.push(stage);
    }

    fn report(&mut self, path: &str, message: String) {
        let problem = self.problem(path, message);
        self.problems.push(problem);
    }

    fn known(&mut self, path: &str, key: &str, keys: &[&str]) {
        if keys.contains(&key) {
            return;
        }
        let full = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        let problem = self.problem(&full, format!("unknown key `{key}`"));
        let hint = match nearest(key, keys.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if path.is_empty() => format!("there is {}", listing(keys)),
            None => format!("there is {}; settings of the stage go under `{path}.settings`", listing(keys)),
        };
        self.problems.push(problem.hint(hint));
    }

    fn text(&mut self, table: &Map<String, Value>, path: &str, key: &str) -> Option<String> {
        match table.get(key)? {
            Value::String(text) => Some(text.clone()),
            other => {
                let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                self.report(&path, format!("{other} is not accepted; expected a text"));
                None
            }
        }
    }

    fn table(&mut self, table: &Map<String, Value>, path: &str, key: &str) -> Map<String, Value> {
        match table.get(key) {
            None => Map::new(),
            Some(Value::Object(inner)) => inner.clone(),
            Some(other) => {
                self.report(&format!("{path}.{key}"), format!("{other} is not accepted; expected a table"));
                Map::new()
            }
        }
    }
}

fn valid_name(name: &str) -> bool {
    let head = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    head && name.len() <= 80 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}
