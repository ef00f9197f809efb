//! Names of published files and fingerprints of pictures.

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::id::ItemId;
use pipeline_core::storage::{FingerprintMark, NameRequest, Registry, TakeOver};
use sqlx::PgConnection;
use uuid::Uuid;

use super::fault::Work;
use super::fingerprints;
use super::store::{Begin, PostgresStore};

const RESERVE: &str = "INSERT INTO names (scope, key, name, job, item) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (scope, key) DO UPDATE SET name = excluded.name, job = excluded.job, item = excluded.item \
     WHERE ($6 AND names.job <> excluded.job) OR ($7 AND NOT EXISTS (SELECT 1 FROM items WHERE id = names.item \
     AND status IN ('pending', 'running', 'waiting')))";

#[async_trait]
impl Registry for PostgresStore {
    async fn reserve_name(&self, request: NameRequest) -> Result<bool> {
        if request.only_if_mine {
            return self.read(request, |connection, request| Box::pin(owns(connection, request))).await;
        }
        self.write(Begin::Durable, request, |connection, _, request| {
            Box::pin(async move {
                sqlx::query(RESERVE)
                    .bind(&request.scope)
                    .bind(request.name.to_lowercase())
                    .bind(&request.name)
                    .bind(request.job.as_uuid())
                    .bind(request.item.as_uuid())
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
        self.write(Begin::Durable, mark, |connection, _, mark| Box::pin(fingerprints::mark(connection, mark))).await
    }
}

async fn owns(connection: &mut PgConnection, request: &NameRequest) -> Work<bool> {
    let owner: Option<Uuid> = sqlx::query_scalar("SELECT item FROM names WHERE scope = $1 AND key = $2")
        .bind(&request.scope)
        .bind(request.name.to_lowercase())
        .fetch_optional(connection)
        .await?;
    Ok(owner == Some(request.item.as_uuid()))
}
