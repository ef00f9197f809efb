//! What a job was expected to do and to cost, beside what it did.

use pipeline_core::model::{Estimate, Money};
use pipeline_core::storage::{JobRecord, Spend, SpendBy, SpendQuery};
use pipeline_engine::Engine;

use crate::output::{Failure, money};

/// The calls of a job that cost something or might have, and what was expected of them.
pub(super) struct Compared {
    /// Calls with a known outcome, and those without one.
    pub(super) calls: u64,
    /// Results made of answers that earlier jobs had.
    pub(super) reused: u64,
    /// What calls have cost.
    pub(super) spent: Money,
    expected: Option<Estimate>,
}

impl Compared {
    /// Reads it from the ledger.
    pub(super) async fn of(engine: &Engine, job: &JobRecord, expected: Option<Estimate>) -> Result<Self, Failure> {
        let query = SpendQuery { job: Some(job.id), ..SpendQuery::by(SpendBy::Job) };
        let sum = engine.spend(&query).await?.pop().unwrap_or_else(Spend::default);
        let reused = engine.store().reused(job.id).await?.values().sum();
        Ok(Self { calls: sum.calls + sum.unsettled, reused, spent: sum.spent, expected })
    }

    /// Returns what was expected, when calls were expected or made: a job of free stages has nothing to compare.
    pub(super) fn expected(&self) -> Option<&Estimate> {
        let kept = |estimate: &Estimate| estimate.stages.iter().any(|stage| stage.kept > 0);
        self.expected.as_ref().filter(|expected| self.calls > 0 || kept(expected))
    }

    /// Returns the lines for people.
    pub(super) fn pairs(&self, cost: Money) -> Vec<(&'static str, String)> {
        let Some(expected) = self.expected() else { return vec![("cost", money(cost))] };
        let estimate =
            expected.cost().map_or_else(|| "not known before".to_owned(), |cost| format!("estimated {cost}"));
        let reused = if self.reused == 0 { String::new() } else { format!(", {} reused", self.reused) };
        vec![
            ("cost", format!("{} ({estimate})", money(cost))),
            ("calls", format!("{}{reused} (estimated {})", self.calls, expected.calls())),
        ]
    }
}
