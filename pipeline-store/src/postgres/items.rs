//! Items and their results, for reading.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::{ItemId, JobId, ResultId, StageName};
use pipeline_core::storage::{ItemQuery, ItemRecord, ItemStore, ResultRecord, StageTally};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::fault::Work;
use super::store::PostgresStore;
use super::{listing, rows};

const ONE: &str = concat!(
    "SELECT ",
    rows::item_columns!(),
    " FROM items JOIN item_inputs ON item_inputs.item = items.id WHERE items.id = $1"
);

const REUSED: &str = "SELECT results.stage, count(*) FROM results JOIN item_inputs ON item_inputs.item = results.item \
     WHERE results.reused IS NOT NULL AND item_inputs.job = $1 GROUP BY results.stage";

#[async_trait]
impl ItemStore for PostgresStore {
    async fn item(&self, id: ItemId) -> Result<ItemRecord> {
        self.read(id, |connection, id| {
            Box::pin(async move {
                let row = sqlx::query(ONE).bind(id.as_uuid()).fetch_optional(connection).await?;
                rows::item(&row.ok_or_else(|| Error::not_found("there is no such item").with("item", id))?)
            })
        })
        .await
    }

    async fn items(&self, query: ItemQuery) -> Result<Vec<ItemRecord>> {
        let Some(range) = rows::beginning_with(query.id_prefix.as_deref().unwrap_or_default()) else {
            return Ok(Vec::new());
        };
        self.read((query, range), |connection, (query, (least, greatest))| {
            Box::pin(async move {
                let rows = listing::items(query, (*least, *greatest)).build().fetch_all(connection).await?;
                rows.iter().map(rows::item).collect()
            })
        })
        .await
    }

    async fn results(&self, ids: Vec<ResultId>) -> Result<Vec<ResultRecord>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Uuid> = ids.iter().map(ResultId::as_uuid).collect();
        self.read(ids, |connection, ids| {
            Box::pin(async move {
                let sql = concat!("SELECT ", rows::result_columns!(), " FROM results WHERE id = ANY ($1)");
                let rows = sqlx::query(sql).bind(ids).fetch_all(connection).await?;
                rows.iter().map(rows::result).collect()
            })
        })
        .await
    }

    async fn history(&self, item: ItemId) -> Result<Vec<ResultRecord>> {
        self.read(item, |connection, item| {
            Box::pin(async move {
                let sql = concat!("SELECT ", rows::result_columns!(), " FROM results WHERE item = $1 ORDER BY no");
                let rows = sqlx::query(sql).bind(item.as_uuid()).fetch_all(connection).await?;
                rows.iter().map(rows::result).collect()
            })
        })
        .await
    }

    async fn tallies(&self, job: JobId) -> Result<Vec<StageTally>> {
        self.read(job, |connection, job| Box::pin(tallies(connection, *job))).await
    }

    async fn reused(&self, job: JobId) -> Result<BTreeMap<StageName, u64>> {
        self.read(job, |connection, job| {
            Box::pin(async move {
                let rows = sqlx::query(REUSED).bind(job.as_uuid()).fetch_all(connection).await?;
                rows.iter().map(|row| Ok((rows::stage(row, 0)?, rows::number(row, 1)?))).collect()
            })
        })
        .await
    }
}

/// Reads the sums by stage of a job.
pub(super) async fn tallies(connection: &mut PgConnection, job: JobId) -> Work<Vec<StageTally>> {
    let rows = sqlx::query("SELECT stage, count, micros, sum_squares, cost FROM tallies WHERE job = $1 ORDER BY stage")
        .bind(job.as_uuid())
        .fetch_all(connection)
        .await?;
    let read = |row: &PgRow| {
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
