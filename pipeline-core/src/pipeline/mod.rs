//! Pipelines: what a stage kind is, what a definition says, and the compiled plan the executor walks.

mod canonical;
mod checks;
mod compile;
mod conditions;
mod definition;
mod graph;
mod inputs;
mod order;
mod plan;
mod spec;
mod templates;

#[cfg(test)]
mod tests;

pub use checks::MAX_EXPAND;
pub use compile::{Compiled, ProviderNames, compile};
pub use definition::{Definition, StageDefinition};
pub use graph::{graph, graph_text};
pub use plan::{
    Cache, Group, GroupBy, OnFailure, PLAN_FORMAT, Plan, PlanWarning, PlannedStage, Policy, Role, StageIndex,
};
pub use spec::{Catalog, PortKind, PortSpec, ProviderSlot, StageSpec};
