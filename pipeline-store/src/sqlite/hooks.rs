//! The hooks, their lanes and their messages.

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::{EventSeq, HookId, JobId, MessageId, Token};
use pipeline_core::storage::{
    DeliveryOutcome, DeliveryQuery, DeliveryRecord, DeliveryState, Hook, HookKeeper, LANE_GRACE, Lane, LaneReport,
    LaneStep, Lanes, NewHook, NewJob,
};
use pipeline_core::time::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::fault::Work;
use super::rows;
use super::store::SqliteStore;

/// The columns [`hook`] reads, in order.
macro_rules! hooks {
    () => {
        "SELECT id, owner, name, spec, created_at, paused FROM hooks "
    };
}

/// The columns [`delivery`] reads, in order.
macro_rules! deliveries {
    () => {
        "SELECT id, hook, job, seq, kind, state, attempts, status, error, next_at, tried_at FROM deliveries "
    };
}

/// The lanes of hooks that are on which have something to deliver, and when.
macro_rules! behind {
    () => {
        "FROM hook_lanes AS lane JOIN hooks ON hooks.id = lane.hook JOIN jobs ON jobs.id = lane.job \
         WHERE lane.settled = 0 AND hooks.paused IS NULL AND jobs.deleted IS NULL AND jobs.last_event > lane.cursor \
         AND (?1 IS NULL OR lane.hook = ?1)"
    };
}

/// Whether there are hooks, whether lanes are to be settled, how many are due and when the next one is.
const LOOK: &str = concat!(
    "SELECT EXISTS (SELECT 1 FROM hooks WHERE paused IS NULL), \
     EXISTS (SELECT 1 FROM hook_lanes AS lane JOIN jobs ON jobs.id = lane.job WHERE lane.settled = 0 \
     AND jobs.ended_at IS NOT NULL AND jobs.last_event <= lane.cursor), \
     count(*) FILTER (WHERE at <= ?2), min(at) FILTER (WHERE at > ?2) \
     FROM (SELECT max(lane.due_at, lane.lease_until) AS at ",
    behind!(),
    ")"
);

/// Nobody looks again at lanes of jobs that have ended whose hooks have heard all; a review stirs them.
const SETTLE: &str = "UPDATE hook_lanes SET settled = 1 WHERE settled = 0 \
     AND cursor >= (SELECT last_event FROM jobs WHERE id = hook_lanes.job AND ended_at IS NOT NULL)";

const TAKE: &str = concat!(
    "UPDATE hook_lanes SET token = token + 1, lease_until = ?2 + (SELECT lease FROM hooks WHERE id = hook_lanes.hook) \
     WHERE (hook, job) IN (SELECT lane.hook, lane.job ",
    behind!(),
    " AND max(lane.due_at, lane.lease_until) <= ?2 ORDER BY lane.lease_until, lane.hook, lane.job LIMIT ?3) \
     RETURNING hook, job, token, cursor, attempts, (SELECT label FROM jobs WHERE id = hook_lanes.job), \
     (SELECT pipeline FROM jobs WHERE id = hook_lanes.job), (SELECT owner FROM jobs WHERE id = hook_lanes.job)"
);

const LIST: &str = concat!(
    deliveries!(),
    "WHERE (?1 IS NULL OR hook = ?1) AND (?2 IS NULL OR job = ?2) AND (?3 IS NULL OR id = ?3) AND (?4 IS NULL OR state = ?4) \
     AND (?5 IS NULL OR no < (SELECT no FROM deliveries WHERE id = ?5)) \
     AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = deliveries.job AND deleted IS NOT NULL) ORDER BY no DESC LIMIT ?6"
);

/// So many messages of a hook that is removed go in one transaction.
const STEP: u32 = 2_000;

/// Lets the hooks that match hear of a job that is submitted.
pub(super) async fn hear(connection: &mut SqliteConnection, job: &NewJob) -> Work<()> {
    sqlx::query(
        "INSERT INTO hook_lanes (hook, job, cursor) SELECT id, ?1, 0 FROM hooks WHERE owner = ?2 \
         AND (pipeline IS NULL OR pipeline = ?3) AND (label IS NULL OR label = ?4)",
    )
    .bind(job.id.to_string())
    .bind(&job.owner)
    .bind(&job.plan.plan.pipeline)
    .bind(&job.label)
    .execute(connection)
    .await?;
    Ok(())
}

