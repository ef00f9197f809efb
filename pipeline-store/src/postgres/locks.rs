//! Advisory locks: each guards one kind of decision that several processes must not make at once.
//!
//! They live in the server's memory, queue fairly and end with their transaction. A lock is taken by a statement of its
//! own: only the next statement is sure to see what the last holder wrote.

use pipeline_core::id::JobId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::fault::Work;

/// Keeps everything from being paused until the end of the transaction.
macro_rules! unpaused {
    () => {
        "SELECT pg_advisory_xact_lock_shared(7305, 1)"
    };
}
pub(super) use unpaused;

/// Waits until no transaction is left that relies on [`unpaused`], and keeps others from beginning.
pub(super) async fn pause(connection: &mut PgConnection) -> Work<()> {
    sqlx::query("SELECT pg_advisory_xact_lock(7305, 1)").execute(connection).await?;
    Ok(())
}

/// Keeps what was asked of some jobs as it is until the end of the transaction, and that they or their owners have budgets
/// or none.
pub(super) async fn steady(connection: &mut PgConnection, jobs: &[Uuid]) -> Work<()> {
    let sql = "SELECT pg_advisory_xact_lock_shared(lock) FROM (\
               SELECT uuid_hash_extended(job, 7306) AS lock FROM unnest($1::uuid[]) AS job \
               UNION SELECT hashtextextended(owner, 7311) FROM jobs WHERE id = ANY ($1) \
               ORDER BY lock OFFSET 0) AS given";
    sqlx::query(sql).bind(jobs).execute(connection).await?;
    Ok(())
}

/// Waits until no transaction is left that relies on a job's being [`steady`], and keeps others from beginning.
pub(super) async fn steer(connection: &mut PgConnection, job: JobId) -> Work<()> {
    let sql = "SELECT pg_advisory_xact_lock(uuid_hash_extended($1, 7306))";
    sqlx::query(sql).bind(job.as_uuid()).execute(connection).await?;
    Ok(())
}

/// Waits until no transaction is left that relies on an owner's jobs being [`steady`], and keeps others from beginning.
pub(super) async fn owner(connection: &mut PgConnection, owner: &str) -> Work<()> {
    let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7311))";
    sqlx::query(sql).bind(owner).execute(connection).await?;
    Ok(())
}

/// Takes the locks of gates: alone where that is said, to count what passes or to change the gate; otherwise with others,
/// which keeps the gate as it is.
pub(super) async fn gates(connection: &mut PgConnection, keys: &[&str], alone: &[bool]) -> Work<()> {
    let sql = "SELECT CASE WHEN alone THEN pg_advisory_xact_lock(lock) ELSE pg_advisory_xact_lock_shared(lock) END \
               FROM (SELECT hashtextextended(given.key, 7307) AS lock, given.alone \
               FROM unnest($1::text[], $2::boolean[]) AS given (key, alone) ORDER BY lock, alone DESC OFFSET 0) AS given";
    sqlx::query(sql).bind(keys).bind(alone).execute(connection).await?;
    Ok(())
}

/// Takes the turn of claiming at some gates; returns for each whether it was free.
pub(super) const TRY_GATES: &str = "SELECT pg_try_advisory_xact_lock(hashtextextended(key, 7308)), key \
     FROM unnest($1::text[]) AS key";

/// Takes the turn of claiming items of a job with a limit; false when another claim has it.
pub(super) async fn try_job(connection: &mut PgConnection, job: JobId) -> Work<bool> {
    let sql = "SELECT pg_try_advisory_xact_lock(uuid_hash_extended($1, 7309))";
    Ok(sqlx::query_scalar(sql).bind(job.as_uuid()).fetch_one(connection).await?)
}

/// Takes the turn of starting jobs with a key; false when another claim has it.
pub(super) async fn try_key(connection: &mut PgConnection, key: &str) -> Work<bool> {
    let sql = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 7310))";
    Ok(sqlx::query_scalar(sql).bind(key).fetch_one(connection).await?)
}

/// Keeps hooks from being added until the end of the transaction.
pub(super) async fn hooked(connection: &mut PgConnection) -> Work<()> {
    sqlx::query("SELECT pg_advisory_xact_lock_shared(7312, 1)").execute(connection).await?;
    Ok(())
}

/// Waits until no transaction is left that relies on [`hooked`], and keeps others from beginning.
pub(super) async fn hook(connection: &mut PgConnection) -> Work<()> {
    sqlx::query("SELECT pg_advisory_xact_lock(7312, 1)").execute(connection).await?;
    Ok(())
}
