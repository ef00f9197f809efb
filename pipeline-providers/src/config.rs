//! The table of providers in a configuration file: one section a binding, its `kind` says which vendor.

use std::collections::BTreeMap;

use pipeline_core::model::Limits;
use serde::{Deserialize, Serialize};

use crate::http::HttpConfig;

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
/// let config: ProvidersConfig = toml::from_str(text)?;
/// assert!(matches!(config.providers["studio"], ProviderConfig::Http(_)));
/// # Ok::<(), toml::de::Error>(())
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
}

impl ProviderConfig {
    /// Returns how hard the vendor may be pressed.
    pub fn limits(&self) -> Limits {
        match self {
            Self::Http(config) => config.limits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ProvidersConfig, String> {
        toml::from_str(text).map_err(|error| error.to_string())
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
            &format!("{good}retries = 3\n"),
            &format!("{good}limits = {{ concurency = 4 }}\n"),
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_literal_key_is_refused_without_being_repeated() {
        let text = "[providers.a]\nkind = \"http\"\nurl = \"http://localhost:1\"\nkey = \"sk-live-1234\"\n";
        let config: Result<ProvidersConfig, _> = toml::from_str(text);
        let message = config.unwrap_err().message().to_owned();
        assert!(message.contains("env:NAME") && !message.contains("1234"), "{message}");
    }
}
