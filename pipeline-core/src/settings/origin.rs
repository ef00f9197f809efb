//! Where a setting's value comes from.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The stage kind's default.
    BuiltIn,
    /// The pipeline file.
    Pipeline,
    /// This settings file.
    File(String),
    /// This environment variable.
    Environment(String),
    /// This template.
    Template(String),
    /// Settings saved under this name.
    Saved(String),
    /// `--set` on the command line.
    Argument,
    /// The embedding program, or a request to the server.
    Program,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::Pipeline => f.write_str("pipeline"),
            Self::File(path) => write!(f, "file {path}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Template(name) => write!(f, "template {name}"),
            Self::Saved(name) => write!(f, "settings {name}"),
            Self::Argument => f.write_str("argument --set"),
            Self::Program => f.write_str("program"),
        }
    }
}
