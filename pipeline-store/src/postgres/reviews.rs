//! Reviews: rulings on items that have ended, and the jobs that open again by them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::executor::ItemMachine;
use pipeline_core::id::{ItemId, JobId};
use pipeline_core::model::{Control, ItemStatus};
use pipeline_core::storage::{EventBody, ReviewDesk, ReviewQuery, ReviewRecord, Reviewer, Ruling, RulingReply};
use pipeline_core::time::Timestamp;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::bell::Bell;
use super::fault::Work;
use super::finish::{self, Changes};
use super::store::{Begin, PostgresStore};
use super::{gates, hooks, rows, submit};

/// Items before jobs, each in the order of ids, as everywhere.
const ITEMS: &str = "SELECT id, job, session IS NULL, machine, status, leaves, steps FROM items WHERE id = ANY ($1) \
     ORDER BY id FOR NO KEY UPDATE";

const JOBS: &str = "SELECT id, control FROM jobs WHERE id = ANY ($1) AND deleted IS NULL ORDER BY id FOR NO KEY UPDATE";

const UPDATE: &str = "UPDATE items SET status = given.status, leaves = given.leaves, steps = given.steps, \
     open = given.status IN ('pending', 'running', 'waiting'), claimable_at = given.claimable_at, unit = given.unit, \
     gate = given.gate, machine = given.machine, updated_at = $9, stage = given.stage, code = given.code, \
     round = given.round FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::uuid[], \
     $7::text[], $8::text[], $10::bigint[], $11::text[], $12::bigint[]) \
     AS given (id, status, leaves, steps, claimable_at, unit, gate, machine, stage, code, round) WHERE items.id = given.id";

/// Opens those jobs that have ended. One with a key waits for its turn again.
const REOPEN: &str = "WITH opened AS (UPDATE jobs SET status = NULL, ended_at = NULL \
     WHERE id = ANY ($1) AND status IS NOT NULL RETURNING id, control) \
     UPDATE turns SET open = true, eligible = opened.control = 'run', \
     started_at = CASE WHEN key IS NULL THEN started_at END FROM opened WHERE turns.job = opened.id RETURNING turns.job";

const INSERT: &str = "INSERT INTO reviews (job, item, round, decision, actor, reason, at) \
     SELECT given.job, given.item, given.round, given.decision, $5, $6, $7 \
     FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[]) WITH ORDINALITY \
     AS given (job, item, round, decision, place) ORDER BY given.place";

const LIST: &str = "SELECT job, item, round, decision, actor, reason, at FROM reviews \
     WHERE ($1::uuid IS NULL OR job = $1) AND ($2::uuid IS NULL OR item = $2) ORDER BY no LIMIT $4 OFFSET $3";

#[async_trait]
impl ReviewDesk for PostgresStore {
    async fn rule(&self, by: Reviewer, rulings: Vec<Ruling>) -> Result<Vec<RulingReply>> {
        let replies = self
            .write(Begin::Durable, (by, rulings), |connection, inner, (by, rulings)| {
                Box::pin(async move {
                    let now = inner.now(connection).await?;
                    rule(connection, by, rulings, now).await
                })
            })
            .await?;
        Bell::ring(&self.inner);
        Ok(replies)
    }

    async fn reviews(&self, query: ReviewQuery) -> Result<Vec<ReviewRecord>> {
        self.read(query, |connection, query| {
            Box::pin(async move {
                let rows = sqlx::query(LIST)
                    .bind(query.job.map(|job| job.as_uuid()))
                    .bind(query.item.map(|item| item.as_uuid()))
                    .bind(i64::from(query.skip))
                    .bind(if query.limit == 0 { 100 } else { i64::from(query.limit) })
                    .fetch_all(connection)
                    .await?;
                let read = |row| {
                    Ok(ReviewRecord {
                        job: rows::job_id(row, 0)?,
                        item: rows::item_id(row, 1)?,
                        round: rows::number(row, 2)?,
                        decision: rows::json(row, 3)?,
                        by: Reviewer { actor: row.try_get(4)?, reason: row.try_get(5)? },
                        at: rows::time(row, 6)?,
                    })
                };
                rows.iter().map(read).collect()
            })
        })
        .await
    }
}

/// An item as it stands, locked.
struct Standing {
    free: bool,
    machine: ItemMachine,
    status: ItemStatus,
    leaves: i64,
    steps: i64,
}

type Standings = HashMap<(ItemId, JobId), Standing>;

async fn rule(
    connection: &mut PgConnection,
    by: &Reviewer,
    rulings: &[Ruling],
    now: Timestamp,
) -> Work<Vec<RulingReply>> {
    gates::know(connection, rulings.iter().filter_map(|ruling| ruling.gate.as_ref())).await?;
    let items = standings(connection, rulings).await?;
    let replies = answer(connection, rulings, &items).await?;
    let applied = rulings.iter().zip(&replies).filter(|(_, reply)| **reply == RulingReply::Applied);
    let applied: Vec<&Ruling> = applied.map(|(ruling, _)| ruling).collect();
    let changing: Vec<&Ruling> = applied.iter().copied().filter(|ruling| ruling.changes()).collect();
    let mut changes = Changes::new();
    if !changing.is_empty() {
        update(connection, &changing, now).await?;
        for job in reopen(connection, &changing).await? {
            changes.entry(job).or_default().tell([EventBody::Reopened]);
        }
    }
    for ruling in &changing {
        let change = changes.entry(ruling.job).or_default();
        if let Some(item) = items.get(&(ruling.item, ruling.job)) {
            change.add(item.status, -item.leaves, item.steps);
        }
        change.add(ruling.status, i64::from(ruling.machine.leaves), i64::from(ruling.machine.steps()));
    }
    for ruling in &applied {
        let item = ruling.item;
        let bodies = ruling.events.iter().map(|what| EventBody::Item { item, what: what.clone() });
        changes.entry(ruling.job).or_default().tell(bodies);
    }
    record(connection, by, &applied, now).await?;
    finish::finish(connection, &changes, now).await?;
    hooks::stir(connection, changes.keys()).await?;
    Ok(replies)
}

