//! Recurring jobs.

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::{JobId, ScheduleId};
use pipeline_core::storage::{Due, NewSchedule, Occasion, Outcome, ScheduleKeeper, ScheduleRecord, WorkQueue as _};
use pipeline_core::time::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::fault::Work;
use super::rows;
use super::store::{Begin, PostgresStore};

/// The columns [`record`] reads, in order.
macro_rules! columns {
    () => {
        "id, owner, name, every, timezone, overlap, request, paused, next_at, last_at, outcome, last_job, created_at"
    };
}

const INSERT: &str = "INSERT INTO schedules (id, owner, name, every, timezone, overlap, request, next_at, created_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (owner, name) DO NOTHING";

const ONE: &str = concat!("SELECT ", columns!(), " FROM schedules WHERE owner = $1 AND name = $2");

const LIST: &str =
    concat!("SELECT ", columns!(), " FROM schedules WHERE $1::text IS NULL OR owner = $1 ORDER BY owner, name");

const DUE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM schedules WHERE begun OR (NOT paused AND next_at <= $1) ORDER BY owner, name"
);

const NEXT: &str = "SELECT min(next_at) FROM schedules WHERE NOT paused AND NOT begun AND next_at > $1";

const TAKE: &str = "UPDATE schedules SET next_at = $3, last_at = $2, outcome = $4, begun = $5, \
     last_job = coalesce($6, last_job) WHERE id = $1 AND next_at = $2 AND NOT paused AND NOT begun";

const SETTLE: &str = "UPDATE schedules SET outcome = $3, begun = $4, last_job = coalesce($5, last_job) \
     WHERE id = $1 AND last_at = $2 AND begun";

const PAUSE: &str = "UPDATE schedules SET paused = true WHERE owner = $1 AND name = $2";

const RESUME: &str = "UPDATE schedules SET paused = false, next_at = $3 WHERE owner = $1 AND name = $2 AND paused";

const REMOVE: &str = "DELETE FROM schedules WHERE owner = $1 AND name = $2";

#[async_trait]
impl ScheduleKeeper for PostgresStore {
    async fn schedule(&self, new: NewSchedule) -> Result<ScheduleRecord> {
        self.write(Begin::Durable, new, |connection, inner, new| {
            Box::pin(async move {
                let now = inner.now(connection).await?;
                let stored = sqlx::query(INSERT)
                    .bind(new.id.as_uuid())
                    .bind(&new.owner)
                    .bind(&new.name)
                    .bind(&new.every)
                    .bind(&new.timezone)
                    .bind(new.overlap)
                    .bind(serde_json::to_string(&new.request)?)
                    .bind(new.next_at.as_micros())
                    .bind(now.as_micros())
                    .execute(&mut *connection)
                    .await?;
                if stored.rows_affected() == 0 {
                    return Err(Error::conflict("there is a schedule of this name").with("name", &new.name).into());
                }
                read(connection, &new.owner, &new.name).await
            })
        })
        .await
    }

    async fn schedules(&self, owner: Option<&str>) -> Result<Vec<ScheduleRecord>> {
        self.read(owner.map(str::to_owned), |connection, owner| {
            Box::pin(async move {
                let rows = sqlx::query(LIST).bind(owner).fetch_all(connection).await?;
                rows.iter().map(record).collect()
            })
        })
        .await
    }

    async fn due(&self) -> Result<Due> {
        let now = self.now().await?.as_micros();
        self.read(now, |connection, now| {
            Box::pin(async move {
                let rows = sqlx::query(DUE).bind(*now).fetch_all(&mut *connection).await?;
                let next: Option<i64> = sqlx::query_scalar(NEXT).bind(*now).fetch_one(connection).await?;
                let schedules = rows.iter().map(record).collect::<Work<Vec<_>>>()?;
                Ok(Due { schedules, next_at: next.map(Timestamp::from_micros) })
            })
        })
        .await
    }

