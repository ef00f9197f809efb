//! Inserting jobs and items.

use pipeline_core::id::JobId;
use pipeline_core::model::{Control, ItemStatus};
use pipeline_core::storage::{Budget, BudgetKey, EventBody, NewItem, NewJob};
use pipeline_core::time::Timestamp;
use sqlx::SqliteConnection;

use super::bulk::{Bound, Bulk};
use super::fault::Work;
use super::{budgets, events, finish, gates, hooks};

static INSERT: Bulk = Bulk::insert(
    "INSERT INTO items (id, job, parent, ordinal, slot, status, leaves, steps, replaced, claimable_at, unit, name, \
     input, machine, updated_at, gate, stage, code, round) SELECT * FROM (",
    19,
);

/// Stores a job, its items and what there is to tell.
pub(super) async fn submit(
    connection: &mut SqliteConnection,
    job: &NewJob,
    items: &[NewItem],
    now: Timestamp,
) -> Work<()> {
    sqlx::query(
        "INSERT INTO jobs (id, label, owner, priority, pipeline, control, stages, created_at, out, parent, served_at, \
         key, key_limit, start_at, concurrency, idempotency, body) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
    .bind(now.as_micros())
    .bind(job.key.as_ref().map(|key| key.name.clone()))
    .bind(job.key.as_ref().map(|key| key.limit))
    .bind(job.start_at.map(Timestamp::as_micros))
    .bind(job.plan.plan.concurrency)
    .bind(job.idempotency.as_ref().map(|known| known.key.clone()))
    .bind(job.idempotency.as_ref().map(|known| known.body.to_hex()))
    .execute(&mut *connection)
    .await?;
    sqlx::query("INSERT INTO plans (job, body) VALUES (?, ?)")
        .bind(job.id.to_string())
        .bind(serde_json::to_string(&job.plan)?)
        .execute(&mut *connection)
        .await?;
    if let Some(amount) = job.budget {
        budgets::write(connection, &Budget::new(BudgetKey::Job(job.id), amount)).await?;
    }
    hooks::hear(connection, job).await?;
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
    let row = |query: Bound, &(job, status, item): &(JobId, ItemStatus, &NewItem)| {
        let replaced = item.machine.expanded.is_some();
        let due = (!status.is_terminal() && !replaced).then_some(0_i64);
        Ok(query
            .bind(item.id.to_string())
            .bind(job.to_string())
            .bind(item.parent.map(|parent| parent.to_string()))
            .bind(item.ordinal)
            .bind(item.slot)
            .bind(status.as_str())
            .bind(item.machine.leaves)
            .bind(item.machine.steps())
            .bind(replaced)
            .bind(due)
            .bind(item.unit.map(|unit| unit.to_string()))
            .bind(item.name.clone())
            .bind(serde_json::to_string(&item.input)?)
            .bind(serde_json::to_string(&item.machine)?)
            .bind(now.as_micros())
            .bind(item.gate.as_ref().map(|gate| gate.as_str().to_owned()))
            .bind(item.machine.stop().map(|(stage, _)| stage as i64))
            .bind(item.machine.failure().map(|failure| failure.code.as_str()))
            .bind(item.machine.round))
    };
    gates::know(connection, items.iter().filter_map(|(_, _, item)| item.gate.as_ref())).await?;
    INSERT.run(connection, items, row, |query| query).await?;
    Ok(())
}
