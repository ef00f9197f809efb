//! A definition and layers of settings compiled to a plan; everything that is wrong is reported at once.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::expression::Condition;
use crate::id::{Digest, StageName};
use crate::model::Capability;
use crate::settings::{Layer, Origin, Problem, Problems, Resolved, resolve_all};

use super::checks::{self, Used};
use super::definition::{Definition, StageDefinition};
use super::order::Order;
use super::plan::{Group, GroupBy, PLAN_FORMAT, Plan, PlanWarning, PlannedStage, Policy};
use super::spec::{Catalog, StageSpec};
use super::{canonical, conditions, inputs, templates};

/// The names of the providers a program has, by capability.
pub type ProviderNames = BTreeMap<Capability, Vec<String>>;

/// How many items one call may serve unless something else limits it.
const GROUP_LIMIT: u32 = 20;

/// A plan, and the settings it was made with.
#[derive(Clone, Debug, PartialEq)]
pub struct Compiled {
    /// What the executor walks.
    pub plan: Plan,
    /// Every setting with its origin.
    pub resolved: Resolved,
}

/// One stage with its kind and its resolved settings.
pub(super) struct Node<'a> {
    pub(super) definition: &'a StageDefinition,
    pub(super) spec: Option<&'a StageSpec>,
    pub(super) settings: Value,
    pub(super) enabled: bool,
    pub(super) path: String,
}

/// What compiling collects while it goes on.
pub(super) struct Compiler<'a> {
    pub(super) definition: &'a Definition,
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) order: Order,
    /// The stages need each other, so what comes before what is not known.
    pub(super) cyclic: bool,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Compiler<'a> {
    pub(super) fn report(&mut self, path: &str, message: impl Into<String>) {
        let problem = self.definition.problem(path, message);
        self.problems.push(problem);
    }

    pub(super) fn report_hint(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        let problem = self.definition.problem(path, message).hint(hint);
        self.problems.push(problem);
    }

    pub(super) fn report_suggest(&mut self, path: &str, message: String, wrong: &str, known: &[&str]) {
        let problem = self.definition.problem(path, message).suggest(wrong, known.iter().copied());
        self.problems.push(problem);
    }

    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.definition.name == name)
    }

    pub(super) fn names(&self) -> Vec<&'a str> {
        self.nodes.iter().map(|node| node.definition.name.as_str()).collect()
    }
}

/// Compiles `definition` with the kinds of `catalog`, the providers there are, and `layers` of settings over its own.
///
/// [`Plan::hash`] is the digest of the canonical JSON of the pipeline's name and version, its planned stages with their
/// frozen settings, `retry_from` and `max_rounds`. The seed, the concurrency and the bound of unknown prices are left out: the same hash means the
/// same recipe, whatever the draw and the speed.
///
/// # Errors
/// [`Problems`]: everything that is wrong with the definition and the settings, each with its place.
pub fn compile(
    definition: &Definition,
    catalog: &Catalog,
    providers: &ProviderNames,
    layers: &[Layer],
    default_seed: u64,
) -> Result<Compiled, Problems> {
    let mut problems = definition.problems().to_vec();
    let sections = definition.sections(catalog);
    let all: Vec<Layer> = [definition.layer()].into_iter().chain(layers.iter().cloned()).collect();
    let (resolved, wrong) = resolve_all(&sections, &all);
    problems.extend(wrong.into_iter().map(|problem| in_definition(definition, problem)));

    let nodes = definition.stages.iter().map(|stage| Node {
        definition: stage,
        spec: catalog.get(&stage.kind),
        settings: resolved.settings(&stage.name),
        enabled: resolved.common(&stage.name).enabled,
        path: format!("stages.{}", stage.name),
    });
    let nodes: Vec<Node<'_>> = nodes.collect();
    let (order, needs, cyclic) = wire(definition, &nodes, &mut problems);
    let mut compiler = Compiler { definition, nodes, order, cyclic, problems };

    checks::kinds(&mut compiler, catalog);
    checks::sources(&mut compiler);
    let ports = inputs::bind(&mut compiler);
    let conditions = conditions::check(&mut compiler);
    templates::check(&mut compiler);
    let used = checks::providers(&mut compiler, providers);
    let expands = checks::expands(&mut compiler);
    if let Some(name) = &definition.retry_from
        && compiler.position(name).is_none()
    {
        let names = compiler.names();
        compiler.report_suggest("retry_from", format!("unknown stage `{name}`"), name, &names);
    }
    if !compiler.problems.is_empty() {
        let mut problems = Problems(compiler.problems);
        problems.sort();
        return Err(problems);
    }
    let plan = assemble(&compiler, &resolved, &needs, default_seed, Parts { ports, conditions, used, expands })?;
    Ok(Compiled { plan, resolved })
}

/// Turns the problem of a setting the definition makes into one with its place there.
fn in_definition(definition: &Definition, problem: Problem) -> Problem {
    if problem.origin != Some(Origin::Pipeline) {
        return problem;
    }
    let path = match problem.path.split_once('.') {
        Some((stage, key)) => format!("stages.{stage}.settings.{key}"),
        None => format!("stages.{}.settings", problem.path),
    };
    Problem { hint: problem.hint, ..definition.problem(&path, problem.message) }
}

