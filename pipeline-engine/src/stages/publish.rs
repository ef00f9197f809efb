//! `output.folder`: the finished picture under a readable name in an output folder: temporary file, fsync, rename.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use pipeline_core::model::{Artifact, LogLevel, Step};
use pipeline_core::pipeline::{PortSpec, StageSpec};
use pipeline_core::settings::{Inert, SettingsSchema, StageSettings};
use pipeline_core::stage::{Output, Stage, StageContext, StageEnd, Task};
use pipeline_core::storage::TakeOver;
use pipeline_core::{Error, Result};

use file::{canonical, write};
use name::file_stem;

mod file;
mod name;

/// What happens when a file of the wanted name is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CollisionPolicy {
    /// The new file gets a number: `name-2.png`.
    #[default]
    Append,
    /// The new file replaces it.
    Overwrite,
    /// The item fails.
    Error,
}

/// What is written beside the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sidecar {
    /// Nothing.
    #[default]
    None,
    /// `NAME.json` with title, description, tags, keyword, prompt, seed and the item's id.
    Json,
}

/// Settings of `output.folder`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PublishSettings {
    /// The folder; without one nothing is published and finished pictures stay in the artifact store.
    pub folder: Option<String>,
    /// Template of the file name without extension, over the item's fields and `n` (its number), `v` (its variation),
    /// `stem` (the source file's name), `id`.
    #[schemars(length(min = 1))]
    pub name: String,
    /// What happens when a file of that name is there already.
    pub policy: CollisionPolicy,
    /// What is written beside the picture.
    pub sidecar: Sidecar,
}

impl Default for PublishSettings {
    fn default() -> Self {
        Self {
            folder: None,
            name: "{{ keyword }}-{{ n }}-{{ v }}".to_owned(),
            policy: CollisionPolicy::Append,
            sidecar: Sidecar::None,
        }
    }
}

impl StageSettings for PublishSettings {
    fn inert(&self) -> Vec<Inert> {
        if self.folder.is_some() {
            return Vec::new();
        }
        ["name", "policy", "sidecar"].map(|key| Inert::new(key, "no output folder is given")).to_vec()
    }
}

/// The stage kind `output.folder`.
#[derive(Clone, Copy, Debug)]
pub struct OutputFolder;

#[async_trait]
impl Stage for OutputFolder {
    fn spec(&self) -> StageSpec {
        let text = || json!({"type": "string"});
        StageSpec::new(
            "output.folder",
            "Writes the finished picture into a folder under a readable name",
            SettingsSchema::of::<PublishSettings>(),
        )
        .template("name")
        .template_variable("n")
        .template_variable("v")
        .template_variable("id")
        .input(PortSpec::file("image"))
        .input(PortSpec::field("keyword", text()).optional())
        .input(PortSpec::field("stem", text()).optional())
        .input(PortSpec::field("prompt", text()).optional())
        .input(PortSpec::field("seed", text()).optional())
        .input(PortSpec::field("title", text()).optional())
        .input(PortSpec::field("description", text()).optional())
        .input(PortSpec::field("tags", json!({"type": "array"})).optional())
        .input(PortSpec::field("renditions", json!({"type": "array"})).optional())
        .output(PortSpec::field("path", text()).optional())
        .output(PortSpec::field("paths", json!({"type": "array", "items": {"type": "string"}})).optional())
    }

    async fn run(&self, context: &dyn StageContext, task: Task) -> Result<StageEnd> {
        let settings: PublishSettings = task.settings()?;
        let Some(folder) = &settings.folder else { return Ok(Output::new().into()) };
        let folder = PathBuf::from(folder);
        let stem = file_stem(&settings.name, &task)?;
        let files = files(&task, &settings)?;
        let paths = publish(context, &task, settings.policy, &folder, &stem, &files).await?;
        for path in &paths {
            context.journal().note(LogLevel::Info, Step::Published, path.display().to_string());
        }
        let pictures = paths.iter().zip(&files).filter(|(_, file)| matches!(file.content, Content::Artifact(_)));
        let paths: Vec<String> = pictures.map(|(path, _)| path.to_string_lossy().into_owned()).collect();
        Ok(Output::new().field("path", paths.first().cloned()).field("paths", paths).into())
    }
}

/// A file to be published.
struct Outgoing {
    /// What follows the stem that all files of the item share.
    ending: String,
    content: Content,
    /// For the log.
    what: String,
}

enum Content {
    Artifact(Artifact),
    Text(String),
}

/// A further file of the picture, as `image.process` tells of it.
#[derive(Deserialize)]
struct Rendition {
    name: String,
    file: Artifact,
}

