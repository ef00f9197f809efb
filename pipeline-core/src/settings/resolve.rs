//! Layers resolved into one value for every key, each with its origin; everything that is wrong is reported at once.

use std::collections::BTreeMap;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value};

use super::docs::{SettingDoc, accepted_text, alternatives, describe};
use super::problem::{listing, nearest};
use super::resolved::{Resolved, Section, Setting};
use super::secret::SECRET_FORMAT;
use super::text::typed;
use super::{CommonSettings, JOB_SECTION, JobSettings, Layer, Origin, Problem, SettingsSchema};

/// The sections there are: one for each stage, and `job`.
#[derive(Clone, Debug, Default)]
pub struct Sections {
    stages: Vec<(String, Option<SettingsSchema>)>,
}

impl Sections {
    /// Returns the sections of a pipeline without stages: `job` only.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a stage.
    pub fn stage(mut self, name: &str, settings: SettingsSchema) -> Self {
        self.stages.push((name.to_owned(), Some(settings)));
        self
    }

    /// Adds a stage whose kind is not known: its settings are not looked at.
    pub fn opaque(mut self, name: &str) -> Self {
        self.stages.push((name.to_owned(), None));
        self
    }

    /// Returns the names of all sections.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.stages.iter().map(|(name, _)| name.as_str()).chain([JOB_SECTION])
    }

    /// Describes every setting of a section; `None` when there is no such section.
    pub fn describe(&self, section: &str) -> Option<Vec<SettingDoc>> {
        let parts = self.parts(section)?;
        Some(parts.iter().flat_map(|part| describe(part.schema(), part.defaults())).collect())
    }

    /// The schemas of a section: a kind's own and the common one, or the job's.
    fn parts(&self, section: &str) -> Option<Vec<SettingsSchema>> {
        if section == JOB_SECTION {
            return Some(vec![SettingsSchema::of::<JobSettings>()]);
        }
        let (_, kind) = self.stages.iter().find(|(name, _)| name == section)?;
        Some(kind.iter().cloned().chain([SettingsSchema::of::<CommonSettings>()]).collect())
    }

    fn is_opaque(&self, section: &str) -> bool {
        self.stages.iter().any(|(name, kind)| name == section && kind.is_none())
    }
}

/// Resolves `layers`, the weakest first, over the built-in values of `sections`.
///
/// A later layer replaces the value of a key as a whole; tables and lists are not merged.
///
/// # Errors
/// Every problem of every layer: unknown sections and keys, wrong types and values, and what the kinds themselves
/// object to.
pub fn resolve(sections: &Sections, layers: &[Layer]) -> Result<Resolved, Vec<Problem>> {
    let (resolved, problems) = resolve_all(sections, layers);
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
}

/// As [`resolve`], with what could be resolved beside the problems.
pub(crate) fn resolve_all(sections: &Sections, layers: &[Layer]) -> (Resolved, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut given: BTreeMap<&str, BTreeMap<&str, (&Value, &Layer)>> = BTreeMap::new();
    for layer in layers {
        collect(sections, layer, &mut given, &mut problems);
    }
    let empty = BTreeMap::new();
    let mut resolved = Resolved::default();
    for name in sections.names() {
        let given = given.get(name).unwrap_or(&empty);
        let section = resolve_section(sections, name, given, &mut problems);
        resolved.insert(name, section);
    }
    (resolved, problems)
}

fn collect<'a>(
    sections: &Sections,
    layer: &'a Layer,
    given: &mut BTreeMap<&'a str, BTreeMap<&'a str, (&'a Value, &'a Layer)>>,
    problems: &mut Vec<Problem>,
) {
    let Some(tables) = layer.values.as_object() else {
        problems.push(Problem::new("", "settings are a table of sections").from(&layer.origin));
        return;
    };
    for (section, keys) in tables {
        if !sections.names().any(|name| name == section) {
            let problem = Problem::new(section, format!("unknown section `{section}`"));
            problems.push(placed(layer, section, problem.suggest(section, sections.names())));
            continue;
        }
        let Some(keys) = keys.as_object() else {
            let problem = Problem::new(section, "expected a table of settings");
            problems.push(placed(layer, section, problem));
            continue;
        };
        for (key, value) in keys {
            given.entry(section).or_default().insert(key, (value, layer));
        }
    }
}

