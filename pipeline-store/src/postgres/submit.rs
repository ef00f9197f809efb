//! Inserting jobs and items.

use pipeline_core::executor::ItemMachine;
use pipeline_core::id::JobId;
use pipeline_core::model::Control;
use pipeline_core::storage::{Budget, BudgetKey, EventBody, NewItem, NewJob};
use pipeline_core::time::Timestamp;
use sqlx::PgConnection;

use super::fault::Work;
use super::finish::{self, Changes};
use super::{budgets, gates, hooks};

/// So many items go into one statement; keeps the memory of a large submit in bounds.
const CHUNK: usize = 2_000;

const JOB: &str = "INSERT INTO jobs (id, label, owner, priority, pipeline, control, stages, created_at, out, parent, \
     idempotency, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING";

const TURN: &str = "WITH turn AS (INSERT INTO turns (job, priority, served_at, key, key_limit, start_at, concurrency) \
     VALUES ($1, $2, $4, $5, $6, $7, $8)) INSERT INTO plans (job, body) VALUES ($1, $3)";

/// Items that have not ended are claimable at once.
const ITEMS: &str = "WITH given AS MATERIALIZED (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], \
     $5::bigint[], $6::text[], $7::bigint[], $8::bigint[], $9::boolean[], $10::uuid[], $11::text[], $12::text[], \
     $13::text[], $15::text[], $16::bigint[], $17::text[], $18::bigint[]) AS given \
     (id, job, parent, ordinal, slot, status, leaves, steps, replaced, unit, name, input, machine, gate, stage, code, \
     round)), \
     inputs AS (INSERT INTO item_inputs (item, job, ordinal, slot, parent, name, input) \
     SELECT id, job, ordinal, slot, parent, name, input FROM given) \
     INSERT INTO items (id, job, unit, claimable_at, updated_at, ordinal, slot, leaves, steps, open, replaced, status, \
     machine, gate, stage, code, round) SELECT id, job, unit, CASE WHEN NOT replaced AND status IN ('pending', 'running', 'waiting') THEN 0 END, \
     $14, ordinal, slot, leaves, steps, NOT replaced AND status IN ('pending', 'running', 'waiting'), replaced, status, \
     machine, gate, stage, code, round FROM given";

/// Stores a job, its items and what there is to tell. False, and nothing, when its id or its idempotency key is taken.
pub(super) async fn submit(
    connection: &mut PgConnection,
    job: &NewJob,
    items: &[NewItem],
    now: Timestamp,
) -> Work<bool> {
    let stored = sqlx::query(JOB)
        .bind(job.id.as_uuid())
        .bind(&job.label)
        .bind(&job.owner)
        .bind(job.priority)
        .bind(&job.plan.plan.pipeline)
        .bind(Control::Run.as_str())
        .bind(job.plan.plan.stages.len() as i64)
        .bind(now.as_micros())
        .bind(&job.out)
        .bind(job.parent.map(|parent| parent.as_uuid()))
        .bind(job.idempotency.as_ref().map(|known| &known.key))
        .bind(job.idempotency.as_ref().map(|known| known.body.to_hex()))
        .execute(&mut *connection)
        .await?;
    if stored.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query(TURN)
        .bind(job.id.as_uuid())
        .bind(job.priority)
        .bind(serde_json::to_string(&job.plan)?)
        .bind(now.as_micros())
        .bind(job.key.as_ref().map(|key| &key.name))
        .bind(job.key.as_ref().map(|key| i64::from(key.limit)))
        .bind(job.start_at.map(Timestamp::as_micros))
        .bind(job.plan.plan.concurrency.map(i64::from))
        .execute(&mut *connection)
        .await?;
    if let Some(amount) = job.budget {
        budgets::write(connection, &Budget::new(BudgetKey::Job(job.id), amount)).await?;
    }
    hooks::hear(connection, job).await?;
    gates::know_of(connection, items).await?;
    let rows: Vec<_> = items.iter().map(|item| (job.id, item)).collect();
    insert(connection, &rows, now).await?;
    let mut changes = Changes::new();
    let change = changes.entry(job.id).or_default();
    for item in items {
        change.add(item.status, i64::from(item.machine.leaves), i64::from(item.machine.steps()));
    }
    let planned = items.iter().map(|item| u64::from(item.machine.leaves)).sum();
    change.tell([EventBody::Submitted { planned }]);
    finish::finish(connection, &changes, now).await?;
    Ok(true)
}

/// Returns the code of the failure that ended a walk.
pub(super) fn code(machine: &ItemMachine) -> Option<&'static str> {
    machine.failure().map(|failure| failure.code.as_str())
}

/// Inserts items, whose gates are known.
pub(super) async fn insert(connection: &mut PgConnection, items: &[(JobId, &NewItem)], now: Timestamp) -> Work<()> {
    for chunk in items.chunks(CHUNK) {
        let numbers = |of: fn(&NewItem) -> i64| chunk.iter().map(|(_, item)| of(item)).collect::<Vec<_>>();
        let inputs = chunk.iter().map(|(_, item)| serde_json::to_string(&item.input));
        let machines = chunk.iter().map(|(_, item)| serde_json::to_string(&item.machine));
        sqlx::query(ITEMS)
            .bind(chunk.iter().map(|(_, item)| item.id.as_uuid()).collect::<Vec<_>>())
            .bind(chunk.iter().map(|(job, _)| job.as_uuid()).collect::<Vec<_>>())
            .bind(chunk.iter().map(|(_, item)| item.parent.map(|parent| parent.as_uuid())).collect::<Vec<_>>())
            .bind(numbers(|item| i64::from(item.ordinal)))
            .bind(numbers(|item| i64::from(item.slot)))
            .bind(chunk.iter().map(|(_, item)| item.status.as_str()).collect::<Vec<_>>())
            .bind(numbers(|item| i64::from(item.machine.leaves)))
            .bind(numbers(|item| i64::from(item.machine.steps())))
            .bind(chunk.iter().map(|(_, item)| item.machine.expanded.is_some()).collect::<Vec<_>>())
            .bind(chunk.iter().map(|(_, item)| item.unit.map(|unit| unit.as_uuid())).collect::<Vec<_>>())
            .bind(chunk.iter().map(|(_, item)| item.name.as_str()).collect::<Vec<_>>())
            .bind(inputs.collect::<Result<Vec<_>, _>>()?)
            .bind(machines.collect::<Result<Vec<_>, _>>()?)
            .bind(now.as_micros())
            .bind(chunk.iter().map(|(_, item)| gates::stored(item.gate.as_ref())).collect::<Vec<_>>())
            .bind(chunk.iter().map(|(_, item)| item.machine.stop().map(|(stage, _)| stage as i64)).collect::<Vec<_>>())
            .bind(chunk.iter().map(|(_, item)| code(&item.machine)).collect::<Vec<_>>())
            .bind(numbers(|item| i64::from(item.machine.round)))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
