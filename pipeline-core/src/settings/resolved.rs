//! The answer to "which settings produced this?": every key with its value, its origin and whether it has any effect.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{CommonSettings, JOB_SECTION, JobSettings, Origin};

/// One resolved setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Its value.
    pub value: Value,
    /// Where the value comes from.
    pub origin: Origin,
    /// Why it has no effect here, when it has none.
    pub not_applied: Option<String>,
    /// Whether it is one of the keys every stage has, or of the job.
    pub common: bool,
}

/// The settings of one section, in the order of their declaration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Section {
    settings: Vec<(String, Setting)>,
}

impl Section {
    /// Returns a setting.
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.settings.iter().find(|(name, _)| name == key).map(|(_, setting)| setting)
    }

    /// Returns every key with its setting.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.settings.iter().map(|(key, setting)| (key.as_str(), setting))
    }

    pub(crate) fn insert(&mut self, key: String, setting: Setting) {
        if self.get(&key).is_none() {
            self.settings.push((key, setting));
        }
    }

    /// Says of every setting somebody set on a disabled stage that it is not applied.
    pub(crate) fn mark_disabled(&mut self) {
        if self.get("enabled").is_some_and(|setting| setting.common && setting.value == Value::Bool(false)) {
            for (key, setting) in &mut self.settings {
                if key != "enabled" && setting.origin != Origin::BuiltIn {
                    setting.not_applied = Some("stage is disabled".to_owned());
                }
            }
        }
    }

    fn object(&self, common: bool) -> Value {
        let chosen = self.settings.iter().filter(|(_, setting)| setting.common == common);
        Value::Object(chosen.map(|(key, setting)| (key.clone(), setting.value.clone())).collect::<Map<_, _>>())
    }
}

/// All settings of a job, resolved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Resolved {
    sections: Vec<(String, Section)>,
}

impl Resolved {
    pub(crate) fn insert(&mut self, name: &str, section: Section) {
        self.sections.push((name.to_owned(), section));
    }

    /// Returns every section with its name, stages first, then `job`.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Section)> {
        self.sections.iter().map(|(name, section)| (name.as_str(), section))
    }

    /// Returns a section.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|(section, _)| section == name).map(|(_, section)| section)
    }

    /// Returns one setting.
    pub fn get(&self, section: &str, key: &str) -> Option<&Setting> {
        self.section(section)?.get(key)
    }

    /// Returns the complete settings of a stage's kind, without the common keys.
    pub fn settings(&self, stage: &str) -> Value {
        self.section(stage).map_or_else(|| Value::Object(Map::new()), |section| section.object(false))
    }

    /// Returns the common settings of a stage.
    pub fn common(&self, stage: &str) -> CommonSettings {
        let section = self.section(stage).map(|section| section.object(true));
        section.and_then(|object| serde_json::from_value(object).ok()).unwrap_or_default()
    }

    /// Returns the settings of the job.
    pub fn job(&self) -> JobSettings {
        let section = self.section(JOB_SECTION).map(|section| section.object(true));
        section.and_then(|object| serde_json::from_value(object).ok()).unwrap_or_default()
    }

    /// Returns every setting somebody set and that has no effect, as `(section, key, reason)`.
    pub fn not_applied(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.iter().flat_map(|(name, section)| {
            section
                .iter()
                .filter(|(_, setting)| setting.origin != Origin::BuiltIn)
                .filter_map(move |(key, setting)| setting.not_applied.as_deref().map(|reason| (name, key, reason)))
        })
    }

    /// Returns every setting whose value differs, as `(section.key, value here, value there)`; `Null` where there is none.
    pub fn differences(&self, other: &Self) -> Vec<(String, Value, Value)> {
        let mut found = Vec::new();
        for (name, section) in self.iter() {
            for (key, setting) in section.iter() {
                let there = other.get(name, key).map_or(Value::Null, |setting| setting.value.clone());
                if setting.value != there {
                    found.push((format!("{name}.{key}"), setting.value.clone(), there));
                }
            }
        }
        for (name, section) in other.iter() {
            for (key, setting) in section.iter().filter(|(key, _)| self.get(name, key).is_none()) {
                found.push((format!("{name}.{key}"), Value::Null, setting.value.clone()));
            }
        }
        found
    }

    /// Prints one line for each setting, for example `generate.variations = 4  (argument --set)`.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, section) in self.iter() {
            for (key, setting) in section.iter() {
                let mut line = format!("{name}.{key} = {}  ({})", setting.value, setting.origin);
                if let Some(reason) = &setting.not_applied {
                    let _ = write!(line, "  not applied ({reason})");
                }
                lines.push(line);
            }
        }
        lines
    }
}