/// Lets hooks hear of a job again that may have ended; after its events are appended.
pub(super) async fn stir(connection: &mut SqliteConnection, job: JobId) -> Work<()> {
    sqlx::query("UPDATE hook_lanes SET settled = 0 WHERE job = ? AND settled = 1")
        .bind(job.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

async fn add(connection: &mut SqliteConnection, hook: &NewHook, now: Timestamp) -> Work<Hook> {
    let NewHook { id, owner, name, spec } = hook;
    let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM hooks WHERE owner = ? AND name = ?)")
        .bind(owner)
        .bind(name)
        .fetch_one(&mut *connection)
        .await?;
    if known {
        return Err(Error::conflict("there is a hook of this name already").with("name", name).into());
    }
    sqlx::query(
        "INSERT INTO hooks (id, owner, name, spec, pipeline, label, lease, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(id.to_string())
    .bind(owner)
    .bind(name)
    .bind(serde_json::to_string(spec)?)
    .bind(&spec.jobs.pipeline)
    .bind(&spec.jobs.label)
    .bind(i64::try_from((spec.policy.timeout + LANE_GRACE).as_micros()).unwrap_or(i64::MAX))
    .bind(now.as_micros())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO hook_lanes (hook, job, cursor, settled) SELECT ?1, id, last_event, ended_at IS NOT NULL FROM jobs \
         WHERE owner = ?2 AND (?3 IS NULL OR pipeline = ?3) AND (?4 IS NULL OR label = ?4) AND deleted IS NULL",
    )
    .bind(id.to_string())
    .bind(owner)
    .bind(&spec.jobs.pipeline)
    .bind(&spec.jobs.label)
    .execute(&mut *connection)
    .await?;
    one(connection, *id).await
}

async fn one(connection: &mut SqliteConnection, id: HookId) -> Work<Hook> {
    let row = sqlx::query(concat!(hooks!(), "WHERE id = ?")).bind(id.to_string()).fetch_optional(connection).await?;
    row.as_ref().map_or_else(|| Err(missing(id).into()), hook)
}

fn missing(id: HookId) -> Error {
    Error::not_found("there is no such hook").with("hook", id)
}

fn hook(row: &SqliteRow) -> Work<Hook> {
    Ok(Hook {
        id: rows::word(row, 0)?,
        owner: row.try_get(1)?,
        name: row.try_get(2)?,
        spec: rows::json(row, 3)?,
        created_at: rows::time(row, 4)?,
        paused: row.try_get(5)?,
    })
}

fn lane(row: &SqliteRow) -> Work<Lane> {
    Ok(Lane {
        hook: rows::word(row, 0)?,
        job: rows::word(row, 1)?,
        token: Token(row.try_get(2)?),
        after: EventSeq(row.try_get(3)?),
        attempts: rows::number(row, 4)?,
        label: row.try_get(5)?,
        pipeline: row.try_get(6)?,
        owner: row.try_get(7)?,
    })
}

fn delivery(row: &SqliteRow) -> Work<DeliveryRecord> {
    Ok(DeliveryRecord {
        id: rows::word(row, 0)?,
        hook: rows::word(row, 1)?,
        job: rows::word(row, 2)?,
        seq: EventSeq(row.try_get(3)?),
        kind: row.try_get(4)?,
        state: rows::named(row, 5)?,
        attempts: rows::number(row, 6)?,
        status: row.try_get(7)?,
        error: row.try_get(8)?,
        next_at: rows::maybe_time(row, 9)?,
        tried_at: rows::time(row, 10)?,
    })
}

async fn take(connection: &mut SqliteConnection, only: Option<&str>, limit: u32, now: Timestamp) -> Work<Vec<Lane>> {
    sqlx::query(SETTLE).execute(&mut *connection).await?;
    let rows = sqlx::query(TAKE).bind(only).bind(now.as_micros()).bind(limit).fetch_all(&mut *connection).await?;
    rows.iter().map(lane).collect()
}

async fn report(connection: &mut SqliteConnection, report: &LaneReport, now: Timestamp) -> Work<bool> {
    let (hook, job) = (report.hook.to_string(), report.job.to_string());
    // What it was, and how long it may be held.
    let found = sqlx::query(
        "SELECT hooks.lease, cursor, attempts, due_at FROM hook_lanes JOIN hooks ON hooks.id = hook \
         JOIN jobs ON jobs.id = job AND jobs.deleted IS NULL WHERE hook = ?1 AND job = ?2 AND token = ?3",
    )
    .bind(&hook)
    .bind(&job)
    .bind(report.token.0)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(found) = found else { return Ok(false) };
    let (lease, cursor): (i64, i64) = (found.try_get(0)?, found.try_get(1)?);
    let (attempts, due_at): (i64, i64) = (found.try_get(2)?, found.try_get(3)?);
    let (cursor, attempts, due_at) = match &report.step {
        LaneStep::Passed(seq) => (seq.0.max(cursor), attempts, due_at),
        LaneStep::Tried { outcome: DeliveryOutcome::Waiting { wait, .. }, .. } => {
            (cursor, attempts + 1, now.after(*wait).as_micros())
        }
        LaneStep::Tried { seq, .. } => (seq.0, 0, 0),
    };
    let lease_until = now.as_micros().saturating_add(if report.hold { lease } else { 0 });
    sqlx::query(
        "UPDATE hook_lanes SET cursor = ?3, attempts = ?4, due_at = ?5, lease_until = ?6 WHERE hook = ?1 AND job = ?2",
    )
    .bind(&hook)
    .bind(&job)
    .bind(cursor)
    .bind(attempts)
    .bind(due_at)
    .bind(lease_until)
    .execute(&mut *connection)
    .await?;
    if let LaneStep::Tried { seq, kind, outcome } = &report.step {
        let id = report.hook.message(report.job, *seq);
        let known = find(connection, id).await?;
        let new = || DeliveryRecord::new(report.hook, report.job, *seq, kind, now);
        let mut record = known.unwrap_or_else(new);
        record.tried(outcome, now);
        note(connection, &record).await?;
    }
    Ok(true)
}

/// Has what waits due at once.
async fn wake(connection: &mut SqliteConnection, hook: HookId) -> Work<()> {
    sqlx::query("UPDATE hook_lanes SET due_at = 0 WHERE hook = ? AND due_at > 0")
        .bind(hook.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes some messages of a hook; returns how many.
async fn forget(connection: &mut SqliteConnection, hook: HookId) -> Work<u64> {
    let gone = sqlx::query("DELETE FROM deliveries WHERE no IN (SELECT no FROM deliveries WHERE hook = ? LIMIT ?)")
        .bind(hook.to_string())
        .bind(STEP)
        .execute(connection)
        .await?;
    Ok(gone.rows_affected())
}

async fn find(connection: &mut SqliteConnection, id: MessageId) -> Work<Option<DeliveryRecord>> {
    let row =
        sqlx::query(concat!(deliveries!(), "WHERE id = ?")).bind(id.to_string()).fetch_optional(connection).await?;
    row.as_ref().map(delivery).transpose()
}

async fn note(connection: &mut SqliteConnection, record: &DeliveryRecord) -> Work<()> {
    sqlx::query(
        "INSERT INTO deliveries (id, hook, job, seq, kind, state, attempts, status, error, next_at, tried_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id) DO UPDATE SET state = ?6, \
         attempts = ?7, status = ?8, error = ?9, next_at = ?10, tried_at = ?11",
    )
    .bind(record.id.to_string())
    .bind(record.hook.to_string())
    .bind(record.job.to_string())
    .bind(record.seq.0)
    .bind(&record.kind)
    .bind(record.state.as_str())
    .bind(record.attempts)
    .bind(record.status)
    .bind(&record.error)
    .bind(record.next_at.map(Timestamp::as_micros))
    .bind(record.tried_at.as_micros())
    .execute(connection)
    .await?;
    Ok(())
}

#[async_trait]
impl HookKeeper for SqliteStore {
    async fn add_hook(&self, hook: NewHook) -> Result<Hook> {
        self.write(move |connection, inner| Box::pin(async move { add(connection, &hook, inner.now()).await })).await
    }

    async fn hooks(&self) -> Result<Vec<Hook>> {
        self.read(|connection| {
            Box::pin(async move {
                let rows = sqlx::query(concat!(hooks!(), "ORDER BY owner, name")).fetch_all(connection).await?;
                rows.iter().map(hook).collect()
            })
        })
        .await
    }

    async fn pause_hook(&self, hook: HookId, reason: Option<&str>) -> Result<Hook> {
        let reason = reason.map(str::to_owned);
        self.write(move |connection, _| {
            Box::pin(async move {
                sqlx::query("UPDATE hooks SET paused = ? WHERE id = ?")
                    .bind(&reason)
                    .bind(hook.to_string())
                    .execute(&mut *connection)
                    .await?;
                if reason.is_none() {
                    wake(connection, hook).await?;
                }
                one(connection, hook).await
            })
        })
        .await
    }

    async fn wake_hook(&self, hook: HookId) -> Result<()> {
        self.write(move |connection, _| {
            Box::pin(async move {
                one(connection, hook).await?;
                wake(connection, hook).await
            })
        })
        .await
    }

    async fn remove_hook(&self, hook: HookId) -> Result<()> {
        // Others have the writer between two steps.
        loop {
            let gone = self.write(move |connection, _| Box::pin(forget(connection, hook)));
            if gone.await? < u64::from(STEP) {
                break;
            }
        }
        self.write(move |connection, _| {
            Box::pin(async move {
                one(connection, hook).await?;
                // With its lanes, and what was tried meanwhile.
                sqlx::query("DELETE FROM hooks WHERE id = ?").bind(hook.to_string()).execute(connection).await?;
                Ok(())
            })
        })
        .await
    }

    async fn take_lanes(&self, only: Option<HookId>, limit: u32) -> Result<Lanes> {
        let only = only.map(|hook| hook.to_string());
        let now = self.inner.now();
        // Nobody who only looks waits for the writer, or makes it wait.
        let look = only.clone();
        let found = self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(LOOK).bind(look).bind(now.as_micros()).fetch_one(connection).await?;
                let (hooks, settle): (bool, bool) = (row.try_get(0)?, row.try_get(1)?);
                Ok((hooks, settle, rows::number::<u32>(&row, 2)?, rows::maybe_time(&row, 3)?))
            })
        });
        let (hooks, settle, due, later) = found.await?;
        if limit == 0 || !(settle || due > 0) {
            return Ok(Lanes { lanes: Vec::new(), next_at: if due > 0 { Some(now) } else { later }, hooks });
        }
        // What is lost with the machine is told again: the receiver knows it by its id.
        let lanes = self.write_lightly(move |connection, inner| {
            // A lane is held from now on: the wait for the writer may have been long.
            Box::pin(async move { take(connection, only.as_deref(), limit, inner.now()).await })
        });
        let lanes = lanes.await?;
        let next_at = if due > lanes.len() as u32 { Some(now) } else { later };
        Ok(Lanes { lanes, next_at, hooks })
    }

    async fn report_lane(&self, given: LaneReport) -> Result<bool> {
        self.write_lightly(move |connection, inner| {
            Box::pin(async move { report(connection, &given, inner.now()).await })
        })
        .await
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Vec<DeliveryRecord>> {
        self.read(move |connection| {
            Box::pin(async move {
                let limit = if query.limit == 0 { 100 } else { query.limit };
                let rows = sqlx::query(LIST)
                    .bind(query.hook.map(|hook| hook.to_string()))
                    .bind(query.job.map(|job| job.to_string()))
                    .bind(query.id.map(|id| id.to_string()))
                    .bind(query.state.map(DeliveryState::as_str))
                    .bind(query.before.map(|id| id.to_string()))
                    .bind(limit)
                    .fetch_all(connection)
                    .await?;
                rows.iter().map(delivery).collect()
            })
        })
        .await
    }

    async fn redelivered(&self, message: MessageId, outcome: DeliveryOutcome) -> Result<DeliveryRecord> {
        self.write(move |connection, inner| {
            Box::pin(async move {
                let found = find(connection, message).await?;
                let missing = || Error::not_found("there is no such message").with("message", message);
                let mut record = found.ok_or_else(missing)?;
                record.tried(&outcome, inner.now());
                note(connection, &record).await?;
                Ok(record)
            })
        })
        .await
    }
}
