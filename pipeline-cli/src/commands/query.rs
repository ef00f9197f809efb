//! Queries for items, as they are typed.

use pipeline_core::model::ItemStatus;
use pipeline_core::query::{Query, Term, Test};

use crate::output::Failure;

/// Reads a query, and adds the states that were asked for otherwise; none of them means any.
pub(super) fn read(text: &str, statuses: &[ItemStatus]) -> Result<Query, Failure> {
    let mut query = text.parse::<Query>().map_err(|error| {
        Failure::wrong(format!("--where \"{text}\": {error}"))
            .hint("accepted: terms such as state:failed stage:qc code:timeout sharpness<100 tag:cat \"red car\"")
    })?;
    if !statuses.is_empty() {
        query.terms.push(Term { negated: false, test: Test::State(statuses.to_vec()) });
    }
    Ok(query)
}
