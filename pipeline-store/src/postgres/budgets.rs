//! The budgets: those that concern jobs, and setting them.

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::JobId;
use pipeline_core::model::Money;
use pipeline_core::storage::{Budget, BudgetKeeper, BudgetKey};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::bell::Bell;
use super::fault::Work;
use super::store::{Begin, PostgresStore};
use super::{locks, rows};
use crate::wanted;

/// The keys of the closed budgets, as a common table that [`unpaid`] reads.
macro_rules! shut {
    () => {
        "shut AS MATERIALIZED (SELECT key FROM budgets WHERE wanted IS NOT NULL)"
    };
}
pub(super) use shut;

/// Whether paid work of a job, named by how its turn is called, waits for a budget.
macro_rules! unpaid {
    ($turns:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM shut WHERE shut.key = 'job:' || ",
            $turns,
            ".job::text OR shut.key = 'owner:' || (SELECT jobs.owner FROM jobs WHERE jobs.id = ",
            $turns,
            ".job))"
        )
    };
}
pub(super) use unpaid;

/// Locks the budgets of jobs in the order of their keys, and tells whose they are.
const OF_JOBS: &str = "SELECT jobs.id, budgets.key, amount, spent, reserved, wanted FROM jobs JOIN budgets \
     ON budgets.key IN ('job:' || jobs.id::text, 'owner:' || jobs.owner) WHERE jobs.id = ANY ($1) \
     ORDER BY budgets.key, jobs.id FOR NO KEY UPDATE OF budgets";

const ONE: &str = "SELECT key, amount, spent, reserved, wanted FROM budgets WHERE key = $1 FOR NO KEY UPDATE";

const LIST: &str = "SELECT key, amount, spent, reserved, wanted FROM budgets WHERE key LIKE 'owner:%' \
     OR key IN (SELECT 'job:' || id::text FROM jobs WHERE ended_at IS NULL) ORDER BY key";

const WRITE: &str = "INSERT INTO budgets (key, amount, spent, reserved, wanted) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (key) DO UPDATE SET amount = excluded.amount, spent = excluded.spent, reserved = excluded.reserved, \
     wanted = excluded.wanted";

/// Keeps the calls of a job, or of an owner's jobs, from being settled until the end of the transaction.
const UNSETTLED: &str = "SELECT id FROM calls WHERE state IN ('open', 'unknown') \
     AND job IN (SELECT id FROM jobs WHERE id = $1 OR owner = $2) ORDER BY id FOR UPDATE";

/// What their calls have cost, and what is reserved for those without a known outcome.
const SUMS: &str = "SELECT coalesce(sum(cost) FILTER (WHERE state IN ('succeeded', 'failed')), 0)::bigint, \
     coalesce(sum(reserved) FILTER (WHERE state IN ('open', 'unknown')), 0)::bigint FROM calls \
     WHERE job IN (SELECT id FROM jobs WHERE id = $1 OR owner = $2)";

/// Returns the budgets that calls of jobs reserve of; they are locked until the end of the transaction.
pub(super) async fn of(connection: &mut PgConnection, jobs: &[Uuid]) -> Work<Vec<(JobId, Budget)>> {
    let rows = sqlx::query(OF_JOBS).bind(jobs).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((rows::job_id(row, 0)?, read(row, 1)?))).collect()
}

/// Writes how a budget stands.
pub(super) async fn write(connection: &mut PgConnection, budget: &Budget) -> Work<()> {
    sqlx::query(WRITE)
        .bind(budget.key.to_string())
        .bind(budget.amount.as_micros())
        .bind(budget.spent.as_micros())
        .bind(budget.reserved.as_micros())
        .bind(budget.closed.map(wanted::stored))
        .execute(connection)
        .await?;
    Ok(())
}

