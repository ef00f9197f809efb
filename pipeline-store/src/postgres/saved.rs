//! Requests and settings kept under names.

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::storage::{SavedBody, SavedKind, SavedRecord, TemplateKeeper};
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::fault::Work;
use super::rows;
use super::store::{Begin, PostgresStore};

const KEEP: &str = "INSERT INTO saved (kind, owner, name, saved_at, body) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (kind, owner, name) DO NOTHING";

const REPLACE: &str = "INSERT INTO saved (kind, owner, name, saved_at, body) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (kind, owner, name) DO UPDATE SET saved_at = excluded.saved_at, body = excluded.body";

const ONE: &str = "SELECT owner, name, saved_at, body FROM saved WHERE kind = $1 AND owner = $2 AND name = $3";

const LIST: &str = "SELECT owner, name, saved_at, body FROM saved WHERE kind = $1 AND ($2::text IS NULL OR owner = $2) \
     ORDER BY name, owner";

const FORGET: &str = "DELETE FROM saved WHERE kind = $1 AND owner = $2 AND name = $3";

#[async_trait]
impl TemplateKeeper for PostgresStore {
    async fn save(&self, owner: &str, name: &str, body: SavedBody, replace: bool) -> Result<SavedRecord> {
        self.write(
            Begin::Durable,
            (owner.to_owned(), name.to_owned(), body, replace),
            |connection, inner, (owner, name, body, replace)| {
                Box::pin(async move {
                    let now = inner.now(connection).await?;
                    let stored = sqlx::query(if *replace { REPLACE } else { KEEP })
                        .bind(body.kind().as_str())
                        .bind(&*owner)
                        .bind(&*name)
                        .bind(now.as_micros())
                        .bind(serde_json::to_string(body)?)
                        .execute(connection)
                        .await?;
                    if stored.rows_affected() == 0 {
                        let taken = Error::conflict("the name is taken").with("kind", body.kind());
                        return Err(taken.with("name", name).into());
                    }
                    Ok(SavedRecord { owner: owner.clone(), name: name.clone(), saved_at: now, body: body.clone() })
                })
            },
        )
        .await
    }

    async fn saved(&self, owner: &str, kind: SavedKind, name: &str) -> Result<SavedRecord> {
        self.read((owner.to_owned(), kind, name.to_owned()), |connection, (owner, kind, name)| {
            Box::pin(async move {
                let found = sqlx::query(ONE).bind(kind.as_str()).bind(&*owner).bind(&*name);
                let row = found.fetch_optional(connection).await?;
                record(&row.ok_or_else(|| missing(*kind, name))?)
            })
        })
        .await
    }

    async fn list_saved(&self, owner: Option<&str>, kind: SavedKind) -> Result<Vec<SavedRecord>> {
        self.read((owner.map(str::to_owned), kind), |connection, (owner, kind)| {
            Box::pin(async move {
                let rows = sqlx::query(LIST).bind(kind.as_str()).bind(owner).fetch_all(connection).await?;
                rows.iter().map(record).collect()
            })
        })
        .await
    }

    async fn forget(&self, owner: &str, kind: SavedKind, name: &str) -> Result<()> {
        self.write(Begin::Durable, (owner.to_owned(), kind, name.to_owned()), |connection, _, (owner, kind, name)| {
            Box::pin(async move {
                let forgotten = sqlx::query(FORGET).bind(kind.as_str()).bind(&*owner).bind(&*name);
                match forgotten.execute(connection).await?.rows_affected() {
                    0 => Err(missing(*kind, name).into()),
                    _ => Ok(()),
                }
            })
        })
        .await
    }
}

fn missing(kind: SavedKind, name: &str) -> Error {
    Error::not_found("nothing is saved under this name").with("kind", kind).with("name", name)
}

fn record(row: &PgRow) -> Work<SavedRecord> {
    Ok(SavedRecord {
        owner: row.try_get(0)?,
        name: row.try_get(1)?,
        saved_at: rows::time(row, 2)?,
        body: rows::json(row, 3)?,
    })
}