/// The picture, its renditions, and last what tells of them.
fn files(task: &Task, settings: &PublishSettings) -> Result<Vec<Outgoing>> {
    let artifact = |ending: String, file: Artifact, what: String| {
        let ending = format!("{ending}.{}", file.media_type.extension());
        Outgoing { ending, content: Content::Artifact(file), what }
    };
    let mut files =
        vec![artifact(String::new(), task.file("image")?.clone(), "the file, synced and renamed".to_owned())];
    if let Some(told) = task.inputs.fields.get("renditions") {
        let renditions: Vec<Rendition> = Vec::deserialize(told)
            .map_err(|error| Error::invalid("the renditions of the picture cannot be read").because(error))?;
        files.extend(
            renditions
                .into_iter()
                .map(|Rendition { name, file }| artifact(format!("-{name}"), file, format!("the rendition {name}"))),
        );
    }
    if settings.sidecar == Sidecar::Json {
        let content = Content::Text(description(task));
        files.push(Outgoing { ending: ".json".to_owned(), content, what: "the sidecar".to_owned() });
    }
    Ok(files)
}

/// Writes files that belong together under one stem, with the first number at which every name is free or theirs.
///
/// A name is reserved in the store before anything is written, so a run that was interrupted finds its own names again and
/// writes the same files once more. Whether a file is there is decided by the folder, when the file is put there: other
/// programs and other stores may publish into it too.
async fn publish(
    context: &dyn StageContext,
    task: &Task,
    policy: CollisionPolicy,
    folder: &Path,
    stem: &str,
    files: &[Outgoing],
) -> Result<Vec<PathBuf>> {
    let scope = canonical(folder).await?;
    'numbers: for number in 1..=100_000_u32 {
        let stem = if number == 1 { stem.to_owned() } else { format!("{stem}-{number}") };
        let names: Vec<String> = files.iter().map(|file| format!("{stem}{}", file.ending)).collect();
        let taken = |name: &str| {
            Error::conflict("a file of this name is there already, or another item is to have it")
                .with("path", folder.join(name).display())
                .with("accepted", "publish.policy = append or overwrite, or another publish.name")
        };
        let mut replace = Vec::new();
        for name in &names {
            match reserve(context, task, policy, folder, &scope, name).await? {
                Some(mine) => replace.push(mine),
                None if policy == CollisionPolicy::Error => return Err(taken(name)),
                None => continue 'numbers,
            }
        }
        let mut written: Vec<PathBuf> = Vec::new();
        let mut fresh = Vec::new();
        for ((file, name), replace) in files.iter().zip(&names).zip(replace) {
            let path = folder.join(name);
            let bytes = match &file.content {
                Content::Artifact(artifact) => context.artifacts().get(artifact.digest).await?,
                Content::Text(text) => Bytes::from(text.clone()),
            };
            let temporary = folder.join(format!(".{}-{}{}.part", task.item, context.stage(), file.ending));
            let target = path.clone();
            let work = async {
                tokio::task::spawn_blocking(move || write(&target, &temporary, &bytes, replace))
                    .await
                    .map_err(|error| Error::unexpected("writing was interrupted").because(error))?
            };
            if !context.journal().step(Step::Write, file.what.clone(), work).await? {
                // Somebody else has put a file there since it was looked for: the files stay together elsewhere.
                for path in fresh {
                    tokio::fs::remove_file(path).await.ok();
                }
                if policy == CollisionPolicy::Error {
                    return Err(taken(name));
                }
                continue 'numbers;
            }
            if !replace {
                fresh.push(path.clone());
            }
            written.push(path);
        }
        return Ok(written);
    }
    Err(Error::conflict("no free file name was found").with("folder", folder.display()).with("name", stem))
}

/// Reserves a name for the item, and says whether a file that is there may be replaced: it is the item's own, or the
/// policy is to. `None` when the name is somebody else's.
async fn reserve(
    context: &dyn StageContext,
    task: &Task,
    policy: CollisionPolicy,
    folder: &Path,
    scope: &str,
    name: &str,
) -> Result<Option<bool>> {
    let exists = tokio::fs::try_exists(folder.join(name)).await.unwrap_or(false);
    let (from, only_if_mine) = match policy {
        CollisionPolicy::Overwrite => (TakeOver::OtherJobs, false),
        _ if exists => (TakeOver::Nobody, true),
        // Whoever ended and whose file is gone needs the name no more.
        _ => (TakeOver::Ended, false),
    };
    let reserved = context.reserve_name(task.item, scope, name, from, only_if_mine).await?;
    Ok(reserved.then_some(exists || policy == CollisionPolicy::Overwrite))
}

fn description(task: &Task) -> String {
    let mut fields = Map::new();
    for key in ["title", "description", "tags", "keyword", "prompt", "seed"] {
        if let Some(value) = task.inputs.fields.get(key) {
            fields.insert(key.to_owned(), value.clone());
        }
    }
    fields.insert("item".to_owned(), Value::from(task.item.to_string()));
    serde_json::to_string_pretty(&Value::Object(fields)).unwrap_or_default() + "\n"
}
