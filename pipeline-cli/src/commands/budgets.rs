//! `budgets list`, `budgets set`, `jobs budget`; and what a closed budget means for a run.

use serde_json::{Value, json};

use pipeline_core::model::Money;
use pipeline_core::storage::{Budget, BudgetKey, Closed, JobRecord};
use pipeline_engine::Engine;

use crate::lookup::short_id;
use crate::output::{Exit, Failure, Output, Row, Table, clean, money};
use crate::request::amount;

use super::jobs;

/// Lists the budgets of owners, and of jobs that have not ended.
pub(crate) async fn list(engine: &Engine, output: &mut Output<'_>) -> Result<Exit, Failure> {
    output.rows(&table(&engine.store().budgets().await?))?;
    Ok(Exit::Good)
}

/// Sets or removes the budget of an owner.
pub(crate) async fn set(engine: &Engine, owner: &str, text: &str, output: &mut Output<'_>) -> Result<Exit, Failure> {
    if owner.trim().is_empty() {
        return Err(Failure::wrong("the owner is empty").hint("accepted: a name, for example system"));
    }
    change(engine, BudgetKey::Owner(owner.to_owned()), text, output).await
}

/// Sets or removes the budget of a job.
pub(crate) async fn of_job(engine: &Engine, text: &str, given: &str, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let job = jobs::open(engine, text, "given a budget").await?;
    change(engine, BudgetKey::Job(job.id), given, output).await
}

async fn change(engine: &Engine, key: BudgetKey, text: &str, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let wanted = if text == "none" { None } else { Some(amount("AMOUNT", text)?) };
    let budget = engine.set_budget(key.clone(), wanted).await?;
    if !output.is_table() {
        output.value(&budget.as_ref().map(value))?;
    } else if let Some(budget) = &budget {
        output.table(&table(std::slice::from_ref(budget)))?;
    } else {
        output.line(&format!("{} has no budget", named(&key)))?;
    }
    Ok(Exit::Good)
}

fn table(budgets: &[Budget]) -> Table {
    let header = ["budget of", "state", "amount", "spent", "reserved", "left"];
    let mut table = Table::new(&header).empty("no budgets: `pipeline budgets set OWNER 5.00` sets one");
    for budget in budgets {
        let cells = [
            named(&budget.key),
            state(budget),
            budget.amount.to_string(),
            budget.spent.to_string(),
            budget.reserved.to_string(),
            budget.left().to_string(),
        ];
        table.push(Row::new(cells, value(budget)));
    }
    table
}

/// Says whether paid work goes on, and why not.
fn state(budget: &Budget) -> String {
    match budget.closed {
        None => "open".to_owned(),
        Some(Closed::Wants(wanted)) => format!("used up: a call may cost {}", money(wanted)),
        Some(Closed::Unpriced) => "closed: the price of a call is not known".to_owned(),
    }
}

/// Returns what machines get of a budget.
pub(super) fn value(budget: &Budget) -> Value {
    let wants = match budget.closed {
        Some(Closed::Wants(wanted)) => Some(wanted.as_micros()),
        Some(Closed::Unpriced) | None => None,
    };
    json!({
        "budget": budget.key,
        "amount_micros": budget.amount.as_micros(),
        "spent_micros": budget.spent.as_micros(),
        "reserved_micros": budget.reserved.as_micros(),
        "left_micros": budget.left().as_micros(),
        "closed": budget.closed.is_some(),
        "wants_micros": wants,
        "unpriced": budget.closed == Some(Closed::Unpriced),
    })
}

/// Says in a line how a budget stands.
pub(super) fn line(budget: &Budget) -> String {
    let reserved = match budget.reserved {
        Money::ZERO => String::new(),
        reserved => format!(", {} reserved", money(reserved)),
    };
    format!("{} of {} spent{reserved}; {}", budget.spent, budget.amount, state(budget))
}

/// Says whose budget it is.
pub(super) fn named(key: &BudgetKey) -> String {
    match key {
        BudgetKey::Job(id) => format!("job {}", short_id(*id)),
        BudgetKey::Owner(name) => format!("owner {}", clean(name)),
    }
}

/// Says why a job does not go on for want of money, and what to do about it.
pub(super) fn plea(budget: &Budget) -> String {
    let command = match &budget.key {
        BudgetKey::Job(id) => format!("pipeline jobs budget {} AMOUNT", short_id(*id)),
        BudgetKey::Owner(name) => format!("pipeline budgets set {} AMOUNT", clean(name)),
    };
    let (spent, amount) = (budget.spent, budget.amount);
    let whose = named(&budget.key);
    match budget.closed {
        Some(Closed::Unpriced) => format!(
            "the budget of {whose} ({spent} of {amount} spent) holds back calls of which nobody knows what they may cost; \
             give max_cost or price in the provider's section, then let it go on with: {command}"
        ),
        Some(Closed::Wants(wanted)) => {
            let reserved = match budget.reserved {
                Money::ZERO => String::new(),
                reserved => format!(", {} is reserved for calls without an answer", money(reserved)),
            };
            format!(
                "the budget of {whose} is used up: {spent} of {amount} is spent{reserved}, and the next call may cost {}; \
                 raise it with: {command}",
                money(wanted)
            )
        }
        None => format!("the budget of {whose} is open again"),
    }
}

/// Returns the closed budgets that a job waits for, once nothing of it goes on by itself.
pub(super) async fn in_the_way(engine: &Engine, job: &JobRecord) -> Result<Vec<Budget>, Failure> {
    if job.status.is_terminal() { Ok(Vec::new()) } else { Ok(engine.closed_budgets(job).await?) }
}
