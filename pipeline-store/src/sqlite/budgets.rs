//! The budgets: those that concern a job, and setting them.

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::JobId;
use pipeline_core::model::Money;
use pipeline_core::storage::{Budget, BudgetKeeper, BudgetKey};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::fault::Work;
use super::rows;
use super::store::SqliteStore;
use crate::wanted;

/// Whether paid work of a job, named by how its row is called, waits for a budget.
macro_rules! closed {
    ($jobs:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM budgets WHERE budgets.key IN ('job:' || ",
            $jobs,
            ".id, 'owner:' || ",
            $jobs,
            ".owner) AND wanted IS NOT NULL)"
        )
    };
}
pub(super) use closed;

/// The budgets that a call of a job reserves of.
pub(super) const OF_JOB: &str = "SELECT key, amount, spent, reserved, wanted FROM budgets \
     WHERE key IN (SELECT 'job:' || id FROM jobs WHERE id = ?1 UNION ALL SELECT 'owner:' || owner FROM jobs WHERE id = ?1)";

/// What calls have cost, and what is reserved for those without a known outcome.
const SUMS: &str = "SELECT coalesce(sum(cost) FILTER (WHERE state IN ('succeeded', 'failed')), 0), \
     coalesce(sum(reserved) FILTER (WHERE state IN ('open', 'unknown')), 0) FROM calls \
     WHERE job IN (SELECT ?1 UNION ALL SELECT id FROM jobs WHERE owner = ?2)";

/// Returns the budgets that a call of a job reserves of.
pub(super) async fn of(connection: &mut SqliteConnection, job: JobId) -> Work<Vec<Budget>> {
    let rows = sqlx::query(OF_JOB).bind(job.to_string()).fetch_all(connection).await?;
    rows.iter().map(|row| read(row, 0)).collect()
}

/// Writes how a budget stands.
pub(super) async fn write(connection: &mut SqliteConnection, budget: &Budget) -> Work<()> {
    sqlx::query(
        "INSERT INTO budgets (key, amount, spent, reserved, wanted) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (key) DO UPDATE SET amount = ?2, spent = ?3, reserved = ?4, wanted = ?5",
    )
    .bind(budget.key.to_string())
    .bind(budget.amount.as_micros())
    .bind(budget.spent.as_micros())
    .bind(budget.reserved.as_micros())
    .bind(budget.closed.map(wanted::stored))
    .execute(connection)
    .await?;
    Ok(())
}

/// Turns the reservation of a job's call into what it cost.
pub(super) async fn settle(connection: &mut SqliteConnection, job: JobId, reserved: Money, cost: Money) -> Work<()> {
    for mut budget in of(connection, job).await? {
        budget.settle(reserved, cost);
        write(connection, &budget).await?;
    }
    Ok(())
}

/// Reads a budget from the columns that begin at `column`.
fn read(row: &SqliteRow, column: usize) -> Work<Budget> {
    Ok(Budget {
        key: rows::word(row, column)?,
        amount: rows::money(row, column + 1)?,
        spent: rows::money(row, column + 2)?,
        reserved: rows::money(row, column + 3)?,
        closed: row.try_get::<Option<i64>, _>(column + 4)?.map(wanted::read),
    })
}

/// Reads the budget of a job from columns that are all empty where it has none.
pub(super) fn maybe(row: &SqliteRow, column: usize) -> Work<Option<Budget>> {
    if row.try_get::<Option<&str>, _>(column)?.is_some() { read(row, column).map(Some) } else { Ok(None) }
}

async fn set(connection: &mut SqliteConnection, key: &BudgetKey, amount: Option<Money>) -> Work<Option<Budget>> {
    if let BudgetKey::Job(id) = key {
        let status: Option<String> = sqlx::query_scalar("SELECT status FROM jobs WHERE id = ?")
            .bind(id.to_string())
            .fetch_optional(&mut *connection)
            .await?
            .ok_or_else(|| Error::not_found("there is no such job").with("job", id))?;
        if let Some(status) = status {
            return Err(Error::conflict("the job has ended").with("job", id).with("status", status).into());
        }
    }
    let Some(amount) = amount else {
        sqlx::query("DELETE FROM budgets WHERE key = ?").bind(key.to_string()).execute(connection).await?;
        return Ok(None);
    };
    let known = sqlx::query("SELECT key, amount, spent, reserved, wanted FROM budgets WHERE key = ?")
        .bind(key.to_string())
        .fetch_optional(&mut *connection)
        .await?;
    let mut budget = match known {
        Some(row) => read(&row, 0)?,
        None => {
            let (job, owner) = match key {
                BudgetKey::Job(id) => (Some(id.to_string()), None),
                BudgetKey::Owner(name) => (None, Some(name.clone())),
            };
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
impl BudgetKeeper for SqliteStore {
    async fn set_budget(&self, key: BudgetKey, amount: Option<Money>) -> Result<Option<Budget>> {
        if let Some(amount) = amount.filter(|amount| *amount <= Money::ZERO) {
            return Err(Error::invalid("a budget is more than nothing").with("key", key).with("amount", amount));
        }
        self.write(move |connection, _| Box::pin(async move { set(connection, &key, amount).await })).await
    }

    async fn budgets(&self) -> Result<Vec<Budget>> {
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(
                    "SELECT key, amount, spent, reserved, wanted FROM budgets WHERE key LIKE 'owner:%' \
                     OR substr(key, 5) IN (SELECT id FROM jobs WHERE ended_at IS NULL) ORDER BY key",
                )
                .fetch_all(connection)
                .await?;
                rows.iter().map(|row| read(row, 0)).collect()
            })
        })
        .await
    }
}
