//! Which stage each input comes from: the nearest ancestor that makes it, or the one the definition chooses.

use std::collections::BTreeMap;

use crate::settings::{Problem, listing};

use super::compile::{Compiler, Node};
use super::spec::{PortKind, PortSpec};

/// For each stage of the definition: for each input port, the stages that make it, nearest first.
pub(super) fn bind(compiler: &mut Compiler<'_>) -> Vec<BTreeMap<String, Vec<usize>>> {
    let mut problems = Vec::new();
    let bound = (0..compiler.nodes.len()).map(|index| bind_stage(compiler, index, &mut problems)).collect();
    compiler.problems.append(&mut problems);
    bound
}

fn bind_stage(compiler: &Compiler<'_>, index: usize, problems: &mut Vec<Problem>) -> BTreeMap<String, Vec<usize>> {
    let mut bound = BTreeMap::new();
    let Some(node) = compiler.nodes.get(index) else { return bound };
    let Some(spec) = node.spec else { return bound };
    if compiler.cyclic {
        return bound;
    }
    let ancestors = compiler.order.ancestors(index);
    // An ancestor whose kind is not known, or a need that is not, could make anything.
    let guess =
        ancestors.iter().chain([&(index, 0)]).filter_map(|(ancestor, _)| compiler.nodes.get(*ancestor)).any(|node| {
            node.spec.is_none() || node.definition.needs.iter().any(|need| compiler.position(need).is_none())
        });
    let ports: Vec<&str> = spec.inputs.iter().map(|port| port.name.as_str()).collect();
    for port in node.definition.inputs.keys().filter(|port| !ports.contains(&port.as_str())) {
        let path = format!("{}.inputs.{port}", node.path);
        let problem = compiler.definition.problem(&path, format!("`{}` has no input `{port}`", spec.kind));
        problems.push(problem.suggest(port, ports.iter().copied()));
    }
    for port in &spec.inputs {
        let makers = match node.definition.inputs.get(&port.name) {
            Some(chosen) => choose(compiler, node, port, &ancestors, chosen, problems),
            None => find(compiler, node, port, &ancestors, guess, problems),
        };
        if !makers.is_empty() {
            bound.insert(port.name.clone(), makers);
        }
    }
    bound
}

fn makes(node: &Node<'_>, port: &PortSpec) -> bool {
    node.spec.is_some_and(|spec| spec.outputs.iter().any(|made| made.name == port.name && made.kind == port.kind))
}

/// A source whose columns are known only at submit may make any field.
fn may_make(node: &Node<'_>, port: &PortSpec) -> bool {
    port.kind == PortKind::Field && node.spec.is_some_and(|spec| spec.open_outputs)
}

fn find(
    compiler: &Compiler<'_>,
    node: &Node<'_>,
    port: &PortSpec,
    ancestors: &[(usize, u32)],
    guess: bool,
    problems: &mut Vec<Problem>,
) -> Vec<usize> {
    let of = |index: usize| compiler.nodes.get(index);
    let mut makers: Vec<(usize, u32)> =
        ancestors.iter().copied().filter(|(index, _)| of(*index).is_some_and(|maker| makes(maker, port))).collect();
    if makers.is_empty() {
        makers = ancestors
            .iter()
            .copied()
            .filter(|(index, _)| of(*index).is_some_and(|maker| may_make(maker, port)))
            .collect();
    }
    let name = |index: usize| of(index).map(|maker| maker.definition.name.as_str()).unwrap_or_default();
    let enabled: Vec<(usize, u32)> =
        makers.iter().copied().filter(|(index, _)| of(*index).is_some_and(|maker| maker.enabled)).collect();
    if !node.enabled || guess {
        return makers.into_iter().map(|(index, _)| index).collect();
    }
    let what = match port.kind {
        PortKind::Field => "field",
        PortKind::File => "file",
    };
    match enabled.as_slice() {
        [] if port.optional || node.definition.needs.is_empty() => {}
        [] if makers.is_empty() => {
            let message = format!("nothing before this stage makes its input `{}` (a {what})", port.name);
            let elsewhere: Vec<&str> = compiler
                .nodes
                .iter()
                .filter(|maker| makes(maker, port) && maker.definition.name != node.definition.name)
                .map(|maker| maker.definition.name.as_str())
                .collect();
            let problem = compiler.definition.problem(&node.path, message);
            problems.push(if elsewhere.is_empty() {
                problem
            } else {
                problem.hint(format!("{} could; add it to `needs`", listing(&elsewhere)))
            });
        }
        [] => {
            let off: Vec<&str> = makers.iter().map(|(index, _)| name(*index)).collect();
            let verb = if off.len() == 1 { "is" } else { "are" };
            let message = format!("its input `{}` is made by {}, which {verb} disabled", port.name, listing(&off));
            problems.push(
                compiler.definition.problem(&node.path, message).hint("disable this stage too, or enable the other"),
            );
        }
        [(first, near), rest @ ..] => {
            let equal = rest.iter().filter(|(_, distance)| distance == near);
            let tied: Vec<&str> = [name(*first)].into_iter().chain(equal.map(|(index, _)| name(*index))).collect();
            if tied.len() > 1 {
                let message = format!("{} make its input `{}`, none of them nearer", listing(&tied), port.name);
                let hint = format!("choose with `inputs = {{ {} = \"{}\" }}`", port.name, name(*first));
                problems.push(compiler.definition.problem(&node.path, message).hint(hint));
            }
        }
    }
    makers.into_iter().map(|(index, _)| index).collect()
}

/// The chosen stage first, then its own ancestors, for when it is passed over.
fn choose(
    compiler: &Compiler<'_>,
    node: &Node<'_>,
    port: &PortSpec,
    ancestors: &[(usize, u32)],
    chosen: &str,
    problems: &mut Vec<Problem>,
) -> Vec<usize> {
    let path = format!("{}.inputs.{}", node.path, port.name);
    let Some(index) = compiler.position(chosen) else {
        let problem = compiler.definition.problem(&path, format!("unknown stage `{chosen}`"));
        problems.push(problem.suggest(chosen, compiler.names()));
        return Vec::new();
    };
    let Some(maker) = compiler.nodes.get(index) else { return Vec::new() };
    if !ancestors.iter().any(|(ancestor, _)| *ancestor == index) {
        let problem = compiler.definition.problem(&path, format!("`{chosen}` does not come before this stage"));
        problems.push(problem.hint(format!("add `{chosen}` to `needs`")));
        return Vec::new();
    }
    if maker.spec.is_some() && !makes(maker, port) && !may_make(maker, port) {
        let message = format!("`{chosen}` does not make `{}`", port.name);
        problems.push(compiler.definition.problem(&path, message));
        return Vec::new();
    }
    let further = compiler.order.ancestors(index);
    let further =
        further.iter().filter(|(index, _)| compiler.nodes.get(*index).is_some_and(|maker| makes(maker, port)));
    let makers: Vec<usize> = [index].into_iter().chain(further.map(|(index, _)| *index)).collect();
    let any = makers.iter().any(|index| compiler.nodes.get(*index).is_some_and(|maker| maker.enabled));
    if node.enabled && !any && !port.optional {
        let message = format!("its input `{}` is taken from `{chosen}`, which is disabled", port.name);
        problems.push(compiler.definition.problem(&path, message));
    }
    makers
}
