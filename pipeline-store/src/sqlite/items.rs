//! Items and their results, for reading.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::{ItemId, JobId, ResultId, StageName};
use pipeline_core::storage::{ItemQuery, ItemRecord, ItemStore, ResultRecord, StageTally};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::fault::Work;
use super::store::SqliteStore;
use super::{listing, rows};

const REUSED: &str = "SELECT results.stage, count(*) FROM results JOIN items ON items.id = results.item \
     WHERE results.reused IS NOT NULL AND items.job = ? GROUP BY results.stage";

#[async_trait]
impl ItemStore for SqliteStore {
    async fn item(&self, id: ItemId) -> Result<ItemRecord> {
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(concat!("SELECT ", rows::item_columns!(), " FROM items WHERE id = ?"))
                    .bind(id.to_string())
                    .fetch_optional(connection)
                    .await?;
                rows::item(&row.ok_or_else(|| Error::not_found("there is no such item").with("item", id))?)
            })
        })
        .await
    }

    async fn items(&self, query: ItemQuery) -> Result<Vec<ItemRecord>> {
        self.read(move |connection| Box::pin(async move { listing::items(connection, &query).await })).await
    }

    async fn results(&self, ids: Vec<ResultId>) -> Result<Vec<ResultRecord>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(concat!(
                    "SELECT ",
                    rows::result_columns!(),
                    " FROM results WHERE id IN (SELECT value FROM json_each(?))"
                ))
                .bind(rows::list(ids)?)
                .fetch_all(connection)
                .await?;
                rows.iter().map(rows::result).collect()
            })
        })
        .await
    }

    async fn history(&self, item: ItemId) -> Result<Vec<ResultRecord>> {
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(concat!(
                    "SELECT ",
                    rows::result_columns!(),
                    " FROM results WHERE item = ? ORDER BY no"
                ))
                .bind(item.to_string())
                .fetch_all(connection)
                .await?;
                rows.iter().map(rows::result).collect()
            })
        })
        .await
    }

    async fn tallies(&self, job: JobId) -> Result<Vec<StageTally>> {
        self.read(move |connection| Box::pin(tallies(connection, job))).await
    }

    async fn reused(&self, job: JobId) -> Result<BTreeMap<StageName, u64>> {
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(REUSED).bind(job.to_string()).fetch_all(connection).await?;
                rows.iter().map(|row| Ok((rows::stage(row, 0)?, rows::number(row, 1)?))).collect()
            })
        })
        .await
    }
}

/// Reads the sums by stage of a job.
pub(super) async fn tallies(connection: &mut SqliteConnection, job: JobId) -> Work<Vec<StageTally>> {
    let rows = sqlx::query("SELECT stage, count, micros, sum_squares, cost FROM tallies WHERE job = ? ORDER BY stage")
        .bind(job.to_string())
        .fetch_all(connection)
        .await?;
    let read = |row: &SqliteRow| {
        Ok(StageTally {
            stage: rows::stage(row, 0)?,
            count: rows::number(row, 1)?,
            total: Duration::from_micros(rows::number(row, 2)?),
            sum_squares: row.try_get(3)?,
            cost: rows::money(row, 4)?,
        })
    };
    rows.iter().map(read).collect()
}
