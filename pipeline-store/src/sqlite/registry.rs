//! Names of published files and fingerprints of pictures.

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::id::ItemId;
use pipeline_core::storage::{FingerprintMark, NameRequest, Registry, TakeOver};
use sqlx::SqliteConnection;

use super::fault::Work;
use super::store::SqliteStore;
use super::{fingerprints, rows};

#[async_trait]
impl Registry for SqliteStore {
    async fn reserve_name(&self, request: NameRequest) -> Result<bool> {
        if request.only_if_mine {
            return self.read(move |connection| Box::pin(owns(connection, request))).await;
        }
        self.write(move |connection, _| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO names (scope, key, name, job, item) VALUES (?1, ?2, ?3, ?4, ?5) \
                     ON CONFLICT (scope, key) DO UPDATE SET name = excluded.name, job = excluded.job, \
                     item = excluded.item WHERE (?6 AND names.job <> excluded.job) OR (?7 AND NOT EXISTS (SELECT 1 \
                     FROM items WHERE id = names.item AND status IN ('pending', 'running', 'waiting')))",
                )
                .bind(&request.scope)
                .bind(request.name.to_lowercase())
                .bind(&request.name)
                .bind(request.job.to_string())
                .bind(request.item.to_string())
                .bind(request.take_over == TakeOver::OtherJobs)
                .bind(request.take_over == TakeOver::Ended)
                .execute(&mut *connection)
                .await?;
                owns(connection, request).await
            })
        })
        .await
    }

    async fn mark_fingerprint(&self, mark: FingerprintMark) -> Result<Option<ItemId>> {
        self.write(move |connection, inner| Box::pin(fingerprints::mark(connection, inner, mark))).await
    }
}

async fn owns(connection: &mut SqliteConnection, request: NameRequest) -> Work<bool> {
    let row = sqlx::query("SELECT item FROM names WHERE scope = ? AND key = ?")
        .bind(request.scope)
        .bind(request.name.to_lowercase())
        .fetch_optional(connection)
        .await?;
    Ok(match row {
        Some(row) => rows::word::<ItemId>(&row, 0)? == request.item,
        None => false,
    })
}
