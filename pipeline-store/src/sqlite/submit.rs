//! Inserting jobs and items.

use pipeline_core::id::{ItemId, JobId};
use pipeline_core::model::{Control, ItemStatus};
use pipeline_core::storage::{EventBody, NewItem, NewJob};
use pipeline_core::time::Timestamp;
use serde::Serialize;
use sqlx::SqliteConnection;

use super::fault::Work;
use super::{events, finish};

/// So many items go into one statement; keeps the JSON of a large submit in bounds.
const CHUNK: usize = 2_000;

/// An item as the insert statement takes it: an array, by place.
#[derive(Serialize)]
struct Row<'a>(
    ItemId,
    JobId,
    Option<ItemId>,
    u32,
    u32,
    ItemStatus,
    u32,
    u32,
    bool,
    Option<i64>,
    Option<ItemId>,
    &'a str,
    &'a serde_json::Map<String, serde_json::Value>,
    &'a pipeline_core::executor::ItemMachine,
);

/// Stores a job, its items and what there is to tell.
pub(super) async fn submit(
    connection: &mut SqliteConnection,
    job: &NewJob,
    items: &[NewItem],
    now: Timestamp,
) -> Work<()> {
    sqlx::query(
        "INSERT INTO jobs (id, label, owner, priority, pipeline, control, stages, created_at, out, parent) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(job.id.to_string())
    .bind(&job.label)
    .bind(&job.owner)
    .bind(job.priority)
    .bind(&job.plan.plan.pipeline)
    .bind(Control::Run.as_str())
    .bind(job.plan.plan.stages.len() as i64)
    .bind(now.as_micros())
    .bind(&job.out)
    .bind(job.parent.map(|parent| parent.to_string()))
    .execute(&mut *connection)
    .await?;
    sqlx::query("INSERT INTO plans (job, body) VALUES (?, ?)")
        .bind(job.id.to_string())
        .bind(serde_json::to_string(&job.plan)?)
        .execute(&mut *connection)
        .await?;
    let rows: Vec<_> = items.iter().map(|item| (job.id, item.status, item)).collect();
    insert(connection, &rows, now).await?;
    let planned = items.iter().map(|item| u64::from(item.machine.leaves)).sum();
    events::append(connection, job.id, &[EventBody::Submitted { planned }], now).await?;
    finish::finish(connection, [job.id], now).await
}

/// Inserts items; those that have not ended are claimable at once.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    items: &[(JobId, ItemStatus, &NewItem)],
    now: Timestamp,
) -> Work<()> {
    let rows: Vec<Row<'_>> = items
        .iter()
        .map(|&(job, status, item)| {
            let replaced = item.machine.expanded.is_some();
            let due = (!status.is_terminal() && !replaced).then_some(0);
            Row(
                item.id,
                job,
                item.parent,
                item.ordinal,
                item.slot,
                status,
                item.machine.leaves,
                item.machine.steps(),
                replaced,
                due,
                item.unit,
                &item.name,
                &item.input,
                &item.machine,
            )
        })
        .collect();
    for chunk in rows.chunks(CHUNK) {
        sqlx::query(
            "INSERT INTO items (id, job, parent, ordinal, slot, status, leaves, steps, replaced, claimable_at, unit, \
             name, input, machine, updated_at) \
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, \
             value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, ?2 \
             FROM json_each(?1)",
        )
        .bind(serde_json::to_string(chunk)?)
        .bind(now.as_micros())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