    async fn take(&self, id: ScheduleId, at: Timestamp, next_at: Timestamp, outcome: Outcome) -> Result<bool> {
        self.write(Begin::Durable, (id, at, next_at, outcome), |connection, _, (id, at, next_at, outcome)| {
            Box::pin(async move {
                let taken = sqlx::query(TAKE)
                    .bind(id.as_uuid())
                    .bind(at.as_micros())
                    .bind(next_at.as_micros())
                    .bind(serde_json::to_string(outcome)?)
                    .bind(*outcome == Outcome::Begun)
                    .bind(outcome.job().map(|job| job.as_uuid()))
                    .execute(connection)
                    .await?;
                Ok(taken.rows_affected() > 0)
            })
        })
        .await
    }

    async fn settle_occasion(&self, id: ScheduleId, at: Timestamp, outcome: Outcome) -> Result<bool> {
        self.write(Begin::Durable, (id, at, outcome), |connection, _, (id, at, outcome)| {
            Box::pin(async move {
                let settled = sqlx::query(SETTLE)
                    .bind(id.as_uuid())
                    .bind(at.as_micros())
                    .bind(serde_json::to_string(outcome)?)
                    .bind(*outcome == Outcome::Begun)
                    .bind(outcome.job().map(|job| job.as_uuid()))
                    .execute(connection)
                    .await?;
                Ok(settled.rows_affected() > 0)
            })
        })
        .await
    }

    async fn pause_schedule(&self, owner: &str, name: &str) -> Result<ScheduleRecord> {
        self.write(Begin::Durable, (owner.to_owned(), name.to_owned()), |connection, _, (owner, name)| {
            Box::pin(async move {
                sqlx::query(PAUSE).bind(&*owner).bind(&*name).execute(&mut *connection).await?;
                read(connection, owner, name).await
            })
        })
        .await
    }

    async fn resume_schedule(&self, owner: &str, name: &str, next_at: Timestamp) -> Result<ScheduleRecord> {
        self.write(
            Begin::Durable,
            (owner.to_owned(), name.to_owned(), next_at),
            |connection, _, (owner, name, next_at)| {
                Box::pin(async move {
                    let resumed = sqlx::query(RESUME).bind(&*owner).bind(&*name).bind(next_at.as_micros());
                    resumed.execute(&mut *connection).await?;
                    read(connection, owner, name).await
                })
            },
        )
        .await
    }

    async fn unschedule(&self, owner: &str, name: &str) -> Result<()> {
        self.write(Begin::Durable, (owner.to_owned(), name.to_owned()), |connection, _, (owner, name)| {
            Box::pin(async move {
                let removed = sqlx::query(REMOVE).bind(&*owner).bind(&*name).execute(connection).await?;
                if removed.rows_affected() == 0 { Err(missing(name).into()) } else { Ok(()) }
            })
        })
        .await
    }
}

fn missing(name: &str) -> Error {
    Error::not_found("there is no such schedule").with("name", name)
}

async fn read(connection: &mut PgConnection, owner: &str, name: &str) -> Work<ScheduleRecord> {
    let row = sqlx::query(ONE).bind(owner).bind(name).fetch_optional(connection).await?;
    record(&row.ok_or_else(|| missing(name))?)
}

fn record(row: &PgRow) -> Work<ScheduleRecord> {
    let outcome: Option<Outcome> = rows::maybe_json(row, 10)?;
    Ok(ScheduleRecord {
        id: ScheduleId::from_uuid(rows::uuid(row, 0)?),
        owner: row.try_get(1)?,
        name: row.try_get(2)?,
        every: row.try_get(3)?,
        timezone: row.try_get(4)?,
        overlap: row.try_get(5)?,
        request: rows::json(row, 6)?,
        paused: row.try_get(7)?,
        next_at: rows::time(row, 8)?,
        last: rows::maybe_time(row, 9)?.zip(outcome).map(|(at, outcome)| Occasion { at, outcome }),
        last_job: rows::maybe_uuid(row, 11)?.map(JobId::from_uuid),
        created_at: rows::time(row, 12)?,
    })
}
