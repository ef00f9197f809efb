//! `source.files`: one item a picture file; the file is copied into the artifact store, so that later changes of the
//! folder change nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::io::AsyncReadExt as _;

use pipeline_core::model::{Capability, Step};
use pipeline_core::pipeline::{PortSpec, StageSpec};
use pipeline_core::provider::ImageFile;
use pipeline_core::settings::{SettingsSchema, StageSettings};
use pipeline_core::stage::{Output, PlannedItem, Source, SourceRequest, Stage, StageContext, StageEnd, Task};
use pipeline_core::{Error, ErrorKind, Result};

/// Files longer than this are refused before they are read: hardly a picture within the pixel limits is as long.
const MAX_BYTES: u64 = 512 * 1024 * 1024;

/// Settings of `source.files`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FilesSettings {
    /// Provider that decodes each picture to see that it is whole.
    pub provider: String,
    /// Whether folders inside a folder are searched too.
    pub recursive: bool,
    /// File name extensions taken from a folder, without dot, in any case. Files named one by one are always taken.
    /// Those of pictures that cannot be read are among them: such a file is an item that says so, and is not passed over.
    #[schemars(length(min = 1))]
    pub extensions: Vec<String>,
}

impl Default for FilesSettings {
    fn default() -> Self {
        let readable = ["png", "jpg", "jpeg", "webp", "gif", "tif", "tiff", "bmp"];
        let extensions = readable.into_iter().chain(["avif", "heic", "heif", "svg"]).map(str::to_owned).collect();
        Self { provider: "image".to_owned(), recursive: true, extensions }
    }
}

impl StageSettings for FilesSettings {}

/// The stage kind `source.files`.
#[derive(Clone, Copy, Debug)]
pub struct SourceFiles;

#[async_trait]
impl Stage for SourceFiles {
    fn spec(&self) -> StageSpec {
        StageSpec::new(
            "source.files",
            "One item a picture file of the folders and files given",
            SettingsSchema::of::<FilesSettings>(),
        )
        .source()
        .self_contained()
        .provider(Capability::ProcessImage)
        .output(PortSpec::file("image"))
        .output(PortSpec::field("path", json!({"type": "string"})))
        .output(PortSpec::field("stem", json!({"type": "string"})))
        .output(PortSpec::field("keyword", json!({"type": "string"})))
        .output(PortSpec::field("width", json!({"type": "integer"})))
        .output(PortSpec::field("height", json!({"type": "integer"})))
    }

    async fn run(&self, context: &dyn StageContext, task: Task) -> Result<StageEnd> {
        let settings: FilesSettings = task.settings()?;
        let path = task.input.get("path").and_then(Value::as_str).unwrap_or_default().to_owned();
        let bytes = context.journal().step(Step::Read, path.clone(), read(&path)).await?;
        if bytes.is_empty() {
            return Err(Error::corrupt("not a picture: the file is empty").with("path", &path));
        }
        let artifact = context.artifacts().put(bytes.clone()).await?;
        if !artifact.media_type.is_image() {
            return Err(Error::corrupt("not a picture: the content is something else, whatever the name says")
                .with("path", &path)
                .with("content", artifact.media_type)
                .with("accepted", "PNG, JPEG, WebP, GIF, TIFF, BMP, and AVIF in builds that read it"));
        }
        let image = ImageFile { bytes, media_type: artifact.media_type };
        let processor = context.providers().image_processor(&settings.provider)?;
        let inspected = async { processor.inspect(image).await.map_err(|error| error.with("path", &path)) };
        let info = context.journal().step(Step::Inspect, "decoded whole", inspected).await?;
        let stem = Path::new(&path).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let keyword = stem.replace(['_', '-', '.'], " ").split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Output::new()
            .field("path", path)
            .field("stem", stem)
            .field("keyword", keyword)
            .field("width", info.size.width)
            .field("height", info.size.height)
            .file("image", artifact)
            .into())
    }
}

