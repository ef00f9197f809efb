//! The declaration of a stage kind's settings, made from one typed struct.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A setting that has no effect under the other settings, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inert {
    /// The key inside the stage, for example `quality`.
    pub key: String,
    /// Why it is not applied, for example `PNG is lossless`.
    pub reason: String,
}

impl Inert {
    /// Makes one.
    pub fn new(key: &str, reason: impl Into<String>) -> Self {
        Self { key: key.to_owned(), reason: reason.into() }
    }
}

/// The typed settings of a stage kind.
///
/// Derive `Serialize`, `Deserialize` (with `#[serde(default, deny_unknown_fields)]`), `JsonSchema` (ranges by
/// `#[schemars(range(min = …, max = …))]`, a doc comment on every field) and implement `Default`: that one declaration
/// is validation, defaults, documentation and command-line help.
pub trait StageSettings: JsonSchema + Serialize + DeserializeOwned + Default + 'static {
    /// Returns the settings that have no effect under the others. Override it where one setting switches another off.
    fn inert(&self) -> Vec<Inert> {
        Vec::new()
    }

    /// Returns what is wrong beyond the schema, as `(key, message)`; the message says what is accepted.
    fn problems(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// A stage kind's settings with the type erased.
#[derive(Clone)]
pub struct SettingsSchema {
    schema: Value,
    defaults: Value,
    inert: fn(&Value) -> Vec<Inert>,
    problems: fn(&Value) -> Vec<(String, String)>,
}

impl SettingsSchema {
    /// Declares the settings `T`.
    pub fn of<T: StageSettings>() -> Self {
        fn typed<T: StageSettings>(value: &Value) -> Option<T> {
            T::deserialize(value).ok()
        }
        Self {
            schema: schemars::schema_for!(T).to_value(),
            defaults: serde_json::to_value(T::default()).unwrap_or_default(),
            inert: |value| typed::<T>(value).map(|settings| settings.inert()).unwrap_or_default(),
            problems: |value| match T::deserialize(value) {
                Ok(settings) => settings.problems(),
                // The schema does not say all: numbers may be larger than their type.
                Err(error) => vec![unread::<T>(value, &error.to_string())],
            },
        }
    }

    /// Returns the JSON Schema (draft 2020-12) of the settings object.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// Returns the built-in value of every key.
    pub fn defaults(&self) -> &Value {
        &self.defaults
    }

    /// Returns the settings of `value` (a complete, valid object) that have no effect.
    pub fn inert(&self, value: &Value) -> Vec<Inert> {
        (self.inert)(value)
    }

    /// Returns what is wrong with `value` beyond the schema, as `(key, message)`.
    pub fn problems(&self, value: &Value) -> Vec<(String, String)> {
        (self.problems)(value)
    }
}

/// Says which value of a valid object cannot be read: the first that cannot be read alone, or else the first of all. The
/// value itself is not repeated, for it may be a secret.
fn unread<T: StageSettings>(value: &Value, why: &str) -> (String, String) {
    let keys = || value.as_object().into_iter().flatten();
    let alone = keys().find_map(|(key, value)| {
        let object = Value::Object([(key.clone(), value.clone())].into_iter().collect());
        T::deserialize(object).err().map(|error| (key.clone(), format!("this value is not accepted: {error}")))
    });
    alone.unwrap_or_else(|| (keys().next().map(|(key, _)| key.clone()).unwrap_or_default(), why.to_owned()))
}

impl std::fmt::Debug for SettingsSchema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SettingsSchema").field("defaults", &self.defaults).finish_non_exhaustive()
    }
}