/// Turns the reservation of a job's call into what it cost; tells whether a budget was opened by that.
pub(super) async fn settle(connection: &mut PgConnection, job: JobId, reserved: Money, cost: Money) -> Work<bool> {
    let mut opened = false;
    for (_, mut budget) in of(connection, &[job.as_uuid()]).await? {
        let closed = budget.closed.is_some();
        budget.settle(reserved, cost);
        opened |= closed && budget.closed.is_none();
        write(connection, &budget).await?;
    }
    Ok(opened)
}

/// Reads a budget from the columns that begin at `column`.
fn read(row: &PgRow, column: usize) -> Work<Budget> {
    Ok(Budget {
        key: rows::word(row, column)?,
        amount: rows::money(row, column + 1)?,
        spent: rows::money(row, column + 2)?,
        reserved: rows::money(row, column + 3)?,
        closed: row.try_get::<Option<i64>, _>(column + 4)?.map(wanted::read),
    })
}

/// Reads the budget of a job from columns that are all empty where it has none.
pub(super) fn maybe(row: &PgRow, column: usize) -> Work<Option<Budget>> {
    if row.try_get::<Option<&str>, _>(column)?.is_some() { read(row, column).map(Some) } else { Ok(None) }
}

async fn set(connection: &mut PgConnection, key: &BudgetKey, amount: Option<Money>) -> Work<Option<Budget>> {
    // No intent is written that does not see this.
    let (job, owner) = match key {
        BudgetKey::Job(id) => {
            locks::steer(connection, *id).await?;
            let status: Option<String> = sqlx::query_scalar("SELECT status FROM jobs WHERE id = $1")
                .bind(id.as_uuid())
                .fetch_optional(&mut *connection)
                .await?
                .ok_or_else(|| Error::not_found("there is no such job").with("job", id))?;
            if let Some(status) = status {
                return Err(Error::conflict("the job has ended").with("job", id).with("status", status).into());
            }
            (Some(id.as_uuid()), None)
        }
        BudgetKey::Owner(name) => {
            locks::owner(connection, name).await?;
            (None, Some(name.as_str()))
        }
    };
    let Some(amount) = amount else {
        sqlx::query("DELETE FROM budgets WHERE key = $1").bind(key.to_string()).execute(connection).await?;
        return Ok(None);
    };
    let known = sqlx::query(ONE).bind(key.to_string()).fetch_optional(&mut *connection).await?;
    let mut budget = match known {
        Some(row) => read(&row, 0)?,
        None => {
            // Whoever settles meanwhile waits here, and then finds the budget.
            sqlx::query(UNSETTLED).bind(job).bind(owner).fetch_all(&mut *connection).await?;
            let row = sqlx::query(SUMS).bind(job).bind(owner).fetch_one(&mut *connection).await?;
            let (spent, reserved) = (rows::money(&row, 0)?, rows::money(&row, 1)?);
            Budget { spent, reserved, ..Budget::new(key.clone(), amount) }
        }
    };
    budget.set(amount);
    write(connection, &budget).await?;
    Ok(Some(budget))
}

#[async_trait]
impl BudgetKeeper for PostgresStore {
    async fn set_budget(&self, key: BudgetKey, amount: Option<Money>) -> Result<Option<Budget>> {
        if let Some(amount) = amount.filter(|amount| *amount <= Money::ZERO) {
            return Err(Error::invalid("a budget is more than nothing").with("key", key).with("amount", amount));
        }
        let budget = self
            .write(Begin::Durable, (key, amount), |connection, _, (key, amount)| {
                Box::pin(set(connection, key, *amount))
            })
            .await?;
        Bell::ring(&self.inner);
        Ok(budget)
    }

    async fn budgets(&self) -> Result<Vec<Budget>> {
        self.read((), |connection, ()| {
            Box::pin(async move {
                let rows = sqlx::query(LIST).fetch_all(connection).await?;
                rows.iter().map(|row| read(row, 0)).collect()
            })
        })
        .await
    }
}
