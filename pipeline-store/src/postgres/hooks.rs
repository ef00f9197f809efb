//! The hooks, their lanes and their messages.

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::{EventSeq, HookId, JobId, MessageId, Token};
use pipeline_core::storage::{
    DeliveryOutcome, DeliveryQuery, DeliveryRecord, DeliveryState, Hook, HookKeeper, LANE_GRACE, Lane, LaneReport,
    LaneStep, Lanes, NewHook, NewJob,
};
use pipeline_core::time::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::fault::Work;
use super::store::{Begin, PostgresStore, clock};
use super::{locks, rows};

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

/// The lanes of hooks that are on which have something to deliver.
macro_rules! behind {
    () => {
        "FROM hook_lanes AS lane JOIN hooks ON hooks.id = lane.hook JOIN jobs ON jobs.id = lane.job \
         WHERE NOT lane.settled AND hooks.paused IS NULL AND jobs.deleted IS NULL AND jobs.last_event > lane.cursor \
         AND ($1::uuid IS NULL OR lane.hook = $1)"
    };
}

/// Whether there are hooks, whether lanes are to be settled, how many are due, when the next one is, and the time.
const LOOK: &str = concat!(
    "WITH clock AS MATERIALIZED (SELECT ",
    clock!("$2"),
    " AS now) SELECT EXISTS (SELECT 1 FROM hooks WHERE paused IS NULL), \
     EXISTS (SELECT 1 FROM hook_lanes AS lane JOIN jobs ON jobs.id = lane.job WHERE NOT lane.settled \
     AND jobs.ended_at IS NOT NULL AND jobs.last_event <= lane.cursor), \
     count(*) FILTER (WHERE at <= now), min(at) FILTER (WHERE at > now), (SELECT now FROM clock) \
     FROM (SELECT greatest(lane.due_at, lane.lease_until) AS at ",
    behind!(),
    ") AS waiting CROSS JOIN clock"
);

/// Nobody looks again at lanes of jobs that have ended whose hooks have heard all. The rows of the jobs are locked: a review
/// that goes on with one stirs its lanes after it has that row.
const SETTLE: &str = "WITH over AS MATERIALIZED (SELECT id, last_event FROM jobs WHERE ended_at IS NOT NULL \
     AND id IN (SELECT job FROM hook_lanes WHERE NOT settled) ORDER BY id FOR SHARE) \
     UPDATE hook_lanes SET settled = true FROM over WHERE hook_lanes.job = over.id AND NOT settled \
     AND cursor >= over.last_event";

const TAKE: &str = concat!(
    "WITH picked AS MATERIALIZED (SELECT lane.hook, lane.job, hooks.lease, jobs.label, jobs.pipeline, jobs.owner ",
    behind!(),
    " AND greatest(lane.due_at, lane.lease_until) <= $2 ORDER BY lane.lease_until, lane.hook, lane.job LIMIT $3 \
     FOR UPDATE OF lane SKIP LOCKED) \
     UPDATE hook_lanes SET token = token + 1, lease_until = $2 + picked.lease FROM picked \
     WHERE hook_lanes.hook = picked.hook AND hook_lanes.job = picked.job \
     RETURNING hook_lanes.hook, hook_lanes.job, token, cursor, attempts, picked.label, picked.pipeline, picked.owner"
);

const LIST: &str = concat!(
    deliveries!(),
    "WHERE ($1::uuid IS NULL OR hook = $1) AND ($2::uuid IS NULL OR job = $2) AND ($3::uuid IS NULL OR id = $3) \
     AND ($4::text IS NULL OR state = $4) AND ($5::uuid IS NULL OR no < (SELECT no FROM deliveries WHERE id = $5)) \
     AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = deliveries.job AND deleted IS NOT NULL) ORDER BY no DESC LIMIT $6"
);

const NOTE: &str = "INSERT INTO deliveries (id, hook, job, seq, kind, state, attempts, status, error, next_at, tried_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO UPDATE SET state = $6, attempts = $7, \
     status = $8, error = $9, next_at = $10, tried_at = $11";

/// So many messages of a hook that is removed go in one transaction.
const STEP: u32 = 2_000;