async fn standings(connection: &mut PgConnection, rulings: &[Ruling]) -> Work<Standings> {
    let ids: Vec<Uuid> = rulings.iter().map(|ruling| ruling.item.as_uuid()).collect();
    let mut items = Standings::new();
    for row in &sqlx::query(ITEMS).bind(ids).fetch_all(connection).await? {
        let standing = Standing {
            free: row.try_get(2)?,
            machine: rows::json(row, 3)?,
            status: rows::word(row, 4)?,
            leaves: row.try_get(5)?,
            steps: row.try_get(6)?,
        };
        items.insert((rows::item_id(row, 0)?, rows::job_id(row, 1)?), standing);
    }
    Ok(items)
}

/// Decides what becomes of each ruling.
async fn answer(connection: &mut PgConnection, rulings: &[Ruling], items: &Standings) -> Work<Vec<RulingReply>> {
    let jobs: BTreeSet<Uuid> = rulings.iter().map(|ruling| ruling.job.as_uuid()).collect();
    let mut controls: BTreeMap<JobId, Control> = BTreeMap::new();
    for row in &sqlx::query(JOBS).bind(jobs.into_iter().collect::<Vec<_>>()).fetch_all(connection).await? {
        controls.insert(rows::job_id(row, 0)?, rows::word(row, 1)?);
    }
    let mut ruled = HashSet::new();
    let mut replies = Vec::with_capacity(rulings.len());
    for ruling in rulings {
        let (Some(item), Some(control)) = (items.get(&(ruling.item, ruling.job)), controls.get(&ruling.job)) else {
            let missing = Error::not_found("the job has no such item");
            return Err(missing.with("job", ruling.job).with("item", ruling.item).into());
        };
        let reply = ruling.answer(*control, item.free, &item.machine, ruled.contains(&ruling.item));
        if reply == RulingReply::Applied {
            ruled.insert(ruling.item);
        }
        replies.push(reply);
    }
    Ok(replies)
}

async fn update(connection: &mut PgConnection, rulings: &[&Ruling], now: Timestamp) -> Work<()> {
    // 0 is now: see the index `items_due`.
    let due = |ruling: &&Ruling| ruling.due().map(|at| if at > now { at.as_micros() } else { 0 });
    let machines = rulings.iter().map(|ruling| serde_json::to_string(&ruling.machine));
    sqlx::query(UPDATE)
        .bind(rulings.iter().map(|ruling| ruling.item.as_uuid()).collect::<Vec<_>>())
        .bind(rulings.iter().map(|ruling| ruling.status.as_str()).collect::<Vec<_>>())
        .bind(rulings.iter().map(|ruling| i64::from(ruling.machine.leaves)).collect::<Vec<_>>())
        .bind(rulings.iter().map(|ruling| i64::from(ruling.machine.steps())).collect::<Vec<_>>())
        .bind(rulings.iter().map(due).collect::<Vec<_>>())
        .bind(rulings.iter().map(|ruling| ruling.unit.map(|unit| unit.as_uuid())).collect::<Vec<_>>())
        .bind(rulings.iter().map(|ruling| gates::stored(ruling.gate.as_ref())).collect::<Vec<_>>())
        .bind(machines.collect::<Result<Vec<_>, _>>()?)
        .bind(now.as_micros())
        .bind(rulings.iter().map(|ruling| ruling.machine.stop().map(|(stage, _)| stage as i64)).collect::<Vec<_>>())
        .bind(rulings.iter().map(|ruling| submit::code(&ruling.machine)).collect::<Vec<_>>())
        .bind(rulings.iter().map(|ruling| i64::from(ruling.machine.round)).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Opens the jobs of rulings that have ended, and returns which those are.
async fn reopen(connection: &mut PgConnection, rulings: &[&Ruling]) -> Work<Vec<JobId>> {
    let jobs: BTreeSet<Uuid> = rulings.iter().map(|ruling| ruling.job.as_uuid()).collect();
    let rows = sqlx::query(REOPEN).bind(jobs.into_iter().collect::<Vec<_>>()).fetch_all(connection).await?;
    rows.iter().map(|row| rows::job_id(row, 0)).collect()
}

async fn record(connection: &mut PgConnection, by: &Reviewer, rulings: &[&Ruling], now: Timestamp) -> Work<()> {
    let decisions = rulings.iter().map(|ruling| serde_json::to_string(&ruling.decision));
    sqlx::query(INSERT)
        .bind(rulings.iter().map(|ruling| ruling.job.as_uuid()).collect::<Vec<_>>())
        .bind(rulings.iter().map(|ruling| ruling.item.as_uuid()).collect::<Vec<_>>())
        .bind(rulings.iter().map(|ruling| i64::from(ruling.machine.round)).collect::<Vec<_>>())
        .bind(decisions.collect::<Result<Vec<_>, _>>()?)
        .bind(&by.actor)
        .bind(&by.reason)
        .bind(now.as_micros())
        .execute(connection)
        .await?;
    Ok(())
}