#[async_trait]
impl Source for SourceFiles {
    async fn plan(&self, request: SourceRequest) -> Result<Vec<PlannedItem>> {
        let settings: FilesSettings = serde_json::from_value(request.settings.clone())
            .map_err(|error| Error::invalid("the settings of source.files do not fit").because(error))?;
        if request.inputs.is_empty() {
            return Err(Error::invalid("no input given")
                .with("field", "input")
                .with("accepted", "at least one picture file or folder"));
        }
        let found = tokio::task::spawn_blocking(move || find(&request.inputs, &settings))
            .await
            .map_err(|error| Error::unexpected("the search for files was interrupted").because(error))??;
        let count = request.count.map_or(usize::MAX, |count| count as usize);
        Ok(found
            .into_iter()
            .take(count)
            .map(|(name, path)| {
                let mut input = Map::new();
                input.insert("path".to_owned(), Value::from(path.to_string_lossy().into_owned()));
                PlannedItem { name, input }
            })
            .collect())
    }
}

/// Reads a file that a person named.
pub(super) async fn read(path: &str) -> Result<bytes::Bytes> {
    let unreadable = |error: std::io::Error| {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::PermissionDenied => ErrorKind::Unauthorized,
            _ => ErrorKind::Unavailable,
        };
        let error = Error::new(kind, "cannot read file").with("path", path).because(error);
        // A name in another encoding is not known by what stands for it.
        if path.contains('\u{fffd}') { error.with("accepted", "a file whose name is UTF-8") } else { error }
    };
    let about = tokio::fs::metadata(path).await.map_err(unreadable)?;
    // A device never ends, and a pipe waits for who writes into it.
    if !about.is_file() {
        return Err(Error::new(ErrorKind::Unsupported, "not a regular file")
            .with("path", path)
            .with("accepted", "a file, or a link to one"));
    }
    let long = |length: u64| {
        Error::new(ErrorKind::Unsupported, "file is too long")
            .with("path", path)
            .with("bytes", length)
            .with("accepted", format!("at most {MAX_BYTES} bytes"))
    };
    if about.len() > MAX_BYTES {
        return Err(long(about.len()));
    }
    let mut bytes = Vec::with_capacity(about.len() as usize);
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).await.map_err(unreadable)?;
    // It may have grown meanwhile.
    if bytes.len() as u64 > MAX_BYTES { Err(long(bytes.len() as u64)) } else { Ok(bytes.into()) }
}

/// Returns (name for people, absolute path) of every picture file, sorted, each once.
fn find(inputs: &[String], settings: &FilesSettings) -> Result<Vec<(String, PathBuf)>> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for input in inputs {
        let root = std::path::absolute(input).map_err(|error| unreadable(input, error))?;
        let metadata = std::fs::metadata(&root).map_err(|error| unreadable(input, error))?;
        let mut files = Vec::new();
        if metadata.is_dir() {
            walk(&root, settings, &mut files)?;
            if files.is_empty() {
                return Err(Error::invalid("the folder has no pictures")
                    .with("input", input)
                    .with("accepted", settings.extensions.join(", ")));
            }
        } else {
            files.push(root.clone());
        }
        files.sort();
        for path in files {
            if seen.insert(path.clone()) {
                let short = path.strip_prefix(&root).ok().filter(|rest| !rest.as_os_str().is_empty());
                let name = short.map(Path::to_path_buf).or_else(|| path.file_name().map(PathBuf::from));
                found.push((name.unwrap_or_else(|| path.clone()).to_string_lossy().into_owned(), path));
            }
        }
    }
    Ok(found)
}

fn walk(folder: &Path, settings: &FilesSettings, files: &mut Vec<PathBuf>) -> Result<()> {
    let name = folder.to_string_lossy();
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(&name, error))?;
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(&name, error))?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let kind = entry.file_type().map_err(|error| unreadable(&name, error))?;
        let path = entry.path();
        // A link to a folder is not followed: it could lead in a circle.
        if kind.is_dir() {
            if settings.recursive {
                walk(&path, settings, files)?;
            }
        } else {
            let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
            if extension
                .is_some_and(|extension| settings.extensions.iter().any(|known| known.to_lowercase() == extension))
            {
                files.push(path);
            }
        }
    }
    Ok(())
}

fn unreadable(path: &str, error: std::io::Error) -> Error {
    let kind = if error.kind() == std::io::ErrorKind::NotFound { ErrorKind::NotFound } else { ErrorKind::Unavailable };
    let accepted = "a picture, or a folder of pictures, that this user may read";
    Error::new(kind, "cannot read input").with("input", path).with("accepted", accepted).because(error)
}