/// Lets the hooks that match hear of a job that is submitted. No hook is added meanwhile that does not see the job.
pub(super) async fn hear(connection: &mut PgConnection, job: &NewJob) -> Work<()> {
    locks::hooked(connection).await?;
    sqlx::query(
        "INSERT INTO hook_lanes (hook, job, cursor) SELECT id, $1, 0 FROM hooks WHERE owner = $2 \
         AND (pipeline IS NULL OR pipeline = $3) AND (label IS NULL OR label = $4) ORDER BY id",
    )
    .bind(job.id.as_uuid())
    .bind(&job.owner)
    .bind(&job.plan.plan.pipeline)
    .bind(&job.label)
    .execute(connection)
    .await?;
    Ok(())
}

/// Lets hooks hear of jobs again that may have ended; after their rows were changed, in a statement of its own.
pub(super) async fn stir(connection: &mut PgConnection, jobs: impl Iterator<Item = &JobId>) -> Work<()> {
    sqlx::query("UPDATE hook_lanes SET settled = false WHERE job = ANY ($1) AND settled")
        .bind(jobs.map(JobId::as_uuid).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

async fn add(connection: &mut PgConnection, hook: &NewHook, now: Timestamp) -> Work<Hook> {
    let NewHook { id, owner, name, spec } = hook;
    locks::hook(connection).await?;
    let added = sqlx::query(
        "INSERT INTO hooks (id, owner, name, spec, pipeline, label, lease, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (owner, name) DO NOTHING",
    )
    .bind(id.as_uuid())
    .bind(owner)
    .bind(name)
    .bind(serde_json::to_string(spec)?)
    .bind(&spec.jobs.pipeline)
    .bind(&spec.jobs.label)
    .bind(i64::try_from((spec.policy.timeout + LANE_GRACE).as_micros()).unwrap_or(i64::MAX))
    .bind(now.as_micros())
    .execute(&mut *connection)
    .await?;
    if added.rows_affected() == 0 {
        return Err(Error::conflict("there is a hook of this name already").with("name", name).into());
    }
    sqlx::query(
        "INSERT INTO hook_lanes (hook, job, cursor, settled) SELECT $1, id, last_event, ended_at IS NOT NULL FROM jobs \
         WHERE owner = $2 AND ($3::text IS NULL OR pipeline = $3) AND ($4::text IS NULL OR label = $4) \
         AND deleted IS NULL ORDER BY id",
    )
    .bind(id.as_uuid())
    .bind(owner)
    .bind(&spec.jobs.pipeline)
    .bind(&spec.jobs.label)
    .execute(&mut *connection)
    .await?;
    one(connection, *id).await
}

async fn one(connection: &mut PgConnection, id: HookId) -> Work<Hook> {
    let row = sqlx::query(concat!(hooks!(), "WHERE id = $1")).bind(id.as_uuid()).fetch_optional(connection).await?;
    let missing = || Error::not_found("there is no such hook").with("hook", id);
    row.as_ref().map_or_else(|| Err(missing().into()), hook)
}

fn hook(row: &PgRow) -> Work<Hook> {
    Ok(Hook {
        id: HookId::from_uuid(rows::uuid(row, 0)?),
        owner: row.try_get(1)?,
        name: row.try_get(2)?,
        spec: rows::json(row, 3)?,
        created_at: rows::time(row, 4)?,
        paused: row.try_get(5)?,
    })
}

fn lane(row: &PgRow) -> Work<Lane> {
    Ok(Lane {
        hook: HookId::from_uuid(rows::uuid(row, 0)?),
        job: rows::job_id(row, 1)?,
        token: Token(row.try_get(2)?),
        after: EventSeq(row.try_get(3)?),
        attempts: rows::number(row, 4)?,
        label: row.try_get(5)?,
        pipeline: row.try_get(6)?,
        owner: row.try_get(7)?,
    })
}

fn delivery(row: &PgRow) -> Work<DeliveryRecord> {
    let status: Option<i64> = row.try_get(7)?;
    Ok(DeliveryRecord {
        id: MessageId::from_uuid(rows::uuid(row, 0)?),
        hook: HookId::from_uuid(rows::uuid(row, 1)?),
        job: rows::job_id(row, 2)?,
        seq: EventSeq(row.try_get(3)?),
        kind: row.try_get(4)?,
        state: rows::named(row, 5)?,
        attempts: rows::number(row, 6)?,
        status: status.and_then(|status| i32::try_from(status).ok()),
        error: row.try_get(8)?,
        next_at: rows::maybe_time(row, 9)?,
        tried_at: rows::time(row, 10)?,
    })
}

async fn report(connection: &mut PgConnection, report: &LaneReport, now: Timestamp) -> Work<bool> {
    let (hook, job): (Uuid, Uuid) = (report.hook.as_uuid(), report.job.as_uuid());
    // What it was, and how long it may be held.
    let found = sqlx::query(
        "SELECT hooks.lease, cursor, attempts, due_at FROM hook_lanes JOIN hooks ON hooks.id = hook \
         JOIN jobs ON jobs.id = job AND jobs.deleted IS NULL WHERE hook = $1 AND job = $2 AND token = $3 \
         FOR UPDATE OF hook_lanes",
    )
    .bind(hook)
    .bind(job)
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
        "UPDATE hook_lanes SET cursor = $3, attempts = $4, due_at = $5, lease_until = $6 WHERE hook = $1 AND job = $2",
    )
    .bind(hook)
    .bind(job)
    .bind(cursor)
    .bind(attempts)
    .bind(due_at)
    .bind(lease_until)
    .execute(&mut *connection)
    .await?;
    if let LaneStep::Tried { seq, kind, outcome } = &report.step {
        let known = find(connection, report.hook.message(report.job, *seq)).await?;
        let new = || DeliveryRecord::new(report.hook, report.job, *seq, kind, now);
        let mut record = known.unwrap_or_else(new);
        record.tried(outcome, now);
        note(connection, &record).await?;
    }
    Ok(true)
}

/// Has what waits due at once.
async fn wake(connection: &mut PgConnection, hook: HookId) -> Work<()> {
    sqlx::query("UPDATE hook_lanes SET due_at = 0 WHERE hook = $1 AND due_at > 0")
        .bind(hook.as_uuid())
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes some messages of a hook; returns how many.
async fn forget(connection: &mut PgConnection, hook: HookId) -> Work<u64> {
    let gone = sqlx::query("DELETE FROM deliveries WHERE no IN (SELECT no FROM deliveries WHERE hook = $1 LIMIT $2)")
        .bind(hook.as_uuid())
        .bind(i64::from(STEP))
        .execute(connection)
        .await?;
    Ok(gone.rows_affected())
}

async fn find(connection: &mut PgConnection, id: MessageId) -> Work<Option<DeliveryRecord>> {
    let row = sqlx::query(concat!(deliveries!(), "WHERE id = $1 FOR UPDATE"))
        .bind(id.as_uuid())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(delivery).transpose()
}

async fn note(connection: &mut PgConnection, record: &DeliveryRecord) -> Work<()> {
    sqlx::query(NOTE)
        .bind(record.id.as_uuid())
        .bind(record.hook.as_uuid())
        .bind(record.job.as_uuid())
        .bind(record.seq.0)
        .bind(&record.kind)
        .bind(record.state.as_str())
        .bind(i64::from(record.attempts))
        .bind(record.status.map(i64::from))
        .bind(&record.error)
        .bind(record.next_at.map(Timestamp::as_micros))
        .bind(record.tried_at.as_micros())
        .execute(connection)
        .await?;
    Ok(())
}

#[async_trait]
impl HookKeeper for PostgresStore {
    async fn add_hook(&self, hook: NewHook) -> Result<Hook> {
        self.write(Begin::Durable, hook, |connection, inner, hook| {
            Box::pin(async move {
                let now = inner.now(connection).await?;
                add(connection, hook, now).await
            })
        })
        .await
    }

    async fn hooks(&self) -> Result<Vec<Hook>> {
        self.read((), |connection, ()| {
            Box::pin(async move {
                let rows = sqlx::query(concat!(hooks!(), "ORDER BY owner, name")).fetch_all(connection).await?;
                rows.iter().map(hook).collect()
            })
        })
        .await
    }

    async fn pause_hook(&self, hook: HookId, reason: Option<&str>) -> Result<Hook> {
        let reason = reason.map(str::to_owned);
        self.write(Begin::Durable, (hook, reason), |connection, _, (hook, reason)| {
            Box::pin(async move {
                sqlx::query("UPDATE hooks SET paused = $1 WHERE id = $2")
                    .bind(reason)
                    .bind(hook.as_uuid())
                    .execute(&mut *connection)
                    .await?;
                if reason.is_none() {
                    wake(connection, *hook).await?;
                }
                one(connection, *hook).await
            })
        })
        .await
    }

    async fn wake_hook(&self, hook: HookId) -> Result<()> {
        self.write(Begin::Durable, hook, |connection, _, hook| {
            Box::pin(async move {
                one(connection, *hook).await?;
                wake(connection, *hook).await
            })
        })
        .await
    }

    async fn remove_hook(&self, hook: HookId) -> Result<()> {
        // No transaction is long.
        loop {
            let gone = self.write(Begin::Durable, hook, |connection, _, hook| Box::pin(forget(connection, *hook)));
            if gone.await? < u64::from(STEP) {
                break;
            }
        }
        self.write(Begin::Durable, hook, |connection, _, hook| {
            Box::pin(async move {
                one(connection, *hook).await?;
                // With its lanes, and what was tried meanwhile.
                sqlx::query("DELETE FROM hooks WHERE id = $1").bind(hook.as_uuid()).execute(connection).await?;
                Ok(())
            })
        })
        .await
    }

    async fn take_lanes(&self, only: Option<HookId>, limit: u32) -> Result<Lanes> {
        let only = only.map(|hook| hook.as_uuid());
        let found = self.read((only, self.inner.told()), |connection, (only, told)| {
            Box::pin(async move {
                let row = sqlx::query(LOOK).bind(only).bind(told).fetch_one(connection).await?;
                let (hooks, settle): (bool, bool) = (row.try_get(0)?, row.try_get(1)?);
                let due: u32 = rows::number(&row, 2)?;
                Ok((hooks, settle, due, rows::maybe_time(&row, 3)?, rows::time(&row, 4)?))
            })
        });
        let (hooks, settle, due, later, now) = found.await?;
        if limit == 0 || !(settle || due > 0) {
            return Ok(Lanes { lanes: Vec::new(), next_at: if due > 0 { Some(now) } else { later }, hooks });
        }
        let lanes = self.write(Begin::Durable, (only, limit, settle), |connection, inner, (only, limit, settle)| {
            Box::pin(async move {
                if *settle {
                    sqlx::query(SETTLE).execute(&mut *connection).await?;
                }
                // A lane is held from now on: the wait for a connection or the rows may have been long.
                let now = inner.now(connection).await?;
                let rows = sqlx::query(TAKE)
                    .bind(only)
                    .bind(now.as_micros())
                    .bind(i64::from(*limit))
                    .fetch_all(connection)
                    .await?;
                rows.iter().map(lane).collect::<Work<Vec<Lane>>>()
            })
        });
        let lanes = lanes.await?;
        // What others have taken meanwhile is not counted exactly: whoever looks again sees it.
        let next_at = if due > lanes.len() as u32 { Some(now) } else { later };
        Ok(Lanes { lanes, next_at, hooks })
    }

    async fn report_lane(&self, given: LaneReport) -> Result<bool> {
        self.write(Begin::Durable, given, |connection, inner, given| {
            Box::pin(async move {
                let now = inner.now(connection).await?;
                report(connection, given, now).await
            })
        })
        .await
    }

    async fn deliveries(&self, query: DeliveryQuery) -> Result<Vec<DeliveryRecord>> {
        self.read(query, |connection, query| {
            Box::pin(async move {
                let limit = if query.limit == 0 { 100 } else { query.limit };
                let rows = sqlx::query(LIST)
                    .bind(query.hook.map(|hook| hook.as_uuid()))
                    .bind(query.job.map(|job| job.as_uuid()))
                    .bind(query.id.map(|id| id.as_uuid()))
                    .bind(query.state.map(DeliveryState::as_str))
                    .bind(query.before.map(|id| id.as_uuid()))
                    .bind(i64::from(limit))
                    .fetch_all(connection)
                    .await?;
                rows.iter().map(delivery).collect()
            })
        })
        .await
    }

    async fn redelivered(&self, message: MessageId, outcome: DeliveryOutcome) -> Result<DeliveryRecord> {
        self.write(Begin::Durable, (message, outcome), |connection, inner, (message, outcome)| {
            Box::pin(async move {
                let now = inner.now(connection).await?;
                let missing = || Error::not_found("there is no such message").with("message", message);
                let mut record = find(connection, *message).await?.ok_or_else(missing)?;
                record.tried(outcome, now);
                note(connection, &record).await?;
                Ok(record)
            })
        })
        .await
    }
}
