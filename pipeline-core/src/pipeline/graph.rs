//! A plan drawn: Graphviz DOT, and a list for a terminal.

use std::fmt::Write;

use super::plan::{Plan, PlannedStage, Role};

/// Draws the plan in Graphviz DOT.
pub fn graph(plan: &Plan) -> String {
    let mut text = format!("digraph {} {{\n  rankdir=LR;\n  node [shape=box];\n", quote(&plan.pipeline));
    for stage in &plan.stages {
        let shape = match stage.role {
            Role::Work => "box",
            Role::Check => "diamond",
        };
        let style = if stage.enabled { "" } else { ", style=dashed" };
        let label = quote(&format!("{}\n{}{}", stage.name, stage.kind, times(stage)));
        let _ = writeln!(text, "  {} [shape={shape}{style}, label={label}];", quote(stage.name.as_str()));
    }
    for stage in &plan.stages {
        let condition =
            stage.when.as_ref().map(|when| format!(" [label={}]", quote(when.source()))).unwrap_or_default();
        for need in stage.needs.iter().filter_map(|need| plan.stage(*need)) {
            let (from, to) = (quote(need.name.as_str()), quote(stage.name.as_str()));
            let _ = writeln!(text, "  {from} -> {to}{condition};");
        }
    }
    text.push_str("}\n");
    text
}

/// Draws the plan as text: one line for each stage, indented by the longest way from the source.
pub fn graph_text(plan: &Plan) -> String {
    let mut text = String::new();
    let mut depths: Vec<usize> = Vec::with_capacity(plan.stages.len());
    for stage in &plan.stages {
        let depth = stage.needs.iter().filter_map(|need| depths.get(*need)).map(|depth| depth + 1).max().unwrap_or(0);
        depths.push(depth);
        let branch = if depth == 0 { String::new() } else { format!("{}└─ ", "   ".repeat(depth - 1)) };
        let _ = write!(text, "{branch}{} ({}{})", stage.name, stage.kind, times(stage));
        let needs: Vec<&str> =
            stage.needs.iter().filter_map(|need| plan.stage(*need)).map(|need| need.name.as_str()).collect();
        if needs.len() > 1 {
            let _ = write!(text, " after {}", needs.join(" and "));
        }
        if let Some(when) = &stage.when {
            let _ = write!(text, " when {when}");
        }
        if let Some(reason) = &stage.disabled_because {
            let _ = write!(text, " [off: {reason}]");
        }
        text.push('\n');
    }
    text
}

fn times(stage: &PlannedStage) -> String {
    stage.expand.map(|count| format!(" ×{count}")).unwrap_or_default()
}

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
