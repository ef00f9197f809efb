//! From a request to a stored job: compile, plan the items, check the output folder, store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use pipeline_core::error::chain;
use pipeline_core::executor::ItemMachine;
use pipeline_core::id::{ItemId, JobId, StageName};
use pipeline_core::model::{Capability, Estimate, Money};
use pipeline_core::pipeline::{Compiled, Definition, Plan, ProviderNames, compile};
use pipeline_core::provider::Repeat;
use pipeline_core::settings::{Layer, Origin, Problem, Problems};
use pipeline_core::stage::{PlannedItem, SourceRequest};
use pipeline_core::storage::{BudgetKey, JobPlan, JobRecord, NewItem, NewJob};
use pipeline_core::template::Template;
use pipeline_core::{Error, ErrorKind};

use crate::definition;
use crate::engine::Engine;
use crate::request::{JobRequest, PipelineSource};
use crate::worker::Shared;

/// Why a job was not stored.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The pipeline or the settings are wrong.
    #[error(transparent)]
    Definition(#[from] Problems),
    /// The inputs are wrong.
    #[error(transparent)]
    Input(Error),
    /// The store failed.
    #[error(transparent)]
    Store(Error),
}

/// A job that is ready to be stored.
pub(crate) struct Prepared {
    pub(crate) compiled: Compiled,
    pub(crate) items: Vec<PlannedItem>,
    pub(crate) out: Option<PathBuf>,
}

impl Engine {
    /// Compiles a request's pipeline with its settings; plans and stores nothing.
    ///
    /// # Errors
    /// [`Problems`]: everything that is wrong, each with its place or origin.
    pub fn compile(&self, request: &JobRequest) -> Result<Compiled, Problems> {
        let definition = definition::read(&request.pipeline)?;
        self.compile_definition(request, &definition)
    }

    /// Stores a job; it is durable when this returns.
    ///
    /// # Errors
    /// [`SubmitError`] says whether the request or the store is to blame; nothing is stored then.
    pub async fn submit(&self, request: JobRequest) -> Result<JobRecord, SubmitError> {
        let prepared = self.prepare(&request).await?;
        for folder in publishing_folders(&prepared.compiled.plan) {
            let checked = tokio::task::spawn_blocking(move || check_writable(&folder)).await;
            checked
                .map_err(|error| SubmitError::Store(Error::unexpected("interrupted").because(error)))?
                .map_err(SubmitError::Input)?;
        }
        let Prepared { compiled, items, out } = prepared;
        // An estimate is a help, and no reason not to begin.
        let estimate = match self.expected(&request, &compiled.plan, items.len() as u64).await {
            Ok(estimate) => Some(estimate),
            Err(error) => {
                tracing::warn!(error = %chain(&error), "what the job will cost cannot be estimated");
                None
            }
        };
        let items = items
            .into_iter()
            .enumerate()
            .map(|(ordinal, item)| new_item(&self.shared, &compiled.plan, ordinal, item))
            .collect();
        let id = JobId::from_uuid(self.shared.uuid());
        let recipe = definition::recipe(&request);
        let idempotency = request.idempotency(compiled.plan.hash);
        let label = request.label.unwrap_or_else(|| default_label(&compiled.plan, id));
        let settings = serde_json::to_value(&compiled.resolved)
            .map_err(|error| SubmitError::Store(Error::unexpected("cannot write the settings down").because(error)))?;
        let job = NewJob {
            id,
            label,
            owner: request.owner.unwrap_or_else(|| self.owner().to_owned()),
            priority: request.priority,
            plan: JobPlan { plan: compiled.plan, settings, recipe: Some(recipe), estimate },
            out: out.map(|out| out.to_string_lossy().into_owned()),
            parent: request.parent,
            key: request.key,
            start_at: request.start_at,
            budget: request.budget,
            idempotency,
        };
        let record = self.shared.store.submit(job, items).await.map_err(SubmitError::Store)?;
        self.shared.bell.notify_waiters();
        Ok(record)
    }

    /// Returns whose a job is to be.
    pub(crate) fn owner_of<'a>(&'a self, request: &'a JobRequest) -> &'a str {
        request.owner.as_deref().unwrap_or_else(|| self.owner())
    }

    /// Returns what is expected of a job. Where nothing costs anything, nobody is asked what earlier jobs came to.
    async fn expected(&self, request: &JobRequest, plan: &Plan, roots: u64) -> pipeline_core::Result<Estimate> {
        let estimate = self.estimate(plan, roots, None, &[]).await?;
        if estimate.stages.iter().all(|stage| stage.kept == 0) {
            return Ok(estimate);
        }
        let earlier = self.earlier(&plan.pipeline, self.owner_of(request)).await?;
        self.estimate(plan, roots, request.parent, &earlier).await
    }

