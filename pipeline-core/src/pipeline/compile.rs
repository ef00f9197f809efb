//! A definition and layers of settings compiled to a plan; everything that is wrong is reported at once.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::expression::Condition;
use crate::id::{Digest, StageName};
use crate::model::Capability;
use crate::settings::{Layer, Origin, Problem, Problems, Resolved, listing, resolve_all};

use super::definition::{Definition, StageDefinition};
use super::order::Order;
use super::plan::{Group, GroupBy, PLAN_FORMAT, Plan, PlanWarning, PlannedStage, Policy};
use super::spec::{Catalog, StageSpec};
use super::{canonical, conditions, inputs, templates};

/// The names of the providers a program has, by capability.
pub type ProviderNames = BTreeMap<Capability, Vec<String>>;

/// The most children one stage may make of an item.
pub const MAX_EXPAND: u64 = 1000;
/// The most leaves one root item may carry.
const MAX_LEAVES: u64 = 100_000;
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
/// frozen settings, `retry_from` and `max_rounds`. The seed and the concurrency are left out: the same hash means the
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
    let (order, needs) = wire(definition, &nodes, &mut problems);
    let mut compiler = Compiler { definition, nodes, order, problems };

    check_kinds(&mut compiler, catalog);
    check_sources(&mut compiler);
    let ports = inputs::bind(&mut compiler);
    let conditions = conditions::check(&mut compiler);
    templates::check(&mut compiler);
    let used = check_providers(&mut compiler, providers);
    let expands = check_expands(&mut compiler);
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
fn wire(definition: &Definition, nodes: &[Node<'_>], problems: &mut Vec<Problem>) -> (Order, Vec<Vec<usize>>) {
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
        Ok(order) => (order, needs),
        Err(cycle) => {
            let named = cycle.iter().chain(cycle.first()).filter_map(|index| nodes.get(*index));
            let path: Vec<&str> = named.map(|node| node.definition.name.as_str()).collect();
            let at = path.first().map(|name| format!("stages.{name}.needs")).unwrap_or_default();
            problems.push(definition.problem(&at, format!("the stages need each other: {}", path.join(" → "))));
            let free = vec![Vec::new(); nodes.len()];
            let order = Order::of(free.clone()).unwrap_or_else(|_| Order { sequence: Vec::new(), needs: Vec::new() });
            (order, free)
        }
    }
}

fn check_kinds(compiler: &mut Compiler<'_>, catalog: &Catalog) {
    let kinds: Vec<&str> = catalog.iter().map(|spec| spec.kind.as_str()).collect();
    let unknown: Vec<(String, String)> = compiler
        .nodes
        .iter()
        .filter(|node| node.spec.is_none() && !node.definition.kind.is_empty())
        .map(|node| (format!("{}.kind", node.path), node.definition.kind.clone()))
        .collect();
    for (path, kind) in unknown {
        compiler.report_suggest(&path, format!("unknown kind `{kind}`"), &kind, &kinds);
    }
}

fn check_sources(compiler: &mut Compiler<'_>) {
    let mut sources = Vec::new();
    let mut wrong = Vec::new();
    for node in &compiler.nodes {
        let source = node.spec.is_some_and(|spec| spec.source);
        if source {
            sources.push(node.definition.name.clone());
            if !node.definition.needs.is_empty() {
                wrong.push((format!("{}.needs", node.path), "a source begins items and has no `needs`"));
            }
            if node.definition.when.is_some() {
                wrong.push((format!("{}.when", node.path), "a source begins items and has no `when`"));
            }
            if !node.enabled {
                wrong.push((format!("{}.settings.enabled", node.path), "a source cannot be disabled"));
            }
        } else if node.spec.is_some() && node.definition.needs.is_empty() {
            wrong.push((node.path.clone(), "only a source begins items; say what this stage `needs`"));
        }
    }
    for (path, message) in wrong {
        compiler.report(&path, message);
    }
    let all_known = compiler.nodes.iter().all(|node| node.spec.is_some());
    match sources.as_slice() {
        [] if all_known && !compiler.nodes.is_empty() => {
            compiler.report_hint("stages", "no stage is a source", "a pipeline begins with a stage such as `source.…`");
        }
        [] | [_] => {}
        [_, second, ..] => {
            let message = format!("more than one source: {}", listing(&sources));
            compiler.report_hint(&format!("stages.{second}"), message, "a pipeline has exactly one");
        }
    }
}

type Used = Vec<Vec<(Capability, String)>>;

fn check_providers(compiler: &mut Compiler<'_>, providers: &ProviderNames) -> Used {
    let mut used = Vec::with_capacity(compiler.nodes.len());
    let mut wrong = Vec::new();
    for node in &compiler.nodes {
        let mut of_stage = Vec::new();
        for slot in node.spec.map(|spec| spec.providers.as_slice()).unwrap_or_default() {
            // Null means: this stage does without.
            let Some(name) = node.settings.get(&slot.setting).and_then(Value::as_str) else { continue };
            let registered = providers.get(&slot.capability).map(Vec::as_slice).unwrap_or_default();
            if node.enabled && !registered.iter().any(|known| known == name) {
                let path = format!("{}.settings.{}", node.path, slot.setting);
                let message = format!("no provider `{name}` can {}", slot.capability);
                let registered: Vec<String> = registered.to_vec();
                wrong.push((path, message, name.to_owned(), registered));
            }
            of_stage.push((slot.capability, name.to_owned()));
        }
        used.push(of_stage);
    }
    for (path, message, name, registered) in wrong {
        let names: Vec<&str> = registered.iter().map(String::as_str).collect();
        if names.is_empty() {
            compiler.report_hint(&path, message, "no provider of this capability is registered");
        } else {
            let listed = listing(&names);
            compiler.report_suggest(&path, format!("{message} (registered: {listed})"), &name, &names);
        }
    }
    used
}

fn check_expands(compiler: &mut Compiler<'_>) -> Vec<Option<u32>> {
    let mut expands = Vec::with_capacity(compiler.nodes.len());
    let mut wrong = Vec::new();
    let mut leaves: u64 = 1;
    for node in &compiler.nodes {
        let mut count = None;
        if let Some(setting) = node.spec.and_then(|spec| spec.expands.as_ref()) {
            let value = node.settings.get(setting).cloned().unwrap_or_default();
            match value.as_u64() {
                Some(number) if (1..=MAX_EXPAND).contains(&number) => {
                    count = u32::try_from(number).ok().filter(|number| *number > 1);
                    if node.enabled {
                        leaves = leaves.saturating_mul(number);
                    }
                }
                None if value.is_null() => {}
                _ => wrong.push((
                    format!("{}.settings.{setting}", node.path),
                    format!("{value} is not accepted; a stage makes 1 to {MAX_EXPAND} children"),
                )),
            }
        }
        expands.push(count);
    }
    for (path, message) in wrong {
        compiler.report(&path, message);
    }
    if leaves > MAX_LEAVES {
        compiler.report("stages", format!("one item would become {leaves} leaves; at most {MAX_LEAVES} are allowed"));
    }
    expands
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