fn resolve_section(
    sections: &Sections,
    name: &str,
    given: &BTreeMap<&str, (&Value, &Layer)>,
    problems: &mut Vec<Problem>,
) -> Section {
    let parts = sections.parts(name).unwrap_or_default();
    let opaque = sections.is_opaque(name);
    let known: Vec<&str> = parts.iter().flat_map(keys_of).collect();
    for (key, (_, layer)) in given {
        if !known.contains(key) && !opaque {
            problems.push(unknown_key(sections, name, key, layer, &known));
        }
    }
    let mut section = Section::default();
    for (index, part) in parts.iter().enumerate() {
        let kind_part = name != JOB_SECTION && !opaque && index == 0;
        let mut values = part.defaults().as_object().cloned().unwrap_or_default();
        let mut origins: BTreeMap<String, &Layer> = BTreeMap::new();
        for key in keys_of(part) {
            values.entry(key).or_insert(Value::Null);
            if let Some((value, layer)) = given.get(key) {
                let value = match value.as_str() {
                    Some(text) if layer.text => typed(text, property(part, key), part.schema()),
                    _ => (*value).clone(),
                };
                values.insert(key.to_owned(), value);
                origins.insert(key.to_owned(), layer);
            }
        }
        // What is absent and has no default is absent for the kind, too.
        values.retain(|key, value| !value.is_null() || part.defaults().get(key).is_some() || origins.contains_key(key));
        let object = Value::Object(values.clone());
        let wrong = invalid(name, part, &object, &origins);
        let sound = wrong.is_empty();
        problems.extend(wrong);
        let mut inert = BTreeMap::new();
        if sound {
            for (key, message) in part.problems(&object) {
                problems.push(of_key(name, &key, origins.get(key.as_str()).copied(), message));
            }
            inert = part.inert(&object).into_iter().map(|inert| (inert.key, inert.reason)).collect();
        }
        for (key, value) in values {
            let origin = origins.get(&key).map_or(Origin::BuiltIn, |layer| layer.origin.clone());
            let not_applied = inert.get(&key).cloned();
            section.insert(key, Setting { value, origin, not_applied, common: !kind_part });
        }
    }
    section.mark_disabled();
    section
}

fn keys_of(part: &SettingsSchema) -> impl Iterator<Item = &str> {
    part.schema().get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys).map(String::as_str)
}

fn property<'a>(part: &'a SettingsSchema, key: &str) -> &'a Value {
    part.schema().get("properties").and_then(|properties| properties.get(key)).unwrap_or(&Value::Bool(true))
}

fn unknown_key(sections: &Sections, section: &str, key: &str, layer: &Layer, known: &[&str]) -> Problem {
    let problem = Problem::new(format!("{section}.{key}"), format!("unknown setting `{key}`"));
    let problem = if key == "when" || key == "needs" || key == "inputs" || key == "kind" {
        problem.hint(format!("`{key}` belongs to the stage itself, in the pipeline file"))
    } else if let Some(near) = nearest(key, known.iter().copied()) {
        problem.hint(format!("did you mean `{near}`?"))
    } else {
        let elsewhere = sections.names().find(|name| {
            *name != section
                && sections.parts(name).is_some_and(|parts| parts.iter().flat_map(keys_of).any(|k| k == key))
        });
        match elsewhere {
            Some(name) => problem.hint(format!("`{name}` has a setting of this name; did you mean `{name}.{key}`?")),
            None => problem.hint(format!("there is {}", listing(known))),
        }
    };
    placed(layer, &format!("{section}.{key}"), problem)
}

