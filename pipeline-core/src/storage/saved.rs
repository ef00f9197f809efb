//! The port that keeps requests and settings under names, so that they can be used again.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::model::Money;
use crate::settings::{Layer, Origin};
use crate::time::Timestamp;

use super::job::{JobKey, Recipe};

/// A layer of settings as it was given: not resolved, not checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedLayer {
    /// Where the values came from.
    pub origin: Origin,
    /// An object of sections, each an object of keys.
    pub values: Value,
    /// Whether the values are texts still to be typed by the schema.
    #[serde(default, skip_serializing_if = "is_false")]
    pub text: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl From<&Layer> for SavedLayer {
    fn from(layer: &Layer) -> Self {
        Self { origin: layer.origin.clone(), values: layer.values.clone(), text: layer.text }
    }
}

impl SavedLayer {
    /// Returns the layer again, under another origin.
    pub fn layer(&self, origin: Origin) -> Layer {
        Layer { text: self.text, ..Layer::new(origin, self.values.clone()) }
    }
}

/// A request as it was given: what a template and a schedule are made of. Secrets are in it by reference only, as in every
/// setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedRequest {
    /// The pipeline, the inputs and the count.
    pub recipe: Recipe,
    /// Keywords given directly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// The settings as given, lowest first.
    pub layers: Vec<SavedLayer>,
    /// Where finished files go, when the request said so itself.
    pub out: Option<String>,
    /// The label, when the request said one.
    pub label: Option<String>,
    /// Higher is served first.
    pub priority: i32,
    /// With whom its jobs take turns.
    #[serde(default)]
    pub key: Option<JobKey>,
    /// What the calls of one job may cost.
    pub budget: Option<Money>,
}

/// What is kept under a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SavedBody {
    /// A request: `run NAME`.
    Template(Box<SavedRequest>),
    /// Settings to be laid over others.
    Settings {
        /// Lowest first.
        layers: Vec<SavedLayer>,
    },
}

impl SavedBody {
    /// Returns the kind. Names of different kinds have nothing to do with each other.
    pub const fn kind(&self) -> SavedKind {
        match self {
            Self::Template(_) => SavedKind::Template,
            Self::Settings { .. } => SavedKind::Settings,
        }
    }
}

/// What kind of thing a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SavedKind {
    /// A request.
    Template,
    /// Settings.
    Settings,
}

impl SavedKind {
    /// Returns the word users see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Template => "template",
            Self::Settings => "settings",
        }
    }
}

impl fmt::Display for SavedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How long a name may be, in characters.
pub const NAME_LENGTH: usize = 64;

/// Checks a name of a template, of settings or of a schedule: it stands on command lines beside files and ids.
///
/// # Errors
/// `Invalid`, with what is accepted.
pub fn check_name(field: &'static str, name: &str) -> Result<()> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_lowercase());
    let is_file = matches!(extension.as_deref(), Some("toml" | "json"));
    let begins = name.chars().next().is_some_and(char::is_alphanumeric);
    if begins && name.chars().all(fits) && name.chars().count() <= NAME_LENGTH && !is_file {
        return Ok(());
    }
    Err(Error::invalid("this cannot be a name").with(field, name).with(
        "accepted",
        format!(
            "at most {NAME_LENGTH} letters, digits, - _ and ., a letter or digit first, not ending with .toml or .json"
        ),
    ))
}

/// Something kept under a name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SavedRecord {
    /// Whose it is.
    pub owner: String,
    /// Unique for the owner and the kind.
    pub name: String,
    /// When it was saved last.
    pub saved_at: Timestamp,
    /// What it is.
    pub body: SavedBody,
}

/// Keeps requests and settings under names.
///
/// # Contract
/// 1. *Kept.* What `save` has stored is durable when it returns, and is found as it was by owner, kind and name; equal names of
///    other owners or of the other kind are apart.
/// 2. *Replaced on purpose.* `save` under a name that is taken is a `Conflict` and changes nothing, unless `replace` is said; then
///    it takes the place whole.
/// 3. *Listed* by name, only those of the kind, and of the owner when one is given.
/// 4. *Not found* is an error of kind `NotFound`, for `saved` and `forget`; what `forget` has removed is gone.
#[async_trait]
pub trait TemplateKeeper {
    /// Keeps something under a name of an owner.
    async fn save(&self, owner: &str, name: &str, body: SavedBody, replace: bool) -> Result<SavedRecord>;

    /// Returns what is kept under a name.
    async fn saved(&self, owner: &str, kind: SavedKind, name: &str) -> Result<SavedRecord>;

    /// Lists what is kept.
    async fn list_saved(&self, owner: Option<&str>, kind: SavedKind) -> Result<Vec<SavedRecord>>;

    /// Removes what is kept under a name.
    async fn forget(&self, owner: &str, kind: SavedKind, name: &str) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_be_taken_for_a_file_or_an_option() {
        for good in ["cats", "Katzen-2", "früh", "v1.2"] {
            check_name("name", good).unwrap();
        }
        let long = "x".repeat(NAME_LENGTH + 1);
        for wrong in ["", "-x", "a b", "a/b", "a.toml", "A.JSON", ".hidden", "a\nb", long.as_str()] {
            let error = check_name("name", wrong).unwrap_err().to_string();
            assert!(error.contains("name") && error.contains("accepted"), "{error}");
        }
    }
}
