//! One layer of settings: what one origin says, by section and key.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::document::Document;
use super::{Origin, Place, Problem, Problems};

/// The beginning of the names of environment variables that hold settings: `PIPELINE_SET__STAGE__KEY`.
pub const ENVIRONMENT_PREFIX: &str = "PIPELINE_SET__";

/// What one origin says. A later layer wins over an earlier one, key by key.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Where the values come from.
    pub origin: Origin,
    /// An object of sections, each an object of keys.
    pub values: Value,
    /// Whether the values are texts still to be typed by the schema, as from a command line.
    pub text: bool,
    /// Where each `section.key` stands in the file.
    pub places: BTreeMap<String, Place>,
}

impl Layer {
    /// Makes a layer of typed values.
    pub fn new(origin: Origin, values: Value) -> Self {
        Self { origin, values, text: false, places: BTreeMap::new() }
    }

    fn text(origin: Origin, section: &str, key: &str, value: &str) -> Self {
        let keys: Map<String, Value> = [(key.to_owned(), Value::from(value))].into_iter().collect();
        let sections: Map<String, Value> = [(section.to_owned(), Value::Object(keys))].into_iter().collect();
        Self { origin, values: Value::Object(sections), text: true, places: BTreeMap::new() }
    }

    /// Reads a settings file: TOML with a table for each section.
    ///
    /// # Errors
    /// [`Problems`] when the text is not TOML.
    pub fn file(text: &str, file: &str) -> Result<Self, Problems> {
        let document = Document::from_toml(text, file)?;
        Ok(Self {
            origin: Origin::File(file.to_owned()),
            values: Value::Object(document.values),
            text: false,
            places: document.places,
        })
    }

    /// Reads one `--set` argument, `stage.key=value`; the schema gives the value its type later.
    ///
    /// # Errors
    /// [`Problems`] when it has another form.
    pub fn argument(assignment: &str) -> Result<Self, Problems> {
        parse_assignment(assignment).map(|(section, key, value)| Self::text(Origin::Argument, section, key, value))
    }

    /// Picks the settings out of environment variables; a layer for each, in the order of their names.
    ///
    /// # Errors
    /// [`Problems`] with every variable that has the prefix and not the form `PIPELINE_SET__STAGE__KEY`.
    pub fn environment<N, V>(variables: impl IntoIterator<Item = (N, V)>) -> Result<Vec<Self>, Problems>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let mut layers = BTreeMap::new();
        let mut problems = Vec::new();
        for (name, value) in variables {
            let name = name.as_ref();
            let Some(rest) = name.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
            match rest.split_once("__") {
                Some((section, key)) if !section.is_empty() && !key.is_empty() => {
                    let (section, key) = (section.to_ascii_lowercase(), key.to_ascii_lowercase());
                    let origin = Origin::Environment(name.to_owned());
                    layers.insert(name.to_owned(), Self::text(origin, &section, &key, value.as_ref()));
                }
                _ => problems.push(
                    Problem::new("", format!("`{name}` does not name a setting"))
                        .hint(format!("expected {ENVIRONMENT_PREFIX}STAGE__KEY")),
                ),
            }
        }
        if problems.is_empty() { Ok(layers.into_values().collect()) } else { Err(Problems(problems)) }
    }
}

/// Splits `stage.key=value` into section, key and the text of the value.
///
/// # Errors
/// [`Problems`] when it has another form.
pub fn parse_assignment(assignment: &str) -> Result<(&str, &str, &str), Problems> {
    let parts = assignment.split_once('=').and_then(|(name, value)| {
        let (section, key) = name.trim().split_once('.')?;
        Some((section.trim(), key.trim(), value))
    });
    match parts {
        Some((section, key, value)) if !section.is_empty() && !key.is_empty() => Ok((section, key, value)),
        // The value may be a secret: only what stands before it is repeated.
        _ => {
            let name = assignment.split('=').next().unwrap_or_default();
            Err(Problem::new("", format!("`{name}` is not an assignment"))
                .hint("expected stage.key=value, for example generate.variations=4")
                .from(&Origin::Argument)
                .into())
        }
    }
}
