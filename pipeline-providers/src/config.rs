//! The table of providers in a configuration file: one section a binding, its `kind` says which vendor.

use std::collections::BTreeMap;
use std::path::Path;

use pipeline_core::model::Limits;
use pipeline_core::settings::{Layer, Place, Problem, Problems};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::http::HttpConfig;
use crate::onnx::OnnxConfig;

/// The kinds of providers there are.
const KINDS: [&str; 2] = ["http", "onnx"];

/// The providers of a configuration file, by the name settings use.
///
/// ```
/// use pipeline_providers::config::{ProviderConfig, ProvidersConfig};
///
/// let text = r#"
///     [providers.studio]
///     kind = "http"
///     url = "https://studio.example"
///     key = "env:STUDIO_KEY"
///     price = 0.04
/// "#;
/// let config = ProvidersConfig::from_toml(text, "providers.toml")?;
/// assert!(matches!(config.providers["studio"], ProviderConfig::Http(_)));
/// # Ok::<(), pipeline_core::settings::Problems>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvidersConfig {
    /// One section a binding.
    #[serde(default)]
    pub providers: BTreeMap<String, ProviderConfig>,
}

/// One section: the vendor, and what it is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProviderConfig {
    /// Any vendor that speaks the small protocol of [`crate::http`].
    Http(HttpConfig),
    /// A model on this machine, see [`crate::onnx`].
    Onnx(OnnxConfig),
}

impl ProviderConfig {
    /// Returns how hard the provider may be pressed.
    pub fn limits(&self) -> Limits {
        match self {
            Self::Http(config) => config.limits,
            Self::Onnx(config) => config.limits(),
        }
    }
}

impl ProvidersConfig {
    /// Reads a configuration file and checks every value; `file` is what problems are reported with, and files named in it
    /// are relative to its folder.
    ///
    /// # Errors
    /// [`Problems`]: everything that is wrong, each with its place, the key, the value and what is accepted. Addresses and
    /// keys are not repeated: they may hold a secret.
    pub fn from_toml(text: &str, file: &str) -> Result<Self, Problems> {
        let layer = Layer::file(text, file)?;
        let mut reader = Reader { file, places: &layer.places, problems: Vec::new() };
        let config = reader.read(&layer.values);
        if reader.problems.is_empty() { Ok(config) } else { Err(Problems(reader.problems)) }
    }
}

