//! Pipelines: what a stage kind is, what a definition says, and the compiled plan the executor walks.

mod canonical;
mod compile;
mod conditions;
mod definition;
mod inputs;
mod order;
mod plan;
mod spec;
mod templates;

pub use compile::{Compiled, MAX_EXPAND, ProviderNames, compile};
pub use definition::{Definition, StageDefinition};
pub use plan::{Group, GroupBy, OnFailure, PLAN_FORMAT, Plan, PlanWarning, PlannedStage, Policy, Role, StageIndex};
pub use spec::{Catalog, PortKind, PortSpec, ProviderSlot, StageSpec};
