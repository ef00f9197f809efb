//! Pipelines: what a stage kind is, what a definition says, and the compiled plan the executor walks.

mod plan;
mod spec;

pub use plan::{Group, GroupBy, OnFailure, PLAN_FORMAT, Plan, PlanWarning, PlannedStage, Policy, Role, StageIndex};
pub use spec::{Catalog, PortKind, PortSpec, ProviderSlot, StageSpec};
