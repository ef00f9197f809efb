//! A reference to a secret: where it is kept, never what it is.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Where a secret is kept: `env:NAME` or `file:PATH`. Safe to print, store and hash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SecretRef {
    /// In this environment variable.
    Environment(String),
    /// In this file.
    File(String),
}

/// A text that is not a reference to a secret. The text is left out: it may be the secret itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret is given by reference only: `env:NAME` or `file:PATH`, never the key itself")]
pub struct InvalidSecretRef;

impl FromStr for SecretRef {
    type Err = InvalidSecretRef;

    fn from_str(text: &str) -> Result<Self, InvalidSecretRef> {
        if let Some(name) = text.strip_prefix("env:") {
            let head = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
            if head && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Ok(Self::Environment(name.to_owned()));
            }
        }
        match text.strip_prefix("file:") {
            Some(path) if !path.is_empty() && !path.contains(char::is_control) => Ok(Self::File(path.to_owned())),
            _ => Err(InvalidSecretRef),
        }
    }
}

impl TryFrom<String> for SecretRef {
    type Error = InvalidSecretRef;

    fn try_from(text: String) -> Result<Self, InvalidSecretRef> {
        text.parse()
    }
}

impl From<SecretRef> for String {
    fn from(secret: SecretRef) -> Self {
        secret.to_string()
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
        }
    }
}

/// The JSON Schema `format` that marks a secret, so that a wrong value is never printed.
pub(crate) const SECRET_FORMAT: &str = "secret-ref";

impl JsonSchema for SecretRef {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SecretRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": SECRET_FORMAT,
            "pattern": "^(env:[A-Za-z_][A-Za-z0-9_]*|file:[^\\x00-\\x1f\\x7f]+)$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_reads_back_and_a_literal_key_is_refused_without_being_repeated() {
        for text in ["env:API_KEY", "file:/run/secrets/key"] {
            assert_eq!(text.parse::<SecretRef>().unwrap().to_string(), text);
        }
        for text in ["sk-live-1234", "env:", "env:A B", "file:", ""] {
            let error = text.parse::<SecretRef>().unwrap_err().to_string();
            assert!(error.contains("env:NAME") && !error.contains("1234"), "{error}");
        }
    }
}