    pub(crate) async fn prepare(&self, request: &JobRequest) -> Result<Prepared, SubmitError> {
        let definition = definition::read(&request.pipeline)?;
        let compiled = self.compile_definition(request, &definition)?;
        let max_items = compiled.resolved.job().max_items;
        let plan = &compiled.plan;
        let source = plan.stages.iter().find(|stage| stage.needs.is_empty());
        let stage = source.ok_or_else(|| SubmitError::Input(Error::invalid("the pipeline has no source")))?;
        let code = self.sources.get(&stage.kind).ok_or_else(|| {
            SubmitError::Input(Error::invalid("this stage kind cannot begin items").with("kind", &stage.kind))
        })?;
        let wanted = SourceRequest {
            settings: stage.settings.clone(),
            inputs: request.inputs.clone(),
            count: request.count,
            seed: plan.seed,
            max_items,
            leaves_per_item: plan.leaves_per_item(),
        };
        let items = code.plan(wanted).await.map_err(SubmitError::Input)?;
        let leaves = items.len() as u64 * u64::from(plan.leaves_per_item());
        if leaves > max_items {
            return Err(SubmitError::Input(
                Error::invalid("too many items for one job")
                    .with("items", leaves)
                    .with("accepted", format!("at most {max_items} (job.max_items)")),
            ));
        }
        self.check_templates(&definition, plan, &items)?;
        self.check_budget(request, plan).await?;
        let out = publishing_folders(plan).next();
        Ok(Prepared { compiled, items, out })
    }

    pub(crate) fn compile_definition(
        &self,
        request: &JobRequest,
        definition: &Definition,
    ) -> Result<Compiled, Problems> {
        let mut layers = request.layers.clone();
        if !request.keywords.is_empty() {
            for stage in definition.stages.iter().filter(|stage| stage.kind == "source.keywords") {
                layers.push(Layer::new(Origin::Program, json!({ stage.name.as_str(): { "list": request.keywords } })));
            }
        }
        if let Some(out) = &request.out {
            // Of which no trailing slash is left.
            let folder: PathBuf = std::path::absolute(out).unwrap_or_else(|_| out.clone()).components().collect();
            let publishing: Vec<_> = definition.stages.iter().filter(|stage| stage.kind == "output.folder").collect();
            if publishing.is_empty() {
                let problem = Problem::new("out", "the pipeline has no stage that publishes files")
                    .hint("add a stage of kind output.folder");
                return Err(Problems(vec![problem]));
            }
            for stage in publishing {
                layers.push(Layer::new(
                    Origin::Program,
                    json!({ stage.name.as_str(): { "folder": folder.to_string_lossy() } }),
                ));
            }
        }
        // A JSON number is exact only below 2^53; a seed travels through files and people's hands.
        let (providers, seed) = (self.provider_names(), request.seed.unwrap_or_else(|| self.shared.draw() >> 11));
        let mut compiled = compile(definition, &self.catalog, &providers, &layers, seed)?;
        let relative = absolute_folders(&compiled);
        if !relative.is_empty() {
            // A job may be gone on with from another working folder; what is frozen must mean the same there.
            layers.extend(relative);
            compiled = compile(definition, &self.catalog, &providers, &layers, seed)?;
        }
        self.check_abilities(&compiled)?;
        if matches!(request.pipeline, PipelineSource::Preset(_)) {
            // Nobody has to be warned of a setting that the preset makes and nobody else has touched.
            compiled.plan.warnings.retain(|warning| {
                let found = warning.setting.split_once('.').and_then(|(stage, key)| compiled.resolved.get(stage, key));
                found.is_none_or(|setting| setting.origin != Origin::Pipeline)
            });
        }
        Ok(compiled)
    }

