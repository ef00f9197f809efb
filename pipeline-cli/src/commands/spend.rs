//! `spend`: what calls have cost, added up.

use serde_json::json;

use pipeline_core::model::Money;
use pipeline_engine::{Engine, Spend, SpendBy, SpendQuery};

use crate::args::{By, SpendArgs};
use crate::lookup;
use crate::output::{Exit, Failure, Output, Row, Table, short};
use crate::when;

/// Adds up what calls have cost.
pub(crate) async fn spend(engine: &Engine, args: &SpendArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let moment = |option, text: &Option<String>| text.as_ref().map(|text| when::moment(option, text)).transpose();
    let (since, until) = (moment("--since", &args.since)?, moment("--until", &args.until)?);
    let job = match &args.job {
        Some(text) => Some(lookup::job(engine, text).await?.id),
        None => None,
    };
    let by = match args.by {
        By::Job => SpendBy::Job,
        By::Stage => SpendBy::Stage,
        By::Provider => SpendBy::Provider,
        By::Model => SpendBy::Model,
        By::Prompt => SpendBy::Prompt,
        By::Owner => SpendBy::Owner,
        By::Day => SpendBy::Day,
    };
    let name = by.as_str();
    let sums = engine.spend(&SpendQuery { by, since, until, job, owner: args.owner.clone() }).await?;
    let mut table = Table::new(&[name, "calls", "spent", "without outcome", "reserved"])
        .empty("nothing was spent: no such calls of providers that cost something");
    for sum in &sums {
        table.push(row(sum, name));
    }
    if output.is_table() && sums.len() > 1 {
        let mut all = Spend { key: "all".to_owned(), ..Spend::default() };
        for sum in &sums {
            all.calls += sum.calls;
            all.spent += sum.spent;
            all.unsettled += sum.unsettled;
            all.reserved += sum.reserved;
        }
        table.push(row(&all, name));
    }
    output.rows(&table)?;
    Ok(Exit::Good)
}

fn row(sum: &Spend, name: &str) -> Row {
    let amount = |money: Money| money.to_string();
    let key = if sum.key.is_empty() { "-".to_owned() } else { short(&sum.key, 60) };
    let cells = [key, sum.calls.to_string(), amount(sum.spent), sum.unsettled.to_string(), amount(sum.reserved)];
    let value = json!({
        name: sum.key,
        "calls": sum.calls,
        "spent_micros": sum.spent.as_micros(),
        "unsettled": sum.unsettled,
        "reserved_micros": sum.reserved.as_micros(),
    });
    Row::new(cells, value)
}
