//! What is checked of the stages one by one: their kinds, the source, their providers and how many children they make.

use serde_json::Value;

use crate::model::Capability;
use crate::settings::{listing, nearest};

use super::compile::{Compiler, ProviderNames};
use super::spec::Catalog;

/// The most children one stage may make of an item.
pub const MAX_EXPAND: u64 = 1000;
/// The most leaves one root item may carry.
const MAX_LEAVES: u64 = 100_000;

/// Every kind is in the catalog.
pub(super) fn kinds(compiler: &mut Compiler<'_>, catalog: &Catalog) {
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

/// There is one source, and nothing else begins items.
pub(super) fn sources(compiler: &mut Compiler<'_>) {
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

/// For each stage of the definition, the providers it uses.
pub(super) type Used = Vec<Vec<(Capability, String)>>;

/// Every provider an enabled stage names is registered; returns those each stage uses.
pub(super) fn providers(compiler: &mut Compiler<'_>, providers: &ProviderNames) -> Used {
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
        let there = if names.is_empty() { "none".to_owned() } else { listing(&names) };
        let message = format!("{message} (registered: {there})");
        if nearest(&name, names.iter().copied()).is_some() {
            compiler.report_suggest(&path, message, &name, &names);
        } else {
            let hint = "vendors, and models from files, are described by sections of the providers file";
            compiler.report_hint(&path, message, hint);
        }
    }
    used
}

/// No stage makes too many children; returns how many each makes when more than one.
pub(super) fn expands(compiler: &mut Compiler<'_>) -> Vec<Option<u32>> {
    let mut expands = Vec::with_capacity(compiler.nodes.len());
    let mut wrong = Vec::new();
    let mut leaves: u64 = 1;
    for node in &compiler.nodes {
        let mut count = None;
        if let Some(setting) = node.spec.and_then(|spec| spec.expands.as_ref()) {
            let value = node.settings.get(setting).cloned().unwrap_or_default();
            let path = format!("{}.settings.{setting}", node.path);
            match value.as_u64() {
                Some(number) if (1..=MAX_EXPAND).contains(&number) => {
                    count = u32::try_from(number).ok().filter(|number| *number > 1);
                    if node.enabled {
                        leaves = leaves.saturating_mul(number);
                    }
                }
                None if value.is_null() => {}
                // Its schema has refused it already, and says more.
                _ if compiler
                    .problems
                    .iter()
                    .any(|told| told.path == path || told.path == format!("{}.{setting}", node.definition.name)) => {}
                _ => wrong.push((path, format!("{value} is not accepted; a stage makes 1 to {MAX_EXPAND} children"))),
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