    /// Checks what is asked of the providers against what they can do, before anything is spent.
    fn check_abilities(&self, compiled: &Compiled) -> Result<(), Problems> {
        let mut problems = Vec::new();
        for stage in compiled.plan.stages.iter().filter(|stage| stage.enabled) {
            let Some(code) = self.shared.stages.get(&stage.kind) else { continue };
            for (key, message) in code.unable(&stage.settings, &self.shared.bindings) {
                let problem = Problem::new(format!("{}.{key}", stage.name), message);
                let setting = compiled.resolved.get(stage.name.as_str(), &key);
                problems.push(setting.map_or(problem.clone(), |setting| problem.from(&setting.origin)));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
    }

    /// Checks that a budget can hold: it is an amount, and somebody knows what each call may cost at most.
    async fn check_budget(&self, request: &JobRequest, plan: &Plan) -> Result<(), SubmitError> {
        if let Some(amount) = request.budget.filter(|amount| *amount <= Money::ZERO || *amount > Money::MOST) {
            let problem = Problem::new("budget", format!("{amount} is not accepted"));
            let hint = format!("expected more than nothing, and at most {}", Money::MOST);
            return Err(Problems::from(problem.hint(hint)).into());
        }
        let owner = BudgetKey::Owner(self.owner_of(request).to_owned());
        let owned = || async {
            let budgets = self.shared.store.budgets().await.map_err(SubmitError::Store)?;
            Ok::<_, SubmitError>(budgets.iter().any(|budget| budget.key == owner))
        };
        let unpriced: Vec<(&StageName, &String)> = plan
            .stages
            .iter()
            .filter(|stage| stage.enabled && plan.max_cost.is_none())
            .flat_map(|stage| stage.providers.iter().map(move |(capability, name)| (stage, *capability, name)))
            .filter(|(_, capability, name)| {
                let info = self.shared.bindings.info(*capability, name);
                info.is_some_and(|info| info.repeat != Repeat::Free && info.price.is_none() && info.max_cost.is_none())
            })
            .map(|(stage, _, name)| (&stage.name, name))
            .collect();
        if unpriced.is_empty() || !(request.budget.is_some() || owned().await?) {
            return Ok(());
        }
        let problem = |(stage, name): (&StageName, &String)| {
            let message = format!("there is a budget, and nobody knows what a call of `{name}` may cost");
            let hint = format!("give job.max_cost (--max-cost), or max_cost or price in [providers.{name}]");
            Problem::new(stage.to_string(), message).hint(hint)
        };
        Err(Problems(unpriced.into_iter().map(problem).collect()).into())
    }

    fn provider_names(&self) -> ProviderNames {
        use Capability::{
            AnalyzeDataset, Embed, GenerateImage, ProcessImage, RemoveBackground, RenderChart, Text, Vision,
        };
        [GenerateImage, Vision, Text, Embed, RemoveBackground, ProcessImage, AnalyzeDataset, RenderChart]
            .into_iter()
            .map(|capability| (capability, self.shared.bindings.names(capability)))
            .collect::<BTreeMap<_, _>>()
    }

    /// Checks the templates against the columns the items really have; known only now.
    fn check_templates(&self, definition: &Definition, plan: &Plan, items: &[PlannedItem]) -> Result<(), Problems> {
        let Some(first) = items.first() else { return Ok(()) };
        let mut problems = Vec::new();
        for stage in plan.stages.iter().filter(|stage| stage.enabled) {
            let Some(spec) = self.catalog.get(&stage.kind) else { continue };
            for setting in &spec.templates {
                let Some(text) = stage.settings.get(setting).and_then(|value| value.as_str()) else { continue };
                let Ok(template) = Template::parse(text) else { continue };
                for variable in template.variables() {
                    let declared = spec.inputs.iter().any(|port| port.name == variable)
                        || spec.template_variables.contains(&variable)
                        || definition.stages.iter().any(|stage| stage.name == variable)
                        || plan
                            .stages
                            .iter()
                            .filter_map(|stage| self.catalog.get(&stage.kind))
                            .any(|spec| spec.source && spec.outputs.iter().any(|port| port.name == variable));
                    if !declared && !first.input.contains_key(&variable) {
                        let columns: Vec<&str> = first.input.keys().map(String::as_str).collect();
                        problems.push(
                            Problem::new(
                                format!("{}.{setting}", stage.name),
                                format!("`{variable}` is not in the input; it has {}", columns.join(", ")),
                            )
                            .suggest(&variable, columns.iter().copied()),
                        );
                    }
                }
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
    }
}

/// Makes relative output folders absolute, each with the origin it had.
fn absolute_folders(compiled: &Compiled) -> Vec<Layer> {
    let publishing = compiled.plan.stages.iter().filter(|stage| stage.kind == "output.folder");
    publishing
        .filter_map(|stage| {
            let setting = compiled.resolved.get(stage.name.as_str(), "folder")?;
            let folder = setting.value.as_str().map(Path::new).filter(|folder| folder.is_relative())?;
            let folder = std::path::absolute(folder).ok()?;
            let values = json!({ stage.name.as_str(): { "folder": folder.to_string_lossy() } });
            Some(Layer::new(setting.origin.clone(), values))
        })
        .collect()
}

fn new_item(shared: &Shared, plan: &Plan, ordinal: usize, item: PlannedItem) -> NewItem {
    let id = ItemId::from_uuid(shared.uuid());
    let machine = ItemMachine::new(id, plan);
    NewItem {
        id,
        parent: None,
        ordinal: u32::try_from(ordinal).unwrap_or(u32::MAX),
        slot: 0,
        name: item.name,
        input: item.input,
        status: machine.status(plan),
        machine,
        unit: None,
        gate: None,
    }
}

fn publishing_folders(plan: &Plan) -> impl Iterator<Item = PathBuf> {
    let publishing = plan.stages.iter().filter(|stage| stage.enabled && stage.kind == "output.folder");
    publishing.filter_map(|stage| stage.settings.get("folder")?.as_str()).map(PathBuf::from)
}

fn default_label(plan: &Plan, id: JobId) -> String {
    let text = id.to_string();
    let tail = text.get(text.len().saturating_sub(6)..).unwrap_or_default();
    format!("{}-{tail}", plan.pipeline)
}

/// Finds out before anything is spent whether files can be written into the folder.
fn check_writable(folder: &Path) -> Result<(), Error> {
    // A file without a name, so that a process that ends here leaves nothing behind.
    std::fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder).map(drop)).map_err(|error| {
        Error::new(ErrorKind::Unauthorized, "cannot write into the output folder")
            .with("out", folder.display())
            .with("accepted", "a folder this user may write to")
            .because(error)
    })
}
