//! `output.folder`: the finished picture under a readable name in an output folder: temporary file, fsync, rename.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use pipeline_core::model::{Artifact, LogLevel, Step};
use pipeline_core::pipeline::{PortSpec, StageSpec};
use pipeline_core::settings::{Inert, SettingsSchema, StageSettings};
use pipeline_core::stage::{Output, Stage, StageContext, StageEnd, Task};
use pipeline_core::template::Template;
use pipeline_core::{Error, ErrorKind, Result, Retryability};

/// How long an item waits when there is no room for its file.
const FULL: Duration = Duration::from_secs(2);

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
    /// `NAME.json` with title, description, tags, prompt, seed and the item's id.
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
        let picture = task.file("image")?.clone();
        let path = choose(context, &task, &settings, &folder, &stem, picture.media_type.extension()).await?;
        if settings.sidecar == Sidecar::Json {
            let (text, owner) = (description(&task), format!("{}-json", task.item));
            let sidecar = written(path.with_extension("json"), text.into(), owner);
            context.journal().step(Step::Write, "the sidecar", sidecar).await?;
        }
        put(context, &picture, &path, task.item.to_string(), "the file, synced and renamed".to_owned()).await?;
        let mut paths = vec![path.to_string_lossy().into_owned()];
        for Rendition { name, file } in renditions(&task)? {
            let stem = format!("{stem}-{name}");
            let path = choose(context, &task, &settings, &folder, &stem, file.media_type.extension()).await?;
            put(context, &file, &path, format!("{}-{name}", task.item), format!("the rendition {name}")).await?;
            paths.push(path.to_string_lossy().into_owned());
        }
        Ok(Output::new().field("path", path.to_string_lossy().into_owned()).field("paths", paths).into())
    }
}

/// A further file of the picture, as `image.process` tells of it.
#[derive(Deserialize)]
struct Rendition {
    name: String,
    file: Artifact,
}

fn renditions(task: &Task) -> Result<Vec<Rendition>> {
    let Some(told) = task.inputs.fields.get("renditions") else { return Ok(Vec::new()) };
    Vec::deserialize(told)
        .map_err(|error| Error::invalid("the renditions of the picture cannot be read").because(error))
}

/// Writes an artifact into its place.
async fn put(context: &dyn StageContext, file: &Artifact, path: &Path, owner: String, what: String) -> Result<()> {
    let bytes = context.artifacts().get(file.digest).await?;
    context.journal().step(Step::Write, what, written(path.to_owned(), bytes, owner)).await?;
    context.journal().note(LogLevel::Info, Step::Published, path.display().to_string());
    Ok(())
}

/// [`write`], off the asynchronous threads.
async fn written(path: PathBuf, bytes: Bytes, owner: String) -> Result<()> {
    tokio::task::spawn_blocking(move || write(&path, &bytes, &owner))
        .await
        .map_err(|error| Error::unexpected("writing was interrupted").because(error))?
}

/// Finds a name that is this item's. A name is reserved in the store before anything is written, so a run that was
/// interrupted finds its own name again and writes the same file once more.
async fn choose(
    context: &dyn StageContext,
    task: &Task,
    settings: &PublishSettings,
    folder: &Path,
    stem: &str,
    extension: &str,
) -> Result<PathBuf> {
    let scope = &folder.to_string_lossy();
    let overwrite = settings.policy == CollisionPolicy::Overwrite;
    for number in 1..=100_000_u32 {
        let name = if number == 1 { format!("{stem}.{extension}") } else { format!("{stem}-{number}.{extension}") };
        let path = folder.join(&name);
        let exists = tokio::fs::try_exists(&path).await.unwrap_or(false);
        // A file that is there may be taken only if it is ours already, or may be replaced.
        let only_if_mine = exists && !overwrite;
        if context.reserve_name(task.item, scope, &name, overwrite, only_if_mine).await? {
            return Ok(path);
        }
        if settings.policy == CollisionPolicy::Error {
            return Err(Error::conflict("a file of this name is there already")
                .with("path", path.display())
                .with("accepted", "publish.policy = append or overwrite, or another publish.name"));
        }
    }
    Err(Error::conflict("no free file name was found").with("folder", folder.display()).with("name", stem))
}

fn file_stem(template: &str, task: &Task) -> Result<String> {
    let mut variables = task.inputs.variables.clone();
    variables.insert("n".to_owned(), Value::from(format!("{:03}", task.ordinal + 1)));
    variables.insert("v".to_owned(), Value::from(format!("{:02}", task.slot + 1)));
    variables.insert("id".to_owned(), Value::from(task.item.to_string()));
    variables.entry("keyword".to_owned()).or_insert_with(|| Value::from(task.name.clone()));
    variables.entry("stem".to_owned()).or_insert_with(|| Value::from(task.name.clone()));
    let text = Template::parse(template)
        .and_then(|template| template.render(&variables))
        .map_err(|error| Error::invalid("cannot fill in the file name template").because(error))?;
    Ok(safe_name(&text))
}

/// Turns any text into a file name that every file system takes: letters, digits, `-`, `_`; at most 80 characters.
fn safe_name(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() || c == '_' {
            name.push(c);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    // 180 bytes leave room for a number and an extension below the usual limit of 255.
    let mut bytes = 0;
    let fits = |c: &char| {
        bytes += c.len_utf8();
        bytes <= 180
    };
    let name: String = name.trim_matches('-').chars().take(80).take_while(fits).collect();
    let name = name.trim_matches('-');
    let reserved = ["con", "prn", "aux", "nul"].contains(&name.to_lowercase().as_str())
        || (name.len() == 4 && ["com", "lpt"].iter().any(|device| name.to_lowercase().starts_with(device)));
    if name.is_empty() || reserved { format!("image-{name}").trim_matches('-').to_owned() } else { name.to_owned() }
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

/// Writes a file so that it is there whole or not at all. The temporary name belongs to the item, so an interrupted
/// run leaves nothing that the next one does not replace.
fn write(path: &Path, bytes: &[u8], owner: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let temporary = folder.join(format!(".{owner}.part"));
    let outcome = (|| -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut file = std::fs::File::create(&temporary)?;
        std::io::Write::write_all(&mut file, bytes)?;
        file.sync_all()?;
        drop(file);
        std::fs::rename(&temporary, path)?;
        // The rename is durable once the folder is; folders cannot be opened for this on every platform.
        if let Ok(folder) = std::fs::File::open(folder) {
            folder.sync_all().ok();
        }
        Ok(())
    })();
    outcome.map_err(|error| {
        std::fs::remove_file(&temporary).ok();
        let kind = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorKind::Exhausted,
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Unauthorized,
            _ => ErrorKind::Unavailable,
        };
        let error = Error::new(kind, "cannot write file").with("path", path.display()).because(error);
        // A full disk is no try of the stage.
        if kind == ErrorKind::Exhausted { error.retry(Retryability::Throttled { after: Some(FULL) }) } else { error }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_on_every_file_system() {
        assert_eq!(safe_name("A red fox / at dawn!"), "A-red-fox-at-dawn");
        assert_eq!(safe_name("../../etc/passwd"), "etc-passwd");
        assert_eq!(safe_name("CON"), "image-CON");
        assert_eq!(safe_name("..."), "image");
        assert_eq!(safe_name("Überfahrt 東京"), "Überfahrt-東京");
        assert!(safe_name(&"x".repeat(500)).len() <= 80);
        assert!(safe_name(&"東".repeat(500)).len() <= 180);
    }
}
