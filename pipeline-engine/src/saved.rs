//! Requests and settings kept under names: templates, and settings to be laid over others.

use pipeline_core::error::{Error, ErrorKind};
use pipeline_core::id::JobId;
use pipeline_core::settings::{Layer, Origin};
use pipeline_core::storage::{SavedBody, SavedKind, SavedLayer, SavedRecord, SavedRequest, check_name};

use crate::definition;
use crate::engine::Engine;
use crate::presets;
use crate::request::{JobRequest, PipelineSource};
use crate::review::pinned;

impl JobRequest {
    /// Returns the request as it is kept: as given, and with paths that mean the same from everywhere. When it is to start,
    /// and what makes it the same as another, is not in it.
    pub fn saved(&self) -> SavedRequest {
        let absolute = |path: &str| {
            std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| path.to_string_lossy().into_owned())
        };
        let mut recipe = definition::recipe(self);
        recipe.inputs = recipe.inputs.iter().map(|input| absolute(input)).collect();
        SavedRequest {
            recipe,
            keywords: self.keywords.clone(),
            layers: self.layers.iter().map(SavedLayer::from).collect(),
            out: self.out.as_ref().map(|out| absolute(&out.to_string_lossy())),
            label: self.label.clone(),
            priority: self.priority,
            key: self.key.clone(),
            budget: self.budget,
        }
    }

    /// Makes a request of a kept one; `origin` says where its settings come from, otherwise they keep the origins they had. A
    /// preset is taken as it is now, a pipeline file as it was.
    pub fn of_saved(saved: &SavedRequest, origin: Option<&Origin>) -> Self {
        let preset = saved.recipe.preset.as_ref().filter(|name| presets::find(name).is_some());
        let source =
            preset.map_or_else(|| definition::source(&saved.recipe), |name| PipelineSource::Preset(name.clone()));
        let mut request = Self::new(source).priority(saved.priority);
        request.inputs.clone_from(&saved.recipe.inputs);
        request.count = saved.recipe.count;
        request.keywords.clone_from(&saved.keywords);
        let layer = |layer: &SavedLayer| layer.layer(origin.cloned().unwrap_or_else(|| layer.origin.clone()));
        request.layers = saved.layers.iter().map(layer).collect();
        request.out = saved.out.as_ref().map(Into::into);
        request.label.clone_from(&saved.label);
        request.key.clone_from(&saved.key);
        request.budget = saved.budget;
        request
    }

    /// Takes the inputs away.
    pub fn without_inputs(mut self) -> Self {
        self.inputs.clear();
        self.keywords.clear();
        self
    }
}

impl Engine {
    /// Returns a job as a request to be kept: its pipeline, inputs and count, and the settings its own request gave. The label
    /// is left out.
    ///
    /// # Errors
    /// `NotFound`; `Unsupported` when the job was stored by a version that did not keep what it was made from; the store's.
    pub async fn request_of_job(&self, job: JobId) -> Result<SavedRequest, Error> {
        let record = self.shared.store.job(job).await?;
        let stored = self.shared.store.plan(job).await?;
        let recipe = stored.recipe.ok_or_else(|| {
            let text = "an older version stored this job, without what it was made from";
            Error::new(ErrorKind::Unsupported, text).with("job", job).with("accepted", "a job of a new `run`")
        })?;
        Ok(SavedRequest {
            recipe,
            keywords: Vec::new(),
            layers: given(&stored.settings)?,
            out: None,
            label: None,
            priority: record.priority,
            key: record.key,
            budget: record.budget.map(|budget| budget.amount),
        })
    }

    /// Returns the settings the request of a job gave, but for the folders it published into.
    ///
    /// # Errors
    /// `NotFound`, or the store's.
    pub async fn settings_of_job(&self, job: JobId) -> Result<Vec<SavedLayer>, Error> {
        let stored = self.shared.store.plan(job).await?;
        let mut layers = given(&stored.settings)?;
        let published = |layer: &SavedLayer| {
            stored.plan.stages.iter().any(|stage| {
                let section = layer.values.get(stage.name.as_str());
                stage.kind == "output.folder" && section.is_some_and(|section| section.get("folder").is_some())
            })
        };
        layers.retain(|layer| !published(layer));
        Ok(layers)
    }

    /// Keeps a request under a name of an owner.
    ///
    /// # Errors
    /// `Invalid` for a name that cannot be one, or is that of a preset; `Conflict` when it is taken and not to be replaced.
    pub async fn save_template(
        &self,
        owner: &str,
        name: &str,
        request: SavedRequest,
        replace: bool,
    ) -> Result<SavedRecord, Error> {
        check_name("template", name)?;
        if presets::find(name).is_some() {
            let taken = Error::invalid("this is the name of a preset, which `run` would take").with("template", name);
            return Err(taken.with("accepted", "any other name"));
        }
        self.shared.store.save(owner, name, SavedBody::Template(Box::new(request)), replace).await
    }

    /// Returns the request kept under a name of an owner, to be changed and submitted.
    ///
    /// # Errors
    /// `NotFound`, or the store's.
    pub async fn template(&self, owner: &str, name: &str) -> Result<JobRequest, Error> {
        let record = self.shared.store.saved(owner, SavedKind::Template, name).await?;
        let SavedBody::Template(saved) = record.body else {
            return Err(Error::corrupt("what is saved under this name is no template").with("template", name));
        };
        Ok(JobRequest::of_saved(&saved, Some(&Origin::Template(name.to_owned()))).owner(owner))
    }

    /// Keeps settings under a name of an owner. They are checked when they are used: what a stage takes is known only then.
    ///
    /// # Errors
    /// `Invalid` for a name that cannot be one, or when there are none; `Conflict` when the name is taken and not to be
    /// replaced.
    pub async fn save_settings(
        &self,
        owner: &str,
        name: &str,
        layers: Vec<SavedLayer>,
        replace: bool,
    ) -> Result<SavedRecord, Error> {
        check_name("settings", name)?;
        if layers.is_empty() {
            return Err(Error::invalid("there is no setting to be saved").with("settings", name));
        }
        self.shared.store.save(owner, name, SavedBody::Settings { layers }, replace).await
    }

    /// Returns the settings kept under a name of an owner, as layers whose origin is that name.
    ///
    /// # Errors
    /// `NotFound`, or the store's.
    pub async fn saved_settings(&self, owner: &str, name: &str) -> Result<Vec<Layer>, Error> {
        let record = self.shared.store.saved(owner, SavedKind::Settings, name).await?;
        let SavedBody::Settings { layers } = record.body else {
            return Err(Error::corrupt("what is saved under this name are no settings").with("settings", name));
        };
        Ok(layers.iter().map(|layer| layer.layer(Origin::Saved(name.to_owned()))).collect())
    }
}

/// Returns what a request said itself, of the settings as they were resolved.
fn given(settings: &serde_json::Value) -> Result<Vec<SavedLayer>, Error> {
    let mut layers = pinned(settings)?;
    layers.retain(|layer| !matches!(layer.origin, Origin::BuiltIn | Origin::Pipeline));
    Ok(layers.iter().map(SavedLayer::from).collect())
}