/// Resolves the names in `needs`; a graph with a cycle is reported and taken as one without needs.
fn wire(definition: &Definition, nodes: &[Node<'_>], problems: &mut Vec<Problem>) -> (Order, Vec<Vec<usize>>, bool) {
    let mut needs = Vec::with_capacity(nodes.len());
    for node in nodes {
        let mut found = Vec::new();
        for (index, need) in node.definition.needs.iter().enumerate() {
            match nodes.iter().position(|other| other.definition.name == *need) {
                Some(position) => found.push(position),
                None => problems.push(
                    definition
                        .problem(&format!("{}.needs[{index}]", node.path), format!("unknown stage `{need}`"))
                        .suggest(need, nodes.iter().map(|other| other.definition.name.as_str())),
                ),
            }
        }
        needs.push(found);
    }
    match Order::of(needs.clone()) {
        Ok(order) => (order, needs, false),
        Err(cycle) => {
            let named = cycle.iter().chain(cycle.first()).filter_map(|index| nodes.get(*index));
            let path: Vec<&str> = named.map(|node| node.definition.name.as_str()).collect();
            let at = path.first().map(|name| format!("stages.{name}.needs")).unwrap_or_default();
            problems.push(definition.problem(&at, format!("the stages need each other: {}", path.join(" → "))));
            let free = vec![Vec::new(); nodes.len()];
            let order = Order::of(free.clone()).unwrap_or_else(|_| Order { sequence: Vec::new(), needs: Vec::new() });
            (order, free, true)
        }
    }
}

/// What the checks found, by the order of the definition.
struct Parts {
    ports: Vec<BTreeMap<String, Vec<usize>>>,
    conditions: Vec<Option<Condition>>,
    used: Used,
    expands: Vec<Option<u32>>,
}

fn assemble(
    compiler: &Compiler<'_>,
    resolved: &Resolved,
    needs: &[Vec<usize>],
    default_seed: u64,
    mut parts: Parts,
) -> Result<Plan, Problems> {
    let place = |index: usize| compiler.order.sequence.iter().position(|node| *node == index);
    let places = |indices: &[usize]| indices.iter().filter_map(|index| place(*index)).collect::<Vec<_>>();
    let mut stages = Vec::with_capacity(compiler.nodes.len());
    for index in &compiler.order.sequence {
        let (Some(node), Some(needs)) = (compiler.nodes.get(*index), needs.get(*index)) else { continue };
        let Some(spec) = node.spec else { continue };
        let name = &node.definition.name;
        let common = resolved.common(name);
        let expand = parts.expands.get(*index).copied().flatten();
        let enabled_by = resolved.get(name, "enabled").map(|setting| setting.origin.to_string()).unwrap_or_default();
        let mut needs = places(needs);
        needs.sort_unstable();
        stages.push(PlannedStage {
            name: StageName::new(name).map_err(|error| Problem::new(&node.path, error.to_string()))?,
            kind: spec.kind.clone(),
            role: spec.role,
            enabled: common.enabled,
            disabled_because: (!common.enabled).then(|| format!("{name}.enabled = false ({enabled_by})")),
            needs,
            when: parts.conditions.get_mut(*index).and_then(Option::take),
            inputs: parts
                .ports
                .get(*index)
                .map(|ports| ports.iter().map(|(port, makers)| (port.clone(), places(makers))).collect())
                .unwrap_or_default(),
            settings: node.settings.clone(),
            policy: Policy {
                max_attempts: common.max_attempts,
                timeout: common.timeout_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
                on_failure: common.on_failure,
                ..Policy::default()
            },
            expand,
            group: spec.group.map(|by| Group { by, max: group_limit(by, expand, spec) }).filter(|group| group.max > 1),
            providers: parts.used.get_mut(*index).map(std::mem::take).unwrap_or_default(),
        });
    }
    let job = resolved.job();
    let retry_from = compiler.definition.retry_from.as_ref();
    let retry_from = retry_from.and_then(|name| compiler.position(name)).and_then(place);
    let recipe = json!({
        "format": PLAN_FORMAT,
        "pipeline": compiler.definition.name,
        "version": compiler.definition.version,
        "stages": serde_json::to_value(&stages).unwrap_or_default(),
        "retry_from": retry_from,
        "max_rounds": job.max_rounds,
    });
    Ok(Plan {
        format: PLAN_FORMAT,
        pipeline: compiler.definition.name.clone(),
        hash: Digest::of(canonical::json(&recipe).as_bytes()),
        seed: job.seed.unwrap_or(default_seed),
        stages,
        retry_from,
        max_rounds: job.max_rounds,
        concurrency: job.concurrency,
        max_cost: job.max_cost(),
        cache: job.cache,
        warnings: resolved
            .not_applied()
            .map(|(section, key, reason)| PlanWarning {
                setting: format!("{section}.{key}"),
                reason: reason.to_owned(),
            })
            .collect(),
    })
}

/// Siblings of an expansion are served together; a stage that does not expand serves whatever siblings come.
fn group_limit(by: GroupBy, expand: Option<u32>, spec: &StageSpec) -> u32 {
    match by {
        GroupBy::Siblings if spec.expands.is_some() => expand.unwrap_or(1),
        GroupBy::Siblings | GroupBy::Job => GROUP_LIMIT,
    }
}
