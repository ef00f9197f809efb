//! Jobs: submit, read, control.

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::JobId;
use pipeline_core::model::Control;
use pipeline_core::storage::{EventBody, JobPlan, JobQuery, JobRecord, JobStore, NewItem, NewJob};
use pipeline_core::time::Timestamp;
use sqlx::{Row as _, SqliteConnection};

use super::fault::Work;
use super::store::SqliteStore;
use super::{events, finish, listing, revisions, rows, sessions, submit};

#[async_trait]
impl JobStore for SqliteStore {
    async fn submit(&self, job: NewJob, items: Vec<NewItem>) -> Result<JobRecord> {
        self.write(move |connection, inner| {
            Box::pin(async move {
                if let Some(first) = submitted(connection, &job).await? {
                    return read(connection, first).await;
                }
                let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM jobs WHERE id = ?)")
                    .bind(job.id.to_string())
                    .fetch_one(&mut *connection)
                    .await?;
                if known {
                    return Err(Error::conflict("a job with this id is already there").with("job", job.id).into());
                }
                submit::submit(connection, &job, &items, inner.now()).await?;
                read(connection, job.id).await
            })
        })
        .await
    }

    async fn job(&self, id: JobId) -> Result<JobRecord> {
        self.read(move |connection| Box::pin(read(connection, id))).await
    }

    async fn jobs(&self, query: JobQuery) -> Result<Vec<JobRecord>> {
        self.read(move |connection| Box::pin(async move { listing::jobs(connection, &query).await })).await
    }

    async fn plan(&self, id: JobId) -> Result<JobPlan> {
        self.revision(id, 0).await
    }

    async fn revise(&self, id: JobId, plan: JobPlan) -> Result<u32> {
        self.write(move |connection, _| Box::pin(async move { revisions::revise(connection, id, &plan).await })).await
    }

    async fn revision(&self, id: JobId, number: u32) -> Result<JobPlan> {
        self.read(move |connection| Box::pin(revisions::read(connection, id, number))).await
    }

    async fn control(&self, id: JobId, control: Control) -> Result<JobRecord> {
        // A transaction of its own: the dead stay dead when the control itself is refused.
        self.write(move |connection, inner| Box::pin(sessions::bury(connection, inner))).await?;
        self.write(move |connection, inner| {
            Box::pin(async move {
                steer(connection, id, control, inner.now()).await?;
                read(connection, id).await
            })
        })
        .await
    }

    async fn abandon(&self, id: JobId) -> Result<JobRecord> {
        self.write(move |connection, inner| Box::pin(sessions::bury(connection, inner))).await?;
        self.write(move |connection, inner| {
            Box::pin(async move {
                let now = inner.now();
                let (current, ended) = standing(connection, id).await?;
                if current != Control::Cancel || ended.is_some() {
                    steer(connection, id, Control::Cancel, now).await?;
                }
                // Whoever holds an item knows the old token.
                sqlx::query(
                    "UPDATE items SET session = NULL, token = token + 1 \
                     WHERE session IN (SELECT id FROM sessions) AND job = ?",
                )
                .bind(id.to_string())
                .execute(&mut *connection)
                .await?;
                cancel(connection, id, now).await?;
                finish::finish(connection, [id], now).await?;
                read(connection, id).await
            })
        })
        .await
    }
}

/// Returns the job of an earlier submit with the same key.
async fn submitted(connection: &mut SqliteConnection, job: &NewJob) -> Work<Option<JobId>> {
    let Some(wanted) = &job.idempotency else { return Ok(None) };
    let row = sqlx::query("SELECT id, body FROM jobs WHERE owner = ? AND idempotency = ?")
        .bind(job.owner.clone())
        .bind(wanted.key.clone())
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let first: JobId = rows::word(&row, 0)?;
    if row.try_get::<Option<&str>, _>(1)? == Some(wanted.body.to_hex().as_str()) {
        return Ok(Some(first));
    }
    Err(Error::conflict("this idempotency key was used for another request")
        .with("key", &wanted.key)
        .with("job", first)
        .into())
}

/// Returns what a person asked of a job, and as what it has ended.
pub(super) async fn standing(connection: &mut SqliteConnection, id: JobId) -> Work<(Control, Option<String>)> {
    let row = sqlx::query("SELECT control, status FROM jobs WHERE id = ? AND deleted IS NULL")
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?
        .ok_or_else(|| missing(id))?;
    Ok((rows::word(&row, 0)?, row.try_get(1)?))
}

/// The error for a job that is not there.
pub(super) fn missing(id: JobId) -> Error {
    Error::not_found("there is no such job").with("job", id)
}

/// Reads a job.
pub(super) async fn read(connection: &mut SqliteConnection, id: JobId) -> Work<JobRecord> {
    let row = sqlx::query(concat!("SELECT ", rows::job_rows!(), " WHERE id = ? AND deleted IS NULL"))
        .bind(id.to_string())
        .fetch_optional(&mut *connection)
        .await?
        .ok_or_else(|| missing(id))?;
    let (counts, steps) = finish::count(connection, id).await?;
    rows::job(&row, counts, steps)
}

async fn steer(connection: &mut SqliteConnection, id: JobId, control: Control, now: Timestamp) -> Work<()> {
    let (current, ended) = standing(connection, id).await?;
    if let Some(status) = ended {
        return Err(Error::conflict("the job has ended").with("job", id).with("status", status).into());
    }
    if current == control {
        return Ok(());
    }
    if current == Control::Cancel {
        return Err(Error::conflict("the job is being cancelled").with("job", id).into());
    }
    sqlx::query("UPDATE jobs SET control = ? WHERE id = ?")
        .bind(control.as_str())
        .bind(id.to_string())
        .execute(&mut *connection)
        .await?;
    events::append(connection, id, &[EventBody::Controlled { control }], now).await?;
    if control == Control::Cancel {
        cancel(connection, id, now).await?;
        finish::finish(connection, [id], now).await?;
    }
    Ok(())
}

/// Ends every open item of a job that no session holds. Its machine is left as it is.
pub(super) async fn cancel(connection: &mut SqliteConnection, job: JobId, now: Timestamp) -> Work<()> {
    sqlx::query(
        "UPDATE items SET status = 'cancelled', claimable_at = NULL, updated_at = ? \
         WHERE job = ? AND session IS NULL AND replaced = 0 AND status IN ('pending', 'running', 'waiting')",
    )
    .bind(now.as_micros())
    .bind(job.to_string())
    .execute(connection)
    .await?;
    Ok(())
}
