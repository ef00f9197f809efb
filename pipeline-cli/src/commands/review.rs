//! `items approve|discard|retry` and `jobs retry`.

use std::collections::BTreeMap;

use serde_json::json;

use pipeline_core::error::chain;
use pipeline_core::id::JobId;
use pipeline_core::model::ItemStatus;
use pipeline_core::query::{Term, Test};
use pipeline_core::storage::{ItemQuery, ItemRecord, Reviewer};
use pipeline_engine::{Engine, RetryRequest, Reviewed, Selected, Wish};

use crate::actor::actor;
use crate::args::{RetryJobArgs, ReviewArgs, ReviewerArgs, RoundArgs};
use crate::lookup;
use crate::output::{Exit, Failure, Output, Row, Table, notice, short};
use crate::request;

use super::confirm::{confirm, counted};
use super::query;

/// How many items are asked for at once.
const PAGE: u32 = 500;

/// What is retried unless said otherwise.
const BAD: [ItemStatus; 3] = [ItemStatus::Rejected, ItemStatus::Undecided, ItemStatus::Failed];

/// Lets items go on after the check that stopped them.
pub(crate) async fn approve(engine: &Engine, args: &ReviewArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    named(engine, args, &Wish::Approve, output).await
}

/// Marks items as not wanted.
pub(crate) async fn discard(engine: &Engine, args: &ReviewArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    named(engine, args, &Wish::Discard, output).await
}

/// Begins another round of items.
pub(crate) async fn retry(
    engine: &Engine,
    args: &ReviewArgs,
    round: &RoundArgs,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    named(engine, args, &Wish::Retry(self::round(round)?), output).await
}

/// Begins another round of the items of a job.
pub(crate) async fn retry_job(engine: &Engine, args: &RetryJobArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let wish = Wish::Retry(round(&args.round)?);
    let by = reviewer(engine, &args.by)?;
    let mut query = query::read(args.query.as_deref().unwrap_or_default(), &args.status)?;
    if !query.terms.iter().any(Term::restricts_states) {
        query.terms.push(Term { negated: false, test: Test::State(BAD.to_vec()) });
    }
    let job = lookup::job(engine, &args.job.job).await?;
    let mut told = Told::new(args.by.dry_run);
    if !args.ids.is_empty() {
        let items = named_of(engine, job.id, &args.ids).await?;
        if !args.yes && !args.by.dry_run {
            confirm(("Retry", "retried"), items.len() as u64, "item")?;
        }
        told.tell(&items, engine.review(job.id, &items, &wish, &by, args.by.dry_run).await?);
        return told.print(output);
    }
    let dry_run = args.by.dry_run;
    if !args.yes && !dry_run {
        let (mut count, mut after) = (0, None);
        loop {
            let Selected { items, next } = engine.select(&query, page(job.id, after)).await?;
            count += items.len() as u64;
            after = next;
            if after.is_none() {
                break;
            }
        }
        if count > 0 {
            confirm(("Retry", "retried"), count, "item")?;
        }
    }
    let mut after = None;
    loop {
        let Selected { items, next } = engine.select(&query, page(job.id, after)).await?;
        // Without items as well: what is wrong with the wish is told.
        if !items.is_empty() || next.is_none() {
            told.tell(&items, engine.review(job.id, &items, &wish, &by, dry_run).await?);
        }
        after = next;
        if after.is_none() {
            break;
        }
    }
    told.print(output)
}

/// Asks for the next items of a job.
fn page(job: JobId, after: Option<(u32, u32)>) -> ItemQuery {
    ItemQuery { after, limit: PAGE, ..ItemQuery::of(job) }
}

