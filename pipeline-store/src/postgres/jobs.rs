//! Jobs: submit, read, control.

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::JobId;
use pipeline_core::model::Control;
use pipeline_core::storage::{EventBody, JobPlan, JobQuery, JobRecord, JobStore, NewItem, NewJob};
use pipeline_core::time::Timestamp;
use sqlx::{PgConnection, Row as _};

use super::bell::Bell;
use super::fault::Work;
use super::finish::{self, Changes};
use super::store::{Begin, PostgresStore};
use super::{listing, locks, revisions, rows, sessions, submit};

const ONE: &str = concat!(rows::jobs!(), " WHERE jobs.id = $1 AND jobs.deleted IS NULL");

#[async_trait]
impl JobStore for PostgresStore {
    async fn submit(&self, job: NewJob, items: Vec<NewItem>) -> Result<JobRecord> {
        let record = self
            .write(Begin::Durable, (job, items), |connection, inner, (job, items)| {
                Box::pin(async move {
                    let now = inner.now(connection).await?;
                    if let Some(first) = submitted(connection, job).await? {
                        return read(connection, first).await;
                    }
                    if submit::submit(connection, job, items, now).await? {
                        return read(connection, job.id).await;
                    }
                    // Another submit with the same key was at it, and is done now.
                    match submitted(connection, job).await? {
                        Some(first) => read(connection, first).await,
                        None => Err(Error::conflict("a job with this id is already there").with("job", job.id).into()),
                    }
                })
            })
            .await?;
        Bell::ring(&self.inner);
        Ok(record)
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
                let rows = listing::jobs(query, (*least, *greatest))?.build().fetch_all(connection).await?;
                rows.iter().map(rows::job).collect()
            })
        })
        .await
    }

    async fn plan(&self, id: JobId) -> Result<JobPlan> {
        self.revision(id, 0).await
    }

    async fn revise(&self, id: JobId, plan: JobPlan) -> Result<u32> {
        self.write(Begin::Durable, (id, plan), |connection, _, (id, plan)| {
            Box::pin(revisions::revise(connection, *id, plan))
        })
        .await
    }

    async fn revision(&self, id: JobId, number: u32) -> Result<JobPlan> {
        self.read((id, number), |connection, (id, number)| Box::pin(revisions::read(connection, *id, *number))).await
    }

    async fn control(&self, id: JobId, control: Control) -> Result<JobRecord> {
        // In a transaction of its own: the dead stay dead when the control itself is refused.
        self.bury().await?;
        let record = self
            .write(Begin::Durable, (id, control), |connection, inner, (id, control)| {
                Box::pin(async move {
                    let now = inner.now(connection).await?;
                    steer(connection, *id, *control, now).await?;
                    read(connection, *id).await
                })
            })
            .await?;
        Bell::ring(&self.inner);
        Ok(record)
    }

    async fn abandon(&self, id: JobId) -> Result<JobRecord> {
        self.bury().await?;
        // In two transactions, because held items are locked before jobs. After the first nothing of the job is free, or
        // will be: what is held then is all that is left.
        self.write(Begin::Durable, id, |connection, inner, id| {
            Box::pin(async move {
                let now = inner.now(connection).await?;
                locks::steer(connection, *id).await?;
                match standing(connection, *id).await? {
                    (Control::Cancel, None) => Ok(()),
                    _ => steer(connection, *id, Control::Cancel, now).await,
                }
            })
        })
        .await?;
        self.write(Begin::Durable, id, |connection, inner, id| {
            Box::pin(async move {
                let now = inner.now(connection).await?;
                sessions::take(connection, *id, now).await?;
                read(connection, *id).await
            })
        })
        .await
    }
}

/// Returns the job of an earlier submit with the same key.
async fn submitted(connection: &mut PgConnection, job: &NewJob) -> Work<Option<JobId>> {
    let Some(wanted) = &job.idempotency else { return Ok(None) };
    let row = sqlx::query("SELECT id, body FROM jobs WHERE owner = $1 AND idempotency = $2")
        .bind(&job.owner)
        .bind(&wanted.key)
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let first = rows::job_id(&row, 0)?;
    if row.try_get::<Option<&str>, _>(1)? == Some(wanted.body.to_hex().as_str()) {
        return Ok(Some(first));
    }
    Err(Error::conflict("this idempotency key was used for another request")
        .with("key", &wanted.key)
        .with("job", first)
        .into())
}

fn missing(id: JobId) -> Error {
    Error::not_found("there is no such job").with("job", id)
}

/// Reads a job.
pub(super) async fn read(connection: &mut PgConnection, id: JobId) -> Work<JobRecord> {
    let row = sqlx::query(ONE).bind(id.as_uuid()).fetch_optional(connection).await?;
    rows::job(&row.ok_or_else(|| missing(id))?)
}

/// Returns what a person asked of a job, and as what it has ended; its row is locked by that.
pub(super) async fn standing(connection: &mut PgConnection, id: JobId) -> Work<(Control, Option<String>)> {
    let row = sqlx::query("SELECT control, status FROM jobs WHERE id = $1 AND deleted IS NULL FOR NO KEY UPDATE")
        .bind(id.as_uuid())
        .fetch_optional(connection)
        .await?
        .ok_or_else(|| missing(id))?;
    Ok((rows::word(&row, 0)?, row.try_get(1)?))
}

async fn steer(connection: &mut PgConnection, id: JobId, control: Control, now: Timestamp) -> Work<()> {
    // No intent is written that does not see this.
    locks::steer(connection, id).await?;
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
