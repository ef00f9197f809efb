//! Jobs: submit, read, control.

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::JobId;
use pipeline_core::model::Control;
use pipeline_core::storage::{EventBody, JobPlan, JobQuery, JobRecord, JobStore, NewItem, NewJob};
use pipeline_core::time::Timestamp;
use sqlx::{PgConnection, Row as _};

use super::fault::Work;
use super::finish::{self, Changes};
use super::store::{Begin, PostgresStore};
use super::{rows, submit};

const ONE: &str = concat!(rows::jobs!(), " WHERE jobs.id = $1");

pub(super) const LIST: &str = concat!(
    rows::jobs!(),
    " WHERE jobs.id BETWEEN $1 AND $2 AND ($3::text IS NULL OR label = $3) AND ($4::uuid IS NULL OR jobs.id < $4) \
     ORDER BY jobs.id DESC LIMIT $5"
);

#[async_trait]
impl JobStore for PostgresStore {
    async fn submit(&self, job: NewJob, items: Vec<NewItem>) -> Result<JobRecord> {
        self.write(Begin::Durable, (job, items), |connection, inner, (job, items)| {
            Box::pin(async move {
                let now = inner.now(connection).await?;
                submit::submit(connection, job, items, now).await?;
                read(connection, job.id).await
            })
        })
        .await
    }

    async fn job(&self, id: JobId) -> Result<JobRecord> {
        self.read(id, |connection, id| Box::pin(read(connection, *id))).await
    }

    async fn jobs(&self, query: JobQuery) -> Result<Vec<JobRecord>> {
        let Some(range) = rows::beginning_with(query.id_prefix.as_deref().unwrap_or_default()) else {
            return Ok(Vec::new());
        };
        self.read((query, range), |connection, (query, (least, greatest))| {
            Box::pin(async move {
                let rows = sqlx::query(LIST)
                    .bind(least)
                    .bind(greatest)
                    .bind(&query.label)
                    .bind(query.before.map(|before| before.as_uuid()))
                    .bind(if query.limit == 0 { 100 } else { i64::from(query.limit) })
                    .fetch_all(connection)
                    .await?;
                rows.iter().map(rows::job).collect()
            })
        })
        .await
    }

    async fn plan(&self, id: JobId) -> Result<JobPlan> {
        self.read(id, |connection, id| {
            Box::pin(async move {
                let row = sqlx::query("SELECT body FROM plans WHERE job = $1")
                    .bind(id.as_uuid())
                    .fetch_optional(connection)
                    .await?;
                rows::json(&row.ok_or_else(|| missing(*id))?, 0)
            })
        })
        .await
    }

    async fn control(&self, id: JobId, control: Control) -> Result<JobRecord> {
        // In a transaction of its own: the dead stay dead when the control itself is refused.
        self.bury().await?;
        self.write(Begin::Durable, (id, control), |connection, inner, (id, control)| {
            Box::pin(async move {
                let now = inner.now(connection).await?;
                steer(connection, *id, *control, now).await?;
                read(connection, *id).await
            })
        })
        .await
    }
}

fn missing(id: JobId) -> Error {
    Error::not_found("there is no such job").with("job", id)
}

async fn read(connection: &mut PgConnection, id: JobId) -> Work<JobRecord> {
    let row = sqlx::query(ONE).bind(id.as_uuid()).fetch_optional(connection).await?;
    rows::job(&row.ok_or_else(|| missing(id))?)
}

async fn steer(connection: &mut PgConnection, id: JobId, control: Control, now: Timestamp) -> Work<()> {
    let row = sqlx::query("SELECT control, status FROM jobs WHERE id = $1 FOR NO KEY UPDATE")
        .bind(id.as_uuid())
        .fetch_optional(&mut *connection)
        .await?
        .ok_or_else(|| missing(id))?;
    if let Some(status) = row.try_get::<Option<String>, _>(1)? {
        return Err(Error::conflict("the job has ended").with("job", id).with("status", status).into());
    }
    let current: Control = rows::word(&row, 0)?;
    if current == control {
        return Ok(());
    }
    if current == Control::Cancel {
        return Err(Error::conflict("the job is being cancelled").with("job", id).into());
    }
    sqlx::query("UPDATE jobs SET control = $2 WHERE id = $1")
        .bind(id.as_uuid())
        .bind(control.as_str())
        .execute(&mut *connection)
        .await?;
    let mut changes = Changes::new();
    let change = changes.entry(id).or_default();
    change.tell([EventBody::Controlled { control }]);
    if control == Control::Cancel {
        change.free();
    }
    finish::finish(connection, &changes, now).await?;
    sqlx::query("UPDATE turns SET eligible = $2 WHERE job = $1")
        .bind(id.as_uuid())
        .bind(control == Control::Run)
        .execute(connection)
        .await?;
    Ok(())
}