struct Reader<'a> {
    file: &'a str,
    places: &'a BTreeMap<String, Place>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn read(&mut self, document: &Value) -> ProvidersConfig {
        let mut config = ProvidersConfig::default();
        for (name, value) in document.as_object().into_iter().flatten() {
            match value.as_object().filter(|_| name == "providers") {
                Some(sections) => {
                    for (name, section) in sections {
                        config.providers.extend(self.section(name, section).map(|read| (name.clone(), read)));
                    }
                }
                None => self.wrong(name, format!("unknown key `{name}`"), "expected [providers.NAME]"),
            }
        }
        config
    }

    fn section(&mut self, name: &str, section: &Value) -> Option<ProviderConfig> {
        let path = format!("providers.{name}");
        let usable = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(usable) {
            self.wrong(&path, format!("`{name}` is not a valid name"), "expected lower-case letters, digits, `_`, `-`");
        }
        let Some(section) = section.as_object() else {
            self.wrong(&path, "not a section".to_owned(), "expected [providers.NAME] with a kind");
            return None;
        };
        match section.get("kind") {
            Some(Value::String(kind)) if kind == "http" => self.http(&path, section),
            Some(Value::String(kind)) if kind == "onnx" => self.onnx(&path, section),
            found => {
                let kind = format!("{path}.kind");
                let place = if found.is_some() { kind.as_str() } else { path.as_str() };
                let known = format!("expected {}", KINDS.map(|kind| format!("`{kind}`")).join(" or "));
                let message = match found {
                    None => "there is no `kind`".to_owned(),
                    Some(Value::String(found)) => format!("unknown kind `{found}`"),
                    Some(found) => format!("{found} is no kind"),
                };
                self.wrong(place, message, &known);
                None
            }
        }
    }

    fn http(&mut self, path: &str, section: &Map<String, Value>) -> Option<ProviderConfig> {
        let needed = [("url", json!("https://left.out"), "an http or https address")];
        // An address may hold a secret.
        let config = self.keys::<HttpConfig>(path, section, &needed, HttpConfig::check, &["url"])?;
        Some(ProviderConfig::Http(config))
    }

    fn onnx(&mut self, path: &str, section: &Map<String, Value>) -> Option<ProviderConfig> {
        let needed = [
            ("capability", json!("remove_background"), "`remove_background` or `vision`"),
            ("file", json!("left.out"), "the path of an ONNX file"),
        ];
        let config = self.keys::<OnnxConfig>(path, section, &needed, OnnxConfig::check, &[])?;
        let folder = Path::new(self.file).parent().unwrap_or_else(|| Path::new(""));
        Some(ProviderConfig::Onnx(config.relative_to(folder)))
    }

    /// Reads the keys of a section one by one, and then all together. `needed` are those that cannot be left out, each with
    /// a value that would be accepted, and what is; values of `secret` keys are not repeated.
    fn keys<T: DeserializeOwned>(
        &mut self,
        path: &str,
        section: &Map<String, Value>,
        needed: &[(&str, Value, &str)],
        check: fn(&T) -> pipeline_core::Result<()>,
        secret: &[&str],
    ) -> Option<T> {
        let before = self.problems.len();
        let mut good: Map<String, Value> =
            needed.iter().map(|(key, value, _)| ((*key).to_owned(), value.clone())).collect();
        let least = good.clone();
        for (key, value) in section.iter().filter(|(key, _)| *key != "kind") {
            // Each key on its own, so that every wrong one is found and named.
            let mut alone = least.clone();
            alone.insert(key.clone(), value.clone());
            match serde_json::from_value::<T>(Value::Object(alone)) {
                Ok(_) => drop(good.insert(key.clone(), value.clone())),
                Err(error) => self.wrong(&format!("{path}.{key}"), error.to_string(), ""),
            }
        }
        for (key, _, accepted) in needed.iter().filter(|(key, ..)| !section.contains_key(*key)) {
            self.wrong(path, format!("there is no `{key}`"), &format!("expected {accepted}"));
        }
        let config: T = serde_json::from_value(Value::Object(good)).ok()?;
        if let Err(error) = check(&config) {
            for (key, accepted) in error.context() {
                let value = section.get(*key).filter(|_| !secret.contains(key));
                let message =
                    value.map_or_else(|| "not accepted".to_owned(), |value| format!("{value} is not accepted"));
                self.wrong(&format!("{path}.{key}"), message, accepted);
            }
        }
        (self.problems.len() == before).then_some(config)
    }

    fn wrong(&mut self, path: &str, message: String, accepted: &str) {
        let problem = Problem::new(path, message).at(Some(self.file), self.places.get(path).copied());
        self.problems.push(if accepted.is_empty() { problem } else { problem.hint(accepted) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ProvidersConfig, String> {
        ProvidersConfig::from_toml(text, "p.toml").map_err(|problems| problems.to_string())
    }

    #[test]
    fn an_unknown_kind_key_or_limit_is_an_error() {
        let good = "[providers.a]\nkind = \"http\"\nurl = \"http://localhost:1\"\npoll_seconds = 1\n";
        let limits = "limits = { concurrency = 4, per_minute = 90 }\n";
        let config = parse(&format!("{good}{limits}")).unwrap();
        assert_eq!(config.providers["a"].limits(), Limits { concurrency: Some(4), per_minute: Some(90) });
        for wrong in [
            "[provider.a]\nkind = \"http\"\nurl = \"x\"\n",
            "[providers.a]\nkind = \"https\"\nurl = \"x\"\n",
            "[providers.a]\nurl = \"x\"\n",
            "[providers.a]\nkind = \"http\"\n",
            "providers = 5\n",
            "[providers]\na = 5\n",
            "[providers.\"A b\"]\nkind = \"http\"\nurl = \"http://localhost:1\"\n",
            &format!("{good}retries = 3\n"),
            &format!("{good}limits = {{ concurency = 4 }}\n"),
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_wrong_key_is_named_with_its_place_its_value_and_what_is_accepted() {
        let text = "[providers.a]\nkind = \"http\"\nurl = \"http://localhost:1\"\nprice = \"cheap\"\nretries = 3\n\
            [providers.b]\nkind = \"https\"\n[providers.c]\nkind = \"http\"\nurl = \"ftp://me:hunter2@host\"\nstep = 0\n";
        let text = parse(text).unwrap_err();
        for part in [
            "p.toml:4:1: providers.a.price: invalid type: string \"cheap\", expected f64",
            "p.toml:5:1: providers.a.retries: unknown field `retries`, expected one of `url`",
            "p.toml:7:1: providers.b.kind: unknown kind `https`; expected `http` or `onnx`",
            "p.toml:10:1: providers.c.url: not accepted; expected an http or https address",
            "p.toml:11:1: providers.c.step: 0 is not accepted; expected 1 to 65536",
        ] {
            assert!(text.contains(part), "no {part} in\n{text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn a_model_has_a_file_beside_the_configuration_and_wrong_keys_are_named() {
        let text = "[providers.cutter]\nkind = \"onnx\"\ncapability = \"remove_background\"\nfile = \"m/u2net.onnx\"\n";
        let config = ProvidersConfig::from_toml(text, "etc/p.toml").unwrap();
        let ProviderConfig::Onnx(model) = &config.providers["cutter"] else { panic!("{config:?}") };
        assert_eq!(model.file, Path::new("etc/m/u2net.onnx"));
        let text =
            parse("[providers.t]\nkind = \"onnx\"\ncapability = \"vision\"\nside = 5\nmean = [1, 2]\n").unwrap_err();
        for part in [
            "p.toml:1:12: providers.t: there is no `file`; expected the path of an ONNX file",
            "p.toml:4:1: providers.t.side: 5 is not accepted; expected 16 to 4096 pixels",
            "providers.t.mean: invalid length 2",
            "providers.t.labels: not accepted; expected the path of a text file with one label a line",
        ] {
            assert!(text.contains(part), "no {part} in\n{text}");
        }
    }

    #[test]
    fn a_literal_key_is_refused_without_being_repeated() {
        let text = "[providers.a]\nkind = \"http\"\nurl = \"http://localhost:1\"\nkey = \"sk-live-1234\"\n";
        let message = parse(text).unwrap_err();
        assert!(message.contains("providers.a.key") && message.contains("env:NAME"), "{message}");
        assert!(!message.contains("1234"), "{message}");
    }
}
