//! Reviews: rulings on items that have ended, and the jobs that open again by them.

use std::collections::{BTreeMap, HashMap, HashSet};

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::executor::ItemMachine;
use pipeline_core::id::{ItemId, JobId};
use pipeline_core::model::Control;
use pipeline_core::storage::{EventBody, ReviewDesk, ReviewQuery, ReviewRecord, Reviewer, Ruling, RulingReply};
use pipeline_core::time::Timestamp;
use sqlx::{Row as _, SqliteConnection};

use super::bulk::{Bound, Bulk};
use super::fault::Work;
use super::store::SqliteStore;
use super::{events, finish, gates, hooks, rows};

static UPDATE: Bulk = Bulk::new(
    "UPDATE items SET status = c.column2, leaves = c.column3, steps = c.column4, claimable_at = c.column5, \
     unit = c.column6, gate = c.column7, machine = c.column8, updated_at = c.column9, stage = c.column10, \
     code = c.column11, round = c.column12 FROM (",
    12,
    ") AS c WHERE items.id = c.column1",
);

static INSERT: Bulk =
    Bulk::insert("INSERT INTO reviews (job, item, round, decision, actor, reason, at) SELECT * FROM (", 7);

#[async_trait]
impl ReviewDesk for SqliteStore {
    async fn rule(&self, by: Reviewer, rulings: Vec<Ruling>) -> Result<Vec<RulingReply>> {
        self.write(move |connection, inner| Box::pin(async move { rule(connection, &by, &rulings, inner.now()).await }))
            .await
    }

    async fn reviews(&self, query: ReviewQuery) -> Result<Vec<ReviewRecord>> {
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(
                    "SELECT job, item, round, decision, actor, reason, at FROM reviews \
                     WHERE (?1 IS NULL OR job = ?1) AND (?2 IS NULL OR item = ?2) ORDER BY no LIMIT ?4 OFFSET ?3",
                )
                .bind(query.job.map(|job| job.to_string()))
                .bind(query.item.map(|item| item.to_string()))
                .bind(query.skip)
                .bind(if query.limit == 0 { 100 } else { query.limit })
                .fetch_all(connection)
                .await?;
                let read = |row| {
                    Ok(ReviewRecord {
                        job: rows::word(row, 0)?,
                        item: rows::word(row, 1)?,
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

async fn rule(
    connection: &mut SqliteConnection,
    by: &Reviewer,
    rulings: &[Ruling],
    now: Timestamp,
) -> Work<Vec<RulingReply>> {
    let replies = answer(connection, rulings).await?;
    let applied = rulings.iter().zip(&replies).filter(|(_, reply)| **reply == RulingReply::Applied);
    let applied: Vec<&Ruling> = applied.map(|(ruling, _)| ruling).collect();
    let changing: Vec<&Ruling> = applied.iter().copied().filter(|ruling| ruling.changes()).collect();
    gates::know(connection, changing.iter().filter_map(|ruling| ruling.gate.as_ref())).await?;
    UPDATE.run(connection, &changing, |query, ruling| update(query, ruling, now), |query| query).await?;
    let mut told: BTreeMap<JobId, Vec<EventBody>> = BTreeMap::new();
    for job in changing.iter().map(|ruling| ruling.job).collect::<HashSet<_>>() {
        if reopen(connection, job).await? {
            told.entry(job).or_default().push(EventBody::Reopened);
        }
    }
    for ruling in &applied {
        let item = ruling.item;
        let bodies = ruling.events.iter().map(|what| EventBody::Item { item, what: what.clone() });
        told.entry(ruling.job).or_default().extend(bodies);
    }
    for (job, bodies) in &told {
        events::append(connection, *job, bodies, now).await?;
        hooks::stir(connection, *job).await?;
    }
    let row = |query: Bound, ruling: &&Ruling| {
        Ok(query
            .bind(ruling.job.to_string())
            .bind(ruling.item.to_string())
            .bind(ruling.machine.round)
            .bind(serde_json::to_string(&ruling.decision)?)
            .bind(by.actor.clone())
            .bind(by.reason.clone())
            .bind(now.as_micros()))
    };
    INSERT.run(connection, &applied, row, |query| query).await?;
    finish::finish(connection, changing.iter().map(|ruling| ruling.job), now).await?;
    Ok(replies)
}

/// Decides what becomes of each ruling.
async fn answer(connection: &mut SqliteConnection, rulings: &[Ruling]) -> Work<Vec<RulingReply>> {
    let found = sqlx::query(
        "SELECT items.id, items.job, session IS NULL, machine, control FROM items JOIN jobs ON jobs.id = items.job \
         WHERE jobs.deleted IS NULL AND items.id IN (SELECT value FROM json_each(?))",
    )
    .bind(rows::list(rulings.iter().map(|ruling| ruling.item))?)
    .fetch_all(connection)
    .await?;
    let mut items: HashMap<(ItemId, JobId), (bool, ItemMachine, Control)> = HashMap::with_capacity(found.len());
    for row in &found {
        let free = row.try_get(2)?;
        items.insert((rows::word(row, 0)?, rows::word(row, 1)?), (free, rows::json(row, 3)?, rows::word(row, 4)?));
    }
    let mut ruled = HashSet::new();
    let mut replies = Vec::with_capacity(rulings.len());
    for ruling in rulings {
        let Some((free, machine, control)) = items.get(&(ruling.item, ruling.job)) else {
            let missing = Error::not_found("the job has no such item");
            return Err(missing.with("job", ruling.job).with("item", ruling.item).into());
        };
        let reply = ruling.answer(*control, *free, machine, ruled.contains(&ruling.item));
        if reply == RulingReply::Applied {
            ruled.insert(ruling.item);
        }
        replies.push(reply);
    }
    Ok(replies)
}

fn update(query: Bound, ruling: &Ruling, now: Timestamp) -> Work<Bound> {
    // 0 is now: see the index `items_due`.
    let due = ruling.due().map(|at| if at > now { at.as_micros() } else { 0 });
    Ok(query
        .bind(ruling.item.to_string())
        .bind(ruling.status.as_str())
        .bind(ruling.machine.leaves)
        .bind(ruling.machine.steps())
        .bind(due)
        .bind(ruling.unit.map(|unit| unit.to_string()))
        .bind(ruling.gate.as_ref().map(|gate| gate.as_str().to_owned()))
        .bind(serde_json::to_string(&ruling.machine)?)
        .bind(now.as_micros())
        .bind(ruling.machine.stop().map(|(stage, _)| stage as i64))
        .bind(ruling.machine.failure().map(|failure| failure.code.as_str()))
        .bind(ruling.machine.round))
}

/// Opens a job that has ended; false when it had not. One with a key waits for its turn again.
async fn reopen(connection: &mut SqliteConnection, job: JobId) -> Work<bool> {
    let opened = sqlx::query(
        "UPDATE jobs SET status = NULL, ended_at = NULL, started_at = iif(key IS NULL, started_at, NULL) \
         WHERE id = ? AND ended_at IS NOT NULL",
    )
    .bind(job.to_string())
    .execute(connection)
    .await?;
    Ok(opened.rows_affected() > 0)
}