/// Finds the items of a job that are named.
async fn named_of(engine: &Engine, job: JobId, named: &[String]) -> Result<Vec<ItemRecord>, Failure> {
    let mut items: Vec<ItemRecord> = Vec::with_capacity(named.len());
    for text in named {
        let id = lookup::item(engine, text).await?;
        match engine.item(id).await {
            Ok((item, _)) if item.job == job => {
                if items.iter().all(|known| known.id != id) {
                    items.push(item);
                }
            }
            Ok(_) => {
                return Err(Failure::wrong(format!("--ids {text}: the item is of another job"))
                    .hint(format!("`pipeline items list {}` shows those of the job", lookup::short_id(job))));
            }
            Err(error) if error.kind() == pipeline_core::ErrorKind::NotFound => return Err(lookup::no_item(text)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(items)
}

/// Decides about the items that are named.
async fn named(engine: &Engine, args: &ReviewArgs, wish: &Wish, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let by = reviewer(engine, &args.by)?;
    let mut jobs: BTreeMap<JobId, Vec<ItemRecord>> = BTreeMap::new();
    for text in &args.items {
        let id = lookup::item(engine, text).await?;
        let (item, _) = match engine.item(id).await {
            Err(error) if error.kind() == pipeline_core::ErrorKind::NotFound => return Err(lookup::no_item(text)),
            found => found?,
        };
        let items = jobs.entry(item.job).or_default();
        if !items.iter().any(|known| known.id == item.id) {
            items.push(item);
        }
    }
    let mut told = Told::new(args.by.dry_run);
    for (job, items) in &jobs {
        let mut reviewed = engine.review(*job, items, wish, &by, args.by.dry_run).await?;
        // One that cannot be done is a wrong request; of several each is told for itself.
        if let ([_], [Reviewed { outcome, .. }]) = (args.items.as_slice(), reviewed.as_mut_slice())
            && outcome.is_err()
            && let Err(error) = std::mem::replace(outcome, Ok(0))
        {
            return Err(Failure::blame_request(&error));
        }
        told.tell(items, reviewed);
    }
    told.print(output)
}

/// Reads what a round does again.
fn round(args: &RoundArgs) -> Result<RetryRequest, Failure> {
    let layers = request::assignments(&args.set)?;
    Ok(RetryRequest { from: args.from.clone(), only: args.only.clone(), skip: args.skip.clone(), layers })
}

fn reviewer(engine: &Engine, args: &ReviewerArgs) -> Result<Reviewer, Failure> {
    let actor = actor(engine, args.actor.as_deref())?;
    Ok(Reviewer { actor, reason: args.reason.clone().filter(|reason| !reason.trim().is_empty()) })
}

/// What became of each item.
struct Told {
    table: Table,
    done: u64,
    /// How many of those go on in another round.
    begun: u64,
    refused: u64,
    dry_run: bool,
}

impl Told {
    fn new(dry_run: bool) -> Self {
        let table = Table::new(&["#", "name", "was", "outcome", "id"]).empty("no items");
        Self { table, done: 0, begun: 0, refused: 0, dry_run }
    }

    fn tell(&mut self, items: &[ItemRecord], reviewed: Vec<Reviewed>) {
        for (item, Reviewed { outcome, .. }) in items.iter().zip(reviewed) {
            let text = match &outcome {
                Ok(round) if *round > item.machine.round => format!("round {round} begins"),
                Ok(_) => "marked".to_owned(),
                Err(error) => chain(error),
            };
            match &outcome {
                Ok(_) => self.done += 1,
                Err(_) => self.refused += 1,
            }
            self.begun += u64::from(outcome.as_ref().is_ok_and(|round| *round > item.machine.round));
            let value = json!({
                "id": item.id,
                "job": item.job,
                "name": item.name,
                "was": item.status,
                "round": outcome.as_ref().ok(),
                "error": outcome.as_ref().err().map(|error| chain(error)),
                "applied": outcome.is_ok() && !self.dry_run,
            });
            let place = format!("{}.{}", item.ordinal + 1, item.slot + 1);
            let cells = [place, short(&item.name, 40), item.status.to_string(), short(&text, 100), item.id.to_string()];
            self.table.push(Row::new(cells, value));
        }
    }

    fn print(self, output: &mut Output<'_>) -> Result<Exit, Failure> {
        output.rows(&self.table)?;
        let (done, refused) = (counted(self.done, "item"), counted(self.refused, "item"));
        if self.dry_run {
            notice(&format!("would be done for {done}, refused for {refused}; nothing was changed"));
        } else if self.done > 0 {
            let next = if self.begun > 0 { "; a worker or `pipeline jobs resume JOB` goes on" } else { "" };
            notice(&format!("done for {done}, refused for {refused}{next}"));
        }
        Ok(if self.refused == 0 { Exit::Good } else { Exit::Imperfect })
    }
}