/// Validates one object by its schema; at most one problem for each key.
fn invalid(section: &str, part: &SettingsSchema, object: &Value, origins: &BTreeMap<String, &Layer>) -> Vec<Problem> {
    let validator = match jsonschema::draft202012::new(part.schema()) {
        Ok(validator) => validator,
        Err(error) => {
            return vec![Problem::new(section, format!("the schema of these settings is not valid: {error}"))];
        }
    };
    let mut found: BTreeMap<String, Problem> = BTreeMap::new();
    for error in validator.iter_errors(object) {
        let pointer = error.instance_path().to_string();
        let key = pointer.split('/').nth(1).unwrap_or_default().to_owned();
        if key.is_empty() {
            found.entry(error.to_string()).or_insert_with(|| Problem::new(section, error.to_string()));
            continue;
        }
        let schema = property(part, &key);
        let secret = schema.to_string().contains(SECRET_FORMAT);
        let value = if secret { "this value".to_owned() } else { shown(error.instance().as_ref()) };
        let parts: Vec<&str> = pointer.split('/').skip(2).collect();
        let message = match within(schema, &parts, part.schema()) {
            Some(inner) if parts.first().is_some_and(|part| part.parse::<usize>().is_err()) && !secret => {
                let place = parts.join(".");
                match unknown_of(&error, inner, part.schema()) {
                    Some((unknown, known)) => format!("unknown key `{place}.{unknown}`; there is {}", listing(&known)),
                    None => {
                        let accepted = accepted_text(inner, part.schema());
                        format!("{value} is not accepted for `{place}`; expected {accepted}")
                    }
                }
            }
            _ => {
                let nested = if parts.is_empty() || secret { String::new() } else { format!(" ({error})") };
                format!("{value} is not accepted; expected {}{nested}", accepted_text(schema, part.schema()))
            }
        };
        let layer = origins.get(key.as_str()).copied();
        found.entry(key.clone()).or_insert_with(|| of_key(section, &key, layer, message));
    }
    found.into_values().collect()
}

/// Finds the schema of what lies inside a value, by the keys and numbers on the way to it.
fn within<'a>(schema: &'a Value, way: &[&str], root: &'a Value) -> Option<&'a Value> {
    let Some((first, rest)) = way.split_first() else { return Some(schema) };
    alternatives(schema, root).into_iter().find_map(|schema| {
        let named = schema.get("properties").and_then(|properties| properties.get(*first));
        let any = || schema.get("additionalProperties").filter(|schema| schema.is_object());
        within(named.or_else(any).or_else(|| schema.get("items"))?, rest, root)
    })
}

/// A key that an error says is unknown, and those that its schema has.
fn unknown_of<'a>(
    error: &'a ValidationError<'_>,
    schema: &'a Value,
    root: &'a Value,
) -> Option<(&'a str, Vec<&'a str>)> {
    let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind() else { return None };
    let objects = alternatives(schema, root);
    let known = objects.iter().filter_map(|schema| schema.get("properties")?.as_object());
    Some((unexpected.first()?, known.flat_map(Map::keys).map(String::as_str).collect()))
}

/// Prints a value, at most 80 characters of it.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 80 { text } else { format!("{}…", text.chars().take(80).collect::<String>()) }
}

fn of_key(section: &str, key: &str, layer: Option<&Layer>, message: String) -> Problem {
    let path = format!("{section}.{key}");
    let problem = Problem::new(&path, message);
    match layer {
        Some(layer) => placed(layer, &path, problem),
        None => problem.from(&Origin::BuiltIn),
    }
}

/// Adds where the value of `path` stands in this layer.
fn placed(layer: &Layer, path: &str, problem: Problem) -> Problem {
    let file = match &layer.origin {
        Origin::File(file) => Some(file.as_str()),
        _ => None,
    };
    problem.at(file, layer.places.get(path).copied()).from(&layer.origin)
}
