//! Looking for near-duplicates. The database counts the bits in which two marks differ.

use pipeline_core::id::ItemId;
use pipeline_core::storage::FingerprintMark;
use sqlx::PgConnection;
use uuid::Uuid;

use super::fault::Work;

/// Lets one transaction at a time decide about the pictures of a job and scope.
const LOCK: &str = "SELECT pg_advisory_xact_lock(uuid_hash_extended($1, hashtextextended($2, 7306)))";

const NEAR: &str = "SELECT item FROM fingerprints WHERE job = $1 AND scope = $2 AND item <> $3 \
     AND bit_count((fingerprint # $4)::bit(64)) <= $5 ORDER BY no LIMIT 1";

/// A mark that replaces another comes last: its picture is new.
const MARK: &str = "INSERT INTO fingerprints (job, scope, item, fingerprint) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (job, scope, item) DO UPDATE SET no = excluded.no, fingerprint = excluded.fingerprint";

/// Looks for a near-duplicate, and stores the mark when there is none.
pub(super) async fn mark(connection: &mut PgConnection, mark: &FingerprintMark) -> Work<Option<ItemId>> {
    // A statement of its own, so that the next one sees what was committed while this one waited.
    sqlx::query(LOCK).bind(mark.job.as_uuid()).bind(&mark.scope).execute(&mut *connection).await?;
    let near: Option<Uuid> = sqlx::query_scalar(NEAR)
        .bind(mark.job.as_uuid())
        .bind(&mark.scope)
        .bind(mark.item.as_uuid())
        .bind(mark.fingerprint as i64)
        .bind(i64::from(mark.max_distance))
        .fetch_optional(&mut *connection)
        .await?;
    if near.is_none() {
        sqlx::query(MARK)
            .bind(mark.job.as_uuid())
            .bind(&mark.scope)
            .bind(mark.item.as_uuid())
            .bind(mark.fingerprint as i64)
            .execute(connection)
            .await?;
    }
    Ok(near.map(ItemId::from_uuid))
}
