//! The templates in a definition's settings, checked against the inputs of their stage and the fields before it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::template::Template;

use super::compile::Compiler;
use super::spec::PortKind;

/// Checks every template of every stage.
pub(super) fn check(compiler: &mut Compiler<'_>) {
    let mut wrong = Vec::new();
    for (index, node) in compiler.nodes.iter().enumerate() {
        let Some(spec) = node.spec else { continue };
        let ancestors = compiler.order.ancestors(index);
        let mut known: BTreeMap<String, Value> = BTreeMap::new();
        let mut open = spec.open_outputs || compiler.cyclic;
        for ancestor in ancestors.iter().filter_map(|(ancestor, _)| compiler.nodes.get(*ancestor)) {
            let Some(spec) = ancestor.spec else {
                open = true;
                continue;
            };
            open |= spec.open_outputs;
            for port in spec.outputs.iter().filter(|port| port.kind == PortKind::Field) {
                known.entry(port.name.clone()).or_insert_with(|| port.schema.clone());
            }
        }
        for port in spec.inputs.iter().filter(|port| port.kind == PortKind::Field) {
            known.insert(port.name.clone(), port.schema.clone());
        }
        for setting in &spec.templates {
            let Some(source) = node.settings.get(setting).and_then(Value::as_str) else { continue };
            let path = format!("{}.settings.{setting}", node.path);
            match Template::parse(source) {
                Ok(template) => wrong.extend(
                    template.check(&known, open).into_iter().map(|(message, hint)| (path.clone(), message, hint)),
                ),
                Err(error) => wrong.push((path, error.to_string(), None)),
            }
        }
    }
    for (path, message, hint) in wrong {
        match hint {
            Some(hint) => compiler.report_hint(&path, message, hint),
            None => compiler.report(&path, message),
        }
    }
}
