//! The conditions of a definition, checked against what the stages before make.

use serde_json::{Map, Value, json};

use crate::expression::{Condition, Scope};

use super::compile::{Compiler, Node};
use super::spec::PortKind;

/// The variable that holds what the source says of the item.
const ITEM: &str = "item";

/// For each stage of the definition, its parsed condition.
pub(super) fn check(compiler: &mut Compiler<'_>) -> Vec<Option<Condition>> {
    let mut found = Vec::with_capacity(compiler.nodes.len());
    for index in 0..compiler.nodes.len() {
        let Some(node) = compiler.nodes.get(index) else { continue };
        let Some(source) = &node.definition.when else {
            found.push(None);
            continue;
        };
        let path = format!("{}.when", node.path);
        match Condition::parse(source) {
            Ok(condition) => {
                if !compiler.cyclic {
                    check_one(compiler, index, &path, &condition);
                }
                found.push(Some(condition));
            }
            Err(error) => {
                compiler.report(&path, error.to_string());
                found.push(None);
            }
        }
    }
    found
}

fn check_one(compiler: &mut Compiler<'_>, index: usize, path: &str, condition: &Condition) {
    let ancestors = compiler.order.ancestors(index);
    let mut scope = Scope::new();
    for (ancestor, _) in &ancestors {
        let Some(node) = compiler.nodes.get(*ancestor) else { continue };
        let (schema, open) = outputs(node);
        scope = scope.variable(&node.definition.name, &schema, open);
        if node.spec.is_some_and(|spec| spec.source) {
            scope = scope.variable(ITEM, &schema, open);
        }
    }
    // Stages that exist and do not come before have a better message than "unknown".
    let known: Vec<&str> = ancestors
        .iter()
        .filter_map(|(index, _)| compiler.nodes.get(*index))
        .map(|node| node.definition.name.as_str())
        .collect();
    let mut elsewhere = Vec::new();
    for name in condition.references() {
        if !known.contains(&name.as_str()) && compiler.position(&name).is_some() {
            scope = scope.variable(&name, &json!({}), true);
            elsewhere.push(name);
        }
    }
    for name in elsewhere {
        let hint = format!("add `{name}` to `needs`, or to those of a stage before");
        compiler.report_hint(path, format!("`{name}` does not come before this stage"), hint);
    }
    for problem in condition.check(&scope).err().unwrap_or_default() {
        let message = match problem.column {
            Some(column) => format!("{} (at character {column})", problem.message),
            None => problem.message,
        };
        match problem.hint {
            Some(hint) => compiler.report_hint(path, message, hint),
            None => compiler.report(path, message),
        }
    }
}

/// Returns the JSON Schema of a stage's output object, and whether it may hold more.
fn outputs(node: &Node<'_>) -> (Value, bool) {
    let Some(spec) = node.spec else { return (json!({}), true) };
    let fields = spec.outputs.iter().filter(|port| port.kind == PortKind::Field);
    let properties: Map<String, Value> = fields.map(|port| (port.name.clone(), port.schema.clone())).collect();
    (json!({"type": "object", "properties": properties}), spec.open_outputs)
}
