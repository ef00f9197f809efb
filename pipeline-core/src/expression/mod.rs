//! Conditions: CEL expressions over the outputs of earlier stages, parsed once, type-checked, evaluated without side
//! effects.

mod bounds;
mod check;
mod condition;
mod numbers;
mod scope;

#[cfg(test)]
mod tests;

pub use check::ConditionProblem;
pub use condition::{Condition, ConditionError, Facts};
pub use scope::Scope;
